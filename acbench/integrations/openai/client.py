"""Makes a client for an OpenAI-compatible endpoint, and translates its failures. Slow to import."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from functools import partial

import httpx2
import openai

from acbench._util.backoff import retry_after
from acbench.integrations.openai.endpoint import KEY, Endpoint
from acbench.predictors.llm.messages import LlmError, LlmErrorKind

MAX_BODY = 8_000_000
"""Bytes of an answer, at most."""
MAX_FILE = 500_000_000
"""Bytes of a file with a batch's results, at most."""

_STATUS: Mapping[int, LlmErrorKind] = {
    401: "auth",
    403: "auth",
    408: "timeout",
    409: "server",
    429: "rate_limit",
    503: "rate_limit",
    529: "rate_limit",
}
_UPSTREAM = {408, 502, 504, 524}
"""A gateway gave up; the model behind it may have answered, and the call may be charged for."""


def connect(endpoint: Endpoint, timeout: float, connections: int) -> openai.OpenAI:
    """A client that tries once, follows no redirects and reads bounded answers. Raises LlmError without a key."""
    key = os.environ.get(KEY, "").strip()
    if not key and not endpoint.loopback:
        raise LlmError("auth", f"{endpoint.host} needs a key, and {KEY} is not set", f"export {KEY}=…")
    if not (key.isascii() and key.isprintable()):
        raise LlmError("auth", f"{KEY} holds characters that no key has", f"export {KEY}=…")
    return openai.OpenAI(
        api_key=key or "none",
        base_url=endpoint.url,
        max_retries=0,
        timeout=timeout,
        default_headers={"Accept-Encoding": "identity"},
        http_client=httpx2.Client(
            timeout=httpx2.Timeout(timeout, connect=min(10.0, timeout)),
            limits=httpx2.Limits(max_connections=None, max_keepalive_connections=connections),
            follow_redirects=False,
            trust_env=not endpoint.loopback,  # a proxy does not know our own machine
            event_hooks={"response": [partial(_bound, timeout=timeout)]},
        ),
    )


def llm_error(endpoint: Endpoint, error: openai.OpenAIError) -> LlmError:
    """A failure of the client as an LlmError, which says whether to try again and whether it may cost."""
    if isinstance(error, openai.APIStatusError):
        return _status_error(endpoint, error)
    cause = error.__cause__
    unsent = isinstance(cause, httpx2.ConnectError | httpx2.ConnectTimeout | httpx2.PoolTimeout)
    if isinstance(error, openai.APITimeoutError):
        return LlmError("timeout", f"{endpoint.host} took too long", may_cost=not unsent)
    if isinstance(error, openai.APIConnectionError):
        why = endpoint.scrub(f"{type(cause).__name__}: {cause}" if cause else str(error))
        return LlmError("connection", f"{endpoint.host}: {why}", "is the server running?", may_cost=not unsent)
    return LlmError("server", f"{endpoint.host}: {type(error).__name__}: {endpoint.scrub(str(error))}", may_cost=True)


def _status_error(endpoint: Endpoint, error: openai.APIStatusError) -> LlmError:
    status = error.status_code
    message = f"{endpoint.host} says {status}: {endpoint.scrub(_message(error))}"
    if status in {401, 403}:
        return LlmError("auth", f"{message} (the key in {KEY} is not accepted)", f"export {KEY}=…")
    if status == 429 and error.code == "insufficient_quota":
        return LlmError("auth", f"{message} (the account of the key in {KEY} has no credit)", f"export {KEY}=…")
    if 300 <= status < 400:
        return LlmError("refused", f"{message}: redirects are not followed", "give the final URL as --llm-url")
    kind = _STATUS.get(status, "server" if status >= 500 else "refused")
    wait = retry_after(error.response.headers)
    return LlmError(kind, message, retry_after=wait, may_cost=status in _UPSTREAM)


def _bound(response: httpx2.Response, *, timeout: float) -> None:
    """End a response that is too long, or too slow in all: the client itself only limits each pause."""
    # Compression was not asked for; undoing it would let a small body grow without bound.
    response.headers.pop("content-encoding", None)
    assert isinstance(response.stream, httpx2.SyncByteStream)
    most = MAX_FILE if response.request.url.path.endswith("/content") else MAX_BODY
    response.stream = _BoundedStream(response.stream, most, time.monotonic() + timeout)


class _BoundedStream(httpx2.SyncByteStream):
    def __init__(self, inner: httpx2.SyncByteStream, most: int, deadline: float) -> None:
        self._inner, self._most, self._deadline = inner, most, deadline

    def __iter__(self) -> Iterator[bytes]:
        size = 0
        for chunk in self._inner:
            size += len(chunk)
            if size > self._most:
                raise LlmError("refused", f"an answer of more than {self._most:,} bytes", may_cost=True)
            if time.monotonic() > self._deadline:
                raise LlmError("timeout", "the answer took too long to arrive in full", may_cost=True)
            yield chunk

    def close(self) -> None:
        self._inner.close()


def _message(error: openai.APIStatusError) -> str:
    body = error.body
    reason = body.get("message") if isinstance(body, dict) else body
    return str(reason or error.response.reason_phrase or "no reason")
