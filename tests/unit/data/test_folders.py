"""People's own folders: every layout that is known, what is said of it, and that no image is dropped in silence."""

from __future__ import annotations

from pathlib import Path

import pytest

from acbench.data import sources
from acbench.data.recognise import recognise
from acbench.data.sources import FoundImage
from acbench.records import GOOD, Finding, mask_files
from acbench.testing import TOY_LAYOUTS, tiny_image, toy_layout

PICTURES = {".png", ".jpg", ".jpeg", ".bmp", ".tif", ".webp", ".pgm", ".gif", ".jfif"}


def read(root: Path, **reading: str | tuple[str, ...]) -> tuple[list[FoundImage], list[Finding]]:
    source = sources.get("folders", reading)
    place = sources.locate(source, root)
    every = list(source.scan(place.tree, place.categories))
    images = [each for each in every if isinstance(each, FoundImage)]
    return images, [*place.findings, *(each for each in every if isinstance(each, Finding))]


def make(root: Path, *paths: str) -> Path:
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(tiny_image(path))
    return root


@pytest.mark.parametrize("name", TOY_LAYOUTS)
class TestLayouts:
    def test_it_is_recognised_and_read(self, name: str, tmp_path: Path) -> None:
        root = toy_layout(tmp_path / "toy", name)
        best = recognise(root)[0]
        reading = dict(best.reading)
        if name == "masks_beside":
            reading["normal"] = "MT_Free"
        images, findings = read(root, **reading)
        found = {each.image: each for each in images}
        assert set(found) == {toy.path for toy in TOY_LAYOUTS[name]}
        assert [each for each in findings if each.kind != "validation_split"] == []
        for toy in TOY_LAYOUTS[name]:
            each = found[toy.path]
            normal = toy.label in (GOOD, "MT_Free")
            assert each.category == (toy.category or "toy")
            assert each.source_labels == ((GOOD if normal else toy.label,) if toy.label else ())
            assert each.anomalous is (not normal if toy.label else None)
            assert (mask_files(each.mask) if each.mask else ()) == toy.masks
            assert each.split == toy.split or not toy.split
            assert toy.split or normal or each.split == "test"

    def test_without_options_it_is_the_same(self, name: str, tmp_path: Path) -> None:
        root = toy_layout(tmp_path / "toy", name)
        told, _ = read(root, **recognise(root)[0].reading)
        looked, _ = read(root)
        strip = f"{root.name}/"
        assert [(each.image.removeprefix(strip), each.category, each.source_labels, each.split) for each in looked] == [
            (each.image, each.category, each.source_labels, each.split) for each in told
        ]

    def test_no_image_is_dropped_in_silence(self, name: str, tmp_path: Path) -> None:
        root = toy_layout(tmp_path / "toy", name)
        make(
            root, "stray.png", "deep/er/than/all/others.jpg", "train/stray.tif", "a/.ipynb_checkpoints/x.png",
            "__MACOSX/toy/._x.png", "scratch/more/and/more.webp",
        )  # fmt: skip
        images, findings = read(root, **recognise(root)[0].reading)
        named = {each.image for each in images} | {path for each in images for path in mask_files(each.mask or "")}
        named |= {each.path for each in findings}
        lost = {
            path
            for each in root.rglob("*")
            if each.suffix in PICTURES
            for path in [each.relative_to(root).as_posix()]
            if not any(path == known or path.startswith(f"{known}/") for known in named)
        }
        assert lost == set()
