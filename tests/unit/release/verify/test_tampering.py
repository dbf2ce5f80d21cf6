"""Releases that contradict themselves are found, although every hash was written anew after the change."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from acbench.cli.screen import Screen
from acbench.errors import ReleaseError
from acbench.records import Finding
from acbench.release import bounds
from acbench.release.entries import read_entries, read_manifest
from acbench.release.folder import ReleaseFolder
from acbench.release.verify.verify import verify
from acbench.testing import toy_visa
from acbench.workflows import releases
from acbench.workflows.releases import diff_releases, known_of
from tests.support.commands import here
from tests.support.releases import at_work, build, rehash

TABLE = "data/candle/test-00000-of-00001.parquet"
Row = dict[str, Any]


class NoLoading:
    """`datasets`, without the loading, which takes most of the time."""

    def __init__(self) -> None:
        from acbench.integrations.huggingface.datasets import DatasetsFormat

        self.arrow_schema = DatasetsFormat().arrow_schema
        self.card_data = DatasetsFormat().card_data

    def round_trip(self, *_: object) -> list[str]:
        return []


def check(folder: Path) -> list[Finding]:
    """What is found in a release."""
    from acbench.integrations.huggingface.croissant import Croissant

    return verify(ReleaseFolder(folder), NoLoading(), Croissant(), known_of(None), Screen().stage).findings


def faults(folder: Path) -> list[str]:
    return [f"{each.kind}: {each.detail}" for each in check(folder) if each.failed]


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A release without images, with decisions of two people. Not to be changed."""
    project = tmp_path_factory.mktemp("sound")
    images = toy_visa(project / "images", normal=3, each=2)
    first = build(project, images=False, root=images).folder
    rows = [row for row in pq.read_table(first / TABLE).to_pylist() if row["anomalous"]][:2]
    decisions = project / "decisions.csv"
    for who, label in (("ada", "chunk-of-wax-missing"), ("bob", "damaged-corner-of-packaging")):
        lines = [f"{rows[0]['item_id']},chunk-of-wax-missing", f"{rows[1]['item_id']},{label}"]
        decisions.write_text("item_id,label\n" + "\n".join(lines) + "\n")
        assert here("review", "take", "visa_ac", decisions, "--reviewer", who, "--project", project).status == 0
    with at_work(project, "visa_ac"):
        pass
    return build(project, images=False).folder


@pytest.fixture
def release(sound: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(sound, tmp_path / "release"))


def change(release: Path, edit: Callable[[Row], Row]) -> None:
    """Edit the rows of a table, and the manifest with it."""
    table = pq.read_table(release / TABLE)
    rows = [{**row, **edit(row)} for row in table.to_pylist()]
    assert rows != table.to_pylist()
    pq.write_table(pa.Table.from_pylist(rows, schema=table.schema), release / TABLE)
    rehash(release, TABLE)


def signed(release: Path) -> None:
    """Write the hashes of all tables into the Croissant metadata, as a careful forger would."""
    files = json.loads((release / "release.json").read_text())["files"]
    content = json.loads((release / "croissant.json").read_text())
    for each in content["distribution"]:
        if "contentUrl" not in each:
            continue
        each |= {"sha256": files[each["contentUrl"]]["sha256"], "contentSize": f"{files[each['contentUrl']]['size']} B"}
    (release / "croissant.json").write_text(json.dumps(content))
    rehash(release, "croissant.json")


def test_what_was_built_is_sound(sound: Path) -> None:
    assert [each for each in check(sound) if each.failed or each.kind == "unchecked"] == []
    rows = pq.read_table(sound / TABLE).to_pylist()
    assert {row["decided_by"] for row in rows} >= {"people"} and "pending" in {row["status"] for row in rows}


