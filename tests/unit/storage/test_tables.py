"""Tables on disk: nothing is lost, nothing is half written, and damage has an address."""

from __future__ import annotations

import json
import os
import random
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from acbench.errors import StorageError
from acbench.records import Finding, Item, Label, Prediction, Proposal, Review, Score
from acbench.review.queue import RankedItem
from acbench.storage import tables as store
from acbench.storage.atomic import sweep, write_bytes
from acbench.storage.parquet import ParquetFile
from acbench.storage.typed_json import to_json
from tests.support.records import decides, item, says

KINDS: tuple[Any, ...] = (Item, Finding, Proposal, Review, Label, Prediction, Score, RankedItem)
ODD = st.text(st.characters(exclude_categories=["Cs"]), max_size=20) | st.sampled_from(
    ["", "🦷 two\nlines", '"quoted"', "\u2028\u2029\x85", "\0", "null", "\ufeff", "\r\n", "a, b; c"]
)
st.register_type_strategy(str, ODD)
st.register_type_strategy(float, st.floats(allow_nan=False, allow_infinity=False))
st.register_type_strategy(int, st.integers(-(2**63), 2**63 - 1))
TABLES = st.sampled_from(KINDS).flatmap(lambda kind: st.tuples(st.just(kind), st.lists(st.builds(kind), max_size=4)))
SUFFIXES = pytest.mark.parametrize("suffix", [".parquet", ".jsonl"])


def by_text(row: object) -> str:
    return repr(to_json(row))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("tables")


