"""Runs the server of the FiftyOne App: on a free port, and with an end that leaves no process behind."""

from __future__ import annotations

import os
import signal
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout, suppress
from pathlib import Path
from types import FrameType
from typing import IO, TYPE_CHECKING

from acbench.errors import AcbenchError
from acbench.integrations.fiftyone import layout
from acbench.integrations.fiftyone.dataset import AppDataset
from acbench.integrations.fiftyone.plugins import plugins
from acbench.review.app_desk import DeskAddress

if TYPE_CHECKING:
    import fiftyone as fo
    import psutil

HOST = "127.0.0.1"
START = 600
"""Seconds that the server has to start: FiftyOne itself gives up after 60, which a busy machine takes."""
STEP = 0.5
"""Seconds between two looks at whether the server is at work."""
PATIENCE = 10
"""Seconds that a server has to end by itself."""


def check_free(port: int) -> None:
    """Raises AcbenchError if something listens on that port: FiftyOne would silently show what runs there."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            raise AcbenchError(
                f"port {port} cannot be used: {error.strerror}", f"give another one: --port {port + 1}"
            ) from None


@contextmanager
def running_app(dataset: AppDataset, port: int, *, browser: bool, desk: DeskAddress, log: Path) -> Iterator[fo.Session]:
    """Run the App on one dataset as long as the context lasts. Opens a browser if asked to.

    `desk`: where its panels find who decides about what. `log`: the file for what FiftyOne and its server print.
    """
    check_free(port)
    children = _children()
    previous = signal.signal(signal.SIGTERM, _interrupt)
    session: fo.Session | None = None
    log.parent.mkdir(parents=True, exist_ok=True)
    try:
        with log.open("w", encoding="utf-8") as file, redirect_stdout(file), plugins():
            desk.leave()
            session = _launch(dataset, port, browser, file)
            yield session
    finally:
        with suppress(Exception):  # whatever state it is in: its processes are ended below
            if session is not None:
                session.close()
        _end(_children() - children)
        signal.signal(signal.SIGTERM, previous)


def wait(session: fo.Session) -> bool:
    """Wait until somebody ends the App: True; or until its server has ended by itself: False."""
    from fiftyone.core.session.session import _server_services

    server = _server_services[session.server_port].child
    try:
        while server.is_running() and server.status() != "zombie":
            time.sleep(STEP)
    except KeyboardInterrupt:
        return True
    return False


def _launch(dataset: AppDataset, port: int, browser: bool, log: IO[str]) -> fo.Session:
    import fiftyone as fo
    from fiftyone.core.service import ServerService, ServiceException, ServiceListenTimeout

    wait = ServerService._wait_for_child_port

    def wait_longer(self: ServerService, port: int | None = None, timeout: int = START) -> object:
        """As FiftyOne waits, but longer, and no longer for a server that has ended."""
        until = time.monotonic() + START
        while True:
            try:
                return wait(self, port, 2)
            except ServiceListenTimeout:
                if time.monotonic() > until or not self.child.is_running() or self.child.status() == "zombie":
                    raise

    ServerService._wait_for_child_port = wait_longer
    try:
        with _printed_to(log):
            view, spaces = layout.opening(dataset.data)
            colours = dataset.data.app_config.color_scheme
            return fo.launch_app(
                view=view, spaces=spaces, color_scheme=colours, port=port, address=HOST, remote=not browser
            )
    except ServiceException as error:
        raise AcbenchError(
            f"the App did not start: {error}", f"what its server said is in {log.name}; then run the same command again"
        ) from None
    finally:
        ServerService._wait_for_child_port = wait


@contextmanager
def _printed_to(log: IO[str]) -> Iterator[None]:
    """Processes that are started meanwhile print to a file."""
    sys.stderr.flush()
    kept = [os.dup(1), os.dup(2)]
    try:
        for number in (1, 2):
            os.dup2(log.fileno(), number)
        yield
    finally:
        for number, before in zip((1, 2), kept, strict=True):
            os.dup2(before, number)
            os.close(before)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _children() -> set[psutil.Process]:
    import psutil

    return set(psutil.Process().children(recursive=True))


def _end(processes: set[psutil.Process]) -> None:
    import psutil

    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.terminate()
    _, alive = psutil.wait_procs(processes, timeout=PATIENCE)
    for process in alive:
        with suppress(psutil.NoSuchProcess):
            process.kill()
