"""Runs the notebooks from top to bottom and in order, in one folder that goes away, and keeps their outputs.

    python notebooks/run.py [FOLDER]

FOLDER is a new one, and stays. All notebooks are run: what one of them shows may rest on those before it. They need
`label-studio` on the PATH, and the packages of the extra `test`. The hub that they publish to is one on this machine.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))  # for the helpers of the tests

from tests.support.commands import environment  # noqa: E402

SECONDS = 600
"""For one cell."""
SHELL = "errexit:pipefail"
"""What `%%bash` is started with: a command that fails ends its cell, also inside a pipe, and so the run."""
OF_ONE_RUN = (
    (re.compile(r"\b127\.0\.0\.1:\d+"), "127.0.0.1:PORT"),
    (re.compile(r"\bcommit [0-9a-f]{40}\b"), "commit …"),
    (re.compile(r"@[0-9a-f]{8}: "), "@…: "),
    (re.compile(r"\b(acbench-\w+)-[0-9a-f]{6}\b"), r"\1-…"),
)
"""Ports of loopback, commits of the hub, and how names of FiftyOne's datasets end; and what is kept in their place."""


def notebooks() -> list[Path]:
    """In their order."""
    return sorted(HERE.glob("[0-9]_*.ipynb"))


def execute(path: Path, folder: Path) -> Any:
    """The notebook as it is after a run in `folder`, without what is of one machine. Raises what a cell raises."""
    import nbformat
    from nbclient import NotebookClient

    book = nbformat.read(path, as_version=4)
    with surroundings(folder):
        resources = {"metadata": {"path": str(folder)}}
        NotebookClient(book, timeout=SECONDS, record_timing=False, resources=resources).execute()
    for cell in book.cells:
        cell.metadata = {}
        if cell.cell_type == "code":
            cell.outputs = tidied(cell.outputs, folder)
    book.metadata = {"kernelspec": dict(book.metadata["kernelspec"]), "language_info": {"name": "python"}}
    return book


@contextmanager
def surroundings(folder: Path) -> Iterator[None]:
    """A home of its own beside `folder`, an empty hub, and no settings: whoever runs a notebook gets the same."""
    from tests.support.loopback_hub import TOKEN, LoopbackHub  # its libraries take long to import

    before = dict(os.environ)
    home = folder.parent / f"{folder.name}-home"
    home.mkdir(exist_ok=True)
    with LoopbackHub() as hub:
        own = {
            "PATH": str(Path(sys.executable).parent) + os.pathsep + before["PATH"],
            "HOME": str(home),
            "COLUMNS": "110",
            "PYTHONWARNINGS": "ignore",
            "SHELLOPTS": SHELL,
            "HF_ENDPOINT": hub.url,
            "HF_TOKEN": TOKEN,
            "HF_HUB_DISABLE_TELEMETRY": "1",
            "HF_HUB_DISABLE_XET": "1",
        }
        whole = environment(**own)
        os.environ.clear()
        os.environ.update(whole)
        try:
            yield
        finally:
            os.environ.clear()
            os.environ.update(before)


def tidied(outputs: list[Any], folder: Path) -> list[Any]:
    """Without stderr, where progress goes (what goes wrong is raised); text in one piece, a picture in one form."""
    kept: list[Any] = []
    for each in outputs:
        if "image/jpeg" in each.get("data", ()):
            each["data"].pop("image/png", None)
        if each.get("name") == "stdout" and kept and kept[-1].get("name") == "stdout":
            kept[-1]["text"] += each["text"]
        elif each.get("name") != "stderr":
            kept.append(each)
    for each in kept:
        if "text" in each:
            each["text"] = without_machine(each["text"], folder)
        for kind, content in each.get("data", {}).items():
            if kind.startswith("text/"):
                each["data"][kind] = without_machine(content, folder)
    return kept


def without_machine(text: str, folder: Path) -> str:
    """The text with `…` for the folder of the run, and without what else is OF_ONE_RUN."""
    for name in {str(folder), str(folder.resolve())}:
        text = text.replace(name, "…")
    for pattern, kept in OF_ONE_RUN:
        text = pattern.sub(kept, text)
    return text


def main() -> None:
    """All of them, in one folder, as a reader would."""
    import nbformat

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", metavar="FOLDER", type=Path)
    given = parser.parse_args().folder
    with tempfile.TemporaryDirectory() as scratch:
        folder = (given or Path(scratch)).resolve() / "notebooks"
        folder.mkdir(parents=True)  # what another run has left there would be shown
        for path in notebooks():
            book = execute(path, folder)
            nbformat.write(book, path)
            print(f"{path.name}: {path.stat().st_size / 1000:.0f} kB", flush=True)


if __name__ == "__main__":
    main()
