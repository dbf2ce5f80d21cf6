"""The notebooks use public names only, and are committed with their outputs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.support.notebooks import COMMITTED, cells

LARGEST = 600_000
"""Bytes of a notebook with its pictures."""


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
