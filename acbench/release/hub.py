"""What publishing needs of a hub, and the ways in which it can fail."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from acbench.errors import AcbenchError
from acbench.release.entries import ReleaseSource
from acbench.release.manifest import Manifest


class HubError(AcbenchError):
    """The hub refused, or could not be reached. To try the same again would not help."""


class Conflict(HubError):
    """Somebody else changed the repository since its head was read."""


class Unclear(HubError):
    """No answer, or a server's error: what was asked for may or may not have happened."""


class Busy(HubError):
    """Too many requests."""

    def __init__(self, message: str, hint: str = "", *, seconds: float | None = None) -> None:
        super().__init__(message, hint)
        self.seconds = seconds
        """To wait, as told; None if nothing was told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """A repository at one commit."""

    commit: str
    files: Mapping[str, str]
    """Path → `sha256:…` of its bytes or, of small files, `git:…`, the id of their git blob."""
    manifest: Manifest | None
    """What `release.json` says; None if there is none."""
    tags: Mapping[str, str]
    """Tag → commit, of the whole repository."""


class Hub(Protocol):
    """One repository on a hub."""

    @property
    def repo(self) -> str:
        """ORG/NAME."""

    def at(self, revision: str | None = None) -> Head | None:
        """What is there, at the head unless told otherwise; None if there is no repository. Raises HubError."""

    def create(self, *, private: bool) -> None:
        """Make the repository; fine if it is there. Raises HubError."""

    def commit(self, folder: Path, paths: Collection[str], removed: Collection[str], parent: str, title: str) -> None:
        """Upload files, then make one commit on top of `parent`.

        Raises Conflict if `parent` is no longer the head, Unclear, Busy, or another HubError.
        """

    def tag(self, name: str, commit: str) -> None:
        """Name a commit. Raises Conflict if the name is taken, Unclear, Busy, or another HubError."""

    def place(self, revision: str) -> ReleaseSource:
        """The release at a revision, to read its labels from afar."""
