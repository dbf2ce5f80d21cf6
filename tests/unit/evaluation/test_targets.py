"""Items in columns: what a name means, which are there twice, and where a row stands."""

from __future__ import annotations

import pytest

from acbench.evaluation.answer_parsing import UNKNOWN, Outcome
from acbench.evaluation.answer_table import AnswerTable, ParsedAnswer
from acbench.evaluation.places import Places
from acbench.evaluation.targets import Target, TargetMaker, Targets


def made(*rows: tuple[str, str, str]) -> Targets:
    """Items by id, image and class; without a class it is not scored."""
    maker = TargetMaker()
    for item_id, image, label in rows:
        number = maker.items.add(item_id, image)
        if label:
            maker.add(number, image.partition("/")[0], (label,))
    return maker.made()


class TestTargets:
    def test_they_are_sorted_by_id(self) -> None:
        targets = made(("b", "cup/1", "chip"), ("c", "cup/2", ""), ("a", "jar/1", "good"))
        assert list(targets) == [Target("a", "jar/1", "jar", ("good",)), Target("b", "cup/1", "cup", ("chip",))]
        assert targets[-1] == targets[1] == targets[1:][0]
        assert list(targets.ids) == ["a", "b"] and list(targets.wanted) == [("good",), ("chip",)]

    def test_a_name_means_an_item_that_is_scored_first(self) -> None:
        """The id of one item may be the path of another."""
        targets = made(("cup/2", "cup/1", ""), ("x", "cup/2", "chip"))
        assert targets.find("x") == targets.find("cup/2") == (1, 0)
        assert targets.find("cup/1") == (2, -1) and targets.find("cup") is None
        assert targets.place("cup/2") is None

    def test_each_name_is_told_once(self) -> None:
        items = made(("a", "a", ""), ("b", "c", ""), ("d", "c", ""), ("c", "b", "")).items
        assert list(items) == ["a", "b", "d", "c"] and len(items) == 4

    @pytest.mark.parametrize(
        ("rows", "among_ids", "among_images"),
        [
            ([("a", "1"), ("b", "2"), ("a", "3"), ("b", "4")], 2, 2),
            ([("a", "b"), ("b", "2")], None, 1),
            ([("b", "2"), ("a", "b")], None, None),
            ([("a", "a"), ("b", "b")], None, None),
        ],
    )
    def test_the_first_that_is_there_twice(
        self, rows: list[tuple[str, str]], among_ids: int | None, among_images: int | None
    ) -> None:
        items = made(*((*row, "") for row in rows)).items
        assert items.first_repeated(among_images=False) == among_ids
        assert items.first_repeated(among_images=True) == among_images


def test_a_row_stands_where_it_was_said() -> None:
    plain = ["a.csv, line 7", "a.csv, line 12"]
    said = [*plain, "b.csv, line 7", "a.json, x 007", "a.csv, line ٣", "odd", "", "a.csv, line 0"]
    places = Places()
    for number, where in enumerate(said):
        places[3 * number] = where
    assert [places[3 * number] for number in range(len(said))] == said
    assert places[1] == places[1_000] == ""


def test_answers_in_columns_are_what_was_answered() -> None:
    targets = made(("a", "cup/1", "chip"), ("b", "cup/2", "chip"), ("c", "cup/3", "good"))
    one = ParsedAnswer("chip", Outcome("ok", ("chip",)), {("chip",): 0.5}, 0.75, 0.0)
    other = ParsedAnswer("?", UNKNOWN)
    answers = AnswerTable(targets, [(2, other), (0, one)])
    assert dict(answers) == {"a": one, "c": other} and len(answers) == 2 and "b" not in answers
    assert answers.right.tolist() == [True, False, False] and answers.raw(1) == ""
    assert [answers.having(*which).tolist() for which in (("ok",), ("missing", "unknown"))] == [[0], [1, 2]]