def of(kind: str) -> Callable[[Row], bool]:
    """Tells rows of a kind."""
    return {
        "normal": lambda row: not row["anomalous"],
        "anomalous": lambda row: row["anomalous"] and row["status"] == "accepted",
        "people": lambda row: row["decided_by"] == "people",
        "pending": lambda row: row["status"] == "pending",
        "source": lambda row: row["anomalous"] and row["decided_by"] not in ("people", "nobody"),
    }[kind]


def voted(**changed: Any) -> Callable[[Row], Row]:
    """Change every vote of a row."""
    return lambda row: {"votes": [{**vote, **changed} for vote in row["votes"]]}


HISTORY = [{"who": "reviewer-1", "round": 1, "date": None, "said": "label", "labels": ["good"], "sight": "blind",
            "place": 1, "schema_version": None}]  # fmt: skip


def history(**changed: Any) -> Callable[[Row], Row]:
    """Change every decision in the history of a row."""
    return lambda row: {"history": [{**decision, **changed} for decision in row["history"]]}


ROWS: list[tuple[str, str, Callable[[Row], Row], str]] = [
    ("label is another class", "anomalous", lambda row: {"label": (row["label"] or 0) % 3 + 1}, "label: "),
    ("label is none", "anomalous", lambda row: {"label": None}, "`label` is None"),
    ("label is good, labels are not", "anomalous", lambda row: {"label": 0}, "label: "),
    ("label and labels are another class", "source", lambda row: {"label": 2, "labels": [2]}, "labels: "),
    ("a class of another category", "source", lambda row: {"labels": [40], "label": 40}, "is no class of candle"),
    ("a defect is called good", "source", lambda row: {"label": 0, "labels": [0]}, "labels: "),
    ("a normal image is called a defect", "normal", lambda row: {"label": 1, "labels": [1]}, "labels: "),
    ("an anomalous image is called normal", "source", lambda row: {"anomalous": False}, "anomalous: "),
    ("a normal image is called anomalous", "normal", lambda row: {"anomalous": True}, "anomalous: "),
    ("pending is accepted", "pending", lambda row: {"status": "accepted", "labels": [1], "label": 1}, "status: "),
    ("accepted is pending", "people", lambda row: {"status": "pending", "labels": [], "label": None}, "status: "),
    ("excluded without a reason for it", "source", lambda row: {"status": "excluded", "label": None}, "status: "),
    ("excluded, and people did not say so", "people", lambda row: {"status": "excluded", "label": None}, "status: "),
    ("people decided, says the row", "source", lambda row: {"decided_by": "people"}, "decided_by: "),
    ("nobody decided, says the row", "people", lambda row: {"decided_by": "nobody"}, "decided_by: "),
    ("a reason of people", "source", lambda row: {"reason": "decided by reviewer-1"}, "reason: "),
    ("a reason of nobody", "people", lambda row: {"reason": "so it is"}, "reason: "),
    ("a reason that is another reviewer", "people", lambda row: {"reason": "decided by ada (blind)"}, "reason: "),
    ("agreement of nobody", "source", lambda row: {"agreement": 0.5}, "agreement: "),
    ("agreement is higher", "pending", lambda row: {"agreement": 1.0}, "agreement: "),
    ("votes are gone", "people", lambda row: {"votes": []}, "status: "),
    ("votes of people are gone", "people",
     lambda row: {"votes": [vote for vote in row["votes"] if vote["kind"] != "person"]}, "decided_by: "),
    ("votes name another class", "source", voted(labels=["damaged-corner-of-packaging"]), "labels: "),
    ("votes of an unknown kind", "source", voted(kind="oracle"), "votes: "),
    ("votes that say something unknown", "people", voted(said="surely"), "votes: "),
    ("a person becomes unsure", "people", voted(said="unsure", labels=[]), ""),
    ("hash is empty", "anomalous", lambda row: {"image_sha256": ""}, "its image has no hash"),
    ("hash is a word", "anomalous", lambda row: {"image_sha256": "x" * 64}, "no hash"),
    ("hash is short", "anomalous", lambda row: {"image_sha256": row["image_sha256"][:-1]}, "no hash"),
    ("hash is in capitals", "anomalous", lambda row: {"image_sha256": "A" * 64}, "no hash"),
    ("hash of a mask that is not there", "normal", lambda row: {"mask_sha256": "0" * 64}, "no mask"),
    ("mask without a hash", "anomalous", lambda row: {"mask_sha256": None}, "its mask has no hash"),
    ("hash of a mask is a word", "anomalous", lambda row: {"mask_sha256": "no"}, "no hash"),
    ("name of another class", "anomalous", lambda row: {"label_name": "other"}, "names: "),
    ("name of no class", "anomalous", lambda row: {"label_name": None}, "names: "),
    ("names of other classes", "anomalous", lambda row: {"label_names": ["other"]}, "names: "),
    ("name of another category", "normal", lambda row: {"category_name": "pcb4"}, "names: "),
    ("no bytes", "anomalous", lambda row: {"image_size": 0}, "size: "),
    ("bytes of a mask that is not there", "normal", lambda row: {"mask_size": 7}, "size: "),
    ("the history is gone", "people", lambda row: {"history": []}, ": its votes of people"),
    ("the history has one more", "normal", lambda row: {"history": HISTORY}, ": its votes of people"),
    ("the history is of other classes", "people", history(labels=["other"]), ": its votes of people"),
    ("the history is of somebody else", "people", history(who="reviewer-0"), ": its votes of people"),
    ("the history is blind", "people", history(sight="blind"), ": its votes of people"),
    ("the history saw nothing that is known", "people", history(sight="x"), ": there is no sight"),
    ("the history says nothing that is known", "people", history(said="x"), ": nobody can have said"),
    ("the history says a class and means none", "people", history(said="unsure"), ": a decision names"),
    ("the history has a time", "people", history(date="2026-01-01T10:00"), ": a decision is dated"),
    ("the history begins at nothing", "people", history(round=0), ": rounds"),
    ("the history is turned round", "people", lambda row: {"history": row["history"][::-1]}, ": the decisions"),
    ("the history has gaps", "people", history(round=None), "row: "),
    ("another schema version", "anomalous", lambda row: {"schema_version": "99"}, "schema_version: "),
    ("another source label", "source", lambda row: {"source_labels": ["other"]}, "card: "),
]  # fmt: skip


