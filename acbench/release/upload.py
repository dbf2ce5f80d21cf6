"""One commit, then a tag: whatever goes wrong on the way, nobody sees half a release and none is committed twice."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from acbench._util.backoff import Backoff
from acbench.errors import ReleaseError
from acbench.release import manifest as manifests
from acbench.release.hub import Busy, Conflict, Head, Hub, HubError, Unclear
from acbench.release.manifest import Manifest

ATTEMPTS = 6
BACKOFF = Backoff(first=2.0)
LONGEST_WAIT = 600.0
"""Seconds; a hub that wants more is left for another day."""
KEPT = frozenset({".gitattributes"})
"""Files of the hub's own, which a release leaves alone."""


@dataclass(frozen=True, slots=True)
class Published:
    """Where a release is."""

    commit: str
    again: bool
    """True if it was there before."""


@dataclass(kw_only=True)
class Upload:
    """A release on its way to a hub."""

    hub: Hub
    folder: Path
    manifest: Manifest
    base: Manifest | None
    """The release that was at the head when this one was built."""
    private: bool
    """Of a repository that is made now."""
    note: Callable[[str], None]
    wait: Callable[[float], None] = time.sleep

    def run(self) -> Published:
        """Bring it there. Raises HubError or ReleaseError; to run it again is safe at any moment."""
        committed, failures = False, 0
        while True:
            try:
                head = self._head()
                if (taken := head.tags.get(self.manifest.tag)) is not None:
                    return Published(self._the_same(taken), again=not committed)
                if self.holds(head):
                    self.hub.tag(self.manifest.tag, head.commit)
                    return Published(head.commit, again=False)
                self._refuse_strangers(head)
                removed = head.files.keys() - set(self._paths()) - KEPT
                self.note(f"uploading {len(self._paths()):,} files to {self.hub.repo}")
                self.hub.commit(self.folder, self._paths(), sorted(removed), head.commit, self._title())
                committed = True
            except (Conflict, Unclear, Busy) as error:
                failures += 1
                if failures == ATTEMPTS:
                    raise HubError(
                        f"{error.message}; {ATTEMPTS} attempts have failed", "run the same command again later"
                    ) from None
                self._pause(error, failures)

    def holds(self, head: Head) -> bool:
        """Whether exactly this release is there."""
        ours = self._contents
        theirs = {path: content for path, content in head.files.items() if path not in KEPT}
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

    def _the_same(self, commit: str) -> str:
        """The commit with our tag, if it holds this release."""
        there = self.hub.at(commit)
        if there is None or not self.holds(there):
            raise ReleaseError(
                f"{self.manifest.tag} of {self.hub.repo} is another release than this one",
                f"give a new number: --version {manifests.following(self.manifest.version)}",
            )
        return commit

    def _refuse_strangers(self, head: Head) -> None:
        """Somebody else's release must not be replaced unseen."""
        if head.manifest in (self.base, self.manifest):
            return
        what = f"version {head.manifest.version}" if head.manifest else "a commit without a release"
        raise HubError(
            f"somebody else published {what} to {self.hub.repo} while this release was made",
            f"see what changed (acbench diff {self.hub.repo} {self.folder}), then run the same command again",
        )

    def _pause(self, error: HubError, failures: int) -> None:
        seconds = BACKOFF.seconds(failures)
        if isinstance(error, Conflict):
            seconds = min(seconds, 1.0)
        if isinstance(error, Busy) and error.seconds is not None:
            seconds = error.seconds
        if seconds > LONGEST_WAIT:
            raise HubError(f"{error.message}: it wants {seconds:,.0f} s of patience", "run the same command again then")
        self.note(f"{error.message}; looking again in {seconds:.0f} s")
        self.wait(seconds)

    def _paths(self) -> list[str]:
        return [*sorted(self.manifest.files), manifests.NAME]

    def _title(self) -> str:
        return f"{self.manifest.title} {self.manifest.version}"


def content_ids(path: Path) -> set[str]:
    """What a hub may call the bytes of a file."""
    with path.open("rb") as file:
        found = {f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}"}
    size = path.stat().st_size
    if size < 64 << 20:  # nobody keeps larger files in git
        blob = hashlib.sha1(f"blob {size}\0".encode() + path.read_bytes(), usedforsecurity=False)
        found.add(f"git:{blob.hexdigest()}")
    return found
