"""Reads what people decided, and stops where some of it is gone: a file that lost rows says nothing of what it held.

The workspace keeps a copy of the reviews as the last run found them, and `labels.jsonl` says which labels people
decided. Both have to be explained by `reviews.jsonl` as it is now.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence
from pathlib import Path

from acbench.errors import ReviewError, StorageError
from acbench.records import JOIN, PEOPLE, Label, Review
from acbench.review.annotation_tool import MAX_ROUND
from acbench.review.history import rows_that_differ
from acbench.storage import tables
from acbench.storage.atomic import write_bytes
from acbench.storage.digests import sha256_file
from acbench.workflows.run import Run

LISTED = 5
"""How many lost decisions a message names."""


def kept_reviews(run: Run) -> list[Review]:
    """Everything that people decided.

    Raises ReviewError where decisions are gone that the last run or `labels.jsonl` knew, with what they were and how to
    get them back; StorageError for a damaged file.
    """
    copy = _newest_copy(run)
    try:
        reviews = run.reviews.rows
    except StorageError as error:
        if copy is None:
            raise
        back = f"{error.hint}\n    or take the copy of the last run: {_restore(run, copy, damaged=True)}"
        raise StorageError(error.message, back) from None
    if copy is not None and copy == run.files.reviews_copy(_mark(run)):
        return reviews  # as the last run found them
    _refuse_rounds(run, reviews)
    if copy is not None:
        _refuse_lost_rows(run, reviews, copy)
    if copy is None or not all(map(run.build.is_untouched, run.files.labels.paths)):
        _refuse_lost_labels(run, reviews)
    return reviews


def keep_copy(run: Run) -> None:
    """Keep a copy of the reviews, once there are any, with its hash in its name."""
    if not run.reviews.rows:
        return
    copy = run.files.reviews_copy(_mark(run))
    if not copy.exists():
        write_bytes(copy, run.reviews.content)
    for other in run.files.reviews_copies:
        if other != copy:
            other.unlink()


def note_rows_that_differ(run: Run, reviews: Sequence[Review]) -> None:
    """Name rows of one reviewer, round and item that differ, as a merge of two branches leaves them."""
    pairs = rows_that_differ(reviews)
    if not pairs:
        return
    said = [
        f"{after.reviewer}, round {after.round}, {after.item_id}: {_said(before)}, and {_said(after)}"
        for before, after in pairs[:LISTED]
    ]
    more = f"; and {len(pairs) - LISTED:,} more" if len(pairs) > LISTED else ""
    run.console.note(
        f"{run.files.project.relative(run.reviews.place)} holds rows of one reviewer, round and image that differ, as"
        f" merges leave them; the later one counts. {'; '.join(said)}{more}. Ask the reviewer, and remove the wrong row"
    )


def _said(review: Review) -> str:
    return JOIN.join(review.labels) or review.verdict


def _refuse_rounds(run: Run, reviews: Iterable[Review]) -> None:
    for review in reviews:
        if not 1 <= review.round <= MAX_ROUND:
            raise StorageError(
                f"{run.reviews.holding(review.item_id)}: {review.reviewer} has a row of round {review.round} about"
                f" {review.item_id}",
                f"mend it: rounds count from 1 to {MAX_ROUND:,}",
            )


def _mark(run: Run) -> str:
    """The first 12 hex digits of the SHA-256 of the reviews; empty if there is no file."""
    return run.reviews.mark[:12]


def _newest_copy(run: Run) -> Path | None:
    """The copy that the last run kept; None if there is none."""
    copies = run.files.reviews_copies
    return max(copies, key=lambda path: path.stat().st_mtime_ns, default=None)


def _restore(run: Run, copy: Path, *, damaged: bool = False) -> str:
    """What to type to have the rows of the copy again; `damaged`: in place of files that cannot be read.

    Rows of the copy and of files of categories count together, so that nothing has to go before.
    """
    back = f"cp {shlex.quote(str(copy))} {shlex.quote(str(run.reviews.file))}"
    return f"{_move(run.reviews.folder)} && {back}" if damaged and run.reviews.parts else back


def _refuse_lost_rows(run: Run, reviews: Sequence[Review], copy: Path) -> None:
    """Raise ReviewError for rows that the last run found and that are gone."""
    if copy != run.files.reviews_copy(sha256_file(copy)[:12]):
        aside = copy.with_name(f"{copy.name}.damaged")  # it may be all that is left of somebody's decisions
        copy.replace(aside)
        run.console.note(
            f"the copy of the reviews was damaged, and is made anew; it is {run.files.project.relative(aside)}"
        )
        return
    known = {(review.item_id, review.reviewer, review.round) for review in reviews}
    lost = [row for row in tables.read(copy, Review) if (row.item_id, row.reviewer, row.round) not in known]
    if lost:
        gone = [copy, *(run.files.labels.paths if _unexplained(run, reviews) else [])]
        place = run.reviews.place
        there = (
            f"{place} has {len(reviews):,} rows" if place.exists() else f"{run.files.project.relative(place)} is gone"
        )
        raise ReviewError(
            f"{there}, and {_decisions(len(lost))} that the last run found in it:\n{_listed(lost)}",
            f"get them back: {_restore(run, copy)}\n    if they are to go, as on another branch, {_set_aside(*gone)}",
        )


def _refuse_lost_labels(run: Run, reviews: Iterable[Review]) -> None:
    """Raise ReviewError for labels that people decided and that no review explains."""
    labels, lost = run.files.labels, _unexplained(run, reviews)
    if lost:
        reviews_file = shlex.quote(str(run.reviews.place))
        raise ReviewError(
            f"{labels.place} says that people decided {len(lost):,} labels of which {run.reviews.place} knows"
            " nothing:\n"
            + _lines([f"{label.image}: {JOIN.join(label.labels) or label.status}, {label.reason}" for label in lost]),
            f"get the reviews back from git: git log -- {reviews_file}, then: git checkout COMMIT -- {reviews_file}\n"
            f"    if they are to go, as on another branch, {_set_aside(*labels.paths)}",
        )


def _set_aside(*paths: Path) -> str:
    """What to type so that files are no longer read, and still there."""
    return f"set aside what tells of them: {' && '.join(map(_move, paths))}"


def _move(path: Path) -> str:
    return f"mv {shlex.quote(str(path))} {shlex.quote(f'{path}.aside')}"


def _unexplained(run: Run, reviews: Iterable[Review]) -> list[Label]:
    """The labels that people decided and about whose images no review says anything."""
    labels, known = run.files.labels, {review.item_id for review in reviews}
    paths = [path for path in labels.paths if _names_people(path)]  # most labels are machines' alone
    rows = (row for path in paths for row in labels.each_of(path))
    return [row for row in rows if row.decided_by == PEOPLE and row.item_id not in known]


def _names_people(path: Path) -> bool:
    said = f'"{PEOPLE}"'.encode()
    with path.open("rb") as lines:
        return any(said in line for line in lines)


def _decisions(count: int) -> str:
    return "one decision is missing" if count == 1 else f"{count:,} decisions are missing"


def _listed(lost: Sequence[Review]) -> str:
    return _lines([f"{row.item_id}: {row.reviewer} said {_said(row)}" for row in lost])


def _lines(texts: Sequence[str]) -> str:
    lines = [f"  {text}" for text in texts[:LISTED]]
    return "\n".join([*lines, *([f"  and {len(texts) - LISTED:,} more"] if len(texts) > LISTED else [])])