def named(edited: Row, release: Path) -> Row:
    """An edit with names that fit its numbers, as a careful forger would write them; history follows votes."""
    classes = json.loads((release / "release.json").read_text())["classes"]
    if "label" in edited:
        edited.setdefault("label_name", None if edited["label"] is None else classes[edited["label"]])
    if "labels" in edited:
        edited.setdefault("label_names", [classes[number] for number in edited["labels"]])
    return edited


@pytest.mark.parametrize(("kind", "edit", "told"), [row[1:] for row in ROWS], ids=[row[0] for row in ROWS])
def test_a_row_that_contradicts_itself(release: Path, kind: str, edit: Callable[[Row], Row], told: str) -> None:
    change(release, lambda row: named(edit(row), release) if of(kind)(row) else row)
    signed(release)
    found = faults(release)
    assert any(told in each for each in found), found
    assert not any(each.startswith(("other_bytes", "schema: ", "unreadable")) for each in found)


MANIFEST: list[tuple[str, dict[str, Any] | str, str]] = [
    ("version", {"version": "9.9.9", "versions": [{"version": "9.9.9"}]},
     "its version is '1.0.0', that of the release 9.9.9"),
    ("version, not in the list", {"version": "9.9.9"}, "the last of its versions is 1.0.0, and it is version 9.9.9"),
    ("title", {"title": "Other"}, "title"),
    ("licence of the images", {"source_licence": "CC0-1.0"}, "licence: "),
    ("licence", {"licence": "CC-BY-SA-4.0"}, "licence"),
    ("source", {"source": "mvtec_ad"}, "source"),
    ("schema version", {"schema_version": "99"}, "schema version"),
    ("previous release", {"previous": {"version": "0.9.0", "commit": "0" * 40},
                          "versions": [{"version": "0.9.0"}, {"version": "1.0.0"}]}, "card: "),
    ("previous release, not in the list", {"previous": {"version": "0.9.0", "commit": "0" * 40}},
     "the version before it is none by the list, and it says 0.9.0"),
    ("a version that was never released", {"versions": [{"version": "0.9.0"}, {"version": "1.0.0"}]},
     "the version before it is 0.9.0 by the list, and it says none"),
    ("a version twice", {"versions": [{"version": "1.0.0"}, {"version": "1.0.0"}]}, "or one is there twice"),
    ("versions in another order", {"versions": [{"version": "1.1.0"}, {"version": "1.0.0"}]}, "not in their order"),
    ("a later date before an earlier one", {"previous": {"version": "0.9.0", "commit": "0" * 40}, "versions": [
        {"version": "0.9.0", "date": "2027-01-01"}, {"version": "1.0.0", "date": "2026-01-01"}]},
     "a version is dated before one that it follows"),
    ("the first version changes something", {"versions": [{"version": "1.0.0", "changes": {"relabelled": 3}}]},
     "1.0.0 is the first version, and changes something"),
    ("a version changes what cannot be", {"previous": {"version": "0.9.0", "commit": "0" * 40}, "versions": [
        {"version": "0.9.0"}, {"version": "1.0.0", "changes": {"improved": 3}}]}, "nothing can be 'improved'"),
    ("another date", {"versions": [{"version": "1.0.0", "date": "2020-01-01"}]}, "card: "),
    ("the version is deprecated", {"versions": [{"version": "1.0.0", "deprecated": "it is bad"}]}, "card: "),
    ("no list of versions", {"versions": []}, "card: "),
    ("classes", {"classes": ["good", "other"]}, "classes"),
    ("categories in another order", "categories", "categories"),
    ("images", {"images": True}, "schema: "),
]  # fmt: skip


