"""Proposes files to a dataset repository as a pull request, and finds one that proposes them already."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice
from typing import TYPE_CHECKING

from acbench.integrations.huggingface.troubles import WRITE, hub_errors, token_hint
from acbench.release.hub import HubError

if TYPE_CHECKING:
    from huggingface_hub import HfApi

MAX_PULLS = 500
"""Open pull requests that are looked at, the newest first."""


class Pulls:
    """The pull requests of one dataset repository, with the token that huggingface_hub finds, such as HF_TOKEN."""

    def __init__(self, repo: str) -> None:
        self.repo = repo

    def check_token(self) -> None:
        """Raise HubError without a token; whoever has one may propose, unless the hub says otherwise."""
        from huggingface_hub import get_token

        if not get_token():
            raise HubError(f"there is no token to propose anything to {self.repo} with", token_hint(WRITE))

    def find(self, title: str, path: str) -> str:
        """Give the address of an open pull request of that title that holds a file; empty if there is none.

        Raises HubError.
        """
        with hub_errors(self.repo):
            found = self._api().get_repo_discussions(
                self.repo, repo_type="dataset", discussion_type="pull_request", discussion_status="open"
            )
            for pull in islice(found, MAX_PULLS):
                if pull.title == title and self._api().file_exists(
                    self.repo, path, repo_type="dataset", revision=f"refs/pr/{pull.num}"
                ):
                    return str(pull.url)
        return ""

    def propose(self, files: Mapping[str, bytes], parent: str, title: str, description: str) -> str:
        """Add files to the repository as one commit in a pull request of its own; gives its address.

        `parent`: the commit that it is made on. Raises Conflict, Unclear, Busy or another HubError.
        """
        from huggingface_hub import CommitOperationAdd

        added = [CommitOperationAdd(path_in_repo=path, path_or_fileobj=data) for path, data in sorted(files.items())]
        with hub_errors(self.repo, doing=WRITE):
            done = self._api().create_commit(
                self.repo, added, commit_message=title, commit_description=description, repo_type="dataset",
                parent_commit=parent, create_pr=True,
            )  # fmt: skip
        return str(done.pr_url)

    def _api(self) -> HfApi:
        from huggingface_hub import HfApi, get_token

        return HfApi(token=get_token(), library_name="acbench")
