"""Reads and changes a dataset repository on the Hugging Face Hub through huggingface_hub, one commit at a time.

`create_commit` uploads file contents first, which nobody sees, and then makes the commit on top of the given parent.
`upload_folder` and `push_to_hub` make several commits of a large folder, so readers could see half a release.
"""

from __future__ import annotations

import hashlib
import json
import re
import sys
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, cast

from acbench._util.backoff import retry_after
from acbench.errors import AcbenchError, ReleaseError
from acbench.integrations.huggingface import writing
from acbench.integrations.huggingface.waiting import bound_waits
from acbench.release import leaderboard
from acbench.release import manifest as manifests
from acbench.release.folder import ReleaseFolder
from acbench.release.hub import Busy, Conflict, Head, HubError, Unclear

if TYPE_CHECKING:
    from huggingface_hub import HfApi

MAX_FILES = 20_000
"""Files in a repository, at most; one with more is no release."""
MAX_BYTES = 1 << 40
"""Bytes of all files that are downloaded, at most."""

_REPO = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,95}/[A-Za-z0-9][A-Za-z0-9._-]{0,95}")
_NO_REPO = re.compile(r"--|\.\.|[.-](/|$)|\.git$|\.ipynb$")
_COMMIT = re.compile(r"[0-9a-f]{40}")
_TOKEN = re.compile(r"hf_\w+")
_ADDRESS = re.compile(r"https?://[^\s'\"<>)]+")
_TOLD = re.compile(r"status (?:client|server) error \(([45]\d\d)\b")
_WRITE = "write"


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
            raise HubError(f"there is no token to write to {self.repo} with", _hint(_WRITE))
        try:
            with _hub_errors(self.repo, doing=_WRITE):
                why = writing.why_not(self._api().whoami(), self.repo)
        except Busy:  # of this question alone a hub takes a few in an hour; a token that may not write is refused later
            return
        if why:
            raise HubError(f"the hub would refuse to write to {self.repo}: {why}", _hint(_WRITE))

    def at(self, revision: str | None = None) -> Head | None:
        from huggingface_hub.errors import RepositoryNotFoundError

        with _hub_errors(self.repo):
            try:
                info = self._api().dataset_info(self.repo, revision=revision)
            except RepositoryNotFoundError as error:
                if _status(error) == 401 and self._api().token is not None:
                    raise
                return None
            commit = str(info.sha)
            files = self._files(commit)
            manifest = self._manifest(commit) if manifests.NAME in files else None
            refs = self._api().list_repo_refs(self.repo, repo_type="dataset")
            return Head(
                commit=commit,
                files={path: content for path, (content, _) in files.items()},
                manifest=manifest,
                tags={tag.name: tag.target_commit for tag in refs.tags},
            )

    def create(self, *, private: bool) -> None:
        with _hub_errors(self.repo, doing=_WRITE):
            self._api().create_repo(self.repo, repo_type="dataset", private=private, exist_ok=True)

    def commit(self, folder: Path, paths: Collection[str], removed: Collection[str], parent: str, title: str) -> None:
        from huggingface_hub import CommitOperationAdd, CommitOperationDelete

        added = [CommitOperationAdd(path_in_repo=path, path_or_fileobj=str(folder / path)) for path in paths]
        gone = [CommitOperationDelete(path_in_repo=path) for path in removed]
        with _hub_errors(self.repo, doing=_WRITE):
            self._api().create_commit(
                self.repo, [*added, *gone], commit_message=title, repo_type="dataset", parent_commit=parent
            )

    def tag(self, name: str, commit: str) -> None:
        with _hub_errors(self.repo, doing=_WRITE):
            self._api().create_tag(self.repo, tag=name, revision=commit, repo_type="dataset")

    def release(self, revision: str | None = None) -> Remote:
        """A reader of the release at a revision, by default the head, even if its branch moves meanwhile."""
        known = revision is not None and _COMMIT.fullmatch(revision)
        return Remote(self.repo, revision if revision and known else self._commit(revision), revision)

    def download(self, revision: str | None) -> tuple[ReleaseFolder, str]:
        """Download the release at a revision into huggingface_hub's cache; gives it and its commit.

        Only files that a release can have are fetched. A file that is in the cache already is not fetched again:
        `datasets` would use it too, so it is the one to check.
        """
        from huggingface_hub import snapshot_download

        commit = self._commit(revision)
        with _hub_errors(self.repo, revision):
            files = self._files(commit)
            ours = [
                path for path in files
                if path in (manifests.NAME, *manifests.TEXTS) or manifests.shard_key(path)
                or (leaderboard.is_entry(path) and files[path][1] <= leaderboard.MAX_ANSWERS)
            ]  # fmt: skip
            if sum(files[path][1] for path in ours) > MAX_BYTES:
                raise ReleaseError(f"{self.repo} is larger than {MAX_BYTES >> 30} GiB", "that is no release of acbench")
            path = Path(
                snapshot_download(self.repo, repo_type="dataset", revision=commit, allow_patterns=ours, max_workers=4)
            )
        cache = path.parent.parent.parent  # its files are links into the cache
        return ReleaseFolder(path, name=f"{self.repo}@{commit[:8]}", fence=cache), commit

    def unexpected_files(self, commit: str) -> list[str]:
        """Files of the repository that no release has, and that were therefore not fetched."""
        with _hub_errors(self.repo):
            known = {manifests.NAME, *manifests.TEXTS, ".gitattributes"}
            return sorted(
                path for path in self._files(commit)
                if path not in known and not manifests.shard_key(path) and not leaderboard.is_entry(path)
            )  # fmt: skip

    def _api(self) -> HfApi:
        from huggingface_hub import HfApi, get_token

        return HfApi(token=get_token(), library_name="acbench")

    def _commit(self, revision: str | None) -> str:
        with _hub_errors(self.repo, revision):
            return str(self._api().dataset_info(self.repo, revision=revision).sha)

    def _files(self, commit: str) -> Mapping[str, tuple[str, int]]:
        """Path → content id and size."""
        from huggingface_hub import RepoFile

        files = {}
        for entry in self._api().list_repo_tree(self.repo, recursive=True, revision=commit, repo_type="dataset"):
            if isinstance(entry, RepoFile):
                content = f"sha256:{entry.lfs.sha256}" if entry.lfs else f"git:{entry.blob_id}"
                files[entry.path] = (content, int(entry.size))
            if len(files) > MAX_FILES:
                raise ReleaseError(f"{self.repo} has more than {MAX_FILES:,} files", "that is no release of acbench")
        return files

    def _manifest(self, commit: str) -> manifests.Manifest:
        return manifests.parse(Remote(self.repo, commit, commit).read(manifests.NAME, manifests.MAX_BYTES))


