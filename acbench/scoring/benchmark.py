"""The truth of a benchmark, from a project's labels or from the edition that comes with acbench."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace

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


def labelled(bench: Bench, schema: Schema) -> Labelled:
    """The project's own labels if there are any, else the bundled edition's. Raises AcbenchError if there are none."""
    labels, where = store.read(bench.labels, Label), f"the labels in {bench.labels}"
    edition = editions.edition_labels(bench.benchmark)
    if not labels:
        labels, edition, where = edition, [], f"the edition of {schema.title} that comes with acbench"
    if not labels:
        raise AcbenchError(f"there are no labels of {schema.benchmark}", f"acbench relabel {schema.argument}")
    return Labelled(tuple(labels), where, _split_of(bench, schema), tuple(edition))


def _split_of(bench: Bench, schema: Schema) -> Callable[[str], Split]:
    by_name = getattr(sources.get(schema.source), "split_of", None)
    if by_name is not None:
        found: Callable[[str], Split] = by_name
        return found
    items: Mapping[str, Item] = {item.image: item for item in store.read(bench.items, Item)}

    def split_of(image: str) -> Split:
        if image not in items:
            raise AcbenchError(f"which split is {image} in?", f"acbench ingest {schema.argument} --root FOLDER")
        return items[image].split

    return split_of
