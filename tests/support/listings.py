"""The real file names of the datasets: see data/README.md."""

from __future__ import annotations

import csv
import gzip
from pathlib import Path

DATA = Path(__file__).parent.parent / "data"


def listing(name: str) -> list[dict[str, str]]:
    """One row an image, as strings."""
    with gzip.open(DATA / f"{name}_files.csv.gz", "rt", encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def paths(name: str) -> list[str]:
    """Every image and every mask."""
    return [row[key] for row in listing(name) for key in ("image", "mask") if row[key]]
