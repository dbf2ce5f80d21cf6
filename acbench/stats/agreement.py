"""How far raters agree: coefficients of agreement, and whether a machine could stand in for a person."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias, cast

from acbench.records import JOIN
from acbench.stats.estimate import Estimate

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

RESAMPLES = 500
"""Bootstrap samples of an interval."""
MIN_COMPARED = 10
"""A coefficient of fewer images is not given: with five, a third to two thirds of the resamples are all alike."""
MIN_INTERVAL = 30
"""A coefficient of fewer images has no interval. Of two raters of 2, 4 or 7 classes who are right in 70, 85 or 95 % of
the images, the interval of 30 images holds the true kappa in 91 % or more of the draws in all nine cases, that of 20
images in 82 % or more, that of 10 images in 61 % or more (300 draws each, standard error up to 3 %)."""
MIN_IMAGES = 30
"""A person with fewer shared images does not count in the alternative-annotator test: its t-test needs them."""
MIN_PEOPLE = 3
"""The alternative-annotator test needs at least this many people."""
EPSILON = 0.2
"""What an expert's time is worth in that test: how much worse than a person a machine may be and still replace one."""

ClassSet = tuple[str, ...]
"""A set of classes, sorted; or one verdict."""
AnswerCounts: TypeAlias = "NDArray[np.int64]"
"""(images, answers): how many raters gave each answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AlternativeAnnotatorTest:
    """Whether a machine could stand in for one of the people (Calderon, Reichart and Dror 2025, arXiv 2501.10970)."""

    people: int
    """People who share at least `MIN_IMAGES` images with both the machine and another person."""
    winning_rate: float | None = None
    """Share of the people against whom the machine holds; None with fewer than `MIN_PEOPLE` people."""
    advantage: float | None = None
    """How often the machine comes at least as close to the others as the person does, averaged over the people."""
    epsilon: float = EPSILON

    @property
    def too_few(self) -> str:
        """Why there is no result; empty if there is one."""
        if self.winning_rate is not None:
            return ""
        return f"it takes {MIN_PEOPLE} people with {MIN_IMAGES} shared images each; there are {self.people}"

    @property
    def passes(self) -> bool:
        """Whether the machine holds against at least half of the people."""
        return self.winning_rate is not None and self.winning_rate >= 0.5


def why_no_coefficient(images: int) -> str:
    """Why there is no coefficient of agreement on so many shared images, in a few words."""
    if images < MIN_COMPARED:
        return f"{images} {'image' if images == 1 else 'images'}; it takes {MIN_COMPARED}"
    return f"{images:,} images; all answers alike"


def masi(first: ClassSet, second: ClassSet) -> float:
    """The MASI distance of two sets, 0…1 (Passonneau 2006): one minus Jaccard's index times a weight.

    The weight is 1 for equal sets, 2/3 where one holds the other, 1/3 where they overlap, and else 0.
    """
    a, b = set(first), set(second)
    if not a | b:
        return 0.0
    common = len(a & b)
    monotony = 1.0 if a == b else 2 / 3 if a <= b or b <= a else 1 / 3 if common else 0.0
    return 1.0 - common / len(a | b) * monotony


def krippendorff_alpha(rows: Sequence[Sequence[ClassSet]]) -> Estimate | None:
    """Krippendorff's alpha with the MASI distance, unsquared (Passonneau 2006); a row holds the answers on one image.

    None where no answer varies, or fewer than MIN_COMPARED images have two answers.
    """
    import numpy as np
    from krippendorff import alpha

    counts, answers = _count_answers(rows)
    if len(counts) < MIN_COMPARED or len(answers) < 2:
        return None
    distances = np.array([[masi(row, column) for column in answers] for row in answers])

    def distance(_v1: Any, _v2: Any, *, i1: Any, i2: Any, **_: Any) -> Any:
        return distances[i1, i2]

    metric: Any = distance

    def value_of(sample: AnswerCounts) -> float:
        if (sample.sum(axis=0) > 0).sum() < 2:
            return float("nan")
        return float(alpha(value_counts=sample, level_of_measurement=cast(Any, metric)))

    return _bootstrapped(counts, value_of)


def fleiss_kappa(rows: Sequence[Sequence[ClassSet]]) -> Estimate | None:
    """Fleiss' kappa (1971) of the images with the commonest number of raters; a row holds the answers on one image.

    None where it is not defined, and of fewer than MIN_COMPARED images.
    """
    from statsmodels.stats.inter_rater import fleiss_kappa as kappa_of

    sizes = [len(row) for row in rows if len(row) > 1]
    if not sizes:
        return None
    commonest = max(sorted(set(sizes)), key=sizes.count)
    counts, answers = _count_answers([row for row in rows if len(row) == commonest])
    if len(counts) < MIN_COMPARED or len(answers) < 2:
        return None
    return _bootstrapped(counts, lambda sample: float(kappa_of(sample)))


def kappa(first: Sequence[str], second: Sequence[str], times: Sequence[int] | None = None) -> float | None:
    """Cohen's kappa (1960) of two raters of the same things, without an interval; None where it is not defined, and of
    fewer than MIN_COMPARED things. `times`: how many things each pair of answers is about; one, if not given."""
    if (len(first) if times is None else sum(times)) < MIN_COMPARED or len({*first, *second}) < 2:
        return None
    from sklearn.metrics import cohen_kappa_score

    return float(cohen_kappa_score(list(first), list(second), sample_weight=times))


def cohen_kappa(
    first: Sequence[ClassSet], second: Sequence[ClassSet], images: Sequence[str] | None = None
) -> Estimate | None:
    """Cohen's kappa (1960) of pairs of answers; None where it is not defined, and of fewer than MIN_COMPARED images.

    `images` names the image of each pair, if an image may have several pairs: then images are resampled, not pairs.
    """
    import numpy as np

    value = kappa([JOIN.join(answer) for answer in first], [JOIN.join(answer) for answer in second])
    if value is None or len(set(images or range(len(first)))) < MIN_COMPARED:
        return None
    numbers = {answer: number for number, answer in enumerate(sorted({*first, *second}))}
    cells = np.array([numbers[a] * len(numbers) + numbers[b] for a, b in zip(first, second, strict=True)])
    image_of = np.unique(np.arange(len(first)) if images is None else np.array(images), return_inverse=True)[1]
    count = int(image_of.max()) + 1
    random = np.random.default_rng(0)
    values = np.empty(RESAMPLES)
    with np.errstate(invalid="ignore", divide="ignore"):
        for row in range(RESAMPLES):
            times_drawn = np.bincount(random.integers(0, count, count), minlength=count)[image_of]
            table = np.bincount(cells, weights=times_drawn, minlength=len(numbers) ** 2).reshape(len(numbers), -1)
            shares = table / table.sum()
            expected = shares.sum(axis=0) @ shares.sum(axis=1)
            values[row] = (np.trace(shares) - expected) / (1 - expected)
    low, high = _percentiles(values, count)
    return Estimate(value, low, high, count)


def alternative_annotator(
    people: Mapping[str, Mapping[str, ClassSet]], machine: Mapping[str, ClassSet], *, epsilon: float = EPSILON
) -> AlternativeAnnotatorTest:
    """Test whether a machine could stand in for one of the people (arXiv 2501.10970).

    `people`: rater → image → answer. `machine`: image → answer. For each person, the machine and the person are
    compared by how close they come to the other people: one minus the MASI distance, summed over those people. The
    machine holds against a person after Benjamini and Yekutieli's correction (2001) at 0.05.
    """
    import numpy as np
    from scipy.stats import false_discovery_control

    p_values: list[float] = []
    advantages: list[float] = []
    for name in sorted(people):
        wins, differences = _compare(name, people, machine)
        if len(differences) >= MIN_IMAGES:
            advantages.append(float(np.mean(wins)))
            p_values.append(_p_value(differences, epsilon))
    if len(p_values) < MIN_PEOPLE:
        return AlternativeAnnotatorTest(people=len(p_values), epsilon=epsilon)
    return AlternativeAnnotatorTest(
        people=len(p_values),
        winning_rate=float(np.mean(false_discovery_control(p_values, method="by") <= 0.05)),
        advantage=float(np.mean(advantages)),
        epsilon=epsilon,
    )


def _compare(
    name: str, people: Mapping[str, Mapping[str, ClassSet]], machine: Mapping[str, ClassSet]
) -> tuple[list[bool], list[float]]:
    """For each image that a person shares with the machine and another person: whether the machine comes at least as
    close to the others, and how much more often the person does (1, 0 or -1)."""
    own = people[name]
    wins, differences = [], []
    for image in sorted(own.keys() & machine.keys()):
        others = [answers[image] for other, answers in people.items() if other != name and image in answers]
        if others:
            machine_closeness = sum(1 - masi(machine[image], answer) for answer in others)
            person_closeness = sum(1 - masi(own[image], answer) for answer in others)
            wins.append(machine_closeness >= person_closeness)
            differences.append(
                float(person_closeness >= machine_closeness) - float(machine_closeness >= person_closeness)
            )
    return wins, differences


def _p_value(differences: Sequence[float], epsilon: float) -> float:
    """p of a one-sided t-test: is the mean difference below epsilon? Without spread, its value decides."""
    from scipy.stats import ttest_1samp

    if len(set(differences)) == 1:
        return 0.0 if differences[0] < epsilon else 1.0
    return float(ttest_1samp(differences, epsilon, alternative="less").pvalue)


def _count_answers(rows: Sequence[Sequence[ClassSet]]) -> tuple[AnswerCounts, list[ClassSet]]:
    """How often each answer was given on each image with two answers or more, and the answer of each column."""
    import numpy as np

    shared = [row for row in rows if len(row) > 1]
    answers = sorted({answer for row in shared for answer in row})
    columns = {answer: column for column, answer in enumerate(answers)}
    counts = np.zeros((len(shared), len(answers)), dtype=np.int64)
    for number, row in enumerate(shared):
        for answer in row:
            counts[number, columns[answer]] += 1
    return counts, answers


def _bootstrapped(counts: AnswerCounts, value_of: Callable[[AnswerCounts], float]) -> Estimate | None:
    """A coefficient with its interval, over resamples of the images; None where it is not defined."""
    import numpy as np

    with warnings.catch_warnings(), np.errstate(invalid="ignore", divide="ignore"):
        warnings.simplefilter("ignore", RuntimeWarning)  # a resample in which nothing varies is left out below
        value = value_of(counts)
        if not np.isfinite(value):
            return None
        picks = np.random.default_rng(0).integers(0, len(counts), (RESAMPLES, len(counts)))
        low, high = _percentiles(np.array([value_of(counts[pick]) for pick in picks]), len(counts))
    return Estimate(value, low, high, len(counts))


def _percentiles(values: NDArray[np.float64], images: int) -> tuple[float | None, float | None]:
    """The ends of the 95 % interval of a coefficient of so many images.

    None for fewer than MIN_INTERVAL images; where over a tenth of the resamples leave the value undefined; and where
    the resamples are all alike, as they are if everybody agrees: then they know nothing of what was not drawn.
    """
    import numpy as np

    finite = values[np.isfinite(values)]
    if images < MIN_INTERVAL or len(finite) < 0.9 * len(values):
        return None, None
    low, high = np.percentile(finite, [2.5, 97.5])
    return (float(low), float(high)) if high - low > 1e-9 else (None, None)