@pytest.mark.parametrize(("edit", "told"), [row[1:] for row in MANIFEST], ids=[row[0] for row in MANIFEST])
def test_a_manifest_that_says_something_else(release: Path, edit: dict[str, Any] | str, told: str) -> None:
    content = json.loads((release / "release.json").read_text())
    if isinstance(edit, str):
        edit = {edit: content[edit][::-1]}
    (release / "release.json").write_text(json.dumps({**content, **edit}))
    found = faults(release)
    assert any(told in each for each in found), found


SHARD: list[tuple[str, Callable[[dict[str, Any]], object], str]] = [
    ("hash of a table", lambda files: files[TABLE].update(sha256="0" * 64), "other_bytes: "),
    ("hash of the card", lambda files: files["README.md"].update(sha256="0" * 64), "other_bytes: "),
    ("size of a table", lambda files: files[TABLE].update(size=files[TABLE]["size"] + 1), "other_bytes: "),
    ("rows of a table", lambda files: files[TABLE].update(rows=files[TABLE]["rows"] + 1), "rows: "),
    ("a table that is not there", lambda files: files.update({TABLE.replace("candle", "pcb4x"): files[TABLE]}),
     "missing_file: "),
    ("a table that it does not name", lambda files: files.pop(TABLE), "unexpected_file: "),
    ("size in memory", lambda files: files[TABLE].update(uncompressed=7), "card: "),
    ("no hash", lambda files: files[TABLE].update(sha256=""), "sha256, size or rows"),
    ("a negative size", lambda files: files[TABLE].update(size=-1), "sha256, size or rows"),
    ("a file outside", lambda files: files.update({"../x.parquet": files[TABLE]}), "a release has no file"),
]  # fmt: skip


