"""Draws relabel.png, the picture of the README: what `acbench relabel sample` prints, and the first image of its queue.

python notebooks/pictures/relabel.py
"""

from __future__ import annotations

import csv
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import matplotlib
from PIL import Image, ImageDraw, ImageFont

PAPER, INK, TYPED, PAD, SIZE, LINE = (24, 26, 32), (214, 216, 220), (130, 200, 140), 28, 19, 25


def main() -> None:
    """Relabel the sample in a folder that goes away, and draw what came of it beside this file."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "acbench", "relabel", "sample", "--project", folder]
        printed = subprocess.run(
            command, capture_output=True, text=True, check=True, cwd=folder, env={**os.environ, "COLUMNS": "110"}
        ).stdout
        work = Path(folder) / ".acbench" / "sample"
        with (work / "queue.csv").open(encoding="utf-8-sig", newline="") as file:
            first = next(csv.DictReader(file))
        with Image.open(work / first["evidence"]) as image:
            evidence = image.convert("RGB")
    fonts = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
    font = ImageFont.truetype(fonts / "DejaVuSansMono.ttf", SIZE)
    lines = ["$ acbench relabel sample", *printed.rstrip().splitlines()]
    width = max(evidence.width, *(round(font.getlength(line)) for line in lines)) + 2 * PAD
    text = len(lines) * LINE + 2 * PAD
    sheet = Image.new("RGB", (width, text + evidence.height), PAPER)
    pen = ImageDraw.Draw(sheet)
    for number, line in enumerate(lines):
        pen.text((PAD, PAD + number * LINE), line, fill=INK if number else TYPED, font=font)
    sheet.paste(Image.new("RGB", (width, evidence.height), evidence.getpixel((0, 0))), (0, text))
    sheet.paste(evidence, ((width - evidence.width) // 2, text))
    sheet = sheet.resize((sheet.width * 3 // 4, sheet.height * 3 // 4), Image.Resampling.LANCZOS)
    few = sheet.quantize(256, Image.Quantize.MAXCOVERAGE, kmeans=2, dither=Image.Dither.NONE)
    few.save(Path(__file__).with_suffix(".png"), optimize=True)


if __name__ == "__main__":
    main()
