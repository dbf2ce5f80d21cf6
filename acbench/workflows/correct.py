"""Writes down what somebody finds wrong in a release, as a file of decisions that its maintainers can take in."""

from __future__ import annotations

import csv
import difflib
import io
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from acbench._util.text import tidy
from acbench.data.item_names import ItemNames
from acbench.errors import AcbenchError, ReviewError
from acbench.records import JOIN
from acbench.release.entries import ReleaseEntry, read_entries, read_manifest
from acbench.release.schema_file import released_schema
from acbench.review.csv_queue import inert
from acbench.review.decisions import (
    Decision,
    DecisionError,
    clean_note,
    decide,
    read_typed,
    reviewer_name,
    verdict_named,
)
from acbench.schema import Category, Schema
from acbench.schema.form import VERDICTS
from acbench.storage.atomic import write_bytes
from acbench.storage.csv_files import names_in, read_csv
from acbench.workflows.releases import open_release
from acbench.workflows.truth import bundled_schema

COLUMNS = ("item_id", "image", "current", "label", "note", "reviewer", "release")
"""Columns of the file. `acbench relabel --reviews` reads the id, the label, the note and the reviewer."""
NEAR = 5
"""How many images an error names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Correction:
    """What was written down."""

    entry: ReleaseEntry
    label: str
    """What it should be: class ids, or a verdict."""
    file: Path
    rows: int
    """Rows that the file has now."""
    known: bool
    """Whether the file said so already."""
    benchmark: str


def correct(
    release: str, image: str, label: str, because: str, file: Path, *, reviewer: str = "", schema: Schema | None = None
) -> Correction:
    """Add a row about an image of a release to a file.

    `release`: a folder, or ORG/NAME[@REVISION]. `image`: an item_id or a path. `label`: classes joined by ` + `, or a
    verdict. `schema`: None for the bundled one, if the labels were made with it, or that of the release; without any,
    only the classes that the release has in that category are known. `reviewer`: who says so; empty to leave it to
    whoever takes the file.

    Raises AcbenchError, also if the release says so already or the file says something else of the image.
    """
    reader = open_release(release)
    manifest = read_manifest(reader)
    schema = schema or bundled_schema(manifest) or released_schema(reader, manifest)
    if schema is not None and schema.benchmark != manifest.benchmark:
        raise AcbenchError(
            f"{release} is a release of {manifest.benchmark}, not of {schema.benchmark}", "--schema FILE"
        )
    entries = read_entries(reader, manifest)
    entry = _entry(image, entries, release)
    decision = _decision(label, entry, schema, entries.values())
    said = JOIN.join(decision.labels) or decision.verdict
    if decision.labels and set(decision.labels) == set(entry.labels) and entry.status == "accepted":
        raise AcbenchError(f"{entry.image} is {said} in {reader.name} already", "look at `labels` of its row")
    note = clean_note(because)
    if not note:
        raise AcbenchError("a correction needs its reason", '--because "what shows it"')
    try:
        name = reviewer_name(reviewer) if reviewer else ""
    except DecisionError as error:
        raise AcbenchError(error.reason, "--reviewer NAME") from None
    row = {
        "item_id": entry.item_id,
        "image": entry.image,
        "current": JOIN.join(entry.labels) or entry.status,
        "label": said,
        "note": note,
        "reviewer": name,
        "release": f"{manifest.benchmark} {manifest.version}",
    }
    rows, known = _with_row(file, {key: inert(value) for key, value in row.items()})
    if not known:
        write_bytes(file, _csv(rows))
    return Correction(
        entry=entry, label=said, file=file, rows=len(rows), known=known, benchmark=manifest.benchmark
    )  # fmt: skip


def _entry(image: str, entries: Mapping[str, ReleaseEntry], release: str) -> ReleaseEntry:
    """The image that somebody names. Raises AcbenchError for none or several."""
    by_path = {entry.image: entry for entry in entries.values()}
    found = ItemNames({*entries, *by_path}).find(release, image)
    if found is None:
        near = difflib.get_close_matches(image, by_path, NEAR, 0.5) or sorted(by_path)[:1]
        raise AcbenchError(
            f"{release} has no image {tidy(image, 200)}", f"an `item_id` or `image_path`, such as {', '.join(near)}"
        )
    return entries.get(found) or by_path[found]


def _decision(label: str, entry: ReleaseEntry, schema: Schema | None, entries: Collection[ReleaseEntry]) -> Decision:
    """What somebody says that the label should be. Raises AcbenchError for what names nothing."""
    category: Category | None = schema.category(entry.category) if schema else None
    try:
        if category is not None:
            return read_typed(label.strip(), category)
        verdict = verdict_named(label)
        return decide([verdict], ()) if verdict else decide((), _seen(label, entry, entries))
    except DecisionError as error:
        raise ReviewError(f"{tidy(label, 80)}: {error.reason}", f"or one of {', '.join(VERDICTS)}") from None


def _seen(label: str, entry: ReleaseEntry, entries: Collection[ReleaseEntry]) -> list[str]:
    """Classes of a category as far as the release shows them. Raises AcbenchError for others."""
    known = sorted({name for each in entries if each.category == entry.category for name in each.labels})
    named = names_in(label, typed=True)
    if unknown := [name for name in named if name not in known]:
        raise AcbenchError(
            f"{tidy(unknown[0], 80)} is no class that {entry.category} has in this release: {', '.join(known)}",
            "with the schema of the benchmark others are known: --schema FILE",
        )
    return named


def _with_row(file: Path, row: dict[str, str]) -> tuple[list[dict[str, str]], bool]:
    """The rows of a file with one more, and whether it was there already. Raises AcbenchError for another about it."""
    rows = read_csv(file, COLUMNS) if file.exists() else []
    for line, cells in rows:
        if (cells["item_id"], cells["reviewer"]) != (row["item_id"], row["reviewer"]):
            continue
        if (cells["label"], cells["note"]) == (row["label"], row["note"]):
            return [each.cells for each in rows], True
        raise AcbenchError(
            f"{file}, line {line}: {row['image']} has a row already: {tidy(cells['label'], 80)}",
            "change that line with an editor, or give another file: --out FILE",
        )
    return [*(each.cells for each in rows), row], False


def _csv(rows: Collection[Mapping[str, str]]) -> bytes:
    out = io.StringIO(newline="")
    columns = [*COLUMNS, *sorted({key for row in rows for key in row} - {*COLUMNS})]
    writer = csv.DictWriter(out, columns, lineterminator="\n", restval="")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue().encode("utf-8-sig")
