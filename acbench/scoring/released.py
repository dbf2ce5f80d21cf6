"""The truth that a release tells: a folder, or a repository on the Hub."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import cast, get_args

from acbench import schema as schemas
from acbench.errors import AcbenchError, ReleaseError
from acbench.records import Label, LabelStatus
from acbench.release.entries import Entry, Place, entries, manifest
from acbench.release.manifest import Manifest
from acbench.schema import Schema
from acbench.scoring.truth import NONE, Aliases, Truth, check_aliases, of_labels, of_rows
from acbench.scoring.views import View

TEST = "test"


def of_release(
    place: Place,
    schema: Schema | None,
    *,
    view: View = "published",
    categories: Collection[str] = (),
    aliases: Aliases = NONE,
) -> tuple[Truth, str]:
    """What the test split of a release tells, and what it is, for people.

    `schema`: None for the bundled one, if it is the very one that the labels were made with. Without it the classes are
    those of the release's `label` column, and their aliases are unknown. Raises ReleaseError or HubError if the release
    cannot be read, AcbenchError if the view needs the schema or nothing is left to score.
    """
    found = manifest(place)
    schema = schema or _bundled(found)
    rows = entries(place, found).values()
    where = f"{found.title} {found.version}, {place.name}"
    if schema is None:
        if view != "published":
            raise AcbenchError(f"{where}: sets of classes need the schema", "acbench score SCHEMA.yaml --truth …")
        return _of_classes(rows, found, categories, aliases), f"{where}, without its schema: class ids alone are known"
    if schema.benchmark != found.benchmark:
        raise AcbenchError(f"{where} is a release of {found.benchmark}, not of {schema.benchmark}", "give its schema")
    tested = {row.item_id for row in rows if row.split == TEST}
    truth = of_labels(
        (_label(row, found) for row in rows),
        schema,
        view=view,
        scored=lambda label: label.item_id in tested,
        categories=categories,
        aliases=aliases,
    )
    check_aliases(aliases, truth)
    return truth, where


def _bundled(found: Manifest) -> Schema | None:
    known = schemas.load(found.benchmark) if found.benchmark in schemas.names() else None
    return known if known is not None and known.digest == found.schema_digest else None


def _of_classes(rows: Iterable[Entry], found: Manifest, categories: Collection[str], aliases: Aliases) -> Truth:
    told, others, images = [], {}, {}
    for row in rows:
        images[row.item_id] = row.image
        if row.split != TEST:
            others[row.item_id] = "of the training split"
        elif row.status != "accepted":
            others[row.item_id] = row.status
        elif row.label is None:
            others[row.item_id] = "outside the published view"
        else:
            told.append((row.image, row.item_id, row.category, row.label))
    if not told:
        raise AcbenchError(
            f"no test image of {found.title} {found.version} has an accepted label", "give another release"
        )
    return of_rows(found.benchmark, told, categories=categories, aliases=aliases, others=others, images=images)


def _label(row: Entry, found: Manifest) -> Label:
    if row.status not in get_args(LabelStatus):
        raise ReleaseError(
            f"{row.item_id!a:.80}: there is no status {row.status!a:.80}", "acbench verify tells what is wrong"
        )
    return Label(
        item_id=row.item_id,
        image=row.image,
        labels=row.labels,
        status=cast(LabelStatus, row.status),
        decided_by=row.decided_by,
        policy=found.policy,
        agreement=row.agreement,
        confidence=None,
        reason=row.reason,
        licence=found.licence,
        schema_version=found.schema_version,
    )
