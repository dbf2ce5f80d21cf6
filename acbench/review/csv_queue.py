"""The review queue as a CSV file that people fill in with any editor, and the way back, strictly."""

from __future__ import annotations

import csv
import io
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from acbench.errors import ReviewError, TableError
from acbench.records import GOOD, JOIN, Item, Label, Proposal, Review, Verdict, is_contradictory, label_set, short_name
from acbench.review.queue import RankedItem, by_item
from acbench.review.resolve import current_reviews
from acbench.schema import Category, Schema, fold
from acbench.storage.csv_files import CsvRow, names_in, read_csv

COLUMNS = ("rank", "item_id", "image", "why", "detail", "source", "proposals", "current", "classes", "evidence",
           "label", "note", "reviewer")  # fmt: skip
NEEDED = ("item_id", "label")
VERDICTS: tuple[Verdict, ...] = ("unsure", "bad_image", "bad_mask")


def queue_csv(
    ranked: Sequence[RankedItem],
    items: Mapping[str, Item],
    proposals: Mapping[str, Sequence[Proposal]],
    labels: Mapping[str, Label],
    schema: Schema,
    evidence: Mapping[str, str],
) -> bytes:
    """The queue as UTF-8 CSV; `evidence` gives the path of each item's picture. Columns `label`, `note` and
    `reviewer` are for people."""
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, COLUMNS, lineterminator="\n")
    writer.writeheader()
    for each in ranked:
        item = items[each.item_id]
        category = schema.category(item.category)
        row = {
            "rank": each.rank,
            "item_id": each.item_id,
            "image": item.image,
            "why": each.why,
            "detail": each.detail,
            "source": ", ".join(item.source_labels),
            "proposals": "; ".join(says(proposal) for proposal in proposals.get(each.item_id, ())),
            "current": JOIN.join(labels[each.item_id].labels),
            "classes": ", ".join([GOOD, *(category.class_ids if category else ())]),
            "evidence": evidence.get(each.item_id, ""),
            "label": "",
            "note": "",
            "reviewer": "",
        }
        writer.writerow({name: _inert(value) for name, value in row.items()})
    return out.getvalue().encode("utf-8-sig")


def says(proposal: Proposal) -> str:
    """One proposal in a few words."""
    name = short_name(proposal.proposer)
    if proposal.status != "ok":
        return f"{name}: – ({proposal.reason})"
    share = proposal.scores.get(proposal.labels[0]) if len(proposal.labels) == 1 else None
    return f"{name}: {JOIN.join(proposal.labels)}" + (f" {share:.2f}" if share is not None else "")


