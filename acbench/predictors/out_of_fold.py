"""Fits classifiers to labelled examples, and judges each example by classifiers that were not fitted to it.

An example is seen in several views, such as what an image model sees and what a mask tells. Each view has a classifier
of its own: linear discriminant analysis whose covariance is shrunk towards that of a ball. What they say is summed with
weights that make the sum mean what it says (`acbench.predictors.calibration`).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import cdist  # type: ignore[import-untyped, unused-ignore]
from scipy.special import log_softmax, softmax  # type: ignore[import-untyped, unused-ignore]

from acbench.predictors.calibration import fit_weights

Vector = NDArray[np.float32]
Points = NDArray[np.float64]
View = Sequence[Vector]
"""What is known of one example in one view: vectors (D,), which count the same whatever D is."""

FOLDS = 5
REPEATS = 3
"""Fold assignments that are averaged."""
RIDGE = 0.02
"""What is added to each feature's variance within classes, as a share of all their variances together.

With right labels a tenth of it is as good, but it keeps a few wrong ones from bending the classifier."""
FARTHEST = 5.0
"""Standard deviations beyond which a feature counts as this far."""
UNUSUAL = 3.0
"""Deviations from the median beyond which an example is unusual (Leys et al. 2013, doi 10.1016/j.jesp.2013.03.013).

