"""A relabel computes each thing once, reads each table at most once, and does nothing when there is nothing to do."""

from __future__ import annotations

import csv
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from acbench.records import GOOD
from acbench.review import resolve as resolving
from acbench.review import weighing
from acbench.schema import Category
from acbench.storage import tables
from acbench.storage.git_table import GitTable
from acbench.storage.parquet import ParquetFile
from acbench.testing import toy_mvtec_ad
from acbench.workflows.label import prepare
from acbench.workflows.queue import Queue
from acbench.workflows.relabel import relabel
from acbench.workflows.reviews import take_reviews
from tests.support.releases import at_work

COUNTED: tuple[Callable[..., Any], ...] = (
    resolving.machine_labels,
    resolving.resolve,
    resolving.resolve_item,
    weighing.shared_scalings,
    Category.map,
    tables.read,
    GitTable.read_file,
    ParquetFile.group,
)


@contextmanager
def counted() -> Iterator[Counter[str]]:
    """Counts calls by name while it lasts, by whatever name a caller has imported the function; reads also by file."""
    calls: Counter[str] = Counter()
    names = {function.__code__: function.__qualname__ for function in COUNTED}

    def count(frame: FrameType, event: str, _: Any) -> None:
        if event == "call" and (name := names.get(frame.f_code)):
            calls[name] += 1
            if name in (tables.read.__qualname__, GitTable.read_file.__qualname__):
                calls[f"read {frame.f_locals['path'].name}"] += 1
            if name == ParquetFile.group.__qualname__:
                calls[f"read {frame.f_locals['self'].path.name}"] += 1

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        yield calls
    finally:
        sys.setprofile(before)


def run_once(project: Path, reviews: Path | None = None) -> tuple[Queue, Counter[str]]:
    """Relabel, as the command does, and what was called."""
    with at_work(project, "mvtec_ac", root=project / "images") as run, counted() as calls:
        proposed = prepare(run)
        if reviews is not None:
            take_reviews(run, proposed, reviews, "ada")
        _, queue = relabel(run, proposed)
    return queue, calls


def reads(calls: Counter[str]) -> dict[str, int]:
    """How often each table was read."""
    return {name.removeprefix("read "): count for name, count in calls.items() if name.startswith("read ")}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    toy_mvtec_ad(tmp_path / "images")
    return tmp_path


def decide(project: Path, queue: Queue, label: str) -> Path:
    """A filled-in queue that gives the same label to all images that wait."""
    path = project / "decisions.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("item_id", "label"))
        writer.writerows((row.item_id, label) for row in queue.waiting)
    return path


def test_a_first_run_computes_each_thing_once(project: Path) -> None:
    queue, calls = run_once(project)
    images = len(queue.labelled.proposed.dataset.items)
    assert images and queue.waiting
    assert (calls["machine_labels"], calls["resolve"], calls["shared_scalings"]) == (1, 1, 1)
    assert calls["resolve_item"] == images
    assert calls["Category.map"] == 2 * images, "once by the proposer source_label, once by the policy"
    assert set(reads(calls).values()) == {1}
    assert "source_label.parquet" in reads(calls)
    written = {"labels.jsonl", "reviews.jsonl", "triage.parquet"}
    assert not written & reads(calls).keys(), "they were just written"


def test_a_second_run_computes_nothing_and_reads_only_what_people_decided(project: Path) -> None:
    run_once(project)
    _, calls = run_once(project)
    assert calls == {"GitTable.read_file": 1, "read reviews.jsonl": 1}


def test_a_run_with_new_reviews_resolves_what_was_reviewed_and_ranks_anew(project: Path) -> None:
    first, _ = run_once(project)
    images, waiting = len(first.labelled.proposed.dataset.items), len(first.waiting)
    queue, calls = run_once(project, decide(project, first, GOOD))
    assert queue.waiting == []
    assert (calls["machine_labels"], calls["resolve"], calls["shared_scalings"]) == (1, 1, 1)
    assert calls["resolve_item"] == images + waiting, "the label without reviews of all, the label with them of some"
    assert set(reads(calls).values()) == {1}
    _, calls = run_once(project, decide(project, first, GOOD))
    assert calls["resolve"] == 0
    assert set(reads(calls).values()) == {1}
