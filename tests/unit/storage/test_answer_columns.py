"""Which column holds the answers: never the truth beside them, and never one of two by chance."""

from __future__ import annotations

import pytest

from acbench.errors import TableError
from acbench.storage.answer_columns import answer_column, known_columns


@pytest.mark.parametrize(
    ("columns", "read", "beside"),
    [
        (("image", "label"), "label", ()),
        (("image", "label", "prediction"), "prediction", ("label",)),
        (("image", "Predicted Label", "Label"), "Predicted Label", ("Label",)),
        (("image", "labels", "label"), "labels", ("label",)),
        (("item_id", "labels", "raw", "parse"), "labels", ()),
        (("item_id", "ANSWER"), "ANSWER", ()),
        (("item_id", "pred-label", "ground_truth"), "pred-label", ()),
    ],
)
def test_the_column_that_is_called_like_an_answer_is_read(
    columns: tuple[str, ...], read: str, beside: tuple[str, ...]
) -> None:
    assert answer_column(columns, "a.csv") == (read, beside)


def test_two_that_are_called_like_answers_are_refused_with_both() -> None:
    with pytest.raises(TableError, match=r"a\.csv: `prediction` and `answer` may both hold the answers"):
        answer_column(("image", "answer", "prediction"), "a.csv")


def test_a_named_column_is_read_whatever_else_there_is() -> None:
    columns = ("image", "answer", "prediction", "My Guess")
    assert answer_column(columns, "a.csv", "my_guess").name == "My Guess"
    with pytest.raises(TableError, match="no column 'my_gess'") as why:
        answer_column(columns, "a.csv", "my_gess")
    assert "did you mean 'My Guess'?" in str(why.value)


def test_without_an_option_no_option_is_advised() -> None:
    for columns in (("image", "answer", "prediction"), ("image", "guess")):
        with pytest.raises(TableError) as why:
            answer_column(columns, "a.csv", can_name=False)
        assert "--column" not in str(why.value)


def test_names_are_known_in_any_case() -> None:
    assert known_columns(("Item ID", "IMAGE", "x")) == {"item_id": "Item ID", "image": "IMAGE"}
    with pytest.raises(TableError, match="'image' and 'Image' have one name"):
        known_columns(("image", "Image"))
