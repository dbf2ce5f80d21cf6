"""Counts labels: by status, by who decided them, and those that the published benchmark holds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from acbench.records import GOOD, Label, category_of
from acbench.schema import Schema


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelCounts:
    """How many labels there are of each status."""

    all: int
    accepted: int
    pending: int
    excluded: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedCounts:
    """Size of the published benchmark: the images whose accepted label set is one of its classes."""

    categories: int
    classes: int
    """Classes of defects, counted by category."""
    images: int
    """Images with a class of defect."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelFigures:
    """What some labels come to."""

    labels: LabelCounts
    decided_by: Mapping[str, int]
    """`Label.decided_by` → how many labels."""
    published: PublishedCounts


class LabelTally:
    """Counts labels as they pass."""

    def __init__(self, schema: Schema) -> None:
        self._schema = schema
        self._statuses: Counter[str] = Counter()
        self._published: Counter[tuple[str, str]] = Counter()
        self._decided_by: Counter[str] = Counter()

    def add(self, label: Label) -> None:
        """Count one more."""
        self._statuses[label.status] += 1
        self._decided_by[label.decided_by] += 1
        if label.status != "accepted" or label.labels == (GOOD,):
            return
        schema = self._schema
        category = schema.category(schema.key_of(category_of(label.item_id, label.image, schema.categories)))
        name = category.published_class(label.labels) if category is not None else None
        if category is not None and name is not None:
            self._published[category.key, name] += 1

    def of(self, labels: Iterable[Label]) -> LabelTally:
        """The same, once these are counted too."""
        for label in labels:
            self.add(label)
        return self

    def add_all(self, other: LabelTally) -> None:
        """Count what another has counted."""
        self._statuses += other._statuses
        self._published += other._published
        self._decided_by += other._decided_by

    def to_json(self) -> dict[str, Any]:
        """JSON values."""
        published = [(*place, count) for place, count in sorted(self._published.items())]
        return {"statuses": self._statuses, "decided_by": self._decided_by, "published": published}

    @classmethod
    def from_json(cls, value: Any, schema: Schema) -> LabelTally:
        """What `to_json` gave. Raises ValueError, TypeError or KeyError for anything else."""
        tally = cls(schema)
        tally._statuses.update({str(status): int(count) for status, count in value["statuses"].items()})
        tally._decided_by.update({str(name): int(count) for name, count in value["decided_by"].items()})
        tally._published.update({(str(key), str(name)): int(count) for key, name, count in value["published"]})
        return tally

    @property
    def figures(self) -> LabelFigures:
        """What was counted."""
        counts, published = self._statuses, self._published
        return LabelFigures(
            labels=LabelCounts(
                all=counts.total(),
                accepted=counts["accepted"],
                pending=counts["pending"],
                excluded=counts["excluded"],
            ),
            decided_by=dict(sorted(self._decided_by.items())),
            published=PublishedCounts(
                categories=len({category for category, _ in published}),
                classes=len(published),
                images=published.total(),
            ),
        )
