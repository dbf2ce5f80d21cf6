"""Patch features of frozen image models, as PatchCore wants them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from acbench.errors import AcbenchError
from acbench.integrations.torch.embeddings import DEFAULT, backbone, timm_network
from acbench.integrations.torch.runtime import device, import_torch

STRIDES = (8, 16)
"""Of the feature maps that are joined: the middle levels, as in the paper (arXiv 2106.08265)."""
BATCH = 8
"""Pictures of every forward pass."""


@dataclass(slots=True)
class PatchModel:
    """A frozen model's middle levels, loaded when first used."""

    name: str
    """That of the backbone, with the levels."""
    size: int
    """Edge of the square input, pixels."""
    load: Callable[[], Any]
    _net: Any = None

    def features(self, pictures: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        """(N, h, w, D) of pictures (S, S, 3), N ≥ 1: each level averaged over 3×3 patches, brought to the finest grid.

        A picture's features do not depend on the others: batches always have the same shape.
        """
        torch = import_torch()
        if self._net is None:
            self._net = self.load()
        net, where = self._net, device()
        mean, std = (torch.tensor(net.default_cfg[key], device=where).view(1, 3, 1, 1) for key in ("mean", "std"))
        levels = [at for at, info in enumerate(net.feature_info) if info["reduction"] in STRIDES]
        levels = [max(at for at in levels if net.feature_info[at]["reduction"] == stride) for stride in STRIDES]
        found = []
        with torch.inference_mode():
            for start in range(0, len(pictures), BATCH):
                part = pictures[start : start + BATCH]
                block = np.zeros((BATCH, *part[0].shape), np.uint8)
                block[: len(part)] = np.stack(part)
                images = torch.from_numpy(block).to(where).permute(0, 3, 1, 2).float() / 255
                maps = net.forward_intermediates((images - mean) / std, indices=levels, intermediates_only=True)
                pooled = [torch.nn.functional.avg_pool2d(each, 3, stride=1, padding=1) for each in maps]
                sized = [
                    torch.nn.functional.interpolate(each, size=pooled[0].shape[-2:], mode="bilinear") for each in pooled
                ]
                joined = torch.cat(sized, dim=1).permute(0, 2, 3, 1)
                found.append(joined.float().cpu().numpy()[: len(part)])
        together: NDArray[np.float32] = np.concatenate(found)
        return together


def patch_model(spec: str = DEFAULT) -> PatchModel:
    """By the name of a backbone, `efficientnet-lite0` or `timm:MODEL[@FILE]` of a convolutional model. Loads nothing.

    Raises AcbenchError for another kind of backbone.
    """
    known, network = backbone(spec), timm_network(spec)
    if network is None:
        raise AcbenchError(f"patchcore cannot take features of {spec}", f"--backbone {DEFAULT} or timm:MODEL")
    name = f"{known.name}:strides {'+'.join(map(str, STRIDES))}"
    return PatchModel(name, known.size, lambda: _middle(network.load(), network.model))


def _middle(net: Any, model: str) -> Any:
    there = {info["reduction"] for info in getattr(net, "feature_info", ()) if "reduction" in info}
    if not set(STRIDES) <= there or not hasattr(net, "forward_intermediates"):
        raise AcbenchError(f"timm:{model} has no feature maps of strides 8 and 16", f"--backbone {DEFAULT}")
    return net
