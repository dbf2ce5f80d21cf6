"""The contract of every source, and the layouts of the two that come with acbench."""

from __future__ import annotations

import importlib.metadata
import os
import re
import shutil
import sys
from collections.abc import Callable
from functools import partial
from importlib.metadata import EntryPoint, EntryPoints
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

import acbench.data
import acbench.storage.files
from acbench.data import sources
from acbench.data.sources import FoundImage, Source, _image_anno, sample, visa
from acbench.errors import AcbenchError, SourceError
from acbench.records import Finding
from acbench.storage.files import FileRefused
from acbench.testing import dropped, tiny_image, toy_coco, toy_mvtec_ad, toy_table, toy_visa, toy_voc, toy_yolo
from tests.support.commands import python

MVTEC_AD = sources.get("mvtec_ad")
VISA = sources.get("visa")

TOYS: dict[str, Callable[[Path], Path]] = {
    "mvtec_ad": toy_mvtec_ad,
    "visa": toy_visa,
    "sample": toy_mvtec_ad,
    "folders": toy_mvtec_ad,
    "table": toy_table,
    "coco": toy_coco,
    "yolo": toy_yolo,
    "voc": toy_voc,
    "hub": partial(toy_table, name="metadata.jsonl"),
    "fiftyone": partial(toy_table, name="metadata.jsonl"),
}
"""A small tree in the layout of each source."""
FLAT = ("table", "coco", "yolo", "voc", "hub", "fiftyone")
"""Sources whose categories are no folders, so that none can be the root."""


def scanned(source: Source, root: Path) -> tuple[list[FoundImage], list[Finding]]:
    place = sources.locate(source, root)
    every = list(source.scan(place.tree, place.categories))
    return [each for each in every if isinstance(each, FoundImage)], [
        each for each in every if isinstance(each, Finding)
    ]


@pytest.mark.parametrize("name", sources.names())
class TestContract:
    """What holds for every source, and will for yours."""

    def test_it_says_what_it_is(self, name: str) -> None:
        source = sources.get(name)
        assert name == source.name
        for text in (
            source.title,
            source.licence,
            source.attribution,
            source.home,
            source.benchmark,
            source.layout,
        ):
            assert text and text == text.strip()
        assert all(each == each.lower() for each in source.extras)
        assert all(count > 0 for count in source.image_counts.values())

    def test_labels_are_known_for_every_category(self, name: str) -> None:
        source = sources.get(name)
        known = source.known_labels()
        assert set(known) == set(source.image_counts)
        for strings in known.values():
            assert strings and len(set(strings)) == len(strings)
            assert not {"good", "normal"} & set(strings)

    def test_it_reads_a_toy_of_its_layout(self, name: str, tmp_path: Path) -> None:
        source = sources.get(name)
        assert name in TOYS, "add a toy tree in the layout of the new source"
        root = TOYS[name](tmp_path / "toy")
        found, findings = scanned(source, root)
        assert findings == []
        assert {each.split for each in found} == {"train", "test"}
        assert {each.anomalous for each in found} == {True, False}
        assert len({each.image for each in found}) == len(found)
        assert (found, findings) == scanned(source, root)
        pictures = {
            str(each.relative_to(root).as_posix()) for each in root.rglob("*") if each.suffix in (".png", ".JPG")
        }
        assert pictures == {each.image for each in found} | {each.mask for each in found if each.mask}
        for each in found:
            assert source.categories or each.image.startswith(f"{each.category}/")
            assert each.source_labels
            assert (each.mask is not None or each.boxes != ()) == each.anomalous
            assert each.split == "test" or not each.anomalous

    def test_it_drops_no_image_without_a_word(self, name: str, tmp_path: Path) -> None:
        root = TOYS[name](tmp_path / "toy")
        category = scanned(sources.get(name), root)[0][0].category
        for path in (
            "stray.png", "other/deep/1.jpg", f"{category}/stray.tif", f"{category}/more/1.webp", ".hidden/1.png",
            f"{category}/train/1.png", f"{category}/test/new/deep/1.png", f"{category}/train/new/1.png",
            f"{category}/ground_truth/new/1.png", f"{category}/Data/1.gif", f"{category}/Data/Images/Odd/1.JPG",
            f"{category}/Data/Images/Normal/odd.avif", f"{category}/Data/Masks/Normal/1.png",
        ):  # fmt: skip
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_bytes(tiny_image(path))
        place = sources.locate(sources.get(name), root)
        found, findings = scanned(sources.get(name), root)
        assert dropped(root, [*place.findings, *found, *findings]) == []

    def test_a_wrong_root_is_an_error_with_a_hint(self, name: str, tmp_path: Path) -> None:
        (tmp_path / "empty").mkdir()
        (tmp_path / "data.tar.xz").touch()
        for wrong in ("empty", "missing", "data.tar.xz", "a\0b"):
            with pytest.raises(SourceError) as caught:
                sources.locate(sources.get(name), tmp_path / wrong)
            assert caught.value.hint
            assert str(tmp_path / wrong) in caught.value.message

    def test_it_is_light_to_import(self, name: str) -> None:
        heavy = "{'PIL', 'numpy', 'pandas', 'torch'} & set(sys.modules)"
        use = f"import sys; from acbench.data import sources; sources.get({name!r}).known_labels()"
        python(f"{use}; assert not {heavy}, {heavy}")


