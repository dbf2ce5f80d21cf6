"""The notebooks as they are committed, the script that runs them, and what differs between two runs of one."""

from __future__ import annotations

import base64
import io
import re
import sys
from collections.abc import Iterator, Mapping
from itertools import zip_longest
from pathlib import Path
from typing import Any

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
sys.path.insert(0, str(NOTEBOOKS))

from run import execute as execute  # noqa: E402  (a script beside the notebooks)
from run import notebooks  # noqa: E402
from run import tidied as tidied  # noqa: E402

COMMITTED = notebooks()
VARIES = (
    (re.compile(r"\b\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d)?)?\b"), "DAY"),
    (re.compile(r"\b\d+(?:\.\d+)? (?:s|ms|min|h|seconds|minutes|hours)\b"), "TIME"),
)
"""What may be anything from run to run, and what stands in its place when runs are compared."""
NUMBER = re.compile(r"(?<![\w.])-?\d+(?:,\d{3})*(?:\.\d+)?(?![\w.]*\w)")
SHADES = 2.0
"""By how many of 255 levels two pictures may differ in the mean."""
Cell = Mapping[str, Any]


def cells(path: Path) -> list[Any]:
    """The cells of a committed notebook that hold code."""
    import nbformat

    return [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]


def differences(committed: list[Cell], found: list[Cell]) -> list[str]:
    """Each cell whose outputs are not the committed ones, with what is different; cells are told by their ids.

    Spaces do not count, nor does what VARIES. Whole numbers are equal; the last
    decimal of another number may differ by one. Pictures have one size, and differ by SHADES at most.
    """
    said: list[str] = []
    for old, new in zip_longest(committed, found):
        if old is None or new is None or old["id"] != new["id"] or old["source"] != new["source"]:
            return [*said, f"cell {(old or new)['id']}: it is not the same cell"]
        said += [f"cell {old['id']}: {what}" for what in _outputs(old["outputs"], new["outputs"])]
    return said


def _outputs(committed: list[Cell], found: list[Cell]) -> Iterator[str]:
    kinds = [[(each["output_type"], *sorted(_contents(each))) for each in outputs] for outputs in (committed, found)]
    if kinds[0] != kinds[1]:
        yield f"its outputs are {kinds[0]} in the notebook and {kinds[1]} in this run"
        return
    for old, new in zip(committed, found, strict=True):
        for kind, content in _contents(old).items():
            other = _contents(new)[kind]
            yield from _pictures(content, other) if kind.startswith("image/") else _texts(content, other)


def _contents(output: Cell) -> Mapping[str, str]:
    """Kind → content of an output."""
    return {output["name"]: output["text"]} if output["output_type"] == "stream" else output["data"]


def _texts(committed: str, found: str) -> Iterator[str]:
    lines = [_lines(text) for text in (committed, found)]
    for number, (old, new) in enumerate(zip_longest(*lines), start=1):
        if old is None or new is None or not same_line(old, new):
            yield f"line {number} is {old!r} in the notebook and {new!r} in this run"
            return


def _lines(text: str) -> list[str]:
    return [" ".join(line.split()) for line in text.splitlines() if line.strip()]


def same_line(committed: str, found: str) -> bool:
    """Whether two lines say the same: see `differences`."""
    for pattern, name in VARIES:
        committed, found = pattern.sub(name, committed), pattern.sub(name, found)
    if NUMBER.split(committed) != NUMBER.split(found):
        return False
    numbers = zip(NUMBER.findall(committed), NUMBER.findall(found), strict=True)
    return all(_same_number(old, new) for old, new in numbers)


def _same_number(committed: str, found: str) -> bool:
    decimals = [len(number.partition(".")[2]) for number in (committed, found)]
    if not any(decimals):
        return committed == found
    unit = 10.0 ** -max(decimals)
    return abs(float(committed.replace(",", "")) - float(found.replace(",", ""))) < 1.001 * unit


def _pictures(committed: str, found: str) -> Iterator[str]:
    import numpy as np
    from PIL import Image

    opened = (Image.open(io.BytesIO(base64.b64decode(each))).convert("RGB") for each in (committed, found))
    old, new = (np.asarray(picture, float) for picture in opened)
    if old.shape != new.shape:
        sizes = [f"{each.shape[1]} × {each.shape[0]}" for each in (old, new)]
        yield f"its picture has {sizes[0]} pixels in the notebook and {sizes[1]} in this run"
    elif (apart := float(np.abs(old - new).mean())) > SHADES:
        yield f"its picture differs from that of this run by {apart:.1f} of 255 levels in the mean"
