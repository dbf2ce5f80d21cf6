"""Tells of each image what the report shows: its label, why people are asked, who said what, and when."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from acbench.evaluation.proposers import LabelledDataset
from acbench.records import JOIN, PEOPLE, Item, Label, Proposal, Review
from acbench.review.history import current_reviews
from acbench.review.queue import RankedItem
from acbench.review.sight import WORDS, sight_of
from acbench.review.weighed import UNKNOWN_SCORE
from acbench.review.witnesses import in_order
from acbench.review.wording import ASKED_BECAUSE, STATUS
from acbench.schema import same_names
from acbench.storage.stored_rows import some

NO_LABEL = "(no label)"
"""Stands for the dataset's own label where it gives none."""
NOT_SETTLED, LEFT_OUT = f"({STATUS['pending']})", f"({STATUS['excluded']})"
"""Stand for the label of an image that is pending, or excluded."""

Reviews = Mapping[str, Sequence[Review]]
"""item_id → all that people said of the image."""


def source_text(item: Item) -> str:
    """The dataset's own labels of an image, as people read them."""
    return ", ".join(item.source_labels) or NO_LABEL


def label_text(label: Label) -> str:
    """The label of an image if it is accepted, else its status in words."""
    if label.status == "accepted":
        return JOIN.join(label.labels)
    return NOT_SETTLED if label.status == "pending" else LEFT_OUT


def is_changed(item: Item, label: Label) -> bool:
    """Whether the accepted label is not what the dataset says; false where it says nothing."""
    return label.status == "accepted" and bool(item.source_labels) and not same_names(item.source_labels, label.labels)


# One image


def records(
    items: Sequence[Item],
    dataset: LabelledDataset,
    waiting: Sequence[RankedItem],
    reviews: Reviews,
    names: Mapping[str, str],
) -> list[dict[str, Any]]:
    """What the page holds of each image, as JSON values; what is empty is left out. `names`: of proposers, as shown."""
    queue = {row.item_id: row for row in waiting}
    ids = [item.item_id for item in items]
    own = replace(dataset, labels=some(dataset.labels, ids), proposals=some(dataset.proposals, ids))
    return [
        _filled(_record(item, own, queue.get(item.item_id), reviews.get(item.item_id, ()), names)) for item in items
    ]


def _record(
    item: Item, dataset: LabelledDataset, row: RankedItem | None, history: Sequence[Review], names: Mapping[str, str]
) -> dict[str, Any]:
    label = dataset.labels[item.item_id]
    likely = JOIN.join(label.labels) if label.status == "pending" else ""
    return {
        "id": item.item_id,
        "image": item.image,
        "category": item.category,
        "split": item.split,
        "source": source_text(item),
        "label": label_text(label),
        "likely": likely,
        "status": label.status,
        "changed": is_changed(item, label),
        "by": label.decided_by,
        "reason": _reason(item, label, dataset),
        "why": row.why if row else "",
        "because": ASKED_BECAUSE.get(row.why, "") if row else "",
        "detail": row.detail if row and row.detail != label.reason and row.why != "audit" else "",
        "score": row.label_issue_score if row and row.label_issue_score != UNKNOWN_SCORE else 0,
        "said": [_answer(answer, label, names) for answer in in_order(dataset.proposals.get(item.item_id, ()))],
        "history": _history(history),
    }


def _reason(item: Item, label: Label, dataset: LabelledDataset) -> str:
    """The label's reason, and the schema's if that maps the dataset's own label to this one."""
    category = dataset.schema.category(item.category)
    mapped = category.map(item.source_labels, item.image) if category else None
    if mapped is None or not mapped.reason or mapped.labels != label.labels or mapped.reason in label.reason:
        return label.reason
    return f"{mapped.reason}; {label.reason}"


def _answer(proposal: Proposal, label: Label, names: Mapping[str, str]) -> dict[str, Any]:
    share = proposal.scores.get(proposal.labels[0]) if len(proposal.labels) == 1 else None
    return _filled({
        "who": names[proposal.proposer],
        "model": proposal.model,
        "said": JOIN.join(proposal.labels),
        "score": None if share is None else round(share, 4),
        "note": proposal.rationale if proposal.status == "ok" else proposal.reason,
        "stand": stand(proposal, label),
    })  # fmt: skip


def stand(proposal: Proposal, label: Label) -> str:
    """How an answer stands to the label: `same`, `other`, `none` if there is no answer, `open` without a label."""
    if proposal.status != "ok":
        return "none"
    if not label.labels or label.status == "excluded":
        return "open"
    return "same" if proposal.labels == label.labels else "other"


def _history(history: Sequence[Review]) -> list[dict[str, Any]]:
    standing = {id(review) for review in current_reviews(history)}
    ordered = sorted(history, key=lambda review: (review.when, review.round, review.reviewer))
    return [
        _filled({
            "when": review.when,
            "who": review.reviewer,
            "said": JOIN.join(review.labels) if review.verdict == "label" else review.verdict.replace("_", " "),
            "knew": WORDS.get(sight_of(review, history), ""),
            "note": review.note,
            "stands": id(review) in standing,
        })
        for review in ordered
    ]  # fmt: skip


def _filled(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value not in ("", None, False, [], 0)}


# Progress


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How many images people had decided by the end of each day."""

    days: list[tuple[str, int]]
    """(day, images decided by then), by day; only days on which there were more."""
    undated: int
    """Decided images of which no day is known."""


def progress(labels: Mapping[str, Label], reviews: Reviews) -> Progress:
    """The days on which the labels that people decided were first decided."""
    first: Counter[str] = Counter()
    for item_id, label in some(labels, reviews.keys()).items():
        if label.decided_by == PEOPLE:
            days = [review.day for review in reviews.get(item_id, ()) if review.verdict not in _NO_DECISION]
            first[min(filter(None, days), default="")] += 1
    undated = first.pop("", 0)
    days_, sum_ = [], 0
    for day in sorted(first):
        sum_ += first[day]
        days_.append((day, sum_))
    return Progress(days=days_, undated=undated)


_NO_DECISION = ("unsure", "withdrawn")
