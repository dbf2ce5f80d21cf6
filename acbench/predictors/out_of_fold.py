"""Fits a linear classifier to labelled vectors, and judges each vector by a classifier that was not fitted to it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float32]
Labels = NDArray[np.int64]


class _Classifier(Protocol):
    """A fitted classifier of scikit-learn."""

    def predict_proba(self, features: NDArray[np.float64]) -> NDArray[np.float64]: ...


class OutOfFoldClassifier:
    """Class probabilities of labelled vectors, each without its own fold, and of further vectors.

    Labels that confident learning suspects after a first pass (Northcutt et al. 2021, arXiv 1911.00068; cleanlab) are
    left out of the training folds of a second pass.
    """

    def __init__(
        self, vectors: Sequence[Vector], labels: Sequence[int], *, folds: int, repeats: int, strength: float
    ) -> None:
        """`repeats`: the fold assignments that the second pass averages. `strength`: C of scikit-learn."""
        self._folds, self._strength = folds, strength
        features = np.asarray(vectors, dtype=np.float64)
        self.labels = np.asarray(labels)
        self._mean, self._scale = features.mean(axis=0), features.std(axis=0) + 1e-6
        # A rotation into the span of the data changes no logistic regression with L2 penalty, and no distance,
        # but leaves as many features as images.
        standard = self._standard(features)
        _, _, self._axes = np.linalg.svd(standard, full_matrices=False)
        self._features = standard @ self._axes.T
        self.classes = int(self.labels.max()) + 1
        first_pass = self._out_of_fold(seed=0, suspects=np.zeros(len(labels), dtype=bool))
        self.suspects = _suspects(self.labels, first_pass)
        self.held_out = np.mean([self._out_of_fold(seed, self.suspects) for seed in range(1, repeats + 1)], axis=0)
        """Class probabilities (N, K) of the labelled vectors."""

    def predict(self, vectors: Sequence[Vector]) -> NDArray[np.float64]:
        """Class probabilities (N, K) of vectors without a label."""
        return self._fitted_to_all.predict_proba(self._standard(np.asarray(vectors)) @ self._axes.T)

    def nearest(self, number: int, most: int) -> list[int]:
        """The labels of the nearest other images by cosine, at most `most`."""
        similar = self._directions @ self._directions[number]
        similar[number] = -np.inf
        return [int(self.labels[other]) for other in np.argsort(-similar, kind="stable")[:most]]

    @cached_property
    def _fitted_to_all(self) -> _Classifier:
        return self._fit(_keeping_classes(np.ones(len(self.labels), dtype=bool), self.suspects, self.labels))

    @cached_property
    def _directions(self) -> NDArray[np.float64]:
        lengths = np.linalg.norm(self._features, axis=1, keepdims=True)
        unit: NDArray[np.float64] = self._features / lengths.clip(1e-12)
        return unit

    def _standard(self, features: NDArray[np.floating]) -> NDArray[np.float64]:
        scaled: NDArray[np.float64] = (features - self._mean) / self._scale / np.sqrt(len(self._mean))
        return scaled

    def _out_of_fold(self, seed: int, suspects: NDArray[np.bool_]) -> NDArray[np.float64]:
        from sklearn.model_selection import StratifiedKFold

        folds = min(self._folds, int(np.bincount(self.labels).min()))
        probabilities = np.zeros((len(self.labels), self.classes))
        splitter = StratifiedKFold(folds, shuffle=True, random_state=seed)
        for train, test in splitter.split(self._features, self.labels):
            chosen = np.zeros(len(self.labels), dtype=bool)
            chosen[train] = True
            classifier = self._fit(_keeping_classes(chosen, suspects, self.labels))
            probabilities[test] = classifier.predict_proba(self._features[test])
        return probabilities

    def _fit(self, chosen: NDArray[np.bool_]) -> _Classifier:
        from sklearn.linear_model import LogisticRegression

        classifier: _Classifier = LogisticRegression(C=self._strength, max_iter=2000).fit(
            self._features[chosen], self.labels[chosen]
        )
        return classifier


def leads(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """By how much the likeliest class of each row (N, K) leads the second."""
    ordered = np.sort(rows, axis=1)
    lead: NDArray[np.float64] = ordered[:, -1] - ordered[:, -2]
    return lead


def _keeping_classes(chosen: NDArray[np.bool_], suspects: NDArray[np.bool_], labels: Labels) -> NDArray[np.bool_]:
    """`chosen` without `suspects`, except that no class loses its last image."""
    kept = chosen & ~suspects
    for label in set(labels[chosen]) - set(labels[kept]):
        kept |= chosen & (labels == label)
    return kept


def _suspects(labels: Labels, probabilities: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which labels are likely wrong, by confident learning."""
    from cleanlab.filter import find_label_issues

    suspects: NDArray[np.bool_] = find_label_issues(labels, probabilities, n_jobs=1)
    return suspects
