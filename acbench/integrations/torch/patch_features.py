"""Computes patch features of frozen image models for PatchCore (Roth et al. 2022, arXiv 2106.08265)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from acbench.errors import AcbenchError
from acbench.integrations.torch.embeddings import DEFAULT, TimmModule, backbone, timm_network
from acbench.integrations.torch.runtime import device, import_torch, normalisation, padded

if TYPE_CHECKING:
    from torch import Tensor

STRIDES = (8, 16)
"""Strides of the feature maps that are joined: the middle levels, as in the paper."""
BATCH = 8
"""Images of every forward pass."""


class PatchModule(TimmModule, Protocol):
    """The part of a timm network that gives patch features."""

    feature_info: Sequence[Mapping[str, Any]]
    """Facts of each level, such as its `reduction`."""


@dataclass(slots=True)
class PatchModel:
    """A frozen model's middle levels, loaded when first used."""

    name: str
    """The backbone's name, with the levels."""
    size: int
    """Edge of the square input, pixels."""
    load: Callable[[], PatchModule]
    _net: PatchModule | None = None

    def features(self, pictures: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        """(N, h, w, D) of images (S, S, 3), N ≥ 1: each level averaged over 3×3 patches, brought to the finest grid.

        An image's features do not depend on the other images.
        """
        import_torch()
        import torch

        if self._net is None:
            self._net = self.load()
        net, where = self._net, device()
        mean, deviation = normalisation(net.default_cfg["mean"], net.default_cfg["std"])
        levels = _levels(net)
        features: list[NDArray[np.float32]] = []
        with torch.inference_mode():
            for start in range(0, len(pictures), BATCH):
                part = pictures[start : start + BATCH]
                images = padded(part, BATCH).to(where).permute(0, 3, 1, 2).float() / 255
                maps = net.forward_intermediates((images - mean) / deviation, indices=levels, intermediates_only=True)
                features.append(_joined(maps).float().cpu().numpy()[: len(part)])
        together: NDArray[np.float32] = np.concatenate(features)
        return together


def patch_model(spec: str = DEFAULT) -> PatchModel:
    """The patch model of a backbone, `efficientnet-lite0` or `timm:MODEL[@FILE]` of a convolutional model.

    Nothing is loaded yet. Raises AcbenchError for another kind of backbone.
    """
    known, network = backbone(spec), timm_network(spec)
    if network is None:
        raise AcbenchError(f"patchcore cannot take features of {spec}", f"--backbone {DEFAULT} or timm:MODEL")
    name = f"{known.name}:strides {'+'.join(map(str, STRIDES))}"
    return PatchModel(name, known.size, lambda: _checked(network.load(), network.model))


def _checked(net: TimmModule, model: str) -> PatchModule:
    """The network, if it has the feature maps that are needed. Raises AcbenchError."""
    strides = {info["reduction"] for info in getattr(net, "feature_info", ()) if "reduction" in info}
    if not set(STRIDES) <= strides or not hasattr(net, "forward_intermediates"):
        raise AcbenchError(f"timm:{model} has no feature maps of strides 8 and 16", f"--backbone {DEFAULT}")
    return cast(PatchModule, net)


def _levels(net: PatchModule) -> list[int]:
    """The last level of each stride."""
    reductions = [info["reduction"] for info in net.feature_info]
    return [max(level for level, stride in enumerate(reductions) if stride == wanted) for wanted in STRIDES]


def _joined(maps: Sequence[Tensor]) -> Tensor:
    """Feature maps (N, D_i, h_i, w_i), averaged over patches and joined to (N, h, w, D) on the grid of the first."""
    import torch

    pooled = [torch.nn.functional.avg_pool2d(level, 3, stride=1, padding=1) for level in maps]
    sized = [torch.nn.functional.interpolate(level, size=pooled[0].shape[-2:], mode="bilinear") for level in pooled]
    return torch.cat(sized, dim=1).permute(0, 2, 3, 1)
