"""Rates, agreement of raters and calibration, with intervals: thin over scipy, scikit-learn and others."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias, cast

from acbench.records import JOIN

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

BOOTSTRAPS = 500
LEAST = 30
"""Images, below which a t-test is not trusted."""
RATERS = 3
"""Of the alternative-annotator test, at least."""
EPSILON = 0.2
"""What an expert's time is worth in that test: how much worse than a person a machine may be and still replace one."""

ClassSet = tuple[str, ...]
"""A set of classes, sorted; or one verdict."""
Table: TypeAlias = "NDArray[np.int64]"


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure with the ends of its 95 % interval; ends are None where resamples leave it undefined."""

    value: float
    low: float | None
    high: float | None
    n: int
    """Images it is from."""


def masi(one: ClassSet, other: ClassSet) -> float:
    """Distance of two sets, 0…1: one less Jaccard's index, weighted by how they overlap (Passonneau 2006)."""
    a, b = set(one), set(other)
    if not a | b:
        return 0.0
    common = len(a & b)
    monotony = 1.0 if a == b else 2 / 3 if a <= b or b <= a else 1 / 3 if common else 0.0
    return 1.0 - common / len(a | b) * monotony


def counts(rows: Sequence[Sequence[ClassSet]]) -> tuple[Table, list[ClassSet]]:
    """The table of images with two answers or more, and the answers that its columns stand for."""
    import numpy as np

    answers = sorted({answer for row in rows if len(row) > 1 for answer in row})
    number = {answer: column for column, answer in enumerate(answers)}
    table = np.zeros((sum(len(row) > 1 for row in rows), len(answers)), dtype=np.int64)
    for line, row in enumerate(row for row in rows if len(row) > 1):
        for answer in row:
            table[line, number[answer]] += 1
    return table, answers


def krippendorff_alpha(rows: Sequence[Sequence[ClassSet]]) -> Estimate | None:
    """Krippendorff's alpha with MASI as distance, unsquared (Passonneau 2006).

    None where nothing varies, or nobody shares an image.
    """
    import numpy as np
    from krippendorff import alpha

    table, answers = counts(rows)
    if len(answers) < 2:
        return None
    distances = np.array([[masi(one, other) for other in answers] for one in answers])

    def distance(_v1: Any, _v2: Any, *, i1: Any, i2: Any, **_: Any) -> Any:
        return distances[i1, i2]

    metric: Any = distance

    def figure(part: Table) -> float:
        if (part.sum(axis=0) > 0).sum() < 2:
            return float("nan")
        return float(alpha(value_counts=part, level_of_measurement=cast(Any, metric)))

    return _estimate(table, figure)


def fleiss_kappa(rows: Sequence[Sequence[ClassSet]]) -> Estimate | None:
    """Fleiss' kappa (1971) over the images with the commonest number of raters; None where it is not defined."""
    from statsmodels.stats.inter_rater import fleiss_kappa as kappa_of

    sizes = [len(row) for row in rows if len(row) > 1]
    if not sizes:
        return None
    commonest = max(sorted(set(sizes)), key=sizes.count)
    table, answers = counts([row for row in rows if len(row) == commonest])
    if len(answers) < 2:
        return None
    return _estimate(table, lambda part: float(kappa_of(part)))


def cohen_kappa(
    one: Sequence[ClassSet], other: Sequence[ClassSet], images: Sequence[str] | None = None
) -> Estimate | None:
    """Cohen's kappa (1960) of pairs of answers about the same images; None where it is not defined.

    `images`: which image each pair is about, if an image may have several pairs.
    """
    import numpy as np

    value = kappa([JOIN.join(each) for each in one], [JOIN.join(each) for each in other])
    if value is None:
        return None
    answers = {answer: number for number, answer in enumerate(sorted({*one, *other}))}
    cells = np.array([answers[a] * len(answers) + answers[b] for a, b in zip(one, other, strict=True)])
    of = np.unique(np.arange(len(one)) if images is None else np.array(images), return_inverse=True)[1]
    count = int(of.max()) + 1
    draw = np.random.default_rng(0)
    figures = np.empty(BOOTSTRAPS)
    with np.errstate(invalid="ignore", divide="ignore"):
        for row in range(BOOTSTRAPS):
            times = np.bincount(draw.integers(0, count, count), minlength=count)[of]  # how often each pair is drawn
            table = np.bincount(cells, weights=times, minlength=len(answers) ** 2).reshape(len(answers), -1)
            shares = table / table.sum()
            expected = shares.sum(axis=0) @ shares.sum(axis=1)
            figures[row] = (np.trace(shares) - expected) / (1 - expected)
    low, high = _ends(figures)
    return Estimate(value, low, high, count)


