"""Pictures of the report: one height for all, the same bytes again, and nothing that cannot be read."""

from __future__ import annotations

import dataclasses
import io
from pathlib import Path

import pytest
from PIL import Image

from acbench.data import sources
from acbench.data.ingest import ingest
from acbench.testing import toy_mvtec_ad
from acbench.workflows import report_pictures
from acbench.workflows.report_charts import Axis, Curve, chart
from acbench.workflows.report_pictures import HEIGHTS, WIDTH


def size(picture: bytes) -> tuple[int, int]:
    with Image.open(io.BytesIO(picture)) as opened:
        assert opened.format == "JPEG"
        return opened.size


def test_a_thumbnail_shows_the_image_and_the_anomaly_beside_it(tmp_path: Path) -> None:
    dataset = ingest(sources.get("mvtec_ad"), toy_mvtec_ad(tmp_path / "toy", train=1, good=1, each=1))
    for item in dataset.items:
        made = report_pictures.thumbnail(item, dataset.images)
        assert made is not None
        width, height = size(made)
        assert height == HEIGHTS[0] and (width > 1.9 * height) == (item.mask is not None)
        assert report_pictures.thumbnail(item, dataset.images) == made, "the same image gives the same bytes"
        assert size(report_pictures.shrunk(made, HEIGHTS[-1]))[1] == HEIGHTS[-1]
    gone = dataclasses.replace(dataset.items[0], image="bottle/test/good/999.png")
    assert report_pictures.thumbnail(gone, dataset.images) is None


def test_a_large_picture_is_no_larger_than_it_has_to_be(tmp_path: Path) -> None:
    drawn = tmp_path / "one.jpg"
    Image.new("RGB", (1600, 600), (90, 120, 150)).save(drawn, "JPEG")
    made = report_pictures.large(drawn.read_bytes())
    assert made is not None and size(made)[0] == WIDTH
    assert report_pictures.large(b"no picture") is None


@pytest.mark.parametrize(("room", "height"), [(10**6, 240), (60_000, 180), (36_000, 132), (10_000, 96)])
def test_all_have_the_largest_height_at_which_all_have_room(
    room: int, height: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(report_pictures, "shrunk", lambda picture, height: bytes(height * 20))
    ids = [f"item-{number}" for number in range(10)]
    album = report_pictures.fill(ids, lambda item_id: bytes(8000), lambda item_id: None, room)
    assert album.height == height
    assert [*album.thumbnails, *album.left_out] == ids
    assert bool(album.left_out) == (room == 10_000)
    assert sum(map(len, album.thumbnails.values())) <= room


def test_a_curve_is_drawn_within_its_frame_and_names_are_text() -> None:
    drawn = chart(
        "<b>&",
        [
            Curve(name="<i>", kind="main", points=[(0, 5.0), (10, 1.0)]),
            Curve(name="x", kind="limit", points=[(0, 0.5)]),
        ],
        Axis(title="a", text=lambda value: f"{value:.0f}", whole=True),
        Axis(title="b", text=lambda value: f"{value:.1f}"),
        top=2.0,
    )
    assert "<title>&lt;b&gt;&amp;</title>" in drawn and "<i>" not in drawn and "style=" not in drawn
    assert 'd="M80.0 14.0L624.0 114.0"' in drawn, "what lies above the frame is drawn at its top"
    assert ">2.0</text>" in drawn and ">5.0</text>" not in drawn
    with pytest.raises(ValueError, match="nothing to draw"):
        chart("none", [], Axis(title="", text=str), Axis(title="", text=str))
