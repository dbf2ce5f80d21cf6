"""The report of 1,300 images in a real browser: opened, searched, filtered, pressed, linked to and printed."""

from __future__ import annotations

import csv
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from playwright.sync_api import Locator, Page, expect

from acbench.testing import toy_mvtec_ad
from tests.support.browser import open_page
from tests.support.commands import here_in

CATEGORIES = {"bottle": ("broken_large", "broken_small", "contamination"), "screw": ("thread_side",)}
EACH, GOOD = 300, 50
IMAGES = EACH * 4 + GOOD * 2
MOST = 20_000_000
HOSTILE = "</script><script>document.title='taken'</script><img src=x onerror=alert(1)>"
ASK = ("--without", "neighbours", "--without", "edition", "--without", "table:mvtec_fs", "--audit", "1")


class Report(NamedTuple):
    """A report on disk, and what was printed about it."""

    path: Path
    facts: dict[str, int]
    decided: list[dict[str, str]]
    """Rows of the queue that somebody decided, as they were filled in."""


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Report:
    root = toy_mvtec_ad(tmp_path_factory.mktemp("data"), CATEGORIES, train=1, good=GOOD, each=EACH)
    project = tmp_path_factory.mktemp("project")
    here_in(project, "relabel", "mvtec_ac", "--root", root, *ASK)
    rows = decide(project / ".acbench/mvtec_ac/queue.csv")
    for name, day, own in (("ada", 1_700_000_000, rows), ("ben", 1_700_600_000, rows[:2])):
        write(project / f"{name}.csv", own, day)
        here_in(project, "review", "take", "mvtec_ac", project / f"{name}.csv", "--reviewer", name)
    facts = here_in(project, "report", "mvtec_ac", "--json").facts
    return Report(project / ".acbench/mvtec_ac/report.html", facts, rows)


def decide(queue: Path) -> list[dict[str, str]]:
    """Six rows of the queue: one gets another class, with a note that nobody should trust; the others stay."""
    with queue.open(encoding="utf-8-sig", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["image"].startswith("bottle/test/broken_large/")][:6]
    for row in rows:
        row["label"] = row["current"]
    rows[2] |= {"label": "contamination", "note": HOSTILE}
    return rows


def write(path: Path, rows: list[dict[str, str]], when: int) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    os.utime(path, (when, when))


@pytest.fixture
def page() -> Iterator[Page]:
    with open_page(width=1366, height=768) as opened:
        faults: list[str] = []
        opened.on("pageerror", lambda error: faults.append(str(error)))
        opened.on("console", lambda message: faults.append(message.text) if message.type == "error" else None)
        opened.on("dialog", lambda dialog: faults.append(dialog.message))
        opened.on("request", lambda asked: faults.append(asked.url) if outside(asked.url) else None)
        yield opened
        assert faults == []


def outside(url: str) -> bool:
    return not url.startswith(("file:", "data:", "about:"))


def counted(page: Page, shown: int) -> None:
    """Wait until the page says that so many of all images are shown."""
    expect(page.locator("#count")).to_have_text(f"{shown:,} of {IMAGES:,} listed images")


def addressed(page: Page, **choice: str) -> None:
    """Wait until the page's address holds this choice and nothing else: it follows what is shown, a moment later."""
    wanted = {name: [value] for name, value in choice.items()}
    page.wait_for_url(lambda url: parse_qs(urlsplit(url).fragment) == wanted, wait_until="commit")


def width(picture: Locator) -> int:
    """Pixels of a picture, once it is there; the page's policy lets no test wait in the page itself."""
    expect(picture).to_have_js_property("complete", True)
    pixels: int = picture.evaluate("image => image.naturalWidth")
    return pixels


def pictures_in(pdf: bytes) -> int:
    return len(re.findall(rb"/Subtype\s*/Image", pdf))


def test_it_is_small_enough_and_has_a_picture_of_every_image(report: Report) -> None:
    assert report.path.stat().st_size == report.facts["bytes"] <= MOST
    assert report.facts["images"] == report.facts["thumbnails"] == IMAGES
    assert report.facts["left_out"] == []


def test_search_and_filters_show_what_fits(report: Report, page: Page) -> None:
    page.goto(report.path.as_uri())
    counted(page, IMAGES)
    expect(page.locator("#gallery li")).to_have_count(60)
    page.select_option("select[name=category]", "screw")
    counted(page, EACH + GOOD)
    page.select_option("select[name=changed]", "yes")
    counted(page, EACH)
    page.press("body", "/")
    page.keyboard.type("thread_side/007")
    counted(page, 1)
    expect(page.locator("#gallery .path")).to_have_text("screw/test/thread_side/007.png")
    addressed(page, category="screw", changed="yes", q="thread_side/007")
    page.click("#clear")
    counted(page, IMAGES)
    page.select_option("select[name=witness]", "source_label|other")
    counted(page, 1)
    assert page.locator("select[name=person] option").all_inner_texts() == ["any (1)", "ada (1)"], "what would fit"
    page.fill("input[name=q]", "no such text")
    expect(page.locator("#count")).to_contain_text("None of the")


