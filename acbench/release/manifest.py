"""`release.json`: what a release says of itself, and the sha256 of each of its files."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from acbench.errors import ReleaseError, StorageError
from acbench.storage.typed_json import convert, to_json

NAME = "release.json"
CARD = "README.md"
CROISSANT = "croissant.json"
FORMAT = 1
"""Raised whenever an older acbench could not read it."""

MAX_BYTES = 8 << 20
MAX_FILES = 10_000
MAX_NAMES = 10_000

ALL = "all"
"""The configuration that holds every category; the default."""

VERSION = re.compile(r"(0|[1-9]\d{0,5})\.(0|[1-9]\d{0,5})\.(0|[1-9]\d{0,5})")
_SHARD = re.compile(
    r"data/(?P<category>[A-Za-z0-9_.-]+)/(?P<split>train|test)-(?P<number>\d{5})-of-(?P<total>\d{5})\.parquet"
)
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseFile:
    """One file of a release."""

    sha256: str
    size: int
    """Bytes."""
    rows: int = 0
    """Of a table."""
    uncompressed: int = 0
    """Of a table: bytes in memory."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Previous:
    """The release that this one follows."""

    version: str
    commit: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """A release as a whole."""

    benchmark: str
    title: str
    version: str
    """MAJOR.MINOR.PATCH; the tag is `v` and this."""
    schema_version: str
    schema_digest: str
    policy: str
    """Name of the rule that decided the labels."""
    source: str
    """Name of the source dataset."""
    source_licence: str
    """SPDX id."""
    licence: str
    """SPDX id, of the release."""
    images: bool
    """Whether the images are in it."""
    categories: tuple[str, ...]
    """In the order of their class numbers."""
    classes: tuple[str, ...]
    """In the order of their class numbers; the first is `good`."""
    previous: Previous | None
    files: Mapping[str, ReleaseFile]
    """Path relative to the release → facts; this file itself is left out."""

    @property
    def tag(self) -> str:
        """The git tag of the release."""
        return f"v{self.version}"

    @property
    def rows(self) -> int:
        """Of all tables."""
        return sum(each.rows for each in self.files.values())

    def shards(self) -> dict[str, ReleaseFile]:
        """The tables."""
        return {path: facts for path, facts in self.files.items() if shard(path)}

    def to_bytes(self) -> bytes:
        """The content of `release.json`."""
        content = {
            "format": FORMAT,
            **to_json(self),
            "previous": None if self.previous is None else to_json(self.previous),
            "files": {path: to_json(facts) for path, facts in sorted(self.files.items())},
        }
        return (json.dumps(content, indent=1, ensure_ascii=False) + "\n").encode()


def following(version: str) -> str:
    """The next version for other labels: 1.2.3 → 1.3.0."""
    major, minor, _ = version.split(".")
    return f"{major}.{int(minor) + 1}.0"


def shard(path: str) -> tuple[str, str] | None:
    """(category, split) of a table by its path; None if it is none."""
    match = _SHARD.fullmatch(path)
    return (match["category"], match["split"]) if match and not match["category"].startswith(".") else None


def shard_path(category: str, split: str, number: int, total: int) -> str:
    """The path of a table; `number` counts from 0."""
    return f"data/{category}/{split}-{number:05}-of-{total:05}.parquet"


def configurations(manifest: Manifest) -> dict[str, dict[str, tuple[int, int]]]:
    """Configuration → split → (rows, bytes in memory). Raises ReleaseError for a category of the name `all`."""
    found: dict[str, dict[str, list[int]]] = {}
    for path, facts in sorted(manifest.shards().items()):
        where = shard(path)
        assert where is not None
        category, split = where
        if category == ALL:
            raise ReleaseError("a category is named `all`, as the configuration of all categories", "rename it")
        for config in (ALL, category):
            counts = found.setdefault(config, {}).setdefault(split, [0, 0])
            counts[0] += facts.rows
            counts[1] += facts.uncompressed
    return {
        config: {
            split: (found[config][split][0], found[config][split][1]) for split in sorted(found[config], reverse=True)
        }
        for config in found
    }


def parse(data: bytes) -> Manifest:
    """A manifest from a stranger. Raises ReleaseError, saying what is wrong."""
    try:
        if len(data) > MAX_BYTES:
            raise ValueError(f"larger than {MAX_BYTES >> 20} MiB")
        content = json.loads(data)
        if not isinstance(content, dict) or type(content.get("format")) is not int:
            raise ValueError("not a manifest")
        if content.pop("format") > FORMAT:
            raise ReleaseError(f"{NAME} was written by a newer acbench", "update: pip install --upgrade acbench")
        return _manifest(content)
    except (ValueError, RecursionError) as error:  # JSON and Unicode errors are ValueErrors
        raise ReleaseError(f"{NAME} is damaged: {error}", "is this a release of acbench? Download it again") from None
    except StorageError as error:
        raise ReleaseError(f"damaged: {error.message}", "is this a release of acbench? Download it again") from None


def _manifest(content: dict[str, Any]) -> Manifest:
    files, previous = content.pop("files", None), content.pop("previous", None)
    if not isinstance(files, dict) or len(files) > MAX_FILES:
        raise ValueError(f"`files` is not a table of at most {MAX_FILES:,} files")
    rest = convert({**content, "previous": None, "files": {}}, Manifest, NAME)
    if not VERSION.fullmatch(rest.version):
        raise ValueError("`version` is not MAJOR.MINOR.PATCH")
    told = [value for value in to_json(rest).values() if isinstance(value, str)]
    if not all(each.isprintable() for each in (*told, *rest.categories, *rest.classes)):
        raise ValueError("a name or title holds characters that cannot be printed")
    for names in (rest.categories, rest.classes):
        if len(names) > MAX_NAMES or len(set(names)) != len(names):
            raise ValueError("a name is there twice, or too many are")
    found = {path: convert(facts, ReleaseFile, NAME) for path, facts in files.items()}
    for path, facts in found.items():
        if shard(path) is None and path not in (CARD, CROISSANT):
            raise ValueError(f"a release has no file {path[:200]!r}")
        if not _SHA256.fullmatch(facts.sha256) or min(facts.size, facts.rows) < 0:
            raise ValueError(f"the facts of {path} cannot be")
    return Manifest(
        **{name: getattr(rest, name) for name in Manifest.__dataclass_fields__ if name not in ("files", "previous")},
        previous=None if previous is None else convert(previous, Previous, NAME),
        files=found,
    )
