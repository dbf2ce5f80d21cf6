"""Keeps the figures of a release as JSON, and finds out which have changed since by more than noise.

One file a version, in `results/`: each bench with the machine that it ran on and its figures, sorted, so that a change
of one figure is a change of one line.
"""

from __future__ import annotations

import json
import os
import platform
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from acbench._util.cores import cores
from tests.bench.timing import Figure

RESULTS = Path(__file__).parent / "results"
NOISE = 0.15
"""By which share a ratio changes between runs of the same code on one machine; the spread of takes comes on top."""
DIGITS = 4
"""Significant digits that are kept."""


class Change(NamedTuple):
    """A ratio beside that of the kept figure of the same name."""

    before: float
    noise: float
    """The share by which it may differ without a reason."""
    worse: float
    """The share by which it is worse; negative if it is better."""

    @property
    def verdict(self) -> str:
        """What to say of it; empty if it is noise."""
        if self.worse > self.noise:
            return "worse"
        return "better" if self.worse < -self.noise else ""


def change(figure: Figure, kept: Mapping[str, Any] | None) -> Change | None:
    """The change of a figure; None if nothing was kept of it."""
    if kept is None:
        return None
    before = float(kept["ratio"])
    times = before / figure.ratio if figure.more_is_better else figure.ratio / before
    return Change(before, NOISE + figure.spread + float(kept["spread"]), times - 1)


def machine() -> str:
    """This machine, in words."""
    names = re.findall(r"^model name\s*: (.+)$", _text("/proc/cpuinfo"), re.MULTILINE)
    kilobytes = re.search(r"^MemTotal:\s+(\d+) kB", _text("/proc/meminfo"), re.MULTILINE)
    memory = f"{int(kilobytes[1]) / 1e6:.0f} GB" if kilobytes else ""
    processor = names[0] if names else platform.processor() or platform.machine()
    load = f"load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    parts = (f"{cores()} × {processor}", memory, platform.system(), f"Python {platform.python_version()}", load)
    return ", ".join(filter(None, parts))


def newest(folder: Path, *, but: str = "") -> tuple[str, Mapping[str, Any]]:
    """The newest version with kept figures, other than `but`, and these by bench; ("", {}) if there is none."""
    versions = sorted((path.stem for path in folder.glob("*.json") if path.stem != but), key=_numbers)
    if not versions:
        return "", {}
    return versions[-1], read(folder / f"{versions[-1]}.json")


def read(path: Path) -> dict[str, Any]:
    """What is kept in a file: bench → its machine and figures."""
    kept: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return kept


def keep(path: Path, bench: str, machine_name: str, figures: Sequence[Figure]) -> None:
    """Keep the figures of a bench; those of other benches stay."""
    kept = read(path) if path.exists() else {}
    kept[bench] = {"machine": machine_name, "figures": {each.name: as_json(each) for each in figures}}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(kept, indent=1, sort_keys=True, ensure_ascii=False) + "\n", encoding="utf-8")


def as_json(figure: Figure) -> dict[str, Any]:
    """JSON values of a figure, besides its name."""
    numbers = {
        "measured": figure.measured,
        "reference": figure.reference,
        "ratio": figure.ratio,
        "spread": figure.spread,
    }
    rounded: dict[str, Any] = {name: float(f"{number:.{DIGITS}g}") for name, number in numbers.items()}
    return rounded | {"unit": figure.unit, "goal": figure.goal, "more_is_better": figure.more_is_better}


def from_json(name: str, value: Mapping[str, Any]) -> Figure:
    """The figure of these JSON values."""
    return Figure(name, **{key: value[key] for key in Figure._fields if key != "name"})


def _numbers(version: str) -> list[tuple[int, str]]:
    """Orders versions: 0.10.0 after 0.9.1."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"[.+-]", version)]


def _text(path: str) -> str:
    return Path(path).read_text(encoding="utf-8") if Path(path).exists() else ""
