"""Says why a Label Studio did not do what it was asked, and what to do next."""

from __future__ import annotations

import re
from email.utils import parsedate_to_datetime
from time import time
from urllib.parse import urlsplit

import httpx

from acbench.errors import AnnotationToolError, LostConnection
from acbench.integrations.label_studio.answers import is_json

SHOWN = 300
"""Characters of a refusal that are shown."""

_FULL = re.compile(r"no space left on device|database or disk is full|disk quota exceeded|errno 28\b", re.IGNORECASE)
_SIGN_IN = re.compile(r"log-?in|sign-?in|sso|oauth|saml|/auth", re.IGNORECASE)


class Refusal(AnnotationToolError):
    """The server answered, and did not do what it was asked."""

    def __init__(self, message: str, hint: str, *, status: int) -> None:
        super().__init__(message, hint)
        self.status = status
        """HTTP status."""


class PutOff(Refusal):
    """The server wants to be asked later, and has done nothing."""

    seconds = 0.0
    """For how long; 0 if it does not say."""


def unreached(url: str, error: httpx.RequestError) -> LostConnection:
    """The error for a request to which no answer came."""
    said = " ".join(str(error).split())[:SHOWN]
    if "CERTIFICATE_VERIFY_FAILED" in said:
        why = re.sub(r".*certificate verify failed:?\s*|\s*\(_ssl.*", "", said) or "it cannot be checked"
        return LostConnection(
            f"the certificate of {url} is not trusted: {why}",
            "if it is your own, name it or the authority that signed it: export SSL_CERT_FILE=/path/to/ca.pem",
        )
    if "WRONG_VERSION_NUMBER" in said or "record layer failure" in said:
        return LostConnection(
            f"{url} does not speak https", "set LABEL_STUDIO_URL to http://…, if you trust the way there"
        )
    if isinstance(error, httpx.ConnectError):
        return LostConnection(
            f"no Label Studio answers at {url}", "start one: acbench review serve, or check LABEL_STUDIO_URL"
        )
    return LostConnection(f"{url} did not answer ({type(error).__name__})", "see that the server is up, then run again")


def refused(url: str, request: httpx.Request, answer: httpx.Response, why: str) -> AnnotationToolError:
    """The error for an answer whose status is an error. `why`: its `reason`, without secrets."""
    status = answer.status_code
    asked = f"{url}: {request.method} {request.url.path}"
    if status < 400:
        return _redirected(url, request, answer)
    if _FULL.search(why):
        hint = "make space where it runs (its database and uploads), then run again: nothing is sent twice"
        return Refusal(f"the disk of the server at {url} is full: {why}", hint, status=status)
    if status in {401, 403}:
        hint = "copy the key from Account & Settings of Label Studio into LABEL_STUDIO_API_KEY"
        if "legacy" in why.lower():
            hint = "take a personal access token, or allow legacy tokens in the organization's settings"
        return Refusal(f"{url} refuses the key in LABEL_STUDIO_API_KEY: {why}", hint, status=status)
    if status == 413:
        size = int(request.headers.get("Content-Length", 0)) / (1 << 20)
        return Refusal(
            f"{asked} was refused, because {size:.1f} MiB are too much for what stands before the server (413)",
            "let the proxy take larger requests; with nginx: client_max_body_size 100m;",
            status=status,
        )
    if status == 429:
        seconds = retry_after(answer)
        wait = f"{seconds:.0f} s" if seconds else "a while"
        error = PutOff(f"{url} takes no more requests for now (429)", f"wait {wait}, then run again", status=status)
        error.seconds = seconds
        return error
    if status == 507:
        return Refusal(f"the disk of the server at {url} is full (507)", "make space there, then run again", status=507)
    if status in {502, 503, 504}:
        return LostConnection(f"{url} is not ready ({status})", "wait, then run again")
    return Refusal(
        f"{asked} ended with {status}: {why}", "look into the log of the server, then run again", status=status
    )


def reason(answer: httpx.Response) -> str:
    """What a refusal says, in one line."""
    if not is_json(answer.content):
        text = answer.text[: 1 << 16]
        return found[0] if (found := _FULL.search(text)) else "no reason given"
    said = answer.json()
    if isinstance(said, dict):
        said = said.get("validation_errors") or said.get("detail") or said
    return " ".join(str(said).split())[:SHOWN]


def retry_after(answer: httpx.Response) -> float:
    """Seconds that a server asks to wait; 0 if it does not say."""
    text = answer.headers.get("Retry-After", "").strip()
    if re.fullmatch(r"\d{1,9}", text):
        return float(text)
    try:
        return max(parsedate_to_datetime(text).timestamp() - time(), 0.0)
    except (ValueError, TypeError, OverflowError):
        return 0.0


def _redirected(url: str, request: httpx.Request, answer: httpx.Response) -> Refusal:
    """The error for an answer that sends us elsewhere: nothing is followed, since a request carries a key."""
    status, place = answer.status_code, answer.headers.get("Location", "")
    try:
        target = str(request.url.join(place)).partition("?")[0][:SHOWN]
    except (httpx.InvalidURL, ValueError):
        target = ""
    if not place or not target:
        return Refusal(
            f"{url} sends us elsewhere ({status}) and does not say where", "check LABEL_STUDIO_URL", status=status
        )
    if _SIGN_IN.search(target):
        return Refusal(
            f"{url} sends us to a sign-in page ({status}): {target}",
            "a program needs a way to /api/ and /data/ that asks for the key alone: have the proxy let them through",
            status=status,
        )
    path = request.url.raw_path.decode("ascii").partition("?")[0]
    base = urlsplit(url).path
    start = target.removesuffix(path.removeprefix(base))
    if start != target and start.rstrip("/") != url:
        return Refusal(
            f"{url} sends us to {start} ({status})", f"use that: export LABEL_STUDIO_URL={start}", status=status
        )
    return Refusal(f"{url} sends us to {target} ({status})", "set LABEL_STUDIO_URL to where it is", status=status)
