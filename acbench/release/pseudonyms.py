"""Reviewers as a release names them.

A pseudonym is an HMAC-SHA256 of version and name under a random key that stays in the workspace and is in no release.
Without the key nobody can check a guess; with another version it changes, so that releases cannot be joined to follow
one person. The same project gives the same pseudonyms again, and so the same bytes.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from acbench.records import Review
from acbench.storage.atomic import write_bytes

KEY_BYTES = 32


def key(path: Path) -> bytes:
    """The project's key, made when first asked for; only its owner may read it."""
    if not path.is_file() or path.stat().st_size != KEY_BYTES:
        write_bytes(path, secrets.token_bytes(KEY_BYTES), mode=0o600)
    return path.read_bytes()


def pseudonyms(names: Iterable[str], key: bytes, version: str) -> dict[str, str]:
    """Name → pseudonym. Two names never share one."""
    found: dict[str, str] = {}
    for name in sorted(set(names)):
        digest = hmac.new(key, f"{version}\0{name}".encode(), hashlib.sha256).hexdigest()
        length = next(size for size in range(6, 65) if f"reviewer-{digest[:size]}" not in found.values())
        found[name] = f"reviewer-{digest[:length]}"
    return found


def anonymous(reviews: Sequence[Review], names: dict[str, str]) -> list[Review]:
    """The same decisions by pseudonyms; reviewers' names are taken out of notes, too."""
    known = sorted(names, key=len, reverse=True)
    pattern = re.compile("|".join(rf"(?<!\w){re.escape(name)}(?!\w)" for name in known), re.IGNORECASE)
    folded = {name.casefold(): pseudonym for name, pseudonym in names.items()}

    def scrubbed(note: str) -> str:
        return pattern.sub(lambda match: folded.get(match[0].casefold(), "reviewer"), note) if known else note

    return [replace(each, reviewer=names[each.reviewer], note=scrubbed(each.note)) for each in reviews]
