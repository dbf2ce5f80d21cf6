"""The notebooks run from top to bottom on the sample."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.notebooks import COMMITTED, cells, execute


@pytest.mark.filterwarnings("default")  # the client of Jupyter has its own
def test_they_run_in_their_order(tmp_path: Path) -> None:
    for path in COMMITTED:
        book = execute(path, tmp_path)
        outputs = [len(cell.get("outputs", [])) > 0 for cell in book.cells if cell.cell_type == "code"]
        committed = [bool(cell["outputs"]) for cell in cells(path)]
        assert outputs == committed, f"python notebooks/run.py   keeps {path.name}"
