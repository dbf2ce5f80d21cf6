"""A dataset of one's own, from a folder to a release: what is typed is little, and what is printed works."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest

import acbench
from acbench.cli.screen import Screen
from acbench.errors import AcbenchError, ReleaseError, SchemaError
from acbench.integrations.huggingface.croissant import Croissant
from acbench.records import item_id
from acbench.release.folder import ReleaseFolder
from acbench.schema import load
from acbench.testing import toy_layout, toy_mvtec_ad
from acbench.workflows import schema_init
from acbench.workflows.releases import check_folder, known_of
from tests.support.commands import Done, here
from tests.support.releases import at_work, build, check, wrong

FOLDER = "Metal Nut (ü)"
KEY = "metal_nut_u"
SHORT = f"categories:\n  {FOLDER}: [bent, Scratch-es]\n"
PUBLISHER = """\
home: https://example.org/nuts
attribution: Pictures by Ada Lovelace, 2026
citation: "Lovelace: Nuts. 2026."
image_licence: cc-by-nc-sa-4.0
"""
DEFINED = f"""\
categories:
  {FOLDER}:
    classes:
      bent: The thread or the face is bent, so that the outline is no longer even.
      Scratch-es: A thin bright line across the face, which light from the side shows best.
"""


@pytest.fixture
def nuts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to work in, with images in `data`. It is the current folder."""
    toy_mvtec_ad(tmp_path / "data", {FOLDER: ("Bent", "scratch es")})
    monkeypatch.chdir(tmp_path)
    return tmp_path


def relabel(folder: Path, schema: str = "nuts.yaml") -> list[dict[str, str]]:
    """The labels after a relabel."""
    done = here("relabel", schema, "--root", folder / "data", "--without", "neighbours")
    assert done.status == 0, done.said
    return kept(folder)


