"""The notebooks use public names only, are committed with their outputs, and are compared by rules that can fail."""

from __future__ import annotations

import base64
import copy
import io
import os
import re
from pathlib import Path
from typing import Any

import nbformat.v4
import pytest
from PIL import Image

from tests.support.notebooks import COMMITTED, NOTEBOOKS, cells, differences, execute, tidied

LARGEST = 150_000
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
    assert " at 0x" not in text


@pytest.mark.parametrize("path", COMMITTED, ids=lambda path: path.stem)
def test_they_use_public_names_only(path: Path) -> None:
    code = "\n".join("".join(cell["source"]) for cell in cells(path))
    imports = re.findall(r"^(?:from|import) (acbench\S*)(?: import (.*))?$", code, re.MULTILINE)
    names = [part for module, given in imports for part in [*module.split("."), *given.replace(" ", "").split(",")]]
    assert not [name for name in names if name.startswith("_")]
    assert not re.findall(r"\.\s*_[a-z]", code)


@pytest.mark.parametrize("path", COMMITTED, ids=lambda path: path.stem)
def test_what_they_link_to_is_there(path: Path) -> None:
    links = re.findall(r"\]\((?!https?://|#)([^)#]+)[^)]*\)", path.read_text(encoding="utf-8"))
    assert not [link for link in links if not (NOTEBOOKS / link).exists()]


# What counts as a difference


def png(colour: tuple[int, int, int], size: tuple[int, int] = (8, 6)) -> str:
    buffer = io.BytesIO()
    Image.new("RGB", size, colour).save(buffer, "PNG")
    return base64.b64encode(buffer.getvalue()).decode()


def shown(text: str = "", picture: str = "") -> list[Any]:
    """Two cells: the first shows nothing, the second text and a picture."""
    outputs = [nbformat.v4.new_output("stream", name="stdout", text=text)] if text else []
    if picture:
        outputs.append(nbformat.v4.new_output("display_data", {"text/plain": "<Image>", "image/png": picture}))
    silent, loud = nbformat.v4.new_code_cell("import x", id="1-00"), nbformat.v4.new_code_cell("x.y()", id="1-01")
    loud.outputs = outputs
    return [silent, loud]


@pytest.mark.parametrize(
    ("committed", "found"),
    [
        ("one\ntwo", "one\ntwo"),
        ("a   b\n\n", "a b"),
        ("made 2026-01-02", "made 2031-12-30"),
        ("made 2026-01-02 03:04", "made 2031-12-30 05:06:07"),
        ("done in 0.6 s", "done in 12 s"),
        ("kappa 0.84", "kappa 0.85"),
        ("kappa 1.00", "kappa 0.99"),
        ("rust 0.9999, good 1.0", "rust 1.0000, good 0.9"),
        ("$1.3230 of $2.00", "$1.3231 of $2.00"),
        ("72.8% to 92.8%", "72.9% to 92.7%"),
    ],
)
def test_what_may_vary_is_no_difference(committed: str, found: str) -> None:
    assert differences(shown(committed), shown(found)) == []
    assert differences(shown(found), shown(committed)) == []


@pytest.mark.parametrize(
    ("committed", "found"),
    [
        ("91 images", "88 images"),
        ("1,258 images", "1,259 images"),
        ("12 of 48", "12 of 49"),
        ("kappa 0.84", "kappa 0.86"),
        ("kappa 0.84", "kappa 0.8"),
        ("kappa -0.84", "kappa 0.84"),
        ("kappa 0.84", "kappa –"),
        ("label chip", "label dent"),
        ("schema 4bc744d1", "schema 4bc744d2"),
        ("version 1.0.0", "version 1.0.1"),
        ("rust/004.png", "rust/005.png"),
        ("in 3 images", "in 4 images"),
        ("one\ntwo", "one"),
        ("one", "one\ntwo"),
        ("one", ""),
        ("", "one"),
    ],
)
def test_what_differs_is_told_with_its_cell(committed: str, found: str) -> None:
    (said,) = differences(shown(committed), shown(found))
    assert said.startswith("cell 1-01: ")


def test_the_line_that_differs_is_told() -> None:
    (said,) = differences(shown("one\n91 images"), shown("one\n88 images"))
    assert said == "cell 1-01: line 2 is '91 images' in the notebook and '88 images' in this run"


