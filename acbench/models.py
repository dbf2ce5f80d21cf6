"""The models that settings name, built in one place, whichever process asks them.

Nothing is loaded yet, and what is not chosen is not imported: most commands need none of them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from acbench.adapters.backbone import backbone
from acbench.errors import AcbenchError
from acbench.settings import Settings

if TYPE_CHECKING:
    from acbench.caller import Budget, LedgerCaller
    from acbench.caller.log import OpensLog
    from acbench.calls import Caller, ChatModel
    from acbench.proposers import ClipModel

LOCAL = "local:"
"""Marks a model that runs on this machine."""


image_model = backbone
"""Gives the one that turns crops into vectors."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Calls:
    """How one run makes calls; not remembered."""

    budget: float | None = None
    """Dollars."""
    concurrency: int = 8
    timeout: float = 120.0
    """Seconds for one attempt."""
    batch: bool = False
    retry_errors: bool = False
    no_canary: bool = False


def clip(settings: Settings, tell: Callable[[str], None]) -> Callable[[], ClipModel] | None:
    """Gives the model of `clip`; None if none was chosen."""
    if not settings.clip_model:
        return None
    from acbench.adapters.openclip import open_clip_model

    return cache(partial(open_clip_model, settings.clip_model, settings.clip_weights, tell=tell))


def caller(
    settings: Settings, calls: Calls, ledger: Path | OpensLog, budget: Budget | None = None, **more: Any
) -> Callable[[], Caller] | None:
    """Gives the way to the model of `llm`; None if none was chosen. `budget`: one that others share."""
    return cache(partial(_caller, settings, calls, ledger, budget, more)) if settings.llm else None


def _caller(
    settings: Settings, calls: Calls, ledger: Path | OpensLog, budget: Budget | None, more: dict[str, Any]
) -> LedgerCaller:
    """Raises AcbenchError if the model cannot be had, or options do not agree."""
    from acbench.caller import BatchCaller, Budget, Dialer, LedgerCaller
    from acbench.calls import Price

    price = Price(*settings.llm_price) if settings.llm_price else Price()
    limit = calls.budget
    if settings.llm.startswith(LOCAL):
        from acbench.adapters.chat_transformers import chat_transformers

        if calls.batch:
            raise AcbenchError("--batch is for endpoints, and this model runs here", "leave --batch out")
        model: ChatModel = chat_transformers(settings.llm.removeprefix(LOCAL), batch=calls.concurrency)
        limit = None  # it costs nothing
    else:
        from acbench.adapters.batch_openai import OpenAIBatches
        from acbench.adapters.chat_openai import chat_openai

        model = chat = chat_openai(
            settings.llm, settings.llm_url, price=price, timeout=calls.timeout, connections=calls.concurrency
        )
        if calls.batch:
            more = {**more, "door": OpenAIBatches(chat)}
    return (BatchCaller if calls.batch else LedgerCaller)(
        dialer=Dialer(model=model, budget=budget or Budget(limit=limit), concurrency=calls.concurrency),
        ledger=ledger,
        retry_errors=calls.retry_errors,
        prove_sight=not calls.no_canary,
        **more,
    )
