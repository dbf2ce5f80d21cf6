"""The notebooks are run in one folder, in their order, and show what is committed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.label_studio import require_label_studio
from tests.support.mongo import require_mongod
from tests.support.notebooks import COMMITTED, cells, differences, execute
from tests.support.sample import project_with_images

NEEDS: dict[str, Callable[[], None]] = {"7": require_label_studio, "8": require_mongod}
"""Number of a notebook → what skips its test where a program is missing."""
FIRST, *LATER = COMMITTED


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, sample_images: Path) -> Path:
    """Where all of them are run. The sample of their first project has been rendered."""
    folder = tmp_path_factory.mktemp("run") / "notebooks"
    project_with_images(folder / "demo", sample_images)
    return folder


@pytest.fixture(scope="module")
def first(folder: Path) -> Any:
    """The first one as it is after a run. Others go on with its project."""
    return execute(FIRST, folder)


def assert_as_committed(path: Path, book: Any) -> None:
    said = differences(cells(path), [cell for cell in book.cells if cell.cell_type == "code"])
    assert not said, "\n".join([path.name, *said, "python notebooks/run.py   keeps what the notebooks show now"])


@pytest.mark.filterwarnings("default")  # the client of Jupyter has its own
def test_the_first_shows_what_is_committed(first: Any) -> None:
    assert_as_committed(FIRST, first)


@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("path", LATER, ids=lambda path: path.stem)
def test_a_later_one_shows_what_is_committed(path: Path, folder: Path, first: Any) -> None:
    NEEDS.get(path.name[0], lambda: None)()
    assert_as_committed(path, execute(path, folder))
