"""Sums up what a relabel has come to: the report that is printed and kept in `report.json`."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from acbench.data.findings import FindingClass
from acbench.data.ingest import Dataset, describe
from acbench.data.sources import Source
from acbench.errors import StorageError
from acbench.records import PEOPLE, Finding, Item, Label, Proposal
from acbench.review.audit import CONFIDENCE
from acbench.review.queue import ORDER, RankedItem, Why, auto_accept_error, unsettled
from acbench.review.wording import in_words
from acbench.schema import Schema
from acbench.stats import Estimate, rate
from acbench.stats.finite import most_without_fault
from acbench.storage.stored_rows import grouped, some
from acbench.storage.typed_json import convert
from acbench.workflows.answer_counts import AnswerCounts
from acbench.workflows.label_counts import LabelCounts, LabelFigures, PublishedCounts
from acbench.workflows.plan_report import PlanReport
from acbench.workflows.propose import Proposals

TOP = 8
"""How many items of the queue a report lists."""
WRONG_UNSEEN = "wrong labels among those accepted without a look"
"""What an audit tells, in words."""


# What is counted


@dataclass(frozen=True, slots=True, kw_only=True)
class SchemaVersion:
    """Which label schema was used."""

    version: str
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageCounts:
    """How many images the dataset holds."""

    all: int
    anomalous: int
    unusable: int


# The report


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueCounts:
    """How many images people should look at."""

    waiting: int
    by_why: dict[str, int]
    """Waiting images by the reason to look at them: see `review.queue.Why`."""
    ranked: dict[str, int]
    """The same of all images, also of those that people have decided."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Audit:
    """The random sample of labels that would be accepted without a look."""

    asked: int
    """Images in the sample, those of a plan as far as it is expected to go."""
    error: Estimate | None
    """Share of wrong labels among those that people have settled; None before the first."""
    unsettled: int = 0
    """Images of the sample about which people are unsure, or differ: their labels may be right or wrong."""
    drawn_from: int = 0
    """Labels that the sample is drawn from; 0 where a plan says what it promises."""

    @property
    def answered(self) -> int:
        """Images of the sample whose label people have settled."""
        return self.error.n if self.error else 0

    @property
    def bounds(self) -> tuple[float, float] | None:
        """The interval of the error whatever the unsettled labels are: from the low end if all of them are right to the
        high end if all are wrong. None before anybody looked."""
        wrong, n = round(self.error.value * self.error.n) if self.error else 0, self.answered + self.unsettled
        fewest, most = rate(wrong, n), rate(wrong + self.unsettled, n)
        return None if fewest is None or most is None else (fewest.low or 0.0, most.high or 0.0)

    def in_words(self) -> str:
        """The error with its interval, and what it rests on."""
        open_ones = ""
        if self.unsettled and self.bounds:
            low, high = self.bounds
            open_ones = (
                f"; people are unsure or differ about {self.unsettled:,} more, with which it is {low:.1%} to {high:.1%}"
            )
        if self.error is None:
            rest = open_ones or self._promise()
            return f"not known until people have settled some of the {self.asked:,} drawn at random{rest}"
        interval = f"95 % interval {self.error.low:.1%} to {self.error.high:.1%}"
        return (
            f"{self.error.value:.1%} ({interval}, from {self.answered:,} of {self.asked:,} drawn at random{open_ones})"
        )

    def _promise(self) -> str:
        """What it would show if no label of the sample were wrong."""
        if not 0 < self.asked <= self.drawn_from:
            return ""
        left = most_without_fault(self.drawn_from, self.asked, 1 - CONFIDENCE)
        return f"; if none of them is wrong, at most {left / self.drawn_from:.1%} of {self.drawn_from:,} are (95 %)"


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueEntry:
    """One of the first images of the queue."""

    rank: int
    item_id: str
    image: str
    """Path relative to the dataset's root."""
    why: Why
    label_issue_score: float
    source: str
    """The dataset's own labels."""
    proposals: tuple[str, ...]
    """What each proposer says, in a few words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RelabelReport:
    """What a person wants to know after a relabel; kept in `report.json`."""

    benchmark: str
    title: str
    schema: SchemaVersion
    dataset: str
    """One line about the dataset."""
    images: ImageCounts
    findings: tuple[Finding, ...]
    witnesses: dict[str, AnswerCounts]
    """By the proposer's full name."""
    queue: QueueCounts
    labels: LabelCounts
    """Counted over the images that the dataset holds now."""
    decided_by_people: int
    """Labels that people decided."""
    published: PublishedCounts
    audit: Audit
    top: tuple[QueueEntry, ...]
    """The first of the queue."""
    pictures: tuple[str, ...]
    """File names of the evidence pictures of all waiting images."""
    finding_classes: tuple[FindingClass, ...] = ()
    """The findings by kind, the weightiest first; none in a report of an earlier version."""
    plan: PlanReport | None = None
    """What the plan takes, or one that were made now; None in a report of an earlier version."""
    lost_classes: str = ""
    """How many decisions name classes that the schema no longer has; empty if none does."""
    reviews_key: str = ""
    """A hash of what people had decided; empty in a report of an earlier version."""

    @property
    def has_failures(self) -> bool:
        """Whether an image, a mask or a proposer failed."""
        return (
            self.images.unusable > 0
            or any(finding.failed for finding in self.findings)
            or any(counts.error for counts in self.witnesses.values())
        )

    def to_json(self) -> dict[str, Any]:
        """JSON values, in the order of the fields."""
        queue: dict[str, Any] = {"waiting": self.queue.waiting, **self.queue.by_why, "ranked": self.queue.ranked}
        error = self.audit.error
        audit = {
            "asked": self.audit.asked,
            "answered": self.audit.answered,
            "error": error and error.interval_to_json(),
            "unsettled": self.audit.unsettled,
            "drawn_from": self.audit.drawn_from,
            "bounds": self.audit.bounds,
        }
        witnesses = {name: counts.to_json() for name, counts in self.witnesses.items()}
        plan = self.plan and self.plan.to_json()
        return {**dataclasses.asdict(self), "witnesses": witnesses, "queue": queue, "audit": audit, "plan": plan}

    @classmethod
    def from_json(cls, value: Any) -> RelabelReport:
        """The report that `to_json` gave, also one that an earlier version wrote. Raises ValueError if it is none."""
        try:
            queue, audit = _read_queue(value["queue"]), _read_audit(value["audit"])
            values = {**value, "queue": queue, "audit": audit, "top": _read_top(value["top"])}
            return convert(values, cls, "report.json", allow_unknown=True)
        except (StorageError, TypeError, KeyError, AttributeError) as error:
            raise ValueError(f"it is no report of a relabel: {error}") from None


