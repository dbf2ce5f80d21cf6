"""Reads where an OpenAI-compatible endpoint is, and takes secrets out of its messages. Quick to import."""

from __future__ import annotations

import ipaddress
import os
import re
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlsplit

from acbench.errors import AcbenchError

KEY = "OPENAI_API_KEY"
HOME = "api.openai.com"
"""The host that the key in KEY belongs to."""
DEFAULT_URL = f"https://{HOME}/v1"

_VERSION = "api-version"
"""The only part of a query that is taken: Azure wants it, and it is no secret."""
_AZURE = (".openai.azure.com", ".cognitiveservices.azure.com", ".services.ai.azure.com")
"""How hosts of Azure end, which take a key in a header of their own."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """The address of an endpoint, and where its key is. The key itself is read when it is needed, and not kept."""

    url: str
    """With its query, if it has one: what tells it from others."""
    host: str
    """Host name, and port if one was given."""
    loopback: bool
    """Whether it is on this machine."""
    key_env: str | None = None
    """The variable that holds the key that belongs to this address; None if none does."""
    key_header: str = "Authorization"
    """The header that carries the key: `Authorization`, as `Bearer KEY`, or `api-key`."""
    query: tuple[tuple[str, str], ...] = ()
    """What every request says in its query: (name, value)."""

    @classmethod
    def at(cls, url: str | None, key_env: str | None = None) -> Endpoint:
        """Read a URL. Raises AcbenchError, which does not repeat it as it may hold a password.

        `key_env`: the variable of its key. Without one, OPENAI_API_KEY is that of https://api.openai.com, and no other
        address has a key.
        """
        try:
            parts = urlsplit((url or DEFAULT_URL).rstrip("/"))
            host, port = parts.hostname, parts.port
        except ValueError:
            parts, host, port = urlsplit(""), None, None
        query = tuple(parse_qsl(parts.query, keep_blank_values=True))
        known = (
            all(name == _VERSION and re.fullmatch(r"[\w.-]{1,40}", value) for name, value in query[:1])
            and not query[1:]
        )
        # What a URL holds ends up in settings and records, so a password in it is refused rather than hidden.
        if parts.scheme not in {"http", "https"} or not host or not known or parts.fragment or "@" in parts.netloc:
            raise AcbenchError(
                f"the endpoint's URL is not of the form http(s)://HOST[:PORT]/v1, or …?{_VERSION}=VERSION",
                "for example http://localhost:11434/v1; a key belongs in a variable, which --llm-key-env names, and"
                " never in the URL",
            )
        shown = f"[{host}]" if ":" in host else host
        shown = shown if port is None else f"{shown}:{port}"
        base = f"{parts.scheme}://{shown}{parts.path.rstrip('/')}"
        ours = parts.scheme == "https" and host == HOME and port in (None, 443)  # a key is not sent in the clear
        return cls(
            url="?".join(filter(None, (base, "&".join(map("=".join, query))))),
            host=shown,
            loopback=_is_loopback(host),
            key_env=key_env or (KEY if ours else None),
            key_header="api-key" if host.endswith(_AZURE) else "Authorization",
            query=query,
        )

    @property
    def base_url(self) -> str:
        """The URL without its query."""
        return self.url.partition("?")[0]

    @property
    def is_openai(self) -> bool:
        """Whether it is OpenAI's own."""
        return self.host.partition(":")[0] == HOME

    @property
    def key(self) -> str:
        """The key that belongs to this address; empty if there is none."""
        return os.environ.get(self.key_env, "").strip() if self.key_env else ""

    @property
    def headers(self) -> dict[str, str]:
        """The headers that carry the key; none without one."""
        if not self.key:
            return {}
        return {self.key_header: f"Bearer {self.key}" if self.key_header == "Authorization" else self.key}

    @property
    def refused_key(self) -> str:
        """What it means that the endpoint refuses the key."""
        return f"the key in {self.key_env} is not accepted" if self.key_env else "it was asked without a key"

    @property
    def key_hint(self) -> str:
        """How to give it another key."""
        return f"export {self.key_env}=…" if self.key_env else "export NAME=… and give --llm-key-env NAME"

    @property
    def withholds_key(self) -> bool:
        """Whether there is a key of OpenAI, and no other one is named for this address, to which it does not go."""
        return self.key_env is None and bool(os.environ.get(KEY, "").strip())

    def scrub(self, text: str) -> str:
        """One short line without secrets: some endpoints repeat the key that they were given."""
        for key in {self.key, os.environ.get(KEY, "").strip()} - {""}:
            text = text.replace(key, "•••")
        return " ".join(text.encode("utf-8", "replace").decode().split())[:300]


def authorities() -> str | None:
    """The file or folder of certificate authorities that the user trusts; None for the usual ones.

    SSL_CERT_FILE and SSL_CERT_DIR, as OpenSSL reads them, or REQUESTS_CA_BUNDLE, as many programs do.
    """
    named = (os.environ.get(name, "") for name in ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE"))
    return next(filter(None, named), None)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
