"""What giving work to Ray costs and brings, in about ten minutes on two cores.

    python -m tests.bench.ray [--items 10000,100000,1000000]

All through the engine as the stages use it, on a cluster of this machine. The work is a proposer that takes LATENCY
seconds an item, or none at all, keeps a vector of 2 KB in the ledger and gives a proposal. Scaling is weak: every
worker gets the same number of items, and the clock runs from the first worker's first item to the last one's last, so
the time of one worker is the reference. Overhead is that of an item of no latency, beside the same work done by this
process. Memory is the peak of each process, in processes of their own.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from acbench._util.execution import Home, WorkerTask
from acbench.integrations.ray.engine import RayEngine
from acbench.records import Item, Proposal, item_id
from acbench.storage.ledger import Ledger
from acbench.workflows.distributed import MAX_PART
from tests.bench.timing import Figure, report

MINUTES = 12
LATENCY = 0.05
"""Seconds an item; a small model on a processor."""
EACH = 1_000
"""Items of each worker when scaling."""
WORKERS = (1, 2, 4, 8)
PLAIN = 20_000
"""Items of no latency."""
VECTOR = bytes(2048)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", default="10000,100000,1000000", help="how many items memory is measured with")
    parser.add_argument("--peak", type=int, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.peak:
        print(json.dumps(peaks(given.peak)))
        return
    report(figures([int(count) for count in given.items.split(",")]))


def figures(counts: Sequence[int] = (10_000, 100_000)) -> Iterator[Figure]:
    """Scaling, overhead, and memory with so many items."""
    yield from scaling()
    yield overhead()
    yield from memory(counts)


def items(count: int) -> Iterator[Item]:
    """Synthetic items, as they would come from a line of a factory."""
    for number in range(count):
        image = f"line/test/unknown/{number:09}.png"
        yield Item(
            item_id=item_id("factory", "line", image), dataset="factory", category="line", split="test", image=image,
            sha256=f"{number:064x}", width=1024, height=1024, mode="RGB", mask=None, mask_sha256=None, anomalous=True,
            source_labels=("unknown",), licence="CC0-1.0",
        )  # fmt: skip


def parts(of: Iterator[Item], size: int) -> Iterator[list[Item]]:
    """Lists of `size` items, the last of what is left."""
    while part := list(islice(of, size)):
        yield part


def start(latency: float, home: Home) -> Callable[[Sequence[Item]], Any]:
    """The work."""

    def work(part: Sequence[Item]) -> tuple[int, int, tuple[float, float], list[Proposal]]:
        began = time.time()
        time.sleep(latency * len(part))
        home.vectors.save((item.sha256, VECTOR) for item in part)
        proposals = [proposal(item) for item in part]
        return os.getpid(), rss(), (began, time.time()), proposals

    return work


def proposal(item: Item) -> Proposal:
    """The answer for an item."""
    return Proposal(item_id=item.item_id, proposer="bench@00000000", labels=("unknown",), scores={"unknown": 1.0},
                    status="ok", saw=("image",), schema_version="1")  # fmt: skip


def rss() -> int:
    """Peak memory of this process, MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1000


def run(place: Path, workers: int, count: int, latency: float) -> tuple[float, int]:
    """Seconds from the first item's begin to the last one's end, and the largest worker's peak, MB."""
    with RayEngine(ledger=place / f"{workers}-{count}.sqlite", workers=workers) as engine:
        Ledger(engine.ledger).close()
        size = 4 if latency else MAX_PART
        task = WorkerTask(start=partial(start, latency), kind=Item)
        seen: dict[int, int] = {}
        got, first, last = 0, float("inf"), 0.0
        for pid, peak, (began, ended), proposals in engine.map(task, parts(items(count), size)):
            first, last = min(first, began), max(last, ended)
            seen[pid] = peak
            got += len(proposals)
        assert got == count and len(seen) == workers, (got, seen)
        return last - first, max(seen.values())


def scaling() -> Iterator[Figure]:
    """Efficiency of more workers."""
    with tempfile.TemporaryDirectory() as folder:
        single = 0.0
        for workers in WORKERS:
            seconds, _ = run(Path(folder), workers, EACH * workers, LATENCY)
            single = single or seconds
            rate, alone = EACH * workers / seconds, EACH / single
            what = (
                f"{workers} workers, {LATENCY * 1e3:.0f} ms an item, {EACH} items each, against one worker's times that"
            )
            yield Figure(what, rate, alone * workers, "/s", 0.9, more_is_better=True)


def overhead() -> Figure:
    """What an item costs beside the same work done here."""
    with tempfile.TemporaryDirectory() as folder:
        theirs, _ = run(Path(folder), 1, PLAIN, 0)
        with Ledger(Path(folder) / "here.sqlite") as ledger:
            here: Any = SimpleNamespace(vectors=ledger.vectors)
            work = start(0, here)
            began = time.perf_counter()
            for part in parts(items(PLAIN), MAX_PART):
                work(part)
            ours = time.perf_counter() - began
    what = f"an item of no latency, of {PLAIN:,}, against the same work in this process"
    return Figure(what, theirs / PLAIN * 1e6, ours / PLAIN * 1e6, "µs")


def memory(counts: Sequence[int]) -> Iterator[Figure]:
    """Peaks with more and more items."""
    first: dict[str, int] = {}
    for count in counts:
        out = subprocess.run(
            [sys.executable, "-m", "tests.bench.ray", "--peak", str(count)], check=True, capture_output=True, text=True
        )
        peak = json.loads(out.stdout.splitlines()[-1])
        first = first or peak
        for who in ("driver", "worker"):
            if peak is not first:
                what = f"peak memory of the {who}, {count:,} items, against {counts[0]:,}"
                yield Figure(what, peak[who], first[who], "MB", 1.1)


def peaks(count: int) -> dict[str, float]:
    """Peaks of one run in this process."""
    with tempfile.TemporaryDirectory() as folder:
        seconds, worker = run(Path(folder), 2, count, 0)
    return {"driver": rss(), "worker": worker, "seconds": seconds}


if __name__ == "__main__":
    main()
