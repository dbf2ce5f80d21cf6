"""The proposer `table:NAME`: labels that others published, from a table bundled with the benchmark.

It reads `witnesses/NAME.csv`, one row an image. Columns: `image` (path relative to the dataset's root), `labels` (class
names of the schema or of the dataset, joined by `;`), `source`, `licence`.

The authors of a table saw the original images. Where it is not sure that an image is the original's, by its bytes or by
the names in its folder (`acbench.data.sources.Originals`), the table abstains; one that has another name here is found.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from acbench._util.console import Progress
from acbench.data.sources import Originals, compare, originals
from acbench.errors import AcbenchError
from acbench.predictors.base import Proposer, Setup
from acbench.records import PEOPLE, Item, Proposal, label_set
from acbench.schema import Category, Schema
from acbench.storage.bundled import witness_names, witness_text
from acbench.storage.csv_files import names_in
from acbench.storage.digests import digest

SAW: Mapping[str, tuple[str, ...]] = {
    "mvtec_fs": ("image", "mask", PEOPLE),
    "visa_ac": ("source_label", PEOPLE),
}
"""The evidence that the authors of each bundled table used. VisA-AC refined the dataset's own labels, so it is not a
witness independent of them. MVTec-FS gave the connected components of the masks new names."""


@dataclass(frozen=True)
class Table:
    """The proposer `table:NAME`."""

    schema: Schema
    title: str
    """NAME."""
    text: str
    """The content of the table."""
    originals: Originals | None = None
    """What this version of acbench knows of the original images; None if paths are to be believed."""

    @cached_property
    def name(self) -> str:
        return f"{self.title}@{digest(self.text, self.schema.digest, length=8)}"

    def propose(self, items: Sequence[Item], progress: Progress) -> Iterable[Proposal]:
        """One proposal for each item that the table has, or may have, a row for."""
        labels_of = {row["image"]: row["labels"] for row in csv.DictReader(io.StringIO(self.text))}
        compared = compare(self.originals, items)
        for done, item in enumerate(items, start=1):
            progress(done, len(items))
            path = compared.paths.get(item.item_id, "")
            if path in labels_of:
                yield self._proposal(item, names_in(labels_of[path]), path)
            elif item.image in labels_of and (doubt := compared.doubts.get(item.item_id)):
                yield self._abstention(item, doubt)

    def _abstention(self, item: Item, doubt: str) -> Proposal:
        return Proposal(
            item_id=item.item_id,
            proposer=self.name,
            labels=(),
            status="abstained",
            reason=f"it may not be the image that {self.title} speaks of: {doubt}",
            saw=SAW.get(self.title, ("image",)),
            schema_version=self.schema.version,
        )

    def _proposal(self, item: Item, names: Sequence[str], path: str) -> Proposal:
        category = self.schema.category(item.category)
        sets_of = {name: class_sets(category, name) for name in names} if category else {}
        unknown = [name for name, sets in sets_of.items() if not sets]
        grouped = [name for name, sets in sets_of.items() if len(sets) > 1]
        labels = label_set(label for sets in sets_of.values() for label in sets[0]) if not unknown else ()
        note = f"; `{grouped[0]}` groups several label sets, this is the smallest" if grouped else ""
        note += f"; by its bytes, the image is {path} of the original" if path != item.image else ""
        reason = f"the schema does not know {', '.join(unknown) or item.category}"
        return Proposal(
            item_id=item.item_id,
            proposer=self.name,
            labels=labels,
            rationale=f"{self.title} says {', '.join(names)}{note}",
            status="ok" if labels else "abstained",
            reason="" if labels else reason,
            saw=SAW.get(self.title, ("image",)),
            schema_version=self.schema.version,
        )


def class_sets(category: Category, name: str) -> list[tuple[str, ...]]:
    """The label sets that a name may mean, the smallest first; empty if the name is unknown.

    A name is that of a published class, which may group several sets, of a label of the dataset, or of a class.
    """
    for published in category.published:
        if published.id == name:
            return sorted(published.sets, key=lambda labels: (len(labels), labels))
    for defect in category.classes:
        if name in defect.source:
            return [(defect.id,)]
    parsed = category.parse(name)
    return [(parsed,)] if parsed else []


def build(setup: Setup, argument: str = "") -> Proposer:
    """The benchmark's table with the name `argument`. Raises AcbenchError if there is no such table."""
    known = witness_names(setup.schema.benchmark)
    if argument not in known:
        raise AcbenchError(
            f"no table {argument!r} comes with {setup.schema.benchmark}",
            f"there are: {', '.join(known) or 'none'}",
        )
    text = witness_text(setup.schema.benchmark, argument)
    return Table(setup.schema, argument, text, originals(setup.schema.source))
