"""Export to S3: the unit tests' own tests against a server, its faults, its requests, and the commands."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path

import pytest

from acbench.errors import AcbenchError
from acbench.testing import toy_mvtec_ad
from acbench.workflows import export as outbox
from acbench.workflows.export import ExportFile
from tests.support.commands import acbench
from tests.support.loopback_s3 import S3, gone_after, status
from tests.unit.workflows.test_export import (
    Contents,
    believed,
    fill,
    records,
    test_a_place_that_holds_something_else,
    test_killed_after_each_step_the_next_one_finishes,
    test_only_what_changed_is_sent_again,
    test_what_is_there_afterwards,
)

__all__ = [
    "records",
    "test_a_place_that_holds_something_else",
    "test_killed_after_each_step_the_next_one_finishes",
    "test_only_what_changed_is_sent_again",
    "test_what_is_there_afterwards",
]
"""These run here once more, with this `place`."""


@pytest.fixture
def place(s3: S3, bucket: str) -> tuple[str, Contents]:
    """Where to send to, and what is there."""
    return f"s3://{bucket}/out/deep", lambda: {
        key.removeprefix("out/deep/"): data for key, data in s3.objects(bucket).items()
    }


def test_what_goes_wrong_is_said(s3: S3, bucket: str, records: list[ExportFile], tmp_path: Path) -> None:
    tarfile.open(tmp_path / "x.tar", "w").close()
    for place, said in (
        (f"tar://r::file://{tmp_path}/x.tar", "cannot be written: Read-only|cannot read it"),
        ("s3://no-such-bucket/x", "cannot be written: The specified bucket does not exist"),
        ("nonsense://x", "no file system"),
    ):
        with pytest.raises(AcbenchError, match=said):
            outbox.send(place, "toy", records)
    for fault in (status(403, bucket), gone_after(0), status(500, "more.parquet")):
        with s3.failing(fault), pytest.raises(AcbenchError, match=r"cannot be|not allowed"):
            outbox.send(f"s3://{bucket}/x", "toy", records)
    assert outbox.MANIFEST not in s3.objects(bucket)
    assert outbox.send(f"s3://{bucket}/x", "toy", records) == (3, 3)
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="Not a directory"):
        outbox.send(str(tmp_path / "file" / "out"), "toy", records)


def test_requests(s3: S3, bucket: str, records: list[ExportFile]) -> None:
    outbox.send(f"s3://{bucket}/x", "toy", records)
    assert s3.counts() == (0, 1, 4)
    outbox.send(f"s3://{bucket}/x", "toy", records)
    assert s3.counts() == (0, 1, 0)
    fill(records[0], 9)
    outbox.send(f"s3://{bucket}/x", "toy", records)
    assert s3.counts() == (0, 1, 3)


def test_the_commands(s3: S3, bucket: str, tmp_path: Path) -> None:
    toy = toy_mvtec_ad(tmp_path / "toy")
    s3.upload(toy, bucket, "mvtec_ad")
    expected = {"items.parquet", "findings.parquet", "records.json"}
    for command, more in (
        (["ingest", "--root", f"s3://{bucket}/mvtec_ad"], set()),
        (["propose", "--proposer", "source_label"], {"proposals/source_label.parquet"}),
        (
            ["relabel", "--without", "neighbours"],
            {"labels.jsonl", "labels.meta.json", "reviews.jsonl", "proposals/edition.parquet"}
            | {"proposals/table_mvtec_fs.parquet"},
        ),
    ):
        done = acbench(tmp_path, *command, "mvtec_ac", "--out", f"s3://{bucket}/out")
        assert f"files sent to s3://{bucket}/out" in done.err
        expected |= more
        there = {name.removeprefix("out/"): data for name, data in s3.objects(bucket, "out/").items()}
        assert there.keys() == expected
        assert set(believed(there)) == expected - {"records.json"}
    work = tmp_path / ".acbench/mvtec_ac"
    for name, data in there.items():
        beside = tmp_path / "annotations/mvtec_ac" / name
        if name != "records.json":
            assert data == (beside if beside.exists() else work / name).read_bytes()
    assert "out" not in json.loads((work / "settings.json").read_text())
