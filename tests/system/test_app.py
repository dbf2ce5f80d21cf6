"""The App as a reviewer meets it: real images in a real browser, a real click on a tag, and the way back."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from playwright.sync_api import TimeoutError as PlaywrightTimeout

from acbench.records import Label
from acbench.storage import tables
from acbench.testing import toy_mvtec_ad
from tests.support.browser import chromium
from tests.support.commands import acbench, python
from tests.support.fiftyone_app import Shown, app_on, open_app
from tests.support.mongo import mongod, require_mongod, variables
from tests.support.ports import free_port

PICTURE = "The place in the whole image, a close-up, and a normal image"
"""What the picture in the panel Decide is called."""
MOMENT = 20_000
"""Milliseconds that a menu may take, if it stays open."""
IMAGES = 34
"""Of 2 categories: 3 to train on, 2 good ones, and 2 classes of 6."""


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """A running database, as variables of the environment."""
    require_mongod()
    home = tmp_path_factory.mktemp("home")
    with mongod(home) as uri:
        yield variables(uri, home)


@pytest.fixture(scope="module")
def relabelled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A toy benchmark, relabelled. Not to be changed."""
    project = tmp_path_factory.mktemp("project")
    acbench(project, "relabel", "mvtec_ac", "--root", toy_mvtec_ad(project / "images", each=6))
    return project


@pytest.fixture(scope="module")
def opened(relabelled: Path, database: dict[str, str]) -> Iterator[Shown]:
    """The App on it, for tests that only look."""
    chromium()
    with app_on(relabelled, database) as shown:
        yield shown


@pytest.fixture
def own(relabelled: Path, database: dict[str, str], tmp_path: Path) -> Shown:
    """A copy of it with a dataset of its own, and no App."""
    name = f"own_{os.urandom(4).hex()}"
    project = Path(shutil.copytree(relabelled, tmp_path / "project"))
    shown = Shown(project, database | {"FIFTYONE_DATABASE_NAME": name})
    shown.acbench("app", "mvtec_ac", "--update")
    return shown


@pytest.fixture
def own_app(own: Shown) -> Iterator[Shown]:
    """The App on a copy of its own."""
    chromium()
    with app_on(own.project, own.env) as shown:
        yield shown


@pytest.fixture
def browser(opened: Shown) -> Iterator[Page]:
    with open_app(opened) as tab:
        all_images(tab)
        yield tab


@pytest.fixture
def own_browser(own_app: Shown) -> Iterator[Page]:
    with open_app(own_app, width=2400) as tab:  # so that all actions stand above the grid, beside the panels
        all_images(tab)
        yield tab


def samples(tab: Page, count: int) -> None:
    """Wait until the grid counts so many samples."""
    tab.get_by_text(f"{count} sample{'s' * (count != 1)}", exact=True).wait_for()


def choose_view(tab: Page, slug: str) -> None:
    tab.locator("[data-cy=saved-views-selection]").click()
    tab.locator(f"[data-cy=saved-views-{slug}-selection-option]").click()


def clear_view(tab: Page) -> None:
    """The server remembers a view for the next page."""
    tab.locator("[data-cy=saved-views-btn-selection-clear]").click()
    samples(tab, IMAGES)


def all_images(tab: Page) -> None:
    """Leave the queue, which the App opens on at first."""
    tab.get_by_text(re.compile(r"^\d+ samples?$")).first.wait_for()
    if tab.locator("[data-cy=saved-views-btn-selection-clear]").is_visible():
        clear_view(tab)
    samples(tab, IMAGES)


def tag_selected(tab: Page, text: str) -> None:
    """Tag the selected sample. A menu closes when the panels beside it are laid out anew: then it is opened again, as a
    person would do."""
    field, button = tab.get_by_placeholder("+ tag selected sample"), tab.get_by_text("Apply", exact=True)
    for _ in range(20):
        with suppress(PlaywrightTimeout):
            if not field.is_visible():
                tab.locator("[data-cy=action-tag-sample-labels]").click()
            field.fill(text, timeout=MOMENT)
            tab.keyboard.press("Enter")
            button.click(timeout=MOMENT)
            break
    button.wait_for(state="detached")


def test_images_and_labels_are_there(browser: Page) -> None:
    samples(browser, IMAGES)
    shown = browser.locator("[data-cy=looker]").filter(has=browser.locator("canvas[canvas-loaded=true]"))
    expect(shown.nth(9)).to_be_visible()
    labels = browser.locator("[data-cy=tag-label]")
    expect(labels.filter(has_text=re.compile("Large breakage|Contamination|Scratch on the head")).first).to_be_visible()
    browser.wait_for_function(  # a real picture has many colours; a missing one is of one colour
        "() => { const canvas = document.querySelector('[data-cy=looker] canvas');"
        " const data = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;"
        " const pixels = Array.from({length: data.length / 4}, (_, i) => data.slice(4 * i, 4 * i + 3).join());"
        " return new Set(pixels).size > 100 }"
    )


