"""A benchmark of which hardly any row is in memory: its files are the same, and a change costs its category."""

from __future__ import annotations

import csv
import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from PIL import Image

from acbench.cli.screen import Screen
from acbench.predictors.proposers import source_label
from acbench.records import Item, Proposal
from acbench.review import crowdlab, resolve
from acbench.storage import tables
from acbench.storage.folder_state import folder_state
from acbench.testing import toy_mvtec_ad
from acbench.workflows import label_files, queue
from acbench.workflows.label import prepare
from acbench.workflows.plan import PlanTask, make_plan
from acbench.workflows.relabel import RelabelTask, run_relabel
from acbench.workflows.run import Options, open_run
from acbench.workflows.settings import SettingChanges
from tests.support.records import says
from tests.support.releases import at_work

BENCHMARK = "mvtec_ac"
CATEGORIES = {
    "bottle": ("broken_large", "broken_small", "contamination"),
    "cable": ("bent_wire", "cable_swap", "combined"),
    "screw": ("manipulated_front", "scratch_head"),
}
SAME = ("annotations", f".acbench/{BENCHMARK}/queue.csv", f".acbench/{BENCHMARK}/report.json")


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hardly any row is in memory."""
    few_rows(monkeypatch)


def few_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("acbench.storage.stored_rows.WHOLE", 5)
    monkeypatch.setattr("acbench.storage.parquet.TOGETHER", 3)
    monkeypatch.setattr("acbench.storage.git_table.MAX_BYTES", 2_000)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    toy_mvtec_ad(tmp_path / "one/images", CATEGORIES, train=4, good=4, each=4)
    return tmp_path / "one"


def relabelled(project: Path, reviews: Path | None = None) -> None:
    """Relabel, as the command does."""
    with at_work(project, BENCHMARK, root=project / "images") as run:
        run_relabel(run, RelabelTask(reviews=reviews, reviewer="ada"))


def decisions(project: Path, choose: Callable[[int, dict[str, str]], str]) -> Path:
    """The queue, filled in where `choose` gives something."""
    with (project / f".acbench/{BENCHMARK}/queue.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    path = project / "decided.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("item_id", "label"))
        writer.writerows((row["item_id"], choose(number, row)) for number, row in enumerate(rows))
    os.utime(path, (1_750_000_000, 1_750_000_000))
    return path


def said(project: Path, *places: str) -> Path:
    """Decisions about some images, by folder and number: that they are what the folder says."""
    ids = {item.image: item.item_id for item in tables.read(project / f".acbench/{BENCHMARK}/items.parquet", Item)}
    path = project / "said.csv"
    rows = [f"{ids[f'{place}.png']},{place.split('/')[2]}" for place in places]
    path.write_text("\n".join(["item_id,label", *rows]), encoding="utf-8")
    os.utime(path, (1_750_000_000, 1_750_000_000))
    return path


def life(project: Path) -> Iterator[str]:
    """What happens to a benchmark; after each step its files are looked at."""
    relabelled(project)
    yield "first run"
    relabelled(project)
    yield "nothing to do"
    of_some = {0: "unsure", 1: "bad_image", 2: "good"}
    relabelled(project, decisions(project, lambda number, row: of_some.get(number, row["classes"].split(", ")[0])))
    yield "decisions"
    with at_work(project, BENCHMARK, root=project / "images") as run:
        make_plan(run, PlanTask(error=0.2))
    yield "plan"
    shutil.rmtree(project / "images/cable/test/cable_swap")
    shutil.rmtree(project / "images/cable/ground_truth/cable_swap")
    Image.new("L", (8, 8)).save(project / "images/screw/test/good/900.png")
    relabelled(project)
    yield "images come and go"
    shutil.rmtree(project / "images/bottle")
    relabelled(project)
    yield "a category goes"


def contents(project: Path) -> dict[str, bytes]:
    """The files that people see."""
    files = (path for name in SAME for path in [project / name, *(project / name).rglob("*")] if path.is_file())
    pictures = (project / f".acbench/{BENCHMARK}/evidence").iterdir()
    return {str(path.relative_to(project)): path.read_bytes() for path in [*files, *pictures]}


def test_all_files_are_what_they_are_with_all_rows_in_memory(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("acbench.storage.git_table.MAX_BYTES", 2_000)
    shutil.copytree(project, tmp_path / "other")
    whole = [(step, contents(project)) for step in life(project)]
    few_rows(monkeypatch)
    assert len(whole) == 6
    for (step, expected), other in zip(whole, life(tmp_path / "other"), strict=True):
        found = contents(tmp_path / "other")
        assert step == other and found.keys() == expected.keys()
        assert [name for name in expected if found[name] != expected[name]] == [], step


@contextmanager
def watched(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, set[str]]]:
    """Says of which categories something is done while it lasts."""
    done: dict[str, set[str]] = {"asked": set(), "weighed": set(), "resolved": set()}
    propose, weighed, parts = source_label.SourceLabel.propose, queue.weighed_items, label_files._parts

    def asking(self: source_label.SourceLabel, items: list[Item], progress: Callable[[int, int], None]) -> object:
        done["asked"] |= {item.category for item in items}
        return propose(self, items, progress)

    def weighing(items: list[Item], *rest: object, **named: object) -> object:
        done["weighed"] |= {item.category for item in items}
        return weighed(items, *rest, **named)  # type: ignore[arg-type]

    def writing(*arguments: object) -> object:
        for path, rows in parts(*arguments):  # type: ignore[arg-type]
            done["resolved"].add(path.stem)
            yield path, rows

    with monkeypatch.context() as patch:
        patch.setattr(source_label.SourceLabel, "propose", asking)
        patch.setattr(queue, "weighed_items", weighing)
        patch.setattr(label_files, "_parts", writing)
        yield done


class Guesses:
    """A proposer with probabilities, which does not know the last image of a class."""

    name = "neighbours@00000000"
    by_category = True

    def propose(self, items: list[Item], progress: Callable[[int, int], None]) -> Iterator[Proposal]:
        for item in items:
            own = CATEGORIES[item.category][:2]
            true = item.source_labels[0] if item.source_labels else ""
            if true in own:
                likely = own[(own.index(true) + ("003" in item.image)) % 2]
                scores = {name: 0.9 if name == likely else 0.1 for name in own}
                yield says(item, "neighbours", likely, scores=scores)
            else:
                yield says(item, "neighbours")
            progress(1, 1)

    def learned(self, *_: object) -> dict[str, dict[str, float]]:
        """Nothing."""
        return {}


def settled(folder: Path) -> None:
    """Wait until all that was written shows by its time."""
    while not folder_state(
        [os.fspath(folder), *(os.fspath(each) for each in folder.rglob("*") if each.is_dir())]
    ).settled:
        pass


@pytest.mark.usefixtures("few")
class TestOneChange:
    def test_one_decision_costs_its_category(self, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        relabelled(project)
        chosen = decisions(project, lambda number, row: row["classes"].split(", ")[0] if not number else "")
        with watched(monkeypatch) as done:
            relabelled(project, chosen)
        assert len(done["weighed"]) == 1 and done == {
            "asked": set(), "weighed": done["weighed"], "resolved": done["weighed"],
        }  # fmt: skip
        with watched(monkeypatch) as done:
            relabelled(project, chosen)
        assert not any(done.values()), "it is known"

    def test_what_is_likeliest_is_found_anew_where_people_decide(
        self, project: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        found: list[str] = []

        def finding(items: list[Item], *rest: object) -> object:
            found.extend({item.category for item in items})
            return crowdlab.likely_classes(items, *rest)  # type: ignore[arg-type]

        def work(*places: str) -> None:
            task = RelabelTask(reviews=said(project, *places) if places else None, reviewer="ada")
            options = Options(changes=SettingChanges(root=project / "images"))
            with open_run(project, BENCHMARK, console=Screen(), options=options) as run:
                run_relabel(run, task)

        monkeypatch.setattr("acbench.review.crowdlab.MIN_DECISIONS", 2)
        monkeypatch.setattr("acbench.predictors.proposers.neighbours.build", lambda setup, argument="": Guesses())
        monkeypatch.setattr(resolve, "likely_classes", finding)
        work()
        work(*(f"{name}/test/{own[0]}/00{number}" for name, own in CATEGORIES.items() for number in (0, 1)))
        assert sorted(found) == sorted(CATEGORIES)
        found.clear()
        work("cable/test/bent_wire/002")
        assert found == ["cable"]
        labels = project / f"annotations/{BENCHMARK}/labels"
        kept = {path.name: path.read_bytes() for path in labels.iterdir()}
        assert len(kept) == len(CATEGORIES) and all(b"is likeliest" in data for data in kept.values())
        shutil.rmtree(project / ".acbench")
        shutil.rmtree(labels)
        work()
        assert {path.name: path.read_bytes() for path in labels.iterdir()} == kept

    def test_one_image_costs_its_category(self, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        settled(project / "images")
        relabelled(project)
        Image.new("L", (9, 9)).save(project / "images/cable/test/bent_wire/000.png")
        with watched(monkeypatch) as done:
            relabelled(project)
        assert done == {"asked": {"cable"}, "weighed": {"cable"}, "resolved": {"cable"}}

    @pytest.mark.parametrize("damage", ["gone", "nonsense", "of another version", "other numbers"])
    def test_without_what_is_known_of_the_files_all_are_made_anew(
        self, project: Path, monkeypatch: pytest.MonkeyPatch, damage: str
    ) -> None:
        relabelled(project)
        meta = (project / f"annotations/{BENCHMARK}/labels.meta.json").read_bytes()
        known = project / f".acbench/{BENCHMARK}/label_files.json"
        if damage == "gone":
            known.unlink()
        else:
            swapped = {"nonsense": "{", "of another version": '{"cable": {"key": 1}}', "other numbers": "[]"}
            known.write_text(swapped[damage])
        Image.new("L", (9, 9)).save(project / "images/cable/test/bent_wire/000.png")
        with watched(monkeypatch) as done:
            relabelled(project)
        assert done["resolved"] == set(CATEGORIES) and "cable" in done["weighed"]
        assert (project / f"annotations/{BENCHMARK}/labels.meta.json").read_bytes() == meta

    def test_a_file_that_somebody_edited_is_saved_and_made_anew(
        self, project: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        relabelled(project)
        path = project / f"annotations/{BENCHMARK}/labels/screw.jsonl"
        before = path.read_bytes()
        path.write_bytes(before.replace(b'"scratch_head"', b'"good"'))
        with watched(monkeypatch) as done:
            relabelled(project)
        assert path.read_bytes() == before and done["resolved"] == {"screw"}
        assert len(list((project / f".acbench/{BENCHMARK}").glob("labels-before-*.jsonl"))) == 1

    def test_a_label_that_a_merge_put_into_another_file_comes_home(
        self, project: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        relabelled(project)
        folder = project / f"annotations/{BENCHMARK}/labels"
        bottle, screw = folder / "bottle.jsonl", folder / "screw.jsonl"
        first = json.loads(bottle.read_text().splitlines()[0])
        elsewhere = {
            **first,
            "item_id": f"{first['item_id'][:-12]}{'0' * 12}",
            "image": "bottle/test/good/not_here.png",
        }
        screw.write_text(f"{screw.read_text()}{json.dumps(elsewhere)}\n")
        with watched(monkeypatch) as done:
            relabelled(project)
        assert elsewhere in map(json.loads, bottle.read_text().splitlines())
        assert "not_here" not in screw.read_text() and {"bottle", "screw"} <= done["resolved"]
        with watched(monkeypatch) as done:
            relabelled(project)
        assert not any(done.values())

    def test_killed_between_weighing_and_ranking_nothing_is_mixed(
        self, project: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        relabelled(project)
        before = contents(project)
        image = project / "images/cable/test/bent_wire/000.png"
        kept = image.read_bytes()
        Image.new("L", (9, 9)).save(image)
        with monkeypatch.context() as patch:
            patch.setattr(queue, "_write_ranking", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
            with pytest.raises(KeyboardInterrupt):
                relabelled(project)
        image.write_bytes(kept)
        with watched(monkeypatch) as done:
            relabelled(project)
        assert done["weighed"] == {"cable"} and contents(project) == before


@pytest.mark.usefixtures("few")
def test_the_answers_of_a_large_benchmark_are_all_there(project: Path) -> None:
    with at_work(project, BENCHMARK, root=project / "images") as run:
        proposed = prepare(run)
        ids = [item.item_id for item in proposed.dataset.items]
        assert len(ids) > 30 and [*proposed.by_item] == ids
        assert [label.item_id for label in proposed.machine_labels.values()] == ids
