"""Entering a leaderboard on a hub, with the real client in processes of their own."""

from __future__ import annotations

import json
import random
import signal
import subprocess
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from acbench.testing import toy_visa
from tests.support.commands import Done, acbench, finish, start
from tests.support.loopback_hub import TOKEN, Blob, LoopbackHub

REPO = "my-org/visa-ac"
PROPOSED = "/commit/main"


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, LoopbackHub]]:
    """A project, and a hub that holds its release."""
    project = tmp_path_factory.mktemp("built")
    toy_visa(project / "images")
    acbench(project, "relabel", "visa_ac", "--root", project / "images", "--without", "neighbours")
    with LoopbackHub() as running:
        acbench(project, "publish", "visa_ac", "--repo", REPO, **machine(running, project))
        yield project, running


@pytest.fixture
def built(published: tuple[Path, LoopbackHub]) -> Path:
    """The project. Its labels are not to be changed."""
    return published[0]


@pytest.fixture
def hub(published: tuple[Path, LoopbackHub]) -> Iterator[LoopbackHub]:
    """The hub, which holds that release and nothing else."""
    _, running = published
    before = deepcopy((running.repos, running.lfs))
    yield running
    assert not running.broken
    running.repos, running.lfs = before
    running.faults.clear()


@pytest.fixture
def answers(built: Path, tmp_path: Path) -> Path:
    """What a system says, with things beside it that are nobody's business."""
    rows = [json.loads(line) for line in (built / "annotations/visa_ac/labels.jsonl").read_text().splitlines()]
    lines = [f"{row['item_id']},{'=run()' if number == 1 else 'good'},at-adas" for number, row in enumerate(rows)]
    file = tmp_path / "answers.csv"
    file.write_text("\n".join(["item_id,prediction,where", *lines]) + "\n", encoding="utf-8")
    return file


def machine(hub: LoopbackHub, place: Path, token: str = TOKEN) -> dict[str, str]:
    home = place / f"home-{random.getrandbits(64)}"
    env = {"HF_ENDPOINT": hub.url, "HF_HOME": str(home), "HF_HUB_DISABLE_TELEMETRY": "1", "HF_HUB_DISABLE_XET": "1"}
    return env | ({"HF_TOKEN": token} if token else {})


def arguments(answers: Path, *more: str, name: str = "mine") -> tuple[Any, ...]:
    return ("score", f"{REPO}@v1.0.0", "--predictions", answers, "--name", name, "--localisation", "none", "--publish",
            *more)  # fmt: skip


def enter(hub: LoopbackHub, answers: Path, *more: str, status: int = 0, token: str = TOKEN, name: str = "mine") -> Done:
    done = acbench(None, *arguments(answers, *more, name=name), status=status,
                   **machine(hub, answers.parent, token))  # fmt: skip
    assert TOKEN not in done.said
    return done


def online(hub: LoopbackHub, place: Path, *command: object, project: Path | None = None, status: int = 0) -> Done:
    return acbench(project, *map(str, command), status=status, **machine(hub, place))


def proposed(hub: LoopbackHub) -> dict[str, bytes]:
    """The files of the one pull request."""
    repo = hub.repos[REPO]
    assert len(repo.pulls) == 1 and len(repo.commits) == 2
    files = repo.pulls[0].commit.files
    assert {path: files[path] for path in repo.head.files} == repo.head.files, "nothing is overwritten"
    return {path: blob.data for path, blob in files.items() if path not in repo.head.files}


def test_an_entry_goes_from_a_pull_request_into_the_card_of_the_next_version(
    hub: LoopbackHub, built: Path, answers: Path, tmp_path: Path
) -> None:
    seen = enter(hub, answers, "--dry-run", token="")
    assert "Nothing was proposed." in seen.out and not hub.repos[REPO].pulls
    done = enter(hub, answers)
    assert f"Proposed: {hub.url}/datasets/{REPO}/discussions/1" in done.out
    files = proposed(hub)
    assert sorted(path.rpartition("/")[2] for path in files) == ["answers.csv", "score.json"]
    (folder,) = {path.rpartition("/")[0] for path in files}
    assert folder.startswith("leaderboard/v1.0.0/mine/")
    text = files[f"{folder}/answers.csv"].decode()
    assert "at-adas" not in "".join(map(bytes.decode, files.values()))
    assert "\n=run()" not in text and ",=run()" not in text
    facts = json.loads(files[f"{folder}/score.json"])
    assert (facts["system"], facts["version"], facts["leaderboard"]) == ("mine", "1.0.0", True)
    assert "| mine |" in hub.repos[REPO].pulls[0].description

    hub.repos[REPO].merge(1)
    assert f"It is in {REPO} already." in enter(hub, answers).out
    assert len(hub.repos[REPO].pulls) == 1
    assert "Sound" in online(hub, tmp_path, "verify", REPO).out
    again = online(hub, tmp_path, "publish", "visa_ac", "--repo", REPO, project=built)
    assert "was there already" in again.out, "an entry makes no other release of a version"
    online(hub, tmp_path, "publish", "visa_ac", "--repo", REPO, "--version", "1.0.1", project=built)
    head = hub.repos[REPO].head.files
    assert {path: head[path].data for path in files} == files
    assert f"({folder}/answers.csv) |" in head["README.md"].data.decode()
    checked = online(hub, tmp_path, "verify", REPO, "--json").facts
    assert not checked["failed"]
    assert [each for each in checked["findings"] if "leaderboard" in each["path"]] == []


