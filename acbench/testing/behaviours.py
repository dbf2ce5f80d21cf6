"""How real endpoints behave, by name: each makes a `FakeEndpoint` do what public reports describe.

```python
with FakeEndpoint() as endpoint:
    BEHAVIOURS["thinks"](endpoint)
```

`python -m acbench.testing --behaviour thinks` serves one.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Mapping
from typing import Any

from acbench.testing.endpoint import (
    FakeEndpoint,
    Fault,
    Json,
    any_form,
    classes_of,
    question_pictures,
    refusal,
)

HIDDEN = 3_000
"""Tokens that a thinking model uses before its answer."""
AFTER = 5
"""Questions about images that are answered before an account or a model is gone."""

Behaviour = Callable[[FakeEndpoint], None]


def _limit(body: Json) -> int:
    return int(body.get("max_completion_tokens") or body.get("max_tokens") or 1 << 20)


def _schema(body: Json) -> str:
    return json.dumps(body.get("response_format", {}).get("json_schema", {}))


def _is_real(body: Json) -> bool:
    """Whether a question is about an image of a dataset, and no vision check."""
    return bool(classes_of(body))


def thinks(endpoint: FakeEndpoint) -> None:
    """Think thousands of hidden tokens; take neither `max_tokens` nor a temperature (GPT-5, o-series)."""

    def refuses(body: Json) -> Fault | None:
        if "max_tokens" in body:
            return refusal(400, "Unsupported parameter: 'max_tokens' is not supported. Use 'max_completion_tokens'.")
        if "temperature" in body:
            return refusal(400, "Unsupported value: 'temperature' does not support 0 with this model.")
        return None

    def shape(body: Json, good: Json) -> Json:
        usage = {**good["usage"], "completion_tokens": HIDDEN + good["usage"]["completion_tokens"]}
        if _limit(body) >= usage["completion_tokens"]:
            return {**good, "usage": usage}
        usage["completion_tokens"] = _limit(body)
        return _with(good, message={"content": ""}, finish_reason="length", usage=usage)

    endpoint.refuses, endpoint.shape = refuses, shape


def never_ends_thinking(endpoint: FakeEndpoint) -> None:
    """Think until the limit, however high it is."""

    def shape(body: Json, good: Json) -> Json:
        usage = {**good["usage"], "completion_tokens": _limit(body)}
        return _with(good, message={"content": None}, finish_reason="length", usage=usage) if _is_real(body) else good

    endpoint.shape = shape


def _text(change: Callable[[str], str]) -> Behaviour:
    """Answer about images with the good text changed."""

    def behave(endpoint: FakeEndpoint) -> None:
        answer = endpoint.answer
        endpoint.answer = lambda body: change(answer(body)) if _is_real(body) else answer(body)

    return behave


def _json(change: Callable[[Json], Any]) -> Behaviour:
    """Answer about images with the good JSON changed."""
    return _text(lambda text: json.dumps(change(json.loads(text))))


def _refuses(matches: Callable[[Json], bool], fault: Fault) -> Behaviour:
    def behave(endpoint: FakeEndpoint) -> None:
        endpoint.refuses = lambda body: fault if matches(body) else None

    return behave


def _after(fault: Fault) -> Behaviour:
    """Answer AFTER questions about images, and then no more."""

    def behave(endpoint: FakeEndpoint) -> None:
        seen = 0

        def refuses(body: Json) -> Fault | None:
            nonlocal seen
            if not _is_real(body):
                return None
            with endpoint.lock:
                seen += 1
            return fault if seen > AFTER else None

        endpoint.refuses = refuses

    return behave


def _some(fault: Fault) -> Behaviour:
    """Refuse about a quarter of the images, always the same ones."""

    def behave(endpoint: FakeEndpoint) -> None:
        def refuses(body: Json) -> Fault | None:
            if not _is_real(body):
                return None
            pixels = question_pictures(body)[-1].resize((1, 1)).getpixel((0, 0))
            return fault if sum(pixels) % 4 == 0 else None  # type: ignore[arg-type]

        endpoint.refuses = refuses

    return behave


def _body(make: Callable[[Json], bytes], **headers: str) -> Behaviour:
    """Send the good completion in another form."""

    def behave(endpoint: FakeEndpoint) -> None:
        endpoint.plan = lambda number, text: Fault(body=make, headers=headers)

    return behave


def _shape(change: Callable[[Json, Json], Json]) -> Behaviour:
    def behave(endpoint: FakeEndpoint) -> None:
        endpoint.shape = change

    return behave


def _first_of_each(fault: Fault) -> Behaviour:
    """Answer each question about an image when it is asked the second time."""

    def behave(endpoint: FakeEndpoint) -> None:
        seen: set[str] = set()

        def refuses(body: Json) -> Fault | None:
            text = json.dumps(body["messages"])
            if not _is_real(body) or text in seen:
                return None
            seen.add(text)
            return fault

        endpoint.refuses = refuses

    return behave


def _with(good: Json, *, message: Mapping[str, Any] | None = None, usage: Any = None, **fields: Any) -> Json:
    choice = good["choices"][0]
    changed = {**choice, **fields, "message": {**choice["message"], **(message or {})}}
    return {**good, "choices": [changed], "usage": usage or good["usage"]}


def _events(good: Json) -> bytes:
    """A completion as a stream of events."""
    text = good["choices"][0]["message"]["content"]
    parts = [text[start : start + 20] for start in range(0, len(text), 20)]
    deltas: list[Json] = [{"choices": [{"index": 0, "delta": {"content": part}}]} for part in parts]
    last = {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}], "usage": good["usage"]}
    lines = [f"data: {json.dumps({'model': good['model'], **event})}\n\n" for event in [*deltas, last]]
    return ("".join(lines) + "data: [DONE]\n\n").encode()


def _more_usage(**fields: Any) -> Behaviour:
    return _shape(lambda body, good: {**good, "usage": {**good["usage"], **fields}})


def _dear(body: Json, good: Json) -> Json:
    usage = {key: 15 * count for key, count in good["usage"].items()}
    usage["prompt_tokens"] += 15 * 700 * len(question_pictures(body))
    return {**good, "usage": usage} if _is_real(body) else good


_FILTER = {"hate": {"filtered": False}, "violence": {"filtered": True, "severity": "medium"}}
_MAX_LENGTH = (
    "Invalid schema for response_format 'answer': In context=('properties', 'reason'), 'maxLength' is not permitted."
)
_EXTRA_KEYS = (
    "Invalid JSON payload received. Unknown name \"additionalProperties\" at 'generation_config.response_schema'"
)

BEHAVIOURS: Mapping[str, Behaviour] = {
    # models that think
    "thinks": thinks,
    "never ends thinking": never_ends_thinking,
    "thinks aloud": _text(lambda text: f"<think>\nIs it {{a}} or b?\n</think>\n\n{text}"),
    "thinks aloud, begun by the server": _text(lambda text: f"Is it a or b?\n</think>\n{text}"),
    "thinks aloud, without an end": _text(lambda text: f"<think>\nIs it a or b? So it is:\n{text}"),
    # servers that are strict
    "refuses maxLength": _refuses(lambda body: "maxLength" in _schema(body), refusal(400, _MAX_LENGTH)),
    "refuses many states": _refuses(
        lambda body: "maxLength" in _schema(body),
        Fault(status=400, body=b'[{"error": {"code": 400, "message": "The specified schema produces a constraint that'
              b' has too many states for serving.", "status": "INVALID_ARGUMENT"}}]'),
    ),
    "refuses additionalProperties": _refuses(
        lambda body: "additionalProperties" in _schema(body), refusal(400, _EXTRA_KEYS)
    ),
    "refuses a system message": _refuses(
        lambda body: body["messages"][0]["role"] == "system", refusal(400, "System role not supported")
    ),
    # every question is refused
    "takes one image": _refuses(
        lambda body: len(question_pictures(body)) > 1,
        Fault(status=400, body=b'{"object": "error", "message": "At most 1 image(s) may be provided in one prompt.",'
              b' "type": "BadRequestError", "param": null, "code": 400}'),
    ),
    "takes small requests": _refuses(
        _is_real, Fault(status=413, body=b"<html><h1>413 Request Entity Too Large</h1><hr>nginx</html>")
    ),
    "has a short context": _refuses(
        _is_real, refusal(400, "This model's maximum context length is 2048 tokens. You requested 3171 tokens.")
    ),
    # the account, or the model, is gone in the middle
    "runs out of credit": _after(refusal(402, "Insufficient credits. Add more at the account's page.", code=402)),
    "uses up its quota": _after(refusal(429, "You exceeded your current quota.", code="insufficient_quota")),
    "is retired": _after(refusal(404, "The model `m` has been deprecated.", code="model_not_found")),
    # some images are filtered
    "flags some": _some(
        refusal(403, "Input was flagged", code=403, metadata={"reasons": ["violence"], "flagged_input": "…"})
    ),
    "filters some": _some(
        refusal(400, "The response was filtered.", code="content_filter",
                innererror={"code": "ResponsibleAIPolicyViolation", "content_filter_result": _FILTER})
    ),
    # errors with status 200
    "says 200 to an error": _first_of_each(
        Fault(free=True, body=json.dumps({"error": {"code": 429, "message": "Rate limited upstream"}}).encode())
    ),
    "has no choices": _first_of_each(Fault(free=True, body=b'{"id": "x", "choices": null}')),
    "breaks off": _first_of_each(
        Fault(body=lambda good: json.dumps(
            _with(good, message={"content": '{"reason": "a da'}, finish_reason="error")).encode())
    ),
    # forms of an answer
    "talks around": _text(lambda text: f"Sure! Here is my answer:\n\n{text}\n\nI hope that this helps."),
    "fences with CRLF": _text(lambda text: f"```json\r\n{text}\r\n```"),
    "shows its end token": _text(lambda text: f"{text}<|im_end|>"),
    "answers a list": _json(lambda answer: [answer]),
    "writes confidence as text": _json(lambda answer: {**answer, "confidence": "0.95"}),
    "writes confidence in percent": _json(lambda answer: {**answer, "confidence": "95%"}),
    "writes labels as text": _json(lambda answer: {**answer, "labels": answer["labels"][0]}),
    "adds keys": _json(lambda answer: {**answer, "severity": "high"}),
    # forms of a body
    "sends parts": _shape(lambda body, good: _with(
        good, message={"content": [{"type": "text", "text": good["choices"][0]["message"]["content"]}]})),
    "answers in its thoughts": _shape(lambda body, good: _with(
        good, message={"content": None, "reasoning_content": good["choices"][0]["message"]["content"]})),
    "streams": _body(_events, **{"content-type": "text/event-stream"}),
    "comments": _body(lambda good: b": PROCESSING\n\n: PROCESSING\n\n" + json.dumps(good).encode()),
    "compresses": _body(lambda good: gzip.compress(json.dumps(good).encode()), **{"content-encoding": "gzip"}),
    # the bill
    "tells its cost": _more_usage(cost=0.00123),
    "has a cache": _more_usage(prompt_tokens_details={"cached_tokens": 900}),
    "is dear": _shape(_dear),
    "resets": _first_of_each(Fault(reset=True)),
    # what else is odd
    "is another model": _shape(lambda body, good: {**good, "model": "something-else"}),
    "cuts prompts": _more_usage(prompt_tokens=100),
}  # fmt: skip
"""Name → behaviour. Each answers as `any_form` does wherever it answers at all, once `behave` has set it up."""


def behave(endpoint: FakeEndpoint, name: str) -> None:
    """Have an endpoint see pictures, name the last class, and behave in one of the BEHAVIOURS.

    Raises KeyError for a name that is none.
    """
    endpoint.answer = any_form
    BEHAVIOURS[name](endpoint)
