"""Rows on disk are what rows in memory are, whatever is asked of them and in whatever order."""

from __future__ import annotations

import random
from collections import ChainMap
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest

from acbench._util.computed import Computed
from acbench.errors import StorageError
from acbench.records import Item, Proposal
from acbench.storage import parquet, tables
from acbench.storage.stored_rows import (
    RowsById,
    RowsOfItems,
    StoredRows,
    at_places,
    fields,
    grouped,
    having,
    is_large,
    places,
    some,
)
from tests.support.records import item, says

CATEGORIES = ("bottle", "cable")


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """A table of more than ten rows is a large one, in groups of four."""
    monkeypatch.setattr("acbench.storage.stored_rows.WHOLE", 10)
    monkeypatch.setattr("acbench.storage.parquet.TOGETHER", 4)


def of_items(count: int) -> list[Item]:
    """Items of two categories, in turns."""
    return [replace(item(number), category=CATEGORIES[number % 2]) for number in range(count)]


def on_disk(path: Path, rows: list[Item]) -> StoredRows[Item]:
    """The same rows in a table."""
    tables.write_in_order(path, parquet.in_groups(rows), Item)
    return StoredRows(path, Item)


@pytest.fixture
def rows() -> list[Item]:
    return of_items(23)


@pytest.fixture
def stored(tmp_path: Path, rows: list[Item]) -> StoredRows[Item]:
    found = on_disk(tmp_path / "items.parquet", rows)
    assert is_large(found) and not is_large(rows)
    return found


def test_they_are_a_sequence(stored: StoredRows[Item], rows: list[Item]) -> None:
    assert len(stored) == 23 and list(stored) == rows
    assert [stored[number] for number in range(-23, 23)] == [rows[number] for number in range(-23, 23)]
    for part in (slice(3, 17), slice(None, None, -1), slice(20, 90), slice(5, 5)):
        assert list(stored[part]) == rows[part]
    for outside in (23, -24):
        with pytest.raises(IndexError):
            stored[outside]


@pytest.mark.parametrize("order", ["as they come", "backwards", "mixed", "each twice"])
def test_an_id_finds_its_row_in_any_order(stored: StoredRows[Item], rows: list[Item], order: str) -> None:
    asked = {
        "as they come": rows,
        "backwards": rows[::-1],
        "mixed": random.Random(1).sample(rows, len(rows)),
        "each twice": [row for row in rows for _ in (0, 1)],
    }[order]
    by_id = stored.by_id
    assert isinstance(by_id, RowsById)
    for row in asked:
        assert by_id[row.item_id] == row and row.item_id in by_id
        assert by_id.place(row.item_id) == rows.index(row)
        assert by_id.get("nobody") is None and "nobody" not in by_id
    with pytest.raises(KeyError):
        by_id["nobody"]
    assert dict(by_id.items()) == {row.item_id: row for row in rows} and list(by_id) == [row.item_id for row in rows]


def test_few_groups_are_in_memory_at_once(stored: StoredRows[Item], rows: list[Item]) -> None:
    for row in [*rows, *rows[::-5], *rows[::3]]:
        assert stored.by_id[row.item_id] == row
        assert len(stored._groups) <= 2
    assert some(stored.by_id, [rows[22].item_id, "nobody", rows[0].item_id]) == {
        rows[22].item_id: rows[22], rows[0].item_id: rows[0],
    }  # fmt: skip


def test_a_small_table_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = of_items(9)
    stored = on_disk(tmp_path / "items.parquet", rows)
    assert list(stored) == rows and not is_large(stored)
    monkeypatch.setattr(parquet.ParquetFile, "group", lambda *_: pytest.fail("read again"))
    assert list(stored) == rows and stored.by_id == {row.item_id: row for row in rows}


