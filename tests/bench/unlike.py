"""What `neighbours` names that it should not: defects between two classes, and of a class that it was never shown.

    python -m tests.bench.unlike [--category bottle] [--seeds 4]

The sets of `tests.bench.flips`, category by category: right labels, with and without the rule (`out_of_fold.UNUSUAL`).
Right and wrong answers are those about a fifth of the defects that the classifiers have not seen, for each fifth and
seed. A midpoint is a mean of the features of two defects of different classes, weighted between 0.4 and 0.6.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedKFold

from acbench.predictors import out_of_fold
from acbench.predictors.defect_views import Views
from acbench.predictors.out_of_fold import OutOfFoldClassifier, leads
from acbench.predictors.proposers import neighbours
from tests.bench.flips import Trial, one_class, real_trials, sample_trial
from tests.bench.timing import Figure, table

MINUTES = 10
MIDPOINTS = 200
Likely = NDArray[np.float64]
Numbers = NDArray[np.int64]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--category", action="append", help="of the real images; can be repeated  [default: all]")
    parser.add_argument("--seeds", type=int, default=4, help="as many divisions into fifths  [default: 4]")
    chosen = parser.parse_args()
    named = os.environ.get("ACBENCH_MVTEC_AD_ROOT")
    rows: list[tuple[str, ...]] = [("", "rule", "right", "wrong", "class left out, named", "midpoints, named")]
    with tempfile.TemporaryDirectory() as folder:
        trials = [sample_trial(Path(folder) / "sample"), *(real_trials(Path(named), chosen.category) if named else [])]
        for trial in trials:
            for category, examples, labels in sets(trial):
                for unusual in (np.inf, out_of_fold.UNUSUAL):
                    rule = "no" if unusual == np.inf else f"{unusual:g} deviations"
                    figures = measured(examples, labels, chosen.seeds, unusual)
                    rows.append((category, rule, *(f"{share:.0%}" for share in figures)))
    print(table(rows))


def figures(seeds: int = 2) -> Iterator[Figure]:
    """Of the sample: what is named with the rule, beside what is named without it."""
    kinds = {"right answers": True, "wrong answers": False, "of a class left out": False, "midpoints": False}
    with tempfile.TemporaryDirectory() as folder:
        for category, examples, labels in sets(sample_trial(Path(folder) / "sample")):
            plain, ruled = (measured(examples, labels, seeds, unusual) for unusual in (np.inf, out_of_fold.UNUSUAL))
            for (kind, better), without, with_rule in zip(kinds.items(), plain, ruled, strict=True):
                if without:
                    name = f"{category}: {kind} that are named with the rule, against without it"
                    yield Figure(name, with_rule, without, "", None, better)


def sets(trial: Trial) -> Iterator[tuple[str, Sequence[Views], Numbers]]:
    """Category, the views of its defects, and the numbers of their classes."""
    judge = neighbours.build(trial.setup)
    found: defaultdict[str, list[tuple[str, Views]]] = defaultdict(list)
    for seen in judge.vectors(judge.covers(trial.items)):
        label = one_class(seen.item, trial.setup.schema)
        if seen.defects is not None and label:
            found[seen.item.category].append((label, seen.defects.region))
    for category, rows in found.items():
        classes = sorted({label for label, _ in rows})
        yield category, [views for _, views in rows], np.array([classes.index(label) for label, _ in rows])


def measured(examples: Sequence[Views], labels: Numbers, seeds: int, unusual: float) -> tuple[float, ...]:
    """Shares of right and wrong answers, and of those named of a class left out and of midpoints."""
    before, out_of_fold.UNUSUAL = out_of_fold.UNUSUAL, unusual if np.isfinite(unusual) else 1e9
    try:
        right, wrong = [], []
        for seed in range(seeds):
            for train, test in StratifiedKFold(5, shuffle=True, random_state=seed).split(labels, labels):
                likely = fitted(examples, labels, train).predict([examples[number] for number in test])
                is_right = likely.argmax(axis=1) == labels[test]
                right += list(is_named(likely) & is_right)
                wrong += list(is_named(likely) & ~is_right)
        left_out: list[np.bool_] = []
        for number in range(labels.max() + 1):
            known, others = np.flatnonzero(labels != number), np.flatnonzero(labels == number)
            likely = fitted(examples, labels, known).predict([examples[other] for other in others])
            left_out += list(is_named(likely))
        between = fitted(examples, labels, np.arange(len(labels))).predict(list(midpoints(examples, labels)))
        return tuple(float(np.mean(each)) for each in (right, wrong, left_out, is_named(between)))
    finally:
        out_of_fold.UNUSUAL = before


def fitted(examples: Sequence[Views], labels: Numbers, some: Numbers) -> OutOfFoldClassifier:
    """The classifier of some of the examples."""
    _, numbers = np.unique(labels[some], return_inverse=True)
    return OutOfFoldClassifier([examples[number] for number in some], numbers.tolist())


def is_named(likely: Likely) -> NDArray[np.bool_]:
    """Whether `neighbours` would name each of them."""
    return np.asarray(leads(likely) >= neighbours.MARGIN)


def midpoints(examples: Sequence[Views], labels: Numbers) -> Iterator[Views]:
    """Defects between two of different classes."""
    random = np.random.default_rng(0)
    for _ in range(MIDPOINTS):
        one, other = random.choice(len(labels), 2, replace=False)
        while labels[one] == labels[other]:
            one, other = random.choice(len(labels), 2, replace=False)
        share = random.uniform(0.4, 0.6)
        parts = (
            tuple((share * a + (1 - share) * b).astype(np.float32) for a, b in zip(mine, theirs, strict=True))
            for mine, theirs in zip(examples[one], examples[other], strict=True)
        )
        yield Views(*parts)


if __name__ == "__main__":
    main()
