"""All that a dataset card speaks about, counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from acbench.data.sources import Source
from acbench.records import GOOD, PEOPLE
from acbench.release.diff import Change
from acbench.release.entries import Entry
from acbench.release.manifest import Manifest
from acbench.release.markdown import count
from acbench.release.rows import Row
from acbench.schema import Schema


@dataclass(frozen=True, slots=True)
class Decided:
    """How far people have come."""

    labels: int
    """Accepted labels of anomalous images."""
    by_people: int
    """Of them, those that people decided."""

    def __str__(self) -> str:
        return (
            f"{self.by_people:,} of {count(self.labels, 'anomalous label')}"
            f" {'was' if self.by_people == 1 else 'were'} decided by people"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class CardFacts:
    """All that a card speaks about."""

    manifest: Manifest
    entries: Sequence[Entry]
    rows: Sequence[Row]
    """As the entries, in the same order: for their votes."""
    schema: Schema
    source: Source
    dataset: str
    """One line: the whole source dataset, or which part of it."""
    whole: bool
    """Whether it is the whole source dataset."""
    changes: Sequence[Change] | None
    """Against the previous release; None if there is none."""
    repo: str
    """ORG/NAME."""

    def people(self) -> list[dict[str, Any]]:
        """Every vote of a person."""
        return [vote for row in self.rows for vote in row["votes"] if vote["kind"] == "person"]

    def decided(self) -> Decided:
        """How far people have come."""
        who = [each.decided_by for each in self.entries if each.anomalous and each.status == "accepted"]
        return Decided(len(who), who.count(PEOPLE))

    def single(self) -> Counter[tuple[str, str]]:
        """(category, class of defect) → anomalous images that have it in `label`."""
        return Counter((each.category, each.label) for each in self.entries
                       if each.anomalous and each.label not in (None, GOOD))  # fmt: skip

    def several(self) -> Counter[tuple[str, str]]:
        """(category, class of defect) → accepted test images that have it in `labels`."""
        tested = (each for each in self.entries if each.split == "test" and each.status == "accepted")
        return Counter((each.category, label) for each in tested for label in each.labels if label != GOOD)
