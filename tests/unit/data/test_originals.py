"""Whose picture is it: others' answers are joined with the original's images, not with paths."""

from __future__ import annotations

import dataclasses
from collections import Counter
from pathlib import Path

import pytest

from acbench.data import sources
from acbench.data.ingest import ingest
from acbench.data.sources import Folder, Originals, compare, names_digest, originals
from acbench.predictors.proposers.edition import Edition
from acbench.predictors.proposers.table import Table
from acbench.predictors.registry import build_proposer
from acbench.records import Item, Label
from tests.support.listings import listing
from tests.support.records import MVTEC_AC, ask, item
from tests.unit.predictors.test_proposers import setup

FOLDER = "bottle/test/contamination"
TEXT = "image,labels\n" + "".join(f"{FOLDER}/{number:03}.png,contamination\n" for number in range(3))


def sha256(number: int) -> str:
    return f"{number:064}"


def bottle(number: int, content: int | None = None) -> Item:
    """Image `number`, with the content of another one."""
    return item(number, sha256=sha256(number if content is None else content))


def known(hashes: int = 0, files: int = 3) -> Originals:
    names = [f"{number:03}.png" for number in range(files)]
    return Originals(
        {f"{FOLDER}/{number:03}.png": sha256(number) for number in range(hashes)},
        {FOLDER: Folder(files, names_digest(names))},
    )


def said(items: list[Item], of: Originals | None) -> dict[str, str]:
    """Image → the answer, or why there is none."""
    image = {each.item_id: each.image for each in items}
    return {image[each.item_id]: each.reason or each.rationale for each in ask(Table(MVTEC_AC, "t", TEXT, of), items)}


class TestCompare:
    def test_the_original_listing_is_believed(self) -> None:
        assert set(said([bottle(number) for number in range(3)], known()).values()) == {"t says contamination"}

    def test_another_listing_is_not(self) -> None:
        for numbers in ((0, 1), (1, 2, 3)):
            reasons = said([bottle(number) for number in numbers], known())
            assert reasons and all("has not the 3 files of the original" in each for each in reasons.values())

    def test_other_bytes_under_a_known_name_are_not(self) -> None:
        reasons = said([bottle(0), bottle(1, content=7), bottle(2)], known(hashes=2))
        assert reasons[bottle(0).image] == "t says contamination"
        assert "bytes are not those" in reasons[bottle(1).image]
        assert "1 other images of bottle" in reasons[bottle(2).image]

    def test_known_bytes_are_found_under_any_name(self) -> None:
        renamed = item(image="bottle/test/contamination/099.png", sha256=sha256(1))
        assert said([renamed], known(hashes=2)) == {
            renamed.image: "t says contamination; by its bytes, the image is bottle/test/contamination/001.png of the"
            " original"
        }

    def test_without_facts_paths_are_believed(self) -> None:
        assert compare(None, [bottle(0)]).paths == {bottle(0).item_id: bottle(0).image}

    def test_an_edition_asks_too(self) -> None:
        label = Label(
            item_id=bottle(0).item_id, image=bottle(0).image, labels=("contamination",), status="accepted",
            decided_by="people", policy="p", agreement=None, confidence=None, reason="r", licence="l",
            schema_version="1",
        )  # fmt: skip
        (answer,) = ask(Edition(MVTEC_AC, (label,), known(hashes=1)), [bottle(0, content=7)])
        assert answer.status == "abstained" and "bytes are not those" in answer.reason


@pytest.mark.parametrize("source", ["mvtec_ad", "visa"])
def test_the_bundled_folders_are_those_of_the_listing(source: str) -> None:
    facts = originals(source)
    assert facts is not None
    files = Counter(row["image"].rpartition("/")[0] for row in listing(source))
    assert {folder: facts.folders[folder].files for folder in files} == files
    items = [item(image=row["image"], category=row["image"].partition("/")[0]) for row in listing(source)]
    compared = compare(dataclasses.replace(facts, hashes={}), items)
    assert not compared.doubts and len(compared.paths) == len(items)


class TestRealImages:
    def test_the_table_speaks_of_originals(self, mvtec_ad_root: Path) -> None:
        items = ingest(sources.get("mvtec_ad"), mvtec_ad_root, categories=["bottle"]).items
        answers = list(ask(build_proposer("table:mvtec_fs", setup(mvtec_ad_root)), items))
        assert Counter(each.status for each in answers) == {"ok": 63}

    def test_a_renumbered_copy_keeps_its_answers(self, mvtec_ad_root: Path, tmp_path: Path) -> None:
        """By path, many of these would get another image's classes."""
        wanted = {}
        for folder in sorted((mvtec_ad_root / "screw/test").iterdir()):
            (tmp_path / "screw/test" / folder.name).mkdir(parents=True)
            for number, path in enumerate(sorted(folder.glob("*.png"))[3:]):
                copy = tmp_path / "screw/test" / folder.name / f"{number:03}.png"
                copy.write_bytes(path.read_bytes())
                wanted[copy.relative_to(tmp_path).as_posix()] = path.relative_to(mvtec_ad_root).as_posix()
        items = ingest(sources.get("mvtec_ad"), tmp_path).items
        image = {each.item_id: each.image for each in items}
        proposer = build_proposer("table:mvtec_fs", setup(tmp_path))
        answers = list(ask(proposer, items))
        assert {each.status for each in answers} == {"ok"}
        assert all(wanted[image[each.item_id]] in each.rationale for each in answers)