def kept(folder: Path, benchmark: str = "nuts") -> list[dict[str, str]]:
    lines = (folder / f"annotations/{benchmark}/labels.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def printed(done: Done) -> list[list[str]]:
    """The commands that a command printed, in words."""
    assert done.status == 0, done.said
    return [
        shlex.split(line) for line in re.findall(r"acbench ((?:relabel|status|ingest|plan|app|schema) .*)", done.out)
    ]


class TestNames:
    def test_the_category_fits_anywhere_from_the_start_and_labels_fold(self, nuts: Path) -> None:
        (nuts / "nuts.yaml").write_text(SHORT, encoding="utf-8")
        labels = relabel(nuts)
        assert {label["item_id"].rpartition("-")[0] for label in labels} == {f"nuts-{KEY}"}
        assert {tuple(label["labels"]) for label in labels} == {("good",), ("bent",), ("scratch_es",)}
        part = here("ingest", "nuts", "--category", FOLDER, "--limit", "1", "--json")
        same = here("ingest", "nuts", "--category", KEY, "--limit", "1", "--json")
        assert (part.status, part.out) == (same.status, same.out) and part.facts["items"] == 1

    def test_it_is_known_by_its_name_everywhere(self, nuts: Path) -> None:
        (nuts / "nuts.yaml").write_text(SHORT, encoding="utf-8")
        with pytest.raises(SchemaError, match="knows none of that name"):
            load("nuts")
        labels = relabel(nuts)
        (nuts / "nuts").mkdir()  # a folder of the same name is not meant
        for command in (
            "ingest nuts", "status nuts", "status nuts.yaml", "schema check nuts", "relabel nuts", "resolve nuts",
            f"schema show nuts --category '{FOLDER}'", "score nuts --system majority --resamples 0",
            f"score nuts --system majority --resamples 0 --category '{FOLDER}'", "plan nuts", "compare nuts",
            "export proposals nuts source_label",
        ):  # fmt: skip
            done = here(*shlex.split(command))
            assert done.status == 0, (command, done.said)
        test = [label for label in labels if "/test/" in label["image"]]
        answers = {label["item_id"]: label["labels"][0] for label in test}
        assert acbench.score(test, answers, schema="nuts", resamples=0).json() == acbench.score(
            test, answers, schema=load("nuts.yaml"), resamples=0
        ).json()  # fmt: skip

    def test_from_elsewhere_with_the_project(self, nuts: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (nuts / "nuts.yaml").write_text(SHORT, encoding="utf-8")
        relabel(nuts)
        (nuts / "else").mkdir()
        monkeypatch.chdir(nuts / "else")
        done = here("relabel", "nuts", "--project", nuts)
        (command,) = [words for words in printed(done) if "--reviews" in words]
        assert command[:4] == ["relabel", "nuts", "--project", str(nuts)]
        done = here("publish", "nuts", "--project", nuts, "--dry-run")
        hint = shlex.split(done.err.rpartition("acbench ")[2])
        assert hint == ["schema", "check", "nuts", "--project", str(nuts)]
        assert here(*hint).status == 0

    def test_a_project_that_began_with_other_ids_keeps_them(self, nuts: Path) -> None:
        (nuts / "nuts.yaml").write_text(SHORT, encoding="utf-8")
        image = f"{FOLDER}/test/Bent/000.png"
        old = item_id("folders", FOLDER, image)
        reviews = nuts / "annotations/nuts/reviews.jsonl"
        reviews.parent.mkdir(parents=True)
        row = {
            "item_id": old, "reviewer": "ada", "round": 1, "verdict": "label", "labels": ["scratch_es"], "note": "",
            "shown": [], "seconds": None, "when": "", "desk": "csv", "schema_version": "1",
        }  # fmt: skip
        reviews.write_text(json.dumps(row) + "\n", encoding="utf-8")
        by_image = {label["image"]: label for label in relabel(nuts)}
        assert (by_image[image]["item_id"], by_image[image]["labels"]) == (old, ["scratch_es"])
        assert all(label["item_id"].startswith("folders-") for label in by_image.values())
        assert here("score", "nuts", "--system", "majority", "--resamples", "0").status == 0


class TestStory:
    def test_from_a_folder_to_reviews_by_what_is_printed(self, nuts: Path) -> None:
        (command,) = printed(here("schema", "init", nuts / "data", "--name", "nuts"))
        done = here(*command, "--without", "neighbours")
        (command,) = [words for words in printed(done) if "--reviews" in words]
        command[command.index("YOUR_NAME")] = "ada"
        assert here(*command).status == 0
        assert {tuple(label["labels"]) for label in kept(nuts)} == {("good",), ("bent",), ("scratch_es",)}
        assert here("status", "nuts").status == 0


class TestRelease:
    def test_a_release_asks_for_what_only_the_owner_can_say(self, nuts: Path) -> None:
        (nuts / "nuts.yaml").write_text(SHORT, encoding="utf-8")
        with pytest.raises(ReleaseError) as refused:
            build(nuts, "nuts.yaml", root=nuts / "data")
        for word in ("2 classes without a definition", "licence of the labels", "who made the images"):
            assert word in refused.value.message
            assert word in here("schema", "check", "nuts.yaml").out
        (nuts / "nuts.yaml").write_text(PUBLISHER + DEFINED.replace("bent: The", "bent: 'DRAFT: The").replace(
            "longer even.", "longer even.'"), encoding="utf-8")  # fmt: skip
        with pytest.raises(ReleaseError, match="drafted by a model"):
            build(nuts, "nuts.yaml")

    @pytest.mark.parametrize(("shared", "images"), [("yes", True), ("no", False), ("", False)])
    def test_everything_that_the_schema_says_reaches_the_release(self, nuts: Path, shared: str, images: bool) -> None:
        line = f"share_images: {shared}\n" if shared else ""
        (nuts / "nuts.yaml").write_text(PUBLISHER + line + DEFINED, encoding="utf-8")
        made = build(nuts, "nuts.yaml", root=nuts / "data")
        assert made.manifest.images is images
        assert (made.manifest.licence, made.manifest.source_licence) == ("CC-BY-NC-SA-4.0", "CC-BY-NC-SA-4.0")
        assert made.manifest.categories == (KEY,)
        card = (made.folder / "README.md").read_text(encoding="utf-8")
        croissant = json.loads((made.folder / "croissant.json").read_bytes())
        meta = json.loads((nuts / "annotations/nuts/labels.meta.json").read_bytes())
        for text in ("Ada Lovelace", "https://example.org/nuts", "Lovelace: Nuts. 2026."):
            assert text in card and text in json.dumps(croissant) and text in json.dumps(meta)
        assert "license: cc-by-nc-sa-4.0" in card and "- original" in card
        assert "Pictures by Ada Lovelace, 2026. https://example.org/nuts" in card
        assert "Pictures by Ada Lovelace, 2026. No commercial use." in card
        assert Croissant().problems(made.folder, made.manifest) == []
        if images:
            assert not check(made.folder).failed

    def test_several_masks_of_an_image_are_no_fault_and_what_they_mark_is_said_to_be_unchecked(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        defined = "categories:\n  box:\n    classes:\n      logical_anomalies: Something is missing, or one too many.\n"
        Path("boxes.yaml").write_text(f"{PUBLISHER}share_images: yes\n{defined}", encoding="utf-8")
        made = build(tmp_path, "boxes.yaml", root=toy_layout(tmp_path / "data", "loco"))
        verified = check_folder(ReleaseFolder(made.folder), known_of(load("boxes.yaml")), Screen())
        assert made.manifest.images and not wrong(verified)
        assert [text for text in verified.unchecked if "what 3 masks of several files mark" in text]

    def test_images_go_where_the_schema_lets_them(self, nuts: Path) -> None:
        (nuts / "nuts.yaml").write_text(PUBLISHER + "share_images: no\n" + DEFINED, encoding="utf-8")
        with pytest.raises(ReleaseError, match="share_images: no"):
            build(nuts, "nuts.yaml", root=nuts / "data", images=True)
        text = PUBLISHER.replace("image_licence: cc-by-nc-sa-4.0", "licence: cc-by-4.0")
        (nuts / "nuts.yaml").write_text(text + DEFINED, encoding="utf-8")
        with pytest.raises(ReleaseError) as refused:
            build(nuts, "nuts.yaml", root=nuts / "data", images=True)
        assert "share_images: yes" in refused.value.hint

    def test_the_report_says_whose_the_images_are(self, nuts: Path) -> None:
        (nuts / "nuts.yaml").write_text(PUBLISHER + DEFINED, encoding="utf-8")
        relabel(nuts)
        assert here("report", "nuts").status == 0
        page = (nuts / ".acbench/nuts/report.html").read_text(encoding="utf-8")
        for text in ("Ada Lovelace", "https://example.org/nuts", "Lovelace: Nuts. 2026.", "CC-BY-NC-SA-4.0"):
            assert text in page

    def test_a_later_word_of_the_owner_reaches_labels_meta_at_the_next_run(self, nuts: Path) -> None:
        (nuts / "nuts.yaml").write_text(PUBLISHER + DEFINED, encoding="utf-8")
        relabel(nuts)
        (nuts / "nuts.yaml").write_text(PUBLISHER.replace("org/nuts", "org/moved") + DEFINED, encoding="utf-8")
        relabel(nuts)
        assert "org/moved" in (nuts / "annotations/nuts/labels.meta.json").read_text(encoding="utf-8")

    def test_a_source_that_knows_whose_its_images_are_is_not_told(self, tmp_path: Path) -> None:
        text = "benchmark: mine\nsource: mvtec_ad\nhome: https://x.org\ncategories: {bottle: [contamination]}\n"
        (tmp_path / "mine.yaml").write_text(text, encoding="utf-8")
        with (
            pytest.raises(AcbenchError, match="says home, which MVTec-AD says itself"),
            at_work(tmp_path, str(tmp_path / "mine.yaml"), root=toy_mvtec_ad(tmp_path / "root")) as run,
        ):
            assert run.origin


def test_a_sketch_names_a_bundled_schema(tmp_path: Path) -> None:
    (note,) = schema_init.sketch(str(toy_mvtec_ad(tmp_path / "mvtec"))).notes
    assert note.endswith(f"acbench relabel mvtec_ac --root {tmp_path / 'mvtec'}")
