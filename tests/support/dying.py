"""Commands of acbench that get a signal at a step of their work.

    python -m tests.support.dying [MODULE …]

Serves until its standard input ends. Each line of input is a command as JSON: `when`, `signal`, `arguments`, `project`,
and `output`, a file for what it prints. The answer is its process id and, in another line, its exit status, which is
negative for a signal. Commands are forked off, so that MODULEs are imported once for all of them.

A step is what changes the project on disk: a file of it is opened to be written, put in its place or removed, or the
ledger is changed. The signal comes right before the step. `when` is the step's number, from 1, or a part of its path or
SQL.
Steps are found by Python's audit events and SQLite's trace, so that no name of acbench has to stay as it is.
"""

from __future__ import annotations

import importlib
import json
import os
import signal
import sqlite3
import sys
from dataclasses import dataclass
from typing import Any

from acbench.cli.main import main as acbench

WRITING = os.O_WRONLY | os.O_RDWR
REMOVING = ("os.remove", "os.rmdir")
CHANGES = ("COMMIT", "DELETE", "INSERT", "REPLACE", "UPDATE")
CONNECT = sqlite3.connect


@dataclass
class Steps:
    """Counts the steps of this process, and sends the signal once."""

    when: int | str
    signal: signal.Signals
    project: str
    count: int = 0

    def watch(self) -> None:
        """Begin to count. Python has no way to end it."""
        sys.addaudithook(self.hook)
        sqlite3.connect = self.connect

    def hook(self, event: str, arguments: tuple[Any, ...]) -> None:
        """Audit hook."""
        if event == "os.rename":
            self.touch(arguments[1])
        elif event in REMOVING or (event == "open" and isinstance(arguments[2], int) and arguments[2] & WRITING):
            self.touch(arguments[0])

    def touch(self, path: object) -> None:
        """A path is about to be written."""
        name = os.fsdecode(path) if isinstance(path, str | bytes) else ""
        if name.startswith(f"{self.project}/"):
            self.step(name)

    def connect(self, *arguments: Any, **options: Any) -> sqlite3.Connection:
        """Stands in for `sqlite3.connect`."""
        connection = CONNECT(*arguments, **options)
        connection.set_trace_callback(self.run_sql)
        return connection

    def run_sql(self, sql: str) -> None:
        """A statement is about to be run."""
        if sql.startswith(CHANGES):
            self.step(sql)

    def step(self, what: str) -> None:
        """A step is about to be done."""
        self.count += 1
        if self.count == self.when or (isinstance(self.when, str) and self.when in what):
            self.when = 0
            os.kill(os.getpid(), self.signal)


def run(command: dict[str, Any]) -> None:
    """Run a command in this process, which ends with it."""
    sys.stdin.close()
    with open(command["output"], "wb", buffering=0) as file:  # noqa: PTH123
        for stream in (1, 2):
            os.dup2(file.fileno(), stream)
    sys.argv = ["acbench", *command["arguments"]]
    Steps(command["when"], signal.Signals[command["signal"]], command["project"]).watch()
    acbench()


def main() -> None:
    """Serve."""
    for module in sys.argv[1:]:
        importlib.import_module(module)
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            run(json.loads(line))
        print(child, flush=True)
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


if __name__ == "__main__":
    main()
