"""Reads where an OpenAI-compatible endpoint is, and takes secrets out of its messages. Quick to import."""

from __future__ import annotations

import ipaddress
import os
from dataclasses import dataclass
from urllib.parse import urlsplit

from acbench.errors import AcbenchError

KEY = "OPENAI_API_KEY"
DEFAULT_URL = "https://api.openai.com/v1"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """The address of an endpoint."""

    url: str
    host: str
    """Host name, and port if one was given."""
    loopback: bool
    """Whether it is on this machine."""
    key_env: str | None = KEY
    """The variable that holds the key; None if none is sent."""

    @classmethod
    def at(cls, url: str | None, key_env: str | None = None) -> Endpoint:
        """Read a URL. Raises AcbenchError, which does not repeat it as it may hold a password."""
        try:
            parts = urlsplit((url or DEFAULT_URL).rstrip("/"))
            host, port = parts.hostname, parts.port
        except ValueError:
            parts, host, port = urlsplit(""), None, None
        # What a URL holds ends up in settings and records, so a password in it is refused rather than hidden.
        if parts.scheme not in {"http", "https"} or not host or parts.query or parts.fragment or "@" in parts.netloc:
            raise AcbenchError(
                "the endpoint's URL is not of the form http(s)://HOST[:PORT]/v1",
                f"for example http://localhost:11434/v1; a key belongs in {KEY}, not in the URL",
            )
        shown = f"[{host}]" if ":" in host else host
        shown = shown if port is None else f"{shown}:{port}"
        return cls(f"{parts.scheme}://{shown}{parts.path}", shown, _is_loopback(host))

    def scrub(self, text: str) -> str:
        """One short line without secrets: some endpoints repeat the key that they were given."""
        if key := os.environ.get(KEY, "").strip():
            text = text.replace(key, "•••")
        return " ".join(text.encode("utf-8", "replace").decode().split())[:300]


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
