"""Importing torch and its family so that it works with whatever build of torchvision lies beside it."""

from __future__ import annotations

import importlib
import sys
from typing import Any

_kept: list[Any] = []  # an operator library unregisters itself when it is collected


def import_torch() -> Any:
    """`torch`, with an importable `torchvision` beside it.

    A torchvision that was built for another torch (a CUDA build beside a CPU one) fails to import because two of
    its compiled operators are missing, and takes timm, open_clip and transformers' vision classes with it. None of
    what acbench does uses those operators, so their signatures are declared and the import is tried again.
    """
    torch: Any = importlib.import_module("torch")
    try:
        import torchvision
    except RuntimeError as error:
        if "torchvision::nms" not in str(error):
            raise
        for name in [name for name in sys.modules if name.split(".")[0] == "torchvision"]:
            del sys.modules[name]
        library = torch.library.Library("torchvision", "FRAGMENT")
        for operator in ("nms", "qnms"):
            library.define(f"{operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        _kept.append(library)
        import torchvision  # noqa: F401
    return torch


def threads() -> int:
    """Threads that a forward pass on the CPU takes."""
    return int(import_torch().get_num_threads())


def use_threads(count: int) -> None:
    """Have forward passes take so many: the last bits of what they give depend on it."""
    import_torch().set_num_threads(count)


def device() -> str:
    """`cuda`, `mps` or `cpu`: the fastest that is there."""
    torch = import_torch()
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"
