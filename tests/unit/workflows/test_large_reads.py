"""A large table is read through, however much is wanted of it and in whatever order: never a group for each image."""

from __future__ import annotations

import csv
import random
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from acbench.storage.parquet import ParquetFile
from acbench.testing import FakeAnnotationTool, toy_mvtec_ad
from acbench.workflows import annotate, app
from acbench.workflows.annotate import PushOptions
from acbench.workflows.label import label, prepare
from acbench.workflows.queue import rank
from tests.support.commands import here_in
from tests.support.releases import at_work

BENCHMARK = "mvtec_ac"
CATEGORIES = {
    "bottle": ("broken_large", "broken_small", "contamination"),
    "cable": ("bent_wire", "cable_swap", "combined"),
    "screw": ("manipulated_front", "scratch_head"),
}
ROWS = 40
"""Of a group: whoever asks for all images one by one, in no order, reads each group about as often."""
MOST, MOST_OF_REPORT = 22, 12
"""How often a command may read each group of a table: it goes through it many times, for what it writes. A report
counts all on one way."""


@pytest.fixture(scope="module", autouse=True)
def few() -> Iterator[None]:
    """A table of more than one group is a large one."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("acbench.storage.stored_rows.WHOLE", ROWS)
        patch.setattr("acbench.storage.parquet.TOGETHER", ROWS)
        yield


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All images of the test split are in the queue, in no order."""
    place = tmp_path_factory.mktemp("made")
    images = toy_mvtec_ad(place / "images", CATEGORIES, train=10, good=10, each=20)
    here_in(place, "relabel", BENCHMARK, "--root", images, "--without", "neighbours", "--audit", "90%")
    assert len(queue(place)) > 4 * ROWS
    return place


@pytest.fixture
def project(tmp_path: Path, made: Path) -> Path:
    return shutil.copytree(made, tmp_path / "project")


def queue(project: Path) -> list[str]:
    with (project / f".acbench/{BENCHMARK}/queue.csv").open(encoding="utf-8-sig", newline="") as file:
        return [row["item_id"] for row in csv.DictReader(file)]


def decisions(project: Path) -> Path:
    """Every second image of the queue, in no order."""
    chosen = queue(project)[::2]
    random.Random(0).shuffle(chosen)
    path = project / "decided.csv"
    path.write_text("item_id,label\n" + "".join(f"{item_id},unsure\n" for item_id in chosen))
    return path


@contextmanager
def reads(monkeypatch: pytest.MonkeyPatch) -> Iterator[Counter[tuple[str, int]]]:
    """Counts how often each group of each table is read while it lasts."""
    found: Counter[tuple[str, int]] = Counter()
    read = ParquetFile._read

    def counted(self: ParquetFile[object], group: int, names: Sequence[str]) -> object:
        found[self.path.name, group] += 1
        return read(self, group, names)

    with monkeypatch.context() as patch:
        patch.setattr(ParquetFile, "_read", counted)
        yield found


def pushed_and_pulled(project: Path) -> None:
    """Put the queue into an annotation tool, and bring home what was decided there, which is nothing."""
    tool = FakeAnnotationTool()
    with at_work(project, BENCHMARK) as run:
        labelled = label(run, prepare(run))
        results = annotate.push(run, tool, rank(run, labelled), PushOptions(), lambda form: lambda prediction: ())
        assert sum(result.sent for result in results.values()) == len(queue(project))
        annotate.pull(run, tool, labelled.proposed.dataset)


def samples_of_the_app(project: Path) -> None:
    """Make what the App shows of each image."""
    with at_work(project, BENCHMARK) as run:
        labelled = label(run, prepare(run))
        assert len(app._samples(run, rank(run, labelled), ())) == len(labelled.proposed.dataset.items)


COMMANDS: dict[str, Callable[[Path], object]] = {
    "decisions": lambda project: here_in(
        project, "relabel", BENCHMARK, "--reviews", decisions(project), "--reviewer", "ada"
    ),
    "plan": lambda project: here_in(project, "plan", BENCHMARK, "--error", "0.2"),
    "report": lambda project: here_in(project, "report", BENCHMARK),
    "report with pseudonyms": lambda project: here_in(project, "report", BENCHMARK, "--pseudonyms"),
    "compare": lambda project: here_in(project, "compare", BENCHMARK),
    "export": lambda project: here_in(project, "export", "proposals", BENCHMARK, "source_label"),
    "all pictures": lambda project: here_in(project, "review", "queue", BENCHMARK),
    "publish": lambda project: here_in(project, "publish", BENCHMARK, "--dry-run"),
    "annotation tool": pushed_and_pulled,
    "app": samples_of_the_app,
}


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_reads_a_table_through(project: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    with reads(monkeypatch) as found:
        COMMANDS[name](project)
    assert {table for table, _ in found} >= {"items.parquet"}
    most = MOST_OF_REPORT if name.startswith("report") else MOST
    assert {place: times for place, times in found.items() if times > most} == {}
