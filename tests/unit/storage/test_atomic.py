"""Files are replaced as a whole, and what stands in the way is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from acbench.errors import StorageError
from acbench.storage.atomic import replacing, write_bytes


def test_a_folder_in_the_place_of_a_file_is_named_and_stays(tmp_path: Path) -> None:
    path = tmp_path / "it's.json"
    path.mkdir()
    (path / "inside").write_bytes(b"x")
    with pytest.raises(StorageError, match="is a folder, where a file is to be written") as told:
        write_bytes(path, b"new")
    assert str(path) in told.value.message and told.value.hint.startswith("move it away: mv ")
    assert [each.name for each in tmp_path.iterdir()] == [path.name] and (path / "inside").read_bytes() == b"x"


def test_what_fails_leaves_the_file_of_before(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    write_bytes(path, b"old")
    with pytest.raises(ZeroDivisionError), replacing(path) as file:
        file.write(b"new")
        raise ZeroDivisionError
    assert path.read_bytes() == b"old" and [each.name for each in tmp_path.iterdir()] == ["a.json"]