@pytest.mark.parametrize(("edit", "told"), [row[1:] for row in SHARD], ids=[row[0] for row in SHARD])
def test_a_manifest_whose_files_are_others(release: Path, edit: Callable[[dict[str, Any]], object], told: str) -> None:
    content = json.loads((release / "release.json").read_text())
    edit(content["files"])
    (release / "release.json").write_text(json.dumps(content))
    try:
        found = faults(release)
    except ReleaseError as error:  # it cannot even be read
        found = [error.message]
    assert any(told in each for each in found), found


TABLES: list[tuple[str, Callable[[pa.Table], pa.Table], str]] = [
    ("a column is gone", lambda table: table.drop_columns(["votes"]), "schema: "),
    ("a column more", lambda table: table.append_column("more", [[1] * len(table)]), "schema: "),
    ("a column of another type", lambda table: table.set_column(
        table.schema.get_field_index("width"), "width", table["width"].cast("float64")), "schema: "),
    ("no names of classes", lambda table: table.replace_schema_metadata(None), "schema: "),
    ("other names of classes", lambda table: table.replace_schema_metadata(
        {key: value.replace(b"chunk-of-wax", b"lump-of-wax") for key, value in table.schema.metadata.items()}),
     "schema: "),
    ("a row is gone", lambda table: table.slice(1), "rows: "),
    ("a row twice", lambda table: pa.concat_tables([table.slice(1), table.slice(1, 1)]), "has two rows"),
]  # fmt: skip


@pytest.mark.parametrize(("edit", "told"), [row[1:] for row in TABLES], ids=[row[0] for row in TABLES])
def test_a_table_of_another_form(release: Path, edit: Callable[[pa.Table], pa.Table], told: str) -> None:
    pq.write_table(edit(pq.read_table(release / TABLE)), release / TABLE)
    rehash(release, TABLE)
    signed(release)
    found = faults(release)
    assert any(told in each for each in found), found


CARD = [
    ("a number of images", " images · ", "0 images · "),
    ("who decided", "was decided by people", "was decided by experts"),
    ("the version", "version 1.0.0", "version 1.0.1"),
    ("a promise", "## Limits", "Checked by three experts.\n\n## Limits"),
    ("the command", "acbench score", "curl evil.example; acbench score"),
    ("the end", "## Limits", "## Bounds"),
    ("the creators", "- found", "- expert-generated"),
]


@pytest.mark.parametrize(("old", "new"), [row[1:] for row in CARD], ids=[row[0] for row in CARD])
def test_a_card_that_the_tables_do_not_give(release: Path, old: str, new: str) -> None:
    text = (release / "README.md").read_text()
    assert old in text
    (release / "README.md").write_text(text.replace(old, new))
    rehash(release, "README.md")
    assert any(each.startswith("card: ") for each in faults(release))


@pytest.mark.parametrize("key", ["version", "name", "license", "citeAs", "description", "recordSet", "distribution"])
def test_croissant_metadata_that_the_tables_do_not_give(release: Path, key: str) -> None:
    content = json.loads((release / "croissant.json").read_text())
    content[key] = content[key][:-1] if isinstance(content[key], list) else f"{content[key]}x"
    (release / "croissant.json").write_text(json.dumps(content))
    rehash(release, "croissant.json")
    assert faults(release)


@pytest.mark.parametrize(
    ("edit", "told"),
    [
        ({"policy": "witnesses-99"}, "status and reason by the policy witnesses-99"),
        ({"schema_digest": "00000000"}, "it was made with another schema (00000000)"),
        ({"acbench": "9.9"}, "acbench 9.9 wrote it"),
    ],
)
def test_what_cannot_be_checked_is_said(release: Path, edit: dict[str, Any], told: str) -> None:
    content = json.loads((release / "release.json").read_text())
    (release / "release.json").write_text(json.dumps({**content, **edit}))
    assert any(told in each.detail for each in check(release) if each.kind == "unchecked")


