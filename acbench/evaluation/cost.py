"""Adds up what answers cost, where that is known: from a column `cost`, or from the kept calls of a baseline."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from acbench.evaluation.predictions import Answers
from acbench.evaluation.truth import Truth


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What the answers about scored items cost."""

    answers: int
    """Answers whose cost is known."""
    right: int
    """How many of them are right."""
    dollars: float
    """All of these together."""
    dollars_per_right: float | None
    """None if none is right."""


def cost(truth: Truth, answers: Answers) -> Cost | None:
    """The cost of the answers; None if it is known of none."""
    table = answers.table(truth)
    known = ~np.isnan(table.dollars)
    if not known.any():
        return None
    dollars = round(sum(table.dollars[known].tolist()), 12)
    right = int(np.count_nonzero(table.right & known))
    return Cost(
        answers=int(np.count_nonzero(known)),
        right=right,
        dollars=dollars,
        dollars_per_right=dollars / right if right else None,
    )


def with_costs(answers: Answers, dollars: Mapping[str, float]) -> Answers:
    """The answers with the cost of each item; what an item costs that is not named stays as it is."""
    if not dollars:
        return answers
    by_item = {
        item_id: given._replace(dollars=dollars[item_id]) if item_id in dollars else given
        for item_id, given in answers.by_item.items()
    }
    return dataclasses.replace(answers, by_item=by_item)
