"""The notebooks run from top to bottom on the sample, use public names only, and are committed with their outputs."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
sys.path.insert(0, str(NOTEBOOKS))

from run import execute, notebooks  # noqa: E402  (a script beside the notebooks)

COMMITTED = notebooks()
LARGEST = 600_000
"""Bytes of a notebook with its pictures."""


def cells(path: Path) -> list[dict[str, Any]]:
    book: dict[str, list[dict[str, Any]]] = json.loads(path.read_text(encoding="utf-8"))
    return [cell for cell in book["cells"] if cell["cell_type"] == "code"]


@pytest.mark.filterwarnings("default")  # the client of Jupyter has its own
def test_they_run_in_their_order(tmp_path: Path) -> None:
    for path in COMMITTED:
        book = execute(path, tmp_path)
        ours = [len(cell.get("outputs", [])) > 0 for cell in book.cells if cell.cell_type == "code"]
        assert ours == [bool(cell["outputs"]) for cell in cells(path)], f"python notebooks/run.py   keeps {path.name}"


@pytest.mark.parametrize("path", COMMITTED, ids=lambda path: path.stem)
def test_they_are_committed_as_a_reader_wants_them(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert len(text) < LARGEST
    assert any(cell["outputs"] for cell in cells(path))
    assert '"output_type": "error"' not in text and '"name": "stderr"' not in text
    for folder in ("tmp", "home", "root", "Users"):
        assert f"/{folder}/" not in text, folder
    assert "site-packages" not in text


@pytest.mark.parametrize("path", COMMITTED, ids=lambda path: path.stem)
def test_they_use_public_names_only(path: Path) -> None:
    code = "\n".join("".join(cell["source"]) for cell in cells(path))
    imports = re.findall(r"^(?:from|import) (acbench\S*)(?: import (.*))?$", code, re.MULTILINE)
    names = [part for module, given in imports for part in [*module.split("."), *given.replace(" ", "").split(",")]]
    assert not [name for name in names if name.startswith("_")]
    assert not re.findall(r"\.\s*_[a-z]", code)