def in_sight(proposals: Mapping[str, Sequence[Proposal]]) -> dict[str, tuple[str, ...]]:
    """item_id → the proposers whose answers a reviewer of the queue sees."""
    return {
        item: tuple(sorted(each.proposer for each in answers if each.status == "ok"))
        for item, answers in proposals.items()
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class TakeResult:
    """What came of reading a file of decisions."""

    reviews: list[Review]
    """All reviews: the old ones and the new ones."""
    counts: dict[str, int]
    """`new`, `changed`, `same` (there already) decisions, and `empty` rows."""


def take(
    path: Path,
    items: Mapping[str, Item],
    schema: Schema,
    earlier: Sequence[Review],
    *,
    reviewer: str | None = None,
    shown: Mapping[str, tuple[str, ...]] | None = None,
) -> TakeResult:
    """Read decisions from a filled-in queue: all of them, or none and a ReviewError that lists what is wrong.

    A cell `label` holds class ids or names joined by ` + `, or `unsure`, `bad_image`, `bad_mask`; an empty one is no
    decision. `when` is the time at which the file was saved. A decision that differs from the reviewer's last one is
    added as a new round; the old row stays.
    """
    shown = shown or {}
    rows = _rows(path)
    when = datetime.fromtimestamp(int(path.stat().st_mtime), UTC).isoformat()
    problems: list[str] = []
    decided: dict[tuple[str, str], int] = {}
    last: defaultdict[tuple[str, str], list[Review]] = defaultdict(list)
    for review in earlier:
        last[review.item_id, review.reviewer].append(review)
    added: list[Review] = []
    counts = {"new": 0, "changed": 0, "same": 0, "empty": 0}
    for line, row in rows:
        cell = row["label"].strip()
        if not cell:
            counts["empty"] += 1
            continue
        item = items.get(row["item_id"].strip())
        if item is None:
            problems.append(f"line {line}: no item {row['item_id']!r} in this benchmark")
            continue
        category = schema.category(item.category)
        who = row.get("reviewer", "").strip() or (reviewer or "")
        if not who:
            problems.append(f"line {line}: nobody is named as reviewer")
            continue
        verdict, labels, wrong = _decision(cell, category)
        if wrong:
            problems.append(f"line {line}: {wrong}")
            continue
        if (item.item_id, who) in decided:
            problems.append(
                f"line {line}: {item.item_id} is decided by {who} on line {decided[item.item_id, who]} already"
            )
            continue
        decided[item.item_id, who] = line
        history = sorted(last[item.item_id, who], key=lambda each: each.round)
        review = Review(
            item_id=item.item_id,
            reviewer=who,
            round=history[-1].round + 1 if history else 1,
            verdict=verdict,
            labels=labels,
            note=row.get("note", "").strip(),
            shown=shown.get(item.item_id, ()),
            when=when,
            desk="csv",
            schema_version=schema.version,
        )
        if history and _same(history[-1], review):
            counts["same"] += 1
        else:
            counts["changed" if history else "new"] += 1
            added.append(review)
    if problems:
        listed = "\n".join(f"  {problem}" for problem in problems[:20])
        more = f"\n  and {len(problems) - 20} more" if len(problems) > 20 else ""
        name_it = any("reviewer" in problem for problem in problems)
        raise ReviewError(
            f"{path}: {len(problems)} rows cannot be taken, so none was:\n{listed}{more}",
            "give --reviewer NAME, or fill in the column `reviewer`" if name_it else "mend these lines and run again",
        )
    return TakeResult(reviews=[*earlier, *added], counts=counts)


def unsaved(path: Path, items: Mapping[str, Item], schema: Schema, reviews: Sequence[Review]) -> int:
    """How many answers a filled-in queue holds that no reviewer's latest decision is; 1 if it cannot be read.

    An answer without a reviewer may be anybody's.
    """
    known: set[tuple[str, str, Verdict, tuple[str, ...], str]] = set()
    for history in by_item(reviews).values():
        for each in current_reviews(history):
            known |= {(each.item_id, who, each.verdict, each.labels, each.note) for who in (each.reviewer, "")}
    try:
        rows = _rows(path)
    except ReviewError:
        return 1
    count = 0
    for _, row in rows:
        cell, name = row["label"].strip(), row["item_id"].strip()
        item = items.get(name)
        if cell:
            verdict, labels, wrong = _decision(cell, schema.category(item.category) if item else None)
            who, note = (row.get(column, "").strip() for column in ("reviewer", "note"))
            count += bool(wrong) or (name, who, verdict, labels, note) not in known
    return count


def _decision(cell: str, category: Category | None) -> tuple[Verdict, tuple[str, ...], str]:
    """The verdict and class ids of one cell, or what is wrong with it."""
    for verdict in VERDICTS:
        if fold(cell) == fold(verdict):
            return verdict, (), ""
    if category is None:
        return "unsure", (), "its category is not in the schema"
    parsed = {name: category.parse(name) for name in names_in(cell, typed=True)}
    unknown = [name for name, found in parsed.items() if found is None]
    if unknown or not parsed:
        said = ", ".join(map(repr, unknown)) or repr(cell)
        return (
            "unsure",
            (),
            f"{said[:200]} is no class of {category.key} ({', '.join([GOOD, *category.class_ids])})",
        )
    labels = label_set(found for found in parsed.values() if found)
    if is_contradictory(labels):
        return "unsure", (), f"{GOOD} does not go with a defect"
    return "label", labels, ""


def _same(one: Review, other: Review) -> bool:
    def decision(review: Review) -> Any:
        return replace(review, round=0, when="", shown=(), seconds=None, desk="", schema_version="")

    return bool(decision(one) == decision(other))


def _rows(path: Path) -> list[CsvRow]:
    try:
        return read_csv(path, NEEDED)
    except TableError as error:
        raise ReviewError(error.message, error.hint) from None


def _inert(value: object) -> str:
    """A cell that no spreadsheet program runs as a formula; without `\\r`, which the csv module forgets to quote."""
    text = str(value).replace("\r", " ")
    return f"'{text}" if text[:1] in {"=", "+", "-", "@", "\t"} else text
