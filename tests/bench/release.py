"""What a release costs beside a bare pyarrow write of the same bytes, and whether its memory is flat.

    python -m tests.bench.release [--images 1000]

Both read the same files of 1 MB, read once before so that the disk's cache plays no part, and both write and sync. The
release does besides what a release needs: every image is compared with its hash, every table is hashed, and labels,
votes, page index and content-defined chunks are written. Each take is a process of its own; they are taken in turns.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

import numpy as np

TAKES = 5
GOAL = 3.0

BARE = """
import json, os, resource, sys, time
from pathlib import Path
import pyarrow as pa, pyarrow.parquet as pq

paths, target = json.loads(Path(sys.argv[1]).read_text()), Path(sys.argv[2])
form = pa.schema([("image", pa.struct([("bytes", pa.binary()), ("path", pa.string())]))])
started = time.perf_counter()
with target.open("wb") as file:
    with pq.ParquetWriter(file, form, compression="none", use_dictionary=False, write_statistics=False) as writer:
        for start in range(0, len(paths), 64):
            group = [{"image": {"bytes": Path(path).read_bytes(), "path": path}} for path in paths[start : start + 64]]
            writer.write_batch(pa.RecordBatch.from_pylist(group, schema=form))
    file.flush()
    os.fsync(file.fileno())
print(json.dumps([time.perf_counter() - started, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3]))
"""

OURS = """
import json, resource, sys, time
from pathlib import Path
from acbench.integrations.huggingface.datasets import DatasetsFormat
from acbench.storage.ledger import sha256_file
from acbench.release.parquet import describe_shard, plan_shards, write_shard
from acbench.storage.roots import open_tree

rows, folder, root = json.loads(Path(sys.argv[1]).read_text()), Path(sys.argv[2]), Path(sys.argv[3])
categories, images = ("bottle",), open_tree(root)
form = DatasetsFormat().arrow_schema(categories, ("good", "chip"), images=True)
started = time.perf_counter()
for shard in plan_shards(rows, categories, images):
    path = folder / shard.path
    write_shard(path, shard, form, images)
    describe_shard(path, sha256_file(path))
print(json.dumps([time.perf_counter() - started, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3]))
"""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=1_000, metavar="N")
    count = parser.parse_args().images
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        rows = images(place / "images", count)
        takes = [(take(BARE, place, rows), take(OURS, place, rows)) for _ in range(TAKES)]
        few = take(OURS, place, rows[: count // 10])[1]
    bare, ours = (median(each[number][0] for each in takes) for number in (0, 1))
    peak = median(each[1][1] for each in takes)
    ratio = median(each[1][0] / each[0][0] for each in takes)
    print(f"{count:,} images of 1 MB, median of {TAKES} takes in turns")
    print(f"bare pyarrow write   {bare:6.2f} s")
    print(f"tables of a release  {ours:6.2f} s   {ratio:.2f}x (goal {GOAL:.0f}x)")
    print(f"peak memory          {peak:6.0f} MB; with a tenth of the images {few:.0f} MB: {peak / few:.2f}x (flat)")


def images(root: Path, count: int) -> list[dict[str, object]]:
    """Files of noise, 1 MB each, and a row for each. They are read once, to be hashed."""
    import hashlib

    random = np.random.default_rng(0)
    rows: list[dict[str, object]] = []
    for number in range(count):
        path = root / f"bottle/test/chip/{number:04}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        data = random.bytes(1_000_000)
        path.write_bytes(data)
        votes = [{"who": who, "kind": "model", "said": "label", "labels": ["chip"], "blind": None} for who in "abc"]
        rows.append(
            {
                "item_id": f"bench-bottle-{number:012x}", "image_path": path.relative_to(root).as_posix(),
                "mask_path": None, "category": 0, "split": "test", "anomalous": True, "label": 1, "labels": [1],
                "source_labels": ["chip"], "status": "accepted", "decided_by": "source_label",
                "reason": "the dataset's own label; no second witness", "agreement": None, "confidence": None,
                "votes": votes, "image_sha256": hashlib.sha256(data).hexdigest(), "mask_sha256": None,
                "width": 900, "height": 900, "schema_version": "1",
            }
        )  # fmt: skip
    os.sync()
    return rows


def take(program: str, place: Path, rows: list[dict[str, object]]) -> tuple[float, float]:
    """Seconds and peak memory, MB, of one process that writes these rows."""
    root, told = place / "images", place / "told.json"
    content = [str(root / str(row["image_path"])) for row in rows] if program is BARE else rows
    told.write_text(json.dumps(content), encoding="utf-8")
    target = place / ("bare.parquet" if program is BARE else "release")
    command = [sys.executable, "-c", program, str(told), str(target), str(root)]
    found = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return float(found[0]), float(found[1])


if __name__ == "__main__":
    main()