def test_saved_views_are_there_and_choose(opened: Shown, browser: Page) -> None:
    browser.locator("[data-cy=saved-views-selection]").click()
    for slug in ("to-look-at", "disputed", "changed-against-the-source", "accepted-unseen", "low-margin",
                 "several-defects", "excluded", "asked-again", "likely-duplicates", "likely-mistakes",
                 "by-category"):  # fmt: skip
        expect(browser.locator(f"[data-cy=saved-views-{slug}-selection-option]")).to_have_count(1)
    browser.locator("[data-cy=saved-views-to-look-at-selection-option]").click()
    samples(browser, len(opened.queue()))
    clear_view(browser)


def test_the_map_shows_every_anomaly(browser: Page) -> None:
    browser.get_by_text("Unsaved", exact=True).last.click()
    browser.get_by_text("Map", exact=True).last.click()  # the workspace
    browser.get_by_text("map", exact=True).last.click()
    browser.get_by_text("24 points", exact=True).wait_for()


def test_a_tag_set_by_a_click_comes_back_once(own_app: Shown, own_browser: Page) -> None:
    before = len(own_app.queue())
    sample = own_browser.locator("[data-cy=looker]").last  # from the end: nobody had asked for it
    checkbox = sample.locator("[class*=lookerCheckbox]")
    for _ in range(100):  # which image is the last changes as the grid loads more
        sample.scroll_into_view_if_needed()
        sample.hover()
        if checkbox.is_visible():
            break
        own_browser.wait_for_timeout(200)
    picture = own_browser.get_by_alt_text(PICTURE)
    shown = str(picture.get_attribute("src"))
    checkbox.click()
    expect(picture).not_to_have_attribute("src", shown)  # Decide shows what is selected; menus are laid out anew then
    tag_selected(own_browser, "recheck: a scratch?")
    own_app.wait_for_sample({"tags": "recheck: a scratch?"})

    first = own_app.acbench("app", "mvtec_ac", "--collect", "--reviewer", "ada")
    assert "0 decisions, 1 to be seen again" in first.out
    (review,) = own_app.reviews()
    assert (review["reviewer"], review["verdict"], review["note"]) == ("ada", "unsure", "a scratch?")
    assert review["desk"].startswith("fiftyone:acbench-mvtec_ac-")
    row = own_app.queue()[0]
    assert (row["item_id"], row["why"]) == (review["item_id"], "flagged")
    assert row["detail"] == "ada asks for another look: a scratch?"
    assert len(own_app.queue()) in {before, before + 1}

    again = own_app.acbench("app", "mvtec_ac", "--collect", "--reviewer", "ada", "--json")
    assert again.facts["recheck"] == 0
    assert own_app.reviews() == [review]
    choose_view(own_browser, "asked-again")
    samples(own_browser, 1)
    clear_view(own_browser)


def test_a_mark_on_all_in_sight_is_taken_for_a_slip(own: Shown) -> None:
    def everywhere(do: str) -> None:
        python(f"import fiftyone as fo; fo.load_dataset(fo.list_datasets()[0]).{do}('bad_image')", **own.env)

    before = own.reviews()
    everywhere("tag_samples")
    refused = own.acbench("app", "mvtec_ac", "--collect", "--reviewer", "cy", status=1)
    assert f"{IMAGES} images are marked bad_image, 6 of them training images, so nothing was taken" in refused.err
    assert "--yes" in refused.err and own.reviews() == before
    everywhere("untag_samples")
    assert own.acbench("app", "mvtec_ac", "--collect", "--reviewer", "cy", "--json").facts["decided"] == 0


