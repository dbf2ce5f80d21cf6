"""Copies of datasets of other programs: two of one name do not share a folder, whatever the name."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from acbench.data import sources
from acbench.data.copied import ForeignImage
from acbench.testing import tiny_png
from acbench.workflows import copied


class One:
    """A dataset of one image."""

    size = 1

    def __init__(self, key: str) -> None:
        self.key = key

    def images(self) -> Iterator[ForeignImage]:
        yield ForeignImage(data=tiny_png(self.key), cells={"label": "good"})


def test_two_datasets_of_one_name_have_two_copies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(copied, "_dataset", lambda source, url, folder: One(url))
    source = sources.get("hub")
    urls = [
        "hf://datasets/ada/plates",
        "hf://datasets/bob/plates",
        "hf://datasets/bob/..",
        "hf://datasets/ada/plates@1",
    ]
    first, second, odd, other = (Path(str(copied.readable_root(source, url, tmp_path))) for url in urls)  # type: ignore[arg-type]
    assert (first.name, second.name, odd.name) == ("plates", "plates", "hub") and first != second
    assert other == first, "a revision replaces another"
    assert all(folder.parents[1] == tmp_path and list(folder.glob("images/*.png")) for folder in (first, second, odd))
