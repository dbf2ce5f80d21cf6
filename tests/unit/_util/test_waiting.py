"""Whoever waits for a thread notices an interrupt, also one that comes as the wait begins."""

from __future__ import annotations

import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from queue import SimpleQueue

import pytest

from acbench._util import waiting
from acbench._util.waiting import as_they_end, received, result_of

PATIENCE = 30.0
"""Seconds after which what is waited for comes: a wait that nothing interrupts ends then, and the test fails."""
Wait = Callable[["Future[int]", "SimpleQueue[int]"], object]
WAITS: dict[str, Wait] = {
    "queue": lambda _, queue: received(queue),
    "future": lambda future, _: result_of(future),
    "futures": lambda future, _: next(as_they_end([future])),
}


def files(thread: int) -> Iterator[str]:
    """The modules in which a thread is now."""
    frame = sys._current_frames().get(thread)
    while frame is not None:
        yield frame.f_code.co_filename
        frame = frame.f_back


@pytest.mark.parametrize("kind", WAITS)
def test_an_interrupt_that_wakes_nobody_ends_the_wait(kind: str) -> None:
    future, queue, main = Future[int](), SimpleQueue[int](), threading.get_ident()
    noticed, came = threading.Event(), threading.Event()

    def interrupt() -> None:
        while waiting.__file__ not in files(main) and not noticed.is_set():
            time.sleep(0.001)
        signal.raise_signal(signal.SIGINT)  # in this thread: the one that waits is not woken, and may be about to wait
        if not noticed.wait(PATIENCE):
            came.set()
            future.set_result(1)
            queue.put(1)

    thread = threading.Thread(target=interrupt)
    try:
        with pytest.raises(KeyboardInterrupt):
            thread.start()
            WAITS[kind](future, queue)
        assert not came.is_set(), "it was only noticed once the wait was over"
    finally:
        noticed.set()
        thread.join()


def test_what_is_waited_for_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "MOMENT", 0.001)
    queue, go = SimpleQueue[int](), threading.Event()
    with ThreadPoolExecutor(2) as pool:
        first, last = pool.submit(int, 1), pool.submit(lambda: go.wait() and 2)
        ended = as_they_end([last, first])
        assert next(ended) is first
        pool.submit(lambda: (go.set(), queue.put(3)))
        assert (result_of(last), received(queue)) == (2, 3)
        assert list(ended) == [last]
        failed = pool.submit(int, "none")
        with pytest.raises(ValueError, match="none"):
            result_of(failed)
        assert list(as_they_end([failed, first])) == [failed, first]
