"""Records that are packed are what they were, in their order."""

from __future__ import annotations

import random
from operator import attrgetter
from typing import Any, NamedTuple

import pytest

from acbench._util.packed import Packed, in_order


class Name(NamedTuple):
    text: str
    number: int = 0


MADE: list[Name] = []


def make(row: tuple[Any, ...]) -> Name:
    MADE.append(Name._make(row))
    return MADE[-1]


def packed(names: list[Name] | None = None) -> Packed[Name]:
    return Packed(tuple, make, names or [])


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("acbench._util.packed.TOGETHER", 4)
    MADE.clear()


@pytest.mark.parametrize("count", [0, 1, 3, 4, 5, 8, 11])
@pytest.mark.parametrize("last", [True, False])
def test_they_are_what_was_added(count: int, last: bool) -> None:
    names = [Name(f"{number:02}", number) for number in range(count)]
    found = packed(names)
    if last:
        found.pack()
    assert (len(found), bool(found)) == (count, count > 0)
    assert list(found) == list(found) == names
    assert [found[number] for number in range(count)] == names
    assert list(found.taken()) == list(map(tuple, names))
    assert [len(group) for group in found.groups()] == [4] * (count // 4) + [count % 4] * (count % 4 > 0)


def test_one_group_is_made_at_a_time() -> None:
    found = packed([Name(str(number)) for number in range(10)])
    assert MADE == []
    stream = iter(found)
    next(stream)
    assert len(MADE) == 4
    MADE.clear()
    assert [found[number].text for number in (5, 6, 7, 4, 9)] == ["5", "6", "7", "4", "9"]
    assert len(MADE) == 4
    MADE.clear()
    assert len(list(found.taken())) == 10
    assert MADE == []


@pytest.mark.parametrize("seed", range(8))
def test_they_are_sorted_as_a_list_is(seed: int) -> None:
    chance = random.Random(seed)
    names = [Name(chance.choice("abcdefgh") * chance.randrange(1, 3), number) for number in range(chance.randrange(40))]
    assert list(in_order(names, attrgetter("text"), packed)) == sorted(names, key=attrgetter("text"))


def test_what_is_sorted_already_is_packed_once() -> None:
    in_order((Name(f"{number:02}") for number in range(20)), attrgetter("text"), packed)
    assert MADE == []


def test_what_is_packed_takes_no_more() -> None:
    numbers: Packed[int] = Packed(lambda number: (number,), lambda row: row[0], [1, 2])
    numbers.pack()
    with pytest.raises(ValueError, match="no more"):
        numbers.append(3)
    assert list(numbers) == [1, 2]
