"""The server of the FiftyOne App: a free port, a start, and an end that leaves no process behind."""

from __future__ import annotations

import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any

from acbench.errors import AcbenchError
from acbench.integrations.fiftyone import _stdout
from acbench.integrations.fiftyone.dataset import Shelf

PORT = 5151
"""FiftyOne's own."""
HERE = "127.0.0.1"
PATIENCE = 10
"""Seconds that a server has to end by itself."""


def see_that_free(port: int) -> None:
    """Raises AcbenchError if something listens on that port: FiftyOne would silently show what runs there."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HERE, port))
        except OSError as error:
            raise AcbenchError(
                f"port {port} cannot be used: {error.strerror}", f"give another one: --port {port + 1}"
            ) from None


@contextmanager
def app(shelf: Shelf, port: int, *, browser: bool) -> Iterator[Any]:
    """The App on one dataset, as long as the context lasts. Gives the session; opens a browser if asked to.

    What FiftyOne prints meanwhile, from whichever thread, goes to stderr.
    """
    see_that_free(port)
    children = _children()
    previous = signal.signal(signal.SIGTERM, _interrupt)
    session: Any = None
    try:
        with _stdout.for_results():
            session = _launched(shelf, port, browser)
            yield session
    finally:
        with suppress(Exception):  # whatever state it is in: its processes are ended below
            if session is not None:
                session.close()
        _end(_children() - children)
        signal.signal(signal.SIGTERM, previous)


def _launched(shelf: Shelf, port: int, browser: bool) -> Any:
    from fiftyone.core.service import ServiceException

    try:
        return shelf.fo.launch_app(shelf.data, port=port, address=HERE, remote=not browser)
    except ServiceException as error:
        raise AcbenchError(
            f"the App did not start: {error}", "run the same command again; a busy machine may have been too slow"
        ) from None


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _children() -> set[Any]:
    import psutil

    return set(psutil.Process().children(recursive=True))


def _end(processes: set[Any]) -> None:
    import psutil

    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.terminate()
    _, alive = psutil.wait_procs(processes, timeout=PATIENCE)
    for process in alive:
        with suppress(psutil.NoSuchProcess):
            process.kill()
