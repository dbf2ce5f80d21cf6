"""Addresses of folders on other machines, and which of them may be kept."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from acbench._util.text import printable
from acbench.errors import AcbenchError

_START = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*(::.*)?://", re.DOTALL)


def is_url(text: str) -> bool:
    """Whether a text is meant as a URL, such as `s3://bucket/folder` or `zip://::s3://bucket/a.zip`."""
    return _START.match(text) is not None


@dataclass(frozen=True, slots=True)
class Url:
    """The address of a folder in any file system of fsspec."""

    text: str
    """As it was typed."""

    def __post_init__(self) -> None:
        """Raises AcbenchError, which does not repeat the URL as it may hold a password."""
        try:
            sound = (
                is_url(self.text) and printable(self.text) == self.text and all(map(_is_sound, self.text.split("::")))
            )
        except ValueError:
            sound = False
        # A URL is kept in settings and records, so one that holds a secret is refused rather than hidden.
        if not sound:
            raise AcbenchError(
                "the URL is not of the form PROTOCOL://PLACE/FOLDER",
                "for example s3://bucket/mvtec_ad, without ?, #, `..` and empty parts; passwords and keys belong where"
                " the driver looks for them, such as AWS_SECRET_ACCESS_KEY or ~/.config/fsspec, not in the URL",
            )

    def __str__(self) -> str:
        return self.text

    def __truediv__(self, path: str) -> Url:
        return Url(self.address_of(path))

    def address_of(self, path: str) -> str:
        """The address of a file or folder below it, whatever characters the path holds."""
        before, place, after = self._parts()
        joint = "" if not place or place.endswith("/") else "/"
        return f"{before}{place}{joint}{path}{after}"

    @property
    def name(self) -> str:
        """The last part of its path; empty at the top, which may be a host or a bucket."""
        return self._split()[1]

    @property
    def parent(self) -> Url:
        """The folder above; itself at the top."""
        before, _, after = self._parts()
        above, name = self._split()
        return Url(f"{before}{above}{after}") if name else self

    def _split(self) -> tuple[str, str]:
        _, place, after = self._parts()
        above, slash, name = place.rstrip("/").rpartition("/")
        return (above, name) if slash or after else (name, "")

    def _parts(self) -> tuple[str, str, str]:
        """The protocol; the path with its host or bucket; and the archive or cache that the path is in, if any."""
        start = self.text.index("://") + 3
        end = self.text.find("::", start)
        return self.text[:start], self.text[start : end if end > 0 else None], self.text[end:] if end > 0 else ""


def _is_sound(link: str) -> bool:
    """Whether one link of a chain such as `zip://::s3://bucket/a.zip` may be kept."""
    scheme, mark, place = link.partition("://")
    if not mark:
        return bool(re.fullmatch(r"[A-Za-z0-9+.-]+", scheme))
    url = urlsplit(link)  # a user without a password is no secret: abfs://container@account, sftp://user@host
    steps = place.strip("/").split("/") if place.strip("/") else []
    return not (url.password is not None or "?" in link or "#" in link or {"", ".", ".."} & set(steps))
