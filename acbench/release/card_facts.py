"""Everything that a dataset card speaks about, with the counts that several of its sections need."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from acbench._util.plural import counted
from acbench.data.sources import Source
from acbench.records import GOOD, PEOPLE
from acbench.release.diff import Change
from acbench.release.entries import ReleaseEntry
from acbench.release.manifest import Manifest
from acbench.release.rows import Row, Vote
from acbench.release.standings import Standing
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
    entries: Sequence[ReleaseEntry]
    rows: Sequence[Row]
    """One for each entry, in the same order: for their votes."""
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

    def votes_of_people(self) -> list[Vote]:
        """Every vote of a person."""
        return [vote for row in self.rows for vote in row["votes"] if vote["kind"] == "person"]

    def progress(self) -> ReviewProgress:
        """How many labels people have decided."""
        decided_by = [entry.decided_by for entry in self.entries if entry.anomalous and entry.status == "accepted"]
        return ReviewProgress(len(decided_by), decided_by.count(PEOPLE))

    def single(self) -> Counter[tuple[str, str]]:
        """(category, defect class) → anomalous images that have it in `label`."""
        return Counter(
            (entry.category, entry.label)
            for entry in self.entries
            if entry.anomalous and entry.label is not None and entry.label != GOOD
        )

    def several(self) -> Counter[tuple[str, str]]:
        """(category, defect class) → accepted test images that have it in `labels`."""
        tested = (entry for entry in self.entries if entry.split == "test" and entry.status == "accepted")
        return Counter((entry.category, label) for entry in tested for label in entry.labels if label != GOOD)


def facts_of(
    manifest: Manifest, entries: Sequence[ReleaseEntry], rows: Sequence[Row], schema: Schema, source: Source, *,
    own: bool, repo: str, changes: Sequence[Change] | None, dataset: str = "", scores: Sequence[Standing] = (),
) -> CardFacts:  # fmt: skip
    """Put together what a card speaks about: for whoever writes it, and for whoever makes it anew to compare.

    `dataset`: a line on the part of the source dataset; its name if that is not known.
    """
    counts = Counter(entry.category for entry in entries)
    expected = {schema.key_of(name): number for name, number in source.image_counts.items()}
    return CardFacts(
        manifest=manifest,
        entries=entries,
        rows=rows,
        schema=schema,
        source=source,
        dataset=dataset or source.name,
        complete=not expected or counts == expected,
        changes=changes,
        repo=repo,
        own=own,
        scores=scores,
    )
