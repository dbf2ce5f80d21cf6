"""The log of LLM calls that a client writes: what it has to be able to do, and the one in the ledger."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol, Self

from acbench.storage.ledger.calls import LEASE, Batch, BatchTable, Call, CallTable
from acbench.storage.ledger.database import Database

__all__ = ["LEASE", "Batch", "BatchLog", "Call", "CallLog", "LedgerCallLog", "OpenBatchLog", "OpenCallLog"]


class CallLog(Protocol):
    """Where a client keeps its calls; `CallTable` says what each method does."""

    def call(self, call_id: str) -> Call | None: ...
    def claim(self, call_id: str, model: str, owner: str, *, retry: bool = False) -> bool: ...
    def record_send(self, call_id: str) -> None: ...
    def settle(self, call_id: str, *, answer: str | None = None, error: str | None = None, cost: float) -> None: ...
    def release(self, call_id: str, *, cost: float) -> None: ...
    def reopen(self, call_ids: Iterable[str]) -> None: ...
    def dialect(self, model: str) -> str: ...
    def keep_dialect(self, model: str, dialect: str) -> None: ...


class BatchLog(CallLog, Protocol):
    """Where a client keeps its calls and batches; `CallTable` and `BatchTable` say what each method does."""

    def open_batch(self, name: str, model: str, sha256: str, call_ids: Sequence[str]) -> None: ...
    def submitted(self, name: str, batch_id: str) -> None: ...
    def open_batches(self, model: str) -> list[Batch]: ...
    def close_batch(self, name: str) -> None: ...


OpenCallLog = Callable[[], AbstractContextManager[CallLog]]
"""Opens a log for one thread."""
OpenBatchLog = Callable[[], AbstractContextManager[BatchLog]]
"""Opens a log for one thread."""


class LedgerCallLog(CallTable, BatchTable):
    """The calls and batches of a ledger, over a connection of their own, to be used as a context.

    Each thread needs its own. `base`: see `Database`.
    """

    def __init__(self, path: Path, base: Path | None = None) -> None:
        super().__init__(Database(path, base))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        self._database.__exit__(kind, error, trace)
