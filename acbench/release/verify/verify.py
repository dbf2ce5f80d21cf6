"""Checks everything that can be checked of a release, in the order in which one check rests on the other."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from typing import Any

from acbench._util.console import Progress
from acbench._util.machine import size
from acbench._util.plural import counted
from acbench.errors import ReleaseError
from acbench.records import GOOD, Finding
from acbench.release.card_facts import named_images
from acbench.release.columns import IMAGES
from acbench.release.entries import ReleaseEntry, read_manifest, shard_entries
from acbench.release.folder import ReleaseFolder
from acbench.release.libraries import CroissantLibrary, DatasetsLibrary
from acbench.release.manifest import CARD, CROISSANT, MAX_BYTES, Manifest
from acbench.release.pictures import Examples
from acbench.release.tally import RowKind, Tally
from acbench.release.verify import duplicates
from acbench.release.verify.derive import Derivation
from acbench.release.verify.files import check_card, check_files, check_licence
from acbench.release.verify.findings import UNCHECKED, fault, unchecked
from acbench.release.verify.statements import Known, check_names, check_picture, check_schema, check_texts
from acbench.release.verify.tables import read_tables
from acbench.storage.typed_json import to_json

FEW_IMAGES = 10
"""A class with fewer test images is reported."""
LOADING = "loading"
"""Stands for the path in what is found about loading a release."""
TABLES = "data"
"""Stands for the path in what is found about all tables."""
_UNEXPLAINED = "do not use it before that is explained"

ShowStage = Callable[[str], AbstractContextManager[Progress]]
"""Shows the progress of a stage of the work."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """What the checks found."""

    manifest: Manifest
    findings: list[Finding]
    """Those that `failed` are faults; the others are for a person to know."""
    classes: dict[str, dict[str, int]]
    """Category → class → accepted test images."""
    statuses: dict[str, int]
    """Status → images."""

    @property
    def failed(self) -> bool:
        """Whether the release is not what it says."""
        return any(finding.failed for finding in self.findings)

    @property
    def unchecked(self) -> list[str]:
        """What could not be checked here; none of it is a fault."""
        return [finding.detail for finding in self.findings if finding.kind == UNCHECKED]

    @property
    def not_loaded(self) -> str:
        """Why it was not loaded with `datasets`; empty if it was, or if a fault was found before."""
        return next((each.detail for each in self.findings if (each.path, each.kind) == (LOADING, UNCHECKED)), "")

    def to_json(self) -> dict[str, object]:
        """What `acbench verify --json` prints."""
        return {
            "benchmark": self.manifest.benchmark,
            "version": self.manifest.version,
            "licence": self.manifest.licence,
            "images": self.manifest.images,
            "rows": self.manifest.rows,
            "labels": self.statuses,
            "classes": self.classes,
            "failed": self.failed,
            "unchecked": self.unchecked,
            "findings": [to_json(finding) for finding in self.findings],
        }


KnownOf = Callable[[Manifest], Known]
"""Finds what is known here of a release by its manifest."""


def verify(
    folder: ReleaseFolder,
    datasets: DatasetsLibrary,
    croissant: CroissantLibrary,
    known_of: KnownOf,
    show_stage: ShowStage,
) -> Verified:
    """Check a release. Raises ReleaseError if it has no manifest to check it by."""
    manifest = read_manifest(folder)
    known = known_of(manifest)
    derivation = Derivation(manifest, known.schema)
    with show_stage("hash files") as progress:
        findings = [*check_files(folder, manifest), *check_licence(manifest), *check_card(folder, manifest)]
        findings += [*check_names(manifest, known), *check_schema(folder, manifest, known)]
        progress(len(manifest.files), len(manifest.files))
    if CROISSANT in manifest.files and manifest.files[CROISSANT].size > MAX_BYTES:
        findings.append(fault(CROISSANT, "croissant", f"it is larger than {MAX_BYTES >> 20} MiB", _UNEXPLAINED))
    if not any(finding.path == CROISSANT for finding in findings):
        findings += [fault(CROISSANT, "croissant", what, _UNEXPLAINED)
                     for what in croissant.problems(folder.path, manifest)]  # fmt: skip
    alike, examples = duplicates.LookAlikes(), Examples()
    tally = Tally(named_images(known.schema) if known.schema else ())

    def derive(row: Mapping[str, Any], entry: ReleaseEntry, kind: RowKind) -> Iterator[tuple[str, str]]:
        if manifest.images:
            examples.take(entry, *((row[column] or {}).get("bytes") for column in IMAGES))
        yield from derivation.problems(row, entry, kind)

    with show_stage("read tables") as progress:
        contents = read_tables(folder, manifest, datasets, progress, alike.add, derive, tally)
    findings += contents.findings
    if number := derivation.undecided:
        what = f"status and reason of {counted(number, 'image')}, which the votes do not tell"
        findings.append(unchecked(TABLES, what, "look at these images: their reasons say why"))
    if number := contents.united:
        what = f"what {counted(number, 'mask')} of several files mark: hashes are of the files, not of what they become"
        findings.append(unchecked(TABLES, what, "attach_images makes them anew from a copy of the dataset"))
    if not any(finding.failed for finding in findings):  # else the card cannot but differ
        findings += check_texts(folder, manifest, tally, known, (datasets, croissant))
        findings += check_picture(folder, manifest, tally, examples, known)
    if tally.files.any:
        findings += duplicates.identical_files(_entries(folder, manifest), tally.files)
    findings += alike.findings()
    findings += _check_balance(tally)
    if not any(finding.failed for finding in findings):  # a damaged file is not given to a library to load
        with show_stage("load with datasets") as progress:
            differences: list[str] = []
            try:
                differences = datasets.round_trip(folder.path, manifest)
            except OSError as error:
                room = size(sum(file.size for file in manifest.shards().values()))
                what = f"that `datasets` loads it: {error.strerror or error}; it needs about {room} of room"
                findings.append(unchecked(LOADING, what, "make room there, or let TMPDIR name a larger disk"))
            progress(manifest.rows, manifest.rows)
        findings += [fault(CARD, "round_trip", difference, _UNEXPLAINED) for difference in differences]
    return Verified(
        manifest=manifest,
        findings=findings,
        classes=_count_classes(tally),
        statuses=_count_statuses(tally),
    )


def _entries(folder: ReleaseFolder, manifest: Manifest) -> Iterator[ReleaseEntry]:
    """What can be read of all tables: what cannot has been reported."""
    for path in sorted(manifest.shards()):
        with suppress(ReleaseError):
            yield from shard_entries(folder, path, manifest)


def _count_statuses(tally: Tally) -> dict[str, int]:
    counts: Counter[str] = Counter()
    for kind, number in tally.kinds.items():
        counts[kind.status] += number
    return dict(sorted(counts.items()))


def _count_classes(tally: Tally) -> dict[str, dict[str, int]]:
    counts: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for kind, number in tally.kinds.items():
        if kind.tested:
            counts[kind.category].update(dict.fromkeys(kind.labels, number))
    return {category: dict(sorted(count.items())) for category, count in sorted(counts.items())}


def _check_balance(tally: Tally) -> Iterator[Finding]:
    for category, counts in _count_classes(tally).items():
        few = [f"{name} {number}" for name, number in counts.items() if number < FEW_IMAGES]
        if few:
            what = f"fewer than {FEW_IMAGES} test images: {', '.join(few)}"
            yield Finding(path=category, kind="few_images", detail=what, hint="give intervals with scores of these")
        if set(counts) == {GOOD}:
            yield Finding(path=category, kind="no_defect", detail="no accepted image of it shows a defect")