class Remote:
    """A release on the Hub: a `ReleaseReader` that fetches only what is read."""

    def __init__(self, repo: str, commit: str, asked: str | None) -> None:
        self.repo = repo
        self.commit = commit
        self.asked = asked
        """The revision that was asked for, which messages name."""

    @property
    def name(self) -> str:
        """What messages call it."""
        return f"{self.repo}@{self.asked}" if self.asked else self.repo

    def read(self, path: str, limit: int) -> bytes:
        with self.open(path) as file, _hub_errors(self.repo, self.asked):
            data = file.read(limit + 1)
        if len(data) > limit:
            raise ReleaseError(f"{self.name}: {path} is larger than {limit >> 20} MiB", "that is no release of acbench")
        return data

    def sha256(self, path: str) -> str:
        """What the hub says that the file's SHA-256 is; of a file that it keeps in git, that of its bytes."""
        with _hub_errors(self.repo, self.asked):
            found = writing.stored_sha256(self.repo, path, self.commit)
        return found or hashlib.sha256(self.read(path, manifests.MAX_BYTES)).hexdigest()

    def open(self, path: str) -> BinaryIO:
        from huggingface_hub import HfFileSystem, get_token

        with _hub_errors(self.repo, self.asked):
            try:
                files = HfFileSystem(token=get_token(), skip_instance_cache=True)
                return cast(BinaryIO, files.open(f"datasets/{self.repo}/{path}", "rb", revision=self.commit))
            except FileNotFoundError:
                raise ReleaseError(
                    f"{self.name} has no {path}, or is not there", "is it a release of acbench? acbench verify ORG/NAME"
                ) from None


