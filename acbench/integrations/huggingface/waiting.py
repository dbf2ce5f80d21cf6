"""Bounds the waits that a hub asks for: huggingface_hub would sleep as long as it is told, and say nothing."""

from __future__ import annotations

from typing import Any

from acbench._util.backoff import retry_after
from acbench.release.hub import Busy
from acbench.release.patience import LONGEST_WAIT


def bound_waits() -> None:
    """Have requests of huggingface_hub fail with Busy where a hub asks for a longer wait than `LONGEST_WAIT`."""
    from huggingface_hub import get_session

    session = get_session()
    hooks = session.event_hooks
    if refuse_long_wait not in hooks["response"]:
        session.event_hooks = {**hooks, "response": [*hooks["response"], refuse_long_wait]}


def refuse_long_wait(response: Any) -> None:
    """Raise Busy for an answer (of httpx) that asks for too long a wait."""
    if response.status_code in (429, 503) and (seconds := retry_after(response.headers) or 0.0) > LONGEST_WAIT:
        raise Busy(
            f"the hub asks for {seconds:,.0f} s of patience ({response.status_code})",
            "run the same command again then",
            seconds=seconds,
        )
