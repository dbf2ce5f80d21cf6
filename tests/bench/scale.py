"""How time and memory grow with a benchmark: each command of the way, at 10⁴ and 10⁵ images.

    python -m tests.bench.scale [--images 10000 100000] [--kilobytes 1000] [--categories 10]

A million take half an hour, and 8 GB of disk: `--images 1000000`. The images have 8×8 pixels, or as many as it takes
for a size, and lie in ten categories, the anomalous ones with masks; no model is asked. Each command is a process of
its own. Of the references, `read` opens, reads and hashes each file, in one thread, and `stat` walks the folders and
looks at each file's size and times. The files have just been written, so that the disk plays no part. Where others use
the machine, processor time tells more.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from acbench.testing import full_tree
from tests.bench.commands import used
from tests.bench.timing import Figure, table

CATEGORIES = 10
CLASSES = ("chip", "crack", "dent")
SIZES = (10_000, 100_000)
MINUTES = 3
HEAD = ("", "seconds", "of processors", "MB at most", "against", "in processor time")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, nargs="+", default=SIZES, metavar="N")
    parser.add_argument("--kilobytes", type=int, default=0, metavar="N", help="size of an image; as small as can be")
    parser.add_argument("--categories", type=int, default=CATEGORIES, metavar="N")
    asked = parser.parse_args()
    for count in asked.images:
        with tempfile.TemporaryDirectory() as folder:
            print(f"{count:,} images, {os.cpu_count()} cores", flush=True)
            print(table([HEAD, *measured(Path(folder), count, asked.kilobytes, asked.categories)]), flush=True)


def figures(count: int = 10_000) -> Iterator[Figure]:
    """Processor time of each step, and how memory grows, with so many images."""
    with tempfile.TemporaryDirectory() as few, tempfile.TemporaryDirectory() as many:
        small = {step.name: step for step in steps(Path(few), max(count // 10, 1))}
        for step in steps(Path(many), count):
            if not step.against:
                continue
            name = f"{step.name}, {count:,} images"
            yield Figure(f"{name}: processor time, against bare {step.against}", step.busy, step.reference.busy)
            yield Figure(f"{name}: memory, against a tenth of them", step.memory, small[step.name].memory, "MB")


class Step(NamedTuple):
    """One command, or a reference, which has nothing that it is measured against."""

    name: str
    spent: float
    busy: float
    memory: float
    against: str
    reference: Any


def measured(place: Path, count: int, kilobytes: int = 0, categories: int = CATEGORIES) -> Iterator[tuple[str, ...]]:
    """A row for each step."""
    for step in steps(place, count, kilobytes, categories):
        row = step.name, f"{step.spent:.1f}", f"{step.busy:.1f}"
        if not step.against:
            yield *row, "", "", ""
            continue
        ratios = (step.spent / step.reference.spent, step.busy / step.reference.busy)
        yield *row, f"{step.memory:.0f}", *(f"{ratio:.1f} x {step.against}" for ratio in ratios)


def steps(place: Path, count: int, kilobytes: int = 0, categories: int = CATEGORIES) -> Iterator[Step]:
    """The references, then each command of the way."""
    root = full_tree(place / "images", paths(count, categories))
    if kilobytes:
        enlarge(root, kilobytes)
    schema, answers = place / "parts.yaml", place / "answers.csv"
    schema.write_text(schema_text(categories), encoding="utf-8")
    answers.write_text(
        "".join(
            ["image,label\n", *(f"{path},chip\n" for path in paths(count, categories) if "ground_truth" not in path)]
        ),
        encoding="utf-8",
    )
    read = Step("bare read + sha256", *timed(lambda: bare_read(root)), 0, "", None)
    look = Step("bare stat", *timed(lambda: bare_stat(root)), 0, "", None)
    yield from (read, look)
    relabel = ("relabel", str(schema), "--root", str(root), "--without", "neighbours")
    first = root / next(iter(paths(count, categories)))

    def change_one() -> None:
        full_tree(root, [f"{first.relative_to(root)}.png"])
        shutil.move(f"{first}.png", first)

    decided = place / "decided.csv"
    for name, reference, against, arguments in (
        ("ingest", read, "read", ("ingest", str(schema), "--root", str(root))),
        ("relabel, all but reading", read, "read", relabel),
        ("nothing to do", look, "stat", relabel),
        ("one image changed", look, "stat", relabel),
        ("one decision taken", look, "stat", (*relabel, "--reviews", str(decided), "--reviewer", "ann")),
        ("resolve", look, "stat", ("resolve", "parts")),
        ("publish --dry-run", read, "read", ("publish", "parts", "--dry-run")),
        ("score", read, "read", ("score", "parts", "--predictions", str(answers))),
    ):
        if name == "one image changed":
            change_one()
        if name == "one decision taken":
            decide_one(place / ".acbench/parts/queue.csv", decided)
        started = time.perf_counter()
        busy, memory = used(*arguments, "--project", str(place))
        spent = time.perf_counter() - started
        yield Step(name, spent, busy, memory, against, reference)


def enlarge(root: Path, kilobytes: int) -> None:
    """Give images, not masks, about a size: noise does not compress."""
    random = np.random.default_rng(0)
    edge = round((kilobytes * 1000 / 3) ** 0.5)
    for path in sorted(root.rglob("*.png")):
        mask = path.name.endswith("_mask.png")
        pixels = np.zeros((edge, edge), dtype=np.uint8) if mask else random.integers(0, 256, (edge, edge, 3), np.uint8)
        if mask:
            pixels[: edge // 4, : edge // 4] = 255
        Image.fromarray(pixels).save(path, compress_level=1 if mask else 0)


def decide_one(queue: Path, path: Path) -> None:
    """Write a decision about the first image of the queue."""
    with queue.open(encoding="utf-8-sig", newline="") as file:
        first = next(csv.DictReader(file))
    path.write_text(f"item_id,label\n{first['item_id']},chip\n", encoding="utf-8")


def timed(action: Callable[[], None]) -> tuple[float, float]:
    """Seconds that something takes, and seconds of processors."""
    started, busy = time.perf_counter(), time.process_time()
    action()
    return time.perf_counter() - started, time.process_time() - busy


def paths(count: int, categories: int) -> Iterator[str]:
    """The paths of so many images, a fifth of them in `train`, and of a mask for each anomalous one."""
    kinds = ("train/good", "test/good", *(f"test/{name}" for name in CLASSES))
    for number in range(count):
        kind = kinds[number // categories % len(kinds)]
        category = f"part{number % categories}"
        yield f"{category}/{kind}/{number:07}.png"
        if not kind.endswith("good"):
            yield f"{category}/ground_truth/{kind.removeprefix('test/')}/{number:07}_mask.png"


def schema_text(categories: int) -> str:
    """A label schema that can be published."""
    head = (
        "title: Parts\nattribution: Nobody.\nlicence: CC0-1.0\nimage_licence: CC0-1.0\nshare_images: no\ncategories:\n"
    )
    of_class = "".join(f"      - {{id: {name}, definition: A {name}.}}\n" for name in CLASSES)
    return head + "".join(f"  part{number}:\n    classes:\n{of_class}" for number in range(categories))


def bare_read(root: Path) -> None:
    """Read and hash every file."""
    for folder, _, names in os.walk(root):
        for name in names:
            hashlib.sha256(Path(folder, name).read_bytes()).hexdigest()


def bare_stat(root: Path) -> None:
    """Look at every file's size and times."""
    waiting = [os.fspath(root)]
    while waiting:
        with os.scandir(waiting.pop()) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(entry.path)
                else:
                    entry.stat(follow_symlinks=False)


if __name__ == "__main__":
    main()
