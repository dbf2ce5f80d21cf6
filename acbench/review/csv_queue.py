"""The review queue as a CSV file that people fill in with any editor, and the way back."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from acbench.errors import ReviewError, TableError
from acbench.records import JOIN, Item, Label, Proposal, Review
from acbench.review.decisions import (
    Decision,
    DecisionError,
    choices,
    clean_note,
    read_typed,
    refusal,
    reviewer_name,
)
from acbench.review.former import as_read
from acbench.review.history import ReviewLog, Statement, by_item, current_reviews
from acbench.review.queue import RankedItem
from acbench.review.wording import in_words
from acbench.schema import Schema
from acbench.storage.csv_files import CsvRow, read_csv
from acbench.storage.stored_rows import some

COLUMNS = ("rank", "item_id", "image", "why", "detail", "source", "proposals", "current", "classes", "evidence",
           "label", "note", "reviewer")  # fmt: skip
"""The last three are for people to fill in."""
NEEDED = ("item_id", "label")
"""Columns without which nothing is read."""
EVIDENCE = "evidence"
"""Folder of the evidence pictures, beside the file."""


# Writing


def queue_csv(
    waiting: Sequence[RankedItem],
    items: Mapping[str, Item],
    proposals: Mapping[str, Sequence[Proposal]],
    labels: Mapping[str, Label],
    schema: Schema,
    undrawn: Mapping[str, str],
) -> bytes:
    """The queue as UTF-8 CSV. `items`, `proposals` and `labels` are keyed by item_id.

    `undrawn`: item_id → what stands in place of its evidence picture, for images that have none yet.
    """
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, COLUMNS, lineterminator="\n", restval="")
    writer.writeheader()
    for row in waiting:
        item = items[row.item_id]
        cells = {
            "rank": row.rank,
            "item_id": row.item_id,
            "image": item.image,
            "why": row.why,
            "detail": row.detail,
            "source": ", ".join(item.source_labels),
            "proposals": "; ".join(map(in_words, proposals.get(row.item_id, ()))),
            "current": JOIN.join(labels[row.item_id].labels),
            "classes": ", ".join(choices(schema.category(item.category))),
            "evidence": undrawn.get(row.item_id, f"{EVIDENCE}/{row.item_id}.jpg"),
        }
        writer.writerow({name: inert(value) for name, value in cells.items()})
    return out.getvalue().encode("utf-8-sig")


def inert(value: object) -> str:
    """A cell that no spreadsheet program runs as a formula; without `\\r`, which the csv module forgets to quote."""
    text = str(value).replace("\r", " ")
    return f"'{text}" if text[:1] in {"=", "+", "-", "@", "\t"} else text


# Reading


@dataclass(slots=True, kw_only=True)
class TakeCounts:
    """How many rows of a filled-in queue were of each kind."""

    new: int = 0
    """First decisions of their reviewers."""
    changed: int = 0
    """Decisions that differ from the reviewer's last one."""
    same: int = 0
    """Decisions that are known already."""
    empty: int = 0
    """Rows without a decision."""


@dataclass(frozen=True, slots=True)
class _Answer:
    """What one row says."""

    line: int
    """Line of the file, from 1."""
    item: Item
    reviewer: str
    decision: Decision


class _BadRow(Exception):
    """Why a row cannot be taken."""


