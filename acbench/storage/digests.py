"""Hashes of values and of files, and the stamp that changes whenever a file is written."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable
from pathlib import Path

_ENCODER = json.JSONEncoder(sort_keys=True, ensure_ascii=False, default=str)


def digest(*parts: object, length: int = 16) -> str:
    """A hash of JSON-able values, `length` hex digits: the key under which a result may be reused."""
    text = _ENCODER.encode(parts)
    return hashlib.blake2b(text.encode(), digest_size=length // 2).hexdigest()


def digest_of_all(values: Iterable[object]) -> str:
    """`digest` of a list of these values, of which one at a time is in memory."""
    hasher = hashlib.blake2b(b"[[", digest_size=8)
    for number, value in enumerate(values):
        text = _ENCODER.encode(value)
        hasher.update((f", {text}" if number else text).encode())
    hasher.update(b"]]")
    return hasher.hexdigest()


def sha256_file(path: Path) -> str:
    """The SHA-256 of a file's bytes, 64 hex digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def stamp(status: os.stat_result) -> str:
    """What changes whenever a file is written: its size, modification and change time (ns), and inode."""
    return f"{status.st_size}:{status.st_mtime_ns}:{status.st_ctime_ns}:{status.st_ino}"
