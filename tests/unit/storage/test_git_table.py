"""Tables in git: one file or a file for each category, and no row is lost between the two."""

from __future__ import annotations

import itertools
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from acbench.errors import StorageError
from acbench.records import Label, Review, item_id
from acbench.storage import git_table, tables
from acbench.storage.git_table import GitTable, Moved, part_name
from acbench.storage.project import labels_in, reviews_in

CATEGORIES = ("bottle", "cable", "pill")
REVIEW = Review(item_id="", reviewer="ada", round=1, verdict="label", labels=("dent",), when="2026-01-01T00:00:00")


def reviews(each: int, categories: Sequence[str] = CATEGORIES) -> list[Review]:
    """So many reviews of each category, sorted as a table holds them."""
    names = [item_id("toy", category, f"{category}/{number}.png") for category in categories for number in range(each)]
    return sorted((replace(REVIEW, item_id=name) for name in names), key=lambda row: row.item_id)


def label(category: str, number: int, name: str = "dent") -> Label:
    image = f"{category}/test/x/{number:03}.png"
    return Label(
        item_id=item_id("toy", category, image), image=image, labels=(name,), status="accepted", decided_by="people",
        policy="p", agreement=None, confidence=None, reason="one person said it", licence="CC0-1.0", schema_version="1",
    )  # fmt: skip


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Sets how large one file may be."""
    return lambda size: monkeypatch.setattr(git_table, "MAX_BYTES", size)


def names(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def inodes(folder: Path) -> dict[str, int]:
    """A file that is written anew has another inode."""
    return {path.name: path.stat().st_ino for path in folder.rglob("*.jsonl")}


PARTS = ["reviews/bottle.jsonl", "reviews/cable.jsonl", "reviews/pill.jsonl"]


class TestLayout:
    def test_a_small_table_is_the_one_file_that_it_always_was(self, tmp_path: Path) -> None:
        table, rows = reviews_in(tmp_path), reviews(3)
        assert table.write(reversed(rows)) == [table.file]
        tables.write(tmp_path / "as_before.jsonl", rows, Review, key=lambda row: row.item_id)
        assert table.file.read_bytes() == (tmp_path / "as_before.jsonl").read_bytes()
        assert reviews_in(tmp_path).read() == rows
        assert table.place == table.file and not table.folder.exists()

    def test_a_large_one_has_a_file_for_each_category(self, tmp_path: Path, small: Callable[[int], None]) -> None:
        table, rows = reviews_in(tmp_path), reviews(3)
        table.write(rows)
        whole = table.file.read_bytes()
        small(len(whole))
        assert table.write(rows) == [], "as large as one file may be, and as it was"
        small(len(whole) - 1)
        assert table.write(rows) == [table.folder / f"{name}.jsonl" for name in CATEGORIES]
        assert names(tmp_path) == PARTS
        assert tables.read(table.folder / "cable.jsonl", Review) == [row for row in rows if "-cable-" in row.item_id]
        assert b"".join(sorted(table.content.splitlines(keepends=True))) == b"".join(
            sorted(whole.splitlines(keepends=True))
        )
        assert reviews_in(tmp_path).read() == rows
        assert table.place == table.folder

    def test_one_decision_writes_one_file(self, tmp_path: Path, small: Callable[[int], None]) -> None:
        small(1)
        table, rows = reviews_in(tmp_path), reviews(3)
        table.write(rows)
        before, mark = inodes(tmp_path), table.mark
        more = [*rows, replace(rows[0], reviewer="bob")]
        assert table.write(more) == [table.part(rows[0].item_id)]
        after = inodes(tmp_path)
        assert [name for name in before if before[name] != after[name]] == [table.part(rows[0].item_id).name]
        assert table.mark != mark
        assert table.write(more) == [] and inodes(tmp_path) == after

    def test_it_moves_back_only_when_it_has_become_much_smaller(
        self, tmp_path: Path, small: Callable[[int], None]
    ) -> None:
        table, rows = reviews_in(tmp_path), reviews(3)
        table.write(rows)
        whole = table.file.read_bytes()
        small(len(whole) - 1)
        table.write(rows)
        small(2 * len(whole) - 1)
        table.write(rows)
        assert names(tmp_path) == PARTS, "above the half it stays as it is"
        small(2 * len(whole))
        assert table.write(rows) == [table.file]
        assert names(tmp_path) == ["reviews.jsonl"] and not table.folder.exists()
        assert table.file.read_bytes() == whole

    def test_parts_can_come_one_by_one(self, tmp_path: Path, small: Callable[[int], None]) -> None:
        """As for a benchmark that does not fit into memory: what is held is bounded."""
        rows = reviews(20)
        small(3000)
        by_part = {category: [row for row in rows if f"-{category}-" in row.item_id] for category in CATEGORIES}

        def parts(table: GitTable[Review]) -> Iterator[tuple[Path, Sequence[Review]]]:
            for number, (category, own) in enumerate(by_part.items()):
                assert len(names(tmp_path)) == number, "the one before is on disk"
                yield table.folder / f"{category}.jsonl", own

        table = reviews_in(tmp_path)
        table.write_parts(parts(table))
        assert names(tmp_path) == PARTS and table.read() == rows

    def test_labels_are_sorted_by_image_in_both(self, tmp_path: Path, small: Callable[[int], None]) -> None:
        table = labels_in(tmp_path)
        rows = [label(category, number) for category in ("screw", "Screw", "bolt") for number in range(3)]
        table.write(rows)
        expected = sorted(rows, key=lambda row: row.image)
        assert labels_in(tmp_path).read() == expected
        small(10)
        table.write(rows)
        assert names(tmp_path) == ["labels/bolt.jsonl", "labels/screw.jsonl"], "file names differ not in case alone"
        assert labels_in(tmp_path).read() == expected


class TestNames:
    @pytest.mark.parametrize(
        "category",
        ["bottle", "metal_nut", "pcb1", "a.b-c", "Metal Nut", "../../x", "/etc/passwd", "..", ".hidden", "螺丝", "a\0b",
         "x" * 300, "é", "e\u0301", "a\nb", "-rf", "", " ", "\ud800", "_"],
    )  # fmt: skip
    def test_every_category_has_a_file_in_the_folder(self, tmp_path: Path, category: str) -> None:
        name = part_name(f"toy-{category}-{'0' * 12}")
        file = tmp_path / f"{name}.jsonl"
        assert file.resolve().parent == tmp_path.resolve()
        assert not name.startswith(".") and name.isascii() and name.isprintable() and 0 < len(name) < 80
        file.write_bytes(b"")

    def test_those_that_fit_are_as_they_are(self) -> None:
        for name in ("bottle", "metal_nut", "pcb1", "a.b-c"):
            assert part_name(f"toy-{name}-{'0' * 12}") == name
        assert part_name(f"toy-PCB1-{'0' * 12}") == "pcb1"

    def test_others_are_told_apart(self) -> None:
        several = ["螺丝", "垫片", "é", "e\u0301", "a b", "a_b", "x" * 70, "x" * 71, "../x", "..\\x"]
        assert len({part_name(f"toy-{category}-{'0' * 12}") for category in several}) == len(several)

    @pytest.mark.parametrize("name", ["", "x", "../../etc/passwd", "toy-bottle-00.png", "toy-" + "0" * 12, "\0", "-"])
    def test_ids_that_nobody_made_share_a_file(self, tmp_path: Path, name: str) -> None:
        assert part_name(name) == "_"


class TestStrangers:
    def test_files_that_are_not_ours_stay(self, tmp_path: Path, small: Callable[[int], None]) -> None:
        table, rows = reviews_in(tmp_path), reviews(2)
        small(10)
        table.write(rows)
        ours = names(tmp_path)
        strange = {"notes.txt": b"mine", ".old.jsonl": b"{", "bottle.jsonl.aside": b"x", "deep/x.jsonl": b"x"}
        for name, data in strange.items():
            (table.folder / name).parent.mkdir(exist_ok=True)
            (table.folder / name).write_bytes(data)
        assert reviews_in(tmp_path).read() == rows
        table.write(rows)
        assert set(ours) < set(names(tmp_path))
        small(1_000_000)
        table.write(rows)
        assert names(tmp_path) == sorted(["reviews.jsonl", *(f"reviews/{name}" for name in strange)])
        assert {name: (table.folder / name).read_bytes() for name in strange} == strange
        assert table.read() == rows and table.place == table.file

    def test_a_copy_of_a_file_is_refused_with_what_to_type(self, tmp_path: Path, small: Callable[[int], None]) -> None:
        table, rows = reviews_in(tmp_path), reviews(2)
        small(10)
        table.write(rows)
        copy = table.folder / "bottle-old.jsonl"
        copy.write_bytes((table.folder / "bottle.jsonl").read_bytes())
        with pytest.raises(StorageError, match=r"bottle-old\.jsonl is no file of acbench: .* in bottle\.j") as told:
            table.read()
        assert f"mv {copy} {copy}.aside" in told.value.hint
        with pytest.raises(StorageError):
            table.write(rows)
        assert copy.exists()

    def test_a_damaged_file_is_named_and_stays(self, tmp_path: Path, small: Callable[[int], None]) -> None:
        table = reviews_in(tmp_path)
        small(10)
        table.write(reviews(2))
        (table.folder / "cable.jsonl").write_bytes(b'{"item_id": 3}\n')
        with pytest.raises(StorageError, match=r"cable\.jsonl, line 1: field item_id"):
            table.read()
        small(1_000_000)
        with pytest.raises(StorageError):
            table.write(reviews(2))
        assert (table.folder / "cable.jsonl").read_bytes() == b'{"item_id": 3}\n'


class TestTwoLayouts:
    def test_decisions_of_both_count(self, tmp_path: Path, small: Callable[[int], None]) -> None:
        """As a merge of a branch that moved them with one that added to the one file leaves them."""
        table, rows = reviews_in(tmp_path), reviews(3)
        table.write(rows)
        theirs = table.file.read_bytes() + tables.encoded(table.file, [replace(rows[0], reviewer="eve")], Review)
        small(10)
        mine = replace(rows[-1], reviewer="bob")
        table.write([*rows, mine])
        table.file.write_bytes(theirs)
        expected = sorted(
            [*rows, replace(rows[0], reviewer="eve"), mine], key=lambda row: (row.item_id, row.reviewer, row.round)
        )
        merged = reviews_in(tmp_path)
        assert merged.rows == expected and merged.is_mixed
        merged.write(merged.rows)
        assert not merged.is_mixed
        assert names(tmp_path) == PARTS and reviews_in(tmp_path).read() == expected

    def test_rows_that_git_merged_into_the_file_of_another_category_count(
        self, tmp_path: Path, small: Callable[[int], None]
    ) -> None:
        """It takes the one file for the first category's, renamed."""
        table, rows = reviews_in(tmp_path), reviews(3)
        small(10)
        table.write(rows)
        assert not table.is_mixed
        new, file = replace(rows[-1], reviewer="eve"), table.folder / "bottle.jsonl"
        file.write_bytes(file.read_bytes() + tables.encoded(file, [new, rows[-1]], Review))
        merged = reviews_in(tmp_path)
        assert merged.rows == [*rows[:-1], rows[-1], new] and merged.is_mixed
        merged.write(merged.rows)
        assert tables.read(file, Review) == rows[:3]
        assert reviews_in(tmp_path).read() == [*rows, new] and names(tmp_path) == PARTS

    def test_a_row_that_both_say_differently_is_there_twice(self, tmp_path: Path, small: Callable[[int], None]) -> None:
        table, rows = reviews_in(tmp_path), reviews(1)
        table.write(rows)
        one = table.file.read_bytes()
        small(10)
        table.write([replace(rows[0], labels=("scratch",)), *rows[1:]])
        table.file.write_bytes(one)
        assert [row.labels for row in reviews_in(tmp_path).read()].count(("scratch",)) == 1
        assert len(reviews_in(tmp_path).read()) == len(rows) + 1

    def test_labels_that_differ_are_refused_and_the_same_are_one(
        self, tmp_path: Path, small: Callable[[int], None]
    ) -> None:
        folder = tmp_path / "nuts"
        table, rows = labels_in(folder), [label("bolt", number) for number in range(3)]
        table.write(rows)
        one = table.file.read_bytes()
        small(10)
        table.write(rows)
        table.file.write_bytes(one)
        assert labels_in(folder).read() == rows
        table.file.write_bytes(one.replace(b'"dent"', b'"scratch"', 1))
        with pytest.raises(StorageError, match=r"two rows of toy-bolt-.* which differ") as told:
            labels_in(folder).read()
        assert str(table.file) in told.value.message and str(table.folder / "bolt.jsonl") in told.value.message
        assert "acbench relabel nuts" in told.value.hint
        assert len(labels_in(folder).read_all()) == 4
        table.write(rows)
        assert names(folder) == ["labels/bolt.jsonl"], "there is a row of each image"

    def test_a_file_with_more_than_was_written_stays(self, tmp_path: Path, small: Callable[[int], None]) -> None:
        table, rows = reviews_in(tmp_path), reviews(2)
        table.write(rows)
        small(10)
        table.write(rows[1:])
        assert table.file.exists(), "one of its rows would be gone"
        assert reviews_in(tmp_path).read() == rows

    def test_labels_of_one_item_twice_in_one_file_are_one_or_refused(self, tmp_path: Path) -> None:
        labels_in(tmp_path).write([label("bolt", 1), label("bolt", 1)])
        assert labels_in(tmp_path).read() == [label("bolt", 1)]
        table = labels_in(tmp_path)
        table.write([label("bolt", 1), label("bolt", 1, "scratch")])
        with pytest.raises(StorageError, match=r"labels\.jsonl: there are two rows of toy-bolt"):
            labels_in(tmp_path).read()


