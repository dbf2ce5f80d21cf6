"""What a release holds, and what it does not."""

from __future__ import annotations

import csv
import io
import json
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import yaml
from PIL import Image

from acbench._util.markdown import escaped
from acbench.errors import AcbenchError, ReleaseError, StorageError
from acbench.integrations.huggingface.datasets import DatasetsFormat
from acbench.records import Item, Review, item_id, mask_hash, united
from acbench.release import manifest as manifests
from acbench.release import parquet
from acbench.release.parquet import batches_of, plan_shards, write_shard
from acbench.release.pseudonyms import anonymous, load_key, pseudonyms
from acbench.release.rows import Row, make_rows, numbering_of
from acbench.review.history import by_item
from acbench.review.resolve import POLICY, POLICY_SUMMARY, machine_labels
from acbench.storage.digests import sha256_file
from acbench.storage.files import FileTree
from acbench.storage.roots import open_tree
from acbench.testing import toy_mvtec_ad, toy_visa
from acbench.workflows.label import label, prepare
from acbench.workflows.reviews import take_reviews
from acbench.workflows.run import Run
from tests.support.records import BOTTLE, MVTEC_AC, decides, item, labels_of, says
from tests.support.releases import at_work, build, check, rewritten, wrong

IMAGE = "bottle/test/contamination/000.png"


