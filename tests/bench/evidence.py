"""What an evidence picture costs beside decoding and encoding alone, in about a minute.

    python -m tests.bench.evidence

Processor time on one thread. The first reference decodes the image and its mask and encodes a picture of the same size
and content. The second also does what no such picture can do without: with Pillow alone it brings the image, its
close-up and its mask to their sizes, and puts them on a page. Pictures are drawn of images of 8 pixels, and of real
ones where ACBENCH_MVTEC_AD_ROOT names a folder with MVTec-AD or a part of it, else of the sample. The last figures are
of the clock: pictures a second in threads, beside one thread times the cores, and beside the same threads with Pillow
alone. Pillow encodes a JPEG in memory without letting other threads go on, so of tiny images neither fills the cores.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np
from PIL import Image

from acbench._util.cores import cores
from acbench._util.prefetch import prefetch
from acbench.data import images as imaging
from acbench.data import sources
from acbench.data.evidence import PANEL, shrunk
from acbench.data.images import ImageReader
from acbench.data.ingest import ingest
from acbench.data.sample import render as sample
from acbench.records import Item, Proposal
from acbench.review.queue import RankedItem
from acbench.review.queue_pictures import QUALITY, EvidencePicture, References
from acbench.storage.build import THREADS
from acbench.testing import full_tree
from tests.bench.timing import Figure, alternate, figure, report

T = TypeVar("T")

MINUTES = 1
PICTURES = 25
"""Drawn in each take."""
TAKES = 3


def main() -> None:
    """Measure and print."""
    report(figures())


def figures(pictures: int = PICTURES, takes: int = TAKES) -> Iterator[Figure]:
    """Of images of 8 pixels, and of others."""
    with tempfile.TemporaryDirectory() as folder:
        yield from measured("8 pixels", "mvtec_ad", tiny(Path(folder) / "tiny", pictures), pictures, takes)
        named = os.environ.get("ACBENCH_MVTEC_AD_ROOT")
        if named:
            yield from measured("bottles", "mvtec_ad", Path(named), pictures, takes, ["bottle"])
        else:
            yield from measured("the sample", "sample", sample.render(Path(folder) / "sample"), pictures, takes)


def measured(
    what: str, source: str, root: Path, pictures: int, takes: int, categories: Sequence[str] = ()
) -> Iterator[Figure]:
    """The figures of one dataset."""
    dataset = ingest(sources.get(source), root, categories=categories)
    images, references = dataset.images, References(dataset.items)
    normal_image = references.image(images)
    items = [item for item in dataset.items if item.mask][:pictures]
    drawings = [asked(item, references) for item in items]
    done = imaging.decode(drawings[0].draw(images, normal_image))

    def draw(drawing: EvidencePicture) -> bytes:
        return drawing.draw(images, normal_image)

    def each(work: Callable[[Item], object]) -> Callable[[], None]:
        def run() -> None:
            for item in items:
                work(item)

        return run

    def ours() -> None:
        for drawing in drawings:
            draw(drawing)

    def bare(item: Item) -> None:
        decoded(images, item)
        imaging.jpeg(done, QUALITY)

    def plain(item: Item) -> None:
        imaging.jpeg(scaled(*decoded(images, item), done.copy()), QUALITY)

    for against, reference in (("decoding and encoding", bare), ("these and scaling, with Pillow alone", plain)):
        found = alternate(ours, each(reference), takes=takes, clock=time.process_time)
        per_picture = [(1e3 * own / len(items), 1e3 * other / len(items)) for own, other in found]
        goal = 1.5 if reference is plain else None
        yield figure(f"a picture of {what}, against {against}", per_picture, unit="ms", goal=goal)

    def together(work: Callable[[T], object], inputs: Sequence[T]) -> None:
        for _ in prefetch(work, inputs, workers=THREADS, most=4 * THREADS):
            pass

    def threads() -> None:
        together(draw, drawings)

    alone = [(own, other / cores()) for own, other in alternate(threads, ours, takes=takes)]
    beside = alternate(threads, lambda: together(plain, items), takes=takes)
    for against, found, goal in (
        ("one thread times the cores", alone, 0.7),
        ("Pillow alone in as many", beside, 1 / 1.5),
    ):
        name = f"pictures of {what} in threads, against {against}"
        yield figure(name, found, unit="/s", amount=len(items), goal=goal)


def decoded(images: ImageReader, item: Item) -> tuple[Image.Image, np.ndarray[tuple[int, ...], np.dtype[np.bool_]]]:
    """The image and its mask."""
    image = images.image(item.image)
    mask = images.marked(item, image.size)
    assert mask is not None, "only items with a mask are drawn"
    return image, mask


def scaled(image: Image.Image, mask: np.ndarray[tuple[int, ...], np.dtype[np.bool_]], page: Image.Image) -> Image.Image:
    """The page with the whole image and a fifth of it close up on it."""
    whole = shrunk(image)
    left, top = image.width * 2 // 5, image.height * 2 // 5
    part = image.crop((left, top, left + max(image.width // 5, 1), top + max(image.height // 5, 1)))
    Image.fromarray(mask.astype(np.uint8) * np.uint8(255)).resize(whole.size, Image.Resampling.BOX)
    page.paste(whole, (0, 0))
    page.paste(part.resize((PANEL, PANEL), Image.Resampling.LANCZOS), (PANEL, 0))
    return page


def asked(item: Item, references: References) -> EvidencePicture:
    """The picture of an item about which two proposers differ."""
    proposals = [
        Proposal(
            item_id=item.item_id, proposer="source_label@00000000", labels=("chip",), rationale="the dataset says so"
        ),
        Proposal(
            item_id=item.item_id,
            proposer="neighbours@00000000",
            labels=("dent",),
            scores={"chip": 0.3, "dent": 0.7},
            rationale=f"its 5 nearest are {item.image}",
        ),
    ]
    row = RankedItem(item_id=item.item_id, rank=1, why="disputed", label_issue_score=0.5, detail="")
    return EvidencePicture(item, references.beside(item), proposals, row)


def tiny(root: Path, count: int) -> Path:
    """So many images of 8 pixels with masks, and a normal one. Gives `root`."""
    names = [f"{number:04}" for number in range(count)]
    return full_tree(
        root,
        [
            "bottle/train/good/0000.png",
            *(f"bottle/test/broken_large/{name}.png" for name in names),
            *(f"bottle/ground_truth/broken_large/{name}_mask.png" for name in names),
        ],
    )


if __name__ == "__main__":
    main()