def test_pictures_are_compared() -> None:
    grey, lighter, black = png((99, 99, 99)), png((100, 100, 100)), png((0, 0, 0))
    assert differences(shown(picture=grey), shown(picture=lighter)) == []
    (said,) = differences(shown(picture=grey), shown(picture=black))
    assert said == "cell 1-01: its picture differs from that of this run by 99.0 of 255 levels in the mean"
    (said,) = differences(shown(picture=grey), shown(picture=png((99, 99, 99), (8, 7))))
    assert said == "cell 1-01: its picture has 8 × 6 pixels in the notebook and 8 × 7 in this run"
    (said,) = differences(shown(picture=grey), shown("grey"))
    assert said.startswith("cell 1-01: its outputs are [('display_data', 'image/png', 'text/plain')] in the notebook")


def test_forms_of_an_output_have_no_order() -> None:
    """They are sorted in a file."""
    found = shown(picture=png((9, 9, 9)))
    found[1].outputs[0].data = dict(reversed(found[1].outputs[0].data.items()))
    assert differences(shown(picture=png((9, 9, 9))), found) == []


def test_other_cells_are_told() -> None:
    edited = shown("one")
    edited[1].source = "x.z()"
    assert differences(shown("one"), edited) == ["cell 1-01: it is not the same cell"]
    assert differences(shown("one"), shown("one")[:1]) == ["cell 1-01: it is not the same cell"]


@pytest.mark.parametrize("path", COMMITTED, ids=lambda path: path.stem)
def test_each_output_of_the_notebooks_can_differ(path: Path) -> None:
    """A change to any cell with text is found: no rule swallows it."""
    committed = cells(path)
    assert differences(committed, copy.deepcopy(committed)) == []
    for number, cell in enumerate(committed):
        for place, output in enumerate(cell.outputs):
            changed = copy.deepcopy(committed)
            other = changed[number].outputs[place]
            if output.output_type == "stream":
                other.text += "more\n"
            else:
                other.data["text/plain"] += "\nmore"
            assert [each.partition(":")[0] for each in differences(committed, changed)] == [f"cell {cell.id}"]


# How they are run


def test_what_is_of_one_machine_is_not_kept(tmp_path: Path) -> None:
    outputs = [
        nbformat.v4.new_output("stream", name="stdout", text=f"in {tmp_path}/demo\n"),
        nbformat.v4.new_output("stream", name="stderr", text="ask neighbours: 3 in 4 s\n"),
        nbformat.v4.new_output("stream", name="stdout", text="at http://127.0.0.1:43211/v1\n"),
        nbformat.v4.new_output("execute_result", {"text/plain": f"'{tmp_path}'", "image/png": "x", "image/jpeg": "y"}),
    ]
    text, picture = tidied(outputs, tmp_path)
    assert text.text == "in …/demo\nat http://127.0.0.1:PORT/v1\n"
    assert picture.data == {"text/plain": "'…'", "image/jpeg": "y"}


@pytest.mark.filterwarnings("default")  # the client of Jupyter has its own
def test_a_command_that_fails_in_a_pipe_ends_the_run_and_nothing_of_the_user_is_seen(tmp_path: Path) -> None:
    from nbclient.exceptions import CellExecutionError

    folder = tmp_path / "run"
    folder.mkdir()
    book = nbformat.v4.new_notebook(metadata={"kernelspec": {"name": "python3", "display_name": "Python 3"}})
    book.cells = [
        nbformat.v4.new_code_cell("%%bash\necho one | sed -n 1p"),
        nbformat.v4.new_code_cell("import os\nprint(os.environ['HOME'], os.getcwd())"),
        nbformat.v4.new_code_cell("%%bash\nfalse | sed -n 1p"),
    ]
    path, before = tmp_path / "0_x.ipynb", dict(os.environ)
    nbformat.write(book, path)
    with pytest.raises(CellExecutionError, match="false"):
        execute(path, folder)
    assert dict(os.environ) == before
    book.cells = book.cells[:2]
    nbformat.write(book, path)
    found = execute(path, folder)
    assert [cell.outputs[0].text for cell in found.cells] == ["one\n", "…-home …\n"]