@pytest.fixture(scope="module")
def visa(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with a release with images. Not to be changed."""
    project = tmp_path_factory.mktemp("visa")
    build(project, root=toy_visa(project / "images"))
    return project


@pytest.fixture
def mvtec(tmp_path: Path) -> Path:
    """A project with images whose licence asks for more than credit, and nothing done yet."""
    toy_mvtec_ad(tmp_path / "images")
    return tmp_path


def review(project: Path, reviewer: str, **answers: str) -> None:
    """Let somebody decide images, given as path=label with `/` for `__`."""
    path = project / "decisions.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("item_id", "label", "note"))
        for image, label in answers.items():
            writer.writerow((item_id("mvtec_ad", "bottle", image), *label.split("|")))
    with at_work(project, "mvtec_ac", root=project / "images") as run:
        take_reviews(run, prepare(run), path, reviewer)


def rows_of(run: Run) -> tuple[list[Item], list[Row]]:
    """The images of what is there, and the rows of a release of it, without reviews."""
    labelled = label(run, prepare(run))
    proposed = labelled.proposed
    items = list(proposed.dataset.items)
    return items, list(make_rows(items, labelled.labels, proposed.by_item, {}, run.schema))


def read(folder: Path) -> list[dict[str, Any]]:
    """Every row of a release."""
    return [row for path in sorted(folder.rglob("*.parquet")) for row in pq.read_table(path).to_pylist()]


def front(folder: Path) -> dict[str, Any]:
    """The card's YAML."""
    found: dict[str, Any] = yaml.safe_load((folder / "README.md").read_text().split("---\n")[1])
    return found


def labelled(reviews: list[Review]) -> list[dict[str, Any]]:
    """Rows of one bottle that these people decided."""
    of = item()
    names = {each.reviewer: f"reviewer-{number}" for number, each in enumerate(reviews)}
    made = labels_of([of], {}, reviews, MVTEC_AC)
    return [*make_rows([of], made, {}, by_item(anonymous(reviews, names)), MVTEC_AC)]


# Rows


def test_a_row_says_what_and_why_and_who() -> None:
    of = item()
    proposals = {of.item_id: [says(of, "source_label", "contamination"), says(of, "clip"),
                              says(of, "mvtec_fs", "contamination", saw=("image", "people"))]}  # fmt: skip
    (row,) = make_rows([of], machine_labels([of], proposals, MVTEC_AC), proposals, {}, MVTEC_AC)
    names = numbering_of(MVTEC_AC)
    assert names.classes[0] == "good"
    assert names.classes[row["label"]] == "contamination"
    assert [names.classes[each] for each in row["labels"]] == ["contamination"]
    assert names.categories[row["category"]] == "bottle"
    assert (row["status"], row["agreement"]) == ("accepted", 1.0)
    assert [(vote["who"], vote["kind"], vote["said"]) for vote in row["votes"]] == [
        ("source_label@00000000", "dataset", "label"),
        ("clip@00000000", "model", "abstained"),
        ("mvtec_fs@00000000", "table", "label"),
    ]


def test_one_name_has_one_number_in_every_category() -> None:
    names = numbering_of(MVTEC_AC)
    assert len(set(names.classes)) == len(names.classes)
    ours = {one.id for category in MVTEC_AC.categories.values() for one in category.classes}
    assert set(names.classes) >= ours


def test_an_undecided_image_has_no_label_but_says_who_said_what() -> None:
    (row,) = labelled([decides("ada", item(), "contamination"), decides("bob", item(), "broken_large")])
    assert (row["status"], row["label"], row["labels"]) == ("pending", None, [])
    assert row["reason"] == "reviewers differ: reviewer-0 (blind): contamination; reviewer-1 (blind): broken_large"
    assert [(vote["kind"], vote["labels"]) for vote in row["votes"]] == [
        ("person", ["contamination"]),
        ("person", ["broken_large"]),
    ]


def test_a_set_without_a_place_in_the_single_label_benchmark_has_no_class_to_predict() -> None:
    (row,) = labelled([decides("ada", item(), "contamination", "broken_large")])
    assert BOTTLE.published_class(("broken_large", "contamination")) is None
    assert (row["status"], row["label"], len(row["labels"])) == ("accepted", None, 2)


def test_labels_that_were_not_made_from_the_reviews_are_refused() -> None:
    of = item()
    labels = machine_labels([of], {of.item_id: [says(of, "source_label", "contamination")]}, MVTEC_AC)
    reviews = by_item([decides("ada", of, "broken_large")])
    with pytest.raises(ReleaseError, match="not what its reviews say"):
        list(make_rows([of], labels, {}, reviews, MVTEC_AC))


def test_a_file_of_answers_is_not_named_after_its_owner() -> None:
    of = item()
    proposals = {of.item_id: [says(of, "source_label"), says(of, "file:ada_lovelace", "contamination")]}
    made = list(make_rows([of], machine_labels([of], proposals, MVTEC_AC), proposals, {}, MVTEC_AC))
    assert "lovelace" not in json.dumps(made)


# People


def test_pseudonyms_hold_within_a_version_and_not_between_versions(tmp_path: Path) -> None:
    secret = load_key(tmp_path / "key")
    assert load_key(tmp_path / "key") == secret
    assert (tmp_path / "key").stat().st_mode & 0o077 == 0
    one = pseudonyms(["ada", "bob"], secret, "1.0.0")
    assert one == pseudonyms(["bob", "ada"], secret, "1.0.0")
    other = pseudonyms(["ada", "bob"], secret, "1.1.0")
    assert not set(one.values()) & set(other.values())
    assert not set(one.values()) & set(pseudonyms(["ada", "bob"], load_key(tmp_path / "another"), "1.0.0").values())
    assert len(set(pseudonyms(map(str, range(5_000)), secret, "1.0.0").values())) == 5_000


@pytest.mark.parametrize("damage", ["cut", "folder", "link"])
def test_a_damaged_key_is_not_replaced(tmp_path: Path, damage: str) -> None:
    """With another key people would have other names in a version that is public already."""
    path = tmp_path / "pseudonyms.key"
    if damage == "cut":
        path.write_bytes(b"0123")
    elif damage == "folder":
        path.mkdir()
    else:
        path.symlink_to(tmp_path / "gone")
    with pytest.raises(StorageError, match=r"pseudonyms\.key, the key of the names .* cannot be used") as caught:
        load_key(path)
    assert caught.value.hint.endswith(f"mv {path} {path}.aside")
    assert path.is_symlink() or path.is_dir() or path.read_bytes() == b"0123"


def test_names_in_notes_become_pseudonyms_whatever_their_case() -> None:
    of = item()
    reviews = [decides("ada", of, "contamination", note="Ada asked Bob; adamant"), decides("bob", of, "contamination")]
    first, _ = anonymous(reviews, {"ada": "reviewer-1", "bob": "reviewer-2"})
    assert (first.reviewer, first.note) == ("reviewer-1", "reviewer-1 asked reviewer-2; adamant")


def test_no_name_time_or_path_of_a_reviewer_is_anywhere_in_a_release(mvtec: Path) -> None:
    review(mvtec, "Ada.Lovelace", **{"bottle/test/contamination/000.png": "broken_large|says ADA.lovelace"})
    built = build(mvtec, "mvtec_ac", root=mvtec / "images")
    everything = b"".join(path.read_bytes() for path in built.folder.rglob("*") if path.is_file())
    assert b"lovelace" not in everything.lower()
    assert str(mvtec).encode() not in everything
    assert "Lovelace" not in json.dumps(read(built.folder))
    (row,) = (row for row in read(built.folder) if row["decided_by"] == "people")
    assert re.fullmatch(r"decided by (reviewer-\w{6}) \(saw proposals\): says \1", row["reason"])
    assert row["votes"][-1]["who"] in row["reason"]
    assert "1 reviewer gave 1 decision" in (built.folder / "README.md").read_text()
    assert rewritten(mvtec, "mvtec_ac", root=mvtec / "images") == 0


# Tables


def test_the_images_are_the_source_files_byte_for_byte(visa: Path) -> None:
    folder = visa / ".acbench/visa_ac/release"
    found = read(folder)
    assert len(found) == 16
    for row in found:
        assert row["image"]["bytes"] == (visa / "images" / row["image_path"]).read_bytes()
        assert row["image"]["path"].startswith(row["item_id"])
        assert row["anomalous"] == (row["mask"] is not None)
        if row["mask"]:
            assert row["mask"]["bytes"] == (visa / "images" / row["mask_path"]).read_bytes()


def test_tables_and_their_row_groups_have_a_size_and_a_page_index(visa: Path, tmp_path: Path) -> None:
    with at_work(visa, "visa_ac") as run:
        items, made = rows_of(run)
        names = numbering_of(run.schema)
    images = open_tree(visa / "images")
    planned = plan_shards(items, names.categories, images, most=6_000)
    assert sum(len(shard.places) for shard in planned) == len(made)
    tests = [shard for shard in planned if shard.path.startswith("data/candle/test-")]
    assert [shard.path for shard in tests] == [
        f"data/candle/test-{number:05}-of-{len(tests):05}.parquet" for number in range(len(tests))
    ]
    assert len(tests) > 1
    (whole, *_) = plan_shards(items, names.categories, images)
    form = DatasetsFormat().arrow_schema(names.categories, names.classes, images=True)
    batches = batches_of([made[place] for place in whole.places], form)
    write_shard(tmp_path / "x.parquet", batches, form, images, most=4_000)
    metadata = pq.read_metadata(tmp_path / "x.parquet")
    groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
    assert metadata.num_rows == len(whole.places)
    assert len(groups) > 1
    assert all(group.total_byte_size < 12_000 for group in groups)
    assert all(group.column(0).has_offset_index and group.column(0).has_column_index for group in groups)


def test_the_same_labels_give_the_same_bytes_and_nothing_is_written_twice(visa: Path, tmp_path: Path) -> None:
    folder = visa / ".acbench/visa_ac/release"
    before = {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert rewritten(visa) == 0
    other = build(tmp_path, root=visa / "images")
    assert {path.name: path.read_bytes() for path in other.folder.rglob("*") if path.is_file()} == before


def test_what_an_earlier_release_left_is_taken_away(visa: Path, tmp_path: Path) -> None:
    project = Path(shutil.copytree(visa, tmp_path / "project", ignore=shutil.ignore_patterns("images")))
    folder = project / ".acbench/visa_ac/release"
    (folder / "data/old").mkdir()
    (folder / "data/old/test-00000-of-00001.parquet").write_bytes(b"old")
    (folder / "README.md").write_text("by hand")
    assert rewritten(project) == 1
    assert not (folder / "data/old").exists()
    assert wrong(check(folder)) == set()


def test_an_image_that_changes_meanwhile_stops_the_release(mvtec: Path) -> None:
    with at_work(mvtec, "mvtec_ac", root=mvtec / "images") as run:
        _, made = rows_of(run)
    (mvtec / "images" / IMAGE).write_bytes(b"other")
    names = numbering_of(MVTEC_AC)
    form = DatasetsFormat().arrow_schema(names.categories, names.classes, images=True)
    with pytest.raises(ReleaseError, match="has changed while the release was made"):
        write_shard(mvtec / "x.parquet", batches_of(made, form), form, open_tree(mvtec / "images"))
    assert not (mvtec / "x.parquet").exists()


# Licences, versions


def test_images_stay_out_where_the_licence_asks_for_more_than_credit(mvtec: Path) -> None:
    built = build(mvtec, "mvtec_ac", root=mvtec / "images")
    assert not built.manifest.images
    assert "image" not in read(built.folder)[0]
    assert front(built.folder)["license"] == "cc-by-nc-sa-4.0"
    asked = build(mvtec, "mvtec_ac", images=True)
    assert asked.manifest.images
    assert read(asked.folder)[0]["image"]["bytes"]
    assert wrong(check(asked.folder)) == set()


def test_a_licence_that_is_laxer_than_the_images_is_refused(mvtec: Path) -> None:
    schema = Path(__file__).parents[3] / "label_schemas/mvtec_ac.yaml"
    lax = mvtec / "lax.yaml"
    lax.write_text(schema.read_text().replace("licence: CC-BY-NC-SA-4.0", "licence: CC-BY-4.0"))
    with pytest.raises(AcbenchError, match="is laxer than CC-BY-NC-SA"):
        build(mvtec, str(lax), root=mvtec / "images")
    assert not (mvtec / ".acbench/mvtec_ac/release/README.md").exists()


@pytest.mark.parametrize("version", ["1", "v1.0.0", "1.0", "1.0.0-rc1", "01.0.0", "1.0.0\n"])
def test_a_version_is_three_numbers(visa: Path, version: str) -> None:
    with pytest.raises(ReleaseError, match=r"MAJOR\.MINOR\.PATCH"):
        build(visa, version=version)


# The card


def test_the_card_says_the_classes_in_the_order_of_their_numbers(visa: Path) -> None:
    folder = visa / ".acbench/visa_ac/release"
    manifest = manifests.parse((folder / "release.json").read_bytes())
    data = front(folder)
    features = {each["name"]: each for each in next(i for i in data["dataset_info"] if "features" in i)["features"]}
    names = features["label"]["dtype"]["class_label"]["names"]
    assert [names[str(number)] for number in range(len(names))] == list(manifest.classes)
    assert [each["config_name"] for each in data["configs"]] == ["all", "candle", "pcb4"]
    assert data["configs"][0]["data_files"][1]["path"] == "data/*/test-*.parquet"


def test_the_card_tells_what_a_researcher_asks(visa: Path) -> None:
    text = (visa / ".acbench/visa_ac/release/README.md").read_text()
    for heading in ("Use it", "The task", "How the labels were made", "Agreement", "Changes", "Classes", "Columns",
                    "Limits", "Licence", "Cite"):  # fmt: skip
        assert f"\n## {heading}\n" in text
    assert "No person has reviewed these labels yet" in text
    assert "A part of the source dataset" in text
    assert 'load_dataset("ORG/NAME", "candle", split="test", revision="v1.0.0")' in text
    assert "This is the first release." in text
    assert "SPot-the-Difference" in text and "2505.02626" in text
    assert POLICY in text and all(f"\n- {rule}\n" in text for rule in POLICY_SUMMARY)
    assert "$" not in text.split("---\n", 2)[2]


@pytest.mark.parametrize(
    ("decided", "head", "limit", "creators"),
    [
        (1, "1 of 6 anomalous labels was decided by people", "the other 5.", ["expert-generated", "found"]),
        (4, "4 of 6 anomalous labels were decided by people", "the other 2.", ["expert-generated", "found"]),
        (6, "", "", ["expert-generated"]),
    ],
)  # fmt: skip
def test_the_card_says_how_many_labels_people_decided(
    mvtec: Path, decided: int, head: str, limit: str, creators: list[str]
) -> None:
    answers = {
        f"bottle/test/{name}/{index:03}.png": f"{name}|"
        for name in ("broken_large", "contamination", "broken_small")
        for index in range(2)
    }
    toy_mvtec_ad(mvtec / "images", {"bottle": ["broken_small"]})
    review(mvtec, "ada", **dict(list(answers.items())[:decided]))
    built = build(mvtec, "mvtec_ac", root=mvtec / "images", categories=("bottle",))
    text = (built.folder / "README.md").read_text()
    assert "No person has" not in text
    assert f"{decided} of 6 anomalous labels {'was' if decided == 1 else 'were'} decided by people." in text
    assert (f"> **{head}.** The others stand on the source dataset's word" in text) == bool(head)
    assert (f"- {head}. Errors of the source's labels can still be in {limit}\n" in text) == bool(head)
    assert front(built.folder)["annotations_creators"] == creators


def test_the_card_tells_of_a_normal_image_that_is_none(mvtec: Path) -> None:
    toy_mvtec_ad(mvtec / "images", {"bottle": ["broken_small"]})
    review(mvtec, "ada", **{"bottle/test/good/000.png": "contamination|"})
    built = build(mvtec, "mvtec_ac", root=mvtec / "images", categories=("bottle",))
    text = (built.folder / "README.md").read_text()
    assert "Of the images that the source calls normal, 1 is not `good` here." in text
    assert "| bottle | `good` | `contamination` | 1 |" in text


def test_the_card_says_what_the_schema_settled_for_its_categories_alone(mvtec: Path) -> None:
    built = build(mvtec, "mvtec_ac", root=mvtec / "images", categories=("bottle",))
    _, _, reasons = (built.folder / "README.md").read_text().partition("Why, as the label schema says:\n\n")
    said = reasons.partition("\n\n")[0].splitlines()
    assert len(said) == len(BOTTLE.boundaries) > 0
    assert said[0] == f"- bottle: `broken_large` / `broken_small`: {escaped(BOTTLE.boundaries[0].reason)}"


def test_the_card_counts_classes_in_one_way(visa: Path) -> None:
    kept = [row for row in read(visa / ".acbench/visa_ac/release") if row["anomalous"] and row["status"] == "accepted"]
    several = {(row["category"], each) for row in kept for each in row["labels"]}
    single = [(row["category"], row["label"]) for row in kept if row["label"] is not None]
    text = (visa / ".acbench/visa_ac/release/README.md").read_text()
    assert (len(set(single)), len(single), len(several)) == (1, 2, 5)
    assert " · 1 class of defect to predict in 2 images · " in text
    assert "`label` has 1 class of defect and `labels` has 5, on accepted test images" in text
    assert "- 5 of the 5 classes in `labels` have fewer than 10 test images" in text


# The manifest


@pytest.mark.parametrize(
    "damage",
    [
        b"", b"[]", b"{", b"\xff", b"{}", b"[" * 100_000, b'{"format": 1}', b'{"format": "1"}',
        {"version": "x"}, {"files": []}, {"files": {"../x": {}}}, {"classes": ["a", "a"]}, {"format": 99},
        {"files": {"README.md": {"sha256": "x", "size": 1}}}, {"images": "yes"}, {"previous": "1"}, {"more": 1},
        {"files": {"data/../x/test-00000-of-00001.parquet": {"sha256": "0" * 64, "size": 1}}},
    ],
    ids=str,
)  # fmt: skip
def test_a_damaged_manifest_is_refused(visa: Path, damage: bytes | dict[str, Any]) -> None:
    good = json.loads((visa / ".acbench/visa_ac/release/release.json").read_bytes())
    data = damage if isinstance(damage, bytes) else json.dumps({**good, **damage}).encode()
    with pytest.raises(ReleaseError):
        manifests.parse(data)


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"images": "yes"}, "field images: expected bool, got str"),
        ({"previous": {"version": "1.0.0"}}, "field previous.commit is missing"),
        ({"files": {"README.md": {"sha256": 1, "size": 1}}}, "sha256: expected str, got int"),
        ({"\x1b[2Jmore": 1}, "has no field  ?\\[2Jmore$"),
        ({"categories": ["a", 7]}, r"field categories\[1\]: expected str, got int"),
    ],
)
def test_what_is_wrong_with_a_manifest_is_named(visa: Path, change: dict[str, Any], what: str) -> None:
    good = json.loads((visa / ".acbench/visa_ac/release/release.json").read_bytes())
    with pytest.raises(ReleaseError, match=r"^release\.json is damaged: ") as caught:
        manifests.parse(json.dumps({**good, **change}).encode())
    assert re.search(what, caught.value.message) and caught.value.message.isprintable()


