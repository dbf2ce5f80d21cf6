"""Writes a file unless it is there already, as a run wrote it from the same inputs."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from acbench.storage.atomic import write_bytes
from acbench.storage.ledger import Ledger
from acbench.storage.project import Project
from acbench.storage.typed_json import to_json


@dataclass(kw_only=True)
class Build:
    """Writes the files of one run, each unless it is fresh."""

    project: Project
    ledger: Ledger
    run_id: int
    written: list[str] = field(default_factory=list)
    """The files that this run wrote, in order: paths relative to the project."""

    def ensure(
        self, path: Path, key: str, write: Callable[[Path], None], *, unfinished: Callable[[], bool] = lambda: False
    ) -> None:
        """Write a file unless a run has written it from inputs that hash to `key`.

        `unfinished` is asked after `write`: whether the file is incomplete, so that the next run writes it again.
        """
        name = self.project.relative(path)
        if self.ledger.artifacts.is_fresh(path, name, key):
            return
        started = time.monotonic()
        write(path)
        recorded_key = f"{key} in part" if unfinished() else key
        self.ledger.artifacts.record(path, name, recorded_key, self.run_id, time.monotonic() - started)
        self.written.append(name)

    def is_fresh(self, path: Path, key: str) -> bool:
        """Whether a run has written the file from inputs that hash to `key`, and nobody has changed it."""
        return self.ledger.artifacts.is_fresh(path, self.project.relative(path), key)

    def is_untouched(self, path: Path) -> bool:
        """Whether the file is as a run wrote it last, whatever its inputs were."""
        return self.ledger.artifacts.is_untouched(path, self.project.relative(path))


def records_key(rows: Sequence[object]) -> str:
    """A hash of records, 16 hex digits."""
    hasher = hashlib.blake2b(digest_size=8)
    for row in rows:
        hasher.update(json.dumps(to_json(row), ensure_ascii=False).encode())
    return hasher.hexdigest()


def write_json(path: Path, content: Mapping[str, object]) -> None:
    """Write JSON that people can read, atomically."""
    write_bytes(path, (json.dumps(content, indent=2, ensure_ascii=False) + "\n").encode())
