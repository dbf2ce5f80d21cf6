"""Makes the rows of a release from records: one for each image, with everything but the image itself."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NotRequired, TypedDict

from acbench.errors import ReleaseError
from acbench.records import GOOD, PEOPLE, Item, Label, Proposal, Review, mask_files, short_name
from acbench.review.former import as_read
from acbench.review.history import by_age, current_reviews
from acbench.review.resolve import resolve_item
from acbench.review.sight import sight_of
from acbench.schema import Schema

VoteKind = Literal["dataset", "table", "file", "model", "person"]


class Vote(TypedDict):
    """What a witness or a person said about an image: see `columns.VOTE`."""

    who: str
    kind: VoteKind
    said: str
    labels: list[str]
    blind: bool | None
    model: str | None
    family: str | None


class Decided(TypedDict):
    """What a person decided about an image, once: see `columns.HISTORY`."""

    who: str
    round: int
    date: str | None
    said: str
    labels: list[str]
    sight: str
    place: int
    schema_version: str | None


class Row(TypedDict):
    """A row of a parquet shard, with numbers for categories and classes: see `columns.COLUMNS`."""

    item_id: str
    image_path: str
    mask_path: str | None
    category: int
    category_name: str
    split: str
    anomalous: bool
    label: int | None
    label_name: str | None
    labels: list[int]
    label_names: list[str]
    source_labels: list[str]
    status: str
    decided_by: str
    reason: str
    agreement: float | None
    confidence: float | None
    votes: list[Vote]
    history: list[Decided]
    image_sha256: str
    mask_sha256: str | None
    image_size: int | None
    mask_size: int | None
    width: int
    height: int
    schema_version: str
    boxes: NotRequired[list[list[int]]]
    """Left out where there are none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Numbering:
    """What the numbers in a release mean: the position of each name."""

    categories: tuple[str, ...]
    classes: tuple[str, ...]


def numbering_of(schema: Schema) -> Numbering:
    """Number categories and classes in the schema's order.

    `good` comes first; classes of the published view that are no class of a category come last. There is one list for
    all categories: the same name always has the same number.
    """
    own = (defect.id for category in schema.categories.values() for defect in category.classes)
    published = (defect.id for category in schema.categories.values() for defect in category.published)
    return Numbering(categories=tuple(schema.categories), classes=tuple(dict.fromkeys([GOOD, *own, *published])))


def make_rows(
    items: Iterable[Item],
    labels: Mapping[str, Label],
    proposals: Mapping[str, Sequence[Proposal]],
    reviews: Mapping[str, Sequence[Review]],
    schema: Schema,
    size_of: Callable[[str], int | None] = lambda _: None,
) -> Iterator[Row]:
    """Make a row for each item, in their order. Mappings are keyed by item_id; reviews have pseudonyms.

    `size_of`: path of an image or of one mask file → its bytes, or None if they are not known.

    Raises ReleaseError if a label was not made from these reviews, or names a class that the schema does not have.
    """
    encoder = _Encoder(schema, size_of)
    for item in items:
        key = item.item_id
        yield encoder.row(item, labels[key], proposals.get(key, ()), reviews.get(key, ()))


class _Encoder:
    """Makes rows with the numbers of one schema."""

    def __init__(self, schema: Schema, size_of: Callable[[str], int | None]) -> None:
        self.schema = schema
        self.size_of = size_of
        numbering = numbering_of(schema)
        self.categories = {name: number for number, name in enumerate(numbering.categories)}
        self.classes = {name: number for number, name in enumerate(numbering.classes)}
        self.single_class = single_class(schema)

    def row(self, item: Item, label: Label, proposals: Sequence[Proposal], history: Sequence[Review]) -> Row:
        label = _with_pseudonyms(item, label, history, self.schema)
        category = self.schema.category(item.category)
        votes = [_vote_of_review(as_read(review, category), history) for review in current_reviews(history)]
        decided = label.labels if label.status != "pending" else ()
        unknown = sorted(set(decided) - self.classes.keys())
        if unknown:
            raise ReleaseError(f"{item.image} is labelled {unknown[0]}, no class of the schema", "acbench relabel")
        single = self.single_class(item.category, decided) if label.status == "accepted" else None
        row: Row = {
            "item_id": item.item_id,
            "image_path": item.image,
            "mask_path": item.mask,
            "category": self.categories[item.category],
            "category_name": item.category,
            "split": item.split,
            "anomalous": item.anomalous,
            "label": None if single is None else self.classes[single],
            "label_name": single,
            "labels": [self.classes[name] for name in decided],
            "label_names": list(decided),
            "source_labels": list(item.source_labels),
            "status": label.status,
            "decided_by": _without_file_names(label.decided_by, proposals),
            "reason": _without_file_names(label.reason, proposals),
            "agreement": label.agreement,
            "confidence": label.confidence,
            "votes": [*map(_vote_of_proposal, proposals), *votes],
            "history": history_of(history),
            "image_sha256": item.sha256,
            "mask_sha256": item.mask_sha256,
            "image_size": self.size_of(item.image) if item.sha256 else None,
            "mask_size": self._mask_size(item),
            "width": item.width,
            "height": item.height,
            "schema_version": label.schema_version,
        }
        if item.marking == "boxes":
            row["boxes"] = list(map(list, item.boxes))
        return row

    def _mask_size(self, item: Item) -> int | None:
        sizes = list(map(self.size_of, mask_files(item.mask))) if item.mask and item.sha256 else []
        known = [size for size in sizes if size is not None]
        return sum(known) if known and len(known) == len(sizes) else None


