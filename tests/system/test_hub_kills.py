"""Uploads that are killed, or overtaken, at every moment of every request: one commit, one tag, the right bytes."""

from __future__ import annotations

import signal
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from tests.support.hubs import REPO, ForkedUploads, assert_whole, files, tree
from tests.support.loopback_hub import LoopbackHub


def emptied(hub: LoopbackHub) -> None:
    hub.repos.clear()
    hub.lfs.clear()


@pytest.mark.parametrize("which", ["first", "later"])
def test_killed_at_every_moment_the_next_run_publishes_once(
    hub: LoopbackHub, built: Path, later: Path, tmp_path: Path, which: str
) -> None:
    kills = 0
    with ForkedUploads(hub, tmp_path / "said.txt") as uploads:
        while True:
            emptied(hub)
            if which == "later":
                assert uploads.run(built) == 0, uploads.said
            release = later if which == "later" else built
            status = uploads.run(release, at=kills + 1)
            if status == 0:
                assert uploads.moments == kills, "every moment has had its kill"
                break
            assert status == -signal.SIGKILL, uploads.said
            kills += 1
            assert uploads.run(release) == 0, uploads.said
            if which == "first":
                assert_whole(hub, built)
                continue
            repo = hub.repos[REPO]
            assert tree(hub) == files(later)
            assert [commit.title for commit in repo.commits[1:]] == ["VisA-AC 1.0.0", "VisA-AC 1.1.0"]
            assert repo.tags == {"v1.0.0": repo.commits[1].oid, "v1.1.0": repo.head.oid}
    assert kills >= 30


def test_overtaken_at_every_moment_by_another_publisher_nothing_is_lost(
    hub: LoopbackHub, built: Path, later: Path, tmp_path: Path
) -> None:
    titles, outcomes = {"v1.0.0": (built, "VisA-AC 1.0.0"), "v1.1.0": (later, "VisA-AC 1.1.0")}, set()
    with ForkedUploads(hub, tmp_path / "slow.txt") as slow, ForkedUploads(hub, tmp_path / "quick.txt") as quick:
        for moment in range(1, 100):
            emptied(hub)
            other: list[int] = []
            overtake: Callable[[], None] = partial(lambda codes: codes.append(quick.run(later)), other)
            status = slow.run(built, at=moment, meanwhile=overtake)
            if not other:
                break
            repo = hub.repos[REPO]
            done = [tag for tag, code in (("v1.0.0", status), ("v1.1.0", other[0])) if code == 0]
            assert done and sorted(repo.tags) == done, slow.said + quick.said
            for tag in done:
                release, title = titles[tag]
                commit = repo.at(tag)
                assert commit is not None and commit.title == title
                found = {path: blob.data for path, blob in commit.files.items() if path != ".gitattributes"}
                assert found == files(release)
            assert len(repo.commits) == 1 + len(done)
            if status:
                assert f"somebody else published version 1.1.0 to {REPO}" in slow.said
            outcomes.add((status, other[0]))
    assert moment > 30 and outcomes == {(0, 0), (1, 0)}
