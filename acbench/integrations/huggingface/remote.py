"""Reads a release on the Hub, file by file, through the download cache where that is cheap."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, cast

from acbench.errors import AcbenchError, ReleaseError
from acbench.integrations.huggingface import cached
from acbench.integrations.huggingface.troubles import hub_errors
from acbench.release import manifest as manifests
from acbench.release.entries import ReleaseReader
from acbench.release.hub import Busy, Unclear
from acbench.release.version_list import advice

if TYPE_CHECKING:
    from huggingface_hub import RepoFile, RepoFolder

MAX_FILES = 20_000
"""Files in a repository, at most; one with more is no release."""
KEPT = 64 << 20
"""Bytes of the largest file that is downloaded whole, and thus kept. Of a larger one only what is read is fetched."""


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file of a repository, by the word of the hub."""

    content: str
    """`sha256:…` of its bytes or, for small files, `git:…`, the id of the git blob."""
    size: int
    """Bytes."""


def list_files(repo: str, commit: str) -> dict[str, StoredFile]:
    """List the files of a repository at a commit, in one request a thousand of them. Raises ReleaseError for too many,
    or an error of huggingface_hub."""
    from huggingface_hub import HfApi, RepoFile, get_token

    api = HfApi(token=get_token(), library_name="acbench")
    files = {}
    for entry in api.list_repo_tree(repo, recursive=True, revision=commit, repo_type="dataset"):
        if isinstance(entry, RepoFile):
            files[entry.path] = StoredFile(content_of(entry), int(entry.size))
        if len(files) > MAX_FILES:
            raise ReleaseError(f"{repo} has more than {MAX_FILES:,} files", "that is no release of acbench")
    return files


def content_of(entry: RepoFile | RepoFolder) -> str:
    """What the hub says of a file's content: see `StoredFile.content`; empty for a folder."""
    if lfs := getattr(entry, "lfs", None):
        return f"sha256:{lfs.sha256}"
    return f"git:{entry.blob_id}" if hasattr(entry, "blob_id") else ""


class Remote:
    """A release on the Hub: a `ReleaseReader` that fetches only what is read.

    `asked`: the revision that was asked for, which messages name; None for the head. `offline`: why the hub is out of
    reach, so that only what the download cache has can be read; empty if it is in reach. `files`: those of the
    repository, if they were listed already.
    """

    def __init__(
        self, repo: str, commit: str, asked: str | None, *, offline: str = "",
        files: Mapping[str, StoredFile] | None = None,
    ) -> None:  # fmt: skip
        self.repo = repo
        self.commit = commit
        self.asked = asked
        self.offline = offline
        self._listed = files

    @property
    def name(self) -> str:
        """What messages call it."""
        if self.offline and self.asked is None:
            return f"{self.repo}@{self.commit[:8]}, its newest version when it was last read"
        return f"{self.repo}@{self.asked}" if self.asked else self.repo

    def read(self, path: str, limit: int) -> bytes:
        """Read a small file: see `ReleaseReader`."""
        with self.open(path) as file, hub_errors(self.repo, self.asked):
            data = file.read(limit + 1)
        if len(data) > limit:
            raise ReleaseError(f"{self.name}: {path} is larger than {limit >> 20} MiB", "that is no release of acbench")
        return data

    def sha256(self, path: str) -> str:
        """Hash a file that is kept here; of a large one that is not, give what the hub says: see `ReleaseReader`."""
        if (kept := self._kept(path)) is not None:
            with kept.open("rb") as file:
                return hashlib.file_digest(file, "sha256").hexdigest()
        kind, _, value = self._files()[path].content.partition(":")
        return value if kind == "sha256" else hashlib.sha256(self.read(path, manifests.MAX_BYTES)).hexdigest()

    def open(self, path: str) -> BinaryIO:
        """Open a file: see `ReleaseReader`."""
        if (kept := self._kept(path)) is not None:
            return kept.open("rb")
        from huggingface_hub import HfFileSystem, get_token

        with hub_errors(self.repo, self.asked):
            files = HfFileSystem(token=get_token(), skip_instance_cache=True)
            return cast(BinaryIO, files.open(f"datasets/{self.repo}/{path}", "rb", revision=self.commit))

    def newest(self) -> manifests.Manifest | None:
        """Read what the head of the repository says; None if this is the head, or if that cannot be read now."""
        from huggingface_hub import HfApi, get_token

        if self.offline:
            return None
        try:
            with hub_errors(self.repo):
                api = HfApi(token=get_token(), library_name="acbench")
                head = str(api.dataset_info(self.repo).sha)
            if head == self.commit:
                return None
            return manifests.parse(Remote(self.repo, head, None).read(manifests.NAME, manifests.MAX_BYTES))
        except AcbenchError:
            return None

    def _files(self) -> Mapping[str, StoredFile]:
        """The files of the repository, which are listed once. Raises HubError."""
        if self._listed is None:
            try:
                with hub_errors(self.repo, self.asked):
                    self._listed = list_files(self.repo, self.commit)
            except (Unclear, Busy) as error:
                raise cached.not_kept(self.repo, self.asked, self.name, error.message) from None
        return self._listed

    def _kept(self, path: str) -> Path | None:
        """Where a file is in the download cache, after it was downloaded if it is not large; None for a large one.

        Raises ReleaseError for one that is not there, or HubError.
        """
        if (found := cached.file_of(self.repo, self.commit, path)) is not None:
            return found
        if self.offline:
            raise cached.not_kept(self.repo, self.asked, f"{path} of {self.name}", self.offline)
        if path not in self._files():
            hint = "is it a release of acbench? acbench verify ORG/NAME"
            raise ReleaseError(f"{self.name} has no {path}, or is not there", hint)
        return download(self.repo, self.commit, self.asked, path) if self._files()[path].size <= KEPT else None


def deprecation(release: ReleaseReader, manifest: manifests.Manifest) -> str:
    """Say that a release is deprecated, by its own list or by the newest one on the Hub; empty if it may be used, or if
    no newer list is in reach."""
    newest = release.newest() if isinstance(release, Remote) else None
    if newest is None or newest.benchmark != manifest.benchmark:
        newest = manifest
    return advice(manifest.version, newest)


def download(repo: str, commit: str, asked: str | None, path: str) -> Path:
    """Download a file into the cache. Raises HubError.

    The cache also learns which commit the revision names, unless that has changed just now.
    """
    from huggingface_hub import get_token, hf_hub_download

    with hub_errors(repo, asked):
        for revision in (asked or "main", commit):
            hf_hub_download(repo, path, repo_type="dataset", revision=revision, token=get_token())
            if (found := cached.file_of(repo, commit, path)) is not None:
                return found
    raise ReleaseError(f"{path} of {repo} is not kept by the download cache", "see that it can be written to: HF_HOME")
