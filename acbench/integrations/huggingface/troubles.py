"""Turns the errors of huggingface_hub into ours: what the hub, the network or this machine refuses is said as that."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from acbench._util.backoff import retry_after
from acbench._util.machine import fault_of_machine
from acbench.errors import AcbenchError
from acbench.integrations.huggingface.waiting import bound_waits
from acbench.release.hub import Busy, Conflict, HubError, Unclear

WRITE = "write"
"""What may be done at the hub besides `read`."""
_TOKEN = re.compile(r"hf_\w+")
_ADDRESS = re.compile(r"https?://[^\s'\"<>)]+")
_TOLD = re.compile(r"status (?:client|server) error \(([45]\d\d)\b")
_TRANSPORT = frozenset({"TransportError", "RequestException", "ConnectionError", "TimeoutError", "HTTPError"})


@contextmanager
def hub_errors(repo: str, revision: str | None = None, doing: str = "read") -> Iterator[None]:
    """Turn the errors of huggingface_hub into ours, without what could be secret. `doing`: `read` or `WRITE`."""
    try:
        bound_waits()
        yield
    except AcbenchError:
        raise
    except Exception as error:
        raise as_ours(error, repo, revision, doing) from None


def token_hint(doing: str) -> str:
    """Say which token is wanted, and where to get it."""
    return f"set HF_TOKEN to a token that may {doing} there; your tokens: {_endpoint()}/settings/tokens"


def _endpoint() -> str:
    from huggingface_hub import constants

    return str(constants.ENDPOINT)


def as_ours(error: Exception, repo: str, revision: str | None, doing: str) -> Exception:
    """Our error for one of huggingface_hub; what comes from neither the hub nor the connection stays as it is."""
    from huggingface_hub.errors import RepositoryNotFoundError, RevisionNotFoundError

    status = status_of(error)
    text = shown(str(error))
    if status is None and not _names(error) & _TRANSPORT and (why := fault_of_machine(error)):
        return HubError(
            f"{why}: this machine has no place for what it downloads of {repo}", f"make room in {_cache()}, or let"
            " HF_HOME name a folder on a larger disk",
        )  # fmt: skip
    if "OfflineModeIsEnabled" in _names(error):
        return Unclear("the hub is not asked, since HF_HUB_OFFLINE is set", "unset HF_HUB_OFFLINE, then run it again")
    if isinstance(error, RevisionNotFoundError):
        return HubError(f"{repo} has no revision {revision}", "give a tag such as v1.0.0, a branch or a commit")
    if status in (401, 403) or (isinstance(error, RepositoryNotFoundError) and status == 401):
        return HubError(f"the hub refuses access to {repo} ({status})", token_hint(doing))
    if isinstance(error, RepositoryNotFoundError):
        return HubError(f"there is no dataset {repo} on the hub", "check the name, and HF_TOKEN if it is private")
    if status in (409, 412):
        return Conflict(f"{repo} was changed by somebody else meanwhile")
    if status == 413:
        return HubError(
            f"the hub takes no files of this size for {repo} (413)",
            "ask whoever runs the hub for room, or publish --labels-only",
        )
    if status in (429, 503):
        why = "the hub asks for patience (429)" if status == 429 else "the hub has no capacity at the moment (503)"
        return Busy(why, seconds=retry_after(_headers(error)))
    if status is not None and status < 500:
        return HubError(f"the hub refuses ({status}): {text}", "see the message; HF_DEBUG=1 shows the request")
    if status is not None:
        return Unclear(f"the hub has a problem ({status})", "run the same command again later")
    if isinstance(error, (json.JSONDecodeError, KeyError)):
        return Unclear("the hub's answer cannot be read", "run the same command again later")
    if _is_transport(error):
        return Unclear(f"the hub does not answer ({type(error).__name__})", "check the network, then run it again")
    return error


def shown(text: str) -> str:
    """A message without tokens, and without addresses of anybody but the hub: they may be signed, or lead anywhere."""
    host = _endpoint()
    known = _ADDRESS.sub(lambda found: found[0] if found[0].startswith(f"{host}/") else "…", text)
    return " ".join(_TOKEN.sub("hf_…", known).split())[:300]


def _cache() -> str:
    from huggingface_hub import constants

    return str(constants.HF_HUB_CACHE)


def _names(error: Exception) -> set[str]:
    """What an error is, in any library that huggingface_hub has used."""
    return {kind.__name__ for kind in type(error).__mro__}


def _is_transport(error: Exception) -> bool:
    """Whether a connection failed."""
    if _names(error) & _TRANSPORT:
        return True
    return isinstance(error, (RuntimeError, OSError)) and getattr(error, "filename", None) is None  # no file of ours


def status_of(error: Exception) -> int | None:
    """The HTTP status of an answer, whichever library it comes from: hf_xet tells it in words only, and an error of
    storing hides the answer behind another one."""
    for each in _chain(error):
        status = getattr(getattr(each, "response", None), "status_code", None)
        if isinstance(status, int):
            return status
        if isinstance(each, (RuntimeError, OSError)) and (found := _TOLD.search(str(each))):
            return int(found[1])
    return None


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """An error and what caused it."""
    for _ in range(10):
        if error is not None:
            yield error
            error = error.__cause__


def _headers(error: Exception) -> Mapping[str, str]:
    answers = (getattr(each, "response", None) for each in _chain(error))
    headers: Mapping[str, str] = next((answer.headers for answer in answers if answer is not None), {})
    return headers