def take(
    path: Path,
    log: ReviewLog,
    *,
    reviewer: str | None = None,
    shown: Mapping[str, tuple[str, ...]] | None = None,
) -> TakeCounts:
    """Add the decisions of a filled-in queue to the log: all of them, or none.

    A cell `label` holds ids or names of classes joined by ` + `, or a verdict; an empty cell is no decision. A decision
    that differs from the reviewer's last one becomes a new round; the old row stays. The time of a decision is the time
    at which the file was saved. `reviewer`: who decided where the file does not say. `shown`: item_id → the proposers
    whose answers the reviewer saw.

    Raises ReviewError, with the wrong lines, for a file that cannot be taken.
    """
    rows = _rows(path)
    filled = [row for row in rows if row.cells["label"].strip()]
    answers = _answers(path, filled, log, reviewer)
    counts = TakeCounts(empty=len(rows) - len(filled))
    when = datetime.fromtimestamp(int(path.stat().st_mtime), UTC).isoformat()
    seen = some(shown or {}, {answer.item.item_id for answer in answers})
    for answer in answers:
        before = log.of_reviewer(answer.item.item_id, answer.reviewer)
        last = as_read(before[-1], log.category(answer.item)) if before else None
        if last is not None and Decision.of(last) == answer.decision:
            counts.same += 1
            continue
        if before:
            counts.changed += 1
        else:
            counts.new += 1
        item_id = answer.item.item_id
        proposers = seen.get(item_id, ())
        log.add(
            Statement(
                item_id=item_id,
                reviewer=answer.reviewer,
                decision=answer.decision,
                shown=proposers,
                sight="seen" if proposers else "none",
                when=when,
                desk="csv",
            )
        )
    return counts


def unsaved(path: Path, items: Mapping[str, Item], schema: Schema, reviews: Sequence[Review]) -> int:
    """How many answers of a filled-in queue are not the latest decision of a reviewer; 1 if it cannot be read.

    An answer without a reviewer may be anybody's.
    """
    known: set[tuple[str, str, Decision]] = set()
    for history in by_item(reviews).values():
        for review in current_reviews(history):
            known |= {(review.item_id, name, Decision.of(review)) for name in (review.reviewer, "")}
    try:
        rows = _rows(path)
    except ReviewError:
        return 1
    count = 0
    asked = some(items, {row.cells["item_id"].strip() for row in rows if row.cells["label"].strip()})
    for row in rows:
        cells = row.cells
        if cells["label"].strip():
            item_id, reviewer = cells["item_id"].strip(), cells.get("reviewer", "").strip()
            item = asked.get(item_id)
            try:
                decision = _decision(cells, item, schema)
            except DecisionError:
                count += 1
            else:
                count += (item_id, reviewer, decision) not in known
    return count


def _answers(path: Path, rows: Sequence[CsvRow], log: ReviewLog, reviewer: str | None) -> list[_Answer]:
    """What all rows say. Raises ReviewError if one of them cannot be taken."""
    answers: dict[tuple[str, str], _Answer] = {}
    problems: list[str] = []
    items = some(log.items, {row.cells["item_id"].strip() for row in rows})
    for row in rows:
        try:
            answer = _answer(row, items, log.schema, reviewer)
            key = answer.item.item_id, answer.reviewer
            if key in answers:
                raise _BadRow(f"{key[0]} is decided by {key[1]} on line {answers[key].line} already")
            answers[key] = answer
        except (_BadRow, DecisionError) as error:
            problems.append(f"line {row.line}: {error}")
    if problems:
        hint = "mend these lines and run again"
        if any(_NAMELESS in problem for problem in problems):
            hint = "give --reviewer NAME, or fill in the column `reviewer`"
        raise refusal(f"{path}: {len(problems)} rows", problems, hint)
    return list(answers.values())


_NAMELESS = "nobody is named as reviewer"


def _answer(row: CsvRow, items: Mapping[str, Item], schema: Schema, reviewer: str | None) -> _Answer:
    """What one row says. Raises _BadRow or DecisionError."""
    item_id = row.cells["item_id"]
    item = items.get(item_id.strip())
    if item is None:
        raise _BadRow(f"no item {item_id[:200]!r} in this benchmark")
    name = row.cells.get("reviewer", "").strip() or reviewer
    if not name:
        raise _BadRow(_NAMELESS)
    return _Answer(row.line, item, reviewer_name(name), _decision(row.cells, item, schema))


def _decision(cells: Mapping[str, str], item: Item | None, schema: Schema) -> Decision:
    decision = read_typed(cells["label"].strip(), schema.category(item.category) if item else None)
    return replace(decision, note=clean_note(cells.get("note", "")))


def _rows(path: Path) -> list[CsvRow]:
    try:
        return read_csv(path, NEEDED)
    except TableError as error:
        raise ReviewError(error.message, error.hint) from None
