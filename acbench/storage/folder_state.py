"""Tells whether what lies in folders is what lay there before, without opening a file."""

from __future__ import annotations

# ruff: noqa: PTH115, PTH116, PTH208  (a Path object for each of a million files takes longer than the rest)
import hashlib
import os
import stat
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

_COARSE, _FINE = 2_000_000_000, 50_000_000
"""Nanoseconds that a file's times may be apart from those of its writing: on file systems that count whole seconds, and
on others, which take the time from the system's last tick."""


@dataclass(frozen=True, slots=True)
class FolderState:
    """What lies in some folders, by names, sizes and times."""

    digest: str
    """16 hex digits: the same as long as no file was added, removed, renamed or written. Folders count by name."""
    settled: bool
    """Whether every later write shows in the digest. It may not where a file was written just before: its times could
    be the same again."""


def settled_states(places: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """The digest of the state of some folders of each place, so that every later write shows.

    A place is left out where that would take longer than a moment.
    """
    states = {name: folder_state(folders) for name, folders in places.items()}
    if not all(state.settled for state in states.values()):
        time.sleep(_FINE / 1e9)
        states = {name: state if state.settled else folder_state(places[name]) for name, state in states.items()}
    return {name: state.digest for name, state in states.items() if state.settled}


def folder_state(folders: Iterable[str]) -> FolderState:
    """Look at the entries of some folders, and where they lie once links are resolved.

    A folder that cannot be listed is in a state of its own.
    """
    now = time.time_ns()
    hasher = hashlib.blake2b(digest_size=8)
    settled = True
    for folder in sorted(folders):
        hasher.update(f"\0\0{folder}\0{os.path.realpath(folder)}".encode("utf-8", "surrogateescape"))
        try:
            names = sorted(os.listdir(folder))
        except OSError as error:
            hasher.update(f"\0{error.errno}".encode())
            continue
        for name in names:
            said, newest = _entry(f"{folder}/{name}")
            hasher.update(f"\0{name}\0{said}".encode("utf-8", "surrogateescape"))
            settled = settled and now - newest > (_FINE if newest % 1_000_000_000 else _COARSE)
    return FolderState(hasher.hexdigest(), settled)


def _entry(path: str) -> tuple[str, int]:
    """What an entry is, as text, and when it last changed, in nanoseconds; 0 of a folder. Links are followed."""
    try:
        status = os.lstat(path)
        target = os.readlink(path) if stat.S_ISLNK(status.st_mode) else ""
        if target:
            status = os.stat(path)
    except OSError as error:
        return f"error {error.errno}", 0
    if stat.S_ISDIR(status.st_mode):
        return f"folder {target}", 0
    times = f"{status.st_mtime_ns}:{status.st_ctime_ns}:{status.st_ino}"
    return f"{status.st_mode}:{status.st_size}:{times} {target}", max(status.st_mtime_ns, status.st_ctime_ns)
