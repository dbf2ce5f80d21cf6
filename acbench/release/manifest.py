"""`release.json`: what a release says of itself, with the sha256 of each of its files."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from acbench._util.text import tidy
from acbench.errors import ReleaseError, StorageError
from acbench.records import SPARSE
from acbench.release.standings import MAX_STANDINGS, Standing
from acbench.storage.typed_json import decode, to_json

NAME = "release.json"
CARD = "README.md"
CROISSANT = "croissant.json"
SCHEMA = "label_schema.yaml"
PICTURE = "pictures/classes.png"
"""What `pictures` draws: every class, and how many images show it."""
TEXTS = (CARD, CROISSANT, SCHEMA, PICTURE)
"""The files of a release besides its manifest and its tables. Releases of format 2 have neither schema nor picture."""
FORMAT = 3
"""Raised whenever an older acbench could not read it."""

MAX_BYTES = 8 << 20
MAX_FILES = 10_000
MAX_NAMES = 10_000
MAX_REASON = 500
"""Characters of the reason for which a version is deprecated."""

ALL = "all"
"""The configuration that holds every category; the default."""

VERSION = re.compile(r"(0|[1-9]\d{0,5})\.(0|[1-9]\d{0,5})\.(0|[1-9]\d{0,5})")
_SHARD = re.compile(
    r"data/(?P<category>[A-Za-z0-9_.-]+)/(?P<split>train|test)-(?P<number>\d{5})-of-(?P<total>\d{5})\.parquet"
)
_SHA256 = re.compile(r"[0-9a-f]{64}")
_DATE = re.compile(r"\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])")
_DAMAGED = f"{NAME} is damaged"
_HINT = "is this a release of acbench? Download it again"


class ShardKey(NamedTuple):
    """What a parquet shard holds."""

    category: str
    split: str


class SplitSize(NamedTuple):
    """How large a split of a configuration is."""

    rows: int
    uncompressed: int
    """Bytes in memory."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseFile:
    """One file of a release."""

    sha256: str
    size: int
    """Bytes."""
    rows: int = 0
    """For a parquet shard."""
    uncompressed: int = 0
    """For a parquet shard: bytes in memory."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Previous:
    """The release before this one."""

    version: str
    commit: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedVersion:
    """A version of a benchmark in the list of all."""

    version: str
    date: str = field(default="", metadata=SPARSE)
    """The day on which it was published, in UTC: YYYY-MM-DD; empty if that is not known."""
    changes: Mapping[str, int] = field(default_factory=dict, metadata=SPARSE)
    """What changed against the version before: `diff.Effect` → images."""
    deprecated: str = field(default="", metadata=SPARSE)
    """Why nobody should use it any more; empty if it may be used."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """A release as a whole."""

    benchmark: str
    title: str
    version: str
    """MAJOR.MINOR.PATCH."""
    schema_version: str
    schema_digest: str
    policy: str
    """Name of the rule that decided the labels."""
    source: str
    """Name of the source dataset."""
    source_licence: str
    """SPDX id."""
    licence: str
    """SPDX id, for the release."""
    images: bool
    """Whether the release holds the images."""
    categories: tuple[str, ...]
    """In the order of their numbers."""
    classes: tuple[str, ...]
    """In the order of their numbers; the first is `good`."""
    previous: Previous | None
    files: Mapping[str, ReleaseFile]
    """Path relative to the release → file; `release.json` itself is left out."""
    boxes: bool = field(default=False, metadata=SPARSE)
    """Whether rows hold boxes."""
    acbench: str = field(default="", metadata=SPARSE)
    """Version of acbench that made it: another one writes another card."""
    versions: tuple[ListedVersion, ...] = field(default=(), metadata=SPARSE)
    """All versions of the benchmark up to this one, from the first; none in releases of format 2."""
    leaderboard: tuple[Standing, ...] = field(default=(), metadata=SPARSE)
    """The entries of the leaderboard that the card shows: those that the repository held when it was published."""
    format: int = FORMAT
    """That of its files: FORMAT when it was made."""

    @property
    def tag(self) -> str:
        """The git tag of the release."""
        return f"v{self.version}"

    @property
    def date(self) -> str:
        """The day on which it was published, in UTC: YYYY-MM-DD; empty if that is not known."""
        return self.versions[-1].date if self.versions else ""

    @property
    def rows(self) -> int:
        """Rows of all parquet shards."""
        return sum(file.rows for file in self.files.values())

    def shards(self) -> dict[str, ReleaseFile]:
        """The parquet shards, by path."""
        return {path: file for path, file in self.files.items() if shard_key(path)}

    def to_bytes(self) -> bytes:
        """The content of `release.json`."""
        return (json.dumps({"format": self.format, **to_json(self)}, indent=1, ensure_ascii=False) + "\n").encode()


@dataclass(frozen=True, slots=True)
class _Header:
    """The part of `release.json` that tells whether this acbench can read the rest."""

    format: int


def shard_key(path: str) -> ShardKey | None:
    """What a parquet shard holds, by its path; None if the path is that of no shard."""
    match = _SHARD.fullmatch(path)
    return ShardKey(match["category"], match["split"]) if match and not match["category"].startswith(".") else None


def shard_path(key: ShardKey, number: int, total: int) -> str:
    """The path of a parquet shard; `number` counts from 0."""
    return f"data/{key.category}/{key.split}-{number:05}-of-{total:05}.parquet"


def configurations(manifest: Manifest) -> dict[str, dict[str, SplitSize]]:
    """The configurations that `datasets` offers: name → split → size. Raises ReleaseError for a category `all`."""
    sizes: dict[str, dict[str, SplitSize]] = {}
    for path, file in sorted(manifest.shards().items()):
        key = shard_key(path)
        assert key is not None, "shards() gives no other paths"
        if key.category == ALL:
            raise ReleaseError("a category is named `all`, as the configuration of all categories", "rename it")
        for config in (ALL, key.category):
            splits = sizes.setdefault(config, {})
            rows, uncompressed = splits.get(key.split, SplitSize(0, 0))
            splits[key.split] = SplitSize(rows + file.rows, uncompressed + file.uncompressed)
    return {config: dict(sorted(splits.items(), reverse=True)) for config, splits in sizes.items()}


def parse(data: bytes) -> Manifest:
    """Read an untrusted `release.json`. Raises ReleaseError, which says what is wrong with it."""
    if len(data) > MAX_BYTES:
        raise _damaged(f"larger than {MAX_BYTES >> 20} MiB")
    try:
        if decode(data, _Header, _DAMAGED, allow_unknown=True).format > FORMAT:
            raise ReleaseError(f"{NAME} was written by a newer acbench", "update: pip install --upgrade acbench")
        manifest = decode(data, Manifest, _DAMAGED)
    except StorageError as error:
        raise ReleaseError(tidy(error.message, 300), _HINT) from None
    _check(manifest)
    return manifest


def _check(manifest: Manifest) -> None:
    if not VERSION.fullmatch(manifest.version):
        raise _damaged("`version` is not MAJOR.MINOR.PATCH")
    texts = [value for value in to_json(manifest).values() if isinstance(value, str)]
    if not all(text.isprintable() for text in (*texts, *manifest.categories, *manifest.classes)):
        raise _damaged("a name or title holds characters that cannot be printed")
    for names in (manifest.categories, manifest.classes):
        if len(names) > MAX_NAMES or len(set(names)) != len(names):
            raise _damaged("a name is there twice, or too many are")
    if len(manifest.leaderboard) > MAX_STANDINGS or any(standing.odd() for standing in manifest.leaderboard):
        raise _damaged("an entry of its leaderboard cannot be")
    for listed in manifest.versions:
        _check_listed(listed)
    if len(manifest.files) > MAX_FILES:
        raise _damaged(f"it names more than {MAX_FILES:,} files")
    for path, file in manifest.files.items():
        if shard_key(path) is None and path not in TEXTS:
            raise _damaged(f"a release has no file {path[:200]!r}")
        if not _SHA256.fullmatch(file.sha256) or min(file.size, file.rows) < 0:
            raise _damaged(f"sha256, size or rows of {path} cannot be")


def _check_listed(listed: ListedVersion) -> None:
    if not VERSION.fullmatch(listed.version):
        raise _damaged("`versions` has one that is not MAJOR.MINOR.PATCH")
    if listed.date and not _DATE.fullmatch(listed.date):
        raise _damaged(f"the date of {listed.version} is not YYYY-MM-DD")
    texts = (listed.deprecated, *listed.changes)
    if not all(text.isprintable() and len(text) <= MAX_REASON for text in texts):
        raise _damaged(f"what it says of {listed.version} cannot be printed, or is too long")
    if min(listed.changes.values(), default=0) < 0:
        raise _damaged(f"what it says of {listed.version} cannot be")


def _damaged(what: str) -> ReleaseError:
    return ReleaseError(f"{_DAMAGED}: {what}", _HINT)
