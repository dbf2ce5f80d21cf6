"""The proposers side by side, and the people: figures from what is kept."""

from __future__ import annotations

from typing import Any

from acbench.evaluation import proposers
from acbench.evaluation.agreement import agreement
from acbench.records import PEOPLE
from acbench.review.queue import by_item
from acbench.workflows.label import Labelled, label, prepare, read_reviews
from acbench.workflows.run import Run


def compare(run: Run, labelled: Labelled | None = None, *, people_only: bool | None = None) -> dict[str, Any]:
    """Figures of each proposer: see `evaluation.proposers`.

    `people_only`: judged by what people decided; None for that if they decided anything, else by all labels.
    """
    labelled = labelled or label(run, prepare(run))
    if people_only is None:
        people_only = any(label.decided_by == PEOPLE for label in labelled.labels.values())
    proposed = labelled.proposed
    return proposers.compare(
        proposed.dataset.items,
        proposed.by_item,
        labelled.labels,
        run.schema,
        people_only=people_only,
        cost=run.ledger.calls.dollars,
    )


def agree(run: Run) -> dict[str, Any]:
    """How far people agree, and with proposers: see `evaluation.agreement`."""
    proposed = prepare(run)
    return agreement(proposed.dataset.items, proposed.by_item, by_item(read_reviews(run)), run.schema)
