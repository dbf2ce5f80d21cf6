"""Loads models of open_clip by their names there, with weights from a file, a folder or the hub."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, cast

from acbench.errors import AcbenchError
from acbench.integrations.torch.runtime import device, first_line, import_torch, model_on_hub, normalisation
from acbench.storage.digests import sha256_file

if TYPE_CHECKING:
    from torch import Tensor

T = TypeVar("T")

FOLDER, HUB = "local-dir:", "hf-hub:"
"""How open_clip names a folder in the layout of the hub, and a model on the hub. Both bring their own weights."""
_CONFIG = "open_clip_config.json"
_WEIGHTS = (".safetensors", ".bin", ".pth", ".pt", ".npz", ".npy")


class OpenClipModule(Protocol):
    """The part of a model of open_clip that acbench uses."""

    logit_scale: Tensor
    """Logarithm of what a cosine is multiplied with."""

    def encode_image(self, image: Tensor, normalize: bool = False) -> Tensor:
        """Vectors (N, D) of normalised images (N, 3, S, S)."""

    def encode_text(self, text: Tensor, normalize: bool = False) -> Tensor:
        """Vectors (N, D) of token ids (N, L)."""


class Tokenizer(Protocol):
    """Turns prompts into token ids."""

    def __call__(self, texts: list[str]) -> Tensor:
        """Token ids (N, L); what is too long is cut off."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedOpenClip:
    """A model on the fastest device, and how its images have to look."""

    net: OpenClipModule
    input_size: tuple[int, int]
    """Height and width of its images, pixels."""
    mean: Tensor
    deviation: Tensor
    """What images in 0…1 are normalised with, (1, 3, 1, 1)."""


@dataclass(frozen=True, slots=True)
class OpenClipSource:
    """A model and its weights, as open_clip names them; nothing is read or loaded yet."""

    model: str
    """Such as `ViT-L-14`, `hf-hub:ORG/NAME` or `local-dir:FOLDER`."""
    weights: str
    """A tag or a file; of no meaning to the latter two."""

    @property
    def shown(self) -> str:
        """Model and weights in short, without folders."""
        if self.model.startswith(FOLDER):
            return Path(self.model.removeprefix(FOLDER)).resolve().name
        if self.model.startswith(HUB):
            return self.model
        return f"{self.model}:{Path(self.weights).stem if self.files() else self.weights}"

    @property
    def content(self) -> str:
        """What tells these weights from others, without loading them. Raises AcbenchError if files are missing.

        A hash of all bytes of local files. For weights on the hub it is the version of open_clip, whose tags name them.
        """
        return " ".join(map(sha256_file, self.files())) or metadata.version("open-clip-torch")

    def files(self) -> list[Path]:
        """The files that hold it; none if it is on the hub. Raises AcbenchError if they are missing."""
        if self.model.startswith(HUB):
            return []
        if self.model.startswith(FOLDER):
            folder = Path(self.model.removeprefix(FOLDER))
            weights = sorted(path for path in folder.glob("*") if path.suffix in _WEIGHTS)
            if not weights or not (folder / _CONFIG).is_file():
                what = f"it holds {_CONFIG} and a weights file, such as open_clip_model.safetensors"
                raise AcbenchError(f"{folder} is not a folder of open_clip", what)
            return [folder / _CONFIG, *weights]
        path = Path(self.weights)
        if path.is_file():
            return [path]
        if os.sep in self.weights or path.suffix in _WEIGHTS:
            raise AcbenchError(f"there is no weights file {path}", "give the path of a file, or a tag of open_clip")
        return []

    def load(self, *, hint: str, precision: str = "fp32") -> LoadedOpenClip:
        """Load the model. Raises AcbenchError with `hint`, soon, if it cannot be had."""
        import_torch()
        import open_clip

        tag = self._tag()

        def create() -> Any:
            return open_clip.create_model(
                self.model,
                pretrained=self.weights,
                precision=precision,
                device=device(),
                # Some tags were trained with another activation than the model of that name has; open_clip only warns.
                force_quick_gelu=tag.get("quick_gelu", False),
                pretrained_text=False,
                require_pretrained=True,
                weights_only=True,  # a weights file is data, never code
            ).eval()

        net = self._fetch(create, tag, hint)
        mean, deviation = normalisation(net.visual.image_mean, net.visual.image_std)
        return LoadedOpenClip(net=net, input_size=_edges(net.visual.image_size), mean=mean, deviation=deviation)

    def tokenizer(self, *, hint: str) -> Tokenizer:
        """The model's tokenizer. Raises AcbenchError as `load` does."""
        import_torch()
        import open_clip

        return self._fetch(lambda: cast(Tokenizer, open_clip.get_tokenizer(self._listed)), self._tag(), hint)

    @property
    def _listed(self) -> str:
        """The name in open_clip's lists: `ViT-B/32` is `ViT-B-32` there."""
        return self.model if self.model.startswith((FOLDER, HUB)) else self.model.replace("/", "-")

    def _tag(self) -> Mapping[str, Any]:
        """What open_clip knows of the tag, nothing without one. Raises AcbenchError if there is no such tag."""
        from open_clip.pretrained import get_pretrained_cfg, list_pretrained_tags_by_model

        if self.model.startswith(HUB) or self.files():
            return {}
        if known := cast(Mapping[str, Any], get_pretrained_cfg(self._listed, self.weights)):
            return known
        what = f"weights {self.weights!r} of {self.model}" if self.weights else f"{self.model} without weights"
        tags = ", ".join(list_pretrained_tags_by_model(self._listed)) or "none, as it does not know the model"
        raise AcbenchError(f"open_clip knows no {what}", f"give a weights file, or a tag that it knows: {tags}")

    def _fetch(self, create: Callable[[], T], tag: Mapping[str, Any], hint: str) -> T:
        """What `create` makes of local files and the hub's cache or, if that fails, with the hub."""
        problem = f"open_clip cannot make {self.shown}: "
        try:
            with _silent(), _cache_only():
                return create()
        except Exception as error:
            if self.files():
                raise AcbenchError(f"{problem}{first_line(error)}", hint) from None
        repository = self.model.removeprefix(HUB) if self.model.startswith(HUB) else tag["hf_hub"].rpartition("/")[0]
        try:
            model_on_hub(repository)
            with _silent():
                return create()
        except Exception as error:
            why = f"{repository} cannot be had from the local cache or from the hub: {first_line(error)}"
            raise AcbenchError(f"{problem}{why}", hint) from None


def _edges(size: int | Sequence[int]) -> tuple[int, int]:
    """Height and width of an image size as open_clip gives it."""
    if isinstance(size, int):
        return size, size
    height, width = size
    return height, width


@contextmanager
def _cache_only() -> Iterator[None]:
    """Have the hub's clients look into their cache alone; they read this switch at every request."""
    from huggingface_hub import constants

    before, constants.HF_HUB_OFFLINE = constants.HF_HUB_OFFLINE, True
    try:
        yield
    finally:
        constants.HF_HUB_OFFLINE = before


@contextmanager
def _silent() -> Iterator[None]:
    """Without log messages: what matters comes back as an exception."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(before)
