"""The part of a benchmark's work that one of several machines does; they need nothing but a shared file system."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

from acbench.errors import AcbenchError

MAX_SHARDS = 100_000


@dataclass(frozen=True, slots=True)
class Shard:
    """Shard number `number` of `of` shards, counted from 1."""

    number: int
    of: int

    @classmethod
    def parse(cls, text: str) -> Shard:
        """The shard that a text such as `3/8` names. Raises AcbenchError."""
        match = re.fullmatch(r"(\d{1,6})/(\d{1,6})", text.strip())
        if not match or not 1 <= int(match[1]) <= int(match[2]) <= MAX_SHARDS:
            raise AcbenchError(f"{text!r} is no shard", "the third of eight is 3/8, and the first 1/8")
        return cls(int(match[1]), int(match[2]))

    def __str__(self) -> str:
        return f"{self.number}/{self.of}"

    @property
    def folder(self) -> str:
        """The name of its folder, such as `3-of-8`."""
        return f"{self.number}-of-{self.of}"

    def takes(self, key: str) -> bool:
        """Whether this shard does the work with that key. Equal keys go to one shard, so that work is paid for once."""
        number = int.from_bytes(hashlib.blake2b(key.encode(errors="surrogateescape"), digest_size=8).digest())
        return number % self.of == self.number - 1
