"""From what was proposed and reviewed to one label an item: a pure function with a named policy.

Policy `witnesses-1`

1. An image that cannot be read, or that the schema leaves out, is `excluded`.
2. People decide. The latest decision of each reviewer counts: all the same → `accepted`; different → `pending`.
   `bad_image` or `bad_mask` → `excluded`; `unsure` alone → `pending`. Machines never override them.
3. Otherwise independent witnesses decide. Proposers that started from the dataset's labels are one witness.
   All that answered say the same → `accepted`; they differ → `pending`.
4. The dataset's label alone is `accepted`, and said to stand alone.
5. Where the dataset's label names no class, one witness is enough only if people made it and it fits the label
   (a mixed folder holds more than one kind); a machine alone leaves the item `pending`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from acbench.records import GOOD, Item, Label, LabelStatus, Proposal, Review
from acbench.schema import Category, Schema

POLICY = "witnesses-1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Witness:
    """Proposers that share their evidence: one voice."""

    names: tuple[str, ...]
    labels: tuple[str, ...]
    by_people: bool
    from_source: bool
    probability: float | None
    """Of exactly these labels, if it has scores and they are one class."""


def resolve(
    items: Sequence[Item],
    proposals: Mapping[str, Sequence[Proposal]],
    reviews: Mapping[str, Sequence[Review]],
    schema: Schema,
) -> list[Label]:
    """One label for each item; `proposals` and `reviews` are keyed by item_id."""
    return [
        resolve_item(item, proposals.get(item.item_id, ()), reviews.get(item.item_id, ()), schema) for item in items
    ]


def resolve_item(item: Item, proposals: Sequence[Proposal], reviews: Sequence[Review], schema: Schema) -> Label:
    """The label of one item under the policy."""
    category = schema.category(item.category)
    if item.problem:
        return _label(item, schema, (), "excluded", "nobody", f"the image cannot be used: {item.problem}")
    if category is None:
        return _label(item, schema, (), "pending", "nobody", f"the schema has no category {item.category}")
    decided = _by_people(item, reviews, category, schema)
    if decided is not None:
        return decided
    mapped = category.map(item.source_labels, item.image)
    if mapped.excluded:
        return _label(item, schema, mapped.labels, "excluded", "source_label", mapped.reason)
    return _by_witnesses(item, proposals, category, schema)


def witnesses(proposals: Iterable[Proposal]) -> list[Witness]:
    """The independent voices among the proposals that answered; the dataset's own comes first."""
    answered = sorted((each for each in proposals if each.status == "ok"), key=_rank)
    from_source = [each for each in answered if "source_label" in each.saw]
    groups = ([from_source] if from_source else []) + [[each] for each in answered if "source_label" not in each.saw]
    return [
        Witness(
            names=tuple(_short(each) for each in group if each.labels == group[0].labels),
            labels=group[0].labels,
            by_people="people" in group[0].saw,
            from_source="source_label" in group[0].saw,
            probability=group[0].scores.get(group[0].labels[0]) if len(group[0].labels) == 1 else None,
        )
        for group in groups
    ]


def current_reviews(reviews: Iterable[Review]) -> list[Review]:
    """The latest decision of each reviewer, in the order of their names."""
    latest: dict[str, Review] = {}
    for review in sorted(reviews, key=lambda each: each.round):
        latest[review.reviewer] = review
    return [latest[name] for name in sorted(latest)]


