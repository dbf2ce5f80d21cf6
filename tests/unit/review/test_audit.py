"""The audit: how many labels it takes, which they are, and what it can rule out."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import hypergeom  # type: ignore[import-untyped, unused-ignore]

from acbench.errors import AcbenchError
from acbench.review.audit import AuditSample, AuditSize
from acbench.stats.finite import draws_without_fault, most_without_fault

LABELS = [(f"part-{category}-{number}", category) for category, size in {"a": 700, "b": 250, "c": 50}.items()
          for number in range(size)]  # fmt: skip


class TestSize:
    @pytest.mark.parametrize(
        ("text", "kind", "value", "setting"),
        [
            ("0.05", "share", 0.05, 0.05),
            ("5%", "share", 0.05, 0.05),
            (" 12.5 % ", "share", 0.125, 0.125),
            ("0", "share", 0, 0.0),
            ("1", "share", 1, 1.0),
            (0.3, "share", 0.3, 0.3),
            ("100%", "share", 1, 1.0),
            ("2", "count", 2, "2"),
            ("300", "count", 300, "300"),
            ("error=1%", "error", 0.01, "error=0.01"),
            ("ERROR=0.005", "error", 0.005, "error=0.005"),
            ("error=1e-6", "error", 1e-6, "error=1e-06"),
            ("default", "usual", 0, "default"),
        ],
    )
    def test_what_people_write(self, text: str | float, kind: str, value: float, setting: str | float) -> None:
        size = AuditSize.parse(text)
        assert (size.kind, size.value, size.setting) == (kind, pytest.approx(value), pytest.approx(setting))
        assert AuditSize.parse(size.setting) == size

    @pytest.mark.parametrize(
        "text", ["", "-1", "1.5", "150%", "many", "error=0", "error=1", "error=", "size=5", "1e30", "nan", "5%5"]
    )
    def test_anything_else_is_refused_with_what_there_is(self, text: str) -> None:
        with pytest.raises(AcbenchError) as caught:
            AuditSize.parse(text)
        assert repr(text) in caught.value.message and "error=1%" in caught.value.hint

    @pytest.mark.parametrize(("size", "draws"), [(0, 0), (10, 1), (152, 8), (1_725, 87), (100_000, 298), (10**6, 298)])
    def test_the_usual_one_is_a_share_until_it_rules_one_percent_out(self, size: int, draws: int) -> None:
        assert AuditSize().draws(size) == draws

    def test_a_count_is_never_more_than_there_is(self) -> None:
        assert [AuditSize.parse("300").draws(size) for size in (0, 7, 1_000)] == [0, 7, 300]


class TestPromise:
    @pytest.mark.parametrize("size", [1, 2, 17, 100])
    def test_the_bound_is_that_of_the_hypergeometric_distribution(self, size: int) -> None:
        for drawn in range(size + 1):
            none_found = [hypergeom(size, faulty, drawn).pmf(0) for faulty in range(size - drawn + 1)]
            possible = [faulty for faulty, probability in enumerate(none_found) if probability > 0.05 * (1 + 1e-8)]
            assert most_without_fault(size, drawn, 0.05) == max(possible)

    @pytest.mark.parametrize(("size", "allowed"), [(1, 0), (50, 0), (50, 3), (100, 1), (2_000, 20)])
    def test_one_draw_fewer_does_not_do(self, size: int, allowed: int) -> None:
        drawn = draws_without_fault(size, allowed, 0.05)
        assert most_without_fault(size, drawn, 0.05) <= allowed
        assert drawn == 0 or most_without_fault(size, drawn - 1, 0.05) > allowed


class TestCounts:
    def test_each_category_has_its_part(self) -> None:
        drawn = AuditSample(size=AuditSize.parse("100")).draw(LABELS)
        assert Counter(key.split("-")[1] for key in drawn) == {"a": 70, "b": 25, "c": 5}

    def test_the_order_is_that_of_the_draw_and_not_of_categories(self) -> None:
        sample = AuditSample(size=AuditSize.parse("100"))
        drawn = sample.draw(LABELS)
        assert drawn == sorted(drawn, key=sample.number)
        assert len({key.split("-")[1] for key in drawn[:10]}) > 1

    def test_another_seed_draws_another_one(self) -> None:
        first, second = (set(AuditSample(size=AuditSize.parse("100"), seed=seed).draw(LABELS)) for seed in (0, 1))
        assert first != second

    @given(st.lists(st.sampled_from("abcdefg"), max_size=60), st.integers(2, 80))
    def test_as_many_as_asked_for_as_nearly_in_proportion_as_can_be(self, categories: list[str], count: int) -> None:
        members = [(f"{category}{number}", category) for number, category in enumerate(categories)]
        drawn = AuditSample(size=AuditSize("count", count)).draw(members)
        assert len(set(drawn)) == len(drawn) == min(count, len(members))
        for category, size in Counter(categories).items():
            share = min(count, len(members)) * size / len(members)
            assert abs(sum(key[0] == category for key in drawn) - share) < 1
