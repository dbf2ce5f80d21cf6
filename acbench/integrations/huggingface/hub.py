"""Reads and changes a dataset repository on the Hugging Face Hub through huggingface_hub, one commit at a time.

`create_commit` uploads file contents first, which nobody sees, and then makes the commit on top of the given parent.
`upload_folder` and `push_to_hub` make several commits of a large folder, so readers could see half a release.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from acbench.errors import ReleaseError
from acbench.integrations.huggingface import cached, writing
from acbench.integrations.huggingface.remote import Remote, download, list_files
from acbench.integrations.huggingface.troubles import WRITE, hub_errors, status_of, token_hint
from acbench.release import leaderboard
from acbench.release import manifest as manifests
from acbench.release.folder import ReleaseFolder
from acbench.release.hub import FILES_OF_HUB, Busy, Head, HubError, Unclear

if TYPE_CHECKING:
    from huggingface_hub import HfApi

MAX_BYTES = 1 << 40
"""Bytes of all files that are downloaded, at most."""

_REPO = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,95}/[A-Za-z0-9][A-Za-z0-9._-]{0,95}")
_NO_REPO = re.compile(r"--|\.\.|[.-](/|$)|\.git$|\.ipynb$")


@dataclass(frozen=True, slots=True)
class Downloaded:
    """A release in the download cache."""

    folder: ReleaseFolder
    commit: str
    remote: Remote
    """The same, as it is on the Hub."""
    besides: list[str] | None
    """Files of the repository that no release has, and that were therefore not fetched; None if nobody could look."""


def looks_like_repo(text: str) -> bool:
    """Whether a text can name a repository, as ORG/NAME, by the rules of the Hub."""
    return _REPO.fullmatch(text) is not None and not _NO_REPO.search(text)


class Repository:
    """A dataset repository on the Hub: a `Hub`. The token is the one that huggingface_hub finds, such as HF_TOKEN."""

    def __init__(self, repo: str) -> None:
        if not looks_like_repo(repo):
            raise HubError(f"{repo!a} is no repository", "give it as ORG/NAME")
        self.repo = repo
        if not sys.stderr.isatty():
            from huggingface_hub.utils.tqdm import disable_progress_bars

            disable_progress_bars()

    def check_writing(self) -> None:
        """Ask the hub whose the token is, and whether it may write here: see `Hub`."""
        from huggingface_hub import get_token

        if not get_token():
            raise HubError(f"there is no token to write to {self.repo} with", token_hint(WRITE))
        try:
            with hub_errors(self.repo, doing=WRITE):
                why = writing.why_not(self._api().whoami(), self.repo)
        except Busy:  # of this question alone a hub takes a few in an hour; a token that may not write is refused later
            return
        if why:
            raise HubError(f"the hub would refuse to write to {self.repo}: {why}", token_hint(WRITE))

    def at(self, revision: str | None = None) -> Head | None:
        from huggingface_hub.errors import RepositoryNotFoundError

        with hub_errors(self.repo):
            try:
                info = self._api().dataset_info(self.repo, revision=revision)
            except RepositoryNotFoundError as error:
                if status_of(error) == 401 and self._api().token is not None:
                    raise
                return None
            commit = str(info.sha)
            files = list_files(self.repo, commit)
            release = Remote(self.repo, commit, commit, files=files)
            named = manifests.NAME in files
            manifest = manifests.parse(release.read(manifests.NAME, manifests.MAX_BYTES)) if named else None
            refs = self._api().list_repo_refs(self.repo, repo_type="dataset")
            return Head(
                commit=commit,
                files={path: file.content for path, file in files.items()},
                manifest=manifest,
                tags={tag.name: tag.target_commit for tag in refs.tags},
            )

    def create(self, *, private: bool) -> None:
        with hub_errors(self.repo, doing=WRITE):
            self._api().create_repo(self.repo, repo_type="dataset", private=private, exist_ok=True)

    def commit(self, folder: Path, paths: Collection[str], removed: Collection[str], parent: str, title: str) -> str:
        from huggingface_hub import CommitOperationAdd, CommitOperationDelete

        added = [CommitOperationAdd(path_in_repo=path, path_or_fileobj=str(folder / path)) for path in paths]
        gone = [CommitOperationDelete(path_in_repo=path) for path in removed]
        with hub_errors(self.repo, doing=WRITE):
            done = self._api().create_commit(
                self.repo, [*added, *gone], commit_message=title, repo_type="dataset", parent_commit=parent
            )
        return str(done.oid)

    def tag(self, name: str, commit: str) -> None:
        with hub_errors(self.repo, doing=WRITE):
            self._api().create_tag(self.repo, tag=name, revision=commit, repo_type="dataset")

    def release(self, revision: str | None = None) -> Remote:
        """A reader of the release at a revision, by default the head, even if its branch moves meanwhile.

        Where the hub is out of reach, it is the one that the download cache has under that revision.
        """
        if revision is not None and cached.COMMIT.fullmatch(revision):
            return Remote(self.repo, revision, revision)
        try:
            return Remote(self.repo, self._commit(revision), revision)
        except (Unclear, Busy) as error:
            commit = cached.commit_of(self.repo, revision)
            if commit is None:
                what = f"{self.repo}@{revision}" if revision else self.repo
                raise cached.not_kept(self.repo, revision, what, error.message) from None
            return Remote(self.repo, commit, revision, offline=error.message)

    def download(self, revision: str | None) -> Downloaded:
        """Download the release at a revision into huggingface_hub's cache.

        Only files that a release can have are fetched. A file that is in the cache already is not fetched again:
        `datasets` would use it too, so it is the one to check. Where the hub is out of reach, the cache has to have
        the whole release. Raises ReleaseError or HubError.
        """
        remote = self.release(revision)
        try:
            besides = None if remote.offline else self._fetch(remote)
        except (Unclear, Busy) as error:
            besides, remote = None, Remote(self.repo, remote.commit, revision, offline=error.message)
        path, cache = cached.snapshot_of(self.repo, remote.commit)  # its files are links into the cache
        if besides is None:
            named = manifests.parse(remote.read(manifests.NAME, manifests.MAX_BYTES)).files
            if missing := [name for name in named if cached.file_of(self.repo, remote.commit, name) is None]:
                what = f"{len(missing):,} of {len(named):,} files of {remote.name}, such as {missing[0]}"
                raise cached.not_kept(self.repo, revision, what, remote.offline)
        folder = ReleaseFolder(path, name=f"{self.repo}@{remote.commit[:8]}", fence=cache)
        return Downloaded(folder, remote.commit, remote, besides)

    def _fetch(self, remote: Remote) -> list[str]:
        """Download the files of a release; lists what the repository holds besides."""
        from huggingface_hub import snapshot_download

        with hub_errors(self.repo, remote.asked):
            files = list_files(self.repo, remote.commit)
            ours = [
                path for path in files
                if path in (manifests.NAME, *manifests.TEXTS) or manifests.shard_key(path)
                or (leaderboard.is_entry(path) and files[path].size <= leaderboard.MAX_ANSWERS)
            ]  # fmt: skip
            if sum(files[path].size for path in ours) > MAX_BYTES:
                raise ReleaseError(f"{self.repo} is larger than {MAX_BYTES >> 30} GiB", "that is no release of acbench")
            if manifests.NAME in files:
                download(self.repo, remote.commit, remote.asked, manifests.NAME)
            snapshot_download(
                self.repo, repo_type="dataset", revision=remote.commit, allow_patterns=ours, max_workers=4
            )
        return sorted(path for path in files if path not in (*ours, *FILES_OF_HUB))

    def _api(self) -> HfApi:
        from huggingface_hub import HfApi, get_token

        return HfApi(token=get_token(), library_name="acbench")

    def _commit(self, revision: str | None) -> str:
        with hub_errors(self.repo, revision):
            return str(self._api().dataset_info(self.repo, revision=revision).sha)
