"""Renders the sample on first use: a small dataset to try acbench without a download or a licence.

It has two categories in the layout of MVTec-AD, with four classes of defects each. Like a real dataset it has faults: a
folder `combined` whose name does not say what its images show, and some images in the wrong folder. Unlike a real one
it knows the truth, so that the result of relabelling can be checked.
"""

from __future__ import annotations

import fcntl
import hashlib
import itertools
import json
import os
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from acbench._util.console import Progress
from acbench._util.cores import cores
from acbench.errors import SourceError
from acbench.records import GOOD
from acbench.storage.typed_json import any_json

if TYPE_CHECKING:
    import numpy as np

VERSION = "1"
"""Raise it with every change of a pixel or a path."""

MARKER = "sample.json"
"""A file in the root that is written last, so that its version says that the sample is complete."""

COMBINED = "combined"
"""The source class whose images show two different defects."""

TRAIN, NORMAL, DEFECTIVE, MIXED = 16, 8, 12, 4
"""How many images of a category are normal for training, normal for testing, of each class, and with two defects."""

PLANTED = {
    "fabric": {"fold": "loose_thread", "hole": "stain", "loose_thread": "fold", "stain": "hole"},
    "washer": {"chip": "dent", "dent": "chip", "rust": "scratch", "scratch": "rust"},
}
"""Category → source class → the class that one image in its folder really shows."""


@dataclass(frozen=True, slots=True)
class Shot:
    """One image to render."""

    image: str
    """Path relative to the root, forward slashes."""
    category: str
    folder: str
    """The source class in whose folder it lies."""
    shows: tuple[str, ...]
    """The classes of the defects that it shows, sorted; empty if it is normal."""

    @property
    def mask(self) -> str:
        """Path of the anomaly mask, relative to the root. A normal image has none."""
        _, _, folder, name = self.image.split("/")
        return f"{self.category}/ground_truth/{folder}/{Path(name).stem}_mask.png"


def render(root: Path, *, progress: Progress | None = None) -> Path:
    """Render the sample into `root`, unless it is there. Returns `root`.

    The same libraries give the same files, byte for byte. Raises SourceError if something else is in `root`.
    """
    target = root.resolve()
    if _version(target) == VERSION:
        return root
    target.parent.mkdir(parents=True, exist_ok=True)
    with _locked(target.parent):
        if _version(target) == VERSION:  # another process has rendered it in the meantime
            return root
        _refuse_foreign(target)
        stage, old = (target.with_name(f".{target.name}.{suffix}") for suffix in ("rendering", "outdated"))
        _remove(stage, old)  # left by a killed run: no other run is at work, since we hold the lock
        try:
            _render_into(stage, progress)
            if target.exists():
                target.rename(old)
            stage.rename(target)
        finally:
            _remove(stage, old)
    return root


def truth() -> dict[str, tuple[str, ...]]:
    """Path of every test image → the classes that it really shows; `("good",)` if it is normal."""
    return {shot.image: shot.shows or (GOOD,) for shot in _plan() if "/test/" in shot.image}


def planted() -> dict[str, tuple[str, str]]:
    """Path of every image in the wrong folder → the class of its folder, and the class that it really shows."""
    return {
        shot.image: (shot.folder, shot.shows[0])
        for shot in _plan()
        if len(shot.shows) == 1 and shot.shows[0] != shot.folder
    }


@cache
def _plan() -> tuple[Shot, ...]:
    """Every image of the sample."""
    return tuple(shot for category in PLANTED for shot in _category(category))


def _category(category: str) -> Iterator[Shot]:
    """Every image of a category."""
    classes = sorted(PLANTED[category])

    def shot(folder: str, number: int, *shows: str, split: str = "test") -> Shot:
        return Shot(f"{category}/{split}/{folder}/{number:03}.png", category, folder, tuple(sorted(shows)))

    for number in range(TRAIN):
        yield shot(GOOD, number, split="train")
    for number in range(NORMAL):
        yield shot(GOOD, number)
    for folder in classes:
        misfiled = _rng(f"{category}/{folder}, planted").integers(DEFECTIVE)
        for number in range(DEFECTIVE):
            yield shot(folder, number, PLANTED[category][folder] if number == misfiled else folder)
    pairs = list(itertools.combinations(classes, 2))
    for number, pair in enumerate(_rng(f"{category}, pairs").permutation(len(pairs))[:MIXED]):
        yield shot(COMBINED, number, *pairs[pair])


def _render_into(stage: Path, progress: Progress | None) -> None:
    """Render every image, a few at a time, and write the marker when all are there."""
    shots = _plan()
    for shot in shots:
        for path in (shot.image, shot.mask) if shot.shows else (shot.image,):
            (stage / path).parent.mkdir(parents=True, exist_ok=True)
    pool = ThreadPoolExecutor(max_workers=min(4, cores()))  # numpy and Pillow release the GIL
    try:
        running = [pool.submit(_render_image, stage, shot) for shot in shots]
        for done, future in enumerate(as_completed(running), start=1):
            future.result()
            if progress is not None:
                progress(done, len(shots))
    finally:
        pool.shutdown(cancel_futures=True)
    marker = {
        "version": VERSION,
        "planted": {image: shown for image, (_, shown) in planted().items()},
        "combined": {shot.image: list(shot.shows) for shot in shots if len(shot.shows) > 1},
    }
    (stage / MARKER).write_text(json.dumps(marker, indent=2) + "\n", encoding="utf-8")


def _render_image(stage: Path, shot: Shot) -> None:
    """Draw one image, and its mask if it shows a defect. The result depends only on the image's path and classes."""
    # imported late: scipy, which they import, is not needed for a sample that is there already
    import numpy as np
    from PIL import Image

    from acbench.data.sample.draw import draw

    pixels, mask = draw(_rng(shot.image), shot.category, shot.shows)
    Image.fromarray(pixels).save(stage / shot.image, compress_level=2)
    if shot.shows:
        Image.fromarray(np.where(mask, 255, 0).astype(np.uint8)).save(stage / shot.mask, compress_level=2)


def _rng(key: str) -> np.random.Generator:
    import numpy as np

    return np.random.default_rng(int.from_bytes(hashlib.blake2b(key.encode(), digest_size=8).digest()))


def _version(root: Path) -> str | None:
    """The version in the marker; None without a readable marker."""
    try:
        return str(any_json((root / MARKER).read_bytes())["version"])
    except (OSError, TypeError, KeyError):
        return None


def _refuse_foreign(root: Path) -> None:
    """Raise SourceError unless `root` does not exist, is empty, or holds an outdated sample and nothing else."""
    if not root.exists():
        return
    present = {path.name for path in root.iterdir()} if root.is_dir() else {root.name}
    ours = {MARKER, *PLANTED} if _version(root) else set()
    if foreign := sorted(present - ours):
        raise SourceError(
            f"the sample cannot be rendered into {root}: it holds something else: {', '.join(foreign[:3])}",
            "give the sample a folder of its own, or move that away",
        )


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Hold a lock on the folder, which the system releases when the process ends in any way."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _remove(*folders: Path) -> None:
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)