@pytest.mark.parametrize("name", [name for name in sources.names() if name not in FLAT])
def test_a_category_can_be_the_root(name: str, tmp_path: Path) -> None:
    source = sources.get(name)
    root = TOYS[name](tmp_path)
    whole, _ = scanned(source, root)
    category = whole[0].category
    part, findings = scanned(source, root / category)
    assert findings == []
    assert part == [each for each in whole if each.category == category]
    assert sources.locate(source, root / category).root == root


class TestRegistry:
    def test_an_unknown_name_lists_the_known(self) -> None:
        with pytest.raises(AcbenchError, match="no source 'mvtec'") as caught:
            sources.get("mvtec")
        assert "mvtec_ad, " in caught.value.hint

    @pytest.mark.parametrize("name", ["_layout", "", "../visa", "os"])
    def test_nothing_else_can_be_imported(self, name: str) -> None:
        with pytest.raises(AcbenchError, match="there is no source"):
            sources.get(name)

    def test_other_packages_add_theirs(self, monkeypatch: pytest.MonkeyPatch) -> None:
        points = EntryPoints(
            [
                EntryPoint("mine", "acbench.data.sources.visa", "acbench.sources"),
                EntryPoint("broken", "no.such.module", "acbench.sources"),
            ]
        )
        monkeypatch.setattr(importlib.metadata, "entry_points", lambda **wanted: points.select(**wanted))
        assert {"mine", "broken", "visa"} <= set(sources.names())
        assert sources.get("mine") == sources.get("visa")
        with pytest.raises(AcbenchError, match="'broken' cannot be loaded: No module named 'no'"):
            sources.get("broken")

    def test_what_a_module_may_leave_out_is_none(self) -> None:
        assert (VISA.render, sources.get("sample").render) == (None, sample.render)
        assert VISA.split_of is visa.split_of

    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            ({"TITLE": None}, "it has no TITLE"),
            ({"scan": None}, "it has no scan"),
            ({"HOME": 1}, "its HOME is no str"),
            ({"EXTRAS": ["readme.txt"]}, "its EXTRAS is no frozenset"),
            ({"IMAGE_COUNTS": ()}, "its IMAGE_COUNTS is no dict"),
            ({"is_category": True}, "its is_category is no function"),
            ({"render": "yes"}, "its render is no function"),
        ],
    )
    def test_a_module_of_another_package_that_lacks_something_is_named(
        self, monkeypatch: pytest.MonkeyPatch, changes: dict[str, object], message: str
    ) -> None:
        contents = {name: value for name, value in {**vars(visa), **changes}.items() if value is not None}
        monkeypatch.setitem(sys.modules, "their_source", SimpleNamespace(**contents))
        points = EntryPoints([EntryPoint("theirs", "their_source", "acbench.sources")])
        monkeypatch.setattr(importlib.metadata, "entry_points", lambda **wanted: points.select(**wanted))
        with pytest.raises(AcbenchError, match=f"the source 'theirs' cannot be used: {message}") as caught:
            sources.get("theirs")
        assert "acbench.data.sources.Source" in caught.value.hint

    def test_a_module_may_have_an_object_in_its_place(self, monkeypatch: pytest.MonkeyPatch) -> None:
        theirs = SimpleNamespace(**{**vars(visa), "TITLE": "Theirs"})
        monkeypatch.setitem(sys.modules, "their_source", SimpleNamespace(SOURCE=theirs, TITLE="not asked"))
        points = EntryPoints([EntryPoint("theirs", "their_source", "acbench.sources")])
        monkeypatch.setattr(importlib.metadata, "entry_points", lambda **wanted: points.select(**wanted))
        source = sources.get("theirs")
        assert (source.title, source.scan) == ("Theirs", visa.scan)
        del theirs.LAYOUT
        with pytest.raises(AcbenchError, match="the source 'theirs' cannot be used: it has no LAYOUT"):
            sources.get("theirs")


