"""What is to be said about a set of labels: for `labels.meta.json`, and for the screen."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from acbench.data.sources import Source
from acbench.predictors.base import tally
from acbench.records import GOOD, PEOPLE, Finding, Item, Label, Proposal, Review, category_of
from acbench.review.csv_queue import says
from acbench.review.queue import ORDER, RankedItem, auto_accept_error
from acbench.review.resolve import POLICY
from acbench.schema import Schema
from acbench.storage.typed_json import to_json

TOP = 8
"""So many items of the queue are shown on the screen."""


def meta(
    labels: Sequence[Label],
    proposals: Mapping[str, Sequence[Proposal]],
    reviews: Sequence[Review],
    schema: Schema,
    source: Source,
) -> dict[str, Any]:
    """The content of `labels.meta.json`; `proposals` are keyed by the proposer's full name. It depends on the labels'
    inputs alone, so that the same inputs give the same file."""
    people = sorted({review.reviewer for review in reviews})
    return {
        "benchmark": schema.benchmark,
        "title": schema.title,
        "schema": {"version": schema.version, "digest": schema.digest},
        "policy": POLICY,
        "source": {
            "name": source.NAME,
            "title": source.TITLE,
            "licence": source.LICENCE,
            "attribution": source.ATTRIBUTION,
            "home": source.HOME,
        },
        "licence": schema.licence,
        "witnesses": {name: tally(answers) for name, answers in sorted(proposals.items())},
        "people": {
            "reviewers": len(people),
            "reviews": len(reviews),
            "note": "" if reviews else "No person has reviewed these labels yet.",
        },
        "labels": status_counts(labels),
        "decided_by": dict(sorted(Counter(label.decided_by for label in labels).items())),
        "published": published(labels, schema),
    }


def report(
    *,
    dataset: str,
    items: Sequence[Item],
    findings: Sequence[Finding],
    proposals: Mapping[str, Sequence[Proposal]],
    ranked: Sequence[RankedItem],
    waiting: Sequence[RankedItem],
    machine: Mapping[str, Label],
    labels: Mapping[str, Label],
    schema: Schema,
) -> dict[str, Any]:
    """What a person wants to know after a relabel, as JSON-ready values.

    `machine` and `labels`: the labels without and with reviews, keyed by item_id, as `proposals`.
    """
    by_proposer: defaultdict[str, list[Proposal]] = defaultdict(list)
    for answers in proposals.values():
        for answer in answers:
            by_proposer[answer.proposer].append(answer)
    by_id = {item.item_id: item for item in items}
    error = auto_accept_error(ranked, machine, labels)
    asked = sum(each.why == "audit" for each in ranked)
    return {
        "benchmark": schema.benchmark,
        "title": schema.title,
        "schema": {"version": schema.version, "digest": schema.digest},
        "dataset": dataset,
        "images": {"all": len(items), "anomalous": sum(item.anomalous for item in items),
                   "unusable": sum(bool(item.problem) for item in items)},
        "findings": [to_json(finding) for finding in findings],
        "witnesses": {name: tally(answers) for name, answers in sorted(by_proposer.items())},
        "queue": {"waiting": len(waiting), **_whys(waiting), "ranked": _whys(ranked)},
        "labels": status_counts(labels.values()),
        "decided_by_people": sum(label.decided_by == PEOPLE for label in labels.values()),
        "published": published(labels.values(), schema),
        "audit": {"asked": asked, "answered": error.n if error else 0,
                  "error": error and error.interval_to_json()},
        "top": [
            {
                "rank": each.rank,
                "item_id": each.item_id,
                "image": by_id[each.item_id].image,
                "why": each.why,
                "label_issue_score": each.label_issue_score,
                "source": ", ".join(by_id[each.item_id].source_labels),
                "proposals": [says(answer) for answer in proposals.get(each.item_id, ())],
            }
            for each in waiting[:TOP]
        ],
        "pictures": [f"{each.item_id}.jpg" for each in waiting],
    }  # fmt: skip


def _whys(ranked: Iterable[RankedItem]) -> dict[str, int]:
    counts = Counter(each.why for each in ranked)
    return {why: counts[why] for why in ORDER if why != "settled"}


def status_counts(labels: Iterable[Label]) -> dict[str, int]:
    """How many labels there are of each status."""
    counts = Counter(label.status for label in labels)
    return {
        "all": counts.total(),
        **{status: counts[status] for status in ("accepted", "pending", "excluded")},
    }


def published(labels: Iterable[Label], schema: Schema) -> dict[str, int]:
    """Size of the published benchmark's view of these labels: categories, defect classes, anomalous images.

    An image belongs to it if its accepted label set is one of the published classes.
    """
    found: Counter[tuple[str, str]] = Counter()
    for label in labels:
        category = schema.category(category_of(label.image))
        if category is not None and label.status == "accepted" and label.labels != (GOOD,):
            name = category.published_class(label.labels)
            if name is not None:
                found[category.key, name] += 1
    return {"categories": len({key for key, _ in found}), "classes": len(found), "images": found.total()}
