"""Builders of records: what a test does not name is ordinary."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from acbench import schema
from acbench.predictors.base import Proposer, checked
from acbench.records import Item, Label, Proposal, Review, item_id
from acbench.review.audit import AuditSample, AuditSize
from acbench.review.history import by_item
from acbench.review.queue import RankedItem, ranked_rows
from acbench.review.resolve import machine_labels, resolve
from acbench.review.weighed import WeighedItem, taught, weighed_items
from acbench.review.weighing import shared_scalings
from acbench.schema import Schema
from acbench.storage.stored_rows import grouped

MVTEC_AC = schema.load("mvtec_ac")
BOTTLE = MVTEC_AC.categories["bottle"]
HEAD = """
benchmark: toy
version: 1
source: toy
title: Toy
licence: CC0-1.0
attribution: nobody
about: two classes
categories:
  cup:
    name: Cup
    object: a cup
    normal: a whole cup
    guide: look at it
"""
PLATE = """benchmark: own
version: "1"
source: {source}
title: Own
licence: CC0-1.0
attribution: me
about: toys
reading: {{category: plate}}
categories:
  plate:
    name: Plate
    object: A disc.
    normal: Smooth.
    guide: Look.
    classes:
      - {{id: crack, name: Crack, definition: A crack., not: No dent., aliases: [], source: [crack]}}
      - {{id: dent, name: Dent, definition: A dent., not: No crack., aliases: [], source: [dent]}}
"""
"""A schema of the toys of `acbench.testing.annotated`, for any `{source}`."""
CHIP = """
      - id: chip
        name: Chip
        definition: a piece of the rim has broken off and is gone
        not: not a crack, from which nothing is missing at all
        aliases: [flake]
        source: [chip]
"""
CRACK = """
      - id: crack
        name: Crack
        definition: a thin dark line in the glaze, open or closed
        not: not a chip, from which a piece is missing altogether
        source: [crack, fissure]
"""
TAIL = """
    changes:
      - {kind: merge, source: fissure, into: crack, reason: one kind under two names}
      - {kind: mixed, source: combined, reason: several kinds in one folder}
"""
TOY = HEAD + "    classes:" + CHIP + CRACK + TAIL
"""A sound schema of one category, in pieces that tests replace."""


def item(number: int = 0, label: str | None = "contamination", **other: Any) -> Item:
    """A defective bottle of MVTec-AD, or another `category`; a normal one if `label` is None."""
    category = other.get("category", "bottle")
    image = other.get("image", f"{category}/test/{label or 'good'}/{number:03}.png")
    values: dict[str, Any] = {
        "item_id": item_id("mvtec_ad", category, image),
        "dataset": "mvtec_ad",
        "category": category,
        "split": "test",
        "image": image,
        "sha256": f"{number:064x}",
        "width": 48,
        "height": 48,
        "mode": "RGB",
        "mask": None,
        "mask_sha256": None,
        "anomalous": label is not None,
        "source_labels": (label or "good",),
        "licence": "CC-BY-NC-SA-4.0",
    }
    return Item(**values | other)


def says(of: Item, proposer: str, *labels: str, **other: Any) -> Proposal:
    """What a proposer says of an item; without labels it abstains. `source_label` has seen the source label."""
    values: dict[str, Any] = {
        "item_id": of.item_id,
        "proposer": f"{proposer}@00000000",
        "labels": labels,
        "status": "ok" if labels else "abstained",
        "reason": "" if labels else "cannot tell",
        "saw": ("source_label",) if proposer == "source_label" else ("image",),
    }
    return Proposal(**values | other)


def decides(reviewer: str, of: Item, *labels: str, **other: Any) -> Review:
    """A person's decision about an item; without labels, say which verdict."""
    values: dict[str, Any] = {
        "item_id": of.item_id,
        "reviewer": reviewer,
        "round": 1,
        "verdict": "label",
        "labels": labels,
    }
    return Review(**values | other)


def ask(proposer: Proposer, items: Sequence[Item]) -> list[Proposal]:
    """Every answer of a proposer, checked as a run checks them."""
    return list(checked(proposer.name, items, proposer.propose(items, lambda done, total: None)))


def ranked_by(
    items: Sequence[Item],
    proposals: Mapping[str, Sequence[Proposal]],
    schema: Schema,
    *,
    audit: float = 0.05,
    seed: int = 0,
) -> list[RankedItem]:
    """The ranking of items by what is proposed."""
    sample = AuditSample(size=AuditSize.parse(audit), seed=seed)
    return rank(items, proposals, machine_labels(items, proposals, schema), schema, sample)


def labels_of(
    items: Sequence[Item], proposals: Mapping[str, Sequence[Proposal]], reviews: Sequence[Review], schema: Schema
) -> Mapping[str, Label]:
    """The labels of items, as a run resolves them."""
    return resolve(items, proposals, by_item(reviews), schema, machine_labels(items, proposals, schema))


def weighed_by(
    items: Sequence[Item], proposals: Mapping[str, Sequence[Proposal]], schema: Schema, reviews: Sequence[Review] = ()
) -> list[WeighedItem]:
    """What witnesses leave to people, by what these have decided."""
    machine, final = machine_labels(items, proposals, schema), labels_of(items, proposals, reviews, schema)
    return _weighed(items, proposals, machine, schema, final, {})


def rank(
    items: Sequence[Item],
    proposals: Mapping[str, Sequence[Proposal]],
    machine: Mapping[str, Label],
    schema: Schema,
    audit: AuditSample,
    *,
    final: Mapping[str, Label] | None = None,
    learned: Mapping[str, Mapping[str, float]] | None = None,
) -> list[RankedItem]:
    """The ranking of items: see `weighed_items` and `ranked_rows`."""
    weighed = _weighed(items, proposals, machine, schema, final or machine, learned or {})
    return list(ranked_rows(weighed, [item.item_id for item in sorted(items, key=lambda item: item.image)], audit))


def _weighed(
    items: Sequence[Item],
    proposals: Mapping[str, Sequence[Proposal]],
    machine: Mapping[str, Label],
    schema: Schema,
    final: Mapping[str, Label],
    learned: Mapping[str, Mapping[str, float]],
) -> list[WeighedItem]:
    said = taught(proposals, learned)
    scalings = shared_scalings(items, said, final, schema)
    return [
        row
        for category, own in grouped(items, "category").items()
        for row in weighed_items(own, schema.category(category), proposals, machine, scalings, final=final, said=said)
    ]


def tally(proposals: Iterable[Proposal]) -> dict[str, int]:
    """Status → how many proposals have it."""
    counts = Counter(proposal.status for proposal in proposals)
    return {status: counts[status] for status in ("ok", "abstained", "error")}
