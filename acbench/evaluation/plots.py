"""Pictures of figures, as PNG bytes: comparisons, agreement, confusion matrices, classes."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping
from typing import Any

from acbench.evaluation.tables import confusion as shown
from acbench.records import short_name

COLOURS = ("#3266a8", "#d1722c", "#4b9460", "#a8465a", "#7a64a3", "#8a7a55", "#5a9aa8", "#777777")


def comparison(facts: dict[str, Any]) -> bytes:
    """Proposers side by side: accuracy with its interval, agreement of each two, calibration. See `stages.compare`."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    names = list(facts["proposers"])
    colour = {name: COLOURS[number % len(COLOURS)] for number, name in enumerate(names)}
    figure = Figure(figsize=(15, 1.6 + max(3.2, 0.5 * len(names))), layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(f"{facts['benchmark']}: {facts['images']:,} images, judged by {facts['truth']}")
    accuracy, agreement, calibration = figure.subplots(1, 3)
    _accuracy(accuracy, facts, names, colour)
    _agreement(agreement, facts, names)
    _calibration(calibration, facts, names, colour)
    sink = io.BytesIO()
    figure.savefig(sink, format="png", dpi=110, metadata={"Software": None})
    return sink.getvalue()


def _accuracy(axes: Any, facts: dict[str, Any], names: list[str], colour: dict[str, str]) -> None:
    axes.set_title("Accuracy where it answered, 95 % interval")
    for row, name in enumerate(names):
        found = facts["proposers"][name]
        if found["accuracy"]:
            value, low, high = (found["accuracy"][key] for key in ("value", "low", "high"))
            axes.barh(row, value, color=colour[name], height=0.6)
            axes.plot([low, high], [row, row], color="#222222", linewidth=1.5)
        axes.text(
            0.01,
            row,
            f" {found['answered']:,} answers",
            va="center",
            fontsize=9,
            color="white" if found["accuracy"] else "#222222",
        )
    axes.set_yticks(range(len(names)), names)
    axes.set_xlim(0, 1)
    axes.invert_yaxis()


def _agreement(axes: Any, facts: dict[str, Any], names: list[str]) -> None:
    axes.set_title("Cohen's kappa of each two")
    table = [[float("nan")] * len(names) for _ in names]
    for found in facts["agreement"]:
        if found["kappa"] is not None:
            one, other = names.index(found["one"]), names.index(found["other"])
            table[one][other] = table[other][one] = found["kappa"]
    axes.imshow(table, vmin=0, vmax=1, cmap="Blues")
    for row, line in enumerate(table):
        for column, value in enumerate(line):
            if value == value:
                axes.text(
                    column, row, f"{value:.2f}", ha="center", va="center", color="white" if value > 0.6 else "#222222"
                )
    axes.set_xticks(range(len(names)), names, rotation=30, ha="right")
    axes.set_yticks(range(len(names)), names)


def _calibration(axes: Any, facts: dict[str, Any], names: list[str], colour: dict[str, str]) -> None:
    axes.set_title("Calibration: how often it is right at each confidence")
    axes.plot([0, 1], [0, 1], color="#bbbbbb", linewidth=1, linestyle="--")
    for name in names:
        found = facts["proposers"][name]["calibration"]
        if found:
            points = [(point["confidence"], point["accuracy"], point["n"]) for point in found["curve"]]
            xs, ys, sizes = zip(*points, strict=True)
            axes.plot(xs, ys, color=colour[name], linewidth=1)
            axes.scatter(
                xs, ys, s=[12 + n for n in sizes], color=colour[name], label=f"{name} (error {found['error']:.2f})"
            )
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1.02)
    axes.set_xlabel("confidence")
    axes.set_ylabel("share right")
    if axes.get_legend_handles_labels()[0]:
        axes.legend(loc="lower right", frameon=False)


def agreement(facts: dict[str, Any]) -> bytes:
    """What reviews say about people: agreement, what proposals do to them, seconds. See `stages.agreement`."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    rows = {"all": facts["agreement"], **facts["by_category"]}
    figure = Figure(
        figsize=(15, 1.6 + max(3.2, 0.4 * max(len(rows), 2 * len(facts["proposers"])))), layout="constrained"
    )
    FigureCanvasAgg(figure)
    figure.suptitle(f"{facts['benchmark']}: {facts['images']:,} images reviewed, {facts['shared']:,} by more than one")
    alpha, kept, seconds = figure.subplots(1, 3)
    _alphas(alpha, rows)
    _kept(kept, facts["proposers"])
    _medians(seconds, facts)
    sink = io.BytesIO()
    figure.savefig(sink, format="png", dpi=110, metadata={"Software": None})
    return sink.getvalue()


def _alphas(axes: Any, rows: dict[str, Any]) -> None:
    axes.set_title("Krippendorff's alpha (MASI), 95 % interval")
    for row, found in enumerate(rows.values()):
        if found["alpha"] is not None:
            axes.plot(found["alpha"]["value"], row, "o", color=COLOURS[0])
            if found["alpha"]["low"] is not None:
                axes.plot([found["alpha"]["low"], found["alpha"]["high"]], [row, row], color=COLOURS[0], linewidth=1.5)
        else:
            axes.text(0.02, row, "not defined", va="center", fontsize=9, color="#777777")
    axes.set_yticks(range(len(rows)), [f"{name} ({found['shared']:,})" for name, found in rows.items()])
    axes.set_xlim(-0.2, 1.02)
    axes.set_ylim(len(rows) - 0.5, -0.5)


SIGHT = {"shown": "in sight", "blind": "hidden"}
"""How a proposal is to those who decide, in words."""


def _kept(axes: Any, proposers: dict[str, Any]) -> None:
    axes.set_title("People decided what it had proposed, 95 % interval")
    marks = {"shown": COLOURS[1], "blind": COLOURS[0]}
    for row, found in enumerate(proposers.values()):
        for shift, (sight, colour) in zip((-0.14, 0.14), marks.items(), strict=True):
            same = found[sight]["same"]
            if same is not None:
                axes.plot([same["low"], same["high"]], [row + shift] * 2, color=colour, linewidth=1.5)
                axes.plot(same["value"], row + shift, "o", color=colour)
    for sight, colour in marks.items():
        axes.plot([], [], "o-", color=colour, label=SIGHT[sight])
    axes.set_yticks(range(len(proposers)), [short_name(name) for name in proposers])
    axes.set_xlim(0, 1.02)
    axes.set_ylim(max(len(proposers), 1) - 0.5, -0.5)
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.08), ncols=2, frameon=False)  # below: it covers no line


def _medians(axes: Any, facts: dict[str, Any]) -> None:
    axes.set_title("Median seconds a decision")
    seconds = {SIGHT.get(name, name): found for name, found in facts["seconds"].items()}
    rows = {**seconds, **{name: found["seconds"] for name, found in facts["by_category"].items()}}
    for row, found in enumerate(rows.values()):
        axes.barh(row, found["median"] or 0, color=COLOURS[2], height=0.6)
    axes.set_yticks(range(len(rows)), [f"{name} ({found['n']:,})" for name, found in rows.items()])
    axes.invert_yaxis()


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
