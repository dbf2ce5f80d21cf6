"""The panels of acbench in the App: real clicks and keys, one for each decision, and what is kept of them."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from playwright.sync_api import Locator, Page, expect

from acbench.records import Label
from acbench.storage import tables
from acbench.testing import toy_mvtec_ad
from tests.support.browser import chromium
from tests.support.commands import acbench
from tests.support.fiftyone_app import START, Shown, app_on, open_app
from tests.support.mongo import mongod, require_mongod, variables

ADA = ("--reviewer", "ada")
CLASSES = {"bottle": ["good", "broken_large", "broken_small", "contamination"],
           "screw": ["good", "manipulated_front", "scratch_head", "scratch_neck", "scratch_thread"]}  # fmt: skip


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """A running database, as variables of the environment."""
    require_mongod()
    chromium()
    home = tmp_path_factory.mktemp("home")
    with mongod(home) as uri:
        yield variables(uri, home)


@pytest.fixture(scope="module")
def relabelled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A toy benchmark of which every test image is to be looked at. Not to be changed."""
    project = tmp_path_factory.mktemp("project")
    root = toy_mvtec_ad(tmp_path_factory.mktemp("images"), each=6)
    acbench(project, "relabel", "mvtec_ac", "--root", root, "--audit", "1")
    return project


