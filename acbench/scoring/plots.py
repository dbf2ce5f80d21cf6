"""Pictures of a score, as PNG bytes: confusion matrices, and how often each class is right."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping
from typing import Any

from acbench.scoring.show import confusion as shown

_INK, _FADED = "#222222", "#777777"
_COLUMNS = 3
_CUT = 22
"""Characters of a name that fit beside a matrix."""


def confusion(facts: Mapping[str, Any]) -> bytes:
    """One matrix a category: rows are what is true, columns what was answered, both in the schema's order; a cell is
    as dark as its share of the row."""
    tables = {key: shown(found) for key, found in facts["confusion"].items()}
    columns = min(_COLUMNS, len(tables))
    rows = math.ceil(len(tables) / columns)
    edge = max(max(len(table), len(table[0])) for table in tables.values())
    size = max(3.4, 0.46 * edge + 1.9)
    title = f"{facts['system']} on {facts['benchmark']}: rows true, columns answered"
    figure = _figure(max(size * columns, 0.1 * len(title)), size * rows + 0.6)
    figure.suptitle(title, color=_INK)
    grid = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes, (key, table) in zip(grid, tables.items(), strict=False):
        _matrix(axes, key, table, facts)
    for axes in grid[len(tables) :]:
        axes.axis("off")
    return _png(figure)


def classes(facts: Mapping[str, Any]) -> bytes:
    """One bar a class: the share of its images that were answered rightly, and how many there are."""
    bars = [
        (key, name, found)
        for key, named in facts["by_class"].items()
        for name, found in named.items()
        if found["items"]
    ]
    gaps = len(facts["by_class"])
    figure = _figure(9, 0.24 * (len(bars) + 1.4 * gaps) + 1.2)
    axes = figure.subplots()
    axes.set_title(
        f"{facts['system']} on {facts['benchmark']}: share of each class that is right", color=_INK, loc="left"
    )
    at, last, places, names = 0.0, "", [], []
    for key, name, found in bars:
        if key != last:
            at += 1.4
            axes.text(0, at - 0.75, _cut(key, 60), fontweight="bold", fontsize=9, va="center", color=_INK)
        share, last = found["recall"], key
        axes.barh(at, 1, color="#eeeeec", height=0.72)
        axes.barh(at, share, color="#4b9460" if name == "good" else "#3266a8", height=0.72)
        axes.text(1.01, at, f"{100 * share:.0f} % of {found['items']:,}", fontsize=8, va="center", color=_FADED)
        places.append(at)
        names.append(_cut(name, 34))
        at += 1
    axes.set_yticks(places, names, fontsize=8)
    axes.set_xlim(0, 1)
    axes.set_ylim(at, 0)
    axes.xaxis.set_major_formatter(lambda share, _: f"{100 * share:.0f} %")
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.tick_params(axis="y", length=0)
    return _png(figure)


def _matrix(axes: Any, key: str, table: list[tuple[str, ...]], facts: Mapping[str, Any]) -> None:
    counts = [[int(cell) for cell in row[1:]] for row in table[1:]]
    shares = [[cell / max(sum(row), 1) for cell in row] for row in counts]
    axes.imshow(shares, vmin=0, vmax=1, cmap="Blues", aspect="equal")
    for row, line in enumerate(counts):
        for column, count in enumerate(line):
            if count:
                colour = "white" if shares[row][column] > 0.55 else _INK
                axes.text(column, row, str(count), ha="center", va="center", fontsize=8, color=colour)
    axes.set_xticks(
        range(len(table[0]) - 1), [_cut(name) for name in table[0][1:]], rotation=60, ha="right", fontsize=7.5
    )
    for label in axes.get_xticklabels():
        label.set_rotation_mode("anchor")
    axes.set_yticks(range(len(counts)), [_cut(row[0]) for row in table[1:]], fontsize=7.5)
    edge = len(counts) - 0.5
    if len(table[0]) - 1 > len(counts):
        axes.axvline(edge, color=_INK, linewidth=0.8)  # beyond it stands what is no class
    accuracy = facts["scores"]["accuracy"][key]["value"]
    axes.set_title(
        f"{_cut(key, 30)}: {100 * accuracy:.1f} % of {facts['counts'][key]['items']:,}", fontsize=9.5, color=_INK
    )


def _cut(name: str, most: int = _CUT) -> str:
    """Without its middle: names of sets differ at their ends."""
    return name if len(name) <= most else f"{name[: most // 2]}…{name[most // 2 + 1 - most :]}"


def _figure(width: float, height: float) -> Any:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def _png(figure: Any) -> bytes:
    sink = io.BytesIO()
    figure.savefig(sink, format="png", dpi=110, metadata={"Software": None})
    return sink.getvalue()
