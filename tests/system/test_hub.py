"""Publishing to a hub and loading from it, with the real clients in processes of their own, by LFS and by Xet."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest

from acbench.testing import toy_mvtec_ad
from tests.support.commands import DyingCommands, acbench, python
from tests.support.hubs import (
    COMMIT,
    IMAGE,
    LABEL,
    REPO,
    assert_whole,
    copied,
    files,
    load,
    machine,
    online,
    publish,
    relabelled,
    sha256,
    tree,
    upload,
    uploading,
)
from tests.support.loopback_hub import Blob, LoopbackHub, Repo


@pytest.fixture
def project(visa: Path, tmp_path: Path) -> Path:
    return copied(visa, tmp_path / "project")


# A release and what others make of it


def test_what_was_published_is_what_others_load(
    hub: LoopbackHub, built: Path, later: Path, visa: Path, mode: str
) -> None:
    upload(hub, built, mode)
    assert_whole(hub, built)
    assert bool(hub.count("POST", "/v1/xorbs/")) == (mode == "xet")
    first = load(hub, "candle", mode=mode)
    seen = {row["image"] for row in first["rows"]} | {row["mask"] for row in first["rows"]}
    for image in ("Images/Anomaly/000.JPG", "Masks/Anomaly/000.png"):
        assert sha256(visa / "images/candle/Data" / image) in seen

    upload(hub, later, mode)
    assert hub.repos[REPO].tags.keys() == {"v1.0.0", "v1.1.0"}
    assert load(hub, "candle", "v1.0.0", mode=mode) == first
    second = load(hub, "candle", "v1.1.0", mode=mode)
    assert load(hub, "candle", streaming=True, mode=mode) == second
    changed = [(a, b) for a, b in zip(first["rows"], second["rows"], strict=True) if a != b]
    ((before, after),) = changed
    assert before["image"] == after["image"] == sha256(visa / "images" / IMAGE)
    assert second["names"][after["label"]] == LABEL
    assert len(load(hub, mode=mode)["rows"]) > len(second["rows"])


def test_from_release_to_release(hub: LoopbackHub, project: Path) -> None:
    publish(hub, project)
    relabelled(project)
    refused = publish(hub, project, status=1).err
    assert f"v1.0.0 of {REPO} is another release" in refused
    assert "--version 1.1.0" in refused
    publish(hub, project, "--version", "1.1.0")
    card = hub.repos[REPO].head.files["README.md"].data.decode()
    assert "### Against 1.0.0\n\n1 label changed." in card
    older = publish(hub, project, "--version", "0.9.0", status=1).err
    assert "version 1.1.0 is published already\n  → give a later one than that: --version 1.2.0" in older
    done = online(hub, None, "diff", f"{REPO}@v1.0.0", REPO, "--json")
    (change,) = done.facts["changes"]
    assert (change["image"], change["after"]) == (IMAGE, LABEL)
    assert change["reason"].startswith("decided by reviewer-")
    assert "ada" not in done.out


def test_verify_finds_a_release_sound(hub: LoopbackHub, built: Path, mode: str) -> None:
    upload(hub, built, mode)
    assert "Sound" in online(hub, None, "verify", REPO, "--revision", "v1.0.0", mode=mode).out


def test_an_older_major_version_of_datasets_reads_the_same(hub: LoopbackHub, built: Path, mode: str) -> None:
    older = os.environ.get("ACBENCH_OLDER_DATASETS")
    if not older:
        pytest.skip(
            "ACBENCH_OLDER_DATASETS is not set: it names a folder with an older `datasets`, as .ci/run makes one"
        )
    upload(hub, built, mode)
    newest = load(hub, "candle", mode=mode)
    for streaming in (False, True):
        found = load(hub, "candle", "v1.0.0", mode=mode, path=older, streaming=streaming)
        assert found["version"].split(".")[0] < newest["version"].split(".")[0]
        assert (found["names"], found["rows"]) == (newest["names"], newest["rows"])


def test_labels_alone_and_ones_own_images(hub: LoopbackHub, tmp_path: Path) -> None:
    images = toy_mvtec_ad(tmp_path / "images")
    acbench(tmp_path, "relabel", "mvtec_ac", "--root", images, "--without", "neighbours")
    assert "labels only" in online(hub, tmp_path, "publish", "mvtec_ac", "--repo", "my-org/mvtec-ac").out
    card = hub.repos["my-org/mvtec-ac"].head.files["README.md"].data.decode()
    guide = (Path(__file__).parents[2] / "docs/guides/publish_and_load.md").read_text(encoding="utf-8")
    for text in (card, guide):
        program = text.partition("```python\n")[2].partition("```")[0]
        assert "attach_images" in program
        program = program.replace("path/to/mvtec_ad", str(images))
        program += "print(data[0]['image'].size, data.features['label'].int2str(data[0]['label']))"
        *scored, _, _, _ = said = python(program, **machine(hub)).out.split()
        assert said[-3:] == ["(48,", "48)", "broken_large"]
        assert len(scored) == (text is guide)
        assert all(0 < float(share) < 1 for share in scored)


def test_nothing_is_published_twice(hub: LoopbackHub, project: Path) -> None:
    publish(hub, project)
    assert "was there already" in publish(hub, project).out
    assert "again" in upload(hub, project)
    assert_whole(hub, project)


def test_what_lies_beside_a_release_stays_and_what_lies_among_its_tables_goes(hub: LoopbackHub, project: Path) -> None:
    publish(hub, project)
    head = hub.repos[REPO].head
    mine = {"data/candle/evil.py": Blob(b"print(1)", False), "LICENSE": Blob(b"text", False)}
    hub.repos[REPO].add("my files", {**head.files, **mine})
    found = online(hub, None, "verify", REPO, status=3).out
    assert "data/candle/evil.py: it is no part of a release, and was not fetched" in found
    questioned = publish(hub, project, "--version", "1.0.1", status=1).err
    assert "nothing has changed since version 1.0.0" in questioned
    told = publish(hub, project, "--version", "1.0.1", "--odd-version").out
    assert "Beside it stay: LICENSE\n" in told
    assert "data/candle/evil.py" not in hub.repos[REPO].head.files
    assert hub.repos[REPO].head.files["LICENSE"].data == b"text"
    assert "Sound" in online(hub, None, "verify", REPO).out


def test_a_repository_of_somebody_else_is_refused_unless_it_may_go(hub: LoopbackHub, project: Path) -> None:
    hub.repos[REPO] = Repo()
    hub.repos[REPO].add("precious", {"train.csv": Blob(b"1,2", False), "a.png": Blob(b"png", False)})
    for more in ((), ("--dry-run",)):
        refused = publish(hub, project, *more, status=1).err
        assert (
            f"{REPO} holds no release of visa_ac, and 2 files that a release would delete: a.png, train.csv" in refused
        )
        assert "--replace" in refused
    assert len(hub.repos[REPO].commits) == 1
    assert "To be deleted: a.png, train.csv" in publish(hub, project, "--replace", "--dry-run").out
    publish(hub, project, "--replace")
    assert tree(hub) == files(project)


def test_decisions_of_people_are_not_taken_back_unsaid(
    hub: LoopbackHub, project: Path, visa: Path, tmp_path: Path
) -> None:
    relabelled(project)
    publish(hub, project)
    without = copied(visa, tmp_path / "without")
    for more in ((), ("--dry-run",)):
        refused = publish(hub, without, "--version", "1.1.0", *more, status=1).err
        assert f"takes back what people decided in version 1.0.0 (1 relabelled), about 1 image: {IMAGE}" in refused
    assert list(hub.repos[REPO].tags) == ["v1.0.0"]
    assert (
        "too small a step: 1 label changed"
        in publish(hub, without, "--version", "1.0.1", "--withdraw-decisions", status=1).err
    )
    told = publish(hub, without, "--version", "1.1.0", "--withdraw-decisions").out
    assert "Against 1.0.0: 1 relabelled.\n" in told and "a decision of people is lost" in told


@pytest.mark.parametrize(
    ("account", "why"),
    [
        ({"auth": {"accessToken": {"role": "read"}}}, "the token of tester may only read"),
        ({"orgs": []}, "tester is no member of my-org"),
    ],
)
def test_whoever_may_not_write_is_told_before_anything_is_built(
    hub: LoopbackHub, project: Path, account: dict[str, Any], why: str
) -> None:
    hub.account |= account
    for more in ((), ("--dry-run",)):
        assert why in publish(hub, project, *more, status=1).err
    assert hub.repos == {} and not (project / ".acbench/visa_ac/release").exists()


# Faults


@pytest.mark.parametrize(
    ("method", "path", "how"),
    [
        ("POST", COMMIT, {"status": 409}),
        ("POST", COMMIT, {"status": 412}),
        ("POST", COMMIT, {"status": 500}),
        ("POST", COMMIT, {"status": 503, "headers": {"Retry-After": "1"}}),
        ("POST", "/api/repos/create", {"status": 409}),
        ("POST", COMMIT, {"status": 429, "headers": {"Retry-After": "1"}}),
        ("POST", COMMIT, {"status": 429, "headers": {"RateLimit": '"api";r=0;t=1'}}),
        ("POST", COMMIT, {"lost": True}),
        ("POST", "/tag/", {"status": 500}),
        ("POST", "/tag/", {"status": 409}),
        ("POST", "/tag/", {"lost": True}),
        ("POST", "/preupload/", {"status": 500}),
        ("POST", "/api/repos/create", {"lost": True}),
        ("PUT", "/lfs/", {"status": 500}),
    ],
    ids=lambda value: json.dumps(value) if isinstance(value, dict) else value,
)
def test_one_fault_is_got_over(hub: LoopbackHub, built: Path, method: str, path: str, how: dict[str, Any]) -> None:
    fault = hub.fault(method, path, **how)
    upload(hub, built)
    assert not fault.times
    assert_whole(hub, built)


@pytest.mark.parametrize("status", [401, 403])
@pytest.mark.parametrize("path", ["/api/repos/create", "/preupload/", COMMIT, "/tag/"])
def test_no_access_is_said_and_a_rerun_with_access_does_the_rest(
    hub: LoopbackHub, built: Path, path: str, status: int
) -> None:
    hub.fault("POST", path, status=status)
    refused = upload(hub, built, status=1)
    assert f"the hub refuses access to {REPO} ({status})" in refused
    assert "HF_TOKEN" in refused
    upload(hub, built)
    assert_whole(hub, built)


def test_a_wrong_token_and_no_token(hub: LoopbackHub, project: Path, built: Path) -> None:
    refused = publish(hub, project, status=1, HF_TOKEN="hf_wrong").err
    assert "refuses access" in refused
    assert "hf_wrong" not in refused
    assert "HF_TOKEN" in upload(hub, built, status=1, HF_TOKEN="")
    assert hub.repos == {}


def test_a_hub_that_is_down_or_wants_too_much_patience_is_said(hub: LoopbackHub, project: Path, built: Path) -> None:
    down = publish(hub, project, status=1, HF_ENDPOINT="http://127.0.0.1:9").err
    assert "does not answer" in down
    hub.fault("POST", COMMIT, status=429, headers={"Retry-After": "7200"})
    assert "7,200 s" in upload(hub, built, status=1)
    assert len(hub.repos[REPO].commits) == 1


@pytest.mark.parametrize(
    ("method", "path", "how", "told"),
    [
        ("PUT", "/lfs/", {"status": 413}, "takes no files of this size for my-org/visa-ac (413)"),
        ("POST", "/preupload/", {"status": 413}, "takes no files of this size for my-org/visa-ac (413)"),
        ("POST", COMMIT, {"status": 413}, "takes no files of this size for my-org/visa-ac (413)"),
        ("POST", COMMIT, {"status": 503, "headers": {"Retry-After": "3600"}}, "3,600 s of patience (503)"),
        ("POST", "/tag/", {"status": 503, "headers": {"Retry-After": "3600"}}, "3,600 s of patience (503)"),
        ("POST", COMMIT, {"status": 400}, "the hub refuses (400)"),
        ("POST", "/tag/", {"status": 400}, "the commit of 1.0.0 is public already, its tag v1.0.0 is missing"),
    ],
    ids=lambda value: json.dumps(value) if isinstance(value, dict) else value,
)
def test_what_stops_the_storing_is_said_as_it_is_and_a_rerun_does_the_rest(
    hub: LoopbackHub, built: Path, method: str, path: str, how: dict[str, Any], told: str
) -> None:
    hub.fault(method, path, **how)
    refused = upload(hub, built, status=1)
    assert told in refused and "\n  → " in refused
    assert len(hub.repos[REPO].commits) == 1 + (path == "/tag/") and not hub.repos[REPO].tags
    upload(hub, built)
    assert_whole(hub, built)


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("path", ["/tree/", "/api/datasets/[^/]+/[^/]+$", "/api/whoami"])
def test_a_long_wait_is_told_and_not_slept_through(hub: LoopbackHub, project: Path, path: str, status: int) -> None:
    hub.repos[REPO] = Repo()
    hub.repos[REPO].add("initial commit", {".gitattributes": Blob(b"", False)})
    hub.fault("GET", path, status=status, headers={"Retry-After": "3600"}, times=99)
    refused = publish(hub, project, "--dry-run", status=0 if "whoami" in path else 1).err
    assert ("3,600 s" in refused) == ("whoami" not in path)


@pytest.mark.parametrize(
    ("method", "moment"),
    [("POST", "/api/repos/create"), ("POST", "/preupload/"), ("PUT", "/lfs/"), ("POST", "/v1/xorbs/"),
     ("POST", "/v1/shards"), ("POST", COMMIT), ("GET", "/refs"), ("POST", "/tag/")],
)  # fmt: skip
def test_killed_at_a_moment_a_rerun_publishes_once(hub: LoopbackHub, built: Path, method: str, moment: str) -> None:
    mode = "xet" if moment.startswith("/v1/") else "lfs"
    running: list[subprocess.Popen[str]] = []
    hub.fault(method, moment, before=lambda: running[0].kill())
    running.append(uploading(hub, built, mode))
    running[0].communicate(timeout=600)
    assert running[0].returncode == -signal.SIGKILL
    upload(hub, built, mode)
    assert_whole(hub, built)


def test_killed_while_it_is_built_a_rerun_publishes_once(hub: LoopbackHub, project: Path, tmp_path: Path) -> None:
    relabelled(project)  # by a person, so that there is somebody to hide
    command = ("publish", "visa_ac", "--repo", REPO)
    with DyingCommands(tmp_path, "acbench.workflows.publish", **machine(hub)) as dying:
        for step in (1, 2, "pseudonyms.key", "train-00000", "/release/README.md", "release.json"):
            assert dying.killed(project, step, *command), f"there is no step {step}: {dying.output}"
            assert REPO not in hub.repos, "it is uploaded when it is whole"
    publish(hub, project)
    assert_whole(hub, project)


def test_of_two_publishers_one_wins_and_the_other_is_told(hub: LoopbackHub, built: Path, later: Path) -> None:
    both = [uploading(hub, place) for place in (later, built)]
    said = ["".join(process.communicate(timeout=600)) for process in both]
    codes = [process.returncode for process in both]
    assert sorted(codes) == [0, 1], said
    assert f"to {REPO} while this release was made" in said[codes.index(1)]
    winner = (later, built)[codes.index(0)]
    assert list(hub.repos[REPO].tags) == ["v1.1.0" if winner == later else "v1.0.0"]
    assert tree(hub) == files(winner)
    assert len(hub.repos[REPO].commits) == 2


def test_somebody_else_gets_in_between_head_and_commit(hub: LoopbackHub, built: Path) -> None:
    theirs = json.loads((built / ".acbench/visa_ac/release/release.json").read_bytes())
    data = json.dumps({**theirs, "policy": "theirs"}).encode()

    def meanwhile() -> None:
        hub.repos[REPO].add("theirs", {**hub.repos[REPO].head.files, "release.json": Blob(data, False)})

    hub.fault("POST", COMMIT, before=meanwhile)
    refused = upload(hub, built, status=1)
    assert f"somebody else published version 1.0.0 to {REPO}" in refused
    assert hub.repos[REPO].head.title == "theirs"


def test_a_harmless_change_meanwhile_is_built_upon(hub: LoopbackHub, built: Path, later: Path) -> None:
    def meanwhile() -> None:
        hub.repos[REPO].add("note", {**hub.repos[REPO].head.files, "NOTES.md": Blob(b"hello", False)})

    upload(hub, built)
    hub.fault("POST", COMMIT, before=meanwhile)
    upload(hub, later)
    assert [commit.title for commit in hub.repos[REPO].commits] == [
        "initial commit", "VisA-AC 1.0.0", "note", "VisA-AC 1.1.0",
    ]  # fmt: skip
    assert "NOTES.md" in hub.repos[REPO].head.files


def test_a_byte_that_flips_on_the_way_down_is_found(hub: LoopbackHub, built: Path, tmp_path: Path, mode: str) -> None:
    upload(hub, built, mode)
    fault = hub.fault("GET", "/cdn/" if mode == "lfs" else "/xorb/", flip=True)
    home = {"HF_HOME": str(tmp_path)}
    for _ in range(2):  # the second time from the cache, which is what load_dataset uses
        found = online(hub, None, "verify", REPO, mode=mode, status=3, **home).out
        assert "it is not the file that was published" in found
    assert not fault.times
    for path in re.findall(r"→ rm (\S+)   and fetch it again", found):
        Path(path).unlink()
    online(hub, None, "verify", REPO, mode=mode, **home)


@pytest.mark.parametrize("what", ["no such repo", "no such revision", "no release"])
def test_what_is_not_there_is_said(hub: LoopbackHub, built: Path, what: str) -> None:
    upload(hub, built)
    hub.repos[REPO].add("emptied", {})
    arguments = {
        "no such repo": ("verify", "my-org/nothing"),
        "no such revision": ("verify", REPO, "--revision", "v9.9.9"),
        "no release": ("verify", REPO),
    }[what]
    assert "\n  → " in online(hub, None, *arguments, status=1).err


def test_answers_are_scored_against_the_release_of_a_tag(hub: LoopbackHub, built: Path, tmp_path: Path) -> None:
    upload(hub, built)
    hub.repos[REPO].add("emptied", {})
    answers = tmp_path / "answers.csv"
    answers.write_text(f"image,label\n{IMAGE},good\n")
    release = f"{REPO}@v1.0.0"
    out = online(hub, None, "score", "--truth", release, "--predictions", answers, "--view", "sets", status=3).out
    assert f"Truth: VisA-AC 1.0.0, {release}\n" in out
    assert out.startswith("answers on visa_ac: 10 images (8 anomalous), sets view")
