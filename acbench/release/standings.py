"""What a card says of a system's score: the figures with their intervals, and the hashes by which they compare."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from acbench.records import SPARSE

METRICS = {
    "accuracy": "accuracy",
    "accuracy_anomalous": "anomalies only",
    "macro_f1": "macro-F1",
    "missed": "missed",
    "false_alarms": "false alarms",
}
"""Figures of a standing, as means over the categories, and their heads in the card."""
HASHES = ("labels", "split", "schema")
"""What has to be equal for two scores to be comparable."""

LOCALISATIONS = ("none", "detector", "ground_truth", "not_stated")
"""Who told a system where the defect is: those of `acbench.evaluation.result`."""
MAX_STANDINGS = 1_000
"""Entries of a leaderboard that a card shows, at most."""
MAX_NAME = 100
"""Characters of a system's name, at most."""
ENTRY = re.compile(r"leaderboard/v\d{1,6}\.\d{1,6}\.\d{1,6}/[a-z0-9][a-z0-9._-]{0,63}/[0-9a-f]{16}")
"""Folder of an entry: version of the release, system, and the beginning of the sha256 of its answers."""
_HASH = re.compile(r"[0-9a-f]{16}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One figure, a share from 0 to 1, with its 95 % interval."""

    value: float
    low: float | None = None
    """None if there is no interval."""
    high: float | None = None

    def __str__(self) -> str:
        interval = "" if self.low is None or self.high is None else f" ({100 * self.low:.1f}–{100 * self.high:.1f})"
        return f"{100 * self.value:.1f}{interval}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """The score of one system against one version of a benchmark."""

    system: str
    version: str
    """Version of the release whose labels it was scored by."""
    localisation: str
    """Who told the system where the defect is: one of `evaluation.result.LOCALISATIONS`."""
    items: int
    """Test images that were scored."""
    figures: Mapping[str, Figure]
    """By the names of `METRICS`; one that is not defined is left out."""
    hashes: Mapping[str, str]
    """16 hex digits each: `HASHES`, and `predictions`."""
    about: str = field(default="", metadata=SPARSE)
    """What a baseline does, in a sentence; of a system of others nothing is known."""
    path: str = field(default="", metadata=SPARSE)
    """Folder of the entry in the repository; empty for a baseline."""

    def odd(self) -> bool:
        """Whether an untrusted standing cannot be one."""
        shares = [share for figure in self.figures.values() for share in (figure.value, figure.low, figure.high)]
        return not (
            0 < len(self.system) <= MAX_NAME
            and self.system.isprintable()
            and self.localisation in LOCALISATIONS
            and self.items > 0
            and self.figures.keys() <= METRICS.keys()
            and all(share is None or 0 <= share <= 1 for share in shares)
            and self.hashes.keys() == {*HASHES, "predictions"}
            and all(_HASH.fullmatch(digits) for digits in self.hashes.values())
            and (not self.path or ENTRY.fullmatch(self.path))
        )
