"""Decides the label of each image by a named policy: a pure function of proposals and reviews."""

from __future__ import annotations

import itertools
from array import array
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from sys import intern

from acbench._util.computed import Computed
from acbench.records import (
    GOOD,
    JOIN,
    PEOPLE,
    Item,
    Label,
    LabelStatus,
    Proposal,
    Review,
    Verdict,
    is_contradictory,
    label_set,
)
from acbench.review.crowdlab import LikelyClass, decided_enough, likely_classes
from acbench.review.decisions import clean_note
from acbench.review.former import as_read
from acbench.review.history import current_reviews
from acbench.review.sight import WORDS, sight_of
from acbench.review.witnesses import Witness, described, differ, in_order, witnesses
from acbench.schema import Category, Schema
from acbench.storage.stored_rows import RowsById, by_item_id, grouped, some

POLICY = "witnesses-3"

POLICY_SUMMARY = (
    "An image that cannot be used is `excluded`.",
    "People come first: the latest decision of each reviewer counts.",
    "If at least two thirds of the reviewers agree, the label is `accepted`, or `excluded` where they call the image or"
    " its mask bad; otherwise it is `pending`.",
    "A reviewer who is unsure does not count; if all are unsure, the label is `pending`.",
    "Where no person has decided, an image that the label schema leaves out is `excluded`.",
    "Otherwise independent witnesses decide: if all that answer agree, the label is `accepted`; if they differ, or none"
    " answers, it is `pending`.",
    "Proposers that start from the dataset's own label are one witness as long as they name the same class.",
    "Models of one family are one witness as long as they name the same set, and so is one model that is asked twice.",
    "The family is what the user says, or is told by the name of the model that answered, that is by its maker or line"
    " (`gpt` and `o3` are of `openai`, `gemini` and `gemma` of `google`); an unknown name is a family of its own,"
    " without version, size and date. All CLIP models are of one family.",
    "The dataset's own label is `accepted` without a second witness, and the reason says so.",
    "Where the dataset's own label names no class, a single witness is enough only if people made it and it names more"
    " than one class.",
)
"""The policy in words, in the order of the rules."""

MAJORITY = 2 / 3
"""The smallest share of the reviewers who decided whose decision stands although others differ."""

NOBODY = "nobody"