def test_what_is_right_is_taken_and_what_is_not_is_named(own: Shown) -> None:
    tag = """
import fiftyone as fo
data = fo.load_dataset(fo.list_datasets()[0])
one, two, three = data.match({"category": "bottle", "split": "test"}).sort_by("image").limit(3).values("id")
data.select(one).tag_labels("contamination", label_fields="label")
data.select(two).tag_samples(["good", "contamination"])
data.select(three).tag_samples("chipp")
print(*data.select([one, two, three], ordered=True).values("image"))
"""
    one, two, three = python(tag, **own.env).out.split()
    done = own.acbench("app", "mvtec_ac", "--collect", "--reviewer", "ada", status=3)
    assert "1 decisions, 0 to be seen again" in done.out
    assert f"not taken: {two}: contamination and good do not go together" in done.err
    assert f"no word of acbench stays: {three}: chipp" in done.err
    (review,) = own.reviews()
    labels = tables.read(own.project / "annotations/mvtec_ac/labels.jsonl", Label)
    tagged = next(label.item_id for label in labels if label.image == one)
    assert (review["item_id"], review["labels"]) == (tagged, ["contamination"])
    seen = python(
        "import fiftyone as fo; d = fo.load_dataset(fo.list_datasets()[0]);"
        " print(sorted(d.count_sample_tags()), sorted(d.count_label_tags()))",
        **own.env,
    )
    assert seen.out == "['chipp', 'contamination', 'good'] []\n"


def test_annotate_offers_no_classes_where_there_are_several_categories(opened: Shown) -> None:
    seen = python("import fiftyone as fo; print(fo.load_dataset(fo.list_datasets()[0]).label_schemas)", **opened.env)
    assert seen.out == "{}\n"


def test_a_class_given_under_annotate_decides(own: Shown) -> None:
    before, after = "Large breakage", "Contamination"
    own.acbench("relabel", "mvtec_ac", "--category", "bottle")
    with app_on(own.project, own.env) as own_app, open_app(own_app) as tab:
        tab.locator("[data-cy=saved-views-btn-selection-clear]").click()
        tab.locator("[data-cy=looker]").filter(has=tab.locator(f"[title='label: {before}']")).first.click()
        tab.get_by_text("Annotate", exact=True).click()
        tab.locator("#modal").get_by_text(before, exact=True).last.click()
        tab.locator("input[role=combobox]").last.click()
        tab.get_by_role("option", name="good", exact=True).wait_for()
        assert (
            tab.get_by_role("option", name="Scratch on the head", exact=True).count() == 0
        )  # a class of the other category
        tab.get_by_role("option", name=after, exact=True).click()
        own_app.wait_for_sample({"given": before, "label.label": after})

    assert own_app.acbench("app", "mvtec_ac", "--collect", "--reviewer", "bob", "--json").facts["decided"] == 1
    (review,) = own_app.reviews()
    assert review["reviewer"] == "bob"
    assert (review["verdict"], review["labels"], review["note"]) == ("label", ["contamination"], "was broken_large")

    view = f"fo.load_dataset(fo.list_datasets()[0]).match({{'item_id': {review['item_id']!r}}})"
    python(f"import fiftyone as fo; {view}.tag_samples('undo')", **own_app.env)
    assert "1 taken back" in own_app.acbench("app", "mvtec_ac", "--collect", "--reviewer", "bob").out
    back = own_app.reviews()[-1]
    assert (back["verdict"], back["desk"], back["round"]) == ("withdrawn", review["desk"], 2)
    seen = python(f"import fiftyone as fo; one = {view}.first(); print(one.label.label, one.tags)", **own_app.env)
    assert seen.out == f"{before} []\n"


def test_what_is_missing_is_said(opened: Shown, tmp_path: Path) -> None:
    nobody = opened.acbench("app", "mvtec_ac", "--collect", status=1)
    assert "--reviewer YOUR_NAME" in nobody.err
    taken = opened.acbench("app", "mvtec_ac", "--port", opened.url.rpartition(":")[2], status=1)
    assert "cannot be used" in taken.err
    unknown = opened.acbench("app", "mvtec_ac", "--update", "--predictions", "velm", status=1)
    assert "there are no predictions of 'velm'" in unknown.err
    elsewhere = acbench(tmp_path, "app", "sample", "--collect", "--reviewer", "ada", status=1, **opened.env)
    assert "was never opened in the App" in elsewhere.err
    env = opened.env | {"FIFTYONE_DATABASE_URI": f"mongodb://127.0.0.1:{free_port()}"}
    dead = acbench(opened.project, "app", "mvtec_ac", "--update", status=1, **env)
    assert "no MongoDB answers" in dead.err


def test_images_that_moved_and_that_are_gone_are_repaired(own: Shown) -> None:
    images = own.project / "images"
    moved = images.rename(own.project / "moved")
    gone = sorted((moved / "bottle/test/good").glob("*.png"))[0]
    gone.unlink()
    own.acbench("relabel", "mvtec_ac", "--root", moved)
    done = own.acbench("app", "mvtec_ac", "--update", "--json").facts
    assert done["removed"] == 1 and done["changed"] == done["images"], done
    again = own.acbench("app", "mvtec_ac", "--update", "--json").facts
    assert (again["added"], again["changed"], again["removed"]) == (0, 0, 0)
