"""Whether two images show their product in the same pose: shifted, turned and real ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from acbench.data.alignment import ALIKE, correlation, edges, is_aligned
from acbench.data.regions import Mask

NOTHING = np.zeros((500, 500), dtype=np.bool_)


def part(*, shift: int = 0, turn: float = 0, seed: int = 0, edge: int = 500) -> Image.Image:
    """A plate with holes and a notch, under noise."""
    image = Image.new("L", (500, 500), 60)
    draw = ImageDraw.Draw(image)
    draw.rounded_rectangle((90, 150, 420, 350), 40, fill=180)
    for x in (150, 230, 330):
        draw.ellipse((x, 220, x + 45, 265), fill=20)
    draw.rectangle((380, 150, 400, 230), fill=90)
    turned = image.rotate(turn, Image.Resampling.BICUBIC, translate=(shift, shift // 2), fillcolor=60)
    noise = np.random.default_rng(seed).normal(0, 6, (500, 500))
    pixels = (np.asarray(turned, dtype=float) + noise).clip(0, 255).astype(np.uint8)
    return Image.fromarray(pixels).convert("RGB").resize((edge, edge))


def spot() -> Mask:
    mask = NOTHING.copy()
    mask[180:320, 300:420] = True
    return mask


def test_the_same_pose_is_aligned_under_noise_and_beside_a_defect() -> None:
    assert is_aligned(part(seed=1), NOTHING, part(seed=2))
    broken = np.array(part(seed=1))
    stripes = np.where(np.arange(500) // 12 % 2, 255, 0)
    broken[spot()] = np.broadcast_to(stripes[None, :, None], broken.shape)[spot()]
    assert is_aligned(Image.fromarray(broken), spot(), part(seed=2))
    assert not is_aligned(Image.fromarray(broken), NOTHING, part(seed=2)), "the defect itself is not compared"


@pytest.mark.parametrize("change", [{"shift": 30}, {"turn": 8.0}, {"turn": 180.0}], ids=str)
def test_another_pose_is_not(change: dict[str, float]) -> None:
    assert not is_aligned(part(seed=1), NOTHING, part(seed=2, **change))  # type: ignore[arg-type]


def test_a_shift_of_a_hundredth_is_forgiven() -> None:
    assert is_aligned(part(seed=1), NOTHING, part(seed=2, shift=4))


def test_what_cannot_be_compared_is_not_aligned() -> None:
    even = Image.new("RGB", (500, 500), (9, 9, 9))
    assert not is_aligned(even, NOTHING, even)
    assert not is_aligned(part(), ~NOTHING, part())
    assert not is_aligned(part(), NOTHING, part(edge=400))


def test_real_poses(mvtec_ad_root: Path) -> None:
    """Pills and capsules lie in one pose; hazelnuts, nuts and textures do not."""
    for category in ("capsule", "pill", "toothbrush", "hazelnut", "metal_nut", "cable", "transistor", "tile", "wood"):
        normal = mvtec_ad_root / category / "test/good/000.png"
        others = sorted(path for path in (mvtec_ad_root / category / "test").glob("*/000.png") if path != normal)
        for path in others if normal.exists() else []:
            image = Image.open(path)
            nothing = np.zeros((image.height, image.width), dtype=np.bool_)
            alike = correlation(edges(image), edges(Image.open(normal)), nothing) >= ALIKE
            assert alike == (category in {"capsule", "pill", "toothbrush"}), path
