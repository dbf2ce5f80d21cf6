"""What somebody else's table says: one row an image, in the class names of the schema or of the dataset.

`table:NAME` reads `witnesses/NAME.csv` bundled with the benchmark. Columns: `image` (path relative to the dataset's
root), `labels` (names joined by `;`), `source`, `licence`.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from acbench._util.console import Progress
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
"""What the makers of each bundled table started from. VisA-AC refined the dataset's own labels, so it is no second
witness beside them; MVTec-FS named the connected components of the masks anew."""


@dataclass(frozen=True)
class Table:
    """See the module."""

    schema: Schema
    title: str
    text: str

    @cached_property
    def name(self) -> str:
        return f"{self.title}@{digest(self.text, self.schema.digest, length=8)}"

    def propose(self, items: Sequence[Item], progress: Progress) -> Iterable[Proposal]:
        """One proposal for each item that the table has a row for."""
        said = {row["image"]: row["labels"] for row in csv.DictReader(io.StringIO(self.text))}
        for done, item in enumerate(items, start=1):
            progress(done, len(items))
            if item.image in said:
                yield self._one(item, said[item.image])

    def _one(self, item: Item, said: str) -> Proposal:
        category = self.schema.category(item.category)
        names = names_in(said)
        found = [class_sets(category, name) for name in names] if category else []
        unknown = [name for name, one in zip(names, found, strict=False) if not one]
        grouped = [name for name, one in zip(names, found, strict=False) if len(one) > 1]
        labels = label_set(label for one in found if one for label in one[0]) if not unknown else ()
        note = f"; `{grouped[0]}` groups several label sets, this is the smallest" if grouped else ""
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
    """The label sets that a name may mean: a published class, a label of the dataset, or a class."""
    for published in category.published:
        if published.id == name:
            return sorted(published.sets, key=lambda one: (len(one), one))
    for one in category.classes:
        if name in one.source:
            return [(one.id,)]
    parsed = category.parse(name)
    return [(parsed,)] if parsed else []


def build(setup: Setup, argument: str = "") -> Proposer:
    """The table `argument` of the benchmark. Raises AcbenchError if there is none of that name."""
    known = witness_names(setup.schema.benchmark)
    if argument not in known:
        raise AcbenchError(
            f"no table {argument!r} comes with {setup.schema.benchmark}",
            f"there are: {', '.join(known) or 'none'}",
        )
    return Table(setup.schema, argument, witness_text(setup.schema.benchmark, argument))
