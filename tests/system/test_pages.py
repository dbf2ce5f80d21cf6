"""The pages of docs/ are built without a warning, link to what is there, and are read without a network."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Protocol
from urllib.parse import unquote, urlsplit

import pytest
from playwright.sync_api import Page, expect

import acbench
import acbench.testing
from acbench.predictors import base
from tests.support.browser import open_page
from tests.support.commands import ROOT

WIDTHS = (1366, 1920)
LOADS = {"img": "src", "link": "href", "script": "src"}
"""Element → its attribute that has a browser load something."""


def build(source: Path, to: Path) -> subprocess.CompletedProcess[str]:
    """Build the pages. A proxy that is not there answers for every other host."""
    nowhere = dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"), "http://127.0.0.1:9")
    return subprocess.run(
        [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-E", "-q", source / "docs", to],
        cwd=source, env=os.environ | nowhere, text=True, capture_output=True, check=False,
    )  # fmt: skip


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The pages, as HTML."""
    folder = tmp_path_factory.mktemp("site")
    built = build(ROOT, folder)
    assert (built.returncode, built.stderr) == (0, "")
    return folder


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    with open_page() as page:
        yield page


class Read(HTMLParser):
    """The ids of a page of HTML, where it leads, and what it loads."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.ids: set[str] = set()
        self.links: list[str] = []
        self.loads: list[str] = []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value for name, value in attrs if value}
        if "id" in found:
            self.ids.add(found["id"])
        if tag == "a" and "href" in found:
            self.links.append(found["href"])
        if address := found.get(LOADS.get(tag, "")):
            self.loads.append(address)


def pages(site: Path) -> dict[Path, Read]:
    """Every page of the site; the theme lays some of its own beside them."""
    return {path: Read(path) for path in site.rglob("*.html") if "_static" not in path.parts}


def test_every_link_leads_to_a_page_and_a_place_on_it(site: Path) -> None:
    every = pages(site)
    assert len(every) > len(list((ROOT / "docs").rglob("*.md")))  # and the index, and the search
    broken = defaultdict(list)
    for path, read in every.items():
        for link in (*read.links, *read.loads):
            address = urlsplit(link)
            if address.scheme or address.netloc:
                continue
            target = (path.parent / unquote(address.path)).resolve() if address.path else path
            place = unquote(address.fragment)
            if not target.is_file() or (place and target in every and place not in every[target].ids):
                broken[path.name].append(link)
    assert broken == {}


def test_no_page_loads_anything_from_elsewhere(site: Path) -> None:
    outside = {address for read in pages(site).values() for address in read.loads if urlsplit(address).netloc}
    assert outside == set()


def test_what_the_pages_show_of_the_repository_is_there(site: Path) -> None:
    blob, tree = (f"https://github.com/acbench/acbench/{kind}/main/" for kind in ("blob", "tree"))
    shown = {urlsplit(link)._replace(fragment="").geturl() for read in pages(site).values() for link in read.links}
    files = {link.removeprefix(blob) for link in shown if link.startswith(blob)}
    folders = {link.removeprefix(tree) for link in shown if link.startswith(tree)}
    assert "notebooks/5_your_own_data.ipynb" in files and "LICENSE" in files
    assert [file for file in files if not (ROOT / file).is_file()] == []
    assert [folder for folder in folders if not (ROOT / folder).is_dir()] == []


def test_the_public_names_are_explained(site: Path) -> None:
    ids = Read(site / "reference" / "api.html").ids
    protocols = [name for name, kind in vars(base).items() if kind.__class__ is type(Protocol)]
    names = [
        *(f"acbench.{name}" for name in acbench.__all__ if name != "Schema"),
        "acbench.Item.item_id",
        "acbench.schema.Schema",
        "acbench.data.sources.Source",
        *(f"acbench.predictors.base.{name}" for name in protocols if vars(base)[name].__module__ == base.__name__),
        *(f"acbench.testing.{name}" for name in acbench.testing.__all__ if name.startswith(("toy", "Fake"))),
    ]
    assert "acbench.predictors.base.Proposer" in names
    assert set(names) - ids == set()


@pytest.mark.parametrize("width", WIDTHS)
def test_pages_fit_the_screen_and_ask_no_other_host(site: Path, page: Page, width: int) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.set_viewport_size({"width": width, "height": 900})
    wide = []
    for path in sorted(pages(site)):
        page.goto(path.as_uri())
        expect(page.locator("main")).to_be_visible()
        if page.evaluate("document.documentElement.scrollWidth") > width:
            wide.append(path.name)
        cut = "e => e.scrollWidth > e.parentElement.clientWidth + 1"
        if page.evaluate(f"[...document.querySelectorAll('main table')].some({cut})"):
            wide.append(f"a table of {path.name}")
    assert wide == []
    assert {urlsplit(address).scheme for address in asked} <= {"file", "data"}


def test_search_finds_a_page(site: Path, page: Page) -> None:
    page.goto(f"{(site / 'search.html').as_uri()}?q=pseudonyms")
    expect(page.locator("#search-results li a", has_text="Releases").first).to_be_visible()


def test_a_broken_link_fails_the_build(tmp_path: Path) -> None:
    """Each warning does, so it is enough that there is one for each link."""
    wrong = {
        "[no page](guides/lost.md)": "guides/lost",
        "[no heading](guides/index.md#absent)": "absent",
        "[no file](../acbench/nowhere.py)": "acbench/nowhere.py, which is not there",
    }
    for name in ("docs", "notebooks/pictures"):
        shutil.copytree(ROOT / name, tmp_path / name)
    for path in (*ROOT.glob("*.md"), ROOT / "LICENSE", *ROOT.glob("notebooks/*.*")):
        shutil.copy(path, tmp_path / path.relative_to(ROOT))
    (tmp_path / "docs/reference/api.md").write_text("# Python\n\n## Records\n")  # the slow page
    (tmp_path / "docs/getting_started.md").write_text("\n\n".join(["# Getting started", *wrong]) + "\n")
    built = build(tmp_path, tmp_path / "site")
    assert built.returncode == 1
    said = [line for line in built.stderr.splitlines() if "WARNING" in line]
    assert [told for told in wrong.values() if not any(told in line for line in said)] == []
