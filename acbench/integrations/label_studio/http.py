"""Connects to one Label Studio server: proves who we are, bounds answers and names what goes wrong."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import httpx

from acbench._util.backoff import Backoff
from acbench.errors import AnnotationToolError, LostConnection
from acbench.integrations.label_studio import answers, failures
from acbench.integrations.label_studio.failures import PutOff

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

MAX_PAGE = 1 << 20
"""Characters of a page that are looked at."""
LONGEST_WAIT = 60.0
"""Seconds that a server may put off a request, at most: for longer, the user is told."""

_HEADERS = ("Content-Type", "Location", "Retry-After")
"""What is kept of the head of an answer."""


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
        try:
            super().__init__(base_url=self.url, timeout=httpx.Timeout(READ, connect=CONNECT), follow_redirects=False)
        except OSError as error:  # also ssl.SSLError
            raise AnnotationToolError(
                f"the certificates in SSL_CERT_FILE or SSL_CERT_DIR cannot be read: {error}", "see what they name"
            ) from None

    @cached_property
    def sdk(self) -> Sdk:
        """The client of Label Studio's own SDK, which works through this connection."""
        from label_studio_sdk.client import LabelStudio as Sdk  # takes a second

        return Sdk(base_url=self.url, api_key="sent by Connection", max_retries=0, httpx_client=self)  # type: ignore[no-untyped-call]

    def check_version(self) -> None:
        """Raises AnnotationToolError if the server is no Label Studio, or if its version is not supported."""
        release = str(self.get("/api/version").json()["release"])
        numbers = tuple(int(part) for part in re.findall(r"\d{1,9}", release)[:2])
        if len(numbers) < 2:
            raise AnnotationToolError(f"{self.url} is not a Label Studio", "check LABEL_STUDIO_URL")
        known = f"acbench works with {_dotted(OLDEST)} and newer, below {_dotted(NEWEST)}"
        if numbers < OLDEST:
            raise AnnotationToolError(
                f"{self.url} is Label Studio {release[:20]}; {known}",
                "update the server, or start one of your own: acbench review serve",
            )
        if numbers >= NEWEST:
            raise AnnotationToolError(
                f"{self.url} is Label Studio {release[:20]}, newer than this acbench knows; {known}",
                "pip install -U acbench; or start a server of your own: acbench review serve",
            )

    def send(self, request: httpx.Request, **options: object) -> httpx.Response:
        """The whole answer to a request, whatever httpx's `options` say. A GET that finds no answer is sent again, and
        so is any request that the server puts off.

        Raises LostConnection if no answer comes, Refusal if the server refuses, AnnotationToolError if a Label Studio
        would not answer so.
        """
        return self._tried(request, self._answer)

    def _tried(self, request: httpx.Request, ask: Callable[[httpx.Request], httpx.Response]) -> httpx.Response:
        attempt = 1
        while True:
            try:
                return ask(request)
            except PutOff as error:  # nothing was done
                if attempt == TRIES or error.seconds > LONGEST_WAIT:
                    raise
                time.sleep(max(error.seconds, BACKOFF.seconds(attempt)))
            except LostConnection:
                if attempt == TRIES or request.method != "GET":
                    raise
                time.sleep(BACKOFF.seconds(attempt))
            attempt += 1

    def _answer(self, request: httpx.Request) -> httpx.Response:
        if self._personal and not self._access_token:
            self._refresh()
        answer = self._exchange(request)
        if answer.status_code == 401 and self._personal:  # its five minutes are over; nothing was done
            self._refresh()
            answer = self._exchange(request)
        if answer.status_code >= 300:
            raise self._refusal(request, answer)
        answers.check(self.url, request.method, request.url.path, answer.content)
        return answer

    @cached_property
    def prefix(self) -> str:
        """The path under which a browser finds this server on its host, as its own pages say: `/ls`; mostly empty.

        Where no page tells, it is the path of our own address.
        """
        page = self._tried(self.build_request("GET", "/user/login/"), self._page)
        found = re.search(r'action="([^"?]*)/user/login', page.text[:MAX_PAGE])
        return found[1] if found else urlsplit(self.url).path

    def _page(self, request: httpx.Request) -> httpx.Response:
        """What people would see there, unless the server fails."""
        answer = self._exchange(request)
        if answer.status_code >= 500:
            raise self._refusal(request, answer)
        return answer

    def unshown(self, address: str, place: str = "") -> str:
        """What keeps a browser from showing a picture; empty if nothing does.

        `address`: as a task holds it, so that a page of the server asks for it. `place`: the address of the server for
        people, if it is not ours. Raises LostConnection if nothing answers there.
        """
        request = self.build_request("GET", httpx.URL(f"{place or self.url}/projects/").join(address))
        answer = self._exchange(request)
        kind = answer.headers.get("Content-Type", "of no kind").partition(";")[0]
        if answer.status_code != 200:
            return f"{request.url} ends with {answer.status_code}"
        return "" if kind.startswith("image/") else f"{request.url} is no picture, but {kind[:40]}"

    def _refresh(self) -> None:
        """Exchange a personal access token for the short-lived one that requests carry."""
        self._access_token = ""
        request = self.build_request("POST", "/api/token/refresh/", json={"refresh": self._key})
        answer = self._exchange(request)
        if answer.status_code >= 300:
            raise self._refusal(request, answer)
        try:
            answers.check(self.url, request.method, request.url.path, answer.content)
        except AnnotationToolError as error:
            raise AnnotationToolError(f"{error.message}: it gives no access token", error.hint) from None
        self._access_token = answer.json()["access"]

    def _exchange(self, request: httpx.Request) -> httpx.Response:
        """The answer to a request that carries our key, read to its end."""
        if token := self._access_token if self._personal else self._key:
            request.headers["Authorization"] = f"{'Bearer' if self._personal else 'Token'} {token}"
        try:
            answer = super().send(request, stream=True)
            try:
                body = self._body(answer)
            finally:
                answer.close()
        except httpx.RequestError as error:
            raise failures.unreached(self.url, error) from None
        kept = {name: answer.headers[name] for name in _HEADERS if name in answer.headers}
        return httpx.Response(answer.status_code, content=body, headers=kept, request=request)

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
        return failures.refused(self.url, request, answer, self._without_secrets(failures.reason(answer)))

    def _without_secrets(self, text: str) -> str:
        for secret in filter(None, (self._key, self._access_token)):
            text = text.replace(secret, "…")
        return text


def _dotted(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))
