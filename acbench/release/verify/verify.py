"""Everything that can be checked of a release, in the order in which one thing rests on the other."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from acbench._util.console import Progress
from acbench.records import GOOD, Finding
from acbench.release.entries import Entry, manifest
from acbench.release.folder import ReleaseFolder
from acbench.release.manifest import CARD, CROISSANT, Manifest
from acbench.release.verify import duplicates, files, tables

if TYPE_CHECKING:
    import pyarrow as pa

SMALL = 10
"""A class with fewer test images is told."""


class Datasets(Protocol):
    """The `datasets` library."""

    def arrow_schema(self, categories: tuple[str, ...], classes: tuple[str, ...], *, images: bool) -> pa.Schema: ...

    def round_trip(self, folder: Path, manifest: Manifest, entries: Mapping[str, Entry]) -> list[str]:
        """What differs when the release is loaded, whole and streamed, with no network."""


class Describer(Protocol):
    """Reads `croissant.json`."""

    def problems(self, folder: Path, manifest: Manifest) -> list[str]: ...


Stage = Callable[[str], AbstractContextManager[Progress]]
"""Shows a stage's progress."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """What came of it."""

    manifest: Manifest
    findings: list[Finding]
    """Those that `failed` are errors, the others are for a person to know."""
    classes: dict[str, dict[str, int]]
    """Category → class → accepted test images."""
    statuses: dict[str, int]

    @property
    def failed(self) -> bool:
        """Whether the release is not what it says."""
        return any(each.failed for each in self.findings)


def verify(folder: ReleaseFolder, datasets: Datasets, describer: Describer, stage: Stage) -> Verified:
    """Check a release. Raises ReleaseError if there is no manifest to check it by."""
    found = manifest(folder)
    with stage("hash files") as progress:
        findings = [*files.files(folder, found), *files.licence(found), *files.card(folder, found)]
        progress(len(found.files), len(found.files))
    if not any(each.path == CROISSANT for each in findings):
        findings += [_wrong(CROISSANT, "croissant", each) for each in describer.problems(folder.path, found)]
    seen = duplicates.Thumbnails()
    with stage("read tables") as progress:
        read = tables.read(folder, found, datasets, progress, seen.see)
    findings += read.findings
    findings += duplicates.exact(read.entries)
    findings += duplicates.perceptual(seen.pairs(), read.entries)
    findings += _balance(read.entries)
    if not any(each.failed for each in findings):  # what is damaged is not given to others to load
        with stage("load with datasets") as progress:
            differences = datasets.round_trip(folder.path, found, read.entries)
            progress(found.rows, found.rows)
        findings += [_wrong(CARD, "round_trip", each) for each in differences]
    return Verified(
        manifest=found,
        findings=findings,
        classes=_classes(read.entries),
        statuses=dict(sorted(Counter(each.status for each in read.entries.values()).items())),
    )


def _classes(entries: Mapping[str, Entry]) -> dict[str, dict[str, int]]:
    counts: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for each in entries.values():
        if each.split == "test" and each.status == "accepted":
            counts[each.category].update(each.labels)
    return {category: dict(sorted(count.items())) for category, count in sorted(counts.items())}


def _balance(entries: Mapping[str, Entry]) -> Iterator[Finding]:
    for category, counts in _classes(entries).items():
        few = [f"{name} {number}" for name, number in counts.items() if number < SMALL]
        if few:
            what = f"fewer than {SMALL} test images: {', '.join(few)}"
            yield Finding(path=category, kind="few_images", detail=what, hint="give intervals with scores of these")
        if set(counts) == {GOOD}:
            yield Finding(path=category, kind="no_defect", detail="no accepted image of it shows a defect")


def _wrong(path: str, kind: str, detail: str) -> Finding:
    hint = "do not use it before that is explained"
    return Finding(path=path, kind=kind, detail=detail, hint=hint, failed=True)


def facts(verified: Verified) -> dict[str, Any]:
    """As JSON-ready values."""
    from acbench.storage.typed_json import to_json

    found = verified.manifest
    return {
        "benchmark": found.benchmark,
        "version": found.version,
        "licence": found.licence,
        "images": found.images,
        "rows": found.rows,
        "labels": verified.statuses,
        "classes": verified.classes,
        "failed": verified.failed,
        "findings": [to_json(each) for each in verified.findings],
    }
