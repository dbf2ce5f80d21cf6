"""One row of a release for each image: everything but the images themselves."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from acbench.errors import ReleaseError
from acbench.records import GOOD, PEOPLE, Item, Label, Proposal, Review, short_name
from acbench.review.history import current_reviews
from acbench.review.resolve import resolve_item
from acbench.schema import Schema

Row = dict[str, Any]
"""Column → value; classes are numbers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """What the numbers in a release mean."""

    categories: tuple[str, ...]
    classes: tuple[str, ...]


def names_of(schema: Schema) -> Names:
    """Categories and classes in the schema's order; `good` first, classes of the published view that are no class of
    ours last. One list for all categories: the same name always has the same number."""
    own = (one.id for category in schema.categories.values() for one in category.classes)
    published = (one.id for category in schema.categories.values() for one in category.published)
    return Names(categories=tuple(schema.categories), classes=tuple(dict.fromkeys([GOOD, *own, *published])))


def rows(
    items: Sequence[Item],
    labels: Mapping[str, Label],
    proposals: Mapping[str, Sequence[Proposal]],
    reviews: Mapping[str, Sequence[Review]],
    schema: Schema,
) -> list[Row]:
    """A row for each item, in their order. `reviews` are those of pseudonyms, by item_id, as the other two.

    Raises ReleaseError if a label was not made from these reviews, or names a class that the schema does not have.
    """
    names = names_of(schema)
    if strangers := sorted({item.category for item in items} - set(names.categories)):
        raise ReleaseError(
            f"the schema has no category {strangers[0]}, but the dataset does",
            f"leave it out: acbench relabel {schema.argument} --category …   or add it to the schema",
        )
    categories = {name: number for number, name in enumerate(names.categories)}
    classes = {name: number for number, name in enumerate(names.classes)}
    single = single_class(schema)
    made = []
    for item in items:
        voices = [_public(each) for each in proposals.get(item.item_id, ())]
        people = current_reviews(reviews.get(item.item_id, ()))
        label = _by_pseudonyms(item, labels[item.item_id], people, schema)
        decided = label.labels if label.status != "pending" else ()
        unknown = sorted(set(decided) - set(classes))
        if unknown:
            raise ReleaseError(f"{item.image} is labelled {unknown[0]}, no class of the schema", "acbench relabel")
        one = single(item.category, decided) if label.status == "accepted" else None
        made.append(
            {
                "item_id": item.item_id,
                "image_path": item.image,
                "mask_path": item.mask,
                "category": categories[item.category],
                "split": item.split,
                "anomalous": item.anomalous,
                "label": None if one is None else classes[one],
                "labels": [classes[each] for each in decided],
                "source_labels": list(item.source_labels),
                "status": label.status,
                "decided_by": _without_files(label.decided_by, proposals.get(item.item_id, ())),
                "reason": _without_files(label.reason, proposals.get(item.item_id, ())),
                "agreement": label.agreement,
                "confidence": label.confidence,
                "votes": [*voices, *map(_vote, people)],
                "image_sha256": item.sha256,
                "mask_sha256": item.mask_sha256,
                "width": item.width,
                "height": item.height,
                "schema_version": label.schema_version,
            }
        )
    return made


def single_class(schema: Schema) -> Any:
    """(category, label set) → the class of the single-label benchmark, or None.

    That is the published view where the schema has one; else the only class of a set.
    """
    has_view = any(category.published for category in schema.categories.values())

    def one(category: str, labels: tuple[str, ...]) -> str | None:
        if labels == (GOOD,) or (len(labels) == 1 and not has_view):
            return labels[0]
        return schema.categories[category].published_class(labels) if labels else None

    return one


def _by_pseudonyms(item: Item, label: Label, people: Sequence[Review], schema: Schema) -> Label:
    """The same label, with the reason that it has when pseudonyms decide instead of names."""
    if not people or item.problem:
        return label
    again = resolve_item(item, (), people, schema)
    if (again.labels, again.status) != (label.labels, label.status):
        raise ReleaseError(
            f"the label of {item.image} is not what its reviews say",
            f"make the labels anew: acbench resolve {schema.argument}",
        )
    return again


def _vote(review: Review) -> Row:
    return {
        "who": review.reviewer,
        "kind": "person",
        "said": review.verdict,
        "labels": list(review.labels),
        "blind": not review.shown,
    }


def _public(proposal: Proposal) -> Row:
    return {
        "who": _public_name(proposal.proposer),
        "kind": _kind(proposal),
        "said": "label" if proposal.status == "ok" else proposal.status,
        "labels": list(proposal.labels),
        "blind": None,
    }


def _kind(proposal: Proposal) -> str:
    if short_name(proposal.proposer) == "source_label":
        return "dataset"
    if PEOPLE in proposal.saw:
        return "table"
    return "file" if proposal.proposer.startswith("file:") else "model"


def _public_name(proposer: str) -> str:
    """Files of answers are named after their path, which may tell whose they are."""
    name, at, mark = proposer.rpartition("@")
    return f"file{at}{mark}" if name.startswith("file:") else proposer


def _without_files(text: str, proposals: Iterable[Proposal]) -> str:
    for each in proposals:
        if (name := short_name(each.proposer)).startswith("file:"):
            text = text.replace(name, _public_name(each.proposer))
    return text
