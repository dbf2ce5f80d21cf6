"""Replaces the names of those who decided by pseudonyms, in everything that a report shows."""

from __future__ import annotations

import dataclasses
from collections import ChainMap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from acbench.records import Item, Label, Review
from acbench.release.pseudonyms import anonymous, load_key, pseudonyms
from acbench.review.history import by_item, current_reviews
from acbench.review.queue import RankedItem
from acbench.review.resolve import resolve_item
from acbench.schema import Schema
from acbench.workflows.label import Labelled
from acbench.workflows.run import Run

SCOPE = "report"
"""Stands for the version of a release: nobody is known in a report by the pseudonym that a release gives."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What a report tells of people."""

    reviews: Mapping[str, Sequence[Review]]
    """By item_id."""
    labels: Mapping[str, Label]
    """By item_id. Their reasons name people."""
    waiting: Sequence[RankedItem]
    """The queue, which says why people asked for another look."""


def with_pseudonyms(run: Run, labelled: Labelled, waiting: Sequence[RankedItem]) -> Told:
    """What the report tells, with pseudonyms: the same ones in every report of a project."""
    names = {review.reviewer for review in labelled.reviews}
    key = load_key(run.files.workspace / "pseudonyms.key") if names else b""
    reviews = by_item(anonymous(labelled.reviews, pseudonyms(names, key, SCOPE)))
    renamed = {
        item_id: _renamed(item, labelled.decided[item_id], reviews.get(item_id, ()), run.schema)
        for item_id, item in labelled.looked_at.items()
    }
    return Told(
        reviews=reviews,
        labels=ChainMap(renamed, cast("dict[str, Label]", labelled.labels)),
        # Of an image that people have looked at, its history tells what they asked for.
        waiting=[dataclasses.replace(row, detail="") if row.item_id in reviews else row for row in waiting],
    )


def _renamed(item: Item, label: Label, history: Sequence[Review], schema: Schema) -> Label:
    """The label with a reason that names pseudonyms; a reason of machines stays."""
    if not current_reviews(history) or item.problem:
        return label
    return dataclasses.replace(label, reason=resolve_item(item, (), history, schema).reason)
