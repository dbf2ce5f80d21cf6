"""Coefficients of agreement: the figures of the literature and of other libraries."""

from __future__ import annotations

import random

import pytest

from acbench.stats import (
    ClassSet,
    alternative_annotator,
    cohen_kappa,
    fleiss_kappa,
    krippendorff_alpha,
    masi,
)
from tests.support.lazy import lazy

metrics = lazy("sklearn.metrics")

A, B, C = ("a",), ("b",), ("c",)
AB: ClassSet = ("a", "b")


def answers(seed: int, count: int, wrong: float, truth: list[ClassSet]) -> list[ClassSet]:
    draw = random.Random(seed)
    return [each if draw.random() > wrong else draw.choice([A, B, C, AB]) for each in truth[:count]]


TRUTH: list[ClassSet] = [random.Random(1).choices([A, B, C, AB], k=200)[n] for n in range(200)]
ONE, TWO, THREE = (answers(seed, 200, 0.2, TRUTH) for seed in (2, 3, 4))
PEOPLE = {name: dict(zip(map(str, range(200)), said, strict=True))
          for name, said in (("one", ONE), ("two", TWO), ("three", THREE))}  # fmt: skip


class TestMasi:
    @pytest.mark.parametrize(
        ("one", "other", "distance"),
        [
            (A, A, 0),
            (A, B, 1),
            (A, AB, 1 - 1 / 2 * 2 / 3),
            (AB, ("b", "c"), 1 - 1 / 3 * 1 / 3),
            ((), (), 0),
            (A, (), 1),
        ],
    )
    def test_by_hand(self, one: ClassSet, other: ClassSet, distance: float) -> None:
        assert masi(one, other) == masi(other, one) == pytest.approx(distance)

    def test_as_nltk_has_it(self) -> None:
        from nltk.metrics.distance import masi_distance

        for one, other in zip(ONE, TWO, strict=True):
            assert masi(one, other) == pytest.approx(masi_distance(set(one), set(other)), abs=0.005)


class TestAlpha:
    def test_as_nltk_has_it(self) -> None:
        from nltk.metrics.agreement import AnnotationTask

        coders = {"one": ONE, "two": TWO, "three": THREE}
        data = [(c, n, frozenset(said[n])) for c, said in coders.items() for n in range(60) if (n + len(c)) % 4]
        rows = [[said[n] for c, said in coders.items() if (n + len(c)) % 4] for n in range(60)]
        theirs = AnnotationTask(data, distance=lambda one, other: masi(tuple(one), tuple(other)))
        ours = krippendorff_alpha(rows)
        assert ours is not None and ours.value == pytest.approx(theirs.alpha(), abs=1e-6)
        assert ours.n == sum(len(row) > 1 for row in rows)
        assert ours.low is not None and ours.high is not None and ours.low < ours.value < ours.high

    def test_total_agreement_is_one_and_no_variation_is_nothing(self) -> None:
        found = krippendorff_alpha([[A, A], [B, B], [AB, AB]] * 5)
        assert found is not None and found.value == 1
        assert krippendorff_alpha([[A, A]] * 9) is None
        assert krippendorff_alpha([[A], [B]]) is None
        assert krippendorff_alpha([]) is None
        assert (found.low, found.high, found.n) == (None, None, 15)

    def test_an_interval_takes_thirty_images_that_differ(self) -> None:
        rows = [[A, A], [B, B], [A, B]] * 10
        found, fewer, alike = (krippendorff_alpha(each) for each in (rows, rows[:29], [[A, A], [B, B]] * 20))
        assert found is not None and found.low is not None and found.high is not None and found.low < found.high
        assert fewer is not None and (fewer.low, fewer.high) == (None, None)
        assert alike is not None and (alike.value, alike.low, alike.high) == (1, None, None)
        assert krippendorff_alpha(rows[:9]) is None is fleiss_kappa(rows[:9])
        assert cohen_kappa([A], [B]) is None is cohen_kappa([A, B] * 4, [B, A] * 4)
        assert cohen_kappa([A, B] * 8, [A, A] * 8, [str(number) for number in range(8)] * 2) is None

    def test_the_same_answers_give_the_same_interval(self) -> None:
        rows = list(zip(ONE, TWO, strict=True))
        assert krippendorff_alpha(rows) == krippendorff_alpha(rows)


class TestKappa:
    def test_cohen_as_scikit_learn_has_it_with_an_interval_around_it(self) -> None:
        found = cohen_kappa(ONE, TWO)
        assert found is not None and found.low is not None and found.high is not None
        assert found.value == pytest.approx(
            metrics.cohen_kappa_score(*([" ".join(e) for e in each] for each in (ONE, TWO)))
        )
        assert found.low < found.value < found.high
        assert found.high - found.low < 0.25

    def test_an_image_with_several_pairs_is_one_image(self) -> None:
        once = cohen_kappa(ONE, TWO)
        images = [f"{number:03}" for number in range(200)]
        twice = cohen_kappa(ONE * 2, TWO * 2, images * 2)
        assert once is not None and twice is not None and once.low is not None and twice.low is not None
        assert twice.n == 200
        assert (twice.value, twice.low, twice.high) == pytest.approx((once.value, once.low, once.high), abs=1e-12)

    def test_fleiss_of_two_is_near_cohens(self) -> None:
        cohen, fleiss = cohen_kappa(ONE, TWO), fleiss_kappa(list(zip(ONE, TWO, strict=True)))
        assert cohen is not None and fleiss is not None
        assert fleiss.value == pytest.approx(cohen.value, abs=0.02)

    def test_fleiss_takes_the_commonest_number_of_raters(self) -> None:
        rows = [*zip(ONE, TWO, THREE, strict=True), (A, B)]
        found = fleiss_kappa(rows)
        assert found is not None and found.n == 200

    def test_nothing_to_compare(self) -> None:
        assert cohen_kappa([], []) is None
        assert cohen_kappa([A, A], [A, A]) is None
        assert fleiss_kappa([[A], [B]]) is None
        assert fleiss_kappa([[A, A]]) is None


class TestAlternativeAnnotator:
    def test_a_machine_as_good_as_people_passes(self) -> None:
        machine = dict(zip(map(str, range(200)), answers(9, 200, 0.1, TRUTH), strict=True))
        found = alternative_annotator(PEOPLE, machine)
        assert found.passes and not found.too_few
        assert (found.winning_rate, found.people) == (1.0, 3)
        assert found.advantage > 0.8

    def test_a_machine_that_guesses_fails(self) -> None:
        machine = dict(zip(map(str, range(200)), answers(9, 200, 1.0, TRUTH), strict=True))
        found = alternative_annotator(PEOPLE, machine)
        assert not found.passes
        assert found.winning_rate == 0

    def test_the_truth_itself_beats_everybody(self) -> None:
        people = {name: dict.fromkeys(map(str, range(40)), A) for name in ("x", "y", "z")}
        assert alternative_annotator(people, dict.fromkeys(map(str, range(40)), A)).passes

    def test_too_little_is_said(self) -> None:
        two = {name: said for name, said in PEOPLE.items() if name != "one"}
        found = alternative_annotator(two, two["two"])
        assert found.too_few == "it takes 3 people with 30 shared images each; there are 2"
        assert (found.passes, found.winning_rate, found.advantage) == (False, None, None)
        few = {name: {"1": A} for name in ("x", "y", "z")}
        assert alternative_annotator(few, {"1": A}).too_few.endswith("there are 0")