@pytest.fixture
def project(relabelled: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    return Path(shutil.copytree(relabelled, tmp_path / "project"))


def panel(tab: Page, *, modal: bool = False) -> Locator:
    """The panel Decide: of the open image, or beside the grid."""
    place = tab.locator("#modal") if modal else tab.locator("body")
    return place.locator("[data-cy=panel-content-decide]").last


def image_in(decide: Locator) -> str:
    """The path of the image in sight."""
    path = decide.get_by_text(re.compile(r"^(bottle|screw)/test/\S+$"))
    return path.last.inner_text()


def decides(shown: Shown, tab: Page, number: int, *, modal: bool = False, key: bool = False) -> tuple[str, str]:
    """One decision by one interaction: the class of that number. Gives the image, and the class."""
    decide = panel(tab, modal=modal)
    image, before = image_in(decide), len(shown.reviews())
    if key:
        tab.keyboard.press(str(number))
    else:
        decide.get_by_role("button", name=re.compile(f"^{number} ")).click()
    shown.wait_for_reviews(before + 1)
    return image, CLASSES[image.partition("/")[0]][number - 1]


def settled(tab: Page, image: str, *, modal: bool = False) -> None:
    """Wait until another image is in sight."""
    expect(panel(tab, modal=modal).get_by_text(image, exact=True)).to_have_count(
        0
    )  # the line of the last one says more


def test_twenty_decisions_are_kept_once_also_when_the_app_is_killed(project: Path, database: dict[str, str]) -> None:
    said: list[tuple[str, str]] = []
    with app_on(project, database, *ADA) as shown:
        waiting = len(shown.queue())
        with open_app(shown) as tab:
            for turn in range(7):
                said.append(decides(shown, tab, 1 + turn % 4))
                settled(tab, said[-1][0])
            tab.get_by_text(f"{waiting - 7} samples", exact=True).wait_for()  # so that the first is one to decide
            tab.locator("[data-cy=looker]").first.click()
            tab.locator("#modal [data-cy=panel-tab-decide]").click()
            for turn in range(6):
                said.append(decides(shown, tab, 2 + turn % 3, modal=True))
                settled(tab, said[-1][0], modal=True)
            said.append(decides(shown, tab, 2, modal=True))
            shown.kill()
    with app_on(project, database, *ADA) as shown:
        assert len({row["item_id"] for row in shown.reviews()}) == 14
        with open_app(shown) as tab:
            tab.get_by_text(f"{waiting - 14} samples", exact=True).wait_for()  # the grid opens on the queue, as it is
            for turn in range(6):
                said.append(decides(shown, tab, 1 + turn % 4, key=True))
                settled(tab, said[-1][0])
            tab.get_by_text(f"{waiting - 20} samples", exact=True).wait_for()

    images = {label.item_id: label.image for label in tables.read(project / "annotations/mvtec_ac/labels.jsonl", Label)}
    rows = shown.reviews()
    assert {images[row["item_id"]]: row["labels"] for row in rows} == {image: [name] for image, name in said}
    assert len(rows) == len(said) == 20
    assert {(row["reviewer"], row["round"], row["verdict"], row["sight"]) for row in rows} == {
        ("ada", 1, "label", "seen")
    }
    assert all(row["desk"].startswith("fiftyone:acbench-mvtec_ac-") and row["seconds"] > 0 for row in rows)
    assert len(shown.queue()) == waiting - 20  # the end of the App has brought it up to date


def test_a_second_press_of_a_double_click_decides_nothing(project: Path, database: dict[str, str]) -> None:
    with app_on(project, database, *ADA) as shown, open_app(shown) as tab:
        decide = panel(tab)
        image = image_in(decide)
        decide.get_by_role("button", name=re.compile("^2 ")).dblclick()
        settled(tab, image)
        shown.wait_for_reviews(1)
        next_image = image_in(decide)
        decide.get_by_role("button", name="Unsure").click()
        said = shown.wait_for_reviews(2)
    assert next_image != image
    assert [row["verdict"] for row in said].count("label") == 1 and len(said) == 2


def test_undo_several_classes_and_another_look(project: Path, database: dict[str, str]) -> None:
    with app_on(project, database, *ADA) as shown, open_app(shown) as tab:
        decide = panel(tab)
        image = image_in(decide)
        decide.get_by_role("button", name="Several classes").click()
        decide.get_by_role("button", name="Record").wait_for()
        for number in (2, 3):
            decide.get_by_role("button", name=re.compile(f"^{number} ")).click()
            expect(decide.get_by_role("button", name=re.compile(r"^Record \w"))).to_have_text(
                re.compile(r"^Record [^+]+$" if number == 2 else r"^Record [^+]+ \+ [^+]+$")
            )
        decide.get_by_role("button", name=re.compile("^Record")).click()
        (row,) = shown.wait_for_reviews(1)
        assert row["labels"] == sorted(CLASSES[image.partition("/")[0]][1:3])
        settled(tab, image)
        decide.get_by_role("button", name="Undo").click()
        back = shown.wait_for_reviews(2)[-1]
        assert (back["verdict"], back["item_id"], back["desk"]) == ("withdrawn", row["item_id"], row["desk"])
        expect(decide.get_by_text(f"Taken back: {image}")).to_be_visible()
        decide.get_by_role("button", name="See again").click()
        decide.get_by_placeholder("Why it should be seen again").fill("a scratch?")
        decide.get_by_role("button", name="Ask", exact=True).click()
        again = shown.wait_for_reviews(3)[-1]
        assert (again["verdict"], again["note"], again["item_id"]) == ("unsure", "a scratch?", row["item_id"])


def test_the_benchmark_is_counted_and_its_views_are_a_press_away(project: Path, database: dict[str, str]) -> None:
    with app_on(project, database, *ADA) as shown, open_app(shown) as tab:
        decides(shown, tab, 2)
        tab.locator("[data-cy=panel-tab-benchmark]").click()
        counted = tab.locator("[data-cy=panel-content-benchmark]")
        expect(counted.get_by_text("1 of 34 images")).to_be_visible()
        expect(counted.get_by_text("Expected remaining error")).to_be_visible()
        counted.get_by_role("button", name="Accepted unseen").click()
        expect(tab.locator("[data-cy=saved-views-selection]")).to_contain_text("Accepted unseen")
        counted.get_by_role("button", name="All images").click()
        tab.get_by_text("34 samples", exact=True).wait_for()


def test_without_a_reviewer_it_only_shows(project: Path, database: dict[str, str]) -> None:
    with app_on(project, database) as shown, open_app(shown) as tab:
        panel(tab).get_by_role("button", name=re.compile("^2 ")).click()
        expect(panel(tab).get_by_text("nobody is named as reviewer")).to_be_visible()
        assert shown.reviews() == []


def test_a_server_that_dies_is_told(project: Path, database: dict[str, str]) -> None:
    with app_on(project, database, *ADA) as shown:
        for child in psutil.Process(shown.process).children(recursive=True):
            child.kill()
        psutil.Process(shown.process).wait(START)
    said = (project / "app.log").read_text(encoding="utf-8")
    assert "the server of the App has ended by itself; what it said is in" in said
