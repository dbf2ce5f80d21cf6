"""Makes the samples of the FiftyOne App from records: a pure function."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from operator import itemgetter
from pathlib import Path

from acbench.records import GOOD, JOIN, Item, Label, Prediction, Proposal, Review, shown_names
from acbench.review.app_records import FORMAT, AppLabel, AppSample, FieldValue
from acbench.review.decisions import class_names
from acbench.review.history import by_item
from acbench.review.queue import RankedItem
from acbench.review.wording import UNPARSED, called, no_answer
from acbench.schema import Category, Schema
from acbench.storage.digests import digest

MAX_RAW = 2000
"""Characters of a system's raw answer."""


@dataclass(frozen=True, kw_only=True)
class SampleBuilder:
    """Makes the samples of one benchmark. Mappings are keyed by item_id, except `predictions`."""

    root: Path
    """What paths of images and masks are relative to."""
    items: Sequence[Item]
    labels: Mapping[str, Label]
    proposals: Mapping[str, Sequence[Proposal]]
    reviews: Sequence[Review]
    ranked: Sequence[RankedItem]
    waiting: Sequence[RankedItem]
    """The queue, in its order."""
    predictions: Mapping[str, Sequence[Prediction]]
    """Scored system → its answers."""
    schema: Schema
    evidence: Mapping[str, Path] = field(default_factory=dict)
    """item_id → its evidence picture, of those that are drawn; shown of images in the queue."""
    copies: Mapping[str, Path] = field(default_factory=dict)
    """Path of an image or mask → the copy of it that is shown instead."""

    def samples(self) -> list[AppSample]:
        """One sample for each item, the queue first."""
        made = [(self._order(item), self._sample(item)) for item in self.items]
        return [sample for _, sample in sorted(made, key=itemgetter(0))]

    def _shown(self, path: str) -> str:
        return str(self.copies.get(path, self.root / path))

    @cached_property
    def _places(self) -> dict[str, RankedItem]:
        ranked = {row.item_id: row for row in self.ranked}
        return ranked | {row.item_id: row for row in self.waiting}

    @cached_property
    def _queue(self) -> dict[str, int]:
        """item_id → place in the queue, from 1."""
        return {row.item_id: number for number, row in enumerate(self.waiting, start=1)}

    @cached_property
    def _reviews(self) -> dict[str, list[Review]]:
        return by_item(self.reviews)

    @cached_property
    def _predictions(self) -> dict[str, dict[str, Prediction]]:
        """Scored system → item_id → its answer."""
        return {name: {row.item_id: row for row in rows} for name, rows in self.predictions.items()}

    @cached_property
    def _proposal_fields(self) -> dict[str, str]:
        """Full name of a proposer → its field; no two have the same."""
        names = shown_names(answer.proposer for answers in self.proposals.values() for answer in answers)
        fields = Counter(map(_field_name, names.values()))
        marks = {
            proposer: "" if fields[_field_name(name)] == 1 else digest(proposer) for proposer, name in names.items()
        }
        return {
            proposer: "_".join(filter(None, ("proposal", _field_name(names[proposer]), mark)))
            for proposer, mark in marks.items()
        }

    @cached_property
    def _copies(self) -> dict[str, str]:
        return _first_copies(self.items)

    def _order(self, item: Item) -> tuple[int, int, str]:
        last = len(self.items) + 1
        place = self._places.get(item.item_id)
        return self._queue.get(item.item_id, last), place.rank if place else last, item.image

    def _sample(self, item: Item) -> AppSample:
        key, category = item.item_id, self.schema.category(item.category)
        names = class_names(category)
        proposals, reviews = self.proposals.get(key, ()), self._reviews.get(key, ())
        fields: dict[str, FieldValue] = {
            "item_id": key,
            "image": item.image,
            "category": item.category,
            "split": item.split,
            "problem": item.problem or None,
            "evidence": str(self.evidence[key]) if key in self._queue and key in self.evidence else None,
            **label_fields(item, self.labels[key], reviews, category),
            **queue_fields(self._places.get(key), self._queue.get(key)),
            **{self._proposal_fields[answer.proposer]: _proposal(answer, names) for answer in proposals},
            **{
                f"prediction_{_field_name(system)}": _prediction(answers[key], names)
                for system, answers in self._predictions.items()
                if key in answers
            },
            "margin": _margin(proposals),
            "same_as": self._copies.get(key),
        }
        image, mask = self._shown(item.image), self._shown(item.mask) if item.mask else None
        size = item.width, item.height
        shown = sorted((name, repr(value)) for name, value in fields.items())
        fields["content"] = digest(FORMAT, image, mask, item.sha256, item.marks, size, shown)
        boxes = item.boxes if item.marking == "boxes" else ()
        return AppSample(item_id=key, image=image, mask=mask, size=size, fields=fields, boxes=boxes)


