"""A fake hub with one repository in memory."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from acbench.errors import ReleaseError
from acbench.release import manifest as manifests
from acbench.release.hub import Conflict, Head, HubError
from acbench.testing.failures import Calls, FailurePlan, never


@dataclass(frozen=True)
class FakeCommit:
    """All files of the repository at one commit: path → content."""

    oid: str
    title: str
    files: dict[str, bytes]


@dataclass(frozen=True)
class MemoryRelease:
    """A release at one commit: a `ReleaseReader` in memory."""

    name: str
    files: dict[str, bytes]

    def read(self, path: str, limit: int) -> bytes:
        data = self.files.get(path)
        if data is None or len(data) > limit:
            raise ReleaseError(f"{self.name}: {path}: there is no such file of at most {limit} bytes")
        return data

    def open(self, path: str) -> BinaryIO:
        return io.BytesIO(self.read(path, 1 << 40))

    def sha256(self, path: str) -> str:
        return hashlib.sha256(self.read(path, 1 << 40)).hexdigest()


class FakeHub:
    """A `Hub` in memory. `plan` decides which calls fail, and whether their work is done all the same."""

    def __init__(self, repo: str = "my-org/toy", plan: FailurePlan = never) -> None:
        self.repo = repo
        self.calls = Calls(plan)
        self.commits: list[FakeCommit] = []
        """Empty as long as there is no repository."""
        self.tags: dict[str, str] = {}
        """Tag → commit."""
        self.private = False

    # The protocol

    def check_writing(self) -> None:
        """Whoever has this object may write."""

    def at(self, revision: str | None = None) -> Head | None:
        end = self.calls.begin("at")
        head = None
        if self.commits:
            commit = self._commit(revision)
            manifest = commit.files.get(manifests.NAME)
            head = Head(
                commit=commit.oid,
                files={path: f"sha256:{hashlib.sha256(data).hexdigest()}" for path, data in commit.files.items()},
                manifest=None if manifest is None else manifests.parse(manifest),
                tags=dict(self.tags),
            )
        end()
        return head

    def create(self, *, private: bool) -> None:
        end = self.calls.begin("create")
        if not self.commits:
            self.private = private
            self.add("initial commit", {".gitattributes": b""})
        end()

    def commit(self, folder: Path, paths: Collection[str], removed: Collection[str], parent: str, title: str) -> str:
        end = self.calls.begin("commit")
        head = self.commits[-1]
        if head.oid != parent:
            raise Conflict(f"{self.repo}: {parent[:8]} is no longer the head")
        kept = {path: data for path, data in head.files.items() if path not in removed}
        oid = self.add(title, kept | {path: (folder / path).read_bytes() for path in paths}).oid
        end()
        return oid

    def tag(self, name: str, commit: str) -> None:
        end = self.calls.begin("tag")
        if name in self.tags:
            raise Conflict(f"{self.repo}: there is a tag {name}")
        self.tags[name] = commit
        end()

    def release(self, revision: str) -> MemoryRelease:
        return MemoryRelease(f"{self.repo}@{revision}", self._commit(revision).files)

    # What others do

    def add(self, title: str, files: dict[str, bytes]) -> FakeCommit:
        """Commit these files on top of the head; all others are gone."""
        oid = hashlib.sha1(f"{len(self.commits)} {title}".encode(), usedforsecurity=False).hexdigest()
        self.commits.append(FakeCommit(oid, title, files))
        return self.commits[-1]

    def _commit(self, revision: str | None) -> FakeCommit:
        """A commit by id or tag; without a revision, the head."""
        oid = self.commits[-1].oid if revision is None else self.tags.get(revision, revision)
        commit = next((commit for commit in self.commits if commit.oid == oid), None)
        if commit is None:
            raise HubError(f"{self.repo} has no revision {revision}")
        return commit
