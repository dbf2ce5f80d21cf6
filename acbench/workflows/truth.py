"""The truth to score against: the labels of a project, of the bundled edition, or of a release."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import cast, get_args

from acbench import schema as schemas
from acbench.data import sources
from acbench.errors import AcbenchError, ReleaseError
from acbench.evaluation.truth import NONE, Aliases, Truth, check_aliases, check_categories, of_labels, of_rows
from acbench.records import Item, Label, LabelStatus, Split
from acbench.release.entries import Entry, ReleaseSource, entries, manifest
from acbench.release.manifest import Manifest
from acbench.schema import Schema
from acbench.schema.views import View
from acbench.storage import bundled as editions
from acbench.storage import tables as store
from acbench.storage.project import BenchmarkFiles


@dataclass(frozen=True, slots=True)
class Labelled:
    """Labels of a benchmark and which of them are for testing."""

    labels: tuple[Label, ...]
    where: str
    """What they are, for people."""
    split_of: Callable[[str], Split]
    """Image → split."""
    edition: tuple[Label, ...] = ()
    """Those of the bundled edition, if there is one: labels of fewer images are of a part of the benchmark."""

    def truth(self, schema: Schema, *, view: View, categories: Collection[str] = (), aliases: Aliases = NONE) -> Truth:
        """Of the test split."""
        truth = self._of(self.labels, schema, view, categories, aliases)
        check_aliases(aliases, truth)
        whole = len(truth.targets) if not categories else len(self._of(self.labels, schema, view).targets)
        with suppress(AcbenchError):  # a schema of one's own, of the same name, may not know the edition's classes
            whole = max(whole, len(self._of(self.edition, schema, view).targets))
        return truth if whole == len(truth.targets) else replace(truth, part=(len(truth.targets), whole))

    def _of(
        self,
        labels: Iterable[Label],
        schema: Schema,
        view: View,
        categories: Collection[str] = (),
        aliases: Aliases = NONE,
    ) -> Truth:
        return of_labels(
            labels,
            schema,
            view=view,
            scored=lambda label: self.split_of(label.image) == "test",
            categories=categories,
            aliases=aliases,
        )


def labelled(bench: BenchmarkFiles, schema: Schema) -> Labelled:
    """The project's own labels if there are any, else the bundled edition's. Raises AcbenchError if there are none."""
    labels, where = store.read(bench.labels, Label), f"the labels in {bench.labels}"
    edition = editions.edition_labels(bench.benchmark)
    if not labels:
        labels, edition, where = edition, [], f"the edition of {schema.title} that comes with acbench"
    if not labels:
        raise AcbenchError(f"there are no labels of {schema.benchmark}", f"acbench relabel {schema.argument}")
    return Labelled(tuple(labels), where, _split_of(bench, schema), tuple(edition))


def _split_of(bench: BenchmarkFiles, schema: Schema) -> Callable[[str], Split]:
    by_path = sources.get(schema.source).split_of
    if by_path is not None:
        return by_path
    items: Mapping[str, Item] = {item.image: item for item in store.read(bench.items, Item)}

    def split_of(image: str) -> Split:
        if image not in items:
            raise AcbenchError(f"which split is {image} in?", f"acbench ingest {schema.argument} --root FOLDER")
        return items[image].split

    return split_of


TEST = "test"
_ANOTHER = "give another release, --truth, or other categories of this one, --category"


def of_release(
    place: ReleaseSource,
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
    rows = [_checked(row) for row in entries(place, found).values()]
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
        hint=_ANOTHER,
    )
    check_aliases(aliases, truth)
    return truth, where


def _bundled(found: Manifest) -> Schema | None:
    known = schemas.load(found.benchmark) if found.benchmark in schemas.names() else None
    return known if known is not None and known.digest == found.schema_digest else None


def _of_classes(rows: Collection[Entry], found: Manifest, categories: Collection[str], aliases: Aliases) -> Truth:
    check_categories(categories, {row.category for row in rows})
    told, others = [], {}
    for row in rows:
        if row.split == TEST and row.status == "accepted" and row.label is not None:
            told.append((row.image, row.item_id, row.category, row.label))
        elif not categories or row.category in categories:
            others[row.item_id] = _why_not(row)
    if not any(not categories or category in categories for _, _, category, _ in told):
        raise AcbenchError(f"no item of {found.benchmark} has an accepted label", _ANOTHER)
    images = {row.item_id: row.image for row in rows}
    return of_rows(found.benchmark, told, categories=categories, aliases=aliases, others=others, images=images)


def _why_not(row: Entry) -> str:
    """Why an item is not scored."""
    if row.split != TEST:
        return "of the training split"
    return row.status if row.status != "accepted" else "outside the published view"


def _checked(row: Entry) -> Entry:
    """Raises ReleaseError for a status that there is none of."""
    if row.status not in get_args(LabelStatus):
        raise ReleaseError(
            f"{row.item_id!a:.80}: there is no status {row.status!a:.80}", "acbench verify tells what is wrong"
        )
    return row


def _label(row: Entry, found: Manifest) -> Label:
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
