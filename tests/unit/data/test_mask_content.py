"""Masks as people make them: empty, inverted, in the alpha channel, noisy, on normal images."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from acbench.data import sources
from acbench.data.images import ImageReader
from acbench.data.ingest import Dataset, ingest
from acbench.data.mask_content import content, fault, marked_pixels
from acbench.records import Item
from acbench.testing import toy_mvtec_ad

EDGE = 100
PIXELS = EDGE * EDGE
SPOT = np.s_[40:60, 30:50]
"""What is anomalous: 400 pixels, 4 %."""

Grey = NDArray[np.uint8]


def spot(value: int = 255, background: int = 0) -> Grey:
    pixels = np.full((EDGE, EDGE), background, dtype=np.uint8)
    pixels[SPOT] = value
    return pixels


def noisy(pixels: Grey, share: float) -> Grey:
    """The pixels, and among those that are 0 this share with 1 or 2 grey levels."""
    random = np.random.default_rng(0)
    levels = random.integers(1, 3, pixels.shape) * (random.random(pixels.shape) < share)
    return np.where(pixels > 0, pixels, levels).astype(np.uint8)


def thin() -> Grey:
    """A scratch one pixel wide across the image, indexed 1."""
    return np.eye(EDGE, dtype=np.uint8)


def soft() -> Grey:
    """A spot whose edge fades."""
    from scipy import ndimage

    return np.asarray(ndimage.gaussian_filter(spot().astype(float), 2)).astype(np.uint8)


def in_alpha(colour: int) -> Image.Image:
    return Image.merge("RGBA", [Image.new("L", (EDGE, EDGE), colour)] * 3 + [Image.fromarray(spot())])


@pytest.mark.parametrize(
    ("mask", "kind", "says"),
    [
        pytest.param(Image.fromarray(spot() * 0), "empty_mask", "marks nothing: it is not used", id="empty"),
        pytest.param(Image.fromarray(255 - spot()), "inverted_mask", "96.0% of the image and 100%", id="inverted"),
        pytest.param(Image.fromarray(spot(255, 1)), "noisy_mask", "9,600 pixels (96.0%), which", id="grey background"),
        pytest.param(in_alpha(0), "mask_in_alpha", "its alpha channel 400 pixels (4.0%)", id="alpha on black"),
        pytest.param(in_alpha(255), "mask_in_alpha", "its colours mark everything", id="alpha on white"),
        pytest.param(Image.fromarray(noisy(spot() * 0, 0.02)), "noisy_mask", "nothing but noise", id="sparse noise"),
        pytest.param(Image.fromarray(noisy(spot() * 0, 0.7)), "noisy_mask", "nothing but noise", id="dense noise"),
        pytest.param(Image.fromarray(noisy(spot(), 0.02)), "noisy_mask", "400 pixels (4.0%) do", id="noise around"),
    ],
)
def test_what_is_wrong_is_said_with_numbers(mask: Image.Image, kind: str, says: str) -> None:
    found = fault(content(mask), PIXELS)
    assert found is not None and found.kind == kind and says in found.detail and found.hint
    assert found.usable == ("do" in found.detail.split()[-1:])


@pytest.mark.parametrize(
    "mask",
    [
        pytest.param(Image.fromarray(spot()), id="white"),
        pytest.param(Image.fromarray(spot(1)), id="indexed 1"),
        pytest.param(Image.fromarray(spot(1) + np.roll(spot(2), 45, axis=1)), id="indexed 1 and 2"),
        pytest.param(Image.fromarray(spot(1) + np.roll(spot(255), 45, axis=1)), id="indexed 1 and 255"),
        pytest.param(Image.fromarray(thin()), id="thin scratch"),
        pytest.param(Image.fromarray(soft()), id="smooth edge"),
        pytest.param(Image.fromarray(spot()).convert("1"), id="bits"),
        pytest.param(Image.fromarray(noisy(spot(), 0.001)), id="a few stray pixels"),
    ],
)
def test_good_masks_are_left_as_they_are(mask: Image.Image) -> None:
    assert fault(content(mask), PIXELS) is None
    np.testing.assert_array_equal(marked_pixels(mask), np.asarray(mask) != 0)


def test_noise_does_not_count_as_marked() -> None:
    np.testing.assert_array_equal(marked_pixels(Image.fromarray(noisy(spot(), 0.3))), spot() > 0)


@pytest.mark.parametrize("tiny", [0, 10**6])
@pytest.mark.parametrize("mode", ["L", "P", "1"])
def test_of_a_mask_only_what_is_not_black_has_to_be_looked_at(
    monkeypatch: pytest.MonkeyPatch, mode: str, tiny: int
) -> None:
    monkeypatch.setattr("acbench.data.mask_content.TINY", tiny)
    random = np.random.default_rng(0)
    for _ in range(300):
        height, width = random.integers(1, 30, 2)
        pixels = np.zeros((height, width), dtype=np.uint8)
        (top, bottom), (left, right) = (np.sort(random.integers(0, edge + 1, 2)) for edge in (height, width))
        pixels[top:bottom, left:right] = random.choice([1, 2, 255], (bottom - top, right - left))
        pixels[random.random(pixels.shape) < random.choice([0, 0.01, 0.2])] = random.integers(0, 4)
        mask = Image.fromarray(pixels) if mode == "L" else Image.fromarray(pixels > 0).convert(mode)
        marked = marked_pixels(mask)
        around = [*marked[0], *marked[-1], *marked[1:-1, 0], *marked[1:-1, -1]]
        found = content(mask)
        assert (found.marked, found.border) == (marked.sum(), round(float(np.mean(around)), 4))
        assert found.noise == np.count_nonzero(np.asarray(mask)) - marked.sum()


@pytest.fixture
def toy(tmp_path: Path) -> Path:
    return toy_mvtec_ad(tmp_path / "mvtec_ad")


def item(dataset: Dataset, image: str) -> Item:
    return next(each for each in dataset.items if each.image == image)


IMAGE, MASK = "bottle/test/contamination/000.png", "bottle/ground_truth/contamination/000_mask.png"


def test_what_cannot_be_used_is_not_silently_used(toy: Path) -> None:
    with Image.open(toy / MASK) as mask:
        Image.new("L", mask.size).save(toy / MASK)
    dataset = ingest(sources.get("mvtec_ad"), toy)
    assert item(dataset, IMAGE).mask is None and item(dataset, IMAGE).anomalous
    assert [(each.path, each.kind, each.failed) for each in dataset.findings] == [(MASK, "empty_mask", True)]


def test_noise_leaves_the_rest_of_the_mask(toy: Path) -> None:
    with Image.open(toy / MASK) as mask:
        before = np.asarray(mask)
    noise = np.zeros_like(before)
    noise[:: len(before) // 5, ::2] = 1
    Image.fromarray(np.maximum(before, noise)).save(toy / MASK)
    dataset = ingest(sources.get("mvtec_ad"), toy)
    assert [(each.path, each.kind, each.failed) for each in dataset.findings] == [(MASK, "noisy_mask", False)]
    assert item(dataset, IMAGE).mask == MASK
    np.testing.assert_array_equal(ImageReader(toy).mask(MASK, before.shape[::-1]), before > 0)


@pytest.mark.parametrize("marks", [True, False])
def test_a_mask_beside_a_normal_image(toy: Path, marks: bool) -> None:
    """One that marks nothing says what the image's folder says."""
    with Image.open(toy / MASK) as mask:
        pixels = np.asarray(mask) * marks
    (toy / "bottle/ground_truth/good").mkdir()
    Image.fromarray(pixels).save(toy / "bottle/ground_truth/good/000_mask.png")
    dataset = ingest(sources.get("mvtec_ad"), toy)
    assert item(dataset, "bottle/test/good/000.png").mask is None
    said = [(each.path, each.kind) for each in dataset.findings]
    kind = "marked_normal" if marks else "empty_normal_mask"
    assert said == [("bottle/ground_truth/good/000_mask.png", kind)]


