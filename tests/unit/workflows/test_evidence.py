"""Pictures of what is looked at next are drawn at once, and the others as soon as somebody asks for one."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

import pytest
from PIL import Image

from acbench.review.app_samples import SampleBuilder
from acbench.review.queue import RankedItem
from acbench.storage.project import Project
from acbench.testing import toy_mvtec_ad
from acbench.workflows import evidence, html_report
from acbench.workflows.app_desk import Desk
from acbench.workflows.queue import write_queue
from acbench.workflows.relabel import relabel
from tests.support.releases import at_work

NOT_DRAWN = "not drawn yet: acbench review queue mvtec_ac"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    toy_mvtec_ad(tmp_path / "images")
    monkeypatch.setattr(evidence, "SOON", 2)
    return tmp_path


def relabelled(project: Path) -> tuple[list[RankedItem], list[str]]:
    """The queue, and the names of the files that the run wrote."""
    with at_work(project, "mvtec_ac", root=project / "images", audit=1.0) as run:
        _, queue = relabel(run)
        return queue.waiting, [Path(name).name for name in run.build.written]


def pictures(project: Path) -> list[str]:
    return sorted(path.stem for path in Project(project).benchmark("mvtec_ac").evidence.iterdir())


def cells(project: Path) -> dict[str, str]:
    """item_id → what the queue says of its picture."""
    with Project(project).benchmark("mvtec_ac").queue.open(encoding="utf-8-sig", newline="") as file:
        return {row["item_id"]: row["evidence"] for row in csv.DictReader(file)}


def ids(rows: Sequence[RankedItem]) -> list[str]:
    return [row.item_id for row in rows]


def test_the_first_of_the_queue_are_drawn_and_the_queue_says_how_to_have_the_others(project: Path) -> None:
    waiting, _ = relabelled(project)
    first, others = ids(waiting)[:2], ids(waiting)[2:]
    assert others and pictures(project) == sorted(first)
    assert cells(project) == {each: f"evidence/{each}.jpg" for each in first} | dict.fromkeys(others, NOT_DRAWN)
    assert relabelled(project) == (waiting, []), "nothing had changed"


def test_who_asks_for_the_queue_gets_all_pictures_and_their_names(project: Path) -> None:
    waiting, _ = relabelled(project)
    with at_work(project, "mvtec_ac", root=project / "images", audit=1.0) as run:
        _, queue = relabel(run)
        write_queue(run, queue, every_picture=True)
    assert pictures(project) == sorted(ids(waiting))
    assert cells(project) == {each: f"evidence/{each}.jpg" for each in ids(waiting)}
    assert relabelled(project)[1] == [], "they stay"


def test_a_picture_that_was_asked_for_is_kept_up_to_date_and_one_that_was_not_is_not_drawn(project: Path) -> None:
    waiting, _ = relabelled(project)
    asked, never = ids(waiting)[2:4]
    assert Desk(project, "mvtec_ac", "ada").card(asked).picture.endswith(f"{asked}.jpg")
    _, written = relabelled(project)
    assert written == ["queue.csv"] and cells(project)[asked] == f"evidence/{asked}.jpg"
    with at_work(project, "mvtec_ac", root=project / "images", audit=1.0) as run:
        _, queue = relabel(run)
        item = queue.labelled.proposed.dataset.by_id[asked]
    Image.new("RGB", (item.width, item.height), (9, 200, 9)).save(project / "images" / item.image)
    _, written = relabelled(project)
    assert f"{asked}.jpg" in written and f"{never}.jpg" not in written
    shown = Image.open(Project(project).benchmark("mvtec_ac").evidence / f"{asked}.jpg").convert("RGB")
    assert any(green > 150 and red < 60 for _, (red, green, _) in shown.getcolors(shown.width * shown.height) or ())


def test_a_picture_that_was_deleted_is_drawn_again_if_it_is_looked_at_next(project: Path) -> None:
    waiting, _ = relabelled(project)
    folder = Project(project).benchmark("mvtec_ac").evidence
    (folder / f"{waiting[0].item_id}.jpg").unlink()
    assert relabelled(project)[1] == [f"{waiting[0].item_id}.jpg"]


def test_the_app_is_told_of_no_picture_that_is_not_there(project: Path) -> None:
    waiting, _ = relabelled(project)
    with at_work(project, "mvtec_ac", root=project / "images", audit=1.0) as run:
        _, queue = relabel(run)
        labelled = queue.labelled
        samples = SampleBuilder(
            root=project / "images",
            items=labelled.proposed.dataset.items,
            labels=labelled.labels,
            proposals=labelled.proposed.by_item,
            reviews=[],
            ranked=queue.ranked,
            waiting=queue.waiting,
            predictions={},
            schema=run.schema,
            evidence={path.stem: path for path in run.files.evidence.iterdir()},
        ).samples()
    told = {each.item_id: each.fields["evidence"] for each in samples}
    assert [bool(told[each]) for each in ids(waiting)] == [True, True, *[False] * (len(waiting) - 2)]
    assert all(Path(str(path)).is_file() for path in told.values() if path)


def test_the_report_has_a_large_picture_of_every_image_that_waits(project: Path) -> None:
    waiting, _ = relabelled(project)
    with at_work(project, "mvtec_ac", root=project / "images", audit=1.0) as run:
        page = html_report.write_page(run)
    assert page.large == page.images >= len(waiting)
    assert pictures(project) == sorted(ids(waiting)[:2]), "the others are in the page alone"
