"""The part of the work that one of several machines does, where a shared file system is all that they have."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

from acbench.errors import AcbenchError

MOST = 100_000
"""Shards."""


@dataclass(frozen=True, slots=True)
class Shard:
    """Number `number` of `of`, counted from 1."""

    number: int
    of: int

    @classmethod
    def parse(cls, text: str) -> Shard:
        """From `3/8`. Raises AcbenchError."""
        found = re.fullmatch(r"(\d{1,6})/(\d{1,6})", text.strip())
        if not found or not 1 <= int(found[1]) <= int(found[2]) <= MOST:
            raise AcbenchError(f"{text!r} is no shard", "the third of eight is 3/8, and the first 1/8")
        return cls(int(found[1]), int(found[2]))

    def __str__(self) -> str:
        return f"{self.number}/{self.of}"

    @property
    def folder(self) -> str:
        """`3-of-8`."""
        return f"{self.number}-of-{self.of}"

    def takes(self, key: str) -> bool:
        """Whether something is this shard's. Equal keys go to one shard: what is equal is computed and paid once."""
        share = int.from_bytes(hashlib.blake2b(key.encode(errors="surrogateescape"), digest_size=8).digest())
        return share % self.of == self.number - 1