def test_damaged_pixels_of_a_mask_are_found_at_once(toy: Path) -> None:
    data = bytearray((toy / MASK).read_bytes())
    data[data.index(b"IDAT") + 6] ^= 255
    (toy / MASK).write_bytes(data)
    dataset = ingest(sources.get("mvtec_ad"), toy)
    assert [each.kind for each in dataset.findings] == ["unreadable_mask"]


class TestUsedRange:
    """Twelve bits in files of sixteen."""

    @pytest.fixture
    def deep(self, toy: Path) -> Path:
        for path in toy.glob("bottle/*/*/*.png"):
            if "ground_truth" not in path.parts:
                with Image.open(path) as image:
                    values = np.asarray(image.convert("L")).astype(np.uint16) << 4
                Image.fromarray(values).save(path)
        return toy

    def test_it_is_used_and_said(self, deep: Path) -> None:
        dataset = ingest(sources.get("mvtec_ad"), deep, categories=["bottle"])
        (said,) = dataset.findings
        assert (said.path, said.kind) == ("bottle", "used_range") and "use 12 of them" in said.detail
        assert np.asarray(ImageReader(deep).image(IMAGE)).max() < 16  # black
        assert np.asarray(dataset.images.image(IMAGE)).max() > 128

    def test_it_is_part_of_every_key(self, deep: Path) -> None:
        before = ingest(sources.get("mvtec_ad"), deep, categories=["bottle"])
        brightest = deep / "bottle/train/good/000.png"
        with Image.open(brightest) as image:
            values = np.asarray(image).copy()
        values[0, 0] = 60_000
        Image.fromarray(values).save(brightest)
        after = ingest(sources.get("mvtec_ad"), deep, categories=["bottle"])
        assert before.images.key and after.images.key == () and before.key != after.key

    def test_colours_of_sixteen_bits_are_said(self, toy: Path) -> None:
        import struct
        import zlib

        def chunk(kind: bytes, data: bytes) -> bytes:
            return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

        with Image.open(toy / "bottle/train/good/000.png") as image:
            width, height = image.size
        rows = (b"\0" + struct.pack(">H", 4000) * 3 * width) * height
        head = struct.pack(">IIBBBBB", width, height, 16, 2, 0, 0, 0)
        (toy / "bottle/train/good/000.png").write_bytes(
            b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
        )
        said = {each.kind: each.detail for each in ingest(sources.get("mvtec_ad"), toy).findings}
        assert "15 of 255" in said["deep_colours"]
