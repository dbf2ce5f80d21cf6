"""Makes a client for an OpenAI-compatible endpoint, and translates its failures. Slow to import."""

from __future__ import annotations

import ssl
import time
import zlib
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import httpx2
import openai

from acbench._util.backoff import retry_after
from acbench.integrations.openai.bodies import error_in, usage_in
from acbench.integrations.openai.endpoint import Endpoint, authorities
from acbench.integrations.openai.failures import error_of_connection, error_of_status
from acbench.predictors.llm.messages import LlmError

MAX_BODY = 8_000_000
"""Bytes of an answer, at most."""
_PIECE = 1 << 20
"""Bytes that compression gives at once, at most."""
MAX_FILE = 500_000_000
"""Bytes of a file with a batch's results, at most."""


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
        headers, body = error.response.headers, error.response.content
        found = error_in(error.body) if isinstance(error.body, dict | list) else None
        return error_of_status(
            endpoint,
            error.status_code,
            found,
            text="" if found else body[:20_000].decode("utf-8", "replace") or error.response.reason_phrase,
            retry_after=retry_after(headers),
            location=headers.get("location", ""),
            usage=usage_in(body),
        )
    cause = error.__cause__
    unsent = isinstance(cause, httpx2.ConnectError | httpx2.ConnectTimeout | httpx2.PoolTimeout)
    if isinstance(error, openai.APITimeoutError):
        return LlmError("timeout", f"{endpoint.host} took too long", may_cost=not unsent)
    if isinstance(error, openai.APIConnectionError):
        return error_of_connection(endpoint, cause, str(error), unsent=unsent)
    return LlmError("server", f"{endpoint.host}: {type(error).__name__}: {endpoint.scrub(str(error))}", may_cost=True)


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
    assert isinstance(response.stream, httpx2.SyncByteStream)
    most = MAX_FILE if response.request.url.path.endswith("/content") else MAX_BODY
    # Compression was not asked for. It is undone here, since the client would let a small body grow without bound.
    encoding = response.headers.pop("content-encoding", "identity").strip().lower()
    response.stream = _BoundedStream(response.stream, most, time.monotonic() + timeout, encoding)


class _BoundedStream(httpx2.SyncByteStream):
    def __init__(self, inner: httpx2.SyncByteStream, most: int, deadline: float, encoding: str) -> None:
        self._inner, self._most, self._deadline, self._encoding = inner, most, deadline, encoding

    def __iter__(self) -> Iterator[bytes]:
        size = 0
        for chunk in self._decoded():
            size += len(chunk)
            if size > self._most:
                raise LlmError("refused", f"an answer of more than {self._most:,} bytes", may_cost=True)
            if time.monotonic() > self._deadline:
                raise LlmError("timeout", "the answer took too long to arrive in full", may_cost=True)
            yield chunk

    def _decoded(self) -> Iterator[bytes]:
        if self._encoding in {"identity", ""}:
            yield from self._inner
            return
        if self._encoding not in {"gzip", "x-gzip", "deflate"}:
            message = f"the answer is compressed with {self._encoding[:40]}, although that was not asked for"
            raise LlmError("account", message, "switch compression off in the proxy before the endpoint", may_cost=True)
        try:
            unpacker = zlib.decompressobj(wbits=47)  # either header
            for chunk in self._inner:
                while chunk:
                    yield unpacker.decompress(chunk, _PIECE)
                    chunk = unpacker.unconsumed_tail
        except zlib.error:
            raise LlmError("server", "the answer says that it is compressed, and is not", may_cost=True) from None

    def close(self) -> None:
        self._inner.close()
