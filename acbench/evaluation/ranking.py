"""Compares any number of systems on the same items: every pair, and the ranks that the differences support.

Systems stand in the order of their main figure, the accuracy as the mean over the categories. A pair differs if its
sign-flip test (`stats.multiple`) of that figure, corrected for all pairs (Holm 1979), has a p below LEVEL. The rank of
a system lies between one more than the number of systems that are better, and the number of those that it is not better
than. Groups, ranks, tables and the picture (`plots.ranks`) all come from these pairs.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from acbench.evaluation.metrics import MEAN
from acbench.evaluation.predictions import Answers
from acbench.evaluation.result import Scored
from acbench.evaluation.significance import McNemarTest, both_right, compare_answers
from acbench.evaluation.truth import Truth
from acbench.stats import Estimate, holm, sign_flips

LEVEL = 0.05
FIGURE = "accuracy"
"""The figure that systems are ranked by."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Two of the systems; the first has the larger figure."""

    first: str
    second: str
    difference: Estimate
    """First minus second."""
    p: float
    p_holm: float
    """Corrected for the number of pairs."""
    mcnemar: McNemarTest
    """The test of all items together, not corrected."""

    @property
    def differs(self) -> bool:
        """Whether the difference is more than chance."""
        return self.p_holm < LEVEL


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranking:
    """Systems on the same items."""

    scores: Sequence[Scored]
    """By falling accuracy."""
    pairs: Sequence[Pair]
    ranks: Mapping[str, tuple[int, int]]
    """System → best and worst rank that the differences support."""

    @property
    def groups(self) -> list[tuple[str, ...]]:
        """The largest sets of two or more systems of which no pair differs, in the order of the systems."""
        differ = {frozenset((pair.first, pair.second)) for pair in self.pairs if pair.differs}
        names = [score.system for score in self.scores]
        found: list[tuple[str, ...]] = []

        def grow(group: tuple[str, ...], others: list[str], done: list[str]) -> None:
            """Add what may follow a group (Bron and Kerbosch 1973). `done`: what has been tried, and fits too."""
            if len(group) > 1 and not others and not done:
                found.append(group)
            while others:
                name = others.pop(0)
                fit = [[other for other in each if frozenset((name, other)) not in differ] for each in (others, done)]
                grow((*group, name), *fit)
                done = [*done, name]

        grow((), names, [])
        return found

    def to_json(self) -> dict[str, Any]:
        """What `acbench score A B … --format json` prints: `systems` (each a whole score), `ranks`, `groups` and
        `pairs`."""
        return {
            "systems": [score.facts for score in self.scores],
            "ranks": {name: list(ranks) for name, ranks in self.ranks.items()},
            "groups": [list(group) for group in self.groups],
            "pairs": [{**dataclasses.asdict(pair), "differs": pair.differs} for pair in self.pairs],
        }


def rank(truth: Truth, scored: Sequence[tuple[Scored, Answers]], *, resamples: int = 1_000, seed: int = 0) -> Ranking:
    """Rank systems that were scored against the same truth, each under a name of its own."""
    ordered = sorted(scored, key=lambda each: (-(each[0].value(FIGURE) or 0.0), each[0].system))
    couples = list(combinations(ordered, 2))
    p_values = [_p(truth, first, second) for (_, first), (_, second) in couples]
    pairs = []
    for ((one, first), (other, second)), p, p_holm in zip(couples, p_values, holm(p_values), strict=True):
        compared = compare_answers(truth, first, second, resamples=resamples, seed=seed)
        pairs.append(
            Pair(
                first=one.system,
                second=other.system,
                difference=compared.difference[FIGURE][MEAN],
                p=p,
                p_holm=p_holm,
                mcnemar=compared.mcnemar,
            )
        )
    names = [score.system for score, _ in ordered]
    better = {name: sum(pair.differs and pair.second == name for pair in pairs) for name in names}
    worse = {name: sum(pair.differs and pair.first == name for pair in pairs) for name in names}
    return Ranking(
        scores=[score for score, _ in ordered],
        pairs=pairs,
        ranks={name: (1 + better[name], len(names) - worse[name]) for name in names},
    )


def _p(truth: Truth, first: Answers, second: Answers) -> float:
    strata: dict[str, list[int]] = {}
    for (category, _), counts in zip(truth.targets.kinds, both_right(truth, first, second).tolist(), strict=True):
        (neither, only_second), (only_first, both) = counts
        stratum = strata.setdefault(category, [0, 0, 0])
        stratum[0] += only_first
        stratum[1] += only_second
        stratum[2] += neither + only_second + only_first + both
    return sign_flips([(wins, losses, size) for _, (wins, losses, size) in sorted(strata.items()) if size])