def test_twice_is_one_pull_request_and_other_answers_are_another_row(hub: LoopbackHub, answers: Path) -> None:
    enter(hub, answers)
    first = proposed(hub)
    again = enter(hub, answers)
    assert "It is proposed already" in again.out and proposed(hub) == first
    hub.repos[REPO].merge(1)
    other = answers.with_name("other.csv")
    head, *lines = answers.read_text().splitlines()
    other.write_text("\n".join([head, *(line.replace(",good,", ",unsure,") for line in lines[:-2]), *lines[-2:]]))
    assert "Of the same system there is leaderboard/v1.0.0/mine/" in enter(hub, other).out
    assert len(hub.repos[REPO].pulls) == 2
    assert all(hub.repos[REPO].head.files[path].data == data for path, data in first.items())


@pytest.mark.parametrize("refused", [False, True])
def test_of_two_alike_at_the_same_moment_the_second_is_closed(hub: LoopbackHub, answers: Path, refused: bool) -> None:
    repo = hub.repos[REPO]
    enter(hub, answers)
    twin = repo.pulls.pop()
    hub.fault("POST", PROPOSED, before=lambda: repo.pulls.append(twin))
    if refused:
        hub.fault("POST", "/discussions/2/status", status=403)
    done = enter(hub, answers)
    assert f"It is proposed already: {hub.url}/datasets/{REPO}/discussions/1" in done.out
    assert [pull.status for pull in repo.pulls] == ["open", "open" if refused else "closed"]
    assert ("discussions/2 proposes the same entry once more, and could not be closed" in done.err) is refused


def test_a_title_alone_makes_no_entry_the_same(hub: LoopbackHub, answers: Path) -> None:
    repo = hub.repos[REPO]
    enter(hub, answers)
    (pull,) = repo.pulls
    path = next(path for path in pull.commit.files if path.endswith("answers.csv"))
    pull.commit.files[path] = Blob(b"item_id,prediction\n", False)
    assert "Proposed: " in enter(hub, answers).out
    assert [each.status for each in repo.pulls] == ["open", "open"]


@pytest.mark.parametrize("moment", ["/preupload/main", PROPOSED, "/discussions"])
def test_killed_at_a_moment_a_rerun_proposes_once(hub: LoopbackHub, answers: Path, moment: str) -> None:
    running: list[subprocess.Popen[str]] = []
    hub.fault("GET" if moment == "/discussions" else "POST", moment, before=lambda: running[0].kill())
    running.append(start(None, *arguments(answers), **machine(hub, answers.parent)))
    running[0].communicate(timeout=600)
    assert running[0].returncode == -signal.SIGKILL
    enter(hub, answers)
    assert len(proposed(hub)) == 2


@pytest.mark.parametrize("how", [{"lost": True}, {"status": 500}, {"status": 429, "headers": {"Retry-After": "0"}}],
                         ids=["the answer is lost", "a server error", "patience"])  # fmt: skip
def test_one_fault_is_got_over(hub: LoopbackHub, answers: Path, how: dict[str, Any]) -> None:
    fault = hub.fault("POST", PROPOSED, **how)
    running = start(None, *arguments(answers), **machine(hub, answers.parent))
    finish(running, 0, seconds=120)
    assert not fault.times
    assert len(proposed(hub)) == 2


def test_somebody_publishes_meanwhile(hub: LoopbackHub, answers: Path) -> None:
    repo = hub.repos[REPO]
    hub.fault("POST", PROPOSED, before=lambda: repo.add("more", {**repo.head.files, "NOTICE": Blob(b"x", False)}))
    enter(hub, answers)
    assert len(repo.pulls) == 1 and "NOTICE" in repo.pulls[0].commit.files


def test_what_is_no_entry_is_refused_before_anything_is_sent(hub: LoopbackHub, built: Path, answers: Path) -> None:
    truth = built / ".acbench/visa_ac/release"
    for more, told in (
        (("--truth", str(truth), "--localisation", "none"), "no release on the Hub"),
        (("--truth", f"{REPO}@v1.0.0"), "who told the system where"),
        (("--truth", f"{REPO}@v1.0.0", "--localisation", "ground_truth"), "no leaderboard entry"),
        (("--truth", f"{REPO}@v1.0.0", "--localisation", "none", "--name", "a\nb"), "no name"),
        (("--truth", f"{REPO}@v9.0.0", "--localisation", "none"), "v9.0.0"),
    ):
        refused = online(hub, answers.parent, "score", "--predictions", answers, "--publish", *more, status=1)
        assert told in refused.err, refused.err
    for option in (("--resamples", "5"), ("--category", "candle"), ("--view", "sets"), ("--format", "latex")):
        refused = online(hub, answers.parent, *arguments(answers, *option), status=2)
        assert f"{option[0]} does not go with --publish" in refused.err
    assert "HF_TOKEN" in enter(hub, answers, status=1, token="").err
    assert "refuses access" in enter(hub, answers, status=1, token="hf_wrong").err
    assert not hub.repos[REPO].pulls


def test_a_forged_entry_that_was_merged_is_found_and_stays_out_of_the_card(
    hub: LoopbackHub, built: Path, answers: Path, tmp_path: Path
) -> None:
    enter(hub, answers)
    files = dict(hub.repos[REPO].pulls[0].commit.files)
    path = next(path for path in files if path.endswith("score.json"))
    score = json.loads(files[path].data)
    score["scores"]["accuracy"]["mean"]["value"] = 1.0
    hub.repos[REPO].add("merged", {**files, path: Blob(json.dumps(score).encode(), False)})
    told = online(hub, tmp_path, "verify", REPO, status=3).out
    assert f"✗ {path.rpartition('/')[0]}" in told and "its answers give" in told
    noted = online(hub, tmp_path, "publish", "visa_ac", "--repo", REPO, "--version", "1.0.2", "--odd-version",
                   project=built)  # fmt: skip
    assert "not in the card, since it is not what it says" in noted.err
    assert "Nobody has entered an answer yet." in hub.repos[REPO].head.files["README.md"].data.decode()
