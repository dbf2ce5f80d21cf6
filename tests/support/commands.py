"""acbench as people run it: as a process of its own or, where that is enough, in this one."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import pytest

from acbench.cli.main import main
from acbench.testing.endpoint import FakeEndpoint, no_fault

ROOT = Path(__file__).parents[2]
DIARY = (".acbench/ledger.sqlite", ".acbench/lock")
ACBENCH = ("-m", "acbench")
SETTINGS = ("ACBENCH_", "COLUMNS", "FIFTYONE_", "HF_", "LABEL_STUDIO_")
"""How variables begin that set options, or the width of the screen."""


@dataclass(frozen=True)
class Done:
    """What came of a command."""

    status: int
    out: str
    err: str

    def __post_init__(self) -> None:
        assert "Traceback" not in self.said and "a fault of acbench itself" not in self.said, self.said

    @property
    def said(self) -> str:
        return self.out + self.err

    @property
    def facts(self) -> Any:
        """What it printed for --json."""
        return json.loads(self.out)


def command(project: Path | None, *arguments: object, program: tuple[str, ...] = ACBENCH) -> list[str]:
    """What to run."""
    where = [] if project is None else ["--project", str(project)]
    return [sys.executable, *program, *map(str, arguments), *where]


def environment(**more: str) -> dict[str, str]:
    """The usual one, without what would set options of acbench and of what it talks to.

    Threads that wait let others run: several processes at once would else keep each other from it.
    """
    kept = {name: value for name, value in os.environ.items() if not name.startswith(SETTINGS)}
    return kept | {"OMP_WAIT_POLICY": "passive"} | more


def start(
    project: Path | None, *arguments: object, program: tuple[str, ...] = ACBENCH, **env: str
) -> subprocess.Popen[str]:
    """A command at work, to be given to `finish` or `killed`."""
    if project is not None:
        project.mkdir(exist_ok=True)
    pipe, whole = subprocess.PIPE, command(project, *arguments, program=program)
    return subprocess.Popen(whole, stdout=pipe, stderr=pipe, text=True, env=environment(**env))


def finish(process: subprocess.Popen[str], status: int = 0, seconds: float = 500) -> Done:
    """Wait for its end."""
    with process:
        try:
            out, err = process.communicate(timeout=seconds)
        finally:
            process.kill()
    assert process.returncode == status, out + err
    return Done(status, out, err)


def killed_at_request(number: int, process: subprocess.Popen[str], endpoint: FakeEndpoint) -> None:
    """Kill a command at work when the nth of its requests has come, from 1; the answer is paid for and lost."""
    before = len(endpoint.requests)

    def plan(request: int, text: str) -> None:
        if request == before + number - 1:
            process.kill()

    endpoint.plan = plan
    out, err = process.communicate(timeout=500)
    endpoint.plan = no_fault
    assert process.returncode == -signal.SIGKILL, out + err


class DyingCommands:
    """Commands that get a signal right before a step of their work: see `tests.support.dying`. A context manager."""

    def __init__(self, folder: Path, *modules: str, **env: str) -> None:
        self._output = folder / "output.txt"
        command = [sys.executable, "-m", "tests.support.dying", *modules]
        whole, pipe = environment(**env, PYTHONPATH=str(ROOT)), subprocess.PIPE
        self._server = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, env=whole)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._server.communicate(timeout=600)

    def start(self, project: Path, when: int | str, *arguments: object, signal_name: str = "SIGKILL") -> int:
        """Begin a command; gives its process id. It is given to `status` before the next one begins."""
        project.mkdir(exist_ok=True)
        command = {"when": when, "signal": signal_name, "project": str(project), "output": str(self._output)}
        line = json.dumps({**command, "arguments": [*map(str, arguments), "--project", str(project)]})
        assert self._server.stdin is not None
        self._server.stdin.write(line + "\n")
        self._server.stdin.flush()
        return self._reply()

    def status(self) -> int:
        """Wait for the end of the command; gives its exit status, negative for a signal."""
        return self._reply()

    def killed(self, project: Path, when: int | str, *arguments: object, status: int = 0) -> bool:
        """Run a command and kill it at a step; False if it came to its end before, with this status."""
        self.start(project, when, *arguments)
        done = self.status()
        assert done in (status, -signal.SIGKILL), self.output
        return done == -signal.SIGKILL

    @property
    def output(self) -> str:
        """What the last command printed."""
        return self._output.read_text(encoding="utf-8")

    def _reply(self) -> int:
        assert self._server.stdout is not None
        return int(self._server.stdout.readline())


def acbench(project: Path | None, *arguments: object, status: int = 0, **env: str) -> Done:
    """Run a command in a process of its own."""
    return finish(start(project, *arguments, program=ACBENCH, **env), status)


def python(code: str, *arguments: object, **env: str) -> Done:
    """Run a program in a process of its own."""
    return finish(start(None, *arguments, program=("-c", code), **env))


def here(*arguments: object, **env: str) -> Done:
    """Run a command in this process: quick, for what ends early."""
    out, err = (io.TextIOWrapper(io.BytesIO(), "utf-8", newline="") for _ in range(2))
    with pytest.raises(SystemExit) as ended, pytest.MonkeyPatch.context() as patch:
        for name in os.environ.keys() - environment().keys():
            patch.delenv(name)
        for name, value in env.items():
            patch.setenv(name, value)
        patch.setattr(sys, "argv", ["acbench", *map(str, arguments)])
        patch.setattr(sys, "stdout", out)
        patch.setattr(sys, "stderr", err)
        main()
    assert isinstance(ended.value.code, int)
    for stream in (out, err):
        stream.seek(0)
    return Done(ended.value.code, out.read(), err.read())


def here_in(project: Path, *arguments: object, status: int = 0, **env: str) -> Done:
    """Run a command on a project in this process: quick, where the process is not the point."""
    project.mkdir(exist_ok=True)
    done = here(*arguments, "--project", project, **env)
    assert done.status == status, done.said
    return done


def made(project: Path) -> dict[str, bytes]:
    """Path → content of everything in a project but its diary."""
    found = (path for path in project.rglob("*") if path.is_file())
    named = {path.relative_to(project).as_posix(): path for path in found}
    return {name: path.read_bytes() for name, path in sorted(named.items()) if not name.startswith(DIARY)}
