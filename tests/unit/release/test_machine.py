"""What the machine lacks is said as that, and never as a fault of a release."""

from __future__ import annotations

import errno
import shutil
from collections import namedtuple
from pathlib import Path
from typing import Any

import pytest

from acbench._util.machine import fault_of_machine, size
from acbench.errors import ReleaseError
from acbench.integrations.huggingface.datasets import DatasetsFormat
from acbench.release.parquet import ParquetShard
from acbench.testing import toy_visa
from acbench.workflows.publish_checks import check_space
from tests.support.commands import here
from tests.support.releases import build, check


def chained(cause: BaseException) -> BaseException:
    """An error of a library that hides another one."""
    error = RuntimeError("generation failed")
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "why"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "No space left on device"),
        (chained(OSError(errno.EDQUOT, "Quota exceeded")), "Quota exceeded"),
        (chained(OSError("Not enough disk space. Needed: 5 GB")), "Not enough disk space. Needed: 5 GB"),
        (MemoryError(), "there is not enough memory"),
        (OSError(errno.EIO, "I/O error"), ""),
        (chained(ValueError("a wrong type")), ""),
        (None, ""),
    ],
)
def test_faults_of_the_machine_are_told_from_others(error: BaseException | None, why: str) -> None:
    assert fault_of_machine(error) == why


def test_an_error_that_causes_itself_ends() -> None:
    one, other = RuntimeError(), RuntimeError()
    one.__cause__, other.__cause__ = other, one
    assert fault_of_machine(one) == ""


def test_sizes_for_people() -> None:
    assert [size(number) for number in (7, 35_400_000, 2.25e9)] == ["7 bytes", "35 MB", "2.2 GB"]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with a release. Not to be changed."""
    project = tmp_path_factory.mktemp("project")
    build(project, root=toy_visa(project / "images"))
    return project


def test_no_room_to_load_a_release_leaves_it_sound_and_said_so(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any, **__: Any) -> Any:
        raise chained(OSError(errno.ENOSPC, "No space left on device"))

    monkeypatch.setattr("datasets.load_dataset", full)
    release = project / ".acbench/visa_ac/release"
    verified = check(release)
    assert not verified.failed
    assert "No space left on device" in verified.not_loaded and "it needs about" in verified.not_loaded
    done = here("verify", release)
    assert done.status == 0 and "Sound as far as it was checked: 1 thing was not." in done.out
    refused = here("publish", "visa_ac", "--dry-run", "--project", project)
    assert refused.status == 1 and "Not sound" not in refused.err and "make room in" in refused.err


def test_what_datasets_makes_of_a_release_lies_where_it_is_told_to(tmp_path: Path, project: Path) -> None:
    with pytest.raises(OSError, match="nosuch"):
        DatasetsFormat(tmp_path / "nosuch").round_trip(project, None)  # type: ignore[arg-type]


def test_tables_that_will_not_fit_are_refused_before_one_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(10, 0, 2_500_000))
    shard = ParquetShard(path="data/a/test-00000-of-00001.parquet", places=[], size=1_000_000)
    check_space(tmp_path / "release", [shard])
    with pytest.raises(ReleaseError, match=r"need about 4 MB in .*, and 2 MB are free"):
        check_space(tmp_path / "release", [shard, shard.__class__(path="data/b/x.parquet", places=[], size=1_000_000)])
