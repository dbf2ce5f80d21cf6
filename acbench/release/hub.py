"""What publishing needs of a hub, and how a hub can fail."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from acbench.errors import AcbenchError
from acbench.release.entries import ReleaseReader
from acbench.release.manifest import Manifest

FILES_OF_HUB = frozenset({".gitattributes"})
"""Files that belong to the hub; a release neither holds nor removes them."""


class HubError(AcbenchError):
    """The hub refused, or could not be reached; trying again would not help."""


class Conflict(HubError):
    """Somebody else changed the repository since its head was read."""


class Unclear(HubError):
    """No answer, or a server error: the request may or may not have been carried out."""


class Busy(HubError):
    """Too many requests, or no capacity."""

    def __init__(self, message: str, hint: str = "", *, seconds: float | None = None) -> None:
        super().__init__(message, hint)
        self.seconds = seconds
        """How long the hub asks to wait; None if it does not say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """A repository at one commit."""

    commit: str
    files: Mapping[str, str]
    """Path → `sha256:…` of its bytes or, for small files, `git:…`, the id of the git blob."""
    manifest: Manifest | None
    """What `release.json` says; None if there is none."""
    tags: Mapping[str, str]
    """Tag → commit, for the whole repository."""


class Hub(Protocol):
    """One repository on a hub."""

    @property
    def repo(self) -> str:
        """ORG/NAME."""

    def check_writing(self) -> None:
        """Find out whether the repository may be written to, or made, as far as the hub tells. Raises HubError."""

    def at(self, revision: str | None = None) -> Head | None:
        """The repository at a revision, by default at its head; None if it does not exist. Raises HubError."""

    def create(self, *, private: bool) -> None:
        """Make the repository, unless it exists. Raises HubError."""

    def commit(self, folder: Path, paths: Collection[str], removed: Collection[str], parent: str, title: str) -> str:
        """Upload files and remove others, in one commit on top of `parent`. Gives its id.

        Raises Conflict if `parent` is no longer the head, Unclear, Busy, or another HubError.
        """

    def tag(self, name: str, commit: str) -> None:
        """Name a commit. Raises Conflict if the name is taken, Unclear, Busy, or another HubError."""

    def release(self, revision: str) -> ReleaseReader:
        """A reader of the release at a revision, which fetches only what is read."""
