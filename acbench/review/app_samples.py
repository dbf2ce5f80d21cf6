"""From records to the cards of a viewer: a pure function."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from acbench.records import GOOD, JOIN, Item, Label, Prediction, Proposal, Review, short_name
from acbench.review.app_records import FORMAT, AppLabel, AppSample, Value
from acbench.review.queue import RankedItem, by_item
from acbench.schema import Category, Schema
from acbench.storage.digests import digest


def cards(
    items: Sequence[Item],
    root: Path,
    *,
    labels: Mapping[str, Label],
    proposals: Mapping[str, Sequence[Proposal]],
    reviews: Sequence[Review],
    ranked: Sequence[RankedItem],
    waiting: Sequence[RankedItem],
    predictions: Mapping[str, Sequence[Prediction]],
    schema: Schema,
) -> list[AppSample]:
    """One card an item, those to be seen first at the front.

    `predictions`: system → its answers. `waiting`: the queue, in its order.
    """
    places = {each.item_id: each for each in ranked}
    places |= {each.item_id: each for each in waiting}
    queue = {each.item_id: place for place, each in enumerate(waiting, start=1)}
    answers = {name: {each.item_id: each for each in rows} for name, rows in predictions.items()}
    decided = by_item(reviews)
    twins = _twins(items)
    last = len(items) + 1

    def order(item: Item) -> tuple[int, int, str]:
        place = places.get(item.item_id)
        return queue.get(item.item_id, last), place.rank if place else last, item.image

    return [
        _card(
            item,
            root,
            {
                **_judged(item, labels[item.item_id], decided.get(item.item_id, ()), schema.category(item.category)),
                **_placed(places.get(item.item_id), queue.get(item.item_id)),
                **{
                    f"proposal_{_plain(short_name(each.proposer))}": _proposed(each)
                    for each in proposals.get(item.item_id, ())
                },
                **{
                    f"prediction_{_plain(name)}": _predicted(rows[item.item_id])
                    for name, rows in answers.items()
                    if item.item_id in rows
                },
                "margin": _margin(proposals.get(item.item_id, ())),
                "same_as": twins.get(item.item_id),
            },
        )
        for item in sorted(items, key=order)
    ]


def _card(item: Item, root: Path, fields: Mapping[str, Value]) -> AppSample:
    shown: dict[str, Value] = {
        "item_id": item.item_id,
        "image": item.image,
        "category": item.category,
        "split": item.split,
        "problem": item.problem or None,
        **fields,
    }
    image, mask = str(root / item.image), str(root / item.mask) if item.mask else None
    size = item.width, item.height
    plain = sorted((name, repr(value)) for name, value in shown.items())
    shown["content"] = digest(FORMAT, image, mask, item.sha256, item.mask_sha256, size, plain)
    return AppSample(item_id=item.item_id, image=image, mask=mask, size=size, fields=shown)


def _judged(item: Item, label: Label, reviews: Sequence[Review], category: Category | None) -> dict[str, Value]:
    said = JOIN.join(label.labels)
    mapped = category.map(item.source_labels, item.image).labels if category else ()
    return {
        "label": AppLabel(label=said, confidence=label.confidence) if said else None,
        "given": said,
        "status": label.status,
        "reason": label.reason,
        "decided_by": label.decided_by,
        "agreement": label.agreement,
        "kinds": len(label.labels) if label.labels != (GOOD,) else 0,
        "source": AppLabel(label=", ".join(item.source_labels)) if item.source_labels else None,
        "changed": bool(label.labels and item.source_labels and label.labels != mapped),
        "reviews": tuple(map(_reviewed, sorted(reviews, key=lambda each: (each.when, each.reviewer, each.round)))),
    }


def _placed(place: RankedItem | None, queue: int | None) -> dict[str, Value]:
    return {
        "queue": queue,
        "why": place.why if place else None,
        "detail": place.detail if place and place.detail else None,
        "label_issue_score": place.label_issue_score if place else None,
    }


def _reviewed(review: Review) -> str:
    said = JOIN.join(review.labels) if review.verdict == "label" else review.verdict
    return f"{review.reviewer}: {said}" + (f" ({review.note})" if review.note else "")


def _proposed(answer: Proposal) -> AppLabel:
    """What a proposer says; whoever gave no class is shown as `(abstained)` or `(error)`."""
    share = answer.scores.get(answer.labels[0]) if len(answer.labels) == 1 else None
    facts = {"rationale": answer.rationale, "reason": answer.reason, "by": answer.proposer}
    return AppLabel(
        label=JOIN.join(answer.labels) if answer.status == "ok" else f"({answer.status})",
        confidence=share,
        facts={name: text for name, text in facts.items() if text},
    )


def _predicted(answer: Prediction) -> AppLabel:
    facts = {"raw": answer.raw[:2000], "parse": answer.parse, "by": answer.system}
    return AppLabel(
        label=JOIN.join(answer.labels) if answer.labels else f"({answer.parse})",
        facts={name: text for name, text in facts.items() if text},
    )


def _margin(proposals: Sequence[Proposal]) -> float | None:
    """By how much the best class leads the second, of the witness that is least sure."""
    margins = []
    for each in proposals:
        if len(each.scores) > 1:
            first, second = sorted(each.scores.values(), reverse=True)[:2]
            margins.append(round(first - second, 6))
    return min(margins, default=None)


def _twins(items: Sequence[Item]) -> dict[str, str]:
    """The image whose bytes an item shares, for all but the first of each such group."""
    groups: defaultdict[str, list[Item]] = defaultdict(list)
    for item in items:
        if item.sha256:
            groups[item.sha256].append(item)
    return dict(_later(groups))


def _later(groups: Mapping[str, list[Item]]) -> Iterator[tuple[str, str]]:
    for members in groups.values():
        first, *others = sorted(members, key=lambda each: each.image)
        yield from ((each.item_id, first.image) for each in others)


def _plain(name: str) -> str:
    """A name as a field may have it."""
    return "".join(char if char.isascii() and char.isalnum() else "_" for char in name)