def test_a_table_that_an_older_version_wrote_has_defaults_for_what_it_lacks(tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    path = tmp_path / "proposals.parquet"
    rows = [says(item(number), "llm:a", "contamination", model="m", family="f") for number in range(3)]
    store.write(path, rows, Proposal, key=lambda row: row.item_id)
    pq.write_table(pq.read_table(path).drop_columns(["model", "family"]), path)
    assert {(row.model, row.family, row.labels) for row in store.read(path, Proposal)} == {("", "", ("contamination",))}


@SUFFIXES
class TestBothForms:
    @given(TABLES)
    @settings(max_examples=60)
    def test_every_record_comes_back_as_it_was(self, folder: Path, suffix: str, table: tuple[Any, list[Any]]) -> None:
        kind, rows = table
        path = folder / f"{kind.__name__}{suffix}"
        store.write(path, rows, kind, key=by_text)
        assert store.read(path, kind) == sorted(rows, key=by_text)

    def test_the_order_of_the_rows_does_not_matter(self, tmp_path: Path, suffix: str) -> None:
        rows = [item(number) for number in range(20)]
        files = [tmp_path / f"{name}{suffix}" for name in "ab"]
        store.write(files[0], rows, Item, key=lambda row: row.item_id)
        store.write(files[1], reversed(rows), Item, key=lambda row: row.item_id)
        assert files[0].read_bytes() == files[1].read_bytes()

    def test_a_file_that_is_not_there_is_an_empty_table(self, tmp_path: Path, suffix: str) -> None:
        assert store.read(tmp_path / f"none{suffix}", Item) == []

    def test_half_a_character_is_refused_and_the_old_file_stays(self, tmp_path: Path, suffix: str) -> None:
        path = tmp_path / f"items{suffix}"
        store.write(path, [item()], Item, key=by_text)
        with pytest.raises(StorageError, match=r"(?s)items.*Item.*\\ud800"):
            store.write(path, [item(licence="\ud800")], Item, key=by_text)
        assert store.read(path, Item) == [item()]

    def test_another_kind_of_record_is_refused(self, tmp_path: Path, suffix: str) -> None:
        path = tmp_path / f"items{suffix}"
        store.write(path, [item()], Item, key=by_text)
        with pytest.raises(StorageError, match="items"):
            store.read(path, Label)

    def test_a_folder_in_its_place_is_no_table(self, tmp_path: Path, suffix: str) -> None:
        path = tmp_path / f"items{suffix}"
        path.mkdir()
        with pytest.raises(StorageError, match="items"):
            store.read(path, Item)


class TestAtomicity:
    def test_a_failed_write_leaves_the_old_bytes_and_no_litter(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def full(_: int) -> None:
            raise OSError("no space left on device")

        path = tmp_path / "file"
        write_bytes(path, b"old")
        monkeypatch.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="no space"):
            write_bytes(path, b"new")
        assert {each.name: each.read_bytes() for each in tmp_path.iterdir()} == {"file": b"old"}

    def test_sweep_removes_what_killed_writers_left_and_nothing_else(self, tmp_path: Path) -> None:
        for name in ("below/.items.parquet.x1y2.part", "below/items.parquet", "mine.part", ".hidden"):
            (tmp_path / name).parent.mkdir(exist_ok=True)
            (tmp_path / name).touch()
        sweep(tmp_path)
        assert {each.name for each in tmp_path.rglob("*")} == {"below", "items.parquet", "mine.part", ".hidden"}

    def test_a_new_file_has_the_permissions_of_any_other(self, tmp_path: Path) -> None:
        write_bytes(tmp_path / "ours", b"")
        (tmp_path / "other").touch()
        assert (tmp_path / "ours").stat().st_mode == (tmp_path / "other").stat().st_mode


class TestDamagedParquet:
    @pytest.fixture
    def path(self, tmp_path: Path) -> Path:
        path = tmp_path / "items.parquet"
        store.write(path, [item(number) for number in range(10, 30)], Item, key=lambda row: row.item_id)
        return path

    def test_rows_in_many_groups_are_as_in_one(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        rows = store.read(path, Item)
        monkeypatch.setattr("acbench.storage.parquet.TOGETHER", 7)
        store.write(path, rows, Item, key=lambda row: row.item_id)
        assert store.read(path, Item) == rows

    def test_the_bytes_are_the_same_however_rows_are_parted_and_copied(
        self, path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        rows, other = store.read(path, Item), path.with_name("other.parquet")
        monkeypatch.setattr("acbench.storage.parquet.TOGETHER", 6)
        store.write_in_order(path, [rows], Item)
        former = ParquetFile(path, Item)
        monkeypatch.setattr("acbench.storage.parquet.TOGETHER", 7)
        whole = [rows]
        small = [[], *([row] for row in rows[:9]), rows[9:], []]
        copied = [*former.rows(0, 3), rows[3:12], *former.rows(12, 13), *former.rows(13, 20)]
        made = []
        for parts in (whole, small, copied):
            store.write_in_order(other, parts, Item)
            made.append(other.read_bytes())
        assert made == [made[0]] * 3 and store.read(other, Item) == rows
        assert ParquetFile(other, Item).sizes == [7, 7, 6]

    def test_rows_are_counted_across_groups(self, path: Path) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        table = pq.read_table(path)
        place = table.column_names.index("split")
        values = pa.array([*["test"] * 19, "val"])
        pq.write_table(table.set_column(place, "split", values), path, row_group_size=7)
        with pytest.raises(StorageError, match=r"items\.parquet, row 20: field split: 'val'"):
            store.read(path, Item)

    def test_however_much_of_it_is_cut_off_it_is_refused(self, path: Path) -> None:
        data = path.read_bytes()
        for length in range(0, len(data), 97):
            path.write_bytes(data[:length])
            with pytest.raises(StorageError, match=r"items\.parquet is not a readable table(?s:.)*delete"):
                store.read(path, Item)

    def test_a_flipped_bit_in_the_data_never_becomes_another_value(self, path: Path) -> None:
        data, rows, random_ = path.read_bytes(), store.read(path, Item), random.Random(0)
        pages = len(data) // 3  # column data come before the footer
        for position in random_.sample(range(4, pages), 200):
            path.write_bytes(data[:position] + bytes([data[position] ^ 1]) + data[position + 1 :])
            with suppress(StorageError):
                assert store.read(path, Item) == rows

    def test_a_table_without_a_field_that_is_needed_is_refused(self, path: Path) -> None:
        import pyarrow.parquet as pq

        pq.write_table(pq.read_table(path).drop_columns(["sha256"]), path)
        with pytest.raises(StorageError, match=r"items\.parquet, row 1: field sha256 is missing(?s:.)*delete"):
            store.read(path, Item)

    @pytest.mark.parametrize(
        ("name", "values", "why"),
        [
            ("width", ["1"] * 20, "row 1: field width: expected int, got str"),
            ("split", [*["test"] * 19, "val"], "row 20: field split: 'val' is not one of train, test"),
            ("sha256", [*["x"] * 3, *[None] * 17], "row 4: field sha256: expected str, got null"),
            ("source_labels", ["scratch"] * 20, "row 1: field source_labels: expected array, got str"),
        ],
    )
    def test_a_value_of_another_type_is_refused_by_row_and_field(
        self, path: Path, name: str, values: list[Any], why: str
    ) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        table = pq.read_table(path)
        place = table.column_names.index(name)
        pq.write_table(table.set_column(place, name, pa.array(values)), path)
        with pytest.raises(StorageError, match=rf"items\.parquet, {why}(?s:.)*delete"):
            store.read(path, Item)

    def test_a_list_in_place_of_a_mapping_is_refused(self, tmp_path: Path) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        path = tmp_path / "p.parquet"
        store.write(path, [Proposal(item_id="a", proposer="b", labels=())], Proposal, key=by_text)
        table = pq.read_table(path)
        place = table.column_names.index("scores")
        pq.write_table(table.set_column(place, "scores", pa.array([["ab"]])), path)
        with pytest.raises(StorageError, match="row 1: field scores: expected object, got array"):
            store.read(path, Proposal)


GOOD_LINE = json.dumps(to_json(decides("ann", item(), "contamination")))


def changed(**values: Any) -> str:
    return json.dumps(json.loads(GOOD_LINE) | values)


class TestDamagedJsonl:
    @pytest.mark.parametrize(
        ("line", "why"),
        [
            ("{", "Expecting property name"),
            ("<<<<<<< HEAD", r"a merge of two branches was left half done here \(<<<<<<< HEAD\)"),
            ("[]", "expected object, got array"),
            ("{}", "field item_id is missing"),
            (changed(colour="red"), "no field colour"),
            (changed(round="1"), "field round: expected int, got str"),
            (changed(round=True), "field round: expected int, got bool"),
            (changed(note=None), "field note: expected str, got null"),
            (changed(labels="chip"), "field labels: expected array, got str"),
            (changed(labels=[1]), r"field labels\[0\]: expected str, got int"),
            (changed(verdict="maybe"), "field verdict: 'maybe' is not one of label, unsure"),
            (changed(verdict=[]), "field verdict: expected str, got array"),
            (changed(seconds=float("nan")), "field seconds: not a finite number"),
            (changed(seconds=10**400), "field seconds: not a number of 64 bits"),
            (changed(round=2**63), "field round: not a number of 64 bits"),
            (changed(seconds=True), "field seconds: expected float or null, got bool"),
            (changed(note="\ud800"), "field note: not Unicode text"),
            (changed(note="x" * (2 << 20)), "longer than"),
            ("[" * 100_000, "nested too deeply"),
            ("1" * 5_000, "not a number of 64 bits"),
        ],
        ids=lambda value: value[:20],
    )
    def test_a_bad_line_is_refused_by_number_and_reason(self, tmp_path: Path, line: str, why: str) -> None:
        path = tmp_path / "reviews.jsonl"
        path.write_text(f"{GOOD_LINE}\n\n{line}\n{GOOD_LINE}\n", encoding="utf-8")
        with pytest.raises(StorageError, match=rf"reviews\.jsonl, line 3: .*{why}"):
            store.read(path, Review)

    def test_lines_that_only_together_are_json_are_refused(self, tmp_path: Path) -> None:
        path = tmp_path / "reviews.jsonl"
        store.write(path, [decides("ann", item(1), "scratch")], Review, key=by_text)
        first = path.read_bytes().rstrip()
        path.write_bytes(first + first[:20] + b"\n" + first[20:] + b"\n")
        with pytest.raises(StorageError, match="line 1"):
            store.read(path, Review)

    def test_many_lines_are_read_as_one_by_one(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        path = tmp_path / "reviews.jsonl"
        rows = [decides("ann", item(number), "scratch") for number in range(40)]
        store.write(path, rows, Review, key=by_text)
        monkeypatch.setattr(store, "MAX_LINE", 700)
        assert store.read(path, Review) == sorted(rows, key=by_text)
        path.write_bytes(path.read_bytes() + b'{"item_id": "x"}\n')
        with pytest.raises(StorageError, match="line 41"):
            store.read(path, Review)

    def test_bytes_that_are_not_utf8_are_refused_by_line(self, tmp_path: Path) -> None:
        path = tmp_path / "reviews.jsonl"
        path.write_bytes(f"{GOOD_LINE}\n".encode() * 500 + b"\xff\n")
        with pytest.raises(StorageError, match="line 501: not UTF-8"):
            store.read(path, Review)

    def test_the_hint_is_the_way_back(self, tmp_path: Path) -> None:
        path = tmp_path / "reviews.jsonl"
        path.write_text("?")
        with pytest.raises(StorageError) as caught:
            store.read(path, Review)
        assert f"git checkout -- {path}" in caught.value.hint

    def test_windows_line_ends_and_a_missing_last_one_do_no_harm(self, tmp_path: Path) -> None:
        path = tmp_path / "reviews.jsonl"
        path.write_text(f"{GOOD_LINE}\r\n{GOOD_LINE}")
        assert len(store.read(path, Review)) == 2

    def test_a_number_that_json_has_no_word_for_is_not_written(self, tmp_path: Path) -> None:
        with pytest.raises(StorageError, match="not JSON compliant"):
            store.write(tmp_path / "r.jsonl", [decides("a", item(), "b", seconds=float("inf"))], Review, key=by_text)

    def test_one_record_is_one_line_whatever_its_text_holds(self, tmp_path: Path) -> None:
        path = tmp_path / "r.jsonl"
        store.write(path, [decides("a", item(), "b", note="1\n2\r3\u20284\x855")], Review, key=by_text)
        assert path.read_bytes().count(b"\n") == 1


class TestParts:
    def test_each_is_read_without_the_others(self, tmp_path: Path) -> None:
        parts = [[item(1), item(2, image="ü\u2028.png")], [], [item(3, sha256="")]]
        offsets = store.write_parts(tmp_path / "p.jsonl", iter(parts))
        found = [store.read_part(tmp_path / "p.jsonl", *ends, Item) for ends in pairwise(offsets)]
        assert found == parts
        assert store.write_parts(tmp_path / "p.jsonl", []) == [0]
