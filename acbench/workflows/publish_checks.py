"""Checks before a release is built all that can be known by then, and before it is uploaded what it would lose."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from acbench._util.machine import size
from acbench.errors import ReleaseError
from acbench.release import manifest as manifests
from acbench.release import versions
from acbench.release.beside import foreign, refuse_foreign
from acbench.release.diff import Change, count_effects, diff, effects, lost_decisions
from acbench.release.entries import ReleaseEntry, read_entries
from acbench.release.hub import Head, Hub
from acbench.release.manifest import ListedVersion, Manifest, Previous
from acbench.release.parquet import ParquetShard
from acbench.release.version_list import list_of, number
from acbench.workflows.run import Run
from acbench.workflows.unsaid import unsaid_of

FIRST_VERSION = "1.0.0"
ROW_BYTES = 4_000
"""Bytes that a row takes without its images, at most in all but odd cases."""


class EarlierVersionError(ReleaseError):
    """A later version than the one that was asked for is published: see also `finish_tag`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """What is known before a release is built."""

    version: str
    previous: Previous | None
    base: Manifest | None
    """What `release.json` at the hub's head says."""
    commit: str
    """The head's commit, if it holds a release of this benchmark; else empty."""
    replaces: tuple[str, ...]
    """Files of somebody else that go."""
    date: str = ""
    """The day of publication, in UTC; empty where there is no hub to publish to."""
    earlier: tuple[ListedVersion, ...] = ()
    """All versions before this one."""


def check_first(run: Run, hub: Hub | None, version: str | None, *, replace: bool) -> Ground:
    """Find out what stands against a release before anything is built.

    `version`: what was asked for; None for the published one or 1.0.0. `replace`: whether files of somebody else may
    go. Raises ReleaseError, or HubError.
    """
    if unsaid := [one.line for one in unsaid_of(run.schema, run.source)]:
        raise ReleaseError(
            f"the schema does not say everything that a release has to: {'; '.join(unsaid)}",
            f"write it into {run.schema.file}; its places: acbench schema check {run.schema.argument}",
        )
    if version is not None and not manifests.VERSION.fullmatch(version):
        raise ReleaseError(f"--version {version} is not MAJOR.MINOR.PATCH", "--version 1.0.0")
    if hub is None:
        return Ground(version=version or FIRST_VERSION, previous=None, base=None, commit="", replaces=())
    hub.check_writing()
    head = hub.at()
    theirs = foreign(head, run.schema.benchmark)
    if not replace:
        refuse_foreign(hub.repo, head, run.schema.benchmark)
    published = head.manifest if head and head.manifest and not theirs else None
    if published and published.licence != run.schema.licence:
        raise ReleaseError(
            f"{hub.repo} is under {published.licence}, these labels are under {run.schema.licence}",
            "one repository per licence: give another --repo",
        )
    version, previous = _version(head, published, version)
    if head and published is None and f"v{version}" in head.tags:
        raise ReleaseError(
            f"{hub.repo} has a tag v{version} already, of something else", "give a version whose tag is free: --version"
        )
    earlier, date = _earlier(hub, head, published, version)
    return Ground(
        version=version,
        previous=previous,
        base=head.manifest if head else None,
        commit=head.commit if head and published else "",
        replaces=tuple(theirs),
        date=date,
        earlier=earlier,
    )


def check_space(folder: Path, shards: Sequence[ParquetShard]) -> None:
    """Raise ReleaseError unless the tables fit on the disk, and a second time for the loading that checks them."""
    sizes = {shard.path: shard.size + ROW_BYTES * len(shard.places) for shard in shards}
    needed = sum(sizes.values()) + sum(number for path, number in sizes.items() if not (folder / path).exists())
    there = next(place for place in (folder, *folder.parents) if place.exists())
    if needed > (free := shutil.disk_usage(there).free):
        raise ReleaseError(
            f"tables and the test of loading them need about {size(needed)} in {folder}, and {size(free)} are free",
            "make room there, or publish --labels-only; nothing was written",
        )


def against_head(hub: Hub, ground: Ground, after: Mapping[str, ReleaseEntry], manifest: Manifest) -> Losses | None:
    """What a release does to the one at the hub's head; None if there is none. `after`: its entries by item_id."""
    if ground.base is None or not ground.commit:
        return None
    before = read_entries(hub.release(ground.commit), ground.base)
    changes = diff(before, after)
    needed = versions.needed_step(ground.base, manifest, changes, before, after)
    return Losses(changes, needed)


@dataclass(frozen=True, slots=True)
class Losses:
    """What a release does to the one before it."""

    changes: list[Change]
    needed: versions.Step
    """The smallest step of the version that says so."""


def refuse_losses(ground: Ground, manifest: Manifest, losses: Losses | None, *, withdraw: bool, odd: bool) -> None:
    """Raise ReleaseError for decisions of people that would be lost, and for a version that does not fit.

    `withdraw`, `odd`: what the publisher has consented to.
    """
    changes = losses.changes if losses else []
    if (lost := lost_decisions(changes)) and not withdraw:
        raise ReleaseError(
            f"this release takes back what people decided in version {ground.base.version if ground.base else ''}"
            f" ({effects(count_effects(changes))}), about {lost}",
            "are all reviews here? acbench status; if these decisions are to go, add --withdraw-decisions",
        )
    published = ground.base if losses else None
    if published and published.version == manifest.version:
        return  # the upload compares it with what is there
    why, better = versions.question(published, manifest, losses.needed if losses else "patch", changes)
    if why and not odd:
        hint = "there is nothing to publish" if published and better == published.version else f"--version {better}"
        raise ReleaseError(f"{why}. {versions.RULE}", f"{hint}; or, if it is meant so, add --odd-version")


def _version(head: Head | None, published: Manifest | None, chosen: str | None) -> tuple[str, Previous | None]:
    """The version of the release, and the release before it. Raises ReleaseError for an earlier one."""
    version = chosen or (published.version if published else FIRST_VERSION)
    if head is None or published is None:
        return version, None
    if published.version == version:
        return version, published.previous
    if number(version) < number(published.version):
        raise EarlierVersionError(
            f"version {published.version} is published already",
            f"give a later one than that: --version {versions.bumped(published.version, 'minor')}",
        )
    return version, Previous(version=published.version, commit=head.tags.get(published.tag, head.commit))


def _earlier(
    hub: Hub, head: Head | None, published: Manifest | None, version: str
) -> tuple[tuple[ListedVersion, ...], str]:
    """The versions before this one, and its date. One that is published stays as its tag has it: whatever was marked
    since then stands at the head only. Raises HubError."""
    today = datetime.now(UTC).date().isoformat()
    if head is None or published is None:
        return (), today
    if published.version != version:
        return list_of(published, head.tags), today
    tagged = hub.at(head.tags[published.tag]) if published.tag in head.tags else head
    versions = list_of(tagged.manifest if tagged and tagged.manifest else published, head.tags)
    return versions[:-1], versions[-1].date
