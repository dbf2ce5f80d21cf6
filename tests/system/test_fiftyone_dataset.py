"""Cards in a real FiftyOne on a real MongoDB: built once, then updated in place."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from acbench.errors import AcbenchError
from acbench.integrations.fiftyone import dataset as fiftyone_app
from acbench.integrations.fiftyone import layout
from acbench.integrations.fiftyone import server as fiftyone_server
from acbench.integrations.fiftyone.database import database_errors
from acbench.integrations.fiftyone.dataset import AppContents, AppDataset
from acbench.review import app_records as formats
from acbench.review.app_records import AppLabel, AppSample
from acbench.storage.digests import digest
from tests.support.commands import Done, python
from tests.support.mongo import mongod, variables
from tests.support.ports import free_port
from tests.support.records import item

CLASSES = ["good", "broken_large", "contamination"]
pytestmark = pytest.mark.filterwarnings("default")  # FiftyOne and its libraries warn of each other


@pytest.fixture(scope="module", autouse=True)
def database(fiftyone_here: str) -> str:
    """The URI of the MongoDB for this module."""
    return fiftyone_here


@pytest.fixture
def dataset(request: pytest.FixtureRequest) -> Iterator[AppDataset]:
    """An empty dataset of its own."""
    new = fiftyone_app.open_dataset(f"acbench-{request.node.name}")
    yield new
    new.data.delete()


@pytest.fixture
def fo(dataset: AppDataset) -> Any:
    """The module `fiftyone`, which reads its settings when it is imported."""
    import fiftyone

    return fiftyone


def card(number: int, label: str = "broken_large", **fields: Any) -> AppSample:
    of = item(number)
    values = {
        "item_id": of.item_id,
        "image": of.image,
        "category": "bottle",
        "label": AppLabel(label=label, confidence=0.9),
        "given": label,
        "kinds": 1,
        "why": "settled",
        "status": "accepted",
        "proposal_neighbours": AppLabel(label="contamination", confidence=0.8, facts={"rationale": "its 5 nearest"}),
        **fields,
    }
    values["content"] = digest(repr(sorted(values.items())))
    return AppSample(item_id=of.item_id, image=f"/data/{of.image}", mask=None, size=(48, 48), fields=values)


def vectors(count: int) -> dict[str, Any]:
    random = np.random.default_rng(0)
    return {item(number).item_id: random.normal(size=8).astype(np.float32) for number in range(count)}


def contents(samples: list[AppSample], key: str = "k", count: int = 0) -> AppContents:
    return AppContents(samples=samples, key=key, classes=CLASSES, vectors=vectors(count), model="m")


def update(dataset: AppDataset, samples: list[AppSample], key: str = "k", count: int = 0) -> fiftyone_app.Updated:
    return dataset.update(contents(samples, key, count), lambda done, of: None)


def stamps(dataset: AppDataset) -> dict[str, Any]:
    """item_id → when it was last written."""
    return dict(zip(*dataset.data.values(["item_id", "last_modified_at"]), strict=True))


def test_what_fiftyone_says_leaves_stdout_to_results(database: str, tmp_path: Path) -> None:
    done = python(
        """
import logging
from acbench.integrations.fiftyone.database import connect
connect()
for name in ("fiftyone", "fiftyone.core.odm.database", "eta"):
    logging.getLogger(name).warning("You are running the oldest supported major version of MongoDB.")
