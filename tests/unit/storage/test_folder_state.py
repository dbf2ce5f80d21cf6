"""What lies in folders, by names, sizes and times: any write shows, or the state says that it may not."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from acbench.storage import folder_state as states
from acbench.storage.folder_state import folder_state, settled_states


def aged(path: Path, nanoseconds: int) -> None:
    os.utime(path, ns=(nanoseconds, nanoseconds))


def test_the_same_files_are_the_same_state_and_a_folder_that_is_not_there_is_another(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"a")
    folder = os.fspath(tmp_path)
    assert folder_state([folder]).digest == folder_state([folder]).digest
    assert folder_state([folder]).digest != folder_state([f"{folder}/none"]).digest


def test_a_file_in_another_folder_does_not_count(tmp_path: Path) -> None:
    (tmp_path / "inner").mkdir()
    before = folder_state([os.fspath(tmp_path)]).digest
    (tmp_path / "inner" / "a.png").write_bytes(b"a")
    assert folder_state([os.fspath(tmp_path)]).digest == before


@pytest.mark.parametrize(("age", "whole_seconds", "settled"), [(0, False, False), (1, True, False), (1, False, True)])
def test_what_was_written_just_now_may_be_written_again_unseen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, age: float, whole_seconds: bool, settled: bool
) -> None:
    """Whole seconds are the times of a coarse file system, where the next write may have the same one."""
    (tmp_path / "a.png").write_bytes(b"a")
    status = (tmp_path / "a.png").stat()
    newest = max(status.st_mtime_ns, status.st_ctime_ns)
    if whole_seconds:
        newest += 1_000_000_000 - newest % 1_000_000_000  # later than the time of its making
        aged(tmp_path / "a.png", newest)
        monkeypatch.setattr(states, "_entry", lambda entry: ("file", newest))
    monkeypatch.setattr("time.time_ns", lambda: newest + int(age * 1_000_000_000))
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    folder = os.fspath(tmp_path)
    assert folder_state([folder]).settled == settled
    assert ("a" in settled_states({"a": [folder]})) == settled
