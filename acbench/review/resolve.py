"""From what was proposed and reviewed to one label an item: a pure function with a named policy.

Policy `witnesses-2`

1. An image that cannot be read is `excluded`.
2. People decide. The latest decision of each reviewer counts, unless withdrawn; `unsure` is none. The same from all,
   or from at least two thirds → `accepted`, or `excluded` if it is `bad_image` or `bad_mask`; no such majority →
   `pending`, for one more pair of eyes; `unsure` alone → `pending`. Machines never override people. Whoever saw
   proposals is no independent witness, so the reason tells who decided blind and who did not.
3. An image that the schema leaves out is `excluded`.
4. Otherwise independent witnesses decide. Proposers that started from the dataset's labels are one witness, as long as
   they name the same class of the published benchmark. All that answered say the same → `accepted`; they differ →
   `pending`, with the class that `stages.weigh` finds likeliest where people have decided enough to weigh them.
5. A single witness that started from the dataset's label is `accepted`, and said to stand alone.
6. Where the dataset's label names no class, one witness is enough only if people made it and it names more than one
   class, as a mixed folder holds more than one kind; a machine alone leaves the item `pending`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from acbench.records import (
    GOOD,
    JOIN,
    PEOPLE,
    Item,
    Label,
    LabelStatus,
    Proposal,
    Review,
    is_contradictory,
    label_set,
    short_name,
)
from acbench.schema import Category, Schema

POLICY = "witnesses-2"

MAJORITY = 2 / 3
"""Share of the deciding reviewers, from which on their decision stands though others differ."""

NOBODY = "nobody"


@dataclass(frozen=True, slots=True, kw_only=True)
class Witness:
    """Proposers that share their evidence and their answer: one voice."""

    names: tuple[str, ...]
    labels: tuple[str, ...]
    by_people: bool
    from_source: bool
    rationale: str
    """Of the first of them."""
    probability: float | None
    """Of exactly these labels, if it has scores and they are one class."""

    def __str__(self) -> str:
        share = "" if self.probability is None else f" ({self.probability:.2f})"
        return JOIN.join(self.labels) + share


@dataclass(frozen=True, slots=True, kw_only=True)
class Weighed:
    """The class that the witnesses of one item make most likely, by what they got right elsewhere."""

    label: str
    probability: float
    decisions: int
    """Of people in the category, by which the witnesses were weighed."""


@dataclass(frozen=True, slots=True)
class _Outcome:
    status: LabelStatus
    labels: tuple[str, ...]
    decided_by: str
    reason: str
    agreement: float | None = None
    confidence: float | None = None


def resolve(
    items: Sequence[Item],
    proposals: Mapping[str, Sequence[Proposal]],
    reviews: Mapping[str, Sequence[Review]],
    schema: Schema,
    weighed: Mapping[str, Weighed] | None = None,
) -> list[Label]:
    """One label for each item; `proposals`, `reviews` and `weighed` are keyed by item_id."""
    return [
        resolve_item(
            item,
            proposals.get(item.item_id, ()),
            reviews.get(item.item_id, ()),
            schema,
            (weighed or {}).get(item.item_id),
        )
        for item in items
    ]


def machine_labels(
    items: Sequence[Item], proposals: Mapping[str, Sequence[Proposal]], schema: Schema
) -> dict[str, Label]:
    """item_id → the label that witnesses alone give."""
    return {label.item_id: label for label in resolve(items, proposals, {}, schema)}


def resolve_item(
    item: Item,
    proposals: Sequence[Proposal],
    reviews: Sequence[Review],
    schema: Schema,
    weighed: Weighed | None = None,
) -> Label:
    """The label of one item under the policy."""
    outcome = _outcome(item, proposals, reviews, schema, weighed)
    return Label(
        item_id=item.item_id,
        image=item.image,
        labels=outcome.labels,
        status=outcome.status,
        decided_by=outcome.decided_by,
        policy=POLICY,
        agreement=None if outcome.agreement is None else round(outcome.agreement, 4),
        confidence=outcome.confidence,
        reason=outcome.reason,
        licence=schema.licence,
        schema_version=schema.version,
    )


def witnesses(proposals: Iterable[Proposal], category: Category | None = None) -> list[Witness]:
    """The independent voices among the proposals that answered; those from the dataset's label come first."""
    answered = sorted((each for each in proposals if each.status == "ok"), key=_rank)
    voices: list[list[Proposal]] = []
    for each in answered:
        for voice in voices:
            if _from_source(each) and _from_source(voice[0]) and _alike(each.labels, voice[0].labels, category):
                voice.append(each)
                break
        else:
            voices.append([each])
    return [
        Witness(
            names=tuple(short_name(each.proposer) for each in voice),
            labels=voice[0].labels,
            by_people=PEOPLE in voice[0].saw,
            from_source=_from_source(voice[0]),
            rationale=voice[0].rationale,
            probability=voice[0].scores.get(voice[0].labels[0]) if len(voice[0].labels) == 1 else None,
        )
        for voice in voices
    ]


