"""Keeps the list of all versions of a benchmark: when each was published, what changed in it, and which are deprecated.

The commit of a tag never changes, so a mark stands in `release.json` at the head of the repository, and in the card
there: who reads an older version has to look up the newest list.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Sequence

from acbench.errors import ReleaseError
from acbench.release.diff import EFFECTS, Change, count_effects
from acbench.release.manifest import MAX_REASON, VERSION, ListedVersion, Manifest


def number(version: str) -> tuple[int, ...]:
    """Give what versions are sorted by."""
    return tuple(map(int, version.split(".")))


def list_of(manifest: Manifest, tags: Iterable[str]) -> tuple[ListedVersion, ...]:
    """List the versions of the release at a repository's head. `tags`: those of the repository, for a list of its own
    that releases of format 2 have not."""
    if manifest.versions:
        return manifest.versions
    known = {tag.removeprefix("v") for tag in tags if tag.startswith("v")} | {manifest.version}
    older = [each for each in known if VERSION.fullmatch(each) and number(each) <= number(manifest.version)]
    return tuple(ListedVersion(version=each) for each in sorted(older, key=number))


def with_release(
    versions: Sequence[ListedVersion], version: str, date: str, changes: Sequence[Change] | None
) -> tuple[ListedVersion, ...]:
    """Add a release to the list of those before it. `changes`: against the last of them."""
    return (*versions, ListedVersion(version=version, date=date, changes=count_effects(changes or ())))


def deprecated(manifest: Manifest, version: str, reason: str) -> Manifest:
    """Mark a version in the list of a release. Raises ReleaseError for one that is not in it, or an unusable reason."""
    reason = " ".join(reason.split())
    if not reason or not reason.isprintable() or len(reason) > MAX_REASON:
        raise ReleaseError(
            f"the reason has to be a printable text of at most {MAX_REASON} characters",
            '--because "what is wrong with it"',
        )
    return _with_mark(manifest, version, reason)


def restored(manifest: Manifest, version: str) -> Manifest:
    """Take the mark of a version back. Raises ReleaseError for one that is not in the list."""
    return _with_mark(manifest, version, "")


def _with_mark(manifest: Manifest, version: str, reason: str) -> Manifest:
    known = [listed.version for listed in manifest.versions]
    if version not in known:
        raise ReleaseError(
            f"there is no version {version} of {manifest.benchmark}", f"its versions are {', '.join(known)}"
        )
    marked = tuple(
        dataclasses.replace(listed, deprecated=reason) if listed.version == version else listed
        for listed in manifest.versions
    )
    return dataclasses.replace(manifest, versions=marked)


def reason_against(manifest: Manifest, version: str) -> str:
    """Give the reason for which a version is deprecated by the list of a release; empty if it is not."""
    return next((listed.deprecated for listed in manifest.versions if listed.version == version), "")


def advice(version: str, newest: Manifest) -> str:
    """Say that a version is deprecated, why, and what to use instead; empty if it may be used. `newest`: the release at
    the head of the repository, or the one itself."""
    reason = reason_against(newest, version)
    if not reason:
        return ""
    later = [listed for listed in newest.versions if number(listed.version) > number(version)]
    usable = [listed.version for listed in later if not listed.deprecated]
    instead = f"use v{usable[-1]}" if usable else "no later version stands in its place yet"
    return f"version {version} of {newest.benchmark} is deprecated: {reason}; {instead}"


def problems(manifest: Manifest) -> Iterator[str]:
    """Say what about the list of a release cannot be. A release of format 2 has none."""
    versions = manifest.versions
    if not versions:
        return
    names = [listed.version for listed in versions]
    if names != sorted(set(names), key=number):
        yield "its versions are not in their order, or one is there twice"
    if names[-1] != manifest.version:
        yield f"the last of its versions is {names[-1]}, and it is version {manifest.version}"
    before = names[-2] if len(names) > 1 else None
    if before != (manifest.previous.version if manifest.previous else None):
        yield f"the version before it is {before or 'none'} by the list, and it says {_previous(manifest)}"
    dates = [listed.date for listed in versions if listed.date]
    if dates != sorted(dates):
        yield "a version is dated before one that it follows"
    if versions[0].changes:
        yield f"{names[0]} is the first version, and changes something"
    if unknown := sorted({name for listed in versions for name in listed.changes} - {*EFFECTS}):
        yield f"nothing can be {unknown[0][:40]!a} in a version"


def _previous(manifest: Manifest) -> str:
    return manifest.previous.version if manifest.previous else "none"
