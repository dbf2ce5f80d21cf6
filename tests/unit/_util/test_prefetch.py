"""Work done ahead in threads: in order, bounded, and one failure concerns one input."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from acbench._util.chunks import chunks
from acbench._util.prefetch import Attempt, prefetch, prefetch_attempts
from acbench.errors import AcbenchError


def half(number: int) -> int:
    if number % 2:
        raise AcbenchError(f"{number} is odd", "take an even one")
    if number < 0:
        raise ZeroDivisionError
    return number // 2


def test_results_come_in_the_order_of_the_inputs() -> None:
    assert list(prefetch(lambda number: number * number, range(100), workers=4)) == [n * n for n in range(100)]


def test_few_results_wait_at_a_time() -> None:
    begun: list[int] = []
    lock = threading.Lock()

    def inputs() -> Iterator[int]:
        for number in range(1_000):
            with lock:
                begun.append(number)
            yield number

    results = prefetch(lambda number: number, inputs(), most=4)
    for _ in range(10):
        next(results)
    assert len(begun) <= 10 + 4 + 1
    results.close()  # type: ignore[attr-defined]
    assert len(begun) <= 10 + 4 + 1


def test_an_error_is_raised_when_its_result_is_due() -> None:
    results = prefetch(half, [2, 4, 5, 6])
    assert [next(results), next(results)] == [1, 2]
    with pytest.raises(AcbenchError, match="5 is odd"):
        next(results)


def test_an_attempt_holds_the_result_or_the_problem() -> None:
    assert list(prefetch_attempts(half, [2, 3, 4])) == [
        Attempt(2, 1),
        Attempt(3, None, "3 is odd"),
        Attempt(4, 2),
    ]


def test_a_fault_of_the_program_is_no_problem_of_an_input() -> None:
    with pytest.raises(ZeroDivisionError):
        list(prefetch_attempts(half, [2, -2]))


def test_chunks_have_one_size_but_for_the_last() -> None:
    assert list(chunks(iter(range(7)), 3)) == [[0, 1, 2], [3, 4, 5], [6]]
    assert list(chunks([], 3)) == []