def test_a_manifest_comes_back_as_it_was(visa: Path) -> None:
    data = (visa / ".acbench/visa_ac/release/release.json").read_bytes()
    assert manifests.parse(data).to_bytes() == data


def test_of_several_masks_the_release_holds_one(tmp_path: Path) -> None:
    paths = ("image.png", "left.png", "right.png")
    for path, box in zip(paths, ((0, 0, 8, 8), (0, 0, 2, 8), (6, 0, 8, 8)), strict=True):
        picture = Image.new("L", (8, 8))
        picture.paste(255, box)
        picture.save(tmp_path / path)
    hashes = [sha256_file(tmp_path / path) for path in paths]
    row: Any = {
        "item_id": "box-1", "image_path": paths[0], "image_sha256": hashes[0], "mask_path": united(paths[1:]),
        "mask_sha256": mask_hash(hashes[1:]),
    }  # fmt: skip
    cells, _ = parquet.with_images(row, FileTree(tmp_path))
    assert cells["mask"]["path"] == "box-1_mask.png"
    mask = np.asarray(Image.open(io.BytesIO(cells["mask"]["bytes"]))) > 0
    assert mask.any(axis=0).tolist() == [True, True, *[False] * 4, True, True]
    Image.new("L", (8, 8)).save(tmp_path / "right.png")
    with pytest.raises(ReleaseError, match="has changed"):
        parquet.with_images(row, FileTree(tmp_path))