class TestLocate:
    def refusal(self, source: Source, root: Path) -> SourceError:
        with pytest.raises(SourceError) as caught:
            sources.locate(source, root)
        return caught.value

    def test_one_folder_too_high(self, tmp_path: Path) -> None:
        toy_mvtec_ad(tmp_path / "mvtec_anomaly_detection")
        assert self.refusal(MVTEC_AD, tmp_path).hint == f"did you mean --root {tmp_path / 'mvtec_anomaly_detection'}?"

    @pytest.mark.parametrize("below", ["test", "test/contamination"])
    def test_too_low(self, tmp_path: Path, below: str) -> None:
        toy_mvtec_ad(tmp_path)
        assert self.refusal(MVTEC_AD, tmp_path / "bottle" / below).hint == f"did you mean --root {tmp_path / 'bottle'}?"

    def test_another_dataset(self, tmp_path: Path) -> None:
        error = self.refusal(VISA, toy_mvtec_ad(tmp_path / "a"))
        assert "holds MVTec-AD, not VisA" in error.message
        assert error.hint == f"acbench relabel mvtec_ac --root {tmp_path / 'a'}"
        error = self.refusal(MVTEC_AD, toy_visa(tmp_path / "b"))
        assert error.hint == f"acbench relabel visa_ac --root {tmp_path / 'b'}"

    def test_a_converted_visa_has_lost_its_labels(self, tmp_path: Path) -> None:
        toy_mvtec_ad(tmp_path, {"candle": ["bad"], "pcb1": ["bad"]})
        for root in (tmp_path, tmp_path / "candle"):
            error = self.refusal(VISA, root)
            assert "a copy of VisA in the layout of MVTec-AD, which does not keep its labels" in error.message
            assert "VisA_20220922.tar" in error.hint and "amazon-science/spot-diff" in error.hint
            (finding,) = sources.locate(MVTEC_AD, root).findings
            assert finding.kind == "other_dataset" and "VisA_20220922.tar" in finding.hint

    def test_unknown_categories_are_read_and_told(self, tmp_path: Path) -> None:
        toy_mvtec_ad(tmp_path, {"bottle": ["contamination"], "gear": ["crack"], "pcb1": ["bad"]})
        place = sources.locate(MVTEC_AD, tmp_path)
        assert place.categories == ("bottle", "gear", "pcb1")
        assert [(each.kind, each.path) for each in place.findings] == [
            ("unknown_category", "gear"),
            ("unknown_category", "pcb1"),
        ]

    def test_categories_can_be_chosen(self, tmp_path: Path) -> None:
        toy_mvtec_ad(tmp_path)
        assert sources.locate(MVTEC_AD, tmp_path, ["screw"]).categories == ("screw",)
        for root in (tmp_path, tmp_path / "bottle"):
            with pytest.raises(SourceError, match="no category cap") as caught:
                sources.locate(MVTEC_AD, root, ["bottle", "cap"])
            assert "bottle" in caught.value.hint

    def test_what_else_is_in_the_root(self, tmp_path: Path) -> None:
        toy_mvtec_ad(tmp_path)
        for name in ("readme.txt", "License.txt", ".DS_Store"):
            (tmp_path / name).touch()
        (tmp_path / "__MACOSX").mkdir()
        (tmp_path / "elsewhere").symlink_to("/")
        found = {each.path: each.kind for each in sources.locate(MVTEC_AD, tmp_path).findings}
        assert found == {".DS_Store": "litter", "__MACOSX": "litter", "elsewhere": "link_outside"}

    def test_links_out_of_the_root_are_told(self, tmp_path: Path) -> None:
        toy_mvtec_ad(tmp_path / "data")
        (tmp_path / "chosen").mkdir()
        (tmp_path / "chosen" / "bottle").symlink_to(tmp_path / "data" / "bottle")
        error = self.refusal(MVTEC_AD, tmp_path / "chosen")
        assert "bottle cannot be used, it leads to" in error.message and "cp -rL" in error.hint

    @pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse names that are not UTF-8")
    def test_a_root_that_cannot_be_printed(self, tmp_path: Path) -> None:
        root = tmp_path / os.fsdecode(b"\xff")
        assert str(self.refusal(MVTEC_AD, root)).encode()
        toy_mvtec_ad(root, {"bottle": ["contamination"]})
        assert scanned(MVTEC_AD, root)[0]
        (root / "bottle").rename(root / os.fsdecode(b"\xfe"))
        assert str(self.refusal(MVTEC_AD, root / os.fsdecode(b"\xfe"))).encode()
        assert str(self.refusal(VISA, root)).encode()

    def test_a_category_as_root_does_not_open_the_folder_above(self, tmp_path: Path) -> None:
        toy_mvtec_ad(tmp_path)
        link = tmp_path / "bottle" / "test" / "good" / "900.png"
        link.symlink_to(tmp_path / "screw" / "test" / "good" / "000.png")
        found, _ = scanned(MVTEC_AD, tmp_path / "bottle")
        assert [each.problem.kind for each in found if each.problem] == ["link_outside"]
        found, _ = scanned(MVTEC_AD, tmp_path)
        assert not [each for each in found if each.problem]