def test_pictures_come_as_they_scroll_into_view(report: Report, page: Page) -> None:
    page.goto(report.path.as_uri())
    drawn = page.locator("#gallery img[src]")
    page.locator("#gallery li").nth(3).scroll_into_view_if_needed()
    expect(page.locator("#gallery li").nth(3).locator("img[src]")).to_have_count(1)
    assert width(page.locator("#gallery img[src]").first) > 0
    expect(drawn).not_to_have_count(0)
    assert drawn.count() < 60, "the last ones are far below"
    page.click("#more")
    expect(page.locator("#gallery li")).to_have_count(120)
    page.locator("#gallery li").nth(119).scroll_into_view_if_needed()
    expect(page.locator("#gallery li").nth(119).locator("img[src]")).to_have_count(1)


def test_every_number_of_the_matrix_shows_so_many_images(report: Report, page: Page) -> None:
    page.goto(report.path.as_uri())
    cells = page.locator(".matrix td a")
    expect(cells).to_have_count(2)
    for number, category in enumerate(CATEGORIES):
        cell = cells.nth(number)
        images = int(cell.inner_text())
        cell.click()
        counted(page, images)
        expect(page.locator("#filters")).to_be_in_viewport()
        expect(page.locator("select[name=category]")).to_have_value(category)


def test_a_link_shows_the_same_again_and_history_is_text(report: Report, page: Page) -> None:
    changed = report.decided[2]
    choice = urlencode({"category": "bottle", "person": "ada", "image": changed["item_id"]})
    page.goto(f"{report.path.as_uri()}#{choice}")
    dialog = page.locator("dialog")
    expect(dialog).to_be_visible()
    counted(page, 6)
    expect(dialog.locator("h2")).to_have_text(changed["image"])
    expect(dialog).to_contain_text("broken_large")
    expect(dialog.locator("td").filter(has_text=HOSTILE)).to_have_count(1)
    expect(page).to_have_title("MVTec-AC: report")
    assert width(dialog.locator("img")) > 300
    page.keyboard.press("ArrowRight")
    expect(dialog.locator("h2")).not_to_have_text(changed["image"])
    page.keyboard.press("ArrowLeft")
    expect(dialog.locator("h2")).to_have_text(changed["image"])
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    counted(page, 6)
    addressed(page, category="bottle", person="ada")


def test_two_decisions_of_an_image_have_their_days(report: Report, page: Page) -> None:
    page.goto(f"{report.path.as_uri()}#{urlencode({'image': report.decided[0]['item_id']})}")
    rows = page.locator("dialog h3:has-text('What people decided') + .wide tbody tr")
    expect(rows).to_have_count(2)
    assert [row.split("\t")[:2] for row in rows.all_inner_texts()] == [
        ["2023-11-14 22:13:20", "ada"],
        ["2023-11-21 20:53:20", "ben"],
    ]
    expect(page.locator("#right")).to_contain_text("6 images by 2023-11-14")


def test_an_image_that_is_not_listed_is_named(report: Report, page: Page) -> None:
    page.goto(f"{report.path.as_uri()}#image=somebody-elses")
    expect(page.locator("#count")).to_contain_text("somebody-elses is not listed in this report")


def test_it_prints_what_the_filters_show(report: Report, page: Page, tmp_path: Path) -> None:
    page.goto(f"{report.path.as_uri()}#{urlencode({'source': 'thread_side'})}")
    counted(page, EACH)
    some = page.pdf(format="A4", print_background=True)
    assert EACH <= pictures_in(some) < 2 * EACH and len(some) < MOST, "pictures go into it as they are"
    page.goto(f"{report.path.as_uri()}#{urlencode({'person': 'ada'})}")
    counted(page, 6)
    few = page.pdf(format="A4")
    assert 6 <= pictures_in(few) < EACH
    expect(page.locator("#gallery li")).to_have_count(6)


def test_all_of_it_prints(report: Report, page: Page) -> None:
    page.goto(report.path.as_uri())
    counted(page, IMAGES)
    whole = page.pdf(format="A4")
    assert pictures_in(whole) >= IMAGES and len(whole) < 2 * MOST
    expect(page.locator("#gallery li")).to_have_count(60)


def test_without_its_script_the_figures_are_there(report: Report) -> None:
    with open_page() as opened:
        assert opened.context.browser is not None
        page = opened.context.browser.new_page(java_script_enabled=False)
        page.goto(report.path.as_uri())
        expect(page.locator(".matrix td a")).to_have_count(2)
        expect(page.locator("noscript p")).to_contain_text("needs JavaScript")


def test_a_script_of_somebody_else_does_not_run(report: Report, tmp_path: Path) -> None:
    other = tmp_path / "other.html"
    html = report.path.read_text(encoding="utf-8")
    other.write_text(html.replace("</body>", "<script>document.title = 'taken'</script></body>"), encoding="utf-8")
    with open_page() as page:
        said: list[str] = []
        page.on("console", lambda message: said.append(message.text))
        page.goto(other.as_uri())
        counted(page, IMAGES)
        assert page.title() == "MVTec-AC: report" and any("Content Security Policy" in line for line in said)


def test_the_same_project_gives_the_same_bytes_and_a_smaller_size_names_what_is_left_out(report: Report) -> None:
    project = report.path.parents[2]
    before = report.path.read_bytes()
    here_in(project, "report", "mvtec_ac")
    assert report.path.read_bytes() == before
    small = project / "small.html"
    done = here_in(project, "report", "mvtec_ac", "--out", small, "--max-size", "2MB")
    assert small.stat().st_size <= 2_000_000
    left = IMAGES - len(
        json.loads(re.findall(r'id="data-pictures">(.*?)</script>', small.read_text("utf-8"))[0])["thumbnails"]
    )
    assert 3 < left < IMAGES and f"and {left - 3:,} more: give a larger --max-size" in done.out
