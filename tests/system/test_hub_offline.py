"""What was read once from the hub is read again without it, and what was not says how to get it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.commands import Done, acbench, finish, python, start
from tests.support.hubs import IMAGE, REPO, machine, upload
from tests.support.loopback_hub import Blob, LoopbackHub

PINNED = f"{REPO}@v1.0.0"
LARGE = """
import sys
from acbench.integrations.huggingface import remote
remote.KEPT = 2_000
from acbench.cli.main import main
main()
"""
"""acbench, for which all tables are large."""


class Reader:
    """A machine that reads releases, with a hub or without."""

    def __init__(self, hub: LoopbackHub, folder: Path) -> None:
        self.env = machine(hub, token="")
        self.answers = folder / "answers.csv"
        self.answers.write_text(f"image,label\n{IMAGE},good\n")

    def run(self, *arguments: str, status: int = 0, **env: str) -> Done:
        return acbench(None, *arguments, status=status, **self.env | env)

    def score(self, release: str = PINNED, status: int = 3, **env: str) -> Done:
        return self.run("score", "--truth", release, "--predictions", str(self.answers), "--view", "sets",
                        status=status, **env)  # fmt: skip

    def load(self) -> None:
        code = f"import datasets; datasets.load_dataset({REPO!r}, revision='v1.0.0')"
        python(code, **self.env)


@pytest.fixture
def gone(homes: None, built: Path, tmp_path: Path) -> Iterator[tuple[LoopbackHub, Reader]]:
    """A hub that a test can end, with a release, and a reader of it."""
    with LoopbackHub() as hub:
        upload(hub, built)
        yield hub, Reader(hub, tmp_path)


@pytest.fixture(params=[{"HF_HUB_OFFLINE": "1"}, {}], ids=["offline", "dead"])
def without(request: pytest.FixtureRequest) -> dict[str, str]:
    """Variables of a machine that has no hub any more."""
    found: dict[str, str] = request.param
    return found


def test_a_pinned_release_is_scored_and_compared_again_without_the_hub(
    gone: tuple[LoopbackHub, Reader], without: dict[str, str]
) -> None:
    hub, reader = gone
    first = reader.score().out
    assert f"Truth: VisA-AC 1.0.0, {PINNED}\n" in first
    hub.stop()
    assert reader.score(**without).out == first
    assert reader.run("diff", PINNED, PINNED, **without).out.endswith("No label changed.\n")
    lacks = reader.run("verify", REPO, "--revision", "v1.0.0", status=1, **without).err
    assert "4 of 8 files of my-org/visa-ac@v1.0.0, such as README.md" in lacks
    other = reader.score(f"{REPO}@v9.9.9", status=1, **without).err
    assert f"lacks {REPO}@v9.9.9\n" in other
    assert f"run once: acbench verify {REPO} --revision v9.9.9 " in other


def test_a_pinned_release_is_verified_again_without_the_hub(
    gone: tuple[LoopbackHub, Reader], without: dict[str, str]
) -> None:
    hub, reader = gone
    commit = hub.repos[REPO].head.oid
    assert "Sound: it is what it says." in reader.run("verify", REPO, "--revision", "v1.0.0").out
    hub.stop()
    again = reader.run("verify", PINNED, **without).out
    assert "Sound as far as it was checked: 1 thing was not." in again
    assert "what else the repository holds, and whether the version is deprecated: the hub" in again
    assert reader.score(**without).out == reader.score(f"{REPO}@{commit}", **without).out.replace(commit, "v1.0.0")


def test_what_was_loaded_alone_says_what_is_lacking(gone: tuple[LoopbackHub, Reader], without: dict[str, str]) -> None:
    hub, reader = gone
    reader.load()
    hub.stop()
    reader.load()
    said = reader.score(status=1, **without).err
    assert f"lacks release.json of {PINNED}" in said and "HF_HOME" not in said
    assert f"→ where the hub is in reach, run once: acbench verify {REPO} --revision v1.0.0" in said


def test_of_large_tables_the_labels_alone_are_fetched_and_nothing_is_kept(gone: tuple[LoopbackHub, Reader]) -> None:
    hub, reader = gone
    command = ("score", "--truth", PINNED, "--predictions", str(reader.answers), "--view", "sets")
    finish(start(None, *command, program=("-c", LARGE), **reader.env), 3)
    assert not list(Path(reader.env["HF_HOME"]).rglob("*.parquet"))
    assert hub.count("GET", "/cdn/") == 4, "one range of each table"
    hub.stop()
    said = finish(start(None, *command, program=("-c", LARGE), **reader.env), 1).err
    assert f"lacks {PINNED}\n" in said and "acbench verify" in said


def test_a_branch_that_was_read_last_is_named_by_its_commit(gone: tuple[LoopbackHub, Reader]) -> None:
    hub, reader = gone
    reader.score(REPO)
    commit = hub.repos[REPO].head.oid
    hub.repos[REPO].add("emptied", {"LICENSE": Blob(b"x", False)})
    hub.stop()
    out = reader.score(REPO, HF_HUB_OFFLINE="1").out
    assert f"{REPO}@{commit[:8]}, its newest version when it was last read" in out


def test_the_hashes_of_all_tables_are_asked_for_in_one_request(gone: tuple[LoopbackHub, Reader]) -> None:
    hub, reader = gone
    hub.log.clear()
    reader.score()
    assert hub.count("GET", "/tree/") == 1 and hub.count("POST", "/paths-info/") == 0