def test_what_helps_with_rows_says_the_same_of_both(stored: StoredRows[Item], rows: list[Item]) -> None:
    for name in ("category", "image"):
        parts = grouped(stored, name), grouped(rows, name)
        assert [{key: list(own) for key, own in part.items()} for part in parts] == [dict(parts[1])] * 2
        assert [list(part) for part in parts] == [list(parts[1])] * 2, "in the order in which they come"
    assert [*fields(stored, "image", "width")] == [*fields(rows, "image", "width")]
    assert [*at_places(stored, [2, 3, 11, 22])] == [*at_places(rows, [2, 3, 11, 22])]
    assert [places(stored)(row.item_id) for row in rows] == [places(rows)(row.item_id) for row in rows]
    own = grouped(stored, "category")["cable"]
    assert own[3] == rows[7] and list(own[2:4]) == [rows[5], rows[7]] and len(own) == 11


def test_rows_of_several_tables_come_together(tmp_path: Path, rows: list[Item]) -> None:
    answers = {
        "all": [says(each, "x") for each in rows],
        "some": [says(each, "y", scores={"x": 0.5, "y": 0.5}) for each in rows[::4]],
        "none": list[Proposal](),
    }
    kept = []
    for name, own in answers.items():
        tables.write_in_order(tmp_path / f"{name}.parquet", parquet.in_groups(own), Proposal)
        kept.append(StoredRows(tmp_path / f"{name}.parquet", Proposal))
    joined = RowsOfItems(kept)
    plain = {
        each.item_id: [row for own in answers.values() for row in own if row.item_id == each.item_id] for each in rows
    }
    assert dict(joined.items()) == plain and len(joined) == len(rows)
    assert joined.get("nobody", ()) == () and "nobody" not in joined
    asked = [rows[20].item_id, rows[3].item_id, "nobody"]
    assert some(joined, asked) == some(plain, asked)
    scored = having(joined, "scores")
    assert dict(scored.items()) == {row.item_id: [row] for row in answers["some"]}
    assert kept[1].counted("proposer", "status") == {(answers["some"][0].proposer, answers["some"][0].status): 6}


def test_a_file_that_is_replaced_stays_what_it_was_when_it_was_opened(
    stored: StoredRows[Item], rows: list[Item]
) -> None:
    assert stored[0] == rows[0]
    on_disk(stored.path, of_items(1))
    assert list(stored) == rows


def test_a_damaged_group_is_named(stored: StoredRows[Item]) -> None:
    data = bytearray(stored.path.read_bytes())
    data[len(data) // 3] ^= 0xFF
    stored.path.write_bytes(data)
    with pytest.raises(StorageError, match=r"items\.parquet"):
        list(StoredRows(stored.path, Item))


def test_a_computed_mapping_computes_each_value_when_it_is_asked_for() -> None:
    asked: list[str] = []

    def value(key: str) -> str:
        asked.append(key)
        return key.upper()

    made = Computed(["a", "b"], value, lambda keys: {key: f"some {key}" for key in keys if key in "ab"})
    assert len(made) == 2 and "b" in made and "c" not in made and asked == []
    assert made["b"] == "B" and asked == ["b"]
    assert some(made, ["a", "c"]) == {"a": "some a"}


def test_threads_may_share_them(tmp_path: Path) -> None:
    rows = of_items(400)
    stored = on_disk(tmp_path / "items.parquet", rows)

    def asks(seed: int) -> list[str]:
        ids = [row.item_id for row in rows]
        random.Random(seed).shuffle(ids)
        return [item_id for item_id in ids if stored.by_id[item_id].item_id != item_id]

    with ThreadPoolExecutor(6) as pool:
        assert [list(wrong) for wrong in pool.map(asks, range(12))] == [[]] * 12


def test_some_of_values_that_lie_over_others(stored: StoredRows[Item], rows: list[Item]) -> None:
    new = replace(rows[3], image="new.png")
    over = ChainMap({new.item_id: new}, cast("dict[str, Item]", stored.by_id))
    asked = [rows[number].item_id for number in (9, 3, 0)]
    assert some(over, [*asked, "nobody"]) == {
        rows[9].item_id: rows[9], rows[0].item_id: rows[0], new.item_id: new,
    }  # fmt: skip