def current_reviews(reviews: Iterable[Review]) -> list[Review]:
    """The latest decision of each reviewer, in the order of their names. What was withdrawn is none."""
    standing: dict[tuple[str, str], Review] = {}
    # Two branches of a repository may each have added the same round: then the later, whatever their order is.
    for review in sorted(reviews, key=_age):
        standing[review.reviewer, review.desk] = review
    latest: dict[str, Review] = {}
    for review in sorted(standing.values(), key=_age):
        if review.verdict != "withdrawn":
            latest[review.reviewer] = review
    return [latest[name] for name in sorted(latest)]


def _age(review: Review) -> tuple[object, ...]:
    return review.round, review.when, review.verdict, review.labels, review.note


def _outcome(
    item: Item, proposals: Sequence[Proposal], reviews: Sequence[Review], schema: Schema, weighed: Weighed | None
) -> _Outcome:
    category = schema.category(item.category)
    if item.problem:
        return _Outcome("excluded", (), NOBODY, f"the image cannot be used: {item.problem}")
    if category is None:
        return _Outcome("pending", (), NOBODY, f"the schema has no category {item.category}")
    current = current_reviews(reviews)
    if current:
        return _by_people(current, category, schema)
    mapped = category.map(item.source_labels, item.image)
    if mapped.excluded:
        return _Outcome("excluded", mapped.labels, "source_label", mapped.reason)
    voices = witnesses(proposals, category)
    if not voices:
        return _silence(proposals)
    if len({voice.labels for voice in voices}) > 1:
        return _dispute(voices, weighed)
    return _consent(item, voices, mapped.reason)


def _by_people(current: Sequence[Review], category: Category, schema: Schema) -> _Outcome:
    decisive = [each for each in current if each.verdict != "unsure"]
    if not decisive:
        return _Outcome("pending", (), NOBODY, f"unsure: {', '.join(each.reviewer for each in current)}")
    unknown = sorted({label for each in decisive for label in each.labels} - {GOOD, *category.class_ids})
    if unknown:
        what = f"a review names {', '.join(unknown)}, no class of schema {schema.version}"
        return _Outcome("pending", (), NOBODY, what)
    decisions = [(each.verdict, label_set(each.labels)) for each in decisive]
    for each, (verdict, labels) in zip(decisive, decisions, strict=True):
        if verdict == "label" and (not labels or is_contradictory(labels)):
            what = f"{GOOD} and a defect" if labels else "no class"
            return _Outcome("pending", (), NOBODY, f"the review of {each.reviewer} names {what}")
    verdict, labels = max(decisions, key=decisions.count)  # of equals the first, and then none has two thirds
    agreed = [each for each, decision in zip(decisive, decisions, strict=True) if decision == (verdict, labels)]
    share = len(agreed) / len(decisive)
    if share < MAJORITY:
        said = "; ".join(f"{_sight(each)}: {JOIN.join(each.labels) or each.verdict}" for each in decisive)
        return _Outcome("pending", (), NOBODY, f"reviewers differ: {said}", agreement=share)
    who = ", ".join(map(_sight, agreed)) + (f", {len(agreed)} of {len(decisive)}" if share < 1 else "")
    notes = "; ".join(each.note for each in agreed if each.note)
    said = f"decided by {who}" if verdict == "label" else f"{verdict.replace('_', ' ')} according to {who}"
    return _Outcome(
        "accepted" if verdict == "label" else "excluded",
        labels,
        PEOPLE,
        f"{said}: {notes}" if notes else said,
        agreement=share if len(decisive) > 1 else None,
    )


