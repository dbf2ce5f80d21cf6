"""The picture of all classes: what it shows, and that nobody can change it unseen."""

from __future__ import annotations

import io
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from acbench.release import manifest as manifests
from acbench.release import pictures
from acbench.release.entries import read_entries, read_manifest
from acbench.release.folder import ReleaseFolder
from acbench.testing import toy_mvtec_ad, toy_visa
from tests.support.releases import build, check, rehash, told, wrong


@pytest.fixture(scope="module")
def visa(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A release with images. Not to be changed."""
    project = tmp_path_factory.mktemp("visa")
    return build(project, root=toy_visa(project / "images")).folder


@pytest.fixture
def release(visa: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(visa, tmp_path / "release"))


def picture(folder: Path) -> Image.Image:
    return Image.open(io.BytesIO((folder / manifests.PICTURE).read_bytes()))


def save(folder: Path, image: Image.Image, software: str) -> None:
    """Put another picture in its place, and its hash into the manifest, as a forger would."""
    info = PngImagePlugin.PngInfo()
    info.add_text("Software", software)
    image.save(folder / manifests.PICTURE, "PNG", pnginfo=info)
    rehash(folder, manifests.PICTURE)


def test_it_is_in_the_card_and_the_manifest_and_sound(visa: Path) -> None:
    assert f"]({manifests.PICTURE})" in (visa / "README.md").read_text()
    assert manifests.PICTURE in json.loads((visa / "release.json").read_text())["files"]
    assert wrong(check(visa)) == set()
    assert told(check(visa), "unchecked") == []


def test_a_release_without_images_shows_none(tmp_path: Path) -> None:
    images = toy_mvtec_ad(tmp_path / "images")
    labels = build(tmp_path, "mvtec_ac", root=images, categories=("bottle",)).folder
    alone = (labels / manifests.PICTURE).read_bytes()
    for path in (tmp_path / "images/bottle/test").rglob("*.png"):  # other pixels, and the same labels
        size = Image.open(io.BytesIO(path.read_bytes())).size
        Image.new("RGB", size, (200, 30, 30)).save(path)
    again = build(tmp_path, "mvtec_ac", categories=("bottle",))
    assert not again.manifest.images
    assert (again.folder / manifests.PICTURE).read_bytes() == alone
    shared = build(tmp_path, "mvtec_ac", images=True, categories=("bottle",)).folder
    assert picture(shared).height >= Image.open(io.BytesIO(alone)).height + pictures.TILE
    red = np.asarray(picture(shared).convert("RGB"))
    assert (np.abs(red.astype(int) - (200, 30, 30)).max(axis=2) < 8).any()


def test_another_count_is_another_picture(visa: Path, tmp_path: Path) -> None:
    more = build(tmp_path, root=toy_visa(tmp_path / "images", each=4)).folder
    assert (more / manifests.PICTURE).read_bytes() != (visa / manifests.PICTURE).read_bytes()


def test_the_same_labels_draw_the_same_bytes(visa: Path, tmp_path: Path) -> None:
    again = build(tmp_path, root=toy_visa(tmp_path / "images")).folder
    assert (again / manifests.PICTURE).read_bytes() == (visa / manifests.PICTURE).read_bytes()


def test_a_pixel_that_was_changed_is_found(release: Path) -> None:
    drawn = picture(release).convert("RGB")
    drawn.putpixel((drawn.width // 2, 3), (0, 0, 0))
    save(release, drawn, pictures.made_with())
    assert wrong(check(release)) == {"picture"}


def test_a_picture_of_something_else_is_found(release: Path) -> None:
    save(release, Image.new("RGB", (10, 10)), pictures.made_with())
    assert wrong(check(release)) == {"picture"}
    (release / manifests.PICTURE).write_bytes(b"GIF89a")
    rehash(release, manifests.PICTURE)
    assert wrong(check(release)) == {"picture"}


def test_what_other_libraries_drew_is_not_checked_and_said_so(release: Path) -> None:
    save(release, picture(release).convert("RGB"), "Pillow 1.0")
    verified = check(release)
    assert wrong(verified) == set()
    assert [each.path for each in told(verified, "unchecked")] == [manifests.PICTURE]
    assert "drawn with Pillow 1.0" in told(verified, "unchecked")[0].detail


def test_a_picture_that_claims_to_be_huge_is_not_unpacked(release: Path) -> None:
    image = Image.new("1", (30_000, 30_000))
    image.save(release / manifests.PICTURE, "PNG")
    rehash(release, manifests.PICTURE)
    assert wrong(check(release)) == {"picture"}


def test_the_example_of_a_class_is_the_first_that_shows_it_alone(visa: Path) -> None:
    folder = ReleaseFolder(visa)
    entries = list(read_entries(folder, read_manifest(folder)).values())
    examples = pictures.Examples()
    shown = {}
    for one in reversed(entries):
        if examples.wants(one):
            examples.take(one, (visa.parents[2] / "images" / one.image).read_bytes(), None)
            shown[one.category, one.labels] = one.image
    alone = [each for each in entries if each.status == "accepted" and each.anomalous and len(each.labels) == 1]
    assert shown.keys() == {(each.category, each.labels) for each in alone}
    for (category, labels), image in shown.items():
        assert image == min(each.image for each in alone if (each.category, each.labels) == (category, labels))
    assert len(examples.tiles) == len(shown)
