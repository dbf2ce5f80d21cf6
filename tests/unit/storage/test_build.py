"""Tests that files are written once, in threads too, and that what was written is on record."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from acbench.errors import ImageError
from acbench.storage.build import Build, Wanted
from acbench.storage.ledger import Ledger
from acbench.storage.project import Project

FILES = 40


@pytest.fixture
def build(tmp_path: Path) -> Iterator[Build]:
    project = Project(tmp_path)
    with Ledger(project.ledger) as ledger, ledger.runs.record("test", {}) as run_id:
        yield Build(project=project, ledger=ledger, run_id=run_id)


def wanted(folder: Path, written: list[str], key: str = "a") -> Iterator[Wanted]:
    def write(path: Path) -> None:
        path.write_text(f"{path.name} {key}")
        written.append(path.name)

    for number in range(FILES):
        yield Wanted(folder / f"{number:02}.txt", key, write)


def silent(_done: int, _total: int) -> None:
    """No progress."""


def test_files_are_written_once_and_again_where_their_key_is_another(tmp_path: Path, build: Build) -> None:
    written: list[str] = []
    told: list[tuple[int, int]] = []
    build.ensure_all(wanted(tmp_path, written), FILES, lambda done, total: told.append((done, total)))
    names = [f"{number:02}.txt" for number in range(FILES)]
    assert sorted(written) == names == build.written
    assert told == [(done, FILES) for done in range(1, FILES + 1)]
    build.ensure_all(wanted(tmp_path, written), FILES, silent)
    assert len(written) == FILES, "nothing was to be done"
    (tmp_path / names[3]).write_text("changed by hand")
    build.ensure_all(wanted(tmp_path, written), FILES, silent)
    assert written[FILES:] == [names[3]]
    build.ensure_all(wanted(tmp_path, written, "b"), FILES, silent)
    assert {(tmp_path / name).read_text() for name in names} == {f"{name} b" for name in names}


def test_what_was_written_before_an_error_is_on_record(
    tmp_path: Path, build: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two files are on the way when one of them fails: the other is kept, and what comes after is not begun."""
    written: list[str] = []
    monkeypatch.setattr("acbench.storage.build.THREADS", 2)
    begun, fails = threading.Event(), threading.Event()

    def refuse(_path: Path) -> None:
        begun.wait(60)
        fails.set()
        raise ImageError("no")

    def slow(path: Path) -> None:
        begun.set()
        fails.wait(60)
        path.write_text("slow")

    first, *rest = wanted(tmp_path, written)
    files = [first, Wanted(tmp_path / "bad", "a", refuse), Wanted(tmp_path / "slow", "a", slow), *rest]
    with pytest.raises(ImageError):
        build.ensure_all(iter(files), len(files), silent)
    kept = [path for path in tmp_path.glob("*.txt") if build.is_fresh(path, "a")]
    assert first.path in kept
    assert sorted(path.name for path in kept) == sorted(written), "all that lies there is on record"
    assert build.is_fresh(tmp_path / "slow", "a")
    assert len(written) < FILES
