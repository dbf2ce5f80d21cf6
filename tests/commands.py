"""acbench as a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

DIARY = (".acbench/ledger.sqlite", ".acbench/lock")


def command(project: Path, *arguments: str | Path, program: tuple[str, ...] = ("-m", "acbench")) -> list[str]:
    """What to run."""
    return [sys.executable, *program, *map(str, arguments), "--project", str(project)]


def environment(**more: str) -> dict[str, str]:
    """The usual one, without what would set options of acbench.

    Threads that wait let others run: several processes at once would else keep each other from it.
    """
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ACBENCH_")}
    return kept | {"OMP_WAIT_POLICY": "passive"} | more


def acbench(project: Path, *arguments: str | Path, status: int = 0, **env: str) -> str:
    """Run a command; gives its output, with what it said on stderr after it."""
    project.mkdir(exist_ok=True)
    done = subprocess.run(
        command(project, *arguments), capture_output=True, text=True, timeout=500, env=environment(**env)
    )
    assert done.returncode == status, done.stdout + done.stderr
    assert "Traceback" not in done.stderr and "a fault of acbench itself" not in done.stderr
    return done.stdout + done.stderr


def made(project: Path) -> dict[str, bytes]:
    """Path → content of everything in a project but its diary."""
    found = (path for path in project.rglob("*") if path.is_file())
    named = {path.relative_to(project).as_posix(): path for path in found}
    return {name: path.read_bytes() for name, path in sorted(named.items()) if not name.startswith(DIARY)}