print("{}")
""",
        **variables(database, tmp_path),
    )
    assert done.out == "{}\n", done.err
    assert done.err.count("oldest supported") >= 3


def test_only_samples_whose_card_has_changed_are_written(dataset: AppDataset) -> None:
    done = update(dataset, [card(number) for number in range(20)])
    assert (done.added, done.changed, done.removed) == (20, 0, 0)
    before = stamps(dataset)
    done = update(dataset, [card(number, "contamination" if number < 3 else "broken_large") for number in range(20)])
    assert (done.added, done.changed, done.removed, str(done)) == (0, 3, 0, "3 changed")
    after = stamps(dataset)
    changed = {item_id for item_id, when in after.items() if when != before[item_id]}
    assert changed == {item(number).item_id for number in range(3)}
    labels = dict(zip(*dataset.data.values(["item_id", "label.label"]), strict=True))
    assert {labels[each] for each in changed} == {"contamination"}


def test_boxes_have_a_field_only_where_there_are_some(dataset: AppDataset) -> None:
    update(dataset, [card(0)])
    assert layout.BOXES not in dataset.data.get_field_schema()
    update(dataset, [card(0), replace(card(1, content="2"), boxes=((12, 0, 24, 48),))])
    boxes = dict(zip(*dataset.data.values(["item_id", f"{layout.BOXES}.detections.bounding_box"]), strict=True))
    assert boxes == {item(0).item_id: None, item(1).item_id: [[0.25, 0.0, 0.25, 1.0]]}
    assert layout.BOXES in dataset.data.app_config.active_fields.paths
    update(dataset, [card(0), card(1)])
    assert dataset.data.values(layout.BOXES) == [None, None]


def test_an_update_that_is_stopped_goes_on_where_it_was(dataset: AppDataset, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fiftyone_app, "BATCH", 5)
    cards = [card(number) for number in range(12)]

    def stop(done: int, _of: int) -> None:
        if done >= 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        dataset.update(contents(cards), stop)
    assert (len(dataset.data), dataset.key) == (5, "")
    assert update(dataset, cards).added == 7
    assert (len(set(dataset.data.values("item_id"))), len(dataset.data), dataset.key) == (12, 12, "k")
    assert "To look at" in dataset.data.list_saved_views()


def test_images_that_are_gone_go_and_those_that_moved_are_found(dataset: AppDataset) -> None:
    update(dataset, [card(number) for number in range(4)])
    kept = [replace(card(number, why="moved"), image=f"/elsewhere/{number}.png") for number in range(3)]
    done = update(dataset, kept)
    assert (done.changed, done.removed) == (3, 1)
    assert sorted(dataset.data.values("filepath")) == [f"/elsewhere/{number}.png" for number in range(3)]


def test_what_people_add_stays(dataset: AppDataset, fo: Any) -> None:
    update(dataset, [card(number) for number in range(4)])
    dataset.data.add_sample_field("mine", fo.StringField)
    sample = dataset.data.one(fo.ViewField("item_id") == item(0).item_id)
    sample.tags, sample["mine"] = ["recheck", "holiday"], "a note"
    sample.save()
    dataset.data.save_view("my view", dataset.data.limit(2))
    update(dataset, [card(number, "contamination") for number in range(4)])
    sample.reload()
    assert (sample.tags, sample["mine"], sample.label.label) == (["recheck", "holiday"], "a note", "contamination")
    assert "my view" in dataset.data.list_saved_views()


def test_a_label_given_in_the_app_is_not_overwritten_before_it_is_collected(dataset: AppDataset, fo: Any) -> None:
    update(dataset, [card(number) for number in range(4)])
    sample = dataset.data.one(fo.ViewField("item_id") == item(0).item_id)
    sample.label = fo.Classification(label="contamination")
    sample.save()
    done = update(dataset, [card(number, why="audit") for number in range(4)], key="new")
    assert (done.changed, done.left) == (3, 1)
    assert dataset.key == "", "not up to date"
    (flag,) = dataset.marks()
    assert (flag.item_id, flag.label_before, flag.new_label) == (item(0).item_id, "broken_large", "contamination")
    dataset.remove_marks([flag])
    assert dataset.marks() == []
    assert update(dataset, [card(number, why="audit") for number in range(4)], key="new").changed == 1
    assert dataset.key == "new"


def test_an_image_that_is_gone_stays_while_it_holds_a_tag(dataset: AppDataset, fo: Any) -> None:
    update(dataset, [card(number) for number in range(4)])
    dataset.data.match(fo.ViewField("item_id") == item(3).item_id).tag_samples("recheck")
    done = update(dataset, [card(number) for number in range(3)])
    assert (done.removed, done.left, len(dataset.data)) == (0, 1, 4)


def test_the_brain_gives_map_neighbours_duplicates_and_mistakes(dataset: AppDataset) -> None:
    update(dataset, [card(number, "contamination" if number % 2 else "broken_large") for number in range(12)], count=12)
    assert {"map", "similar", "mistakenness"} <= set(dataset.data.list_brain_runs())
    assert len(dataset.data.load_brain_results("map").points) == 12
    assert dataset.data.load_saved_view("Likely mistakes").count() == 6
    assert sorted({round(each, 6) for each in dataset.data.values("mistakenness")}) == [0.1, 0.9]
    # A label that changes is doubted anew; the others keep what they have.
    update(dataset, [card(number, "contamination") for number in range(12)], count=12)
    assert {round(each, 6) for each in dataset.data.values("mistakenness")} == {0.1}


def test_the_app_is_laid_out_for_reviewers(dataset: AppDataset) -> None:
    update(dataset, [card(0), card(1, "contamination"), card(2, why="disputed", status="pending", queue=1)])
    groups = [group.name for group in dataset.data.app_config.sidebar_groups]
    assert groups[:5] == ["tags", "Label", "Source", "Proposals", "Queue"]
    (field,) = [each for each in dataset.data.app_config.color_scheme.fields if each["path"] == "label"]
    colours = {each["value"]: each["color"] for each in field["valueColors"]}
    assert len({colours["broken_large"], colours["contamination"], colours["good"]}) == 3
    assert dataset.data.load_saved_view("To look at").values("item_id") == [item(2).item_id]
    assert dataset.data.load_saved_view("Disputed").count() == 1
    assert set(dataset.data.label_schemas["label"]["classes"]) == set(CLASSES)


def test_a_proposer_that_is_new_gets_its_place(dataset: AppDataset) -> None:
    update(dataset, [card(0), card(1)])
    update(dataset, [card(0, proposal_clip=AppLabel(label="contamination", confidence=0.7)), card(1)])
    (proposals,) = [group for group in dataset.data.app_config.sidebar_groups if group.name == "Proposals"]
    assert list(proposals.paths) == ["proposal_clip", "proposal_neighbours"]


def test_a_dataset_of_an_older_format_is_written_anew_and_keeps_tags(
    dataset: AppDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    update(dataset, [card(0), card(1)])
    dataset.data.tag_samples("recheck")
    monkeypatch.setattr(fiftyone_app, "FORMAT", formats.FORMAT + 1)
    assert dataset.key == ""
    done = update(dataset, [card(0, why="new"), card(1, why="new")])
    assert done.older and done.changed == 2
    assert dataset.data.count_sample_tags() == {"recheck": 2}
    monkeypatch.undo()
    with pytest.raises(AcbenchError, match="newer acbench"):
        update(dataset, [card(0), card(1)])


def as_format_1_left_it(dataset: AppDataset) -> None:
    """As an acbench of format 1 wrote it: `suspicion` in the place of `label_issue_score`."""
    dataset.data.rename_sample_field("label_issue_score", "suspicion")
    dataset.data.save_view("Disputed", dataset.data.sort_by("suspicion", reverse=True), overwrite=True)
    dataset.data.info["acbench"] = {**dataset.data.info["acbench"], "format": 1}
    dataset.data.save()


def test_a_field_that_an_earlier_format_had_goes_and_peoples_own_fields_stay(dataset: AppDataset, fo: Any) -> None:
    update(dataset, [card(number, label_issue_score=0.25) for number in range(3)])
    as_format_1_left_it(dataset)
    dataset.data.add_sample_field("mine", fo.StringField)
    dataset.data.set_values("mine", ["a", "b", "c"])
    done = update(dataset, [card(number, label_issue_score=0.5) for number in range(3)])
    assert (done.older, done.changed) == (True, 3)
    assert "suspicion" not in dataset.data.get_field_schema()
    assert not any("suspicion" in group.paths for group in dataset.data.app_config.sidebar_groups)
    assert dataset.data.values("label_issue_score") == [0.5] * 3
    assert dataset.data.values("mine") == ["a", "b", "c"]
    assert dataset.data.load_saved_view("Disputed").count() == 0
    reloaded = fiftyone_app.find_dataset(dataset.data.name)
    assert reloaded is not None and reloaded.key == "k"


def test_what_somebody_marked_in_an_earlier_format_is_collected_in_this_one(dataset: AppDataset, fo: Any) -> None:
    update(dataset, [card(number, label_issue_score=0.25) for number in range(3)])
    as_format_1_left_it(dataset)
    sample = dataset.data.one(fo.ViewField("item_id") == item(0).item_id)
    sample.label = fo.Classification(label="contamination")
    sample.save()
    done = update(dataset, [card(number, label_issue_score=0.5) for number in range(3)])
    assert (done.changed, done.left, "suspicion" in dataset.data.get_field_schema()) == (2, 1, False)
    (mark,) = dataset.marks()
    assert mark.new_label == "contamination"


def test_where_labels_are_called_otherwise_now_marks_stay_and_views_on_them_are_named(
    dataset: AppDataset, fo: Any
) -> None:
    field = fo.ViewField
    update(dataset, [card(number) for number in range(3)])
    dataset.data.info["acbench"] = {**dataset.data.info["acbench"], "format": 2}
    dataset.data.save_view("mine", dataset.data.match(field("label.label") == "broken_large"))
    dataset.data.save_view("settled", dataset.data.match(field("why") == "settled"))
    dataset.data.limit(1).tag_labels("contamination", label_fields="label")
    label = AppLabel(label="Large breakage", facts={"class_id": "broken_large"})
    named = [card(number, "Large breakage") for number in range(3)]
    named = [replace(each, fields={**each.fields, "label": label}) for each in named]
    done = update(dataset, named)
    assert (done.older, done.changed, done.views) == (True, 3, ("mine",))
    assert dataset.data.match(field("label.class_id") == "broken_large").count() == 3
    assert dataset.data.count_label_tags() == {"contamination": 1}
    assert update(dataset, named).views == ()


def test_a_field_of_a_persons_own_with_a_retired_name_stays(dataset: AppDataset, fo: Any) -> None:
    update(dataset, [card(0), card(1)])
    dataset.data.add_sample_field("suspicion", fo.StringField)
    dataset.data.set_values("suspicion", ["a", "b"])
    update(dataset, [card(0, why="new"), card(1)], key="new")
    assert dataset.data.values("suspicion") == ["a", "b"]


def connect_elsewhere(uri: str, home: Path) -> Done:
    """What becomes of a connection in a process of its own."""
    code = "from acbench.integrations.fiftyone.database import connect, AcbenchError\ntry: connect()\n" \
        "except AcbenchError as error: print(error)"  # fmt: skip
    return python(code, **variables(uri, home))


def test_a_database_that_does_not_answer_is_said_without_its_password(tmp_path: Path) -> None:
    done = connect_elsewhere(f"mongodb://ada:s3cret@127.0.0.1:{free_port()}/?serverSelectionTimeoutMS=500", tmp_path)
    assert "no MongoDB answers where FIFTYONE_DATABASE_URI points" in done.out
    assert "s3cret" not in done.said
    assert "unset FIFTYONE_DATABASE_URI" in done.out


def test_something_that_is_no_address_is_said_too(tmp_path: Path) -> None:
    assert "no MongoDB answers" in connect_elsewhere("mongodb://:::", tmp_path).out


def test_a_database_that_dies_is_an_error_with_a_way_out(tmp_path: Path) -> None:
    with mongod(tmp_path) as uri:
        from pymongo import MongoClient

        client: Any = MongoClient(uri, serverSelectionTimeoutMS=500)
        client.admin.command("ping")
    with pytest.raises(AcbenchError, match="the FiftyOne database failed") as caught, database_errors():
        client.admin.command("ping")
    client.close()
    assert "run the same command again" in caught.value.hint


def test_a_port_that_is_taken_is_said_before_anything_else() -> None:
    import socket

    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(AcbenchError, match=f"port {port} cannot be used") as caught:
            fiftyone_server.check_free(port)
    assert f"--port {port + 1}" in caught.value.hint


def test_fields_that_somebody_renamed_or_deleted_come_back(dataset: AppDataset) -> None:
    cards = [card(number) for number in range(6)]
    update(dataset, cards)
    for name in ("item_id", "label", "status"):
        dataset.data.rename_sample_field(name, f"my_{name}")
        assert dataset.key == ""
        update(dataset, cards)
        assert len(dataset.data) == 6 and sorted(dataset.data.values("item_id")) == sorted(
            each.item_id for each in cards
        )
        assert set(dataset.data.values("label.label")) == {"broken_large"}
        assert set(dataset.data.values("status")) == {"accepted"}
        assert dataset.marks() == []


def test_labels_that_were_deleted_come_back_and_say_nothing(dataset: AppDataset, fo: Any) -> None:
    cards = [card(number) for number in range(4)]
    update(dataset, cards)
    first = dataset.data.first()
    first["label"] = None
    first.save()
    assert dataset.marks() == [] and dataset.key == ""
    assert update(dataset, cards).changed == 1
    assert set(dataset.data.values("label.label")) == {"broken_large"} and dataset.key == "k"


def test_a_field_of_somebody_elses_with_our_name_is_named(dataset: AppDataset, fo: Any) -> None:
    update(dataset, [card(0)])
    dataset.data.rename_sample_field("label", "mine")
    dataset.data.add_sample_field("label", fo.StringField)
    with pytest.raises(AcbenchError, match=r"the field 'label' of the FiftyOne dataset .* is not the one") as caught:
        update(dataset, [card(0)])
    command = caught.value.hint.partition("\n")[2].strip()
    name, new = re.findall(r'"([^"]+)"', command)[1:]
    dataset.data.rename_sample_field(name, new)
    update(dataset, [card(0)])
    assert dataset.data.values("label.label") == ["broken_large"]


def test_tags_on_labels_are_marks_too_and_go_once_they_are_collected(dataset: AppDataset) -> None:
    update(dataset, [card(0), card(1)])
    dataset.data.match({"item_id": item(0).item_id}).tag_labels("contamination")
    dataset.data.match({"item_id": item(0).item_id}).tag_samples("recheck")
    (mark,) = dataset.marks()
    assert (mark.item_id, sorted(mark.tags)) == (item(0).item_id, ["contamination", "recheck"])
    dataset.remove_marks([mark])
    assert dataset.marks() == []


def test_what_is_marked_has_a_line_around_it(dataset: AppDataset) -> None:
    mask = np.zeros((48, 48), bool)
    mask[10, 20] = True  # one pixel
    sample = replace(card(0), mask="/data/mask.png")
    given = replace(contents([sample]), outlined=lambda item_id: mask)
    dataset.update(given, lambda done, of: None)
    around, frame = dataset.data.first()["outline"].polylines
    for line, most in (around, 7), (frame, 6):  # nobody would see a line around one pixel, so a frame leads to it
        assert line.closed and not line.filled
        xs, ys = zip(*line.points[0], strict=True)
        assert min(xs) < 20 / 48 < max(xs) and min(ys) < 10 / 48 < max(ys)
        assert max(max(xs) - min(xs), max(ys) - min(ys)) <= most / 48
    assert max(xs) - min(xs) < 7 / 48 and max(ys) - min(ys) < 7 / 48


def test_a_project_that_was_moved_keeps_its_dataset_and_a_copy_has_its_own(dataset: AppDataset, tmp_path: Path) -> None:
    def name(project: Path) -> tuple[str, str]:
        return fiftyone_app.dataset_of("toy", project, project / "app.json")

    first = tmp_path / "first"
    first.mkdir()
    own, told = name(first)
    fiftyone_app.open_dataset(own)
    try:
        moved = first.rename(tmp_path / "moved")
        assert name(moved) == (own, "") and told == ""
        copy = Path(shutil.copytree(moved, tmp_path / "copy"))
        other, told = name(copy)
        assert other != own and f"a copy of {moved}" in told
        assert name(copy) == (other, "")
    finally:
        fiftyone_app.find_dataset(own).data.delete()  # type: ignore[union-attr]


def test_the_plugins_of_the_user_stay_in_the_app(fo: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import fiftyone.plugins as fop

    from acbench.integrations.fiftyone.plugins import VARIABLE, plugins

    mine = tmp_path / "own" / "deep" / "mine"
    mine.mkdir(parents=True)
    (mine / "fiftyone.yml").write_text("name: mine\n", encoding="utf-8")
    monkeypatch.setattr(fo.config, "plugins_dir", str(tmp_path / "own"))
    monkeypatch.delenv(VARIABLE, raising=False)
    with plugins() as folder:
        assert os.environ[VARIABLE] == str(folder)
        monkeypatch.setattr(fo.config, "plugins_dir", str(folder))
        found = {plugin.name: plugin for plugin in fop.list_plugins(builtin=False)}
        assert found.keys() == {"mine", "@acbench/review"}
        assert found["@acbench/review"].has_js and found["@acbench/review"].js_bundle_server_path.endswith("/keys.js")
    assert VARIABLE not in os.environ and mine.is_dir()


def test_a_database_folder_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    env = {
        "HOME": str(tmp_path),
        "FIFTYONE_DATABASE_DIR": str(tmp_path / "file/mongo"),
        "FIFTYONE_DO_NOT_TRACK": "true",
    }
    done = python(
        """
from acbench.errors import AcbenchError
from acbench.integrations.fiftyone.database import connect
try:
    connect()
except AcbenchError as error:
    print(error)
""",
        **env,
    )
    assert (
        "cannot be written to" in done.out and "let FIFTYONE_DATABASE_DIR name a folder that you may write" in done.out
    )
