"""The truth of a benchmark, from a project's labels or from the edition that comes with acbench."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from acbench import editions, sources, store
from acbench.errors import AcbenchError
from acbench.project import Bench
from acbench.records import Item, Label, Split
from acbench.schema import Schema
from acbench.scoring.truth import NONE, Aliases, Truth, check_aliases, of_labels
from acbench.scoring.views import View


@dataclass(frozen=True, slots=True)
class Labelled:
    """Labels of a benchmark and which of them are for testing."""

    labels: tuple[Label, ...]
    where: str
    """What they are, for people."""
    split_of: Callable[[str], Split]
    """Image → split."""

    def truth(self, schema: Schema, *, view: View, categories: Collection[str] = (), aliases: Aliases = NONE) -> Truth:
        """Of the test split."""
        truth = of_labels(
            self.labels,
            schema,
            view=view,
            scored=lambda label: self.split_of(label.image) == "test",
            categories=categories,
            aliases=aliases,
        )
        check_aliases(aliases, truth)
        return truth


def labelled(bench: Bench, schema: Schema) -> Labelled:
    """The project's own labels if there are any, else the bundled edition's. Raises AcbenchError if there are none."""
    labels, where = store.read(bench.labels, Label), f"the labels in {bench.labels}"
    if not labels:
        labels, where = (
            editions.edition_labels(bench.benchmark),
            f"the edition of {schema.title} that comes with acbench",
        )
    if not labels:
        raise AcbenchError(f"there are no labels of {schema.benchmark}", f"acbench relabel {schema.benchmark}")
    return Labelled(tuple(labels), where, _split_of(bench, schema))


def _split_of(bench: Bench, schema: Schema) -> Callable[[str], Split]:
    by_name = getattr(sources.get(schema.source), "split_of", None)
    if by_name is not None:
        found: Callable[[str], Split] = by_name
        return found
    items: Mapping[str, Item] = {item.image: item for item in store.read(bench.items, Item)}

    def split_of(image: str) -> Split:
        if image not in items:
            raise AcbenchError(f"which split is {image} in?", f"acbench ingest {schema.benchmark} --root FOLDER")
        return items[image].split

    return split_of
