"""Replaces the names of reviewers by pseudonyms.

A pseudonym is an HMAC-SHA256 of version and name under a random key that stays in the workspace and is in no release.
Without the key nobody can check a guess. A new version gives new pseudonyms, so that none becomes a name; who compares
two releases can still match people by what they decided. The same project gives the same pseudonyms again, and so the
same bytes.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import secrets
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from acbench.errors import StorageError
from acbench.records import Review
from acbench.storage.atomic import write_bytes

KEY_BYTES = 32


def load_key(path: Path) -> bytes:
    """Read the project's key, which only its owner may read; make it on the first call.

    Raises StorageError for a damaged one: with another key, people of a version that is public would have other names.
    """
    if not os.path.lexists(path):
        write_bytes(path, secrets.token_bytes(KEY_BYTES), mode=0o600)
    try:
        key = path.read_bytes()
    except OSError as error:
        raise _damaged(path, error.strerror or str(error)) from None
    if len(key) != KEY_BYTES:
        raise _damaged(path, f"it has {len(key)} bytes instead of {KEY_BYTES}")
    return key


def _damaged(path: Path, why: str) -> StorageError:
    aside = f"mv {shlex.quote(str(path))} {shlex.quote(f'{path}.aside')}"
    return StorageError(
        f"{path}, the key of the names that people have in releases, cannot be used: {why}",
        f"put back a copy of it; or, if no release with such names is public, have a new one made: {aside}",
    )


def pseudonyms(names: Iterable[str], key: bytes, version: str) -> dict[str, str]:
    """Give each name a pseudonym. No two names share one."""
    given: dict[str, str] = {}
    for name in sorted(set(names)):
        digest = hmac.new(key, f"{version}\0{name}".encode(), hashlib.sha256).hexdigest()
        length = next(size for size in range(6, 65) if f"reviewer-{digest[:size]}" not in given.values())
        given[name] = f"reviewer-{digest[:length]}"
    return given


def anonymous(reviews: Sequence[Review], names: Mapping[str, str]) -> list[Review]:
    """Replace reviewers by pseudonyms, also where a note names them. `names`: name → pseudonym."""
    longest_first = sorted(names, key=len, reverse=True)
    pattern = re.compile("|".join(rf"(?<!\w){re.escape(name)}(?!\w)" for name in longest_first), re.IGNORECASE)
    folded = {name.casefold(): pseudonym for name, pseudonym in names.items()}

    def scrubbed(note: str) -> str:
        return pattern.sub(lambda match: folded.get(match[0].casefold(), "reviewer"), note) if names else note

    return [replace(review, reviewer=names[review.reviewer], note=scrubbed(review.note)) for review in reviews]
