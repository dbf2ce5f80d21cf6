"""What reviews say about people: how far they agree, what proposals do to them, and whether a proposer could be one."""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations
from statistics import median
from typing import Any

from acbench.records import Item, Proposal, Review
from acbench.review.resolve import current_reviews
from acbench.schema import Schema
from acbench.stats import (
    ClassSet,
    Estimate,
    EstimateJson,
    alternative_annotator,
    cohen_kappa,
    fleiss_kappa,
    krippendorff_alpha,
    masi,
    rate,
)

Rows = Mapping[str, Mapping[str, ClassSet]]
"""Image → reviewer → answer."""


def agreement(
    items: Sequence[Item],
    proposals: Mapping[str, Sequence[Proposal]],
    reviews: Mapping[str, Sequence[Review]],
    schema: Schema,
) -> dict[str, Any]:
    """Figures on the latest decision of each reviewer on each image, as JSON-ready values.

    A verdict such as `bad_mask` counts as an answer of its own; `unsure` as none. A proposer is compared with people
    who had not seen its answer; those who had are counted apart.
    """
    category_of = {item.item_id: item.category for item in items}
    current = [
        review
        for item, history in sorted(reviews.items())
        if item in category_of
        for review in current_reviews(history)
    ]
    decided = [review for review in current if review.verdict != "unsure"]
    rows: defaultdict[str, dict[str, ClassSet]] = defaultdict(dict)
    for review in decided:
        rows[review.item_id][review.reviewer] = _answer(review)
    categories = sorted({category_of[item] for item in rows})
    by_category = {key: {item: row for item, row in rows.items() if category_of[item] == key} for key in categories}
    return {
        "benchmark": schema.benchmark,
        "images": len(rows),
        "shared": sum(len(row) > 1 for row in rows.values()),
        "reviewers": {name: _person(current, name) for name in sorted({review.reviewer for review in current})},
        "agreement": _figures(rows),
        "by_category": {
            key: {**_figures(part), "by_class": _by_class(part), "seconds": _seconds(
                review for review in decided if category_of[review.item_id] == key)}
            for key, part in by_category.items()
        },
        "pairs": _pairs(rows),
        "proposers": _proposers(proposals, decided),
        "seconds": {
            "all": _seconds(decided),
            "shown": _seconds(review for review in decided if review.shown),
            "blind": _seconds(review for review in decided if not review.shown),
        },
    }  # fmt: skip


def _answer(review: Review) -> ClassSet:
    return review.labels if review.verdict == "label" else (f"({review.verdict})",)


def _person(current: Sequence[Review], name: str) -> dict[str, Any]:
    own = [review for review in current if review.reviewer == name]
    return {
        "decisions": len(own),
        "unsure": sum(review.verdict == "unsure" for review in own),
        "blind": sum(not review.shown for review in own),
        "seconds": _seconds(own),
    }


def _figures(rows: Rows) -> dict[str, Any]:
    answers = [list(row.values()) for _, row in sorted(rows.items())]
    shared = [row for row in answers if len(row) > 1]
    same = rate(sum(len(set(row)) == 1 for row in shared), len(shared))
    distances = [masi(one, other) for row in shared for one, other in combinations(row, 2)]
    return {
        "images": len(rows),
        "shared": len(shared),
        "unanimous": same and same.interval_to_json(),
        "alpha": _plain(krippendorff_alpha(answers)),
        "fleiss": _plain(fleiss_kappa(answers)),
        "distance": sum(distances) / len(distances) if distances else None,
    }


def _by_class(rows: Rows) -> dict[str, Any]:
    """Of each class on its own: is it there or not?"""
    classes = sorted({label for row in rows.values() for answer in row.values() for label in answer})
    found = {}
    for label in classes:
        answers = [[("yes",) if label in answer else ("no",) for answer in row.values()] for row in rows.values()]
        named = sum(any(label in answer for answer in row.values()) for row in rows.values())
        found[label] = {"images": named, "alpha": _plain(krippendorff_alpha(answers))}
    return found


def _pairs(rows: Rows) -> dict[str, Any]:
    names = sorted({name for row in rows.values() for name in row})
    found = {}
    for one, other in combinations(names, 2):
        both = [row for _, row in sorted(rows.items()) if one in row and other in row]
        if both:
            kappa = cohen_kappa([row[one] for row in both], [row[other] for row in both])
            same = sum(row[one] == row[other] for row in both) / len(both)
            found[f"{one} and {other}"] = {"images": len(both), "same": same, "kappa": _plain(kappa)}
    return found


def _proposers(proposals: Mapping[str, Sequence[Proposal]], decided: Sequence[Review]) -> dict[str, Any]:
    said: defaultdict[str, dict[str, ClassSet]] = defaultdict(dict)
    for answers in proposals.values():
        for answer in answers:
            if answer.status == "ok":
                said[answer.proposer][answer.item_id] = answer.labels
    found: dict[str, dict[str, Any]] = {}
    for name, own in sorted(said.items()):
        both = [review for review in decided if review.item_id in own]
        shown = [review for review in both if name in review.shown]
        unseen = [review for review in both if name not in review.shown]
        people: defaultdict[str, dict[str, ClassSet]] = defaultdict(dict)
        for review in unseen:
            people[review.reviewer][review.item_id] = _answer(review)
        test = alternative_annotator(people, own)
        found[name] = {
            "shown": _kept(shown, own),
            "blind": _kept(unseen, own),
            "kappa": _plain(
                cohen_kappa(
                    [_answer(each) for each in unseen],
                    [own[each.item_id] for each in unseen],
                    [each.item_id for each in unseen],
                )
            ),
            "alternative": test.too_few or {**dataclasses.asdict(test), "passes": test.passes},
        }
    return {name: figures for name, figures in found.items() if figures["shown"]["n"] or figures["blind"]["n"]}


def _kept(reviews: Sequence[Review], said: Mapping[str, ClassSet]) -> dict[str, Any]:
    """How often people decided what a proposer had said: `n` decisions, of which several may be about one image."""
    same = rate(sum(_answer(review) == said[review.item_id] for review in reviews), len(reviews))
    if same is None:
        return {"n": 0, "same": None}
    return {"n": same.n, "same": same.interval_to_json()}


def _seconds(reviews: Iterable[Review]) -> dict[str, Any]:
    known = sorted(review.seconds for review in reviews if review.seconds is not None)
    return {"n": len(known), "median": median(known) if known else None, "sum": round(sum(known), 1)}


def _plain(estimate: Estimate | None) -> EstimateJson | None:
    return None if estimate is None else estimate.to_json()
