"""Connects to one Label Studio server: proves who we are, bounds answers and names what goes wrong."""

from __future__ import annotations

import json
import re
import time
from functools import cached_property
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import httpx

from acbench._util.backoff import Backoff
from acbench.errors import AnnotationToolError, LostConnection

if TYPE_CHECKING:
    from label_studio_sdk.client import LabelStudio as Sdk

CONNECT = 5.0
"""Seconds to wait for a connection."""
READ = 600.0
"""Seconds to wait for an answer: a large import or export takes its time."""
TRIES = 3
"""How often a request without side effects is sent until an answer comes."""
BACKOFF = Backoff(first=0.4)
"""Waits between those."""
MAX_ANSWER = 1 << 30
"""Bytes of an answer, at most."""
OLDEST, NEWEST = (1, 23), (2, 0)
"""Versions of the server that are supported: from the first, up to but not including the second."""

_SHOWN = 300
"""Characters of a refusal that are shown."""


class Refusal(AnnotationToolError):
    """The server answered, and did not do what it was asked."""

    def __init__(self, message: str, hint: str, *, status: int) -> None:
        super().__init__(message, hint)
        self.status = status
        """HTTP status."""


class Connection(httpx.Client):
    """An HTTP client of one server, as one user. `key` is a legacy API token or a personal access token.

    The SDK of Label Studio works through this client, because by itself it would lack what acbench needs: a lost answer
    differs from a refusal, only a request without side effects is sent again, an answer has a largest size, and the key
    is in no object of the SDK that could be printed. Only what the SDK has no call for is requested directly.
    """

    def __init__(self, url: str, key: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname or parts.username or parts.password:
            raise AnnotationToolError(
                "LABEL_STUDIO_URL is not the address of a server",
                "give it as in http://localhost:8080; the key goes into LABEL_STUDIO_API_KEY",
            )
        if not re.fullmatch(r"[\x21-\x7e]+", key):
            raise AnnotationToolError(
                "LABEL_STUDIO_API_KEY holds characters that no key has", "copy it again from your account"
            )
        self.url = url.rstrip("/")
        self._key = key
        self._personal = key.count(".") == 2  # a personal access token is a JSON Web Token
        self._access_token = ""
        super().__init__(base_url=self.url, timeout=httpx.Timeout(READ, connect=CONNECT), follow_redirects=False)

    @cached_property
    def sdk(self) -> Sdk:
        """The client of Label Studio's own SDK, which works through this connection."""
        from label_studio_sdk.client import LabelStudio as Sdk  # takes a second

        return Sdk(base_url=self.url, api_key="sent by Connection", max_retries=0, httpx_client=self)  # type: ignore[no-untyped-call]

    def check_version(self) -> None:
        """Raises AnnotationToolError if the server is no Label Studio, or if its version is not supported."""
        version = self.get("/api/version").json()
        release = str(version.get("release", "")) if isinstance(version, dict) else ""
        numbers = tuple(int(part) for part in re.findall(r"\d+", release)[:2])
        if len(numbers) < 2:
            raise AnnotationToolError(f"{self.url} is not a Label Studio", "check LABEL_STUDIO_URL")
        if not OLDEST <= numbers < NEWEST:
            raise AnnotationToolError(
                f"{self.url} is Label Studio {release[:20]}; acbench works with {_dotted(OLDEST)} and newer, below"
                f" {_dotted(NEWEST)}",
                "update the server, or start one of your own: acbench review serve",
            )

    def send(self, request: httpx.Request, **options: object) -> httpx.Response:
        """The whole answer to a request, whatever httpx's `options` say. A GET that finds no answer is sent again.

        Raises LostConnection if no answer comes, Refusal if the server refuses, AnnotationToolError if a Label Studio
        would not answer so.
        """
        tries = TRIES if request.method == "GET" else 1
        for attempt in range(1, tries):
            try:
                return self._answer(request)
            except LostConnection:
                time.sleep(BACKOFF.seconds(attempt))
        return self._answer(request)

    def _answer(self, request: httpx.Request) -> httpx.Response:
        if self._personal and not self._access_token:
            self._refresh()
        answer = self._exchange(request)
        if answer.status_code == 401 and self._personal:  # its five minutes are over; nothing was done
            self._refresh()
            answer = self._exchange(request)
        if answer.status_code >= 300:
            raise self._refusal(request, answer)
        if answer.content and not _is_json(answer.content):
            raise AnnotationToolError(
                f"{self.url} is not a Label Studio: its answer is not JSON", "check LABEL_STUDIO_URL"
            )
        return answer

    def _refresh(self) -> None:
        """Exchange a personal access token for the short-lived one that requests carry."""
        self._access_token = ""
        request = self.build_request("POST", "/api/token/refresh/", json={"refresh": self._key})
        answer = self._exchange(request)
        if answer.status_code >= 300:
            raise self._refusal(request, answer)
        token = answer.json() if _is_json(answer.content) else None
        if not isinstance(token, dict) or not isinstance(token.get("access"), str):
            raise AnnotationToolError(
                f"{self.url} is not a Label Studio: it gives no access token", "check LABEL_STUDIO_URL"
            )
        self._access_token = token["access"]

    def _exchange(self, request: httpx.Request) -> httpx.Response:
        """The answer to a request that carries our key, read to its end."""
        if token := self._access_token if self._personal else self._key:
            request.headers["Authorization"] = f"{'Bearer' if self._personal else 'Token'} {token}"
        try:
            answer = super().send(request, stream=True)
            try:
                return httpx.Response(answer.status_code, content=self._body(answer), request=request)
            finally:
                answer.close()
        except httpx.ConnectError:
            raise LostConnection(
                f"no Label Studio answers at {self.url}", "start one: acbench review serve, or check LABEL_STUDIO_URL"
            ) from None
        except httpx.RequestError as error:
            raise LostConnection(
                f"{self.url} did not answer ({type(error).__name__})", "see that the server is up, then run again"
            ) from None

    def _body(self, answer: httpx.Response) -> bytes:
        """The bytes of an answer, within bounds."""
        body = bytearray()
        for part in answer.iter_bytes():
            body += part
            if len(body) > MAX_ANSWER:
                raise AnnotationToolError(
                    f"{self.url} answers with more than {MAX_ANSWER >> 20} MiB", "split the project"
                )
        return bytes(body)

    def _refusal(self, request: httpx.Request, answer: httpx.Response) -> AnnotationToolError:
        status, reason = answer.status_code, self._without_secrets(_reason(answer))
        if status in {401, 403}:
            hint = "copy the key from Account & Settings of Label Studio into LABEL_STUDIO_API_KEY"
            if "legacy" in reason.lower():
                hint = "take a personal access token, or allow legacy tokens in the organization's settings"
            return Refusal(f"{self.url} refuses the key in LABEL_STUDIO_API_KEY: {reason}", hint, status=status)
        if status in {502, 503, 504}:
            return LostConnection(f"{self.url} is not ready ({status})", "wait, then run again")
        return Refusal(
            f"{self.url}: {request.method} {request.url.path} ended with {status}: {reason}",
            "look into the log of the server, then run again",
            status=status,
        )

    def _without_secrets(self, text: str) -> str:
        for secret in filter(None, (self._key, self._access_token)):
            text = text.replace(secret, "…")
        return text


def _is_json(body: bytes) -> bool:
    try:
        json.loads(body)
    except (ValueError, RecursionError):
        return False
    return True


def _reason(answer: httpx.Response) -> str:
    """What a refusal says, in one line."""
    if not _is_json(answer.content):
        return "no reason given"
    reason = answer.json()
    if isinstance(reason, dict):
        reason = reason.get("validation_errors") or reason.get("detail") or reason
    return " ".join(str(reason).split())[:_SHOWN]


def _dotted(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))
