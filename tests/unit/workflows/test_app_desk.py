"""The desk of the App: a press is a review at once, of the image in sight, in the name of whoever sits there."""

from __future__ import annotations

import json
import os
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from acbench.errors import AcbenchError, ReviewError
from acbench.review.app_desk import VARIABLE, DeskAddress
from acbench.storage.project import Project
from acbench.testing import toy_mvtec_ad
from acbench.workflows import app_desk
from acbench.workflows.app_desk import Desk
from tests.support.commands import here_in

WHERE = "acbench-toy/5f"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A toy benchmark of which every test image is to be looked at."""
    here_in(tmp_path, "relabel", "mvtec_ac", "--root", toy_mvtec_ad(tmp_path / "images"), "--audit", "1")
    return tmp_path


@pytest.fixture
def desk(project: Path) -> Desk:
    return Desk(project, "mvtec_ac", "ada")


def reviews(project: Path) -> list[dict[str, Any]]:
    text = (project / "annotations/mvtec_ac/reviews.jsonl").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


def images(project: Path) -> dict[str, str]:
    """Path → item_id."""
    rows = (project / "annotations/mvtec_ac/labels.jsonl").read_text(encoding="utf-8").splitlines()
    return {row["image"]: row["item_id"] for row in map(json.loads, rows)}


def bottle(project: Path) -> str:
    return next(name for image, name in images(project).items() if image.startswith("bottle/test/broken_large"))


def press(desk: Desk, item_id: str, *said: str, note: str = "") -> Any:
    return desk.decide(item_id, said, where=WHERE, note=note, seconds=2.5)


def test_a_press_is_a_review_at_once(project: Path, desk: Desk) -> None:
    one = bottle(project)
    decided = press(desk, one, "contamination")
    (review,) = reviews(project)
    assert (review["item_id"], review["reviewer"], review["labels"]) == (one, "ada", ["contamination"])
    assert (review["desk"], review["seconds"], review["sight"], review["round"]) == (
        f"fiftyone:{WHERE}",
        2.5,
        "seen",
        1,
    )
    assert decided.said == "Contamination" and decided.recorded and not decided.waits
    assert (decided.fields["queue"], decided.fields["decided_by"], decided.fields["given"]) == (
        None, "people", "Contamination",
    )  # fmt: skip
    assert desk.card(one).own == ("contamination",)


def test_the_same_press_again_adds_no_row(project: Path, desk: Desk) -> None:
    one = bottle(project)
    assert press(desk, one, "contamination").recorded
    assert not press(desk, one, "contamination").recorded
    assert len(reviews(project)) == 1
    assert press(desk, one, "broken_small", "contamination").said == "Small breakage + Contamination"
    assert [row["round"] for row in reviews(project)] == [1, 2]


def test_what_is_no_decision_is_refused_and_nothing_is_written(project: Path, desk: Desk) -> None:
    one = bottle(project)
    for said in (["good", "contamination"], ["thread_top"], [], ["unsure", "good"]):
        with pytest.raises(ReviewError):
            press(desk, one, *said)
    with pytest.raises(AcbenchError, match="no such image"):
        press(desk, "gone", "good")
    assert reviews(project) == []


def test_nobody_decides_nothing(project: Path) -> None:
    nobody = Desk(project, "mvtec_ac", "")
    assert nobody.card(bottle(project)).choices
    with pytest.raises(ReviewError, match="nobody is named as reviewer") as caught:
        press(nobody, bottle(project), "good")
    assert "--reviewer YOUR_NAME" in caught.value.hint and reviews(project) == []


def test_it_is_taken_back_once(project: Path, desk: Desk) -> None:
    one = bottle(project)
    with pytest.raises(ReviewError, match="ada has decided nothing about it in the App"):
        desk.undo(one)
    press(desk, one, "contamination")
    back = desk.undo(one)
    assert back.waits and back.fields["queue"] and back.said == "taken back"
    assert [row["verdict"] for row in reviews(project)] == ["label", "withdrawn"]
    assert not desk.undo(one).recorded and len(reviews(project)) == 2
    assert desk.open_items([one]) == [one]


def test_another_look_is_asked_for_with_a_reason(project: Path, desk: Desk) -> None:
    one = bottle(project)
    assert press(desk, one, "unsure", note="a scratch?").waits
    card = desk.card(one)
    assert card.asked == "Asked because somebody wants it looked at again."
    assert card.detail == "ada asks for another look: a scratch?"
    assert desk.open_items([one]) == []  # not of ada, who has just said so
    assert Desk(project, "mvtec_ac", "bob").card(one).decisions[0].endswith("ada: unsure (a scratch?)")


def test_a_card_has_all_that_decides(project: Path, desk: Desk) -> None:
    card = desk.card(bottle(project))
    assert [choice.class_id for choice in card.choices] == ["good", "broken_large", "broken_small", "contamination"]
    assert all(choice.definition for choice in card.choices)
    told = " ".join([card.guide, *(f"{choice.definition} {choice.not_this}" for choice in card.choices)])
    assert "`" not in told and "broken_" not in told and '"Small breakage"' in told, "people read names"
    assert Path(card.picture).read_bytes()[:3] == b"\xff\xd8\xff"
    assert any(answer.said.startswith("source_label: Large breakage") for answer in card.answers)


def test_what_a_command_has_written_meanwhile_counts(project: Path, desk: Desk) -> None:
    one = bottle(project)
    before = desk.card(one)
    here_in(project, "relabel", "mvtec_ac", "--without", "neighbours")
    after = desk.card(one)
    assert len(after.answers) < len(before.answers)


def test_it_waits_for_a_command_that_holds_the_project(project: Path, desk: Desk) -> None:
    one, held, let_go = bottle(project), threading.Event(), threading.Event()

    def hold() -> None:
        with Project(project).locked():
            held.set()
            let_go.wait(60)

    desk.card(one)
    other = threading.Thread(target=hold)
    other.start()
    held.wait(60)
    threading.Timer(0.3, let_go.set).start()
    press(desk, one, "contamination")
    other.join()
    assert let_go.is_set() and len(reviews(project)) == 1


def test_it_says_who_holds_the_project_for_too_long(project: Path, desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app_desk, "PATIENCE", 0.2)
    with Project(project).locked(), pytest.raises(AcbenchError, match=f"another acbench .*process {os.getpid()}"):
        press(desk, bottle(project), "good")
    assert reviews(project) == []


def test_where_it_stands(project: Path, desk: Desk) -> None:
    before = dict(desk.standing().facts)
    one = bottle(project)
    press(desk, one, "contamination")
    standing = desk.standing()
    facts = dict(standing.facts)
    assert facts["Decided by people"].startswith("1 of ") and before["Decided by people"].startswith("0 of ")
    assert standing.places[one]["queue"] is None
    places = sorted(fields["queue"] for fields in standing.places.values() if fields["queue"])
    assert places == list(range(1, len(places) + 1))
    press(Desk(project, "mvtec_ac", "bob"), one, "broken_large")
    assert dict(desk.standing().facts)["People agree"].startswith("on 0% of 1 images")


def test_the_desk_is_found_by_its_address(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "")  # so that it is as before afterwards
    with pytest.raises(AcbenchError, match="not started by acbench"):
        DeskAddress.left()
    address = DeskAddress(
        maker=app_desk.MAKER, project=str(project), benchmark="mvtec_ac", reviewer="ada", dataset="acbench-toy"
    )
    address.leave()
    assert DeskAddress.left() == address
    desk = replace(address).desk()
    assert desk.reviewer == "ada" and desk.card(bottle(project)).category == "Bottle"
