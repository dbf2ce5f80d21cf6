"""Names the commit of a version whose tag was never set, although a later version is published by now.

A publisher may be stopped between commit and tag, and somebody else may publish the next version on top of that commit.
The release there says which commit is of the version before it, so that nothing has to be built or guessed.
"""

from __future__ import annotations

import shlex
import time
from collections.abc import Callable
from dataclasses import dataclass

from acbench.errors import ReleaseError
from acbench.release.entries import read_manifest
from acbench.release.hub import Busy, Conflict, Head, Hub, Unclear
from acbench.release.manifest import VERSION, Manifest
from acbench.release.patience import Patience
from acbench.release.version_list import number


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """A version that has its tag now, or would have it."""

    tag: str
    commit: str
    newest: str
    """The version at the head."""


def finish_tag(
    hub: Hub, benchmark: str, version: str | None, *, note: Callable[[str], None], upload: bool,
    wait: Callable[[float], None] = time.sleep,
) -> Finished | None:  # fmt: skip
    """Set the missing tag of a version that others have published upon; None if that is not what is missing.

    `upload`: False to find out what would be done. Raises ReleaseError or HubError; it is safe to run again.
    """
    if version is None or not VERSION.fullmatch(version):
        return None
    patience = Patience(note, wait)
    while True:
        try:
            head = hub.at()
            commit = "" if head is None else _untagged(hub, head, benchmark, version)
            if head is None or head.manifest is None or not commit:
                return None
            if upload:
                hub.tag(f"v{version}", commit)
            return Finished(tag=f"v{version}", commit=commit, newest=head.manifest.version)
        except (Conflict, Unclear, Busy) as error:
            patience.spend(error)


def _untagged(hub: Hub, head: Head, benchmark: str, version: str) -> str:
    """The commit of an earlier version without a tag; empty if there is none. Raises ReleaseError if it is not that."""
    newer = head.manifest
    if newer is None or newer.benchmark != benchmark or f"v{version}" in head.tags:
        return ""
    while newer.previous is not None and number(version) < number(newer.version):
        commit, name = newer.previous.commit, newer.previous.version
        found: Manifest = read_manifest(hub.release(commit))
        if (found.benchmark, found.version) != (benchmark, name) or number(name) >= number(newer.version):
            raise ReleaseError(
                f"commit {commit} of {hub.repo} should hold version {name} of {benchmark}, and holds"
                f" {found.version} of {found.benchmark}",
                f"see what is there: acbench verify {shlex.quote(hub.repo)}",
            )
        if name == version:
            return commit
        newer = found
    return ""
