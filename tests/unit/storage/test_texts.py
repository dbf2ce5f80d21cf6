"""Very many texts in little memory: what went in comes out, is found, and is sorted."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from acbench.storage.texts import FigureOf, SomeTexts, Texts, sorted_texts
from tests.support.lazy import lazy

np = lazy("numpy")

ANY = st.lists(st.text(st.characters(exclude_categories=()), max_size=6))


def test_what_went_in_comes_out() -> None:
    said = ["", "cup/é x.png", "a\0b", "half \ud800", "日本", ""]
    texts = Texts(said)
    assert list(texts) == said and len(texts) == 6
    assert list(texts.find("")) == [0, 5] and list(texts.find("日本")) == [4]
    assert "cup" not in texts and 4 not in texts


def test_one_that_is_added_later_is_found() -> None:
    texts = Texts(["a"])
    assert "b" not in texts
    texts.append("b")
    assert list(texts.find("b")) == [1]


def test_texts_with_one_hash_are_not_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("acbench.storage.texts.hash", lambda text: 1, raising=False)
    texts = Texts(["a", "b", "a"])
    assert (list(texts.find("a")), list(texts.find("b")), list(texts.find("c"))) == ([0, 2], [1], [])


def test_none_of_none() -> None:
    assert Texts().repeated == [] and "" not in Texts()


@given(ANY | st.lists(st.text("ab\xe9\0", max_size=60)))
def test_they_are_sorted_as_sorted_does(said: list[str]) -> None:
    assert list(sorted_texts(said)) == sorted(said)
    order = Texts(said).order.tolist()
    assert order == sorted(range(len(said)), key=said.__getitem__)


def test_one_long_text_among_short_ones_takes_no_more_memory_than_its_letters() -> None:
    said = ["b", "x" * 1_000_000, *(f"a{number}" for number in range(100))]
    assert list(sorted_texts(said)) == sorted(said)


def test_some_of_them_are_a_sequence() -> None:
    some = SomeTexts(Texts("abcd"), np.array([2, 0, 3]))
    assert (len(some), list(some), some[1], some[:2], some[-1]) == (3, ["c", "a", "d"], "a", ["c", "a"], "d")
    assert list(SomeTexts(Texts(), np.array([], dtype=np.intp))) == []


@given(st.lists(st.text("abc", max_size=3), unique=True), st.lists(st.text("abc", max_size=3)))
def test_each_has_its_figure_in_whatever_order_it_is_asked_for(said: list[str], asked: list[str]) -> None:
    expected = {text: number / 7 for number, text in enumerate(said)}
    found = FigureOf(Texts(said), np.array([*expected.values()], dtype=np.float64))
    assert [found.get(text) for text in asked] == [expected.get(text) for text in asked]
    assert dict(found) == expected and list(found.values()) == list(expected.values()) and len(found) == len(said)
