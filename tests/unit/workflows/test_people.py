"""Who decides in a project, also where its Label Studio does not tell who has an account."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from acbench.records import Review
from acbench.storage import tables
from acbench.storage.project import Project
from tests.support.commands import here_in
from tests.support.ports import free_port
from tests.support.records import decides, item


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project in which ada decided an image of two benchmarks, and took back what she decided of a third."""
    said = decides("ada", item(), "contamination")
    unsure, taken_back = (replace(said, verdict=verdict, labels=()) for verdict in ("unsure", "withdrawn"))
    for benchmark, row in (("one", said), ("two", unsure), ("three", taken_back)):
        path = Project(tmp_path).annotations / benchmark / "reviews.jsonl"
        path.parent.mkdir(parents=True)
        tables.write(path, [row], Review, key=lambda row: row.item_id)
    return tmp_path


def test_who_decided_is_listed_and_that_accounts_are_not_known_is_said(project: Path) -> None:
    found = here_in(project, "review", "people", "--json")
    assert found.facts == [{"name": "ada", "address": "", "decisions": {"one": 1, "two": 1}}]
    assert "! who has an account is not known: no Label Studio runs for this project" in found.err
    port = free_port()
    away = {"LABEL_STUDIO_URL": f"http://127.0.0.1:{port}", "LABEL_STUDIO_API_KEY": "0" * 40}
    found = here_in(project, "review", "people", **away)
    assert "1 of one, 1 of two" in found.out
    assert f"! who has an account is not known: no Label Studio answers at http://127.0.0.1:{port}" in found.err
