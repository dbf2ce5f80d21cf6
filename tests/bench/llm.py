"""What `llm` costs beside waiting for the endpoint, in about two minutes.

    python -m tests.bench.llm

The endpoint is a process of its own on this machine that takes LATENCY seconds for every answer. Nobody can be quicker
than N · latency / concurrency; questions are drawn from files on disk meanwhile. Real images are used where
ACBENCH_MVTEC_AD_ROOT names a folder with MVTec-AD or a part of it, else the sample. Figures are medians of takes.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from itertools import count
from pathlib import Path
from statistics import median

from acbench import schema
from acbench.data import sources
from acbench.data.images import ImageReader
from acbench.data.ingest import ingest
from acbench.data.sample import render as sample
from acbench.integrations.openai.chat import chat_openai
from acbench.predictors.base import Setup
from acbench.predictors.llm import LedgerClient, Retrier
from acbench.predictors.llm.cache import LedgerCallLog
from acbench.predictors.proposers.llm import Llm
from acbench.records import Item
from acbench.testing import FakeModels, MemoryVectors
from tests.bench.timing import Figure, figure, report, seconds

LATENCY = 2.0
"""Seconds; what hosted models take for a few pictures and a short answer."""
CONCURRENCY = 8
ITEMS = 7 * CONCURRENCY
"""Whole rounds: a last round that is not full would take as long as a full one."""
TAKES = 3
MINUTES = 2


def main() -> None:
    """Measure and print."""
    report(figures())


def figures() -> list[Figure]:
    """One endpoint for both comparisons."""
    with tempfile.TemporaryDirectory() as folder, endpoint() as url:
        named = os.environ.get("ACBENCH_MVTEC_AD_ROOT")
        root = Path(named) if named else sample.render(Path(folder) / "sample")
        benchmark, category = ("mvtec_ac", "bottle") if named else ("sample", "washer")
        first = throughput(Path(folder), url, root, benchmark, category)
        return [first, *again(Path(folder), url, root, benchmark, category)]


@contextmanager
def endpoint() -> Iterator[str]:
    """The URL of a running endpoint."""
    command = [sys.executable, "-m", "acbench.testing", "--latency", str(LATENCY)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.kill()


def throughput(place: Path, url: str, root: Path, benchmark: str, category: str) -> Figure:
    """From files on disk to answers in the ledger, beside the time that the endpoint alone takes."""
    dataset = ingest(sources.get("mvtec_ad" if benchmark == "mvtec_ac" else "sample"), root, categories=[category])
    asked = [item for item in dataset.items if item.anomalous and item.mask]
    asked = asked[: min(ITEMS, len(asked) // CONCURRENCY * CONCURRENCY)]
    items: list[Item] = [*asked, *(item for item in dataset.items if not item.anomalous)]
    numbers = count()

    def ask() -> None:
        chat = chat_openai("bench", url, connections=CONCURRENCY)
        retrier = Retrier(model=chat, concurrency=CONCURRENCY)
        llm_client = LedgerClient(
            retrier=retrier,
            open_log=partial(LedgerCallLog, place / f"{next(numbers)}.sqlite"),
            check_vision=False,
        )
        setup = Setup(
            schema=schema.load(benchmark),
            images=ImageReader(dataset.root),
            models=FakeModels(),
            vectors=MemoryVectors(),
        )
        rows = list(Llm(setup, llm_client).propose(items, lambda done, total: None))
        assert len(rows) == len(asked) and {row.status for row in rows} == {"ok"}, rows[0]

    ask()  # files are read and modules are loaded before the clock runs
    best = len(asked) * LATENCY / CONCURRENCY
    what = f"llm: {len(asked)} images, {LATENCY:.0f} s an answer, {CONCURRENCY} at once, against N·latency/concurrency"
    return figure(what, [(seconds(ask), best) for _ in range(TAKES)], goal=1.05)


def again(place: Path, url: str, root: Path, benchmark: str, category: str) -> Iterator[Figure]:
    """The command a second time, when everything is there, beside the first time.

    The second time waits for nothing, so it is told in processor time, which other work on the machine does not change.
    """
    project = place / "project"
    project.mkdir()
    what = ["propose", benchmark, "--proposer", "llm", "--root", str(root), "--category", category]
    how = ["--project", str(project), "--no-canary", "--llm", "bench", "--llm-url", url]
    command = [sys.executable, "-m", "acbench", *what, *how]
    env = {name: value for name, value in os.environ.items() if not name.startswith("ACBENCH_")}

    def run(*command: str) -> None:
        subprocess.run(command, check=True, capture_output=True, env=env)

    def processor(*command: str) -> float:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        run(*command)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime

    first = seconds(lambda: run(*command))
    second = median(processor(*command) for _ in range(TAKES))
    start = median(processor(sys.executable, "-m", "acbench", "--version") for _ in range(TAKES))
    yield Figure("llm: the command again, processor time against the first time", second, first)
    yield Figure("llm: the same without the program's start", second - start, first, goal=0.02)


if __name__ == "__main__":
    main()
