"""Of a table in parts, those are made anew whose key has changed, and no others."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from acbench.records import Item
from acbench.storage import tables
from acbench.storage.build import Build
from acbench.storage.ledger import Ledger
from acbench.storage.part_table import PartTable
from acbench.storage.project import Project
from tests.support.records import item

SIZES = {"bottle": 9, "cable": 1, "empty": 0, "zipper": 6}


@pytest.fixture
def build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Build]:
    monkeypatch.setattr("acbench.storage.parquet.TOGETHER", 4)
    with opened(tmp_path) as build:
        yield build


@contextmanager
def opened(folder: Path) -> Iterator[Build]:
    """A build in a project of its own."""
    with Ledger(folder / "ledger.sqlite") as ledger:
        yield Build(project=Project(folder), ledger=ledger, run_id=1)


def ensured(build: Build, keys: Mapping[str, str], mode: str = "RGB") -> tuple[list[str], list[Item]]:
    """Which parts were made, and the rows of the file. What is made anew has another `mode`."""
    made: list[str] = []

    def make(name: str) -> list[Item]:
        made.append(name)
        return [replace(item(number), category=name, mode=mode) for number in range(SIZES[name])]

    path = build.project.folder / "parts.parquet"
    PartTable(path, Item).ensure(build, keys, make)
    return made, tables.read(path, Item)


def modes(rows: list[Item]) -> dict[str, set[str]]:
    """Category → the modes of its rows."""
    return {name: {row.mode for row in rows if row.category == name} for name in {row.category: 0 for row in rows}}


def test_each_part_is_made_once(build: Build) -> None:
    keys = dict.fromkeys(SIZES, "1")
    made, rows = ensured(build, keys)
    assert made == list(SIZES) and [row.category for row in rows] == ["bottle"] * 9 + ["cable"] + ["zipper"] * 6
    assert ensured(build, keys) == ([], rows)


@pytest.mark.parametrize("changed", list(SIZES))
def test_a_part_with_another_key_is_made_anew_and_the_others_are_kept(build: Build, changed: str) -> None:
    keys = dict.fromkeys(SIZES, "1")
    _, before = ensured(build, keys)
    made, after = ensured(build, {**keys, changed: "2"}, mode="L")
    assert made == [changed] and [row.item_id for row in after] == [row.item_id for row in before]
    assert modes(after) == {name: {"L" if name == changed else "RGB"} for name in SIZES if SIZES[name]}
    assert ensured(build, keys, mode="P")[0] == [changed], "the key of before is no longer there"


def test_parts_come_go_and_change_places(build: Build) -> None:
    ensured(build, {"bottle": "1", "cable": "1"})
    made, rows = ensured(build, {"zipper": "1", "bottle": "1"}, mode="L")
    assert made == ["zipper"] and [row.category for row in rows] == ["zipper"] * 6 + ["bottle"] * 9
    assert modes(rows) == {"zipper": {"L"}, "bottle": {"RGB"}}


@pytest.mark.parametrize("damage", ["another file", "without notes", "gone", "cut"])
def test_a_file_that_is_not_as_it_was_left_is_made_anew(build: Build, damage: str) -> None:
    keys = dict.fromkeys(SIZES, "1")
    _, before = ensured(build, keys)
    path = build.project.folder / "parts.parquet"
    if damage == "another file":
        tables.write_in_order(path, [before[:3]], Item, notes=lambda: {"parts": '[["bottle", "1", 3]]'})
    elif damage == "without notes":
        tables.write_in_order(path, [before], Item)
    elif damage == "gone":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[:-9])
    made, after = ensured(build, {**keys, "cable": "2"})
    assert made == list(SIZES) and after == before


def test_what_is_noted_counts_only_if_it_can_be_read(build: Build) -> None:
    keys = dict.fromkeys(SIZES, "1")
    ensured(build, keys)
    path = build.project.folder / "parts.parquet"
    for noted in ("nonsense", "[1]", '{"bottle": 1}', '[["bottle", "1"]]', '[["bottle", "1", "many"]]'):
        tables.write_in_order(path, [], Item, notes=lambda noted=noted: {"parts": noted})  # type: ignore[misc]
        build.record(path, "of an earlier version", 0.0, written=True)
        assert ensured(build, keys)[0] == list(SIZES)