class TestMvtecAd:
    def test_counts(self) -> None:
        assert (len(MVTEC_AD.image_counts), sum(MVTEC_AD.image_counts.values())) == (15, 5354)
        assert sum(map(len, MVTEC_AD.known_labels().values())) == 73

    def test_masks_go_by_name_not_by_order(self, tmp_path: Path) -> None:
        toy_mvtec_ad(tmp_path, each=3)
        (tmp_path / "bottle/ground_truth/contamination/000_mask.png").unlink()
        found, findings = scanned(MVTEC_AD, tmp_path / "bottle")
        masks = {each.image[-7:]: each.mask for each in found if each.source_labels == ("contamination",)}
        assert masks == {
            "000.png": None,
            "001.png": "bottle/ground_truth/contamination/001_mask.png",
            "002.png": "bottle/ground_truth/contamination/002_mask.png",
        }
        assert [(each.kind, each.path) for each in findings] == [("missing_mask", "bottle/test/contamination/000.png")]

    def test_hidden_folders_are_no_classes(self, tmp_path: Path) -> None:
        toy_mvtec_ad(tmp_path)
        for folder in ("test/.ipynb_checkpoints", "train/.cache", "ground_truth/.ipynb_checkpoints"):
            shutil.copytree(tmp_path / "bottle/test/good", tmp_path / "bottle" / folder)
        found, findings = scanned(MVTEC_AD, tmp_path / "bottle")
        assert {label for each in found for label in each.source_labels} == {"good", "broken_large", "contamination"}
        assert {each.kind for each in findings} == {"litter"} and len(findings) == 3

    def test_an_accent_spelled_in_two_ways_is_one_name(self, tmp_path: Path) -> None:
        toy_mvtec_ad(tmp_path, {"bottle": ["contamination"]}, each=1)
        (tmp_path / "bottle/test/contamination/000.png").rename(tmp_path / "bottle/test/contamination/e\u0301.png")
        masks = tmp_path / "bottle/ground_truth/contamination"
        (masks / "000_mask.png").rename(masks / "\u00e9_mask.png")
        found, findings = scanned(MVTEC_AD, tmp_path)
        assert findings == []
        assert [each.mask for each in found if each.anomalous] == ["bottle/ground_truth/contamination/\u00e9_mask.png"]

    def test_anomalous_images_in_train_are_not_silently_skipped(self, tmp_path: Path) -> None:
        toy_mvtec_ad(tmp_path)
        shutil.move(tmp_path / "bottle/test/contamination", tmp_path / "bottle/train/contamination")
        _, findings = scanned(MVTEC_AD, tmp_path)
        assert [(each.kind, each.failed) for each in findings if each.path == "bottle/train/contamination"] == [
            ("anomalous_in_train", True)
        ]


