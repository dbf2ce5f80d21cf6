"""Tells faults of this machine, such as a full disk, from faults of the data that was at work."""

from __future__ import annotations

import errno

_ERRNOS = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EMFILE, errno.ENFILE,
                     errno.ENOMEM, errno.EFBIG})  # fmt: skip
_NO_ROOM = "Not enough disk space"
"""How `datasets` begins an error that has no number."""


def fault_of_machine(error: BaseException | None) -> str:
    """Say what the machine lacks, if an error or what caused it is about that; else empty."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        if isinstance(error, MemoryError):
            return "there is not enough memory"
        if isinstance(error, OSError) and (error.errno in _ERRNOS or str(error).startswith(_NO_ROOM)):
            return error.strerror or str(error)
        error = error.__cause__ or error.__context__
    return ""


def size(number: float) -> str:
    """Write a number of bytes for people: `35 MB`."""
    for unit in ("bytes", "kB", "MB"):
        if number < 1000:
            return f"{number:.0f} {unit}"
        number /= 1000
    return f"{number:.1f} GB"