@contextmanager
def _hub_errors(repo: str, revision: str | None = None, doing: str = "read") -> Iterator[None]:
    """Turn the errors of huggingface_hub into ours, without what could be secret. `doing`: `read` or `write`."""
    try:
        bound_waits()
        yield
    except AcbenchError:
        raise
    except Exception as error:
        raise _as_ours(error, repo, revision, doing) from None


def _hint(doing: str) -> str:
    return f"set HF_TOKEN to a token that may {doing} there; your tokens: {_endpoint()}/settings/tokens"


def _endpoint() -> str:
    from huggingface_hub import constants

    return str(constants.ENDPOINT)


def _as_ours(error: Exception, repo: str, revision: str | None, doing: str) -> Exception:
    """Our error for one of huggingface_hub; what comes from neither the hub nor the connection stays as it is."""
    from huggingface_hub.errors import RepositoryNotFoundError, RevisionNotFoundError

    status = _status(error)
    text = shown(str(error))
    if isinstance(error, RevisionNotFoundError):
        return HubError(f"{repo} has no revision {revision}", "give a tag such as v1.0.0, a branch or a commit")
    if status in (401, 403) or (isinstance(error, RepositoryNotFoundError) and status == 401):
        return HubError(f"the hub refuses access to {repo} ({status})", _hint(doing))
    if isinstance(error, RepositoryNotFoundError):
        return HubError(f"there is no dataset {repo} on the hub", "check the name, and HF_TOKEN if it is private")
    if status in (409, 412):
        return Conflict(f"{repo} was changed by somebody else meanwhile")
    if status == 413:
        return HubError(
            f"the hub takes no files of this size for {repo} (413)",
            "ask whoever runs the hub for room, or publish --labels-only",
        )
    if status in (429, 503):
        why = "the hub asks for patience (429)" if status == 429 else "the hub has no capacity at the moment (503)"
        return Busy(why, seconds=retry_after(_headers(error)))
    if status is not None and status < 500:
        return HubError(f"the hub refuses ({status}): {text}", "see the message; HF_DEBUG=1 shows the request")
    if status is not None:
        return Unclear(f"the hub has a problem ({status})", "run the same command again later")
    if isinstance(error, (json.JSONDecodeError, KeyError)):
        return Unclear("the hub's answer cannot be read", "run the same command again later")
    if _is_transport(error):
        return Unclear(f"the hub does not answer ({type(error).__name__})", "check the network, then run it again")
    return error


def shown(text: str) -> str:
    """A message without tokens, and without addresses of anybody but the hub: they may be signed, or lead anywhere."""
    host = _endpoint()
    known = _ADDRESS.sub(lambda found: found[0] if found[0].startswith(f"{host}/") else "…", text)
    return " ".join(_TOKEN.sub("hf_…", known).split())[:300]


def _is_transport(error: Exception) -> bool:
    """Whether a connection failed, in any HTTP library that huggingface_hub has used."""
    names = {kind.__name__ for kind in type(error).__mro__}
    if names & {"TransportError", "RequestException", "ConnectionError", "TimeoutError", "HTTPError"}:
        return True
    return isinstance(error, (RuntimeError, OSError)) and getattr(error, "filename", None) is None  # no file of ours


def _status(error: Exception) -> int | None:
    """The HTTP status of an answer, whichever library it comes from: hf_xet tells it in words only."""
    response = getattr(error, "response", None)
    status = getattr(response, "status_code", None)
    if status is None and isinstance(error, (RuntimeError, OSError)) and (found := _TOLD.search(str(error))):
        return int(found[1])
    return status if isinstance(status, int) else None


def _headers(error: Exception) -> Mapping[str, str]:
    headers: Mapping[str, str] = getattr(getattr(error, "response", None), "headers", {})
    return headers
