"""Everything that a dataset card speaks about, with the counts that several of its sections need."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from acbench._util.plural import counted
from acbench.data.sources import Source
from acbench.records import GOOD, PEOPLE
from acbench.release.diff import Change
from acbench.release.manifest import Manifest
from acbench.release.standings import Standing
from acbench.release.tally import RowKind, Said, Tally
from acbench.schema import Schema


@dataclass(frozen=True, slots=True)
class ReviewProgress:
    """How many labels people have decided."""

    labels: int
    """Accepted labels of anomalous images."""
    by_people: int
    """Labels, among these, that people decided."""

    def __str__(self) -> str:
        return (
            f"{self.by_people:,} of {counted(self.labels, 'anomalous label')}"
            f" {'was' if self.by_people == 1 else 'were'} decided by people"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class CardFacts:
    """Everything that a card speaks about."""

    manifest: Manifest
    tally: Tally
    """What its tables hold."""
    schema: Schema
    source: Source
    dataset: str
    """One line: which part of the source dataset this is, or that it is all of it."""
    complete: bool
    """Whether it is all of the source dataset."""
    changes: Sequence[Change] | None
    """Against the previous release; None if there is none."""
    repo: str
    """ORG/NAME."""
    own: bool = False
    """Whether the dataset is the publisher's own, so that its schema says whose it is."""
    scores: Sequence[Standing] = ()
    """Scores of baselines, against these labels."""

    @property
    def date(self) -> str:
        """The day on which it was published, YYYY-MM-DD; empty if that is not known."""
        listed = (one.date for one in self.manifest.versions if one.version == self.manifest.version)
        return next(listed, "")

    @property
    def kinds(self) -> Mapping[RowKind, int]:
        """Kind of row → images."""
        return self.tally.kinds

    def votes_of_people(self) -> Counter[Said]:
        """Every vote of a person → how often it was given."""
        votes: Counter[Said] = Counter()
        for kind, number in self.kinds.items():
            for vote in kind.votes:
                votes[vote] += number * (vote.kind == "person")
        return +votes

    def progress(self) -> ReviewProgress:
        """How many labels people have decided."""
        labels = {kind: number for kind, number in self.kinds.items() if kind.anomalous and kind.status == "accepted"}
        by_people = sum(number for kind, number in labels.items() if kind.decided_by == PEOPLE)
        return ReviewProgress(sum(labels.values()), by_people)

    def single(self) -> Counter[tuple[str, str]]:
        """(category, defect class) → anomalous images that have it in `label`."""
        counts: Counter[tuple[str, str]] = Counter()
        for kind, number in self.kinds.items():
            if kind.anomalous and kind.label is not None and kind.label != GOOD:
                counts[kind.category, kind.label] += number
        return counts

    def several(self) -> Counter[tuple[str, str]]:
        """(category, defect class) → accepted test images that have it in `labels`."""
        counts: Counter[tuple[str, str]] = Counter()
        for kind, number in self.kinds.items():
            for label in kind.labels if kind.tested else ():
                counts[kind.category, label] += number * (label != GOOD)
        return +counts


def named_images(schema: Schema) -> set[str]:
    """List the images that a schema settles one by one: a card says so of those that the release holds."""
    changes = (change for category in schema.categories.values() for change in category.changes)
    return {change.image for change in changes if change.image}


def facts_of(
    manifest: Manifest, tally: Tally, schema: Schema, source: Source, *, own: bool, repo: str,
    changes: Sequence[Change] | None, dataset: str = "", scores: Sequence[Standing] = (),
) -> CardFacts:  # fmt: skip
    """Put together what a card speaks about: for whoever writes it, and for whoever makes it anew to compare.

    `dataset`: a line on the part of the source dataset; its name if that is not known.
    """
    counts: Counter[str] = Counter()
    for kind, number in tally.kinds.items():
        counts[kind.category] += number
    expected = {schema.key_of(name): number for name, number in source.image_counts.items()}
    return CardFacts(
        manifest=manifest,
        tally=tally,
        schema=schema,
        source=source,
        dataset=dataset or source.name,
        complete=not expected or counts == expected,
        changes=changes,
        repo=repo,
        own=own,
        scores=scores,
    )
