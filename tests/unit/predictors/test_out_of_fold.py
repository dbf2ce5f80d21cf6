"""Classifiers judged out of fold: right where classes differ, uncertain where they do not, in any view."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.distance import cdist  # type: ignore[import-untyped, unused-ignore]

from acbench.predictors import out_of_fold
from acbench.predictors.calibration import fit_weights
from acbench.predictors.out_of_fold import OutOfFoldClassifier, View, leads

LABELS = [0] * 20 + [1] * 20 + [2] * 20


def views(*, tell: float, noise: float = 1.0, seed: int = 0, dimensions: int = 200) -> list[View]:
    """Two blocks of each of 60 examples; the first `tell`s three classes apart."""
    random = np.random.default_rng(seed)
    first = random.normal(0, noise, (60, dimensions))
    first[:, :3] += tell * np.eye(3)[LABELS]
    second = random.normal(0, noise, (60, 5))
    return [(one.astype(np.float32), other.astype(np.float32)) for one, other in zip(first, second, strict=True)]


def fitted(*of: list[View], labels: list[int] = LABELS) -> OutOfFoldClassifier:
    return OutOfFoldClassifier(list(zip(*of, strict=True)), labels)


def accuracy(classifier: OutOfFoldClassifier) -> float:
    return float((classifier.held_out.argmax(axis=1) == np.array(LABELS)).mean())


def test_classes_that_differ_are_told_apart() -> None:
    found = fitted(views(tell=6, dimensions=20))
    assert accuracy(found) > 0.9
    assert np.allclose(found.held_out.sum(axis=1), 1)


def test_noise_is_called_uncertain() -> None:
    found = fitted(views(tell=0))
    assert accuracy(found) < 0.6
    assert np.quantile(leads(found.held_out), 0.9) < 0.5


def test_a_view_that_tells_nothing_does_little_harm() -> None:
    telling = views(tell=6, dimensions=20)
    assert accuracy(fitted(telling, views(tell=0, seed=1))) >= accuracy(fitted(telling)) - 0.05


def test_what_two_views_tell_is_summed() -> None:
    one, other = views(tell=3, dimensions=20), views(tell=3, dimensions=20, seed=1)
    assert accuracy(fitted(one, other)) > max(accuracy(fitted(one)), accuracy(fitted(other)))


def test_an_own_label_never_counts_for_itself() -> None:
    wrong = [1, *LABELS[1:]]
    assert fitted(views(tell=6, dimensions=20), labels=wrong).held_out[0].argmax() == 0


def test_examples_without_a_label_are_judged_like_those_with_one() -> None:
    telling = views(tell=6, dimensions=20)
    found = fitted(telling[:])
    assert (found.predict([(view,) for view in telling]).argmax(axis=1) == np.array(LABELS)).mean() > 0.9


def test_a_view_in_which_all_are_alike_changes_nothing() -> None:
    alike: list[View] = [(np.zeros(4, dtype=np.float32),) for _ in LABELS]
    telling = views(tell=6, dimensions=20)
    found = fitted(telling, alike)
    assert np.allclose(found.held_out, fitted(telling).held_out, atol=1e-3)
    assert np.isfinite(found.predict(list(zip(telling, alike, strict=True)))).all()


def test_the_same_gives_the_same_bytes() -> None:
    one, other = (fitted(views(tell=2)).held_out.tobytes() for _ in range(2))
    assert one == other


class TestWeights:
    ANSWERS = np.array(LABELS) % 2

    def votes(self, right: float, seed: int = 0) -> np.ndarray:
        """Logarithms of probabilities by somebody who is right so often, and always says 0.99."""
        random = np.random.default_rng(seed)
        said = np.where(random.random(60) < right, self.ANSWERS, 1 - self.ANSWERS)
        return np.log(np.where(np.arange(2) == said[:, None], 0.99, 0.01))

    def test_who_is_too_sure_weighs_less(self) -> None:
        (sure,), (less,) = (fit_weights([self.votes(right)], self.ANSWERS) for right in (0.95, 0.7))
        assert 0 < less < sure

    def test_who_only_guesses_weighs_next_to_nothing(self) -> None:
        telling, guess = fit_weights([self.votes(0.9), self.votes(0.5, seed=3)], self.ANSWERS)
        assert 0 <= guess < 0.25 * telling

    def test_one_wild_answer_does_not_decide(self) -> None:
        votes = self.votes(0.95)
        wild = votes.copy()
        wild[0] = (-1e3, 0) if self.ANSWERS[0] == 0 else (0, -1e3)
        (before,), (after,) = (fit_weights([each], self.ANSWERS) for each in (votes, wild))
        assert after == pytest.approx(before, rel=0.6)


class TestUnlikeAll:
    """What is like no class is called none: its probabilities are all the same."""

    def named(self, examples: list[View], *, labels: list[int] = LABELS, of: list[View] | None = None) -> float:
        """The share of examples that are called any class."""
        known = [*(of or views(tell=20, dimensions=20))][: len(labels)]
        likely = fitted(known, labels=labels).predict([(view,) for view in examples])
        return float((leads(likely) > 0).mean())

    def test_other_examples_of_the_classes_are_named(self) -> None:
        assert self.named(views(tell=20, dimensions=20, seed=1)) > 0.9

    def test_what_lies_between_two_classes_is_not(self) -> None:
        one, other = (views(tell=20, dimensions=20, seed=seed) for seed in (1, 2))
        between: list[View] = [
            ((a[0] + b[0]) / 2, (a[1] + b[1]) / 2) for a, b in zip(one, [*other[20:], *other[:20]], strict=True)
        ]
        assert self.named(between) < 0.1

    def test_most_of_a_class_that_was_never_seen_are_not(self) -> None:
        assert self.named(views(tell=20, dimensions=20, seed=1)[40:], labels=LABELS[:40]) < 0.5

    def test_what_is_far_from_everything_in_one_view_is_not(self) -> None:
        far: list[View] = [(first, second + 60) for first, second in views(tell=20, dimensions=20, seed=1)]
        assert self.named(far) == 0

    def test_distances_are_measured_a_few_rows_at_a_time(self, monkeypatch: pytest.MonkeyPatch) -> None:
        known, others = ([(view,) for view in views(tell=20, dimensions=20, seed=seed)] for seed in (0, 1))
        at_once = OutOfFoldClassifier(known, LABELS).predict(others)
        measured: list[int] = []

        def distances(some: np.ndarray, others: np.ndarray) -> np.ndarray:
            measured.append(len(some))
            found: np.ndarray = cdist(some, others)
            return found

        monkeypatch.setattr(out_of_fold, "ROWS", 7)
        monkeypatch.setattr(out_of_fold, "cdist", distances)
        found = OutOfFoldClassifier(known, LABELS).predict(others[:3])
        assert found.tobytes() == at_once[:3].tobytes() and np.unique(at_once).size > 3
        assert sorted(measured) == [3, 4, *[7] * 8]
