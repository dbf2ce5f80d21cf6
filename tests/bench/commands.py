"""What commands cost beside the work itself: starting, ingesting and having nothing to do, in a few minutes.

    python -m tests.bench.commands [--quick]

Real images are used where ACBENCH_MVTEC_AD_ROOT names a folder with MVTec-AD or a part of it. Every ratio is to a
reference that is measured in the same run, as the median of several takes; files are read once before, so that the
disk plays no part. Commands start as those of an installed acbench do, with its modules compiled before: pip does that,
and a checkout may forbid Python to keep them (PYTHONDONTWRITEBYTECODE), which then compiles them in every run.
"""

from __future__ import annotations

import argparse
import compileall
import hashlib
import os
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image

import acbench
from acbench.data import sources
from acbench.data.ingest import ingest
from acbench.testing import full_tree
from tests.bench.timing import TAKES, Figure, alternate, figure, report, seconds

WORKERS = min(16, (os.cpu_count() or 1) + 2)
"""Threads of `ingest`."""
CLASSES = ("good", "broken_large", "broken_small", "contamination")

MINUTES = 5
LARGE = 120
"""Images of 1 MB that `ingest` is measured with."""
FEW, MANY = 1_000, 10_000
"""Images that memory is measured with."""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="leave the first runs with the image model out")
    report(figures(quick=parser.parse_args().quick))


def figures(*, quick: bool = False) -> list[Figure]:
    """Of starting, ingesting and having nothing to do; if `quick`, not of what needs a first run with a model."""
    named = os.environ.get("ACBENCH_MVTEC_AD_ROOT")
    real = Path(named) if named else None
    compileall.compile_dir(Path(acbench.__file__).parent, quiet=1)
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        found = [help_cost()]
        if not quick:
            found.append(nothing_to_do(place / "sample", "sample"))
            if real:
                found.append(nothing_to_do(place / "real", "mvtec_ac", "--root", str(real)))
        return [*found, *ingest_rates(place, real), *memory(place)]


def help_cost() -> Figure:
    """`acbench --help` beside the bare import of its command-line library."""
    takes = alternate(lambda: run("-m", "acbench", "--help"), lambda: run("-c", "import click"))
    return figure("--help, against `import click`", takes, goal=3)


def nothing_to_do(project: Path, *arguments: str) -> Figure:
    """A second `relabel` beside the first."""
    project.mkdir()
    command = ("-m", "acbench", "relabel", *arguments, "--project", str(project))
    first = seconds(lambda: run(*command))
    takes = [(seconds(lambda: run(*command)), first) for _ in range(TAKES)]
    return figure(f"relabel {arguments[0]} again, against the first time", takes, goal=0.02)


def ingest_rates(place: Path, real: Path | None) -> list[Figure]:
    """`ingest` beside a bare pool of threads that hash the same files."""
    rows = [ingest_rate("ingest, 1 MB images", large_images(place / "large"))]
    if real:
        rows.append(ingest_rate("ingest, real images", real))
    return rows


def ingest_rate(name: str, root: Path) -> Figure:
    """The rate for a folder in the layout of MVTec-AD."""
    source = sources.get("mvtec_ad")
    items = ingest(source, root).items
    files = [root / path for item in items for path in (item.image, item.mask) if path]

    def bare() -> None:
        with ThreadPoolExecutor(WORKERS) as pool:
            for _ in pool.map(lambda path: hashlib.sha256(path.read_bytes()).hexdigest(), files):
                pass

    takes = alternate(lambda: ingest(source, root), bare)
    size = sum(path.stat().st_size for path in files) / 1e6
    return figure(f"{name}, against bare sha256", takes, unit="MB/s", amount=size, goal=0.8)


def memory(place: Path) -> list[Figure]:
    """Peak memory with many images beside that with few."""
    few, many = (tiny_images(place / str(count), count) for count in (FEW, MANY))
    rows = []
    for name, *arguments in (
        ("ingest", "ingest", "mvtec_ac"),
        ("relabel without neighbours", "relabel", "mvtec_ac", "--without", "neighbours"),
    ):
        low, high = (peak(*arguments, "--root", str(root), "--project", str(root)) for root in (few, many))
        rows.append(Figure(f"peak memory of {name}, {MANY:,} against {FEW:,} images", high, low, "MB"))
    return rows


def large_images(root: Path) -> Path:
    """Make images of about 1 MB each, as noise does not compress. Gives `root`."""
    random = np.random.default_rng(0)
    for number in range(LARGE):
        path = root / f"bottle/test/{CLASSES[number % len(CLASSES)]}/{number:04}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(random.integers(0, 256, (580, 580, 3), dtype=np.uint8)).save(path, compress_level=0)
    (root / "bottle/train/good").mkdir(parents=True)
    return root


def tiny_images(root: Path, count: int) -> Path:
    """Make `count` images, and a mask for each anomalous one. Gives `root`."""
    named = [(CLASSES[number % len(CLASSES)], number) for number in range(count)]
    images = [f"bottle/test/{name}/{number:05}.png" for name, number in named]
    masks = [f"bottle/ground_truth/{name}/{number:05}_mask.png" for name, number in named if name != "good"]
    (root / "bottle/train/good").mkdir(parents=True)
    return full_tree(root, [*images, *masks])


def peak(*arguments: str) -> float:
    """Peak resident memory of one command, MB."""
    return used(*arguments)[1]


def used(*arguments: str) -> tuple[float, float]:
    """Processor time of one command, seconds, and its peak resident memory, MB."""
    process = subprocess.Popen([sys.executable, "-m", "acbench", *arguments], stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"acbench {' '.join(arguments)} ended with {process.returncode}")
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss / (1e6 if sys.platform == "darwin" else 1e3)


def run(*arguments: str) -> None:
    """Run Python in a process of its own."""
    subprocess.run([sys.executable, *arguments], check=True, capture_output=True)


if __name__ == "__main__":
    main()
