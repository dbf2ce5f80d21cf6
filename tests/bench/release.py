"""What a release costs beside a bare pyarrow write of the same bytes, and whether its memory is flat.

    python -m tests.bench.release [--images 1000]

Both read the same files of 1 MB, read once before so that the disk's cache plays no part, and both write and sync. The
release does besides what a release needs: every image is compared with its hash, every table is hashed, and labels,
votes, page index and content-defined chunks are written. Each take is a process of its own; they are taken in turns.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from statistics import median
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np

from tests.bench.timing import Figure, figure, report, seconds

if TYPE_CHECKING:
    from acbench.release.rows import Row, Vote

MINUTES = 4
TAKES = 5
GOAL = 3.0
IMAGES, ROWS = "images", "rows.json"
"""In the folder of a measurement."""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=1_000, metavar="N")
    parser.add_argument("--only", choices=["bare", "acbench"], help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.only:
        print(json.dumps(measured(given.only, given.folder)))
        return
    report(figures(given.images))


def figures(count: int = 1_000) -> list[Figure]:
    """Of so many images."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        rows = images(place / IMAGES, count)
        takes = [(take("bare", place, rows), take("acbench", place, rows)) for _ in range(TAKES)]
        _, few = take("acbench", place, rows[: count // 10])
    peak = median(memory for _, (_, memory) in takes)
    times = [(own, reference) for (reference, _), (own, _) in takes]
    return [
        figure(f"tables of a release of {count:,} images of 1 MB, against a bare pyarrow write", times, goal=GOAL),
        Figure(f"peak memory with {count:,} images of 1 MB, against a tenth of them", peak, few, "MB", 1.3),
    ]


def images(root: Path, count: int) -> list[Row]:
    """Make files of noise, 1 MB each; gives a row for each. They are read once, to be hashed."""
    random = np.random.default_rng(0)
    rows: list[Row] = []
    for number in range(count):
        path = root / f"bottle/test/chip/{number:04}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        data = random.bytes(1_000_000)
        path.write_bytes(data)
        votes: list[Vote] = [
            {
                "who": who,
                "kind": "model",
                "said": "label",
                "labels": ["chip"],
                "blind": None,
                "model": who,
                "family": who,
            }
            for who in "abc"
        ]
        rows.append(
            {
                "item_id": f"bench-bottle-{number:012x}", "image_path": path.relative_to(root).as_posix(),
                "mask_path": None, "category": 0, "category_name": "bottle", "split": "test", "anomalous": True,
                "label": 1, "label_name": "chip", "labels": [1],
                "label_names": ["chip"], "source_labels": ["chip"], "status": "accepted", "decided_by": "source_label",
                "reason": "the dataset's own label; no second witness", "agreement": None, "confidence": None,
                "votes": votes, "history": [], "image_size": len(data), "mask_size": None,
                "image_sha256": hashlib.sha256(data).hexdigest(), "mask_sha256": None,
                "width": 900, "height": 900, "schema_version": "1",
            }
        )  # fmt: skip
    os.sync()
    return rows


def take(writer: str, place: Path, rows: list[Row]) -> tuple[float, float]:
    """Seconds and peak memory, MB, of one process that writes these rows."""
    (place / ROWS).write_text(json.dumps(rows), encoding="utf-8")
    command = [sys.executable, "-m", "tests.bench.release", "--only", writer, "--folder", str(place)]
    spent, peak = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return float(spent), float(peak)


def measured(writer: str, place: Path) -> tuple[float, float]:
    """Seconds and peak memory, MB, of writing the rows of a folder in this process."""
    rows: list[Row] = json.loads((place / ROWS).read_text(encoding="utf-8"))
    spent = seconds(bare_table(place, rows) if writer == "bare" else release_tables(place, rows))
    return spent, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3


def bare_table(place: Path, rows: list[Row]) -> Callable[[], None]:
    """A function that writes the images with pyarrow alone."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    paths = [str(place / IMAGES / row["image_path"]) for row in rows]
    form = pa.schema([("image", pa.struct([("bytes", pa.binary()), ("path", pa.string())]))])

    options: dict[str, Any] = {"compression": "none", "use_dictionary": False, "write_statistics": False}

    def write() -> None:
        with (place / "bare.parquet").open("wb") as file:
            with pq.ParquetWriter(file, form, **options) as writer:
                for start in range(0, len(paths), 64):
                    part = paths[start : start + 64]
                    group = [{"image": {"bytes": Path(path).read_bytes(), "path": path}} for path in part]
                    writer.write_batch(pa.RecordBatch.from_pylist(group, schema=form))
            file.flush()
            os.fsync(file.fileno())

    return write


def release_tables(place: Path, rows: list[Row]) -> Callable[[], None]:
    """A function that writes the tables of a release."""
    from acbench.integrations.huggingface.datasets import DatasetsFormat
    from acbench.release.parquet import batches_of, describe_shard, plan_shards, write_shard
    from acbench.storage.digests import sha256_file
    from acbench.storage.roots import open_tree

    categories, images = ("bottle",), open_tree(place / IMAGES)
    items: Any = [
        SimpleNamespace(category="bottle", split=row["split"], image=row["image_path"], sha256=row["image_sha256"],
                        mask=None, mask_sha256=None)
        for row in rows
    ]  # fmt: skip
    form = DatasetsFormat().arrow_schema(categories, ("good", "chip"), images=True)

    def write() -> None:
        for shard in plan_shards(items, categories, images):
            path = place / "release" / shard.path
            write_shard(path, batches_of(map(rows.__getitem__, shard.places), form), form, images)
            describe_shard(path, sha256_file(path))

    return write


if __name__ == "__main__":
    main()
