"""Runs the notebooks from top to bottom, in a folder that goes away unless one is named, and keeps their outputs.

python notebooks/run.py [FOLDER]
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
SECONDS = 600
"""For one cell."""


def notebooks() -> list[Path]:
    """In their order."""
    return sorted(HERE.glob("[0-9]_*.ipynb"))


def execute(path: Path, folder: Path) -> Any:
    """The notebook as it is after a run in `folder`, without times and machine names. Raises what a cell raises."""
    import nbformat
    from nbclient import NotebookClient

    book = nbformat.read(path, as_version=4)
    binaries = str(Path(sys.executable).parent)
    before = dict(os.environ)
    os.environ.update(PATH=binaries + os.pathsep + before["PATH"], COLUMNS="100", PYTHONWARNINGS="ignore")
    try:
        resources = {"metadata": {"path": str(folder)}}
        NotebookClient(book, timeout=SECONDS, record_timing=False, resources=resources).execute()
    finally:
        os.environ.clear()
        os.environ.update(before)
    for cell in book.cells:
        cell.metadata = {}
        if cell.cell_type == "code":
            cell.outputs = tidied(cell.outputs)
    book.metadata = {"kernelspec": dict(book.metadata["kernelspec"]), "language_info": {"name": "python"}}
    return book


def tidied(outputs: list[Any]) -> list[Any]:
    """Without stderr, where progress goes (what goes wrong is raised); text in one piece, a picture in one form."""
    kept: list[Any] = []
    for each in outputs:
        if "image/jpeg" in each.get("data", ()):
            each["data"].pop("image/png", None)
        if each.get("name") == "stdout" and kept and kept[-1].get("name") == "stdout":
            kept[-1]["text"] += each["text"]
        elif each.get("name") != "stderr":
            kept.append(each)
    return kept


def main() -> None:
    """All of them, in one folder, as a reader would."""
    import nbformat

    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(sys.argv[1]) if sys.argv[1:] else Path(scratch)
        for path in notebooks():
            book = execute(path, folder)
            nbformat.write(book, path)
            print(f"{path.name}: {path.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
