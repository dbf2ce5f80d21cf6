"""Work takes the cores that it was given, not those that the machine has."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from acbench._util import cores as counting

COUNT = "from acbench._util.cores import cores; from acbench.storage.files import FileTree; "
COUNT += "from acbench.storage.build import THREADS; print(cores(), THREADS, FileTree.readers)"


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system has no affinity")
def test_a_process_that_is_held_to_one_core_takes_one() -> None:
    core = min(os.sched_getaffinity(0))
    done = subprocess.run(
        [sys.executable, "-c", f"import os; os.sched_setaffinity(0, [{core}]); {COUNT}"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.split() == ["1", "1", "3"]


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
