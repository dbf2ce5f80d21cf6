"""Tells the files of a release from what else a repository holds: a release replaces its own files only."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from acbench._util.plural import counted
from acbench._util.text import printable
from acbench.errors import ReleaseError
from acbench.release import manifest as manifests
from acbench.release.hub import FILES_OF_HUB, Head

DATA = "data/"
"""The folder of the tables. Whatever lies in it belongs to the release: `datasets` would load a table from there."""
SHOWN = 10
"""How many files a message names."""
HARMLESS = (
    *(".bib", ".cff", ".md", ".pdf", ".rst", ".txt", ".yaml", ".yml", ".gitattributes", ".gitignore"),
    *(".gif", ".jpeg", ".jpg", ".png", ".svg", ".webp"),
)
"""Endings of files that an owner may lay beside a release: nothing runs them, and `datasets` loads none as rows."""
HARMLESS_NAMES = frozenset(["LICENSE", "LICENCE", "NOTICE", "CITATION", "AUTHORS", "COPYING"])
"""Such files without an ending."""


def is_of_release(path: str) -> bool:
    """Whether a path in a repository belongs to the release in it."""
    return path in (manifests.NAME, *manifests.TEXTS) or path.startswith(DATA)


def beside(files: Iterable[str]) -> list[str]:
    """List the files that an owner laid beside a release, sorted."""
    return sorted(path for path in files if not is_of_release(path) and path not in FILES_OF_HUB)


def is_harmless(path: str) -> bool:
    """Whether a file beside a release is a text or a picture, by its name."""
    name = path.rpartition("/")[2]
    return name in HARMLESS_NAMES or name.lower().endswith(HARMLESS)


def foreign(head: Head | None, benchmark: str) -> list[str]:
    """List the files of a repository that holds no release of the benchmark; empty if it holds one, or nothing."""
    if head is None or (head.manifest is not None and head.manifest.benchmark == benchmark):
        return []
    return sorted(head.files.keys() - FILES_OF_HUB)


def refuse_foreign(repo: str, head: Head | None, benchmark: str, allowed: Collection[str] = ()) -> None:
    """Raise ReleaseError for a repository with files of somebody else. `allowed`: those that may be deleted."""
    files = [path for path in foreign(head, benchmark) if path not in allowed]
    if not files:
        return
    named = ", ".join(map(printable, files[:SHOWN])) + (f" and {len(files) - SHOWN:,} more" if files[SHOWN:] else "")
    held = f"the benchmark {head.manifest.benchmark}" if head and head.manifest else f"no release of {benchmark}"
    raise ReleaseError(
        f"{repo} holds {held}, and {counted(len(files), 'file')} that a release would delete: {named}",
        "give another --repo; or, if they may all go (earlier commits keep them), add --replace",
    )
