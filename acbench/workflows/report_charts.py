"""Draws the curves of the report as SVG, which a page can hold, print and show in any colour scheme.

Colours are classes, which the style sheet of the page gives; texts are escaped. The same points give the same text.
"""

from __future__ import annotations

import html
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

WIDTH, HEIGHT = 640, 260
"""Units of a drawing, which the page scales."""
_LEFT, _RIGHT, _TOP, _BELOW = 80, 16, 14, 46
_TICKS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """One line of a chart."""

    name: str
    points: Sequence[tuple[float, float]]
    """(x, y) by rising x."""
    kind: Literal["main", "second", "limit"]
    """How it is drawn: the main line, another one, or a dashed limit."""
    steps: bool = False
    """Whether the value stays until the next point."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """What one axis says."""

    title: str
    text: Callable[[float], str]
    """Gives the text of a tick."""
    whole: bool = False
    """Whether only whole numbers have ticks."""


def chart(title: str, curves: Sequence[Curve], across: Axis, up: Axis, *, top: float | None = None) -> str:
    """Curves over one pair of axes, as an SVG element with this title for those who cannot see it.

    The vertical axis begins at 0, and ends at `top` if a value lies above it. Raises ValueError if there is no point.
    """
    points = [point for curve in curves for point in curve.points]
    if not points:
        raise ValueError("there is nothing to draw")
    left, right = min(x for x, _ in points), max(x for x, _ in points)
    highest = max(y for _, y in points) or 1.0
    frame = _Frame(left, right if right > left else left + 1, highest if top is None else min(top, highest))
    parts = [
        f'<svg class="chart" viewBox="0 0 {WIDTH} {HEIGHT}" role="img"><title>{_escaped(title)}</title>',
        *_grid(frame, across, up),
        *(_line(frame, curve) for curve in curves),
        *_legend(curves),
        "</svg>",
    ]
    return "".join(parts)


@dataclass(frozen=True, slots=True)
class _Frame:
    """Where values lie in the drawing."""

    left: float
    right: float
    top: float

    def x(self, value: float) -> str:
        share = (value - self.left) / (self.right - self.left)
        return f"{_LEFT + share * (WIDTH - _LEFT - _RIGHT):.1f}"

    def y(self, value: float) -> str:
        return f"{HEIGHT - _BELOW - min(value / self.top, 1.0) * (HEIGHT - _TOP - _BELOW):.1f}"


def _grid(frame: _Frame, across: Axis, up: Axis) -> list[str]:
    bottom, end = HEIGHT - _BELOW, WIDTH - _RIGHT
    parts = []
    for value in _ticks(0.0, frame.top, whole=up.whole):
        y = frame.y(value)
        parts.append(f'<line class="grid" x1="{_LEFT}" x2="{end}" y1="{y}" y2="{y}"/>')
        parts.append(_text(up.text(value), _LEFT - 8, float(y) + 4, "end"))
    ticks = _ticks(frame.left, frame.right, whole=across.whole)
    for number, value in enumerate(ticks):
        anchor = "start" if number == 0 else "end" if number == len(ticks) - 1 else "middle"
        parts.append(_text(across.text(value), float(frame.x(value)), bottom + 18, anchor))
    parts.append(f'<line class="axis" x1="{_LEFT}" x2="{end}" y1="{bottom}" y2="{bottom}"/>')
    parts.append(_text(across.title, (_LEFT + end) / 2, HEIGHT - 8, "middle"))
    parts.append(
        f'<text text-anchor="middle" transform="translate(14 {(_TOP + bottom) / 2:.1f}) rotate(-90)">'
        f"{_escaped(up.title)}</text>"
    )
    return parts


def _ticks(start: float, end: float, *, whole: bool) -> list[float]:
    values = [start + (end - start) * number / _TICKS for number in range(_TICKS + 1)]
    return list(dict.fromkeys(float(round(value)) for value in values)) if whole else values


def _line(frame: _Frame, curve: Curve) -> str:
    parts: list[str] = []
    for number, (x, y) in enumerate(curve.points):
        if number == 0:
            parts.append(f"M{frame.x(x)} {frame.y(y)}")
        elif curve.steps:
            parts.append(f"H{frame.x(x)}V{frame.y(y)}")
        else:
            parts.append(f"L{frame.x(x)} {frame.y(y)}")
    dots = "".join(
        f'<circle class="dot" cx="{frame.x(x)}" cy="{frame.y(y)}" r="3"/>' for x, y in curve.points if curve.steps
    )
    return f'<path class="line {curve.kind}" d="{"".join(parts)}"/>{dots}'


def _legend(curves: Sequence[Curve]) -> list[str]:
    if len(curves) < 2:
        return []
    parts = []
    for number, curve in enumerate(curves):
        y, end = _TOP + 8 + 20 * number, WIDTH - _RIGHT
        parts.append(f'<line class="line {curve.kind}" x1="{end - 28}" x2="{end}" y1="{y}" y2="{y}"/>')
        parts.append(_text(curve.name, end - 36, y + 4, "end"))
    return parts


def _text(text: str, x: float, y: float, anchor: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{_escaped(text)}</text>'


def _escaped(text: str) -> str:
    return html.escape(text)
