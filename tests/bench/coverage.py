"""How often the 95 % intervals of a score hold the true value.

    python -m tests.bench.coverage [--sets N] [--resamples R] [--only SHAPE] [--seed N]

Made systems with a fixed chance of each answer to each class answer the images of a benchmark again and again: VisA-AC
and MVTec-AC as bundled, and one category of 20 and of 80 images. The true value is that of infinitely many such
answers. A row says in how many of the sets the interval held it, and to which side it missed; how many sets had no
interval; and how many had one of width zero. Every SETS_OF_ONE sets are of other systems, so that none decides a row.
With 300 sets (the default), 95 % has a standard error of 1.3 points. Where most sets have no interval, the others are
those with the most errors by chance, and tell nothing: a dash. The last rows are the difference of two systems.
"""

from __future__ import annotations

import argparse
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from itertools import product
from typing import NamedTuple

import numpy as np

from acbench import schema
from acbench.evaluation.answer_parsing import Outcome
from acbench.evaluation.answer_table import ParsedAnswer
from acbench.evaluation.metrics import MEAN, METRICS, POOLED, cells
from acbench.evaluation.metrics import figures as metric_figures
from acbench.evaluation.predictions import Answers
from acbench.evaluation.significance import compare_answers
from acbench.evaluation.tallies import Cells
from acbench.evaluation.truth import Truth, TruthOptions, TruthRow, truth_of_labels, truth_of_rows
from acbench.schema.views import ClassSet
from acbench.stats import Estimate
from acbench.storage.bundled import edition_labels
from tests.bench.timing import Figure, table

HEAD = ("figure", "held", "above", "below", "no interval", "width 0")
SHAPES = ("20 images", "80 images", "visa_ac", "mvtec_ac")
PROMISED = 0.95
MINUTES = 6
SETS_OF_ONE = 30
"""Sets of answers of one made system."""
RIGHT = (0.7, 0.85, 0.97)
"""Mean chance of a right answer."""
Chances = Mapping[tuple[str, ClassSet], tuple[list[ClassSet], list[float]]]
"""(category, right answer) → answers and the chance of each."""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--sets", type=int, default=300)
    parser.add_argument("--resamples", type=int, default=1000)
    parser.add_argument("--only", choices=SHAPES)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    for shape, right in product([given.only] if given.only else SHAPES, RIGHT):
        print(f"\n{shape}, {right:.0%} right")
        print(table([HEAD, *rows_of(shape, right, given)]), flush=True)


class Held(NamedTuple):
    """What became of the intervals of one figure."""

    counts: Counter[str]

    def row(self, name: str) -> tuple[str, ...]:
        """For people."""
        n = sum(self.counts[key] for key in ("held", "above", "below"))
        told = n > self.counts["none"]
        shares = (f"{self.counts[key] / n:.0%}" if told else "–" for key in ("held", "above", "below"))
        return (name, *shares, str(self.counts["none"]), str(self.counts["zero"]))

    def add(self, found: Estimate | None, true: float) -> None:
        """Count one interval."""
        if found is None or found.low is None or found.high is None:
            self.counts["none"] += 1
            return
        self.counts["zero"] += found.high - found.low < 1e-9
        self.counts["above" if found.low > true + 1e-9 else "below" if found.high < true - 1e-9 else "held"] += 1


def figures(sets: int = 60, resamples: int = 500) -> Iterator[Figure]:
    """The share of intervals that held the true value, beside what they promise."""
    given = argparse.Namespace(sets=sets, resamples=resamples, seed=0)
    for name, each in held_by_figure("80 images", 0.85, given).items():
        if told := sum(each.counts[key] for key in ("held", "above", "below")):
            held = each.counts["held"] / told
            spread = (held * (1 - held) / told) ** 0.5 / PROMISED
            yield Figure(
                f"intervals of {name}, 80 images, that hold the true value", held, PROMISED, "", None, True, spread
            )


