"""Uploads a release as one commit and then a tag: nobody sees half a release, and none is committed twice."""

from __future__ import annotations

import hashlib
import shlex
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from acbench.errors import ReleaseError
from acbench.release import manifest as manifests
from acbench.release.beside import beside, foreign, is_of_release, refuse_foreign
from acbench.release.hub import Busy, Conflict, Head, Hub, HubError, Unclear
from acbench.release.manifest import Manifest
from acbench.release.patience import Patience
from acbench.release.versions import bumped


@dataclass(frozen=True, slots=True)
class UploadResult:
    """Where the release is."""

    commit: str
    already_there: bool
    """Whether an earlier upload had put it there."""


@dataclass(kw_only=True)
class Upload:
    """A release on its way to a hub."""

    hub: Hub
    folder: Path
    manifest: Manifest
    base: Manifest | None
    """The release at the head when this one was built; None if there was none."""
    private: bool
    """Whether a repository that has to be made is private."""
    note: Callable[[str], None]
    replaces: Collection[str] = ()
    """Files of somebody else that the publisher has seen and gives up. What comes besides is not deleted."""
    wait: Callable[[float], None] = time.sleep

    def run(self) -> UploadResult:
        """Upload it. Raises HubError or ReleaseError; it is safe to run again at any moment."""
        mine, committed, patience = "", False, Patience(self.note, self.wait)
        while True:
            try:
                head = self._head()
                if (taken := head.tags.get(self.manifest.tag)) is not None:
                    return UploadResult(self._the_same(taken), already_there=not committed)
                mine = mine or self._commit_in(head)
                if mine:
                    self._tag(mine)
                    return UploadResult(mine, already_there=False)
                self._refuse_other_release(head)
                theirs = foreign(head, self.manifest.benchmark)
                removed = {path for path in head.files if is_of_release(path) or path in theirs} - set(self._paths())
                self.note(f"uploading {len(self._paths()):,} files to {self.hub.repo}")
                mine = self.hub.commit(self.folder, self._paths(), sorted(removed), head.commit, self._title())
                committed = True
            except (Conflict, Unclear, Busy) as error:
                patience.spend(error, f"; {self._public}" if committed else "")

    def rehearse(self) -> list[str]:
        """Find out what `run` would refuse, changing nothing; lists files beside the release, which stay.

        Raises HubError or ReleaseError.
        """
        head = self.hub.at()
        if head is None:
            return []
        if (taken := head.tags.get(self.manifest.tag)) is not None:
            self._the_same(taken)
        elif not self._commit_in(head):
            self._refuse_other_release(head)
        return [path for path in beside(head.files) if path not in foreign(head, self.manifest.benchmark)]

    def _commit_in(self, head: Head) -> str:
        """The commit of this release, if it is the head, or if the release at the head came right after it; else empty:
        an earlier run may have been stopped before it set the tag."""
        if self.holds(head):
            return head.commit
        before = head.manifest.previous if head.manifest else None
        if before is None or before.version != self.manifest.version:
            return ""
        there = self.hub.at(before.commit)
        return there.commit if there is not None and self.holds(there) else ""

    def holds(self, head: Head) -> bool:
        """Whether a commit holds exactly this release, whatever lies beside it."""
        ours = self._contents
        theirs = {path: content for path, content in head.files.items() if is_of_release(path)}
        return ours.keys() == theirs.keys() and all(theirs[path] in ours[path] for path in ours)

    @cached_property
    def _contents(self) -> dict[str, set[str]]:
        return {path: content_ids(self.folder / path) for path in self._paths()}

    def _head(self) -> Head:
        head = self.hub.at()
        if head is None:
            self.hub.create(private=self.private)
            head = self.hub.at()
        if head is None:
            raise HubError(f"{self.hub.repo} was made, but is not there", "run the same command again later")
        return head

    @property
    def _public(self) -> str:
        return f"the commit of {self.manifest.version} is public already, its tag {self.manifest.tag} is missing"

    def _tag(self, commit: str) -> None:
        """Set the tag. A refusal says that the commit is there, and how to finish."""
        try:
            self.hub.tag(self.manifest.tag, commit)
        except (Conflict, Unclear, Busy):
            raise
        except HubError as error:
            raise HubError(
                f"{error.message}; {self._public}",
                f"{error.hint}; then run the same command again: it sets the tag and uploads nothing",
            ) from None

    def _the_same(self, commit: str) -> str:
        """Return the commit with our tag if it holds this release. Raises ReleaseError if it holds another."""
        tagged = self.hub.at(commit)
        if tagged is None or not self.holds(tagged):
            raise ReleaseError(
                f"{self.manifest.tag} of {self.hub.repo} is another release than this one",
                f"give a new number: --version {bumped(self.manifest.version, 'minor')}",
            )
        return commit

    def _refuse_other_release(self, head: Head) -> None:
        """Raises HubError for a head that nobody here has seen: it must not be replaced."""
        if head.manifest in (self.base, self.manifest):
            refuse_foreign(self.hub.repo, head, self.manifest.benchmark, self.replaces)
            return
        what = f"version {head.manifest.version}" if head.manifest else "a commit without a release"
        folder = shlex.quote(str(self.folder))
        raise HubError(
            f"somebody else published {what} to {self.hub.repo} while this release was made",
            f"see what changed (acbench diff {self.hub.repo} {folder}), then run the same command again",
        )

    def _paths(self) -> list[str]:
        return [*sorted(self.manifest.files), manifests.NAME]

    def _title(self) -> str:
        return f"{self.manifest.title} {self.manifest.version}"


def content_ids(path: Path) -> set[str]:
    """The ids that a hub may give to the content of a file."""
    with path.open("rb") as file:
        ids = {f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}"}
    size = path.stat().st_size
    if size < 64 << 20:  # nobody keeps larger files in git
        blob = hashlib.sha1(f"blob {size}\0".encode() + path.read_bytes(), usedforsecurity=False)
        ids.add(f"git:{blob.hexdigest()}")
    return ids
