"""Waits for threads, and notices an interrupt meanwhile.

A signal that comes just as a thread begins to wait for a lock does not end the wait: Python attends to it once the lock
is there. So whoever waits for what may take long, such as a network, waits for a moment at a time.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from concurrent.futures import Future, wait
from queue import Empty, SimpleQueue
from typing import TypeVar

T = TypeVar("T")

MOMENT = 0.5
"""Seconds until an interrupt is noticed."""


def received(queue: SimpleQueue[T]) -> T:
    """The next of a queue, once there is one."""
    while True:
        try:
            return queue.get(timeout=MOMENT)
        except Empty:
            continue


def result_of(future: Future[T]) -> T:
    """What comes of a future, once it is done. Raises what it raises."""
    while not future.done():
        wait([future], timeout=MOMENT)
    return future.result()


def as_they_end(futures: Collection[Future[T]]) -> Iterator[Future[T]]:
    """The futures, each once it is done."""
    done: SimpleQueue[Future[T]] = SimpleQueue()
    for future in futures:
        future.add_done_callback(done.put)
    count = len(futures)
    del futures  # and so what came of those that were given
    for _ in range(count):
        yield received(done)
