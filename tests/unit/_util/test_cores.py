"""Work takes the cores that it was given, not those that the machine has."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from acbench._util import cores as counting

COUNT = """
from acbench._util.cores import cores, hold_libraries
hold_libraries()
from acbench.integrations.torch.runtime import threads
from acbench.predictors.llm.questions import WORKERS as questions
from acbench.predictors.proposers.clip import WORKERS as crops
from acbench.storage.build import THREADS as files
from acbench.storage.files import FileTree
import numpy, pyarrow
from threadpoolctl import threadpool_info
blas = max(each["num_threads"] for each in threadpool_info())
print(*(f"{name}={value}" for name, value in dict(
    cores=cores(), torch=threads(), questions=questions, crops=crops, files=files, readers=FileTree.readers,
    arrow=pyarrow.cpu_count(), blas=blas).items()))
"""
"""What each pool of threads of a process would start."""
ONE = ["cores=1", "torch=1", "questions=3", "crops=1", "files=1", "readers=3", "arrow=1", "blas=1"]
"""Threads that wait for an endpoint or a disk are two more than the cores."""


def counted(before: str, *command: str) -> list[str]:
    """What a process says whose program begins so."""
    free = {name: value for name, value in os.environ.items() if not name.endswith("_NUM_THREADS")}
    whole = [*command, sys.executable, "-c", f"{before}\n{COUNT}"]
    return subprocess.run(whole, capture_output=True, text=True, check=True, env=free).stdout.split()


@pytest.mark.skipif(shutil.which("taskset") is None, reason="this system has no taskset")
def test_a_process_that_is_held_to_one_core_takes_one() -> None:
    core = min(os.sched_getaffinity(0))
    assert counted("", "taskset", "-c", str(core)) == ONE


def test_a_process_whose_control_group_has_the_time_of_one_core_takes_one(tmp_path: Path) -> None:
    """As in a container with `--cpus 1` on a machine with many."""
    (tmp_path / "job").mkdir()
    (tmp_path / "job/cpu.max").write_text("100000 100000\n")
    (tmp_path / "groups").write_text("0::/job\n")
    fake = "from pathlib import Path; import os; from acbench._util import cores as counting;"
    fake += f"counting._SELF, counting._MOUNT = Path({str(tmp_path / 'groups')!r}), Path({str(tmp_path)!r});"
    assert counted(fake + "counting._affinity = lambda: 64") == ONE


def test_who_says_how_many_threads_there_are_is_heard(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    monkeypatch.setattr(counting, "cores", lambda: 1)
    monkeypatch.setattr(counting, "_affinity", lambda: 64)
    counting.hold_libraries()
    assert os.environ["OMP_NUM_THREADS"] == "3"
    monkeypatch.delenv("OMP_NUM_THREADS")
    counting.hold_libraries()
    assert os.environ["OMP_NUM_THREADS"] == "1"


def test_torch_takes_no_more_threads_than_the_control_group_has_time() -> None:
    code = "from acbench._util import cores as c; c.cores = lambda: 1; import acbench.integrations.torch.runtime as r;"
    code += "r.cores = lambda: 1; print(r.threads())"
    environment = {name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    assert done.stdout.split() == ["1"]


@pytest.mark.parametrize(
    ("lines", "files", "shares"),
    [
        ("0::/job/step\n", {"job/step/cpu.max": "150000 100000\n", "job/cpu.max": "400000 100000\n"}, [2, 4]),
        ("0::/job\n", {"job/cpu.max": "max 100000\n"}, []),
        ("0::/\n", {"cpu.max": "50000 100000\n"}, [1]),
        ("0::/job\n", {"job/cpu.max": "nonsense\n"}, []),
        ("4:cpu,cpuacct:/job\n1:name=systemd:/x\n",
         {"cpu,cpuacct/job/cpu.cfs_quota_us": "300000\n", "cpu,cpuacct/job/cpu.cfs_period_us": "100000\n"}, [3]),
        ("4:cpu:/\n", {"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, []),
    ],
)  # fmt: skip
def test_the_time_of_control_groups_is_counted_as_cores(
    tmp_path: Path, lines: str, files: dict[str, str], shares: list[int]
) -> None:
    groups, mount = tmp_path / "groups", tmp_path / "mount"
    groups.write_text(lines)
    for name, text in files.items():
        (mount / name).parent.mkdir(parents=True, exist_ok=True)
        (mount / name).write_text(text)
    assert list(counting._shares(groups, mount)) == shares


def test_a_system_without_control_groups_has_none(tmp_path: Path) -> None:
    assert list(counting._shares(tmp_path / "nosuch", tmp_path)) == []


def test_nobody_counts_the_cores_of_the_machine() -> None:
    package = Path(counting.__file__).parents[1]
    asking = [path for path in package.rglob("*.py") if re.search(r"\bcpu_count\(", path.read_text(encoding="utf-8"))]
    assert [path.name for path in asking] == ["cores.py"]
