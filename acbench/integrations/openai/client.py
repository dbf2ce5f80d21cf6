"""Makes a client for an OpenAI-compatible endpoint, and translates its failures. Slow to import."""

from __future__ import annotations

import ssl
import time
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path

import httpx2
import openai

from acbench._util.backoff import retry_after
from acbench.integrations.openai.endpoint import Endpoint, authorities
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
    """A client that tries once, follows no redirects and reads bounded answers.

    Raises LlmError if the endpoint has a variable for its key, and that holds none.
    """
    key, named = endpoint.key, endpoint.key_env
    if named and not key:
        raise LlmError("auth", f"{endpoint.host} needs a key, and {named} is not set", f"export {named}=…")
    if not (key.isascii() and key.isprintable()):
        raise LlmError("auth", f"{named} holds characters that no key has", f"export {named}=…")
    return openai.OpenAI(
        api_key=key or "none",
        base_url=endpoint.base_url,
        default_query=dict(endpoint.query),
        max_retries=0,
        timeout=timeout,
        default_headers={"Accept-Encoding": "identity"},
        http_client=httpx2.Client(
            timeout=httpx2.Timeout(timeout, connect=min(10.0, timeout)),
            limits=httpx2.Limits(max_connections=None, max_keepalive_connections=connections),
            follow_redirects=False,
            trust_env=not endpoint.loopback,  # a proxy does not know our own machine
            verify=_trusted(),
            event_hooks={
                "request": [partial(_sign, endpoint=endpoint)],
                "response": [partial(_bound, timeout=timeout)],
            },
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
        return LlmError("auth", f"{message} ({endpoint.refused_key})", endpoint.key_hint)
    if status == 429 and error.code == "insufficient_quota":
        what = f"the account of the key in {endpoint.key_env or 'no variable'} has no credit"
        return LlmError("auth", f"{message} ({what})", endpoint.key_hint)
    if 300 <= status < 400:
        return LlmError("refused", f"{message}: redirects are not followed", "give the final URL as --llm-url")
    kind = _STATUS.get(status, "server" if status >= 500 else "refused")
    wait = retry_after(error.response.headers)
    return LlmError(kind, message, retry_after=wait, may_cost=status in _UPSTREAM)


def _trusted() -> ssl.SSLContext | bool:
    """Which authorities of certificates are trusted. Raises LlmError if the user's own ones cannot be read."""
    if not (path := authorities()):
        return True
    try:
        folder = Path(path).is_dir()
        return ssl.create_default_context(cafile=None if folder else path, capath=path if folder else None)
    except OSError as error:
        hint = "correct SSL_CERT_FILE or REQUESTS_CA_BUNDLE, or unset it"
        raise LlmError("auth", f"the certificates in {path} cannot be read: {error.strerror or error}", hint) from None


def _sign(request: httpx2.Request, *, endpoint: Endpoint) -> None:
    """Have a request carry the key of its endpoint, and nothing of OpenAI's account to anybody else."""
    request.headers.pop("authorization", None)
    request.headers.update(endpoint.headers)
    if not endpoint.is_openai:
        for name in ("openai-organization", "openai-project"):
            request.headers.pop(name, None)


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
