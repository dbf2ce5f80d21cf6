"""The way to open_clip: a model by its name there, with weights from a file, a folder or the hub."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any, TypeVar, cast

from acbench.errors import AcbenchError
from acbench.integrations.torch.runtime import device, import_torch
from acbench.storage.digests import sha256_file

T = TypeVar("T")

FOLDER, HUB = "local-dir:", "hf-hub:"
"""How open_clip names a folder in the layout of the hub, and a model on the hub. Both bring their own weights."""
PATIENCE = 5.0
"""Seconds to wait for the hub to answer at all."""
_CONFIG = "open_clip_config.json"
_WEIGHTS = (".safetensors", ".bin", ".pth", ".pt", ".npz", ".npy")


@dataclass(frozen=True, slots=True)
class Checkpoint:
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

        A hash of all bytes of local files. Weights on the hub are taken to stay what they are under one version of
        open_clip, whose tags name them.
        """
        return " ".join(map(sha256_file, self.files())) or metadata.version("open-clip-torch")

    def files(self) -> list[Path]:
        """The files that hold it; none if it is on the hub. Raises AcbenchError if they are missing."""
        if self.model.startswith(HUB):
            return []
        if self.model.startswith(FOLDER):
            folder = Path(self.model.removeprefix(FOLDER))
            found = sorted(path for path in folder.glob("*") if path.suffix in _WEIGHTS)
            if not found or not (folder / _CONFIG).is_file():
                what = f"it holds {_CONFIG} and a weights file, such as open_clip_model.safetensors"
                raise AcbenchError(f"{folder} is not a folder of open_clip", what)
            return [folder / _CONFIG, *found]
        path = Path(self.weights)
        if path.is_file():
            return [path]
        if os.sep in self.weights or path.suffix in _WEIGHTS:
            raise AcbenchError(f"there is no weights file {path}", "give the path of a file, or a tag of open_clip")
        return []

    def load(self, *, hint: str, precision: str = "fp32") -> Any:
        """The model on the fastest device. Raises AcbenchError with `hint`, soon, if it cannot be had."""
        import_torch()
        import open_clip

        tag = self._tag()

        def make() -> Any:
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

        return self._fetched(make, tag, hint)

    def tokenizer(self, *, hint: str) -> Any:
        """What turns prompts into token ids (N, L) for the model. Raises AcbenchError as `load` does."""
        import_torch()
        import open_clip

        return self._fetched(lambda: open_clip.get_tokenizer(self._listed), self._tag(), hint)

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

    def _fetched(self, make: Callable[[], T], tag: Mapping[str, Any], hint: str) -> T:
        """What is made of local files and the hub's cache, or else with the hub."""
        why = f"open_clip cannot make {self.shown}: "
        try:
            with _silent(), _cache_only():
                return make()
        except Exception as error:
            if self.files():
                raise AcbenchError(f"{why}{_first_line(error)}", hint) from None
        repository = self.model.removeprefix(HUB) if self.model.startswith(HUB) else tag["hf_hub"].rpartition("/")[0]
        try:
            from huggingface_hub import HfApi

            # The hub's client retries for minutes before it gives up: it is only asked if it answers at all.
            HfApi().model_info(repository, timeout=PATIENCE)
            with _silent():
                return make()
        except Exception as error:
            told = f"{repository} cannot be had from the local cache or from the hub: {_first_line(error)}"
            raise AcbenchError(f"{why}{told}", hint) from None


def normalisation(net: Any) -> tuple[Any, Any]:
    """Mean and standard deviation (1, 3, 1, 1) that an image in 0…1 is normalised with."""
    torch = import_torch()
    mean, std = (
        torch.tensor(value, device=device()).view(1, 3, 1, 1) for value in (net.visual.image_mean, net.visual.image_std)
    )
    return mean, std


def edges(net: Any) -> tuple[int, int]:
    """Height and width of the images that it takes, pixels."""
    size = net.visual.image_size
    return tuple(size) if isinstance(size, tuple | list) else (size, size)


def _first_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0][:300] if lines else type(error).__name__


@contextmanager
def _cache_only() -> Iterator[None]:
    """The hub's clients look into their cache alone; they read this switch at every request."""
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
