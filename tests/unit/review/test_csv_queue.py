"""A queue that people fill in with any program, and strictly back: all of it or nothing."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from acbench.errors import ReviewError
from acbench.records import Item, Review
from acbench.review.csv_queue import COLUMNS, TakeCounts, queue_csv, take, unsaved
from acbench.review.history import ReviewLog
from acbench.review.resolve import machine_labels
from acbench.review.wording import in_words
from acbench.storage.csv_files import MAX_BYTES
from tests.support.records import BOTTLE, MVTEC_AC, decides, item, ranked_by, says

ITEMS = {each.item_id: each for each in (item(number) for number in range(3))}
FIRST, SECOND, THIRD = ITEMS
Row = dict[str, str]


def queue(items: dict[str, Item] = ITEMS, why: str = "cannot tell") -> bytes:
    proposals = {each: [says(items[each], "source_label", reason=why)] for each in items}
    labels = machine_labels(list(items.values()), proposals, MVTEC_AC)
    ranked = ranked_by(list(items.values()), proposals, MVTEC_AC)
    return queue_csv(ranked, items, proposals, labels, MVTEC_AC, {SECOND: "not drawn yet: acbench …"})


def rows_of(data: bytes) -> list[Row]:
    return list(csv.DictReader(io.StringIO(data.decode("utf-8-sig"), newline="")))


def filled(answers: dict[str, str], **more: str) -> list[Row]:
    return [row | {"label": answers.get(row["item_id"], "")} | more for row in rows_of(queue())]


def saved(path: Path, rows: list[Row], *, encoding: str = "utf-8", **dialect: str) -> Path:
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, list(rows[0]), **dialect)  # type: ignore[arg-type]
    writer.writeheader()
    writer.writerows(rows)
    path.write_bytes(out.getvalue().encode(encoding))
    return path


@pytest.fixture
def file(tmp_path: Path) -> Callable[[str], Path]:
    """A file of the columns that are needed, from the text of its rows."""

    def write(rows: str) -> Path:
        path = tmp_path / "answers.csv"
        path.write_text("item_id,label,reviewer,note\n" + rows, encoding="utf-8", newline="")
        return path

    return write


@dataclass
class Taken:
    """All reviews after a file was taken, and what was counted."""

    reviews: list[Review]
    counts: TakeCounts


def taken(path: Path, earlier: list[Review] | None = None, reviewer: str | None = "ann") -> Taken:
    log = ReviewLog(ITEMS, MVTEC_AC, earlier or [])
    counts = take(path, log, reviewer=reviewer)
    return Taken(log.reviews, counts)


def refused(path: Path, reviewer: str | None = "ann") -> str:
    with pytest.raises(ReviewError) as caught:
        taken(path, reviewer=reviewer)
    assert caught.value.hint
    return caught.value.message


class TestQueue:
    def test_it_has_one_row_an_item_with_all_that_is_needed_to_decide(self) -> None:
        rows = rows_of(queue())
        assert [row["item_id"] for row in rows] == [FIRST, SECOND, THIRD]
        assert tuple(rows[0]) == COLUMNS
        assert rows[0]["classes"] == "good, broken_large, broken_small, contamination"
        assert rows[0]["evidence"] == f"evidence/{FIRST}.jpg"
        assert rows[1]["evidence"] == "not drawn yet: acbench …"
        assert rows[0]["proposals"] == "source_label: – (cannot tell)"
        assert (rows[0]["label"], rows[0]["note"], rows[0]["reviewer"]) == ("", "", "")

    def test_it_opens_as_unicode_everywhere(self) -> None:
        assert queue().startswith(b"\xef\xbb\xbf")

    @pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t"])
    def test_no_cell_is_a_formula(self, start: str) -> None:
        evil = item(image=f'{start}HYPERLINK("http://x","y")', label=f"{start}1+1")
        cells = [cell for row in rows_of(queue({evil.item_id: evil})) for cell in row.values()]
        assert f'\'{start}HYPERLINK("http://x","y")' in cells
        assert not any(cell.startswith(start) for cell in cells)

    @pytest.mark.parametrize("end", ["\n", "\r", "\r\n"])
    def test_a_line_end_within_a_cell_does_not_end_the_row(self, end: str) -> None:
        rows = rows_of(queue(why=f"this{end}or that"))
        assert [row["item_id"] for row in rows] == [FIRST, SECOND, THIRD]

    def test_a_proposal_is_told_with_its_probability(self) -> None:
        scores = {"contamination": 0.875, "broken_small": 0.125}
        assert in_words(says(ITEMS[FIRST], "clip", "contamination", scores=scores)) == "clip: contamination 0.88"
        assert in_words(says(ITEMS[FIRST], "table", "a", "b")) == "table: a + b"
        assert in_words(says(ITEMS[FIRST], "table", "a", "b"), {"a": "Dent"}) == "table: Dent + b"


class TestRoundTrip:
    @pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
    @pytest.mark.parametrize("delimiter", [",", ";", "\t"])
    @pytest.mark.parametrize("lineterminator", ["\n", "\r\n"])
    def test_any_program_may_save_it(self, tmp_path: Path, encoding: str, delimiter: str, lineterminator: str) -> None:
        rows = filled({FIRST: "contamination", THIRD: "bad_mask"}, note='a "thread", or\ntwo; who knows: 🧵')
        path = saved(tmp_path / "q", rows, encoding=encoding, delimiter=delimiter, lineterminator=lineterminator)
        found = taken(path)
        assert found.counts == TakeCounts(new=2, empty=1)
        assert [(each.item_id, each.verdict, each.labels) for each in found.reviews] == [
            (FIRST, "label", ("contamination",)),
            (THIRD, "bad_mask", ()),
        ]
        assert {each.note for each in found.reviews} == {'a "thread", or\ntwo; who knows: 🧵'}

    def test_untouched_it_decides_nothing(self, tmp_path: Path) -> None:
        (tmp_path / "q").write_bytes(queue())
        assert taken(tmp_path / "q").counts == TakeCounts(empty=3)

    def test_columns_that_a_program_or_person_adds_do_no_harm(self, tmp_path: Path) -> None:
        rows = [row | {"": "", "mine": "x"} for row in filled({FIRST: "good"})]
        assert taken(saved(tmp_path / "q", rows)).counts.new == 1

    def test_a_review_knows_who_when_where_and_what_was_in_sight(self, file: Callable[[str], Path]) -> None:
        shown = {FIRST: ("clip@1",)}
        path = file(f"{FIRST},good,bob,\n{SECOND},good,,\n")
        log = ReviewLog(ITEMS, MVTEC_AC, [])
        take(path, log, reviewer="ann", shown=shown)
        bob, ann = log.added
        assert (bob.reviewer, bob.shown, bob.desk, bob.round) == ("bob", ("clip@1",), "csv", 1)
        assert (ann.reviewer, ann.shown, ann.schema_version) == ("ann", (), MVTEC_AC.version)
        assert bob.when.endswith("+00:00") and "T" in bob.when

    @pytest.mark.parametrize(
        ("cell", "labels"),
        [
            ("contamination", ["contamination"]),
            (" Contamination ", ["contamination"]),
            ("Large breakage", ["broken_large"]),
            ("broken_small + contamination", ["broken_small", "contamination"]),
            ("contamination;Small breakage", ["broken_small", "contamination"]),
            ("contamination, contamination", ["contamination"]),
            ("normal", ["good"]),
        ],
    )
    def test_ids_names_and_aliases_are_understood(
        self, file: Callable[[str], Path], cell: str, labels: list[str]
    ) -> None:
        (review,) = taken(file(f'{FIRST},"{cell}",,\n')).reviews
        assert (review.verdict, review.labels) == ("label", tuple(labels))

    @pytest.mark.parametrize("cell", ["unsure", "Bad image", "bad_mask", "BAD-MASK"])
    def test_verdicts_are_understood(self, file: Callable[[str], Path], cell: str) -> None:
        (review,) = taken(file(f"{FIRST},{cell},,\n")).reviews
        assert (review.verdict, review.labels) == (cell.lower().replace(" ", "_").replace("-", "_"), ())


class TestAgain:
    def test_taking_the_same_file_twice_changes_nothing(self, file: Callable[[str], Path]) -> None:
        path = file(f"{FIRST},good,,\n{SECOND},contamination,bob,a note\n")
        once = taken(path)
        again = taken(path, once.reviews)
        assert again.reviews == once.reviews
        assert again.counts == TakeCounts(same=2)

    def test_another_answer_is_a_new_round_and_the_old_one_stays(self, file: Callable[[str], Path]) -> None:
        reviews = taken(file(f"{FIRST},good,,\n")).reviews
        reviews = taken(file(f"{FIRST},contamination,,\n"), reviews).reviews
        reviews = taken(file(f"{FIRST},good,,\n"), reviews).reviews
        decisions = [(each.round, *each.labels) for each in reviews]
        assert decisions == [(1, "good"), (2, "contamination"), (3, "good")]

    def test_another_note_is_another_answer(self, file: Callable[[str], Path]) -> None:
        reviews = taken(file(f"{FIRST},good,,\n")).reviews
        assert taken(file(f"{FIRST},good,,sure\n"), reviews).counts.changed == 1

    def test_another_reviewer_has_rounds_of_their_own(self, file: Callable[[str], Path]) -> None:
        path = file(f"{FIRST},good,,\n")
        assert [each.round for each in taken(path, taken(path).reviews, "bob").reviews] == [1, 1]


class TestRefusals:
    @pytest.mark.parametrize(
        ("rows", "why"),
        [
            ("nothing,good,,\n", "line 2: no item 'nothing' in this benchmark"),
            (f"{FIRST},contaminatio,,\n", "line 2: 'contaminatio' is no class of bottle (good, broken_large"),
            (f"{FIRST},broken,,\n", "line 2: 'broken' is no class of bottle"),
            (f"{FIRST},=1+1,,\n", "line 2: '=1', '1' is no class"),
            (f"{FIRST},?,,\n", "line 2: '?' is no class"),
            (f"{FIRST},+,,\n", "line 2: '+' is no class"),
            (f"{FIRST},unsure + contamination,,\n", "line 2: 'unsure' is no class"),
            (f"{FIRST},good + contamination,,\n", "line 2: contamination and good do not go together"),
            (f"{FIRST},good,,\n\n{FIRST},contamination,,\n", f"line 4: {FIRST} is decided by ann on line 2 already"),
            (f"{FIRST},good\n", "line 2: not as many cells as the header"),
            (f"{FIRST},good,,,\n", "line 2: not as many cells as the header"),
            (f'{FIRST},"go"od,,\n', "line 2: not CSV"),
            (f'{FIRST},"good,,\n\n', "line 2: not CSV: unexpected end"),
            (f"{FIRST},good,,{'x' * 10_001}\n", "line 2: a cell is over 10000 characters"),
            (f"{FIRST},good,,{'x' * 200_000}\n", "line 2: not CSV: field larger than field limit"),
            (f"{FIRST},good,,\0\n", "is not a text file"),
        ],
        ids=lambda value: value[:30],
    )
    def test_a_row_that_cannot_be_right_is_named(self, file: Callable[[str], Path], rows: str, why: str) -> None:
        assert why in refused(file(rows))

    def test_nothing_is_taken_and_every_bad_line_is_listed(self, file: Callable[[str], Path]) -> None:
        path = file(f"{FIRST},good,,\n{SECOND},dust,,\nx,good,,\n")
        log = ReviewLog(ITEMS, MVTEC_AC, [])
        with pytest.raises(ReviewError):
            take(path, log, reviewer="ann")
        assert log.reviews == []
        message = refused(path)
        assert "2 rows cannot be taken, so none was" in message
        assert "line 3: 'dust'" in message and "line 4: no item 'x'" in message

    def test_a_long_list_is_cut(self, file: Callable[[str], Path]) -> None:
        message = refused(file("".join(f"x{number},good,,\n" for number in range(30))))
        assert message.count("\n") == 21 and message.endswith("and 10 more")

    def test_somebody_has_to_answer_for_it(self, file: Callable[[str], Path]) -> None:
        path = file(f"{FIRST},good,,\n")
        assert "line 2: nobody is named as reviewer" in refused(path, reviewer=None)
        with pytest.raises(ReviewError, match="--reviewer NAME"):
            taken(path, reviewer=None)

    @pytest.mark.parametrize(
        ("header", "why"),
        [("item_id,note", "no column label"), ("", "it has none"), ("item_id,label,label", "the column label twice")],
    )
    def test_a_header_that_was_changed_is_refused(self, tmp_path: Path, header: str, why: str) -> None:
        (tmp_path / "q").write_text(header)
        assert why in refused(tmp_path / "q")

    def test_empty_columns_beside_the_table_are_left_alone(self, tmp_path: Path) -> None:
        (tmp_path / "q").write_text(f"item_id;label;reviewer;;\n{FIRST};good;ann;;\n")
        assert [each.item_id for each in taken(tmp_path / "q").reviews] == [FIRST]

    @pytest.mark.parametrize("encoding", ["cp1252", "utf-16"])
    def test_a_file_that_is_not_utf8_is_refused(self, tmp_path: Path, encoding: str) -> None:
        path = saved(tmp_path / "q", filled({FIRST: "good"}, note="größer"), encoding=encoding)
        assert "not UTF-8" in refused(path)

    def test_a_file_that_is_not_there_or_too_large_is_refused(self, tmp_path: Path) -> None:
        assert "does not exist" in refused(tmp_path / "none")
        with (tmp_path / "large").open("wb") as large:
            large.truncate(MAX_BYTES + 1)
        assert "larger than 64 MiB" in refused(tmp_path / "large")

    def test_a_class_of_another_category_is_no_class_here(self, file: Callable[[str], Path]) -> None:
        screw = MVTEC_AC.categories["screw"].class_ids[0]
        assert screw not in BOTTLE.class_ids
        assert f"'{screw}' is no class of bottle" in refused(file(f"{FIRST},{screw},,\n"))


class TestUnsaved:
    @pytest.mark.parametrize(
        ("row", "count"),
        [
            (f"{FIRST},good,ann,", 0),
            (f"{FIRST},good,,", 0),
            (f"{FIRST},,,", 0),
            (f"{FIRST},contamination,ann,", 1),
            (f"{FIRST},dust,ann,", 1),
            (f"{FIRST},good,ann,a thought", 1),
            (f"{FIRST},good,bob,", 1),
            (f"{SECOND},good,ann,", 1),
            ("stranger,good,ann,", 1),
            ('"', 1),
        ],
    )
    def test_an_answer_that_no_review_holds_is_counted(self, file: Callable[[str], Path], row: str, count: int) -> None:
        reviews = [decides("ann", ITEMS[FIRST], "contamination"), decides("ann", ITEMS[FIRST], "good", round=2)]
        assert unsaved(file(row + "\n"), ITEMS, MVTEC_AC, reviews) == count

    def test_once_taken_nothing_is_unsaved(self, file: Callable[[str], Path]) -> None:
        path = file(f"{FIRST},good,,\n{SECOND},bad image,bob,torn\n")
        assert unsaved(path, ITEMS, MVTEC_AC, []) == 2
        assert unsaved(path, ITEMS, MVTEC_AC, taken(path).reviews) == 0
