"""Says what a failure of an endpoint means: whose fault it is, whether to ask again, and what the user can do.

A status code is not its cause: endpoints report a filtered picture as 403, an unknown model as 400, and a spent account
as 429. So the error in the body is read first.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from acbench.integrations.openai.endpoint import Endpoint
from acbench.predictors.llm.messages import LlmError, LlmErrorKind, Usage

_STATUS: Mapping[int, LlmErrorKind] = {
    401: "auth",
    402: "account",
    403: "auth",
    404: "account",
    405: "account",
    408: "timeout",
    409: "server",
    410: "account",
    429: "rate_limit",
    503: "rate_limit",
    529: "rate_limit",
}
_UPSTREAM = {408, 502, 504, 524}
"""A gateway gave up; the model behind it may have answered, and the call may be charged for."""
_NO_CREDIT = {"insufficient_quota", "billing_hard_limit_reached", "insufficient_balance", "insufficient_credits"}
_FILTER_CODES = {
    "content_filter", "content_policy_violation", "moderation_blocked", "responsibleaipolicyviolation",
    "prohibited_content", "safety", "data_inspection_failed",
}  # fmt: skip
_FILTERED = re.compile(r"\bflagged\b|content[ _](management )?(policy|filter)|moderation|safety (system|filter)", re.I)
_BAD_KEY = re.compile(r"(invalid|incorrect|not valid|expired|missing|no) (api|access)[ _-]?key|api[ _-]?key.{0,20}"
                      r"(invalid|not valid|incorrect|expired|missing)", re.I)  # fmt: skip
_NO_MODEL = re.compile(
    r"model.{0,200}(does ?n.t exist|not found|not a valid model|no longer|deprecated|retired|decommissioned)"
    r"|not a valid model|no such model|unknown model|invalid model|unsupported model",
    re.I | re.S,
)
_HTTPS_WANTED = re.compile(r"http request (was sent )?to (an )?https|plain http", re.I)
_HTTP_WANTED = re.compile(r"wrong.version.number|record layer failure|http_request", re.I)
_PAGE = re.compile(r"<(!doctype|html)", re.I)


def error_of_status(
    endpoint: Endpoint,
    status: int,
    error: Mapping[str, Any] | None,
    *,
    text: str = "",
    retry_after: float | None = None,
    location: str = "",
    usage: Usage | None = None,
    came_as: int | None = None,
) -> LlmError:
    """The failure that a response means.

    `error`: the error in its body; `text`: the body, if there is no error in it. `location`: where a redirect leads.
    `came_as`: the status of the response itself, where `status` stood in its body.
    """
    said = endpoint.scrub(str((error or {}).get("message") or _plain(text) or "no reason"))
    message = f"{endpoint.host} says {status}: {said}"

    def failure(kind: LlmErrorKind, what: str = message, hint: str = "", *, may_cost: bool = False) -> LlmError:
        return LlmError(kind, what, hint, retry_after=retry_after, may_cost=may_cost, usage=usage)

    if 300 <= status < 400:
        return failure("account", *_redirect(endpoint, status, location))
    if _HTTPS_WANTED.search(said):
        return failure("account", message, f"--llm-url https://{endpoint.host}/v1: the server speaks https there")
    if (status < 500 or came_as == 200) and (category := _filter(error, said)) is not None:
        named = f" ({category})" if category else ""
        return failure("filtered", f"{endpoint.host} filters the content{named}: {said}")
    codes = {str((error or {}).get(key)).lower() for key in ("code", "type", "status")}
    if status == 429 and codes & _NO_CREDIT:
        hint = "add credit to the account, then run again: nothing that is answered is paid twice"
        return failure("account", f"{message} (the account has no credit)", hint)
    if status in {401, 403} or (status == 400 and _BAD_KEY.search(said)):
        return failure("auth", f"{message} ({endpoint.refused_key})", endpoint.key_hint)
    if status in {400, 422} and _NO_MODEL.search(said):
        return failure("account", message, "give the model's name as the endpoint lists it: --llm NAME")
    kind = _STATUS.get(status, "server" if status >= 500 else "refused")
    return failure(kind, message, _hint(endpoint, status, text), may_cost=status in _UPSTREAM and came_as is None)


def error_in_body(endpoint: Endpoint, error: Mapping[str, Any], usage: Usage, *, said: str = "") -> LlmError:
    """The failure that an error in a response with status 200 means. `said`: what the model said before it."""
    code = str(error.get("code"))
    status = int(code) if re.fullmatch("[345][0-9]{2}", code) else 502
    failure = error_of_status(endpoint, status, error, usage=usage, came_as=200)
    # An endpoint that reports an error and no usage does not charge, unless it has begun to answer.
    failure.may_cost = bool(said) and not usage.known
    return failure


def error_of_connection(endpoint: Endpoint, cause: BaseException | None, text: str, *, unsent: bool) -> LlmError:
    """The failure that a connection which could not be made or broke means."""
    why = endpoint.scrub(f"{type(cause).__name__}: {cause}" if cause else text)
    message = f"{endpoint.host}: {why}"
    if _HTTP_WANTED.search(why) and endpoint.url.startswith("https:"):
        return LlmError("account", message, f"the server may speak http only: --llm-url http://{endpoint.host}/v1")
    if "CERTIFICATE_VERIFY_FAILED" in why or "certificate" in why.lower():
        hint = "if the server has a certificate of your own authority: export SSL_CERT_FILE=/path/to/ca.pem"
        return LlmError("account", f"{message} (its certificate cannot be verified)", hint)
    return LlmError("connection", message, "is the server running, and is --llm-url right?", may_cost=not unsent)


def _redirect(endpoint: Endpoint, status: int, location: str) -> tuple[str, str]:
    target = endpoint.scrub(location.partition("?")[0]) or "nowhere"
    message = f"{endpoint.host} says {status}: it redirects to {target}, and redirects are not followed"
    if re.search(r"log-?in|sign-?in|sso|auth", target, re.I):
        return message, "this is a page that wants people to sign in: give the address of the API itself as --llm-url"
    return message, "give the final address as --llm-url"


def _filter(error: Mapping[str, Any] | None, said: str) -> str | None:
    """The category for which a question or an answer was filtered, empty if none is named; None if it was not."""
    error = error or {}
    inner, metadata = _mapping(error.get("innererror")), _mapping(error.get("metadata"))
    results = _mapping(inner.get("content_filter_result") or inner.get("content_filter_results"))
    codes = {str(value).lower() for value in (error.get("code"), error.get("type"), inner.get("code"))}
    reasons = metadata.get("reasons")
    is_filtered = codes & _FILTER_CODES or results or "flagged_input" in metadata or _FILTERED.search(said)
    if not is_filtered:
        return None
    named = [name for name, result in results.items() if _mapping(result).get("filtered")]
    named += [str(reason) for reason in reasons] if isinstance(reasons, list) else []
    return ", ".join(named)[:80]


def _hint(endpoint: Endpoint, status: int, text: str) -> str:
    if status in {404, 405} and (_PAGE.search(text) or not endpoint.url.rstrip("/").endswith("/v1")):
        return "does the address end as the endpoint's manual says, mostly in /v1? --llm-url http(s)://HOST/v1"
    if status in {404, 410}:
        return "give the model's name as the endpoint lists it: --llm NAME"
    if status == 402:
        return "add credit to the account, then run again: nothing that is answered is paid twice"
    if status == 413:
        return "the pictures are too large for this endpoint: --llm-edge 448, or raise its limit"
    return ""


def _plain(text: str) -> str:
    """A body that is no JSON, without markup."""
    return " ".join(re.sub(r"<(script|style).*?</\1>|<[^>]*>", " ", text[:5_000], flags=re.I | re.S).split())


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
