"""The FiftyOne App as a reviewer meets it: the command at work on a project, and its page in a real browser."""

from __future__ import annotations

import csv
import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page
from pymongo import MongoClient

from tests.support.browser import open_page
from tests.support.commands import Done, acbench, command, environment
from tests.support.mongo import wait_for
from tests.support.ports import free_port

START = 240
"""Seconds for a command."""


@dataclass(frozen=True)
class Shown:
    """A benchmark that is shown in the App, with a database of its own."""

    project: Path
    env: dict[str, str]
    url: str = ""
    """Of the App; empty if it does not run."""
    process: int = 0
    """Of the command that runs it."""

    def acbench(self, *arguments: object, status: int = 0) -> Done:
        """Run a command on the same project and database."""
        return acbench(self.project, *arguments, status=status, **self.env)

    def kill(self) -> None:
        """End the App and its server at once, as a machine that loses its power does."""
        os.killpg(self.process, signal.SIGKILL)

    def wait_for_reviews(self, count: int) -> list[dict[str, Any]]:
        """Until so many reviews are kept."""
        until = time.monotonic() + START
        while len(self.reviews()) < count:
            assert time.monotonic() < until, f"there are only {len(self.reviews())} reviews"
            time.sleep(0.02)
        return self.reviews()

    def reviews(self) -> list[dict[str, Any]]:
        lines = (self.project / "annotations/mvtec_ac/reviews.jsonl").read_text(encoding="utf-8").splitlines()
        return [json.loads(line) for line in lines]

    def queue(self) -> list[dict[str, str]]:
        with (self.project / ".acbench/mvtec_ac/queue.csv").open(encoding="utf-8-sig", newline="") as file:
            return list(csv.DictReader(file))

    def wait_for_sample(self, condition: dict[str, Any]) -> None:
        """Until a sample in the database fulfils it: the App tells of no end of its requests."""
        client: MongoClient[Any] = MongoClient(self.env["FIFTYONE_DATABASE_URI"])
        with client:
            database = client[self.env["FIFTYONE_DATABASE_NAME"]]
            names = [name for name in database.list_collection_names() if name.startswith("samples.")]
            until = time.monotonic() + START
            while not any(database[name].count_documents(condition) for name in names):
                assert time.monotonic() < until, f"no sample is {condition}"
                time.sleep(0.05)


@contextmanager
def app_on(project: Path, env: dict[str, str], *arguments: str) -> Iterator[Shown]:
    """The App at work. It is ended, unless it has been killed."""
    port = free_port()
    log = project / "app.log"
    before = log.stat().st_size if log.exists() else 0
    with log.open("ab") as out:
        opening = command(project, "app", "mvtec_ac", "--remote", "--port", port, *arguments)
        app = subprocess.Popen(opening, env=environment(**env), stdout=out, stderr=out, start_new_session=True)
    try:
        wait_for(port, START)
        _wait_for_words(app, log, before)  # the port answers before the command has met its server
        yield Shown(project, env, f"http://127.0.0.1:{port}", app.pid)
    finally:
        if app.poll() is None:
            app.send_signal(signal.SIGTERM)
        app.wait(START)
        assert app.returncode in (0, -signal.SIGKILL), log.read_text(encoding="utf-8")
        with pytest.raises(OSError), socket.create_connection(("127.0.0.1", port), timeout=2):
            pass  # the server has ended with its client


def _wait_for_words(app: subprocess.Popen[bytes], log: Path, before: int) -> None:
    """Until the command says, after so many bytes of its log, that the App is there."""
    until = time.monotonic() + START
    while b"(Ctrl-C ends it)" not in log.read_bytes()[before:]:
        assert app.poll() is None and time.monotonic() < until, log.read_text(encoding="utf-8")
        time.sleep(0.05)


@contextmanager
def open_app(shown: Shown, *, width: int = 1600, height: int = 1000) -> Iterator[Page]:
    """The App's page, loaded."""
    with open_page(width=width, height=height) as tab:
        tab.goto(shown.url)
        tab.wait_for_selector("[data-cy=looker] canvas[canvas-loaded=true]")
        tab.locator(".MuiPopover-root").get_by_text("Dismiss").click()  # of an advertisement
        yield tab