def _read_queue(value: dict[str, Any]) -> dict[str, Any]:
    by_why = {key: count for key, count in value.items() if key not in ("waiting", "ranked")}
    return {"waiting": value["waiting"], "by_why": by_why, "ranked": value["ranked"]}


def _read_audit(value: dict[str, Any]) -> dict[str, Any]:
    error = value["error"]
    later = {name: value.get(name, 0) for name in ("unsettled", "drawn_from")}  # earlier versions did not count them
    return {"asked": value["asked"], "error": error and {**error, "n": value["answered"]}, **later}


def _read_top(value: list[dict[str, Any]]) -> list[dict[str, Any]]:
    # The score was called `suspicion` once.
    return [{"label_issue_score": entry.get("suspicion"), **entry} for entry in value]


@dataclass(frozen=True, kw_only=True)
class RelabelOutcome:
    """Everything that a relabel has come to, as records. Mappings are keyed by item_id."""

    dataset: Dataset
    proposals: Proposals
    answers: Mapping[str, AnswerCounts]
    """Full name of each proposer → how it answered."""
    machine: Mapping[str, Label]
    """The labels without reviews."""
    labels: Mapping[str, Label]
    counts: LabelFigures
    """What these labels come to."""
    ranked: Sequence[RankedItem]
    waiting: Sequence[RankedItem]
    """The queue: the part of `ranked` that people should see."""
    audit: Sequence[str]
    """Ids of the random sample of the auto-accepted labels."""
    drawn_from: int
    """How many labels that is drawn from; 0 where a plan says what it promises."""
    plan: PlanReport | None = None
    lost_classes: str = ""
    reviews_key: str = ""


def relabel_report(outcome: RelabelOutcome, schema: Schema, source: Source) -> RelabelReport:
    """Sum up what a relabel has come to."""
    dataset, waiting = outcome.dataset, outcome.waiting
    shown = [row.item_id for row in waiting[:TOP]]
    items, proposals = some(dataset.by_id, shown), some(outcome.proposals, shown)
    audit = {*outcome.audit}
    machine, labels = some(outcome.machine, audit), some(outcome.labels, audit)
    return RelabelReport(
        benchmark=schema.benchmark,
        title=schema.title,
        schema=SchemaVersion(version=schema.version, digest=schema.digest),
        dataset=describe(source, dataset),
        images=_count_images(dataset),
        findings=tuple(dataset.findings),
        finding_classes=tuple(dataset.finding_classes),
        witnesses=dict(outcome.answers),
        queue=QueueCounts(waiting=len(waiting), by_why=_count_whys(waiting), ranked=_count_whys(outcome.ranked)),
        labels=outcome.counts.labels,
        decided_by_people=outcome.counts.decided_by.get(PEOPLE, 0),
        published=outcome.counts.published,
        audit=Audit(
            asked=len(outcome.audit),
            error=auto_accept_error(outcome.audit, machine, labels),
            unsettled=unsettled(outcome.audit, labels),
            drawn_from=outcome.drawn_from,
        ),
        top=tuple(_queue_entry(row, items[row.item_id], proposals.get(row.item_id, ())) for row in waiting[:TOP]),
        pictures=tuple(f"{row.item_id}.jpg" for row in waiting),
        plan=outcome.plan,
        lost_classes=outcome.lost_classes,
        reviews_key=outcome.reviews_key,
    )


def _count_images(dataset: Dataset) -> ImageCounts:
    parts = dataset.parts
    return ImageCounts(
        all=len(dataset.items),
        anomalous=sum(part.anomalous for part in parts),
        unusable=sum(part.unusable for part in parts),
    )


def _count_whys(ranked: Sequence[RankedItem]) -> dict[str, int]:
    by_why = grouped(ranked, "why")
    return {why: len(by_why.get(why, ())) for why in ORDER if why != "settled"}


def _queue_entry(row: RankedItem, item: Item, proposals: Sequence[Proposal]) -> QueueEntry:
    return QueueEntry(
        rank=row.rank,
        item_id=row.item_id,
        image=item.image,
        why=row.why,
        label_issue_score=row.label_issue_score,
        source=", ".join(item.source_labels),
        proposals=tuple(map(in_words, proposals)),
    )
