"""`acbench ingest` with people's own data: a folder without a schema, options that are kept, and names that differ."""

from __future__ import annotations

from pathlib import Path

import pytest

from acbench.testing import toy_layout, toy_mvtec_ad
from tests.support.commands import here_in

TILES = """
benchmark: tiles
version: "1"
source: folders
title: Tiles
licence: CC0-1.0
attribution: Ada
about: Tiles of a toy.
categories:
  {category}:
    name: Tile
    object: A tile
    normal: It is plain.
    guide: Look at it.
    classes:
      - {{id: dent, name: Dent, definition: A dent., not: A scratch is thin., source: [dent]}}
      - {{id: scratch, name: Scratch, definition: A scratch., not: A dent is round., source: [scratch]}}
"""


@pytest.fixture
def tiles(tmp_path: Path) -> Path:
    return toy_layout(tmp_path / "tiles", "classes")


def schema(folder: Path, category: str) -> Path:
    path = folder / f"{category}.yaml"
    path.write_text(TILES.format(category=category), encoding="utf-8")
    return path


def test_a_folder_without_a_schema_is_looked_at(tiles: Path, tmp_path: Path) -> None:
    (tiles / "notes.txt").touch()
    done = here_in(tmp_path, "ingest", tiles)
    assert "a folder for each class" in done.out and "9 images" in done.out
    assert "category: tiles" in done.out and "notes.txt" in done.out
    assert f"Next: acbench schema init {tiles}" in done.out
    (best,) = here_in(tmp_path, "ingest", tiles, "--json").facts
    assert best["reading"] == {"layout": "classes", "category": "tiles"}
    assert not (tmp_path / ".acbench").exists()


def test_what_a_folder_has_no_use_for_is_refused(tiles: Path, tmp_path: Path) -> None:
    refused = here_in(tmp_path, "ingest", tiles, "--root", tiles, "--limit", "3", status=1).err
    assert "--root and --limit are for a benchmark" in refused


def test_a_bundled_benchmark_is_recognised(tmp_path: Path) -> None:
    root = toy_mvtec_ad(tmp_path / "images")
    assert f"Next: acbench relabel mvtec_ac --root {root}" in here_in(tmp_path, "ingest", root).out


def test_what_cannot_be_recognised_says_how_to_say_it(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert "there is no image in" in here_in(tmp_path, "ingest", tmp_path / "empty", status=1).err
    root = toy_layout(tmp_path / "toy", "classes")
    refused = here_in(tmp_path, "ingest", root, "--reading", "image={split}/{stem}.*", status=1).err
    assert "image: {split}/{stem}.*" in refused or "matches {split}/{stem}.*" in refused


def test_options_of_a_source_are_kept_and_taken_back(tiles: Path, tmp_path: Path) -> None:
    project = tmp_path / "project"
    project.mkdir()
    tile = schema(tmp_path, "tile")
    given = ("--root", tiles, "--reading", "category=tile", "--reading", "normal=dent", "--json")
    assert here_in(project, "ingest", tile, *given).facts["dataset"].endswith("masks for 0 of 3 anomalous images")
    assert here_in(project, "ingest", tile, "--json").facts["dataset"].endswith("of 3 anomalous images")
    taken_back = here_in(project, "ingest", tile, "--reading", "normal=", "--json").facts
    assert taken_back["dataset"].endswith("of 6 anomalous images")
    assert "is not KEY=VALUE" in here_in(project, "ingest", tile, "--reading", "normal", status=2).err
    refused = here_in(project, "ingest", tile, "--reading", "categry=x", status=1).err
    assert "did you mean category?" in refused
    assert here_in(project, "ingest", tile, "--json").facts["items"] == 9, "what was refused is not kept"


def test_categories_that_nothing_on_disk_belongs_to_stop_the_run(tiles: Path, tmp_path: Path) -> None:
    (tmp_path / "case").mkdir()
    assert (
        here_in(tmp_path / "case", "ingest", schema(tmp_path, "Tiles"), "--root", tiles, "--json").facts["items"] == 9
    )
    refused = here_in(tmp_path, "ingest", schema(tmp_path, "tilse"), "--root", tiles, status=1).err
    assert "on disk are tiles; the schema has tilse" in refused and "did you mean 'tiles' by 'tilse'?" in refused
    refused = here_in(tmp_path, "ingest", schema(tmp_path, "gearbox"), "--root", tiles, status=1).err
    assert "--reading category=gearbox" in refused
