"""Turns images and texts into unit vectors of one space with the CLIP models of open_clip."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from acbench.errors import AcbenchError
from acbench.integrations.torch.open_clip_weights import LoadedOpenClip, OpenClipSource, Tokenizer
from acbench.integrations.torch.runtime import device, import_torch, padded
from acbench.storage.digests import digest

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    Pixels = NDArray[np.uint8]
    Vectors = NDArray[np.float32]

Precision = Literal["fp32", "bf16"]

BATCH, CPU_BATCH = 32, 8
"""Rows of every forward pass. On 2 cores, 8 at a time were 1.6 times as fast as one by one, and 16 were no faster."""
_VERSION = 1
"""Raise it when the same weights give other vectors."""
_WAYS_OUT = (
    "give a local file, --clip-weights FILE, or a folder, --clip-model local-dir:FOLDER;"
    " or fetch them once on a machine with network, and set HF_HOME to the cache that holds them"
)
_OTHER_FILE = "give weights of that model, as .safetensors or as a state dict of torch"


@dataclass(frozen=True, slots=True)
class _Loaded:
    model: LoadedOpenClip
    tokenizer: Tokenizer
    device: str


@dataclass(slots=True)
class OpenClipModel:
    """A CLIP model, loaded when first used."""

    source: OpenClipSource
    precision: Precision
    note: Callable[[str], None]
    """Shows a person, once, what runs where."""
    _name: str = ""
    _loaded: _Loaded | None = None

    @property
    def name(self) -> str:
        """Model, weights, precision, `@`, and 8 hex of the weights; reads local files and loads nothing."""
        if not self._name:
            mark = digest(_VERSION, self.source.content, length=8)
            self._name = f"{self.source.shown}:{self.precision}@{mark}"
        return self._name

    @property
    def size(self) -> int:
        """Edge of the square input, pixels. Loads the model."""
        return self._ready().model.input_size[0]

    @property
    def on_cpu(self) -> bool:
        """Whether it computes on the CPU. Loads the model."""
        return self._ready().device == "cpu"

    @property
    def scale(self) -> float:
        """The factor that turns a cosine into a logit. Loads the model."""
        return float(self._ready().model.net.logit_scale.detach().exp())

    def ready(self) -> None:
        """Load the model. Raises AcbenchError if it cannot be had, within seconds even without a network."""
        self._ready()

    def images(self, crops: Sequence[Pixels]) -> Vectors:
        """Unit vectors (N, D) of crops (S, S, 3), N ≥ 1. A crop's vector does not depend on the other crops."""
        model = self._ready().model

        def encode(pixels: Tensor) -> Tensor:
            images = pixels.permute(0, 3, 1, 2).float().div_(255)
            return model.net.encode_image(images.sub_(model.mean).div_(model.deviation), normalize=True)

        return self._encode(encode, crops)

    def texts(self, prompts: Sequence[str]) -> Vectors:
        """Unit vectors (N, D) of prompts, N ≥ 1. A vector does not depend on the other prompts. Long ones are cut."""
        loaded = self._ready()
        tokens: NDArray[np.int64] = loaded.tokenizer(list(prompts)).numpy()
        return self._encode(lambda rows: loaded.model.net.encode_text(rows, normalize=True), tokens)

    def _encode(self, encode: Callable[[Tensor], Tensor], rows: Sequence[NDArray[Any]] | NDArray[Any]) -> Vectors:
        """Vectors of rows, in batches that always have the same shape."""
        import numpy as np  # slow to import, and a run with nothing to compute only needs the name

        import_torch()
        import torch

        where = self._ready().device
        batch = CPU_BATCH if self.on_cpu else BATCH
        vectors: list[Vectors] = []
        # Images come as fp32, and towers of other libraries mix types once weights are bf16: autocast matches them.
        with torch.inference_mode(), torch.autocast(where, torch.bfloat16, enabled=self.precision == "bf16"):
            for start in range(0, len(rows), batch):
                part = rows[start : start + batch]
                vectors.append(encode(padded(part, batch).to(where)).float().cpu().numpy()[: len(part)])
        together: Vectors = np.concatenate(vectors)
        if not np.isfinite(together).all():
            raise AcbenchError(f"{self.name} gives vectors that are not finite", "use weights that are not damaged")
        return together

    def _ready(self) -> _Loaded:
        if self._loaded is None:
            hint = _OTHER_FILE if self.source.files() else _WAYS_OUT
            model = self.source.load(precision=self.precision, hint=hint)
            height, width = model.input_size
            if height != width:
                raise AcbenchError(f"{self.name} takes images of {width}×{height} pixels", "choose one for squares")
            self._loaded = _Loaded(model, self.source.tokenizer(hint=hint), device())
            self.note(f"clip: {self.source.shown} on {self._loaded.device}, {self.precision}")
        return self._loaded


def open_clip_model(
    model: str,
    weights: str = "",
    *,
    note: Callable[[str], None],
    precision: Literal["auto", "fp32", "bf16"] = "auto",
) -> OpenClipModel:
    """A CLIP by the name that open_clip has for it; nothing is read or loaded yet.

    - `ViT-L-14` and the like, with a tag such as `openai` or a weights file;
    - `hf-hub:ORG/NAME`, or `local-dir:FOLDER` in the layout of the hub, which bring their own weights.
    """
    return OpenClipModel(OpenClipSource(model, weights), _fast_here() if precision == "auto" else precision, note)


def _fast_here() -> Precision:
    """`bf16` where it is the faster one: on NVIDIA's GPUs, and on CPUs that multiply it.

    The system is asked, not torch, which takes seconds to import: the precision is part of the model's name, and a run
    with nothing to do needs the name too.
    """
    if Path("/proc/driver/nvidia/version").exists() and not metadata.version("torch").endswith("+cpu"):
        return "bf16"
    facts = Path("/proc/cpuinfo")
    flags = facts.read_text(encoding="utf-8") if facts.is_file() else ""
    return "bf16" if re.search(r"^flags.* (avx512_bf16|amx_bf16)\b", flags, re.MULTILINE) else "fp32"
