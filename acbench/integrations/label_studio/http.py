"""HTTP to a Label Studio server: who we are, what its refusals mean, and when no answer came."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import httpx

from acbench.errors import AnnotationToolError, LostConnection

CONNECT = 5.0
"""Seconds to wait for a connection."""
READ = 600.0
"""Seconds to wait for an answer: a large import or export takes its time."""
TRIES = 3
"""So often a question without side effects is asked."""
MAX_ANSWER = 1 << 30
"""Bytes of an answer, at most."""
OLDEST, NEWEST = (1, 23), (2, 0)
"""Versions of the server that are supported: from the one, up to but not the other."""

_SHOWN = 300


class Http:
    """One server, as one user. `key`: a legacy API token or a personal access token."""

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
        self._authorization = "" if self._personal else f"Token {key}"
        self._client = httpx.Client(
            base_url=self.url, timeout=httpx.Timeout(READ, connect=CONNECT), follow_redirects=False
        )

    def close(self) -> None:
        self._client.close()

    def get(self, path: str, **parameters: Any) -> Any:
        """An answer, asked for again if none comes."""
        for attempt in range(1, TRIES + 1):
            try:
                return self._json(self._asked("GET", path, params=parameters))
            except LostConnection:
                if attempt == TRIES:
                    raise
                time.sleep(0.3 * attempt)
        raise AssertionError

    def send(self, method: str, path: str, **content: Any) -> Any:
        """An answer to something that may change the server; never sent twice."""
        return self._json(self._asked(method, path, **content))

    def check_version(self) -> str:
        """The server's version. Raises DeskError if it is no Label Studio, or one that is not supported."""
        found = self.get("/api/version")
        release = str(found.get("release", "")) if isinstance(found, Mapping) else ""
        numbers = tuple(int(part) for part in re.findall(r"\d+", release)[:2])
        if len(numbers) < 2:
            raise AnnotationToolError(f"{self.url} is not a Label Studio", "check LABEL_STUDIO_URL")
        if not OLDEST <= numbers < NEWEST:
            raise AnnotationToolError(
                f"{self.url} is Label Studio {release[:20]}; acbench works with {_dotted(OLDEST)} and newer, below"
                f" {_dotted(NEWEST)}",
                "update the server, or start one of your own: acbench review serve",
            )
        return release

    def _asked(self, method: str, path: str, **content: Any) -> httpx.Response:
        if self._personal and not self._authorization:
            self._refresh()
        answer = self._send(method, path, **content)
        if answer.status_code == 401 and self._personal:  # its five minutes are over; nothing was done
            self._refresh()
            answer = self._send(method, path, **content)
        if answer.status_code < 400:
            return answer
        raise self._refusal(method, path, answer)

    def _send(self, method: str, path: str, **content: Any) -> httpx.Response:
        headers = {"Authorization": self._authorization} if self._authorization else {}
        try:
            with self._client.stream(method, path, headers=headers, **content) as answer:
                return self._whole(answer)
        except httpx.ConnectError:
            raise LostConnection(
                f"no Label Studio answers at {self.url}", "start one: acbench review serve, or check LABEL_STUDIO_URL"
            ) from None
        except httpx.RequestError as error:
            raise LostConnection(
                f"{self.url} did not answer ({type(error).__name__})", "see that the server is up, then run again"
            ) from None

    def _whole(self, answer: httpx.Response) -> httpx.Response:
        """An answer that has been read to its end, within bounds."""
        body = bytearray()
        for part in answer.iter_bytes():
            body += part
            if len(body) > MAX_ANSWER:
                raise AnnotationToolError(
                    f"{self.url} answers with more than {MAX_ANSWER >> 20} MiB", "split the project"
                )
        return httpx.Response(answer.status_code, content=bytes(body))

    def _refresh(self) -> None:
        answer = self._send("POST", "/api/token/refresh/", json={"refresh": self._key})
        if answer.status_code >= 400:
            raise self._refusal("POST", "/api/token/refresh/", answer)
        found = self._json(answer)
        if not isinstance(found, dict) or not isinstance(found.get("access"), str):
            raise AnnotationToolError(
                f"{self.url} is not a Label Studio: it gives no access token", "check LABEL_STUDIO_URL"
            )
        self._authorization = f"Bearer {found['access']}"

    def _refusal(self, method: str, path: str, answer: httpx.Response) -> AnnotationToolError:
        said = _said(answer).replace(self._key, "…")
        if answer.status_code in {401, 403}:
            hint = "copy the key from Account & Settings of Label Studio into LABEL_STUDIO_API_KEY"
            if "legacy" in said.lower():
                hint = "take a personal access token, or allow legacy tokens in the organization's settings"
            return AnnotationToolError(f"{self.url} refuses the key in LABEL_STUDIO_API_KEY: {said}", hint)
        if answer.status_code in {502, 503, 504}:
            return LostConnection(f"{self.url} is not ready ({answer.status_code})", "wait, then run again")
        where = f"{method} {path} ended with {answer.status_code}"
        return AnnotationToolError(f"{self.url}: {where}: {said}", "look into the log of the server, then run again")

    def _json(self, answer: httpx.Response) -> Any:
        if not answer.content:
            return None
        try:
            return answer.json()
        except ValueError:
            raise AnnotationToolError(
                f"{self.url} is not a Label Studio: its answer is not JSON", "check LABEL_STUDIO_URL"
            ) from None


def _said(answer: httpx.Response) -> str:
    """What a refusal says, in one line."""
    try:
        found = answer.json()
    except ValueError:
        return "no reason given"
    if isinstance(found, dict):
        found = found.get("validation_errors") or found.get("detail") or found
    return " ".join(str(found).split())[:_SHOWN]


def _dotted(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))
