"""Imports torch and its family whatever build of torchvision is installed, and says what a forward pass runs on."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Sequence
from types import ModuleType
from typing import TYPE_CHECKING, Any

from acbench._util.cores import cores

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray

PATIENCE = 5.0
"""Seconds to wait for the hub to answer at all."""

_kept: list[torch.library.Library] = []  # an operator library unregisters itself when it is collected


def import_torch() -> ModuleType:
    """Import `torch`, and see that `torchvision` can be imported too. To be called before any library that uses it.

    A torchvision that was built for another torch (a CUDA build beside a CPU one) fails to import because two of its
    compiled operators are missing, and takes timm, open_clip and transformers' vision classes with it. acbench uses
    none of these operators, so their signatures are declared and the import is tried again.

    On a CPU torch's threads wait for each other after every layer. By default they spin while they wait, which on a
    machine that does other work too made a forward pass eight times slower; now they sleep, unless the environment
    says otherwise. It knows the affinity of this process and not the limit of its control group, which is set here.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # read once, when torch is loaded
    first = "torch" not in sys.modules
    torch = importlib.import_module("torch")
    if first and "OMP_NUM_THREADS" not in os.environ and torch.get_num_threads() > cores():
        torch.set_num_threads(cores())
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
    """The number of threads of a forward pass on the CPU."""
    import_torch()
    import torch

    return torch.get_num_threads()


def use_threads(count: int) -> None:
    """Set the number of threads of a forward pass; the last bits of its results depend on it."""
    import_torch()
    import torch

    torch.set_num_threads(count)


def device() -> str:
    """The fastest device of this machine: `cuda`, `mps` or `cpu`."""
    import_torch()
    import torch

    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def padded(arrays: Sequence[NDArray[Any]] | NDArray[Any], rows: int) -> torch.Tensor:
    """A tensor of exactly `rows` rows; missing ones are zeros.

    A batch that always has the same shape makes the result of a row independent of the others.
    """
    import numpy as np
    import torch

    block = np.zeros((rows, *arrays[0].shape), arrays[0].dtype)
    block[: len(arrays)] = np.stack(list(arrays))
    return torch.from_numpy(block)


def normalisation(mean: Sequence[float], deviation: Sequence[float]) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean and standard deviation of the channels, as (1, 3, 1, 1) on the fastest device."""
    import torch

    first, second = (torch.tensor(values, device=device()).view(1, 3, 1, 1) for values in (mean, deviation))
    return first, second


def model_on_hub(repository: str) -> str:
    """The commit of a model on the Hugging Face Hub. Raises whatever huggingface_hub raises.

    It fails within `PATIENCE` seconds if the hub does not answer. Ask it before a download, which would retry for
    minutes.
    """
    from huggingface_hub import HfApi

    return str(HfApi().model_info(repository, timeout=PATIENCE).sha)


def first_line(error: BaseException) -> str:
    """The first line of an error's message."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0][:300] if lines else type(error).__name__
