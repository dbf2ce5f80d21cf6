"""The notebooks as they are committed, and the script that runs them."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
sys.path.insert(0, str(NOTEBOOKS))

from run import execute as execute  # noqa: E402  (a script beside the notebooks)
from run import notebooks  # noqa: E402

COMMITTED = notebooks()


def cells(path: Path) -> list[dict[str, Any]]:
    """The cells of a notebook that hold code."""
    book: dict[str, list[dict[str, Any]]] = json.loads(path.read_text(encoding="utf-8"))
    return [cell for cell in book["cells"] if cell["cell_type"] == "code"]
