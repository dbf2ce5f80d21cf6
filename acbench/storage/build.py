"""The rule of make: a file is written unless it stands as a run wrote it from the same inputs."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from acbench.storage.atomic import write_bytes
from acbench.storage.ledger import Ledger
from acbench.storage.project import Project
from acbench.storage.typed_json import to_json


@dataclass(kw_only=True)
class Build:
    """Writes the files of one run, each unless it is there."""

    project: Project
    ledger: Ledger
    run_id: int
    written: list[str] = field(default_factory=list)
    """What this run wrote, in order: paths relative to the project."""

    def ensure(
        self, path: Path, key: str, write: Callable[[Path], None], *, unfinished: Callable[[], bool] = lambda: False
    ) -> None:
        """Write a file unless it is there from inputs that hash to `key`.

        `unfinished`, asked afterwards: whether it was written in part only, to be written again next time.
        """
        name = self.project.relative(path)
        if self.ledger.artifacts.is_fresh(path, name, key):
            return
        started = time.monotonic()
        write(path)
        kept = f"{key} in part" if unfinished() else key
        self.ledger.artifacts.record(path, name, kept, self.run_id, time.monotonic() - started)
        self.written.append(name)

    def is_fresh(self, path: Path, key: str) -> bool:
        """Whether `ensure` would leave the file as it is."""
        return self.ledger.artifacts.is_fresh(path, self.project.relative(path), key)

    def is_untouched(self, path: Path) -> bool:
        """Whether a file holds what a run wrote last, whatever its inputs were."""
        return self.ledger.artifacts.is_untouched(path, self.project.relative(path))


def records_key(rows: Sequence[object]) -> str:
    """A hash of records, 16 hex."""
    sink = hashlib.blake2b(digest_size=8)
    for row in rows:
        sink.update(json.dumps(to_json(row), ensure_ascii=False).encode())
    return sink.hexdigest()


def write_json(path: Path, content: dict[str, Any]) -> None:
    """A file of JSON that people may read."""
    write_bytes(path, (json.dumps(content, indent=2, ensure_ascii=False) + "\n").encode())