MAX_KINDS = 50_000
"""Labels that differ in more than their image, of which each is kept in memory."""


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What the policy decides about one item."""

    status: LabelStatus
    labels: tuple[str, ...]
    decided_by: str
    reason: str
    agreement: float | None = None
    confidence: float | None = None


def _pending(reason: str, labels: tuple[str, ...] = (), **more: float | None) -> _Outcome:
    return _Outcome("pending", labels, NOBODY, reason, **more)


def machine_labels(
    items: Sequence[Item], proposals: Mapping[str, Sequence[Proposal]], schema: Schema
) -> Mapping[str, Label]:
    """item_id → the label that witnesses alone give, without any review. Of items on disk it is computed when it is
    asked for."""
    by_id = by_item_id(items)
    if isinstance(by_id, RowsById):
        return _computed_labels(by_id, proposals, schema)
    return {item.item_id: resolve_item(item, proposals.get(item.item_id, ()), (), schema) for item in items}


def _computed_labels(
    items: RowsById[Item], proposals: Mapping[str, Sequence[Proposal]], schema: Schema
) -> Computed[str, Label]:
    """Labels of which each is resolved once: a million of them are of few kinds, and kept is only which kind."""
    kinds: list[Label] = []
    numbers: dict[Label, int] = {}
    kind_of = array("i", [-1]) * len(items)

    def label(item_id: str) -> Label:
        place, item = items.placed(item_id)
        if kind_of[place] >= 0:
            return _named(kinds[kind_of[place]], item)
        made = resolve_item(item, proposals.get(item_id, ()), (), schema)
        kind = replace(made, item_id="", image="")
        number = numbers.get(kind, -1)
        if number < 0 and len(kinds) < MAX_KINDS:
            number = numbers[kind] = len(kinds)
            kinds.append(kind)
        kind_of[place] = number
        return made

    def some_labels(item_ids: Collection[str]) -> Mapping[str, Label]:
        answers = some(proposals, item_ids)
        return {
            key: resolve_item(item, answers.get(key, ()), (), schema) for key, item in some(items, item_ids).items()
        }

    return Computed(items, label, some_labels)


def _named(kind: Label, item: Item) -> Label:
    """The label of an item, of a kind."""
    return Label(
        item_id=item.item_id,
        image=item.image,
        labels=kind.labels,
        status=kind.status,
        decided_by=kind.decided_by,
        policy=kind.policy,
        agreement=kind.agreement,
        confidence=kind.confidence,
        reason=kind.reason,
        licence=kind.licence,
        schema_version=kind.schema_version,
    )


MakeLikely = Callable[[str], Iterator[LikelyClass]]
"""Finds the likeliest classes in a category."""
KeepLikely = Callable[[Collection[str], MakeLikely], Iterable[LikelyClass]]
"""Gives the likeliest classes in some categories: those that are kept, or else those that are found."""


def made_anew(categories: Collection[str], make: MakeLikely) -> Iterator[LikelyClass]:
    """Keep nothing."""
    return itertools.chain.from_iterable(map(make, categories))


def resolve(
    items: Sequence[Item],
    proposals: Mapping[str, Sequence[Proposal]],
    reviews: Mapping[str, Sequence[Review]],
    schema: Schema,
    machine: Mapping[str, Label],
    keep: KeepLikely = made_anew,
) -> Mapping[str, Label]:
    """item_id → its label. `proposals`, `reviews` and `machine` are keyed by item_id too.

    `machine`: the labels without reviews, from `machine_labels`; they stand where no person has looked. Where witnesses
    differ and people have decided enough elsewhere, the label is the likeliest class: see `acbench.review.crowdlab`.
    Where `machine` is computed as it is asked for, so are these. `keep` may know the likeliest classes of categories in
    which nothing has changed.
    """
    if not reviews:
        return machine
    by_id = by_item_id(items)
    looked_at, answers = some(by_id, reviews.keys()), some(proposals, reviews.keys())
    decided = {key: resolve_item(item, answers.get(key, ()), reviews[key], schema) for key, item in looked_at.items()}
    enough = decided_enough(items, decided)
    by_category = grouped(items, "category") if enough else {}

    def make(category: str) -> Iterator[LikelyClass]:
        return likely_classes(by_category[category], proposals, enough[category], schema.category(category))

    likely = {each.item_id: each for each in keep(enough.keys(), make)}

    def weighed(item: Item, answers: Sequence[Proposal]) -> Label:
        return resolve_item(item, answers, reviews.get(item.item_id, ()), schema, likely[item.item_id])

    def is_weighed(label: Label) -> bool:
        return label.status == "pending" and label.item_id in likely

    def one(key: str) -> Label:
        plain = decided[key] if key in decided else machine[key]
        return weighed(by_id[key], proposals.get(key, ())) if is_weighed(plain) else plain

    def several(keys: Collection[str]) -> Mapping[str, Label]:
        plain = {**some(machine, [key for key in keys if key not in decided]), **some(decided, keys)}
        doubtful = [key for key, label in plain.items() if is_weighed(label)]
        answers = some(proposals, doubtful)
        plain |= {key: weighed(item, answers.get(key, ())) for key, item in some(by_id, doubtful).items()}
        return {key: plain[key] for key in keys if key in plain}

    return Computed(by_id, one, several) if isinstance(machine, Computed) else {key: one(key) for key in by_id}


def resolve_item(
    item: Item,
    proposals: Sequence[Proposal],
    reviews: Sequence[Review],
    schema: Schema,
    likely: LikelyClass | None = None,
) -> Label:
    """The label of one item under the policy. `likely`: the likeliest class, to name where its witnesses differ."""
    outcome = _outcome(item, proposals, reviews, schema, likely)
    return Label(
        item_id=item.item_id,
        image=item.image,
        labels=outcome.labels,
        status=outcome.status,
        decided_by=intern(outcome.decided_by),
        policy=POLICY,
        agreement=None if outcome.agreement is None else round(outcome.agreement, 4),
        confidence=outcome.confidence,
        reason=intern(outcome.reason),  # a million labels have a few dozen
        licence=schema.licence,
        schema_version=schema.version,
    )


def _outcome(
    item: Item, proposals: Sequence[Proposal], reviews: Sequence[Review], schema: Schema, likely: LikelyClass | None
) -> _Outcome:
    category = schema.category(item.category)
    if item.problem:
        return _Outcome("excluded", (), NOBODY, f"the image cannot be used: {item.problem}")
    if category is None:
        return _pending(f"the schema has no category {item.category}")
    if current_reviews(reviews):
        return _by_people(reviews, category, schema)
    mapped = category.map(item.source_labels, item.image)
    if mapped.excluded:
        return _Outcome("excluded", mapped.labels, "source_label", mapped.reason)
    voices = witnesses(proposals, category)
    if not voices:
        return _no_witness(proposals)
    if differ(voices):
        return _witnesses_differ(voices, likely)
    if len(voices) > 1:
        return _witnesses_agree(voices)
    return _single_witness(item, voices[0], mapped.reason)


# People


def _by_people(history: Sequence[Review], category: Category, schema: Schema) -> _Outcome:
    """What the current decisions of reviewers come to, of all that they said."""
    reviews = [as_read(review, category) for review in current_reviews(history)]
    decided = [review for review in reviews if review.verdict != "unsure"]
    if not decided:
        return _pending(f"unsure: {', '.join(review.reviewer for review in reviews)}")
    if problem := _unusable(decided, category, schema):
        return _pending(problem)
    decisions = [(review.verdict, label_set(review.labels)) for review in decided]
    most_common = max(decisions, key=decisions.count)  # the first of equals, and then none has two thirds
    agreed = [review for review, decision in zip(decided, decisions, strict=True) if decision == most_common]
    share = len(agreed) / len(decided)
    if share < MAJORITY:
        said = "; ".join(f"{_who(review, history)}: {JOIN.join(review.labels) or review.verdict}" for review in decided)
        return _pending(f"reviewers differ: {said}", agreement=share)
    verdict, labels = most_common
    return _Outcome(
        "accepted" if verdict == "label" else "excluded",
        labels,
        PEOPLE,
        _majority_reason(verdict, agreed, history, of=len(decided)),
        agreement=share if len(decided) > 1 else None,
    )


def _unusable(decided: Sequence[Review], category: Category, schema: Schema) -> str:
    """Why a review cannot count, such as a class that the schema has lost; empty if all can."""
    unknown = sorted({label for review in decided for label in review.labels} - set(category.answers))
    if unknown:
        said = "; ".join(
            f"{review.reviewer} said {JOIN.join(review.labels)}"
            for review in decided
            if set(review.labels) & {*unknown}
        )
        return f"a review names {', '.join(unknown)}, no class of schema {schema.version}: {said}"
    for review in decided:
        if review.verdict == "label" and (not review.labels or is_contradictory(review.labels)):
            named = f"{GOOD} and a defect" if review.labels else "no class"
            return f"the review of {review.reviewer} names {named}"
    return ""


def _majority_reason(verdict: Verdict, agreed: Sequence[Review], history: Sequence[Review], *, of: int) -> str:
    who = ", ".join(_who(review, history) for review in agreed) + (
        f", {len(agreed)} of {of}" if len(agreed) < of else ""
    )
    notes = "; ".join(filter(None, (clean_note(review.note) for review in agreed)))  # rows may come from other hands
    decided = f"decided by {who}" if verdict == "label" else f"{verdict.replace('_', ' ')} according to {who}"
    return f"{decided}: {notes}" if notes else decided


def _who(review: Review, history: Sequence[Review]) -> str:
    """The reviewer, and what they could know of proposals."""
    return f"{review.reviewer} ({WORDS[sight_of(review, history)]})"


# Witnesses


def _no_witness(proposals: Sequence[Proposal]) -> _Outcome:
    why = "; ".join(f"{described(proposal)}: {proposal.reason}" for proposal in in_order(proposals))
    return _pending(f"no witness names a class ({why or 'none was asked'})")


def _witnesses_differ(voices: Sequence[Witness], likely: LikelyClass | None) -> _Outcome:
    """The pending label holds the likeliest class, or else the class of the dataset's own label."""
    said = "; ".join(f"{_who_says(voice)} says {voice}" for voice in voices)
    label_sets = [voice.labels for voice in voices]
    share = max(map(label_sets.count, label_sets)) / len(label_sets)
    if likely is None:
        labels = voices[0].labels if voices[0].from_source else ()
        return _pending(f"witnesses differ, and nothing tells which is right: {said}", labels, agreement=share)
    by = f"by {likely.decisions} decisions of people on other images {likely.label} is likeliest"
    reason = f"witnesses differ, and {by}: {said}"
    return _pending(reason, (likely.label,), agreement=share, confidence=likely.probability)