def _sight(review: Review) -> str:
    """The reviewer, and whether proposals were in sight."""
    return f"{review.reviewer} ({'saw proposals' if review.shown else 'blind'})"


def _silence(proposals: Sequence[Proposal]) -> _Outcome:
    why = "; ".join(f"{short_name(each.proposer)}: {each.reason}" for each in sorted(proposals, key=_rank))
    return _Outcome("pending", (), NOBODY, f"no witness names a class ({why or 'none was asked'})")


def _dispute(voices: Sequence[Witness], weighed: Weighed | None) -> _Outcome:
    said = "; ".join(f"{JOIN.join(voice.names)}: {voice}" for voice in voices)
    sets = [voice.labels for voice in voices]
    share = max(map(sets.count, sets)) / len(sets)
    if weighed is None:
        labels = voices[0].labels if voices[0].from_source else ()
        return _Outcome("pending", labels, NOBODY, f"witnesses differ, unweighed: {said}", agreement=share)
    by = f"weighed by {weighed.decisions} decisions of people {weighed.label} is likeliest"
    return _Outcome(
        "pending",
        (weighed.label,),
        NOBODY,
        f"witnesses differ, {by}: {said}",
        agreement=share,
        confidence=weighed.probability,
    )


def _consent(item: Item, voices: Sequence[Witness], mapping: str) -> _Outcome:
    """`mapping`: what the schema did to the dataset's label, if it did more than take it."""
    first = voices[0]
    names = JOIN.join(name for voice in voices for name in voice.names)
    confidence = next((voice.probability for voice in voices if voice.probability is not None), None)
    if len(voices) > 1:
        reason = f"{len(voices)} independent witnesses agree"
        return _Outcome("accepted", first.labels, names, reason, agreement=1.0, confidence=confidence)
    if first.from_source:
        if first.names[0] != "source_label":
            alone = first.rationale
        elif item.anomalous:
            alone = "the dataset's own label" + (f" ({mapping})" if mapping else "")
        else:
            alone = "normal by the dataset"
        return _Outcome("accepted", first.labels, names, f"{alone}; no second witness")
    dataset = f"the dataset says {', '.join(item.source_labels) or 'nothing'}"
    if not first.by_people:
        what = f"{dataset}; only a machine ({names}) names {first}"
        return _Outcome("pending", first.labels, NOBODY, what, confidence=confidence)
    if len(first.labels) < 2:
        what = f"{dataset}, which is more than one kind; {names} names only {first}"
        return _Outcome("pending", first.labels, NOBODY, what)
    return _Outcome("accepted", first.labels, names, f"{dataset}; {names} names the kinds")


def _from_source(proposal: Proposal) -> bool:
    return "source_label" in proposal.saw


def _alike(one: tuple[str, ...], other: tuple[str, ...], category: Category | None) -> bool:
    """The same label set, or two sets that the published benchmark holds to be one class."""
    if one == other:
        return True
    published = category.published_class(one) if category else None
    return published is not None and category is not None and published == category.published_class(other)


def _rank(proposal: Proposal) -> tuple[int, str]:
    """The dataset's own label first, then those who started from it, then the others."""
    order = 0 if short_name(proposal.proposer) == "source_label" else 1 if _from_source(proposal) else 2
    return order, proposal.proposer