def alternative_annotator(
    people: Mapping[str, Mapping[str, ClassSet]], machine: Mapping[str, ClassSet], *, epsilon: float = EPSILON
) -> dict[str, Any] | str:
    """Whether a machine could stand in for one of the people: Calderon, Reichart and Dror 2025, arXiv 2501.10970.

    `people`: rater → image → answer; `machine`: image → answer. For each person, the machine and the person are
    compared by how close they come to the other people (one less MASI's distance). `winning_rate`: share of the people
    against whom the machine holds, after Benjamini and Yekutieli's correction at 0.05; it passes from 0.5 on.
    `advantage`: how often the machine comes at least as close as the person, on average. Gives a sentence instead where
    there are too few people or images.
    """
    import numpy as np
    from scipy.stats import false_discovery_control, ttest_1samp

    p_values: list[float] = []
    advantages: list[float] = []
    for name, own in sorted(people.items()):
        differences, wins = [], []
        for image in sorted(own.keys() & machine.keys()):
            others = [said[image] for other, said in people.items() if other != name and image in said]
            if others:
                machines = sum(1 - masi(machine[image], each) for each in others)
                persons = sum(1 - masi(own[image], each) for each in others)
                wins.append(machines >= persons)
                differences.append(float(persons >= machines) - float(machines >= persons))
        if len(differences) >= LEAST:
            advantages.append(float(np.mean(wins)))
            if len(set(differences)) == 1:
                p_values.append(0.0 if differences[0] < epsilon else 1.0)
            else:
                p_values.append(float(ttest_1samp(differences, epsilon, alternative="less").pvalue))
    if len(p_values) < RATERS:
        return f"it takes {RATERS} people with {LEAST} shared images each; there are {len(p_values)}"
    held = float(np.mean(false_discovery_control(p_values, method="by") <= 0.05))
    return {
        "people": len(p_values),
        "winning_rate": held,
        "advantage": float(np.mean(advantages)),
        "epsilon": epsilon,
        "passes": held >= 0.5,
    }


def _estimate(table: Table, figure: Callable[[Table], float]) -> Estimate | None:
    import numpy as np

    with warnings.catch_warnings(), np.errstate(invalid="ignore", divide="ignore"):
        warnings.simplefilter("ignore", RuntimeWarning)  # a resample in which nothing varies is left out below
        value = figure(table)
        if not np.isfinite(value):
            return None
        draw = np.random.default_rng(0)
        picks = draw.integers(0, len(table), (BOOTSTRAPS, len(table)))
        low, high = _ends(np.array([figure(table[pick]) for pick in picks]))
    return Estimate(value, low, high, len(table))


def _ends(values: NDArray[np.float64]) -> tuple[float | None, float | None]:
    import numpy as np

    finite = values[np.isfinite(values)]
    if len(finite) < 0.9 * len(values):
        return None, None
    low, high = np.percentile(finite, [2.5, 97.5])
    return float(low), float(high)


@dataclass(frozen=True, slots=True)
class Rate:
    """A share of `n` trials with the ends of its 95 % interval."""

    value: float
    low: float
    high: float
    n: int

    def __str__(self) -> str:
        return f"{self.value:.1%} (95 % interval {self.low:.1%} to {self.high:.1%}, n = {self.n})"


def rate(hits: int, n: int) -> Rate | None:
    """The share `hits / n` with its Wilson score interval (Wilson 1927); None without trials."""
    if n == 0:
        return None
    from scipy.stats import binomtest

    interval = binomtest(hits, n).proportion_ci(0.95, method="wilson")
    return Rate(hits / n, float(interval.low), float(interval.high), n)


def kappa(one: Sequence[str], other: Sequence[str]) -> float | None:
    """Cohen's kappa (1960) of two raters of the same things; None where it is not defined."""
    if not one or len({*one, *other}) < 2:
        return None
    from sklearn.metrics import cohen_kappa_score

    return float(cohen_kappa_score(list(one), list(other)))


BINS = 10


def calibration(confidences: Sequence[tuple[float, bool]]) -> dict[str, Any] | None:
    """How well probabilities are meant: a curve of bins of equal width, and their mean gap. None without any.

    `confidences`: probability 0…1, and whether it was right. The gap is the expected calibration error (Naeini et al.
    2015).
    """
    if not confidences:
        return None
    bins: list[list[tuple[float, bool]]] = [[] for _ in range(BINS)]
    for share, right in confidences:
        bins[min(int(share * BINS), BINS - 1)].append((share, right))
    curve = [
        {
            "confidence": sum(share for share, _ in members) / len(members),
            "accuracy": sum(right for _, right in members) / len(members),
            "n": len(members),
        }
        for members in bins
        if members
    ]
    error = sum(point["n"] * abs(point["confidence"] - point["accuracy"]) for point in curve) / len(confidences)
    return {"n": len(confidences), "error": error, "curve": curve}