def _first_copies(items: Sequence[Item]) -> dict[str, str]:
    """item_id → the first image with the same bytes, for all other images with these bytes."""
    groups: defaultdict[str, list[Item]] = defaultdict(list)
    for item in items:
        if item.sha256:
            groups[item.sha256].append(item)
    return dict(_later(groups))


def _later(groups: Mapping[str, list[Item]]) -> Iterator[tuple[str, str]]:
    for members in groups.values():
        first, *others = sorted(members, key=lambda item: item.image)
        yield from ((item.item_id, first.image) for item in others)


def label_fields(
    item: Item, label: Label, reviews: Sequence[Review], category: Category | None
) -> dict[str, FieldValue]:
    """The fields of a sample that tell of its label and of what people said."""
    names = class_names(category)
    mapped = category.map(item.source_labels, item.image).labels if category else ()
    return {
        "label": _named(label.labels, names, label.confidence, {}) if label.labels else None,
        "given": called(label.labels, names),
        "status": label.status,
        "reason": label.reason,
        "decided_by": label.decided_by,
        "agreement": label.agreement,
        "kinds": len(label.labels) if label.labels != (GOOD,) else 0,
        "source": AppLabel(label=", ".join(item.source_labels)) if item.source_labels else None,
        "changed": bool(label.labels and item.source_labels and label.labels != mapped),
        "reviews": tuple(
            review_line(review, names)
            for review in sorted(reviews, key=lambda review: (review.when, review.reviewer, review.round))
        ),
    }


def queue_fields(place: RankedItem | None, queue: int | None) -> dict[str, FieldValue]:
    return {
        "queue": queue,
        "why": place.why if place else None,
        "detail": place.detail if place and place.detail else None,
        "label_issue_score": place.label_issue_score if place else None,
    }


def review_line(review: Review, names: Mapping[str, str]) -> str:
    """What one person decided, on one line. `names`: see `decisions.class_names`."""
    decision = called(review.labels, names) if review.verdict == "label" else review.verdict.replace("_", " ")
    return f"{review.reviewer}: {decision}" + (f" ({review.note})" if review.note else "")


def _named(
    labels: Sequence[str], names: Mapping[str, str], confidence: float | None, facts: Mapping[str, str]
) -> AppLabel:
    """Classes as a chip shows them: by name, with the ids beside it where these differ."""
    text, ids = called(labels, names), JOIN.join(labels)
    return AppLabel(label=text, confidence=confidence, facts={**facts, **({"class_id": ids} if ids != text else {})})


def _proposal(answer: Proposal, names: Mapping[str, str]) -> AppLabel:
    """What a proposer says; words in brackets where it names no class."""
    facts = {
        "rationale": answer.rationale,
        "reason": answer.reason,
        "by": answer.proposer,
        "model": answer.model,
        "family": answer.family,
    }
    told = {name: text for name, text in facts.items() if text}
    if answer.status != "ok":
        return AppLabel(label=no_answer(answer.status), facts=told)
    confidence = answer.scores.get(answer.labels[0]) if len(answer.labels) == 1 else None
    return _named(answer.labels, names, confidence, told)


def _prediction(answer: Prediction, names: Mapping[str, str]) -> AppLabel:
    facts = {"raw": answer.raw[:MAX_RAW], "parse": answer.parse, "by": answer.system}
    told = {name: text for name, text in facts.items() if text}
    if not answer.labels:
        return AppLabel(label=f"({UNPARSED.get(answer.parse, answer.parse)})", facts=told)
    return _named(answer.labels, names, None, told)


def _margin(proposals: Sequence[Proposal]) -> float | None:
    """Lead of the best class over the second, for the least sure proposer; None if none gives probabilities."""
    margins = []
    for proposal in proposals:
        if len(proposal.scores) > 1:
            first, second = sorted(proposal.scores.values(), reverse=True)[:2]
            margins.append(round(first - second, 6))
    return min(margins, default=None)


def _field_name(name: str) -> str:
    """A name with nothing but ASCII letters, digits and underscores."""
    return "".join(char if char.isascii() and char.isalnum() else "_" for char in name)
