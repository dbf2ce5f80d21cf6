"""Proposers side by side: against the current labels, against each other, and against what they cost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from itertools import combinations
from typing import Any

from acbench.records import JOIN, PEOPLE, Item, Label, Proposal, short_name
from acbench.review.crowdlab import cross_validated
from acbench.schema import Schema
from acbench.stats import calibration, kappa, rate

CONFUSIONS = 5
"""So many of a proposer's commonest mistakes are listed."""


def compare(
    items: Sequence[Item],
    proposals: Mapping[str, Sequence[Proposal]],
    labels: Mapping[str, Label],
    schema: Schema,
    *,
    people_only: bool,
    cost: Callable[[Sequence[str]], float],
) -> dict[str, Any]:
    """Figures of each proposer on the anomalous images with a label, as JSON-ready values.

    `people_only`: only where people decided. Otherwise pending labels count too, and a proposer that helped to make the
    labels is in part judged by itself.
    `cost`: dollars that calls, by their ids, took.
    """
    truth = {
        item.item_id: JOIN.join(labels[item.item_id].labels)
        for item in items
        if item.anomalous
        and labels[item.item_id].labels
        and labels[item.item_id].status != "excluded"
        and (labels[item.item_id].decided_by == PEOPLE or not people_only)
    }
    asked: dict[str, dict[str, Proposal]] = {}
    for answers in proposals.values():
        for answer in answers:
            asked.setdefault(short_name(answer.proposer), {})[answer.item_id] = answer
    said = {
        name: {
            item: JOIN.join(answer.labels) for item, answer in rows.items() if answer.status == "ok" and item in truth
        }
        for name, rows in sorted(asked.items())
    }
    weighed = cross_validated(items, proposals, labels, schema)
    if weighed:
        said["weighed, cross-validated"] = {item: label for item, label in weighed.items() if item in truth}
    category_of = {item.item_id: item.category for item in items}
    return {
        "benchmark": schema.benchmark,
        "truth": "people's decisions" if people_only else "the current labels",
        "images": len(truth),
        "proposers": {
            name: {
                **_figures(rows, truth),
                "by_category": {
                    category: _figures(_only(rows, category, category_of), _only(truth, category, category_of))
                    for category in sorted({category_of[item] for item in truth})
                },
                "calibration": calibration(_confidences(asked.get(name, {}), truth)),
                **_prices(asked.get(name, {}), rows, truth, cost),
                "confusions": _confusions(rows, truth, category_of),
            }
            for name, rows in said.items()
        },
        "agreement": [
            {"one": one, "other": other, **_agreement(said[one], said[other])} for one, other in combinations(said, 2)
        ],
    }


def _figures(said: Mapping[str, str], truth: Mapping[str, str]) -> dict[str, Any]:
    right = sum(truth[item] == label for item, label in said.items())
    accuracy = rate(right, len(said))
    return {
        "answered": len(said),
        "coverage": len(said) / len(truth) if truth else None,
        "right": right,
        "accuracy": accuracy and accuracy.interval_to_json(),
        "kappa": kappa([truth[item] for item in said], list(said.values())),
    }


def _agreement(one: Mapping[str, str], other: Mapping[str, str]) -> dict[str, Any]:
    both = sorted(set(one) & set(other))
    same = sum(one[item] == other[item] for item in both)
    return {
        "images": len(both),
        "same": same / len(both) if both else None,
        "kappa": kappa([one[item] for item in both], [other[item] for item in both]),
    }


def _confidences(rows: Mapping[str, Proposal], truth: Mapping[str, str]) -> list[tuple[float, bool]]:
    """(probability of the best class, whether it is right) of each image with one true class; abstentions count too."""
    found = []
    for item, answer in sorted(rows.items()):
        if answer.scores and item in truth and JOIN not in truth[item]:
            best = max(answer.scores, key=lambda label: (answer.scores[label], label))
            found.append((answer.scores[best], best == truth[item]))
    return found


def _prices(
    rows: Mapping[str, Proposal],
    said: Mapping[str, str],
    truth: Mapping[str, str],
    cost: Callable[[Sequence[str]], float],
) -> dict[str, Any]:
    calls = sorted({call for answer in rows.values() for call in answer.calls})
    right = sum(truth[item] == label for item, label in said.items())
    dollars = cost(calls) if calls else 0.0
    return {"calls": len(calls), "dollars": dollars, "dollars_per_right": dollars / right if calls and right else None}


def _confusions(
    said: Mapping[str, str], truth: Mapping[str, str], category_of: Mapping[str, str]
) -> list[dict[str, Any]]:
    wrong = Counter((category_of[item], truth[item], label) for item, label in said.items() if truth[item] != label)
    ordered = sorted(wrong.items(), key=lambda pair: (-pair[1], pair[0]))[:CONFUSIONS]
    return [{"category": c, "true": true, "said": label, "images": n} for (c, true, label), n in ordered]


def _only(rows: Mapping[str, str], category: str, category_of: Mapping[str, str]) -> dict[str, str]:
    return {item: value for item, value in rows.items() if category_of[item] == category}