Chosen on two rendered sets, bottle and screw (`tests.bench.unlike`). Of midpoints between examples of two classes 90,
80, 73 and 78 % were named, of a class that was left out 94, 100, 94 and 93 %. With it 0, 0, 67 and 58 % are, and 0, 40,
51 and 55 %, for 5.2, 3.6, 2.0 and 1.2 % of right answers. At 2.5 it is 0, 0, 59 and 35 % of midpoints, for 12, 6, 4 and
2 %."""
ROWS = 256
"""Examples whose distances to all others are in memory at a time: those of all would be a square of numbers."""
MAD = 1.4826
"""Standard deviations of a normal distribution in one median absolute deviation."""


class _Classifier(Protocol):
    """A fitted classifier of scikit-learn."""

    def decision_function(self, features: Points) -> Points: ...


class _Space:
    """The examples in one view as points, in as many dimensions as there are examples at most."""

    def __init__(self, examples: Sequence[View]) -> None:
        blocks = [np.asarray(block, dtype=np.float64) for block in zip(*examples, strict=True)]
        self._means = [block.mean(axis=0) for block in blocks]
        self._scales = [block.std(axis=0) for block in blocks]
        standard = self._standard(blocks)
        # A rotation into the span of the data changes no distance and no classifier that shrinks towards a ball.
        _, lengths, axes = np.linalg.svd(standard, full_matrices=False)
        known = lengths > 1e-9 * lengths[0]
        known[0] = True  # one axis stays where all examples are alike: their classifier knows nothing but shares
        self._axes = axes[known]
        self.points: Points = standard @ self._axes.T

    def place(self, examples: Sequence[View]) -> Points:
        """Further examples as points (N, D)."""
        placed: Points = self._standard([np.asarray(block) for block in zip(*examples, strict=True)]) @ self._axes.T
        return placed

    def is_far(self, points: Points) -> NDArray[np.bool_]:
        """Which points (N, D) are unusually far from every example."""
        far: NDArray[np.bool_] = np.log(cdist(points, self.points).min(axis=1) + 1e-12) > self._reach
        return far

    @cached_property
    def _reach(self) -> float:
        """The logarithm of how far an example usually is from its nearest, at most."""
        nearest = np.empty(len(self.points))
        for start in range(0, len(nearest), ROWS):
            rows = slice(start, start + ROWS)
            apart = cdist(self.points[rows], self.points)
            np.fill_diagonal(apart[:, start:], np.inf)
            nearest[rows] = apart.min(axis=1)
        return _usual(np.log(nearest + 1e-12))

    def _standard(self, blocks: Sequence[NDArray[np.floating]]) -> Points:
        standard = []
        for block, mean, scale in zip(blocks, self._means, self._scales, strict=True):
            varies = scale > 1e-9
            far = np.where(varies, (block - mean) / np.where(varies, scale, 1), 0)
            standard.append(far.clip(-FARTHEST, FARTHEST) / np.sqrt(len(mean)))
        return np.concatenate(standard, axis=1)


class OutOfFoldClassifier:
    """Class probabilities of labelled examples, each without its own fold, and of further examples."""

    def __init__(self, examples: Sequence[Sequence[View]], labels: Sequence[int]) -> None:
        """`examples`: the views of each; all have the same. `labels`: 0 ≤ number of the class, each at least twice."""
        self.labels = np.asarray(labels)
        self.classes = int(self.labels.max()) + 1
        self._spaces = [_Space(view) for view in zip(*examples, strict=True)]
        votes = [self._out_of_fold(space.points) for space in self._spaces]
        self._weights = fit_weights(votes, labels)
        self._logits = self._sum(votes)
        self.held_out: Points = softmax(self._logits, axis=1)
        """Class probabilities (N, K) of the labelled examples."""

    def predict(self, examples: Sequence[Sequence[View]]) -> Points:
        """Class probabilities (N, K) of examples without a label; all the same for one that is like no class.

        One between two classes, or of a class that was never seen, would be called one of them with a high probability.
        But it leads by far less than the examples of that class do, or is far from all examples in some view.
        """
        places = [space.place(view) for space, view in zip(self._spaces, zip(*examples, strict=True), strict=True)]
        votes = [_votes(fitted, points) for fitted, points in zip(self._fitted_to_all, places, strict=True)]
        logits = self._sum(votes)
        likely: Points = softmax(logits, axis=1)
        between = leads(logits) < self._least_leads[logits.argmax(axis=1)]
        far = [space.is_far(points) for space, points in zip(self._spaces, places, strict=True)]
        likely[between | np.any(far, axis=0)] = 1 / self.classes
        return likely

    def nearest(self, number: int, most: int) -> list[int]:
        """The labels of the nearest other examples by cosine in the first view, at most `most`."""
        similar = self._directions @ self._directions[number]
        similar[number] = -np.inf
        return [int(self.labels[other]) for other in np.argsort(-similar, kind="stable")[:most]]

    def _sum(self, votes: Sequence[Points]) -> Points:
        """The logits (N, K) that all views give together."""
        return np.asarray(np.tensordot(self._weights, votes, axes=1), dtype=np.float64)

    @cached_property
    def _fitted_to_all(self) -> list[_Classifier]:
        return [_fit(space.points, self.labels) for space in self._spaces]

    @cached_property
    def _least_leads(self) -> NDArray[np.float64]:
        """By how much (K,) a class leads in logits, at least, where an example is of it."""
        own, right = leads(self._logits), self._logits.argmax(axis=1) == self.labels
        least = np.full(self.classes, np.inf)
        for number in range(self.classes):
            of_class = own[right & (self.labels == number)]
            if of_class.size > 1:
                least[number] = -_usual(-of_class)
        return least

    @cached_property
    def _directions(self) -> Points:
        points = self._spaces[0].points
        unit: Points = points / np.linalg.norm(points, axis=1, keepdims=True).clip(1e-12)
        return unit

    def _out_of_fold(self, points: Points) -> Points:
        """The logarithms of class probabilities (N, K), not yet calibrated."""
        from sklearn.model_selection import StratifiedKFold

        folds = min(FOLDS, int(np.bincount(self.labels).min()))
        votes = np.zeros((REPEATS, len(self.labels), self.classes))
        for seed in range(REPEATS):
            splitter = StratifiedKFold(folds, shuffle=True, random_state=seed)
            for train, test in splitter.split(points, self.labels):
                votes[seed, test] = _votes(_fit(points[train], self.labels[train]), points[test])
        mean: Points = votes.mean(axis=0)
        return mean


def _fit(points: Points, labels: NDArray[np.int64]) -> _Classifier:
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

    # scikit-learn's shrinkage is a share of the mean variance, of which there are as many as dimensions.
    ridge = RIDGE * points.shape[1]
    classifier: _Classifier = LinearDiscriminantAnalysis(solver="lsqr", shrinkage=ridge / (1 + ridge)).fit(
        points, labels
    )
    return classifier


def _votes(classifier: _Classifier, points: Points) -> Points:
    scores = classifier.decision_function(points)
    votes: Points = log_softmax(np.stack([0 * scores, scores], axis=1) if scores.ndim == 1 else scores, axis=1)
    return votes


def _usual(values: Points) -> float:
    """The largest value that is not unusual among values (N,)."""
    middle = np.median(values)
    return float(middle + UNUSUAL * MAD * np.median(np.abs(values - middle)))


def leads(rows: Points) -> NDArray[np.float64]:
    """By how much the likeliest class of each row (N, K) leads the second."""
    ordered = np.sort(rows, axis=1)
    lead: NDArray[np.float64] = ordered[:, -1] - ordered[:, -2]
    return lead
