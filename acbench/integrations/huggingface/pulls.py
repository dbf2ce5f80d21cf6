"""Proposes files to a dataset repository as a pull request, and finds one that proposes them already."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from acbench.integrations.huggingface.remote import content_of
from acbench.integrations.huggingface.troubles import WRITE, hub_errors, token_hint
from acbench.release.hub import HubError

if TYPE_CHECKING:
    from huggingface_hub import HfApi

MAX_PULLS = 500
"""Open pull requests that are looked at, the newest first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pull:
    """A pull request."""

    number: int
    """Older ones have a smaller number."""
    url: str


class Pulls:
    """The pull requests of one dataset repository, with the token that huggingface_hub finds, such as HF_TOKEN."""

    def __init__(self, repo: str) -> None:
        self.repo = repo

    def check_token(self) -> None:
        """Raise HubError without a token; whoever has one may propose, unless the hub says otherwise."""
        from huggingface_hub import get_token

        if not get_token():
            raise HubError(f"there is no token to propose anything to {self.repo} with", token_hint(WRITE))

    def find(self, title: str, path: str, content: Collection[str]) -> Pull | None:
        """The oldest open pull request of that title that holds a file with that content; None if there is none.

        `content`: the ids that a hub may give to it, as in `Head.files`. Raises HubError.
        """
        with hub_errors(self.repo):
            found = self._api().get_repo_discussions(
                self.repo, repo_type="dataset", discussion_type="pull_request", discussion_status="open"
            )
            same = (pull for pull in islice(found, MAX_PULLS) if pull.title == title)
            for pull in sorted(same, key=lambda pull: pull.num):
                if self._holds(f"refs/pr/{pull.num}", path, content):
                    return Pull(number=pull.num, url=str(pull.url))
        return None

    def _holds(self, revision: str, path: str, content: Collection[str]) -> bool:
        infos = self._api().get_paths_info(self.repo, [path], repo_type="dataset", revision=revision)
        return any(content_of(info) in content for info in infos)

    def close(self, pull: Pull, why: str) -> str:
        """Close a pull request of one's own, with a comment; gives why the hub refuses, or an empty text."""
        try:
            with hub_errors(self.repo, doing=WRITE):
                self._api().change_discussion_status(self.repo, pull.number, "closed", repo_type="dataset", comment=why)
        except HubError as error:
            return error.message
        return ""

    def propose(self, files: Mapping[str, bytes], parent: str, title: str, description: str) -> Pull:
        """Add files to the repository as one commit in a pull request of its own.

        `parent`: the commit that it is made on. Raises Conflict, Unclear, Busy or another HubError.
        """
        from huggingface_hub import CommitOperationAdd

        added = [CommitOperationAdd(path_in_repo=path, path_or_fileobj=data) for path, data in sorted(files.items())]
        with hub_errors(self.repo, doing=WRITE):
            done = self._api().create_commit(
                self.repo, added, commit_message=title, commit_description=description, repo_type="dataset",
                parent_commit=parent, create_pr=True,
            )  # fmt: skip
        return Pull(number=int(done.pr_num or 0), url=str(done.pr_url))

    def _api(self) -> HfApi:
        from huggingface_hub import HfApi, get_token

        return HfApi(token=get_token(), library_name="acbench")
