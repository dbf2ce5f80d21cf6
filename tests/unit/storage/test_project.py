"""One command at a time changes a project; whoever has to wait is told the truth."""

from __future__ import annotations

import errno
import fcntl
import os
from pathlib import Path

import pytest

from acbench.errors import AcbenchError
from acbench.storage.project import Project


def test_who_holds_it_alone_is_named(tmp_path: Path) -> None:
    with Project(tmp_path).locked(), pytest.raises(AcbenchError, match=f"at work in .* \\(process {os.getpid()}\\)"):
        Project(tmp_path).locked().__enter__()


def test_nobody_is_named_who_has_left(tmp_path: Path) -> None:
    place = Project(tmp_path)
    with place.locked():
        pass
    with place.shared(), place.shared(), pytest.raises(AcbenchError) as refused:
        place.locked().__enter__()
    assert "process" not in refused.value.message


def test_a_disk_without_locks_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def none(*_: object) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", none)  # as some network file systems answer
    with pytest.raises(AcbenchError, match="knows no locks") as refused:
        Project(tmp_path).locked().__enter__()
    assert "another disk" in refused.value.hint
