"""Reads the body of a response with status 200, in the forms in which endpoints send one."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from acbench.predictors.llm.messages import Usage

_THOUGHTS = ("reasoning_content", "reasoning")
"""Where endpoints put what a model thinks, or, if they are set up wrongly, all that it says."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Body:
    """What a body holds. Everything is untrusted; what is missing or makes no sense is empty."""

    text: str = ""
    """What the model says."""
    thoughts: str = ""
    """What it says in the place for thoughts."""
    finish: str = "None"
    model: str = ""
    refusal: str = ""
    """Why the model does not want to answer."""
    error: Mapping[str, Any] | None = None
    """An error that came with status 200, in the form of OpenAI's `error` objects."""
    has_choice: bool = False
    usage: Usage = field(default_factory=Usage)
    token_logprobs: tuple[tuple[str, float], ...] = ()


def read_body(data: bytes) -> Body:
    """Read a completion, or an error. Raises ValueError, which says what it is, for anything else."""
    value = _decode(data)
    value = value[0] if isinstance(value, list) and len(value) == 1 else value
    if not isinstance(value, dict):
        raise ValueError(f"JSON, but no completion: {data[:80]!r}")
    choices = value.get("choices")
    choice = choices[0] if isinstance(choices, list) and choices and isinstance(choices[0], dict) else None
    message = _mapping((choice or {}).get("message"))
    return Body(
        text=_text(message.get("content")),
        thoughts=next((_text(message[key]) for key in _THOUGHTS if _text(message.get(key)).strip()), ""),
        finish=str((choice or {}).get("finish_reason"))[:40],
        model=str(value.get("model") or "")[:200],
        refusal=_text(message.get("refusal")),
        error=_error(value, choice),
        has_choice=choice is not None,
        usage=_usage(value.get("usage")),
        token_logprobs=_logprobs((choice or {}).get("logprobs")),
    )


def usage_in(data: bytes) -> Usage:
    """The usage in the body of any response, also of a refusal; empty if it has none."""
    try:
        value = _decode(data)
    except ValueError:
        return Usage()
    return _usage(value.get("usage")) if isinstance(value, dict) else Usage()


def error_in(value: object) -> Mapping[str, Any] | None:
    """The error in a parsed body: `{"error": …}`, the same in a list, or the error itself; None if there is none."""
    value = value[0] if isinstance(value, list) and value else value
    if not isinstance(value, dict):
        return None
    error = value.get("error")
    if isinstance(error, dict):
        return error
    if error:
        return {"message": str(error)}
    return value if value.get("message") else None


def _decode(data: bytes) -> Any:
    """JSON, after comments that keep a connection alive, or the events of a stream put together."""
    text = data.decode("utf-8-sig", "replace").strip()
    while text.startswith(":"):  # a comment, as in a stream of events
        text = text.partition("\n")[2].strip()
    if text.startswith(("data:", "event:", "id:")):
        return _joined(text)
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise ValueError(f"not JSON: {data[:80]!r}") from None


def _joined(text: str) -> dict[str, Any]:
    """The completion that a stream of events adds up to, though no stream was asked for."""
    whole: dict[str, Any] = {}
    message: dict[str, Any] = {"content": "", "reasoning_content": ""}
    choice: dict[str, Any] = {"message": message}
    for line in text.splitlines():
        data = line.removeprefix("data:").strip()
        if not line.startswith("data:") or data == "[DONE]":
            continue
        try:
            event = json.loads(data)
        except (ValueError, RecursionError):
            raise ValueError(f"a stream of events that are not JSON: {data[:80]!r}") from None
        if not isinstance(event, dict):
            continue
        whole.update({key: value for key, value in event.items() if key != "choices" and value is not None})
        choices = event.get("choices")
        part = choices[0] if isinstance(choices, list) and choices and isinstance(choices[0], dict) else {}
        delta = _mapping(part.get("delta") or part.get("message"))
        message["content"] += _text(delta.get("content"))
        message["reasoning_content"] += next((_text(delta[key]) for key in _THOUGHTS if delta.get(key)), "")
        if part:
            choice["finish_reason"] = part.get("finish_reason") or choice.get("finish_reason")
            whole["choices"] = [choice]
    return whole


def _error(value: Mapping[str, Any], choice: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    if value.get("error"):
        return error_in(value)
    if choice is None:
        blocked = _mapping(value.get("prompt_feedback") or value.get("promptFeedback"))
        reason = blocked.get("block_reason") or blocked.get("blockReason")
        if reason:
            return {"code": "content_filter", "message": f"the prompt was blocked: {reason}"}
        return error_in(value)
    if choice.get("error"):
        return error_in({"error": choice["error"]})
    return {"message": "finish error"} if choice.get("finish_reason") == "error" else None


def _text(content: object) -> str:
    """The text of a content, which may come as a list of parts."""
    if isinstance(content, list):
        parts = (part.get("text") if isinstance(part, dict) else part for part in content)
        content = "".join(part for part in parts if isinstance(part, str))
    # Half a surrogate pair cannot be stored.
    return content.encode("utf-8", "replace").decode() if isinstance(content, str) else ""


def _usage(value: object) -> Usage:
    usage = _mapping(value)
    details = _mapping(usage.get("prompt_tokens_details"))
    dollars = usage.get("cost")
    told = isinstance(dollars, int | float) and not isinstance(dollars, bool) and 0 <= dollars < math.inf
    return Usage(
        tokens_in=_count(usage.get("prompt_tokens")),
        tokens_out=_count(usage.get("completion_tokens")),
        tokens_cached=_count(details.get("cached_tokens")) or 0,
        dollars=float(dollars) if told and dollars is not None else None,
    )


def _count(tokens: object) -> int | None:
    return tokens if isinstance(tokens, int) and not isinstance(tokens, bool) and 0 <= tokens < 1 << 40 else None


def _logprobs(value: object) -> tuple[tuple[str, float], ...]:
    rows = _mapping(value).get("content")
    rows = rows if isinstance(rows, list) else []
    found = [(row.get("token"), row.get("logprob")) for row in rows if isinstance(row, dict)]
    whole = all(isinstance(token, str) and isinstance(number, int | float) for token, number in found)
    return tuple((str(token), float(number)) for token, number in found) if whole else ()  # type: ignore[arg-type]


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
