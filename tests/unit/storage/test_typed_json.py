"""JSON into dataclasses and back: nested ones too, and every fault has an address that may be shown."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from acbench.errors import StorageError
from acbench.storage.typed_json import any_json, convert, decode, read_file, read_if_there, to_json


@dataclass(frozen=True, slots=True)
class Part:
    name: str
    kind: Literal["a", "b"] = "a"


@dataclass(frozen=True, slots=True)
class Whole:
    parts: tuple[Part, ...]
    by_name: Mapping[str, Part]
    first: Part | None = None
    scores: Mapping[str, float] | None = None


WHOLE = Whole((Part("x"), Part("y", "b")), {"z": Part("z"), "a": Part("a")}, Part("f"), {"k": 0.5})


def test_nested_records_come_back() -> None:
    assert decode(json.dumps(to_json(WHOLE)).encode(), Whole, "f") == WHOLE


def test_fields_keep_their_order_and_mappings_are_sorted() -> None:
    assert list(to_json(WHOLE)) == ["parts", "by_name", "first", "scores"]
    assert list(to_json(WHOLE)["by_name"]) == ["a", "z"]
    assert to_json(WHOLE)["parts"][0] == {"name": "x", "kind": "a"}


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"parts": [{"name": "x"}, {"name": 3}]}, r"f: field parts\[1\]\.name: expected str, got int"),
        ({"parts": [{"name": "x"}, {}]}, r"f: field parts\[1\]\.name is missing"),
        ({"parts": [{"name": "x", "more": 1}]}, r"f: Whole has no field parts\.0\.more"),
        ({"by_name": {"z": {"name": "x", "more": 1}}}, r"f: Whole has no field by_name\.z\.more"),
        ({"first": {"name": "x", "more": 1}}, r"f: Whole has no field first\.more"),
        ({"first": {"name": "x", "kind": "c"}}, r"f: field first\.kind: 'c' is not one of the values"),
        ({"scores": {"k": None}}, r"f: field scores: expected float, got null"),
        ({"more": 1}, r"f: Whole has no field more"),
    ],
)
def test_a_fault_inside_is_named_by_its_path(change: dict[str, Any], why: str) -> None:
    with pytest.raises(StorageError, match=why):
        decode(json.dumps(to_json(WHOLE) | change).encode(), Whole, "f")
    if "has no field" in why:
        decode(json.dumps(to_json(WHOLE) | change).encode(), Whole, "f", allow_unknown=True)


@pytest.mark.parametrize("line", ["<<<<<<< HEAD", "=======", ">>>>>>> branch\r"])
def test_marks_of_a_merge_are_called_so(line: str) -> None:
    with pytest.raises(StorageError, match="a merge of two branches was left half done here"):
        decode(f'{{"parts": [],\n{line}\n"first": null}}'.encode(), Whole, "plan.json")


def test_other_types_than_dataclasses_are_read() -> None:
    assert decode(b'{"a": [1]}', dict[str, tuple[int, ...]], "f") == {"a": (1,)}
    assert decode(b'[{"name": "x"}]', tuple[Part, ...], "f") == (Part("x"),)
    with pytest.raises(StorageError, match="'c' is not one of"):
        decode(b'[{"name": "x", "kind": "c"}]', tuple[Part, ...], "f")


def test_what_a_stranger_wrote_is_shown_on_one_short_line() -> None:
    for text in ({"name": "x", "\x1b[31m\n" * 99: 1}, {"name": "x", "kind": "\x1b[31m\n" * 99}):
        with pytest.raises(StorageError) as caught:
            decode(json.dumps(text).encode(), Part, "f")
        assert caught.value.message.isprintable() and len(caught.value.message) < 310


def test_long_digits_in_a_text_are_no_number() -> None:
    assert decode(b'{"name": "99999999999999999999"}', Part, "f").name == "9" * 20
    assert convert({"name": "9" * 20}, Part, "f").name == "9" * 20


@given(st.binary(max_size=60) | st.text(max_size=60).map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_any_bytes_are_a_value_or_a_storage_error(data: bytes) -> None:
    try:
        json.dumps(decode(data, Any, "f"), allow_nan=False).encode()
    except StorageError as error:
        assert error.message.startswith("f: ") and len(error.message) > 3


def test_a_file_that_cannot_be_read_has_the_hint(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=r"No such file(?s:.)*do this"):
        read_file(tmp_path / "none", Part, hint="do this")


def test_a_link_to_nowhere_is_not_nothing(tmp_path: Path) -> None:
    """As to a disk that is not there now: what it led to would be overwritten."""
    path = tmp_path / "f.json"
    assert read_if_there(path, Whole, hint="mend it") is None
    path.symlink_to(tmp_path / "gone")
    with pytest.raises(StorageError, match=r"f\.json cannot be read: No such file"):
        read_if_there(path, Whole, hint="mend it")


@pytest.mark.parametrize("text", ["", "{", b"\xff\xfe", "[" * 9999, "1e", b"\xef\xbb\xbf", "9" * 9999])
def test_what_is_no_json_is_nothing(text: str | bytes) -> None:
    assert any_json(text) is None
    assert any_json('{"a": 1}') == {"a": 1}