def _witnesses_agree(voices: Sequence[Witness]) -> _Outcome:
    names = JOIN.join(name for voice in voices for name in voice.names)
    confidence = next((voice.probability for voice in voices if voice.probability is not None), None)
    reason = f"{len(voices)} independent witnesses agree"
    if any(voice.described != voice.names for voice in voices):  # models answered, and of these the versions count
        reason += f": {JOIN.join(map(_who_says, voices))}"
    return _Outcome("accepted", voices[0].labels, names, reason, agreement=1.0, confidence=confidence)


def _single_witness(item: Item, voice: Witness, mapping: str) -> _Outcome:
    """`mapping`: what the schema did to the dataset's own label, if it did more than take it over."""
    names = JOIN.join(voice.names)
    if voice.from_source:
        return _Outcome("accepted", voice.labels, names, f"{_from_source(item, voice, mapping)}; no second witness")
    dataset = f"the dataset says {', '.join(item.source_labels) or 'nothing'}"
    if not voice.by_people:
        reason = f"{dataset}; only a machine ({_who_says(voice)}) names {voice}"
        return _pending(reason, voice.labels, confidence=voice.probability)
    if len(voice.labels) < 2:
        reason = f"{dataset}, which is more than one kind; {names} names only {voice}"
        return _pending(reason, voice.labels)
    return _Outcome("accepted", voice.labels, names, f"{dataset}; {names} names the kinds")


def _who_says(voice: Witness) -> str:
    """The proposers of a voice, with the models that answered; several models are said to be of one family."""
    of_family = f" [one witness: family {voice.family}]" if voice.family else ""
    return JOIN.join(voice.described) + of_family


def _from_source(item: Item, voice: Witness, mapping: str) -> str:
    """What the label rests on when nothing but the dataset's own label speaks for it."""
    if voice.names[0] != "source_label":
        return voice.rationale
    if not item.anomalous:
        return "normal by the dataset"
    return "the dataset's own label" + (f" ({mapping})" if mapping else "")
