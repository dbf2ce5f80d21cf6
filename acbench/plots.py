"""Pictures of figures, as PNG bytes."""

from __future__ import annotations

import io
from typing import Any

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
    for pair, found in facts["agreement"].items():
        one, _, other = pair.partition(" and ")
        if found["kappa"] is not None:
            table[names.index(one)][names.index(other)] = table[names.index(other)][names.index(one)] = found["kappa"]
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
