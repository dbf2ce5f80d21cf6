"""Counts the processor cores that this process was given, which may be fewer than the machine has."""

from __future__ import annotations

import functools
import math
import os
from collections.abc import Iterator
from pathlib import Path

_MOUNT = Path("/sys/fs/cgroup")
_SELF = Path("/proc/self/cgroup")


@functools.cache
def cores() -> int:
    """Count the cores that this process may use at once: those of its affinity (`taskset`, Slurm), and no more than
    the share of time that its control groups have (`docker --cpus`, Kubernetes)."""
    return max(1, min([_affinity(), *_shares(_SELF, _MOUNT)]))


def hold_libraries() -> None:
    """Have BLAS, OpenMP and Arrow start no more threads than `cores`, unless the environment says how many.

    They know the affinity of this process and not the limit of its control group. To be called before they are loaded.
    """
    if cores() < _affinity():
        os.environ.setdefault("OMP_NUM_THREADS", str(cores()))


def _affinity() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _shares(groups: Path, mount: Path) -> Iterator[int]:
    """The cores that the time of each control group is worth, rounded up.

    https://docs.kernel.org/admin-guide/cgroup-v2.html and, of the first version, scheduler/sched-bwc.html
    """
    try:
        lines = groups.read_text().splitlines()
    except OSError:
        return
    for line in lines:
        _, kinds, path = line.split(":", 2)
        second, controllers = not kinds, kinds.split(",")
        if not second and "cpu" not in controllers:
            continue
        root = mount if second else next((mount / name for name in (kinds, "cpu") if (mount / name).is_dir()), mount)
        for folder in (root / path.strip("/"), *(root / path.strip("/")).parents):
            if not folder.is_relative_to(root):
                break
            if (share := _share(folder)) is not None:
                yield share


def _share(folder: Path) -> int | None:
    """The cores of one control group; None if it has no limit."""
    try:
        if (folder / "cpu.max").exists():
            quota, period = (folder / "cpu.max").read_text().split()
        else:
            quota, period = ((folder / f"cpu.cfs_{name}_us").read_text().strip() for name in ("quota", "period"))
        return math.ceil(int(quota) / int(period)) if int(quota) > 0 and int(period) > 0 else None
    except (OSError, ValueError):  # `max`, or a control group of another kind
        return None
