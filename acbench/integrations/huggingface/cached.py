"""Finds releases in the download cache of huggingface_hub: what was read once can be read where no hub is in reach."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

from acbench.release.hub import HubError

COMMIT = re.compile(r"[0-9a-f]{40}")


def commit_of(repo: str, revision: str | None) -> str | None:
    """Give the commit that a revision named when it was last read; None if it never was. A commit names itself."""
    if revision and COMMIT.fullmatch(revision):
        return revision if _snapshot(repo, revision).is_dir() else None
    parts = (revision or "main").split("/")
    if any(part in ("", ".", "..") for part in parts):
        return None
    try:
        commit = _folder(repo).joinpath("refs", *parts).read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        return None
    return commit if COMMIT.fullmatch(commit) and _snapshot(repo, commit).is_dir() else None


def file_of(repo: str, commit: str, path: str) -> Path | None:
    """Give where a file of a commit is kept; None if it is not."""
    from huggingface_hub import try_to_load_from_cache

    found = try_to_load_from_cache(repo, path, revision=commit, repo_type="dataset")
    return Path(found) if isinstance(found, str) else None


def repo_of(commit: str) -> str | None:
    """Give the repository that a commit in the cache belongs to; None if none is known, or several are."""
    found = list(_cache().glob(f"datasets--*--*/snapshots/{commit}")) if COMMIT.fullmatch(commit) else []
    _, org, name = found[0].parts[-3].split("--", 2) if len(found) == 1 else ("", "", "")
    return f"{org}/{name}" if org and name else None


def snapshot_of(repo: str, commit: str) -> tuple[Path, Path]:
    """Give the folder of a commit, whose files are links, and the folder that the links lead into."""
    return _snapshot(repo, commit), _cache()


def not_kept(repo: str, revision: str | None, what: str, why: str) -> HubError:
    """Make the error for what the cache lacks and nobody can fetch. `why`: why the hub is out of reach."""
    asked = f" --revision {shlex.quote(revision)}" if revision else ""
    return HubError(
        f"{why}, and the download cache ({_cache()}) lacks {what}",
        f"where the hub is in reach, run once: acbench verify {shlex.quote(repo)}{asked}   It keeps the whole release"
        " there, for load_dataset too",
    )


def _folder(repo: str) -> Path:
    from huggingface_hub.file_download import repo_folder_name

    return _cache() / repo_folder_name(repo_id=repo, repo_type="dataset")


def _snapshot(repo: str, commit: str) -> Path:
    return _folder(repo) / "snapshots" / commit


def _cache() -> Path:
    from huggingface_hub import constants

    return Path(constants.HF_HUB_CACHE)
