"""The product told from its background: synthetic ones, and every category of MVTec-AD at hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from acbench.data.foreground import find_product
from acbench.data.regions import Mask


def picture(product: Mask, *, inside: int = 40, outside: int = 230, noise: float = 3.0) -> Image.Image:
    """A dark product on a bright, slightly noisy background."""
    height, width = product.shape
    values = np.where(product, inside, outside) + np.random.default_rng(0).normal(0, noise, (height, width))
    return Image.fromarray(np.repeat(values.clip(0, 255).astype(np.uint8)[..., None], 3, axis=2))


def disc(edge: int = 600, radius: float = 200, hole: float = 0, x: float = 300, y: float = 280) -> Mask:
    rows, columns = np.mgrid[0:edge, 0:edge]
    away = np.hypot(columns + 0.5 - x, rows + 0.5 - y)
    return np.asarray((away <= radius) & (away >= hole))


def test_a_disc_is_found_with_its_size_and_centre() -> None:
    product = find_product(picture(disc()))
    assert product is not None and product.is_round
    assert product.centre == pytest.approx((300, 280), abs=1.5)
    assert product.radius == pytest.approx(200, rel=0.02)
    assert product.extent == pytest.approx(400, rel=0.02)


def test_a_ring_is_a_disc() -> None:
    product = find_product(picture(disc(hole=120)))
    assert product is not None and product.is_round and product.radius == pytest.approx(200, rel=0.02)


def test_what_is_long_is_not_round() -> None:
    bar = np.zeros((400, 600), dtype=np.bool_)
    bar[180:220, 100:500] = True
    product = find_product(picture(bar))
    assert product is not None and not product.is_round
    assert product.pixels == pytest.approx(bar.sum(), rel=0.15)


@pytest.mark.parametrize(
    "image",
    [
        Image.new("RGB", (64, 64), (90, 90, 90)),
        Image.new("RGB", (1, 1)),
        Image.new("RGB", (900, 1)),
        Image.fromarray(np.random.default_rng(1).integers(0, 256, (300, 300, 3), dtype=np.uint8)),
        picture(disc(radius=60, x=150) | disc(radius=60, x=450)),
    ],
    ids=["even", "one pixel", "one row", "a texture", "two products"],
)
def test_where_no_one_product_stands_out_none_is_told(image: Image.Image) -> None:
    assert find_product(image) is None


STANDS_OUT = {"bottle", "capsule", "hazelnut", "metal_nut", "pill", "screw", "toothbrush"}


def test_real_products(mvtec_ad_root: Path) -> None:
    for path in sorted(mvtec_ad_root.glob("*/test/good/000.png")):
        category = path.parts[-4]
        product = find_product(Image.open(path).convert("RGB"))
        assert (product is not None) == (category in STANDS_OUT), category
        assert (product is not None and product.is_round) == (category == "bottle"), category
