"""What is bundled can be found, and fits the schemas that are bundled with it."""

from __future__ import annotations

import csv
import io
from collections import Counter
from pathlib import Path

import pytest

from acbench import schema
from acbench.records import GOOD, Review
from acbench.storage import bundled as editions
from acbench.storage import tables as store

BENCHMARKS = ("mvtec_ac", "visa_ac")


@pytest.mark.parametrize("benchmark", BENCHMARKS)
def test_every_label_is_one_that_its_schema_allows(benchmark: str) -> None:
    allowed = {key: {GOOD, *category.class_ids} for key, category in schema.load(benchmark).categories.items()}
    labels = editions.edition_labels(benchmark)
    assert all(allowed[each.image.partition("/")[0]] >= set(each.labels) for each in labels)
    assert all(each.labels or each.status != "accepted" for each in labels)
    assert max(Counter(each.item_id for each in labels).values()) == 1


@pytest.mark.parametrize("benchmark", BENCHMARKS)
def test_its_reviews_can_be_read(benchmark: str) -> None:
    path = Path(str(editions.edition_folder(benchmark).joinpath("reviews.jsonl")))
    assert path.exists()
    items = {each.item_id for each in editions.edition_labels(benchmark)}
    assert {each.item_id for each in store.read(path, Review)} <= items


@pytest.mark.parametrize(("benchmark", "table", "rows"), [("mvtec_ac", "mvtec_fs", 1258), ("visa_ac", "visa_ac", 929)])
def test_other_peoples_tables_are_there_whole_and_under_their_licence(benchmark: str, table: str, rows: int) -> None:
    assert editions.witness_names(benchmark) == [table]
    found = list(csv.DictReader(io.StringIO(editions.witness_text(benchmark, table))))
    assert len({row["image"] for row in found}) == len(found) == rows
    assert {row["licence"] for row in found} == {schema.load(benchmark).licence}
    assert {each.image for each in editions.edition_labels(benchmark)} >= {row["image"] for row in found}


def test_a_benchmark_without_an_edition_has_nothing() -> None:
    assert editions.edition_labels("sample") == []
    assert editions.witness_names("sample") == []


def test_a_project_knows_whether_its_annotations_are_the_bundled_ones(tmp_path: Path) -> None:
    bundled = Path(str(editions.edition_folder("mvtec_ac"))).parent
    (tmp_path / "link").symlink_to(bundled)
    assert editions.is_bundled(bundled) and editions.is_bundled(tmp_path / "link")
    assert not editions.is_bundled(tmp_path) and not editions.is_bundled(tmp_path / "none")
