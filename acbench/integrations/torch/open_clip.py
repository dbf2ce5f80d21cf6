"""CLIP models of open_clip: images and texts as unit vectors of one space."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from acbench.errors import AcbenchError
from acbench.integrations.torch.open_clip_weights import Checkpoint, edges, normalisation
from acbench.integrations.torch.runtime import device, import_torch
from acbench.storage.digests import digest

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Pixels = NDArray[np.uint8]
    Vectors = NDArray[np.float32]

Precision = Literal["fp32", "bf16"]

BATCH, CPU_BATCH = 32, 8
"""Rows of every forward pass. On 2 cores, 8 at a time were measured 1.6 times as fast as one by one, 16 no faster."""
_VERSION = 1
"""Raise it when the same weights are to give other vectors."""
_WAYS_OUT = (
    "give a local file, --clip-weights FILE, or a folder, --clip-model local-dir:FOLDER;"
    " or fetch them once on a machine with network, and set HF_HOME to the cache that holds them"
)
_OTHER_FILE = "give weights of that model, as .safetensors or as a state dict of torch"


@dataclass(frozen=True, slots=True)
class _Loaded:
    net: Any
    tokenizer: Any
    device: str
    size: int
    mean: Any
    std: Any


@dataclass(slots=True)
class OpenClipModel:
    """A CLIP model, loaded when first used."""

    checkpoint: Checkpoint
    precision: Precision
    tell: Callable[[str], None]
    """Told once, when the model is loaded, what runs where."""
    _name: str = ""
    _loaded: _Loaded | None = None

    @property
    def name(self) -> str:
        """Model, weights, precision, `@`, and 8 hex of the weights; reads local files and loads nothing."""
        if not self._name:
            seen = digest(_VERSION, self.checkpoint.content, length=8)
            self._name = f"{self.checkpoint.shown}:{self.precision}@{seen}"
        return self._name

    @property
    def size(self) -> int:
        """Edge of the square input, pixels. Loads the model."""
        return self._ready().size

    @property
    def on_cpu(self) -> bool:
        """Whether it computes on the CPU. Loads the model."""
        return self._ready().device == "cpu"

    @property
    def scale(self) -> float:
        """What the model multiplies a cosine with to get a logit. Loads the model."""
        return float(self._ready().net.logit_scale.detach().exp())

    def ready(self) -> None:
        """Load the model. Raises AcbenchError if it cannot be had, within seconds even without a network."""
        self._ready()

    def images(self, crops: Sequence[Pixels]) -> Vectors:
        """Unit vectors (N, D) of crops (S, S, 3), N ≥ 1.

        A crop's vector does not depend on what else is in the call: batches always have the same shape.
        """
        loaded = self._ready()

        def run(pixels: Any) -> Any:
            shares = pixels.permute(0, 3, 1, 2).float().div_(255)
            return loaded.net.encode_image(shares.sub_(loaded.mean).div_(loaded.std), normalize=True)

        return self._run(run, crops)

    def texts(self, prompts: Sequence[str]) -> Vectors:
        """Unit vectors (N, D) of prompts, N ≥ 1, each on its own as in `images`. What is too long is cut off."""
        loaded = self._ready()
        tokens = loaded.tokenizer(list(prompts)).numpy()
        return self._run(lambda rows: loaded.net.encode_text(rows, normalize=True), tokens)

    def _run(self, run: Callable[[Any], Any], rows: Sequence[NDArray[Any]] | NDArray[Any]) -> Vectors:
        import numpy as np  # slow to import, and a run with nothing to compute only asks for the name

        torch = import_torch()
        where = self._ready().device
        batch = CPU_BATCH if self.on_cpu else BATCH
        found: list[Vectors] = []
        # Images come as fp32, and towers of other libraries mix types once weights are bf16: autocast matches them.
        with torch.inference_mode(), torch.autocast(where, torch.bfloat16, enabled=self.precision == "bf16"):
            for start in range(0, len(rows), batch):
                part = rows[start : start + batch]
                block = np.zeros((batch, *part[0].shape), part[0].dtype)
                block[: len(part)] = part
                found.append(run(torch.from_numpy(block).to(where)).float().cpu().numpy()[: len(part)])
        together: Vectors = np.concatenate(found)
        if not np.isfinite(together).all():
            raise AcbenchError(f"{self.name} gives vectors that are not finite", "use weights that are not damaged")
        return together

    def _ready(self) -> _Loaded:
        if self._loaded is None:
            hint = _OTHER_FILE if self.checkpoint.files() else _WAYS_OUT
            net = self.checkpoint.load(precision=self.precision, hint=hint)
            height, width = edges(net)
            if height != width:
                raise AcbenchError(f"{self.name} takes images of {width}×{height} pixels", "choose one for squares")
            tokenizer = self.checkpoint.tokenizer(hint=hint)
            where = device()
            self._loaded = _Loaded(net, tokenizer, where, height, *normalisation(net))
            self.tell(f"clip: {self.checkpoint.shown} on {where}, {self.precision}")
        return self._loaded


def open_clip_model(
    model: str,
    weights: str = "",
    *,
    tell: Callable[[str], None],
    precision: Literal["auto", "fp32", "bf16"] = "auto",
) -> OpenClipModel:
    """A CLIP by open_clip's name for it; nothing is read or loaded yet.

    - `ViT-L-14` and the like, with a tag such as `openai` or a weights file;
    - `hf-hub:ORG/NAME`, or `local-dir:FOLDER` in the layout of the hub, which bring their own weights.
    """
    return OpenClipModel(Checkpoint(model, weights), _fast_here() if precision == "auto" else precision, tell)


def _fast_here() -> Precision:
    """`bf16` where it is the faster one: on NVIDIA's GPUs, and on CPUs that multiply it.

    Asked of the system, not of torch: the precision is part of the name, which a run with nothing to do needs too, and
    importing torch takes seconds.
    """
    if Path("/proc/driver/nvidia/version").exists() and not metadata.version("torch").endswith("+cpu"):
        return "bf16"
    facts = Path("/proc/cpuinfo")
    flags = facts.read_text(encoding="utf-8") if facts.is_file() else ""
    return "bf16" if re.search(r"^flags.* (avx512_bf16|amx_bf16)\b", flags, re.MULTILINE) else "fp32"
