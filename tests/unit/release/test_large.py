"""A release that is larger than memory: the same bytes and the same findings, a few rows at a time."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from acbench.errors import ReleaseError
from acbench.integrations.huggingface.loading import _Rows
from acbench.release import unpack
from acbench.release.bounds import batches
from acbench.release.diff import diff
from acbench.release.entries import read_entries, read_manifest
from acbench.release.folder import ReleaseFolder
from acbench.release.repeats import Repeats
from acbench.release.tally import Tally, kind_of
from acbench.storage.stored_rows import RowsById
from acbench.testing import toy_mvtec_ad, toy_visa
from tests.support.releases import build, check, rehash, rewritten, wrong


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hardly any row is in memory."""
    monkeypatch.setattr("acbench.storage.stored_rows.WHOLE", 5)
    monkeypatch.setattr("acbench.storage.parquet.TOGETHER", 3)
    monkeypatch.setattr("acbench.release.tally.TOGETHER", 2)
    monkeypatch.setattr("acbench.integrations.huggingface.loading.TOGETHER", 3)
    monkeypatch.setattr("acbench.release.bounds.SMALL_ROWS", 4)


@pytest.fixture(scope="module")
def visa(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with a release with images. Not to be changed."""
    project = tmp_path_factory.mktemp("visa")
    build(project, root=toy_visa(project / "images"))
    return project


@pytest.fixture(scope="module")
def mvtec(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with a release of labels only. Not to be changed."""
    project = tmp_path_factory.mktemp("mvtec")
    build(project, "mvtec_ac", root=toy_mvtec_ad(project / "images"))
    return project


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("benchmark", ["visa_ac", "mvtec_ac"])
@pytest.mark.usefixtures("few")
def test_it_has_the_same_bytes_and_is_sound(benchmark: str, visa: Path, mvtec: Path, tmp_path: Path) -> None:
    of = visa if benchmark == "visa_ac" else mvtec
    images = of / "images"
    first = build(tmp_path, benchmark, root=images)
    assert contents(first.folder) == contents(of / f".acbench/{benchmark}/release")
    assert rewritten(tmp_path, benchmark, root=images) == 0
    shutil.rmtree(first.folder)
    again = build(tmp_path, benchmark, root=images)  # of tables that lie on disk
    assert contents(again.folder) == contents(of / f".acbench/{benchmark}/release")
    verified = check(again.folder)
    assert wrong(verified) == set() and verified.not_loaded == ""
    assert verified.to_json() == check(of / f".acbench/{benchmark}/release").to_json()


def test_its_labels_lie_on_disk_and_say_the_same(visa: Path, request: pytest.FixtureRequest) -> None:
    folder = ReleaseFolder(visa / ".acbench/visa_ac/release")
    whole = read_entries(folder, read_manifest(folder))
    request.getfixturevalue("few")
    large = read_entries(folder, read_manifest(folder))
    assert isinstance(whole, dict) and isinstance(large, RowsById)
    assert dict(large) == whole
    names = list(whole)
    other = {**whole, names[1]: replace(whole[names[1]], status="pending"), "new": replace(whole[names[0]])}
    del other[names[3]]
    assert diff(large, other) == diff(whole, other) and len(diff(whole, other)) == 3
    assert diff(other, large) == diff(other, whole)
    assert diff(large, read_entries(folder, read_manifest(folder))) == []


@pytest.mark.usefixtures("few")
def test_a_second_row_of_an_image_is_found(visa: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(visa / ".acbench/visa_ac/release", tmp_path / "release"))
    path = "data/candle/test-00000-of-00001.parquet"
    table = pq.read_table(folder / path)
    rows = table.to_pylist()
    rows[-1] = rows[0]
    pq.write_table(table.from_pylist(rows, schema=table.schema), folder / path)
    rehash(folder, path)
    assert "twice" in wrong(check(folder))
    release = ReleaseFolder(folder)
    with pytest.raises(ReleaseError, match=f"'{rows[0]['item_id']}' has two rows"):
        read_entries(release, read_manifest(release))


def test_texts_that_repeat_are_told_by_their_hashes() -> None:
    repeats = Repeats()
    for text in "abcaba":
        repeats.add(text)
    assert repeats.any and repeats.further == 3
    assert [text for text in "abcd" if repeats.may_repeat(text)] == ["a", "b"]
    assert not Repeats().any and not Repeats().may_repeat("a")


@pytest.mark.usefixtures("few")
def test_kinds_are_counted_and_ids_are_sorted(visa: Path) -> None:
    folder = ReleaseFolder(visa / ".acbench/visa_ac/release")
    entries = list(read_entries(folder, read_manifest(folder)).values())
    tally = Tally()
    for entry in entries:
        tally.add(entry, kind_of(entry, ()))
    assert len(tally) == tally.kinds.total() == len(entries) > len(tally.kinds)
    assert tally.first == entries[0]
    wanted = {number for number, kind in enumerate(tally.kinds) if kind.anomalous}
    found = dict(tally.by_id(wanted))
    assert list(found) == sorted(entry.item_id for entry in entries if entry.anomalous)
    assert all(tally.samples[number].labels == {each.item_id: each for each in entries}[item_id].labels
               for item_id, number in found.items())  # fmt: skip


def test_rows_are_compared_in_parts_of_any_size() -> None:
    table = pa.table({"number": range(10)})
    parts = [batch for begin in range(0, 10, 4) for batch in table.slice(begin, 4).to_batches()]
    rows = _Rows(iter(parts))
    assert [rows.go_on_with(table.slice(begin, 3)) for begin in range(0, 10, 3)] == [True] * 4
    rows = _Rows(iter(parts))
    assert not rows.go_on_with(table.slice(1, 3))
    assert rows.go_on_with(table.slice(3, 3))
    assert not _Rows(iter(parts)).go_on_with(pa.table({"other": range(10)}))
    assert not _Rows(iter(parts)).go_on_with(pa.concat_tables([table, table]))


def test_values_are_those_that_arrow_gives(visa: Path, mvtec: Path) -> None:
    for path in [*visa.rglob("*.parquet"), *mvtec.rglob("release/**/*.parquet")]:
        if "release" in path.parts:
            with path.open("rb") as file:
                for batch in batches(file, None, "x"):
                    assert list(unpack.rows(batch)) == batch.to_pylist()
                    part = batch.slice(1, 2)
                    assert list(unpack.rows(part)) == part.to_pylist()
    text = pa.dictionary(pa.int32(), pa.string())
    form = pa.list_(pa.struct([("a", text), ("b", pa.list_(text)), ("c", pa.int64())]))
    plain = [[{"a": "x", "b": ["y", None], "c": 1}, {"a": None, "b": None, "c": None}], [], None, [{"a": "x", "b": []}]]
    for cells in (plain, plain[:2], plain[3:], []):
        column = pa.array(cells, type=pa.list_(pa.struct([("a", pa.string()), ("b", pa.list_(pa.string())),
                                                         ("c", pa.int64())])))  # fmt: skip
        assert unpack.values(column) == column.to_pylist()
        coded = pa.array(cells, type=form)
        assert unpack.values(coded) == coded.to_pylist() == column.to_pylist()
