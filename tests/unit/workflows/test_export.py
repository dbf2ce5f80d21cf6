"""Records in another place: whoever finds the manifest finds what it names, whenever the sender dies."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from acbench.errors import AcbenchError
from acbench.records import Item
from acbench.storage import tables as store
from acbench.storage.atomic import write_bytes
from acbench.storage.remote import RemoteFolder
from acbench.workflows import export as outbox
from acbench.workflows.export import ExportFile
from tests.support.records import item

Contents = Callable[[], Mapping[str, bytes]]


@pytest.fixture(params=["folder", "file", "memory"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, Contents]:
    """Where to send to, and what is there."""
    if request.param == "memory":
        import fsspec

        memory, root = fsspec.filesystem("memory"), f"/{tmp_path.name}"
        return f"memory:/{root}", lambda: {
            path.removeprefix(f"{root}/"): memory.cat_file(path) for path in memory.find(root)
        }
    folder = tmp_path / "out" / "deep"
    return ("file://" if request.param == "file" else "") + str(folder), lambda: {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }


@pytest.fixture
def records(tmp_path: Path) -> list[ExportFile]:
    work = tmp_path / "work"
    found = [
        ExportFile(f"{name}.parquet", work / f"{name}.parquet", "Item") for name in ("items", "more", "proposals/x")
    ]
    for count, each in enumerate(found, start=1):
        fill(each, count)
    return [*found, ExportFile("reviews.jsonl", work / "reviews.jsonl", "Review")]


def fill(record: ExportFile, count: int) -> None:
    store.write(record.path, [item(number) for number in range(count)], Item, key=lambda each: each.image)


def believed(there: Mapping[str, bytes]) -> list[str]:
    """What a reader takes from a place: all that the manifest names has to be there, as it says."""
    named = json.loads(there[outbox.MANIFEST])["records"] if outbox.MANIFEST in there else []
    for each in named:
        data = there[each["name"]]
        assert (len(data), hashlib.sha256(data).hexdigest()) == (each["bytes"], each["sha256"])
    return [each["name"] for each in named]


def test_what_is_there_afterwards(place: tuple[str, Contents], records: list[ExportFile]) -> None:
    where, contents = place
    assert outbox.send(where, "toy", records) == (3, 3), "what does not exist is not sent"
    there = contents()
    assert there.keys() == {"items.parquet", "more.parquet", "proposals/x.parquet", "records.json"}
    assert there["items.parquet"] == records[0].path.read_bytes()
    manifest = json.loads(there["records.json"])
    assert (manifest["format"], manifest["benchmark"]) == (1, "toy")
    assert [(each["name"], each["kind"], each["rows"]) for each in manifest["records"]] == [
        ("items.parquet", "Item", 1),
        ("more.parquet", "Item", 2),
        ("proposals/x.parquet", "Item", 3),
    ]
    believed(there)


def test_only_what_changed_is_sent_again(place: tuple[str, Contents], records: list[ExportFile]) -> None:
    where, contents = place
    outbox.send(where, "toy", records)
    before = contents()
    assert outbox.send(where, "toy", records[:2]) == (0, 2)
    assert contents() == before
    fill(records[1], 9)
    assert outbox.send(where, "toy", records[:2]) == (1, 2)
    after = contents()
    assert sorted(name for name in after if after[name] != before[name]) == ["more.parquet", "records.json"]
    assert believed(after) == ["items.parquet", "more.parquet", "proposals/x.parquet"], "others stay"


class _Killed(BaseException):
    """As a kill, no error that anybody handles."""


def test_killed_after_each_step_the_next_one_finishes(
    place: tuple[str, Contents], records: list[ExportFile], monkeypatch: pytest.MonkeyPatch
) -> None:
    where, contents = place
    kills = 0
    for attempt in range(2):  # first into an empty place, then over what is there
        for steps in range(1, 9):
            for count, record in enumerate(records[:2], start=steps + 10 * attempt):
                fill(record, count)
            done = 0
            for owner, name in ((outbox, "write_bytes"), (RemoteFolder, "write")):
                real = getattr(owner, name)

                def dying(*arguments: Any, write: Any = real, last: int = steps) -> None:
                    nonlocal done
                    if done == last:
                        raise _Killed
                    done += 1
                    write(*arguments)

                monkeypatch.setattr(owner, name, dying)
            try:
                outbox.send(where, "toy", records)
            except _Killed:
                kills += 1
                believed(contents())
            monkeypatch.undo()
            outbox.send(where, "toy", records)
            there = contents()
            assert believed(there) == ["items.parquet", "more.parquet", "proposals/x.parquet"]
            assert there["items.parquet"] == records[0].path.read_bytes()
    assert kills == 2 * 3, "four files are written each time"


def test_a_place_that_holds_something_else(place: tuple[str, Contents], records: list[ExportFile]) -> None:
    where, _ = place
    outbox.send(where, "toy", records)
    with pytest.raises(AcbenchError, match="holds records of toy"):
        outbox.send(where, "other", records)


@pytest.mark.parametrize("damage", [b"", b"{", b"[]", b'{"records": [3]}', b'{"records": {}}', b"\xff"])
def test_half_a_manifest_is_none(tmp_path: Path, records: list[ExportFile], damage: bytes) -> None:
    folder = tmp_path / "out"
    write_bytes(folder / "records.json", damage)
    assert outbox.send(str(folder), "toy", records) == (3, 3)
    assert outbox.send(str(folder), "toy", records) == (0, 3)
