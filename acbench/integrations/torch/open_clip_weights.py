"""Loads models of open_clip by their names there, with weights from a file, a folder or the hub."""

from __future__ import annotations

import logging
import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from difflib import get_close_matches
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeVar, cast

from acbench.errors import AcbenchError
from acbench.integrations.torch.runtime import device, first_line, import_torch, model_on_hub, normalisation
from acbench.predictors.clip_names import FOLDER, HUB
from acbench.storage.digests import sha256_file
from acbench.storage.typed_json import any_json

if TYPE_CHECKING:
    from torch import Tensor

T = TypeVar("T")

_CONFIG = "open_clip_config.json"
_TOKENIZER = ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "vocab.txt", "spiece.model")
"""Files of a tokenizer of transformers; the first two or three are enough for most."""
SIMILAR = 3
"""How many names an error offers in place of one that is unknown."""
_WEIGHTS = (".safetensors", ".bin", ".pth", ".pt", ".npz", ".npy")


class OpenClipModule(Protocol):
    """The part of a model of open_clip that acbench uses."""

    logit_scale: Tensor
    """Logarithm of what a cosine is multiplied with."""

    def encode_image(self, image: Tensor, normalize: bool = False) -> Tensor:
        """Vectors (N, D) of normalised images (N, 3, S, S)."""

    def encode_text(self, text: Tensor, normalize: bool = False) -> Tensor:
        """Vectors (N, D) of token ids (N, L)."""


class _Normalisation(NamedTuple):
    """What the channels of images in 0…1 are normalised with."""

    mean: tuple[float, ...]
    deviation: tuple[float, ...]


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
        hashes = [sha256_file(path) for path in (*self.files(), *self._tokenizer_files())]
        if hashes and not self.model.startswith(FOLDER):
            hashes.insert(0, "normalised as its model")  # such a file once had the normalisation of OpenAI's models
        return " ".join(hashes) or metadata.version("open-clip-torch")

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

        self._check_model(hint)
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
        stated = self._normalisation()
        channels = (stated.mean, stated.deviation) if stated else (net.visual.image_mean, net.visual.image_std)
        mean, deviation = normalisation(*channels)
        return LoadedOpenClip(net=net, input_size=_edges(net.visual.image_size), mean=mean, deviation=deviation)

    def tokenizer(self, *, hint: str) -> Tokenizer:
        """The model's tokenizer. Raises AcbenchError as `load` does.

        Where open_clip takes it from elsewhere, as that of SigLIP, it is the one that lies beside local weights, or
        else that of the hub.
        """
        import_torch()
        import open_clip

        self._check_model(hint)
        text = self._text_config() if self.files() else {}
        if not (name := str(text.get("hf_tokenizer_name") or "")):
            return self._fetch(lambda: cast(Tokenizer, open_clip.get_tokenizer(self._listed)), self._tag(), hint)

        def create(source: str) -> Tokenizer:
            made = open_clip.tokenizer.HFTokenizer(
                source,
                context_length=text.get("context_length", open_clip.tokenizer.DEFAULT_CONTEXT_LENGTH),
                tokenizer_mode=text.get("tokenizer_mode"),
                **text.get("tokenizer_kwargs", {}),
            )
            return cast(Tokenizer, made)

        if beside := self._tokenizer_files():
            folder = beside[0].parent
            try:
                with _silent(), _cache_only():
                    return create(str(folder))
            except Exception as error:
                why = f"the tokenizer in {folder} cannot be used: {first_line(error)}"
                raise AcbenchError(why, f"put that of {name} there, or take it away to have it from the hub") from None
        return self._of_hub(create, name)

    def _of_hub(self, create: Callable[[str], T], name: str) -> T:
        """A tokenizer from the hub's cache or the hub. Raises AcbenchError that names it."""
        with suppress(Exception), _silent(), _cache_only():
            return create(name)
        try:
            model_on_hub(name)
            with _silent():
                return create(name)
        except Exception as error:
            raise AcbenchError(
                f"open_clip cannot make {self.shown}: its tokenizer, {name}, cannot be had from the local cache or from"
                f" the hub: {first_line(error)}",
                f"put {' and '.join(_TOKENIZER[:2])} of {name} beside the weights; or fetch it once on a machine with"
                f" network, hf download {name}, and set HF_HOME to the cache that holds it",
            ) from None

    def _tokenizer_files(self) -> list[Path]:
        """The files of a tokenizer beside local weights; none if there is none."""
        files = self.files()
        beside = [files[0].parent / name for name in _TOKENIZER] if files else []
        found = [path for path in beside if path.is_file()]
        return found if any(path.name in _TOKENIZER[:2] for path in found) else []

    def _text_config(self) -> dict[str, Any]:
        """What the configuration of a model with local weights says of its text tower."""
        import open_clip

        if self.model.startswith(FOLDER):
            try:
                config = any_json((Path(self.model.removeprefix(FOLDER)) / _CONFIG).read_bytes())["model_cfg"]
                return dict(config["text_cfg"])
            except (OSError, ValueError, KeyError, TypeError):
                return {}  # open_clip says what is wrong with it
        return dict((open_clip.get_model_config(self._listed) or {}).get("text_cfg", {}))

    def _normalisation(self) -> _Normalisation | None:
        """How the images of a weights file are normalised: as most published weights of its model are.

        None for what brings its own: a tag, a folder, a model of the hub; and for a model without published weights. Of
        144 models of open_clip 3, one has weights that differ in it: one of twelve of `ViT-L-14`.
        """
        from open_clip.pretrained import get_pretrained_cfg, list_pretrained_tags_by_model

        if self.model.startswith((FOLDER, HUB)) or not self.files():
            return None
        tags = [get_pretrained_cfg(self._listed, tag) for tag in list_pretrained_tags_by_model(self._listed)]
        known = Counter(_Normalisation(tuple(tag["mean"]), tuple(tag["std"])) for tag in tags if tag.get("mean"))
        return known.most_common(1)[0][0] if known else None

    def _check_model(self, hint: str) -> None:
        """Raise AcbenchError with `hint`, and with names that are alike, for a model that open_clip does not list."""
        import open_clip

        listed = open_clip.list_models()
        if self.model.startswith((FOLDER, HUB)) or self._listed in listed:
            return
        by_fold = {name.lower(): name for name in listed}
        alike = [by_fold[name] for name in get_close_matches(self._listed.lower(), by_fold, n=SIMILAR)]
        meant = f"; did you mean {' or '.join(alike)}?" if alike else ""
        raise AcbenchError(f"open_clip cannot make {self.model}: it knows no model of that name{meant}", hint)

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
        tags = list_pretrained_tags_by_model(self._listed)
        alike = get_close_matches(self.weights, tags, n=SIMILAR)
        raise AcbenchError(
            f"open_clip knows no {what}" + (f"; did you mean {' or '.join(alike)}?" if alike else ""),
            f"give a weights file, or a tag that it knows: {', '.join(tags) or 'none'}",
        )

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
