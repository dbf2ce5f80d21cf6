"""Cuts a stream of values into lists of one size."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TypeVar

T = TypeVar("T")


def chunks(values: Iterable[T], size: int) -> Iterator[list[T]]:
    """The values in lists of `size`; the last list may be shorter."""
    stream = iter(values)
    while chunk := list(islice(stream, size)):
        yield chunk