ANNO = "candle/image_anno.csv"
GOOD_ROW = "candle/Data/Images/Anomaly/000.JPG,chunk of wax missing,candle/Data/Masks/Anomaly/000.png"
HEADER = "image,label,mask"


class TestVisa:
    def labels(self, root: Path) -> tuple[dict[str, tuple[str, ...]], dict[str, Finding]]:
        found, findings = scanned(VISA, root / "candle")
        by_kind = {each.kind: each for each in findings}
        return {each.image[-11:-4]: each.source_labels for each in found if each.anomalous}, by_kind

    @pytest.fixture
    def root(self, tmp_path: Path) -> Path:
        return toy_visa(tmp_path, {"candle": ["chunk of wax missing"]}, normal=2, each=2)

    def test_counts(self) -> None:
        assert (len(VISA.image_counts), sum(VISA.image_counts.values())) == (12, 10821)
        assert sum(map(len, visa._test_normal().values())) == 962
        assert sum(map(len, VISA.known_labels().values())) == 152

    def test_several_labels_keep_the_datasets_order(self, tmp_path: Path) -> None:
        toy_visa(tmp_path, {"candle": ["weird candle wick, different colour spot"]}, each=1)
        assert self.labels(tmp_path)[0] == {"aly/000": ("weird candle wick", "different colour spot")}

    def test_the_split(self, root: Path) -> None:
        found, _ = scanned(VISA, root)
        assert {each.image[-8:]: each.split for each in found if not each.anomalous} == {
            "0000.JPG": "train",
            "0013.JPG": "test",
        }
        assert all(visa.split_of(each.image) == each.split for each in found)

    @pytest.mark.parametrize(
        "text",
        [
            pytest.param(b"", id="empty columns"),
            pytest.param(b"picture,label,mask\n", id="wrong columns"),
            pytest.param(b"\xff\xfei\0m\0", id="not UTF-8"),
            pytest.param(f"{HEADER}\n{GOOD_ROW}\0\n".encode(), id="NUL"),
            pytest.param(f'{HEADER}\n"{GOOD_ROW}\n'.encode(), id="open quote"),
            pytest.param(f"{HEADER}\n{'x' * 200_000},normal,\n".encode(), id="huge field"),
        ],
    )
    def test_a_file_that_is_no_table(self, root: Path, text: bytes) -> None:
        (root / ANNO).write_bytes(text)
        labels, findings = self.labels(root)
        assert set(labels.values()) == {()}
        (finding,) = findings.values()
        assert finding.path == ANNO and finding.hint
        assert finding.failed and finding.kind == "unreadable_labels"

    def test_a_huge_file_is_not_read(self, root: Path) -> None:
        with (root / ANNO).open("ab") as file:
            file.truncate(_image_anno.MAX_BYTES + 1)
        assert "at most 16 MiB" in self.labels(root)[1]["unreadable_labels"].detail

    def test_a_missing_file(self, root: Path) -> None:
        (root / ANNO).unlink()
        labels, findings = self.labels(root)
        assert set(labels.values()) == {()}
        assert "VisA_20220922.tar" in findings["missing_labels"].hint

    def test_a_file_that_leads_elsewhere(self, root: Path) -> None:
        (root / ANNO).unlink()
        (root / ANNO).symlink_to("/etc/passwd")
        assert "out of the dataset" in self.labels(root)[1]["unreadable_labels"].detail

    def test_byte_order_mark_and_carriage_returns(self, root: Path) -> None:
        text = (root / ANNO).read_text().replace("\n", "\r\n")
        (root / ANNO).write_text(text, encoding="utf-8-sig", newline="")
        labels, findings = self.labels(root)
        assert findings == {} and set(labels.values()) == {("chunk of wax missing",)}

    @pytest.mark.parametrize(
        ("row", "kind"),
        [
            (GOOD_ROW.replace("000", "555"), "unknown_image"),
            (GOOD_ROW, "repeated_row"),
            ("/etc/passwd,x,", "bad_path"),
            ("candle/../../etc/passwd,x,", "bad_path"),
            ("C:/candle/Data/x.JPG,x,", "bad_path"),
            ("candle\\Data\\x.JPG,x,", "bad_path"),
            (",x,", "bad_path"),
            ("candle", "bad_path"),
        ],
    )
    def test_a_row_that_is_not_taken(self, root: Path, row: str, kind: str) -> None:
        with (root / ANNO).open("a") as file:
            file.write(f"{row}\n")
        labels, findings = self.labels(root)
        assert set(labels.values()) == {("chunk of wax missing",)}
        assert list(findings) == [kind]
        assert findings[kind].path == ANNO and "line 6" in findings[kind].detail

    @pytest.mark.parametrize(
        ("label", "kind"),
        [
            ("normal", "contradiction"),
            ("", "bad_label"),
            ('" , "', "bad_label"),
            ("a\x1b[2J", "bad_label"),
            ("x" * 1001, "bad_label"),
        ],
    )
    def test_a_label_that_is_not_taken(self, root: Path, label: str, kind: str) -> None:
        text = (root / ANNO).read_text().replace(GOOD_ROW, GOOD_ROW.replace("chunk of wax missing", label))
        (root / ANNO).write_text(text)
        labels, findings = self.labels(root)
        assert labels == {"aly/000": (), "aly/001": ("chunk of wax missing",)}
        assert list(findings) == [kind] and "\x1b" not in findings[kind].detail

    def test_two_rows_that_disagree_give_no_label(self, root: Path) -> None:
        with (root / ANNO).open("a") as file:
            file.write(GOOD_ROW.replace("chunk of wax missing", "weird candle wick") + "\n")
        assert self.labels(root)[0]["aly/000"] == ()

    def test_images_without_a_row(self, root: Path) -> None:
        (root / ANNO).write_text(f"{HEADER}\n{GOOD_ROW}\n")
        labels, findings = self.labels(root)
        assert labels == {"aly/000": ("chunk of wax missing",), "aly/001": ()}
        assert list(findings) == ["missing_label"]

    def test_a_normal_image_with_a_defects_label_keeps_neither(self, root: Path) -> None:
        (root / ANNO).write_text((root / ANNO).read_text().replace("0000.JPG,normal", "0000.JPG,melt"))
        found, findings = scanned(VISA, root)
        assert [each.kind for each in findings] == ["contradiction"]
        assert {each.image[-8:]: each.source_labels for each in found if not each.anomalous} == {
            "0000.JPG": (),
            "0013.JPG": ("normal",),
        }

    def test_another_mask_than_the_images_own(self, root: Path) -> None:
        (root / ANNO).write_text((root / ANNO).read_text().replace("Masks/Anomaly/000", "Masks/Anomaly/001"))
        found, findings = scanned(VISA, root)
        assert [each.kind for each in findings] == ["other_mask"]
        assert next(each.mask for each in found if each.anomalous) == "candle/Data/Masks/Anomaly/000.png"

    def test_a_renamed_category_folder(self, root: Path) -> None:
        (root / "candle").rename(root / "Kerze")
        found, findings = scanned(VISA, root)
        assert [each.kind for each in findings] == ["other_category"]
        assert {each.source_labels for each in found if each.anomalous} == {("chunk of wax missing",)}

    @given(st.binary(max_size=400))
    def test_garbage(self, data: bytes) -> None:
        try:
            _image_anno.parse(data, "candle", {"candle/a.JPG": True})
        except FileRefused as why:
            assert why.kind == "unreadable_labels"

    @given(st.lists(st.tuples(st.text(max_size=20), st.text(max_size=20), st.text(max_size=20)), max_size=8))
    def test_any_rows(self, rows: list[tuple[str, str, str]]) -> None:
        text = HEADER + "\n" + "\n".join(",".join(row) for row in [("candle/a.JPG", "x", ""), *rows])
        known = {"candle/a.JPG": True, "candle/b.JPG": False}
        try:
            parsed = _image_anno.parse(text.encode("utf-8", "surrogatepass"), "candle", known)
        except FileRefused as why:
            assert why.kind == "unreadable_labels"
        else:
            assert set(parsed.labels) <= set(known)
            assert all(label.isprintable() for labels in parsed.labels.values() for label in labels)


def test_no_hint_about_data_advises_what_destroys_it() -> None:
    harm = re.compile(r'"[^"\n]*\b(move|remove|delete|rename|replace|overwrite|fill)\s+(it|them|one|or|the)\b')
    files = [*Path(acbench.data.__file__).parent.rglob("*.py"), Path(acbench.storage.files.__file__)]
    assert len(files) > 30
    said = [found.group() for path in files for found in harm.finditer(path.read_text(encoding="utf-8"))]
    assert said == []
