"""Pictures of figures, as PNG bytes."""

from __future__ import annotations

import io
from typing import Any

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