# Bounds


def bomb(release: Path, edit: Callable[[Row], Row]) -> None:
    table = pq.read_table(release / TABLE)
    rows = [{**row, **edit(row)} for row in table.to_pylist()]
    pq.write_table(pa.Table.from_pylist(rows, schema=table.schema), release / TABLE, compression="zstd")
    rehash(release, TABLE)


BOMBS: list[tuple[str, Callable[[Row], Row]]] = [
    ("a long text", lambda row: {"reason": "x" * 1_000_001 * 2}),
    ("a long list", lambda row: {"labels": [1] * 20_000}),
    ("a long text in a vote", voted(who="x" * 2_000_002)),
    ("many votes", lambda row: {"votes": row["votes"] * 20_000}),
]


@pytest.mark.parametrize("edit", [row[1] for row in BOMBS], ids=[row[0] for row in BOMBS])
def test_a_small_file_that_unpacks_to_much_is_not_unpacked(release: Path, edit: Callable[[Row], Row]) -> None:
    bomb(release, edit)
    assert (release / TABLE).stat().st_size < 200_000
    assert any(each.startswith("unreadable_table: ") for each in faults(release))


def test_diff_and_score_unpack_no_more_than_verify(release: Path) -> None:
    bomb(release, lambda row: {"reason": "x" * 2_000_002})
    folder = ReleaseFolder(release)
    with pytest.raises(ReleaseError, match="has a text of 2,000,002 bytes"):
        read_entries(folder, read_manifest(folder))


def test_lists_of_lists_of_lists_are_not_unpacked(release: Path) -> None:
    deep: Any = pa.int64()
    for _ in range(40):
        deep = pa.list_(deep)
    pq.write_table(pa.table({"labels": pa.array([None], type=deep)}), release / TABLE)
    rehash(release, TABLE)
    assert any("deep" in each for each in faults(release) if each.startswith("unreadable_table: "))


def test_a_row_group_that_says_it_is_large_is_not_read(release: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounds, "MAX_TEXTS", 100)
    assert any("is larger than" in each for each in faults(release))


# What relies on hashes compares them


def test_score_and_diff_compare_the_hashes_that_they_rely_on(sound: Path, release: Path, tmp_path: Path) -> None:
    change(release, lambda row: {"reason": "other"})
    shutil.copy(sound / "release.json", release)
    with pytest.raises(ReleaseError, match=r"is not the table that release\.json names"):
        diff_releases(str(sound), str(release), print)
    answers = tmp_path / "answers.csv"
    answers.write_text("image,label\ncandle/Data/Images/Anomaly/000.JPG,good\n")
    done = here("score", "--truth", release, "--predictions", answers)
    assert done.status == 1 and "is not the table that release.json names" in done.err


def test_a_tag_that_names_another_version(sound: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(releases, "_download", lambda *_: (ReleaseFolder(sound), []))
    monkeypatch.setattr("acbench.integrations.huggingface.datasets.DatasetsFormat.round_trip", lambda *_: [])
    for name, revision, failed in (("my-org/x@v1.0.1", None, True), ("my-org/x", "v1.0.0", False), ("a/b", "x", False)):
        verified = releases.check_release(name, revision, None, Screen()).verified
        assert verified.failed == failed
        assert any("it was asked for as v1.0.1" in each.detail for each in verified.findings) == failed


def test_releases_of_two_benchmarks_are_not_compared(sound: Path, release: Path) -> None:
    content = json.loads((release / "release.json").read_text())
    (release / "release.json").write_text(json.dumps({**content, "benchmark": "other"}))
    with pytest.raises(ReleaseError, match="releases of two benchmarks: other and visa_ac"):
        diff_releases(str(sound), str(release), print)


@pytest.fixture(autouse=True)
def quiet(capsys: pytest.CaptureFixture[str]) -> Iterator[None]:
    yield
    capsys.readouterr()