def single_class(schema: Schema) -> Callable[[str, tuple[str, ...]], str | None]:
    """Give a function: (category, label set) → class of the single-label benchmark, or None.

    That is the published view where the schema has one, otherwise the only class of a set.
    """
    has_view = any(category.published for category in schema.categories.values())

    def class_of(category: str, labels: tuple[str, ...]) -> str | None:
        if labels == (GOOD,) or (len(labels) == 1 and not has_view):
            return labels[0]
        return schema.categories[category].published_class(labels) if labels else None

    return class_of


def history_of(reviews: Sequence[Review]) -> list[Decided]:
    """Give every decision about one image by person, the oldest first, without notes, times of day and addresses."""
    decided: list[Decided] = []
    places: dict[tuple[str, str], int] = {}
    for review in sorted(reviews, key=lambda review: (review.reviewer, *by_age(review))):
        own = sum(reviewer == review.reviewer for reviewer, _ in places)
        decided.append(
            {
                "who": review.reviewer,
                "round": review.round,
                "date": review.day or None,
                "said": review.verdict,
                "labels": list(review.labels),
                "sight": sight_of(review, reviews),
                "place": places.setdefault((review.reviewer, review.desk), own + 1),
                "schema_version": review.schema_version or None,
            }
        )
    return decided


def _with_pseudonyms(item: Item, label: Label, history: Sequence[Review], schema: Schema) -> Label:
    """The same label with a reason that names pseudonyms. Raises ReleaseError if the reviews give another label."""
    if not current_reviews(history) or item.problem:
        return label
    resolved = resolve_item(item, (), history, schema)
    if (resolved.labels, resolved.status) != (label.labels, label.status):
        raise ReleaseError(
            f"the label of {item.image} is not what its reviews say",
            f"make the labels anew: acbench resolve {schema.argument}",
        )
    return resolved


def _vote_of_review(review: Review, history: Sequence[Review]) -> Vote:
    sight = sight_of(review, history)
    return {
        "who": review.reviewer,
        "kind": "person",
        "said": review.verdict,
        "labels": list(review.labels),
        "blind": None if sight == "none" else sight == "blind",
        "model": None,
        "family": None,
    }


def _vote_of_proposal(proposal: Proposal) -> Vote:
    return {
        "who": _public_name(proposal.proposer),
        "kind": _vote_kind(proposal),
        "said": "label" if proposal.status == "ok" else proposal.status,
        "labels": list(proposal.labels),
        "blind": None,
        "model": proposal.model or None,
        "family": proposal.family or None,
    }


def _vote_kind(proposal: Proposal) -> VoteKind:
    if short_name(proposal.proposer) == "source_label":
        return "dataset"
    if PEOPLE in proposal.saw:
        return "table"
    return "file" if proposal.proposer.startswith("file:") else "model"


def _public_name(proposer: str) -> str:
    """Leave out the path of a file of answers: it may tell whose they are."""
    name, at, mark = proposer.rpartition("@")
    return f"file{at}{mark}" if name.startswith("file:") else proposer


def _without_file_names(text: str, proposals: Iterable[Proposal]) -> str:
    for proposal in proposals:
        if (name := short_name(proposal.proposer)).startswith("file:"):
            text = text.replace(name, _public_name(proposal.proposer))
    return text