def _by_people(item: Item, reviews: Sequence[Review], category: Category, schema: Schema) -> Label | None:
    current = current_reviews(reviews)
    if not current:
        return None
    bad = [each for each in current if each.verdict in {"bad_image", "bad_mask"}]
    if bad:
        why = f"{bad[0].reviewer} says {bad[0].verdict.replace('_', ' ')}" + (f": {bad[0].note}" if bad[0].note else "")
        return _label(item, schema, (), "excluded", "people", why)
    decisive = [each for each in current if each.verdict == "label"]
    if not decisive:
        return _label(item, schema, (), "pending", "nobody", f"{current[0].reviewer} is unsure")
    unknown = sorted({label for each in decisive for label in each.labels} - {GOOD, *category.class_ids})
    if unknown:
        return _label(
            item,
            schema,
            (),
            "pending",
            "nobody",
            f"a review names {', '.join(unknown)}, no class of schema {schema.version}",
        )
    sets = {each.labels for each in decisive}
    who = ", ".join(each.reviewer for each in decisive)
    if len(sets) > 1:
        said = "; ".join(f"{each.reviewer}: {' + '.join(each.labels)}" for each in decisive)
        share = max(sum(each.labels == one for each in decisive) for one in sets) / len(decisive)
        return _label(item, schema, (), "pending", "nobody", f"reviewers differ: {said}", agreement=share)
    note = "; ".join(each.note for each in decisive if each.note)
    reason = f"decided by {who}" + (f": {note}" if note else "")
    agreement = 1.0 if len(decisive) > 1 else None
    return _label(item, schema, decisive[0].labels, "accepted", "people", reason, agreement=agreement)


def _by_witnesses(item: Item, proposals: Sequence[Proposal], category: Category, schema: Schema) -> Label:
    voices = witnesses(proposals)
    if not voices:
        silent = "; ".join(f"{_short(each)}: {each.reason}" for each in sorted(proposals, key=_rank))
        return _label(item, schema, (), "pending", "nobody", f"no witness names a class ({silent or 'none was asked'})")
    first, others = voices[0], voices[1:]
    sets = {voice.labels for voice in voices}
    if len(sets) > 1:
        said = "; ".join(f"{' + '.join(voice.names)}: {_said(voice)}" for voice in voices)
        share = max(sum(voice.labels == one for voice in voices) for one in sets) / len(voices)
        labels = first.labels if first.from_source else ()
        return _label(item, schema, labels, "pending", "nobody", f"witnesses differ: {said}", agreement=share)
    names = " + ".join(name for voice in voices for name in voice.names)
    confidence = next((voice.probability for voice in voices if voice.probability is not None), None)
    if others:
        reason = f"{len(voices)} independent witnesses agree"
        return _label(item, schema, first.labels, "accepted", names, reason, agreement=1.0, confidence=confidence)
    if first.from_source:
        note = category.map(item.source_labels, item.image).reason
        alone = "the dataset's own label" if item.anomalous else "normal by the dataset"
        return _label(
            item,
            schema,
            first.labels,
            "accepted",
            names,
            f"{alone}, no second witness" + (f"; {note}" if note and _mapped(item, category) else ""),
        )
    bin_of = ", ".join(item.source_labels) or "no label"
    if not first.by_people:
        return _label(
            item,
            schema,
            first.labels,
            "pending",
            "nobody",
            f"the dataset says {bin_of}; only a machine ({names}) names {_said(first)}",
            confidence=confidence,
        )
    if len(first.labels) < 2:
        return _label(
            item,
            schema,
            first.labels,
            "pending",
            "nobody",
            f"the dataset says {bin_of}, which is several kinds; {names} names only {_said(first)}",
        )
    return _label(item, schema, first.labels, "accepted", names, f"the dataset says {bin_of}; {names} names the kinds")


def _mapped(item: Item, category: Category) -> bool:
    return bool(category.map(item.source_labels, item.image).labels)


def _said(voice: Witness) -> str:
    return " + ".join(voice.labels) + (f" ({voice.probability:.2f})" if voice.probability is not None else "")


def _short(proposal: Proposal) -> str:
    return proposal.proposer.partition("@")[0]


def _rank(proposal: Proposal) -> tuple[int, str]:
    """The dataset's own label first, then those who started from it, then the others."""
    order = 0 if _short(proposal) == "source_label" else 1 if "source_label" in proposal.saw else 2
    return order, proposal.proposer


def _label(
    item: Item,
    schema: Schema,
    labels: tuple[str, ...],
    status: LabelStatus,
    decided_by: str,
    reason: str,
    *,
    agreement: float | None = None,
    confidence: float | None = None,
) -> Label:
    return Label(
        item_id=item.item_id,
        image=item.image,
        labels=labels,
        status=status,
        decided_by=decided_by,
        policy=POLICY,
        agreement=None if agreement is None else round(agreement, 4),
        confidence=confidence,
        reason=reason,
        schema_version=schema.version,
    )
