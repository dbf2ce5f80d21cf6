"""What `labels.meta.json` says about the labels of a benchmark: sources, licences, policy and counts."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from acbench.data.sources import Source
from acbench.records import Review
from acbench.review.resolve import POLICY
from acbench.schema import Schema
from acbench.workflows.answer_counts import AnswerCounts
from acbench.workflows.label_counts import LabelCounts, LabelFigures, PublishedCounts
from acbench.workflows.summary import SchemaVersion


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceFacts:
    """The dataset that the labels are about."""

    name: str
    title: str
    licence: str
    attribution: str
    home: str
    citation: str = ""
    """How to cite it; empty if nobody has said it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class People:
    """How many people reviewed the labels."""

    reviewers: int
    reviews: int
    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelsMeta:
    """The content of `labels.meta.json`. The same inputs give the same content."""

    benchmark: str
    title: str
    schema: SchemaVersion
    policy: str
    source: SourceFacts
    licence: str
    """SPDX id of the licence of the labels."""
    witnesses: dict[str, AnswerCounts]
    """By the proposer's full name."""
    people: People
    labels: LabelCounts
    decided_by: dict[str, int]
    """`Label.decided_by` → how many labels."""
    published: PublishedCounts

    def to_json(self) -> dict[str, Any]:
        """JSON values, in the order of the fields."""
        witnesses = {name: counts.to_json() for name, counts in self.witnesses.items()}
        facts = {**dataclasses.asdict(self), "witnesses": witnesses}
        if not self.source.citation:
            del facts["source"]["citation"]
        return facts


def labels_meta(
    counts: LabelFigures,
    answers: dict[str, AnswerCounts],
    reviews: Sequence[Review],
    schema: Schema,
    source: Source,
) -> LabelsMeta:
    """What there is to say about all labels of a benchmark. `answers`: how each proposer answered."""
    return LabelsMeta(
        benchmark=schema.benchmark,
        title=schema.title,
        schema=SchemaVersion(version=schema.version, digest=schema.digest),
        policy=POLICY,
        source=SourceFacts(
            name=source.name,
            title=source.title,
            licence=source.licence,
            attribution=source.attribution,
            home=source.home,
            citation=schema.publisher.citation,
        ),
        licence=schema.licence,
        witnesses=answers,
        people=People(
            reviewers=len({review.reviewer for review in reviews}),
            reviews=len(reviews),
            note="" if reviews else "No person has reviewed these labels yet.",
        ),
        labels=counts.labels,
        decided_by=dict(counts.decided_by),
        published=counts.published,
    )
