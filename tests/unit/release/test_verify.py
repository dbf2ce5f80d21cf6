"""A release is sound, or it is said what is wrong with it; nothing in it is trusted."""

from __future__ import annotations

import io
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from PIL import Image

from acbench.errors import ReleaseError
from acbench.release.verify.duplicates import thumbnail
from acbench.testing import toy_visa
from tests.support.commands import here
from tests.support.releases import build, check, rehash, told, wrong

FIELD = {"@type": "cr:Field", "@id": "x/y", "dataType": "sc:Text", "source": {"fileObject": {"@id": "nosuch"}}}
"""Of a file that is not there."""
TABLE = "data/candle/test-00000-of-00001.parquet"


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A release with images. Not to be changed."""
    project = tmp_path_factory.mktemp("sound")
    return build(project, root=toy_visa(project / "images", normal=6, each=3)).folder


@pytest.fixture
def release(sound: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(sound, tmp_path / "release"))


def change(release: Path, edit: Callable[[dict[str, Any], int], dict[str, Any]], path: str = TABLE) -> None:
    """Edit rows of a table, and the manifest with it."""
    table = pq.read_table(release / path)
    rows = [edit(row, number) for number, row in enumerate(table.to_pylist())]
    pq.write_table(pa.Table.from_pylist(rows, schema=table.schema), release / path)
    rehash(release, path)


def card(release: Path, old: str, new: str) -> None:
    """Edit the card, and the manifest with it."""
    text = (release / "README.md").read_text()
    assert old in text
    (release / "README.md").write_text(text.replace(old, new))
    rehash(release, "README.md")


def manifest(release: Path, **change: Any) -> None:
    """Edit the manifest."""
    content = json.loads((release / "release.json").read_text())
    (release / "release.json").write_text(json.dumps({**content, **change}))


def test_what_was_built_is_sound(sound: Path) -> None:
    verified = check(sound)
    assert not verified.failed, verified.findings
    assert verified.statuses == {"accepted": 24}
    assert verified.classes["candle"]["chunk-of-wax-missing"] == 6


def test_a_picture_that_breaks_in_the_middle_has_no_thumbnail() -> None:
    file = io.BytesIO()
    Image.effect_noise((600, 600), 100).save(file, "PNG")
    data = bytearray(file.getvalue())
    second = data.index(b"IDAT", data.index(b"IDAT") + 4)
    data[second : second + 4] = b"\x00\x01\x02\x03"
    assert thumbnail(bytes(data)) is None


@pytest.mark.parametrize("what", ["title", "licence", "classes"])
def test_a_manifest_that_would_write_on_the_terminal_is_refused(release: Path, what: str) -> None:
    evil = "\x1b[2J"
    manifest(release, **{what: ["good", evil] if what == "classes" else evil})
    with pytest.raises(ReleaseError, match="cannot be printed"):
        check(release)


@pytest.mark.parametrize("path", ["README.md", "croissant.json", TABLE])
def test_a_flipped_byte_and_a_missing_end_are_found(release: Path, path: str) -> None:
    data = bytearray((release / path).read_bytes())
    data[len(data) // 2] ^= 1
    (release / path).write_bytes(data)
    assert "other_bytes" in wrong(check(release))
    (release / path).write_bytes(data[:-100])
    assert "other_bytes" in wrong(check(release))
    (release / path).unlink()
    assert "missing_file" in wrong(check(release))


def test_what_does_not_belong_there_is_found_and_not_run(release: Path, tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    for name in ("release.py", "data/candle/candle.py", "evil.pkl"):
        (release / name).write_text(f"open({str(ran)!r}, 'w')")
    (release / "data/candle/link.parquet").symlink_to("/etc/passwd")
    os.mkfifo(release / "pipe")
    verified = check(release)
    assert {each.path for each in verified.findings if each.failed} == {
        "release.py", "data/candle/candle.py", "evil.pkl", "data/candle/link.parquet", "pipe",
    }  # fmt: skip
    assert not ran.exists()


def test_a_table_that_is_a_link_out_of_the_folder_is_not_opened(release: Path, tmp_path: Path) -> None:
    shutil.move(release / TABLE, tmp_path / "table.parquet")
    (release / TABLE).symlink_to(tmp_path / "table.parquet")
    verified = check(release)
    assert wrong(verified) >= {"unusable_file", "unreadable_table"}


def test_a_class_that_is_renamed_in_the_card_is_found(release: Path) -> None:
    card(release, "'1': chunk-of-wax-missing", "'1': foreign-particals-on-candle-1")
    assert "class_names" in wrong(check(release))


@pytest.mark.parametrize(
    ("old", "new", "kind"),
    [
        ("license: cc-by-4.0", "license: mit", "licence"),
        ("path: data/*/test-*.parquet", "path: data/*/*.parquet", "configs"),
        ("- config_name: candle", "- config_name: kandle", "configs"),
        ("---\nlicense", "license", "card"),
        ("license: cc-by-4.0", "license: [", "card"),
        ("license: cc-by-4.0", "license: cc-by-4.0\na: &a [x, x]\nb: *a", "card"),
        ("license: cc-by-4.0", "license: !!python/object/apply:os.getcwd []", "card"),
    ],
)
def test_a_card_that_says_something_else_is_found(release: Path, old: str, new: str, kind: str) -> None:
    card(release, old, new)
    assert kind in wrong(check(release))


@pytest.mark.parametrize("names", ["x", ["x"], None, {"names": ["x"]}, {"names": {"0": []}}])
def test_class_names_of_any_form_are_compared(release: Path, names: object) -> None:
    _, front, text = (release / "README.md").read_text().split("---\n", 2)
    content = yaml.safe_load(front)
    (info,) = (info for info in content["dataset_info"] if "features" in info)
    info["features"] += [{"name": ["label"]}, {"name": "label", "dtype": {"class_label": names}}, "x"]
    (release / "README.md").write_text(f"---\n{yaml.safe_dump(content)}---\n{text}")
    rehash(release, "README.md")
    assert "class_names" in wrong(check(release))


def test_a_licence_that_is_laxer_than_the_images_is_found(release: Path) -> None:
    manifest(release, source_licence="CC-BY-NC-SA-4.0")
    assert "licence" in wrong(check(release))


@pytest.mark.parametrize(
    ("edit", "kind"),
    [
        (lambda row, n: {**row, "item_id": "same"}, "twice"),
        (lambda row, n: {**row, "category": 1}, "misplaced"),
        (lambda row, n: {**row, "split": "train"}, "misplaced"),
        (lambda row, n: {**row, "label": 9_999}, "row"),
        (lambda row, n: {**row, "label": -1, "labels": [-1]}, "row"),
        (lambda row, n: {**row, "category": -1}, "row"),
        (lambda row, n: {**row, "labels": []}, "label"),
        (lambda row, n: {**row, "labels": [0, 1]}, "label"),
        (lambda row, n: {**row, "status": "pending"}, "label"),
        (lambda row, n: {**row, "status": "fine"}, "label"),
        (lambda row, n: {**row, "reason": ""}, "label"),
        (lambda row, n: {**row, "image": None}, "no_image"),
        (lambda row, n: {**row, "image": {"bytes": None, "path": "/etc/passwd"}}, "no_image"),
        (lambda row, n: {**row, "image": {"bytes": b"x", "path": ""}}, "other_image"),
        (lambda row, n: {**row, "mask": row["image"], "mask_sha256": "0" * 64}, "other_image"),
        (lambda row, n: {**row, "width": 7}, "size"),
        (lambda row, n: {**row, "image_size": 7}, "size"),
        (lambda row, n: {**row, "mask_size": 7 if row["mask"] else None}, "size"),
    ],
)
def test_a_row_that_cannot_be_is_found(
    release: Path, edit: Callable[[dict[str, Any], int], dict[str, Any]], kind: str
) -> None:
    change(release, edit)
    verified = check(release)
    assert kind in wrong(verified)
    assert len(told(verified, kind)) <= 20


def test_a_table_of_another_form_is_found(release: Path) -> None:
    table = pq.read_table(release / TABLE)
    pq.write_table(table.drop_columns(["votes"]), release / TABLE)
    rehash(release, TABLE)
    assert "schema" in wrong(check(release))
    (release / TABLE).write_bytes(b"PAR1 junk PAR1")
    rehash(release, TABLE)
    assert "unreadable_table" in wrong(check(release))


def test_croissant_metadata_of_something_else_are_found(release: Path) -> None:
    good = json.loads((release / "croissant.json").read_text())
    for bad in (
        {**good, "@context": "http://evil.example/context"},
        {**good, "distribution": []},
        {**good, "recordSet": [{"@type": "cr:RecordSet", "@id": "x", "field": [FIELD]}]},
        [],
    ):
        (release / "croissant.json").write_text(json.dumps(bad))
        rehash(release, "croissant.json")
        assert "croissant" in wrong(check(release))


def test_the_same_file_twice_is_told_across_splits_and_labels(release: Path) -> None:
    train = "data/candle/train-00000-of-00001.parquet"
    stolen = pq.read_table(release / train).to_pylist()[0]
    same = ("image", "image_sha256", "image_size", "width", "height")
    change(release, lambda row, n: {**row, **{name: stolen[name] for name in same}} if row["label"] else row)
    found = told(check(release), "duplicate_across_splits_other_label")
    assert found and "across train and test, with different labels" in found[0].detail
    assert not found[0].failed


def test_a_picture_saved_anew_is_told_as_alike(release: Path) -> None:
    import hashlib

    rows = pq.read_table(release / TABLE).to_pylist()
    file = io.BytesIO()
    with Image.open(io.BytesIO(rows[0]["image"]["bytes"])) as picture:
        picture.save(file, "PNG")
    again = {"bytes": file.getvalue(), "path": "again.png"}
    sha256 = hashlib.sha256(again["bytes"]).hexdigest()
    saved = {"image": again, "image_sha256": sha256, "image_size": len(file.getvalue())}
    change(release, lambda row, n: {**row, **saved} if n == 1 else row)
    (found,) = told(check(release), "look_alike")
    assert rows[0]["image_path"] in found.path + found.detail


def test_photographs_of_different_parts_are_not_told_as_alike(mvtec_ad_root: Path, tmp_path: Path) -> None:
    built = build(tmp_path, "mvtec_ac", root=mvtec_ad_root, categories=("bottle",), images=True)
    verified = check(built.folder)
    assert not verified.failed
    assert [each for each in verified.findings if each.kind.startswith(("look_alike", "duplicate"))] == []


def test_a_folder_without_a_release_is_said(tmp_path: Path) -> None:
    with pytest.raises(ReleaseError, match=r"release\.json"):
        check(tmp_path)


def test_the_command_says_it_and_ends_with_3(release: Path) -> None:
    assert here("verify", release).out.splitlines()[-1] == "Sound: it is what it says."
    card(release, "'1': chunk-of-wax-missing", "'1': x")
    failed = here("verify", release, "--json")
    assert failed.status == 3 and failed.facts["failed"]
