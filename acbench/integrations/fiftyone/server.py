"""Runs the server of the FiftyOne App: on a free port, and with an end that leaves no process behind."""

from __future__ import annotations

import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import TYPE_CHECKING

from acbench._util.stdout import reserved_stdout
from acbench.errors import AcbenchError
from acbench.integrations.fiftyone.dataset import AppDataset

if TYPE_CHECKING:
    import fiftyone as fo
    import psutil

HOST = "127.0.0.1"
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
def running_app(dataset: AppDataset, port: int, *, browser: bool) -> Iterator[fo.Session]:
    """Run the App on one dataset as long as the context lasts. Opens a browser if asked to.

    What FiftyOne prints meanwhile, from whichever thread, goes to stderr.
    """
    check_free(port)
    children = _children()
    previous = signal.signal(signal.SIGTERM, _interrupt)
    session: fo.Session | None = None
    try:
        with reserved_stdout():
            session = _launch(dataset, port, browser)
            yield session
    finally:
        with suppress(Exception):  # whatever state it is in: its processes are ended below
            if session is not None:
                session.close()
        _end(_children() - children)
        signal.signal(signal.SIGTERM, previous)


def _launch(dataset: AppDataset, port: int, browser: bool) -> fo.Session:
    import fiftyone as fo
    from fiftyone.core.service import ServiceException

    try:
        return fo.launch_app(dataset.data, port=port, address=HOST, remote=not browser)
    except ServiceException as error:
        raise AcbenchError(
            f"the App did not start: {error}", "run the same command again; a busy machine may have been too slow"
        ) from None


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