def rows_of(shape: str, right: float, given: argparse.Namespace) -> Iterator[tuple[str, ...]]:
    """The rows of one benchmark and two systems, of which the second is right a little less often."""
    yield from (each.row(name) for name, each in held_by_figure(shape, right, given).items())


def held_by_figure(shape: str, right: float, given: argparse.Namespace) -> Mapping[str, Held]:
    """What became of the intervals of each figure."""
    truth = truth_of(shape)
    generator = np.random.default_rng(given.seed)
    sizes: dict[tuple[str, ClassSet], int] = Counter((each.category, each.wanted) for each in truth.targets)
    held: defaultdict[str, Held] = defaultdict(lambda: Held(Counter()))
    scopes = (POOLED,) if shape.endswith("images") else (MEAN, POOLED)
    for seed in range(given.sets):
        if seed % SETS_OF_ONE == 0:
            first, second = (chances_of(sizes, share, generator) for share in (right, right - 0.05))
            expected = {
                system: metric_figures(counted(sizes, chances), resamples=0, seed=0).estimates
                for system, chances in (("first", first), ("second", second))
            }
        one, other = (answers(truth, chances, generator) for chances in (first, second))
        found = metric_figures(cells(truth, one), resamples=given.resamples, seed=seed).estimates
        difference = compare_answers(truth, one, other, resamples=given.resamples, seed=seed).difference
        for scope in scopes:
            for name in METRICS:
                if not name.startswith(("floor", "jaccard")) and (true := expected["first"][name][scope]):
                    held[f"{name}, {scope}"].add(found[name][scope], true.value)
            for name, values in difference.items():
                ends = [expected[system][name][scope] for system in ("first", "second")]
                gap = sum(each.value * sign for each, sign in zip(ends, (1, -1), strict=True) if each)
                held[f"difference of {name}, {scope}"].add(values[scope], gap)
    return held


def truth_of(shape: str) -> Truth:
    """The truth of a benchmark, or of one category: two fifths normal, the others of four classes."""
    if not shape.endswith("images"):
        return truth_of_labels(edition_labels(shape), schema.load(shape))
    size = int(shape.split()[0])
    names = [*["good"] * (size * 2 // 5), *(f"c{n % 4}" for n in range(size - size * 2 // 5))]
    return truth_of_rows("made", (TruthRow("", f"i{n}", "cup", name) for n, name in enumerate(names)), TruthOptions())


def chances_of(sizes: Mapping[tuple[str, ClassSet], int], right: float, generator: np.random.Generator) -> Chances:
    """Chances around `right`, and of each wrong answer."""
    chances = {}
    for category, wanted in sizes:
        others = [answer for key, answer in sizes if key == category and answer != wanted]
        wrong = min((1 - right) * generator.uniform(0.3, 1.7), 0.98) if others else 0.0
        shares: list[float] = generator.dirichlet(np.ones(len(others))).tolist() if others else []
        chances[category, wanted] = ([wanted, *others], [1 - wrong, *(wrong * share for share in shares)])
    return chances


def counted(sizes: Mapping[tuple[str, ClassSet], int], chances: Chances) -> dict[str, Cells]:
    """The expected number of each answer, in units so small that it is a whole number."""
    expected: dict[str, Cells] = {}
    for (category, wanted), size in sizes.items():
        for answer, chance in zip(*chances[category, wanted], strict=True):
            expected.setdefault(category, Counter())[wanted, Outcome("ok", answer)] = round(size * chance * 1e9)
    return expected


def answers(truth: Truth, chances: Chances, generator: np.random.Generator) -> Answers:
    """What the system says this time."""
    said = {}
    for target in truth.targets:
        choices, shares = chances[target.category, target.wanted]
        said[target.item_id] = ParsedAnswer("", Outcome("ok", choices[generator.choice(len(choices), p=shares)]))
    return Answers(said, 0)


if __name__ == "__main__":
    main()
