"""Versions of a published benchmark: which are deprecated, and whether a rehearsal says what the real run says."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.commands import Done, python
from tests.support.hubs import IMAGE, REPO, copied, load, machine, online, publish, relabelled
from tests.support.loopback_hub import Blob, LoopbackHub, Repo

WHY = "the corner of a candle was taken for wax"
TOLD = f"version 1.0.0 of visa_ac is deprecated: {WHY}; use v1.1.0"

ATTACH = """
import sys, warnings
import acbench, datasets

labels = datasets.load_dataset(sys.argv[1], revision=sys.argv[3])
with warnings.catch_warnings(record=True) as told:
    warnings.simplefilter("always")
    data = acbench.attach_images(labels, sys.argv[2])
assert "image" in data["test"].features
print([str(each.message) for each in told if "deprecated" in str(each.message)])
"""


def test_a_deprecated_version_is_told_by_whoever_reads_it_and_loads_as_before(
    hub: LoopbackHub, visa: Path, tmp_path: Path
) -> None:
    project = copied(visa, tmp_path / "project")
    publish(hub, project, "--labels-only")
    relabelled(project)
    publish(hub, project, "--labels-only", "--version", "1.1.0")
    before = load(hub, "candle", "v1.0.0")
    mark = ("--deprecate", "v1.0.0", "--because", WHY)
    rehearsed, commits = publish(hub, project, *mark, "--dry-run"), len(hub.repos[REPO].commits)
    assert rehearsed.out.startswith(f"{TOLD}\n") and rehearsed.out.endswith("Nothing was uploaded.\n")
    done = publish(hub, project, *mark)
    assert done.out.splitlines()[:-1] == rehearsed.out.splitlines()[:-1]
    again = publish(hub, project, *mark, "--json").facts
    assert len(hub.repos[REPO].commits) == commits + 1
    assert (again["already_there"], again["commit"], again["told"]) == (True, hub.repos[REPO].head.oid, TOLD)
    assert "was there already" in publish(hub, project, "--labels-only", "--version", "1.1.0").out

    assert load(hub, "candle", "v1.0.0") == before
    answers = tmp_path / "answers.csv"
    answers.write_text(f"image,label\n{IMAGE},good\n")
    for version, times in (("v1.0.0", 1), ("v1.1.0", 0)):
        release = f"{REPO}@{version}"
        scored = online(hub, None, "score", "--truth", release, "--predictions", str(answers), status=3).said
        compared = online(hub, None, "diff", release, f"{REPO}@v1.1.0").said
        verified = online(hub, None, "verify", release).said
        assert [said.count(TOLD) for said in (scored, compared, verified)] == [times] * 3
        attached = python(ATTACH, REPO, visa / "images", version, **machine(hub, token="")).out
        assert attached.count(TOLD) == times
    assert "Sound as far as it was checked: 1 thing was not." in online(hub, None, "verify", REPO).out  # what changed


# A rehearsal says what the real run says


def nothing(hub: LoopbackHub, project: Path) -> None:
    """The repository is not there."""


def published(hub: LoopbackHub, project: Path) -> None:
    publish(hub, project)


def somebody_s(hub: LoopbackHub, project: Path) -> None:
    hub.repos[REPO] = Repo()
    hub.repos[REPO].add("precious", {"train.csv": Blob(b"1,2", False)})


def changed_since(hub: LoopbackHub, project: Path) -> None:
    publish(hub, project)
    relabelled(project)


def decided_and_lost(hub: LoopbackHub, project: Path) -> None:
    other = copied(project, project.with_name("other"))
    relabelled(other)
    publish(hub, other)


def with_a_stray_tag(hub: LoopbackHub, project: Path) -> None:
    hub.repos[REPO] = Repo()
    hub.repos[REPO].tags["v1.0.0"] = hub.repos[REPO].add("initial commit", {}).oid


def without_a_tag(hub: LoopbackHub, project: Path) -> None:
    publish(hub, project)
    hub.repos[REPO].tags.clear()


def with_other_files(hub: LoopbackHub, project: Path) -> None:
    publish(hub, project)
    head = hub.repos[REPO].head
    hub.repos[REPO].add("mine", {**head.files, "LICENSE": Blob(b"x", False), "data/x.csv": Blob(b"1", False)})


def read_only(hub: LoopbackHub, project: Path) -> None:
    hub.account["auth"] = {"accessToken": {"role": "read"}}


def of_a_newer_acbench(hub: LoopbackHub, project: Path) -> None:
    publish(hub, project)
    manifest = json.loads(hub.repos[REPO].head.files["release.json"].data)
    newer = json.dumps({**manifest, "format": 99}).encode()
    hub.repos[REPO].add("newer", {**hub.repos[REPO].head.files, "release.json": Blob(newer, False)})


def under_another_licence(hub: LoopbackHub, project: Path) -> None:
    publish(hub, project)
    manifest = json.loads(hub.repos[REPO].head.files["release.json"].data)
    other = json.dumps({**manifest, "licence": "CC0-1.0"}).encode()
    hub.repos[REPO].add("other", {**hub.repos[REPO].head.files, "release.json": Blob(other, False)})


SITUATIONS: list[tuple[Callable[[LoopbackHub, Path], None], tuple[str, ...], int, str]] = [
    (nothing, (), 0, "is published: tag v1.0.0"),
    (nothing, ("--version", "0.0.0"), 1, "says that nothing is there yet"),
    (published, (), 0, "was there already"),
    (published, ("--version", "0.9.0"), 1, "version 1.0.0 is published already"),
    (published, ("--version", "1.0.1"), 1, "nothing has changed since version 1.0.0"),
    (published, ("--version", "1.0.1", "--odd-version"), 0, "tag v1.0.1"),
    (published, ("--labels-only", "--version", "1.0.1"), 1, "too small a step: images came or went"),
    (somebody_s, (), 1, "1 file that a release would delete: train.csv"),
    (somebody_s, ("--replace",), 0, "train.csv"),
    (changed_since, (), 1, "is another release than this one"),
    (changed_since, ("--version", "1.0.1"), 1, "too small a step: 1 label changed"),
    (changed_since, ("--version", "1.1.0"), 0, "Against 1.0.0: 1 relabelled."),
    (decided_and_lost, ("--version", "1.1.0"), 1, "takes back what people decided in version 1.0.0"),
    (decided_and_lost, ("--version", "1.1.0", "--withdraw-decisions"), 0, "a decision of people is lost"),
    (with_a_stray_tag, (), 1, "has a tag v1.0.0 already, of something else"),
    (without_a_tag, (), 0, "is published: tag v1.0.0"),
    (with_other_files, ("--version", "1.0.1", "--odd-version"), 0, "Beside it stay: LICENSE"),
    (read_only, (), 1, "the token of tester may only read"),
    (of_a_newer_acbench, ("--version", "1.1.0"), 1, "was written by a newer acbench"),
    (under_another_licence, ("--version", "1.1.0"), 1, "one repository per licence"),
]
"""What was before, the options, the exit status, and a part of what the real run says."""


def told_in(done: Done) -> list[str]:
    """What a command said besides how long its stages took, and that it uploads now."""
    lines = done.err.splitlines()
    return [line for line in lines if not re.search(r" in [\d.]+ s$|^Note: uploading ", line)]


@pytest.mark.parametrize(
    ("before", "options", "status", "told"), SITUATIONS,
    ids=[" ".join((before.__name__, *options)) for before, options, _, _ in SITUATIONS],
)  # fmt: skip
def test_a_rehearsal_says_what_the_real_run_says(
    hub: LoopbackHub, visa: Path, tmp_path: Path, before: Callable[[LoopbackHub, Path], None],
    options: tuple[str, ...], status: int, told: str,
) -> None:  # fmt: skip
    project = copied(visa, tmp_path / "project")
    before(hub, project)
    state = {name: (repo.head.oid, dict(repo.tags)) for name, repo in hub.repos.items()}
    rehearsed = publish(hub, project, *options, "--dry-run", status=status)
    assert {name: (repo.head.oid, dict(repo.tags)) for name, repo in hub.repos.items()} == state
    real = publish(hub, project, *options, status=status)
    assert told in real.said
    assert told_in(rehearsed) == told_in(real)
    if status == 0:
        card = (project / ".acbench/visa_ac/release/README.md").read_text(encoding="utf-8")
        *lines, last = real.out.splitlines()
        assert last.startswith(f"{REPO} ")
        expected = "\n".join([*lines, "Nothing was uploaded."]).replace("Deleted: ", "To be deleted: ")
        assert rehearsed.out == f"{card}\n{expected}\n"