class TestOneFileAtATime:
    def test_the_rows_are_those_that_are_read(self, tmp_path: Path, small: Callable[[int], None]) -> None:
        rows = reviews(3)
        reviews_in(tmp_path / "one").write(rows)
        assert list(reviews_in(tmp_path / "one").each()) == rows
        small(10)
        reviews_in(tmp_path / "parts").write(rows)
        assert list(reviews_in(tmp_path / "parts").each()) == rows
        assert list(reviews_in(tmp_path / "none").each()) == []

    def test_what_only_all_files_together_tell_is_left_to_read(
        self, tmp_path: Path, small: Callable[[int], None]
    ) -> None:
        table, rows = reviews_in(tmp_path), reviews(2)
        small(10)
        table.write(rows)
        file = table.folder / "cable.jsonl"
        before = file.read_bytes()
        file.write_bytes(tables.encoded(file, rows[-1:], Review) + before)
        with pytest.raises(Moved, match="cable"):
            list(table.each())
        file.write_bytes(before)
        table.file.write_bytes(before)
        with pytest.raises(Moved):
            list(table.each())
        table.file.unlink()
        each = table.each()
        next(each)
        (table.folder / "pill.jsonl").unlink()
        with pytest.raises(Moved, match="another process"):
            list(each)

    def test_rows_that_are_not_in_order_are_left_to_read(self, tmp_path: Path) -> None:
        table = labels_in(tmp_path)
        rows = [label("nut", 2), label("nut", 1)]
        table.file.write_bytes(tables.encoded(table.file, rows, Label))
        with pytest.raises(Moved):
            list(table.each())
        assert sorted(table.read(), key=table.order) == rows[::-1]

    def test_labels_that_differ_are_refused(self, tmp_path: Path, small: Callable[[int], None]) -> None:
        table = labels_in(tmp_path)
        small(10)
        table.write([label("bolt", 1), label("bolt", 1), label("nut", 1)])
        assert list(table.each()) == [label("bolt", 1), label("nut", 1)]
        table.write([label("bolt", 1), label("bolt", 1, "scratch")])
        with pytest.raises(StorageError, match=r"bolt\.jsonl: there are two rows of toy-bolt"):
            list(table.each())


