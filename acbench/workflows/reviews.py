"""Takes in what people decided, in a file or in a viewer: all of it, or nothing."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

from acbench.errors import ReviewError
from acbench.review import app_marks, csv_queue
from acbench.review.app_marks import CollectResult
from acbench.review.app_records import AppMark
from acbench.workflows.label import keep_reviews, read_reviews
from acbench.workflows.propose import Proposed
from acbench.workflows.run import Run


def take_reviews(run: Run, proposed: Proposed, file: Path, reviewer: str | None) -> dict[str, int]:
    """Take in a filled-in queue. Gives the counts of `csv_queue.TakeResult`. Raises ReviewError."""
    before = read_reviews(run)
    shown = csv_queue.in_sight(proposed.by_item)
    result = csv_queue.take(file, proposed.dataset.by_id, run.schema, before, reviewer=reviewer, shown=shown)
    keep_reviews(run, result.reviews, before)
    return result.counts


def collect_marks(
    run: Run, proposed: Proposed, marks: Iterable[AppMark], reviewer: str, *, sure: bool = False
) -> CollectResult:
    """Take in what was marked in a viewer. What looks like a slip is an error too, unless somebody is `sure`.

    Raises ReviewError.
    """
    items, before = proposed.dataset.by_id, read_reviews(run)
    shown, now = csv_queue.in_sight(proposed.by_item), datetime.now(UTC).isoformat(timespec="seconds")
    result = app_marks.collect(marks, items, run.schema, before, reviewer=reviewer, when=now, shown=shown)
    if not sure and (why := app_marks.slip(result.reviews, items)):
        raise ReviewError(
            f"{why}, so nothing was taken",
            "if that is meant, run the command again with --yes; if not, take the tag off in the App",
        )
    keep_reviews(run, [*before, *result.reviews], before)
    return result
