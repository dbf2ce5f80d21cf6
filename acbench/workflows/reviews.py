"""Takes in what people decided, in a file or in the FiftyOne App: all of it, or nothing."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path

from acbench._util.computed import Computed
from acbench.data.ingest import Dataset
from acbench.records import Proposal
from acbench.review import app_marks, csv_queue
from acbench.review.app_marks import CollectResult
from acbench.review.app_records import AppMark
from acbench.review.csv_queue import TakeCounts
from acbench.review.history import ReviewLog
from acbench.storage.stored_rows import some
from acbench.workflows.kept_reviews import kept_reviews
from acbench.workflows.label import write_reviews
from acbench.workflows.propose import Proposed
from acbench.workflows.run import Run


def take_reviews(run: Run, proposed: Proposed, file: Path, reviewer: str | None) -> TakeCounts:
    """Take in a filled-in queue. `reviewer`: who decided where the file does not say. Raises ReviewError."""
    log = review_log(run, proposed.dataset)
    counts = csv_queue.take(file, log, reviewer=reviewer, shown=_shown(proposed))
    keep_added(run, log)
    return counts


def collect_marks(
    run: Run, proposed: Proposed, marks: Iterable[AppMark], reviewer: str, *, sure: bool = False
) -> CollectResult:
    """Take in what one reviewer marked in the App. Raises ReviewError.

    What looks like a mistake, such as very many images with one mark, is an error too, unless the reviewer is `sure`.
    """
    log = review_log(run, proposed.dataset)
    when = datetime.now(UTC).isoformat(timespec="seconds")
    result = app_marks.collect(marks, log, reviewer=reviewer, when=when, shown=_shown(proposed))
    if not sure:
        app_marks.refuse_mistakes(log.added, log.items)
    keep_added(run, log)
    return result


def review_log(run: Run, dataset: Dataset) -> ReviewLog:
    """The reviews of the benchmark, to add to. Raises ReviewError if some that were known are gone."""
    return ReviewLog(dataset.by_id, run.schema, kept_reviews(run))


def keep_added(run: Run, log: ReviewLog) -> None:
    """Write the reviews, if any were added."""
    if log.added:
        write_reviews(run, log.reviews)


def shown_proposers(proposals: Iterable[Proposal]) -> tuple[str, ...]:
    """The proposers whose answers a reviewer of the queue sees, of those that were asked about an image."""
    return tuple(sorted(proposal.proposer for proposal in proposals if proposal.status == "ok"))


def _shown(proposed: Proposed) -> Mapping[str, tuple[str, ...]]:
    """item_id → the proposers whose answers a reviewer of the queue sees."""
    answers = proposed.by_item

    def of_some(item_ids: Collection[str]) -> Mapping[str, tuple[str, ...]]:
        return {item_id: shown_proposers(own) for item_id, own in some(answers, item_ids).items()}

    return Computed(answers, lambda item_id: shown_proposers(answers[item_id]), of_some)