class TestKilled:
    """Whenever a write ends, by a kill, each row can be read, and the next write brings the same end."""

    @pytest.fixture
    def steps(self, monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
        """Ends the process, as it were, right before a step: a file is put in its place or removed."""

        class Killed(BaseException):
            pass

        def die_at(step: int) -> None:
            count = itertools.count(1)

            def dying(function: Callable[..., Any]) -> Callable[..., Any]:
                def call(*arguments: Any, **options: Any) -> Any:
                    is_tidying = function is not REAL["replace"] and ".part" in str(arguments[0])
                    if step and not is_tidying and next(count) == step:
                        raise Killed
                    return function(*arguments, **options)

                return call

            for name, function in REAL.items():
                monkeypatch.setattr(os, name, dying(function))

        self.killed = Killed
        return die_at

    @pytest.mark.parametrize("change", ["split", "join", "split and add", "join and add"])
    def test_at_each_step(
        self, tmp_path: Path, small: Callable[[int], None], steps: Callable[[int], None], change: str
    ) -> None:
        rows = reviews(3)
        after = [*rows, *(replace(row, reviewer="bob") for row in rows)] if "add" in change else rows
        first, second = (10, 10**6) if "join" in change else (10**6, 10)
        for step in range(1, 100):
            steps(0)
            folder = tmp_path / str(step)
            table = reviews_in(folder)
            small(first)
            table.write(rows)
            small(second)
            steps(step)
            try:
                table.write(after)
            except self.killed:
                ended = False
            else:
                ended = True
            steps(0)
            found = reviews_in(folder).read()
            assert set(rows) <= set(found) <= set(after) and len(found) == len(set(found))
            again = reviews_in(folder)
            again.write(after)
            assert names(folder) == (["reviews.jsonl"] if "join" in change else PARTS)
            assert set(reviews_in(folder).read()) == set(after)
            assert sum(1 for _ in again.content.splitlines()) == len(after)
            if ended:
                break
        assert step > (5 if "join" in change else 4)


REAL = {name: getattr(os, name) for name in ("replace", "unlink", "rmdir")}


def test_it_can_be_read_while_another_moves_it(tmp_path: Path, small: Callable[[int], None]) -> None:
    rows = reviews(2)
    table = reviews_in(tmp_path)
    table.write(rows)
    done = threading.Event()

    def move() -> None:
        while not done.is_set():
            small(10)
            table.write(rows)
            small(10**6)
            table.write(rows)

    thread = threading.Thread(target=move)
    thread.start()
    try:
        for _ in range(300):
            assert reviews_in(tmp_path).read() == rows
    finally:
        done.set()
        thread.join()
