"""Tables and annotation files: what they say of images, and that nothing wrong in them is a crash or is not told."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from acbench.data import sources
from acbench.data.ingest import Dataset, describe, ingest
from acbench.data.recognise import recognise
from acbench.data.sources import FoundImage
from acbench.errors import AcbenchError, SourceError
from acbench.records import Finding, Item
from acbench.storage import tables
from acbench.storage.build import records_key
from acbench.storage.files import FileTree
from acbench.storage.typed_json import to_json
from acbench.testing import SIZE, TOY_CLASSES, tiny_png, toy_coco, toy_mvtec_ad, toy_table, toy_voc, toy_yolo

TOYS: Mapping[str, tuple[str, Callable[[Path], Path]]] = {
    "CSV": ("table", toy_table),
    "CSV with semicolons": ("table", lambda root: toy_table(root, delimiter=";")),
    "CSV with tabs": ("table", lambda root: toy_table(root, "labels.tsv", delimiter="\t")),
    "JSON lines": ("table", lambda root: toy_table(root, "metadata.jsonl")),
    "Parquet": ("table", lambda root: toy_table(root, "labels.parquet", masks=False)),
    "COCO": ("coco", toy_coco),
    "COCO with polygons": ("coco", lambda root: toy_coco(root, segments=True)),
    "YOLO": ("yolo", toy_yolo),
    "YOLO with polygons": ("yolo", lambda root: toy_yolo(root, segments=True)),
    "Pascal VOC": ("voc", toy_voc),
}


def read(root: Path, source: str, **reading: str) -> Dataset:
    return ingest(sources.get(source, reading), root)


def kinds(dataset: Dataset) -> list[str]:
    return [finding.kind for finding in dataset.findings]


def said(dataset: Dataset, kind: str) -> Finding:
    (found,) = [finding for finding in dataset.findings if finding.kind == kind]
    return found


def images(root: Path, *names: str) -> Path:
    """Tiny images of 8 × 8 pixels under these names."""
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(tiny_png(name))
    return root


def table(root: Path, text: str, name: str = "labels.csv") -> Path:
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    (root / name).write_text(text, encoding="utf-8")
    return root


class TestFormats:
    @pytest.mark.parametrize("toy", TOYS)
    def test_it_is_recognised_without_a_word_and_read(self, toy: str, tmp_path: Path) -> None:
        source, make = TOYS[toy]
        root = make(tmp_path / "plates") if (tmp_path / "plates").mkdir() is None else tmp_path
        best = recognise(root)[0]
        assert (best.source, best.categories, best.reading["category"]) == (source, ("plates",), "plates")
        found = ingest(sources.get(source, best.reading), root)
        assert set(kinds(found)) <= {"segments_not_drawn"}
        assert [item.anomalous for item in found.items].count(True) == 2 * len(TOY_CLASSES) + 1
        assert {item.split for item in found.items if not item.anomalous} == {"train", "test"}
        both = {"crack+dent"} if toy.startswith("CSV") else set(TOY_CLASSES)
        assert {label for item in found.items for label in item.source_labels} == {"good", *TOY_CLASSES, *both}

    @pytest.mark.parametrize("toy", [toy for toy, (source, _) in TOYS.items() if source != "table"])
    def test_boxes_are_called_boxes(self, toy: str, tmp_path: Path) -> None:
        source, make = TOYS[toy]
        found = read(make(tmp_path), source)
        assert "boxes for 5 of 5 anomalous images" in describe(sources.get(source), found)
        assert "mask" not in describe(sources.get(source), found)
        for item in found.items:
            marked = found.images.marked(item, (SIZE, SIZE))
            assert (marked is None) != item.anomalous
            if marked is not None:
                assert item.marking == "boxes" and item.marks == str(item.boxes)
                assert marked.sum() == sum((right - left) * (bottom - top) for left, top, right, bottom in item.boxes)

    def test_masks_of_a_table_are_masks(self, tmp_path: Path) -> None:
        found = read(toy_table(tmp_path), "table")
        assert "masks for 5 of 5 anomalous images" in describe(sources.get("table"), found)

    @pytest.mark.parametrize("source", ["table", "coco", "yolo", "voc"])
    def test_nothing_there_is_an_error_that_says_how_many(self, source: str, tmp_path: Path) -> None:
        images(tmp_path, "a.png", "b.png")
        with pytest.raises(SourceError) as caught:
            read(tmp_path, source)
        assert str(tmp_path) in caught.value.message and caught.value.hint
        if source in {"yolo", "voc"}:
            assert "0 " in caught.value.message

    @pytest.mark.parametrize("toy", TOYS)
    def test_no_image_is_dropped_in_silence(self, toy: str, tmp_path: Path) -> None:
        source, make = TOYS[toy]
        root = images(make(tmp_path), "more/stray.png", "deep/er/a.b.jpeg", "__MACOSX/x/._y.png")
        found = read(root, source)
        named = {item.image for item in found.items} | {item.mask for item in found.items}
        told = " ".join(f"{finding.path} {finding.detail}" for finding in found.findings)
        for path in root.rglob("*.*g"):
            name = path.relative_to(root).as_posix()
            assert name in named or name.split("/")[0] in told, name

    @pytest.mark.parametrize("toy", TOYS)
    def test_what_tells_the_categories_is_read_once(
        self, toy: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        source, make = TOYS[toy]
        place = sources.locate(sources.get(source), make(tmp_path))
        read_files: list[str] = []
        monkeypatch.setattr(FileTree, "read", lambda tree, path, *_: read_files.append(path) or b"")
        assert list(sources.get(source).scan(place.tree, place.categories)) and not read_files


class TestTable:
    def test_the_columns_that_are_read_and_those_that_are_not_are_named(self, tmp_path: Path) -> None:
        images(tmp_path, "x/1.png", "x/2.png")
        table(tmp_path, "File_Name,Defect Type,operator\nx/1.png,crack,Ada\nx/2.png,ok,Bob\n")
        found = read(tmp_path, "table")
        detail = said(found, "columns").detail
        assert "image from `File_Name`" in detail and "label from `Defect Type`" in detail
        assert "not used: `operator`" in detail
        assert [item.source_labels for item in found.items] == [("crack",), ("good",)]

    def test_two_candidates_are_refused_with_both_names(self, tmp_path: Path) -> None:
        images(tmp_path, "1.png")
        table(tmp_path, "image,label,defect\n1.png,a,b\n")
        with pytest.raises(SourceError, match="`label` and `defect`") as caught:
            read(tmp_path, "table")
        assert "--reading label=defect" in caught.value.hint
        assert read(tmp_path, "table", label="defect").items[0].source_labels == ("b",)
        told = [each for each in recognise(tmp_path) if each.source == "table"]
        assert "`label` and `defect`" in told[0].says and told[0].certainty < 0.5
        table(tmp_path, "image,label\n1.png,a\n", "other.csv")
        with pytest.raises(SourceError, match=r"labels\.csv has two columns") as caught:
            read(tmp_path, "table")
        assert "--reading table=other.csv" in caught.value.hint

    def test_two_tables_are_refused_with_both_names(self, tmp_path: Path) -> None:
        images(tmp_path, "1.png")
        for name in ("a.csv", "b.csv"):
            table(tmp_path, "image,label\n1.png,a\n", name)
        with pytest.raises(SourceError, match=r"a\.csv and b\.csv") as caught:
            read(tmp_path, "table")
        assert "--reading table=a.csv" in caught.value.hint

    def test_an_option_that_names_no_column_says_which_there_are(self, tmp_path: Path) -> None:
        images(tmp_path, "1.png")
        table(tmp_path, "image,kind\n1.png,a\n")
        with pytest.raises(SourceError, match="no column 'knid'") as caught:
            read(tmp_path, "table", label="knid")
        assert "did you mean label=kind?" in caught.value.hint

    def test_tables_of_splits_are_read_together(self, tmp_path: Path) -> None:
        images(tmp_path, "1.png", "2.png", "3.png")
        table(tmp_path, "image,label\n1.png,good\n", "train.csv")
        table(tmp_path, "image,label\n2.png,good\n3.png,crack\n", "test.csv")
        assert [item.split for item in read(tmp_path, "table").items] == ["train", "test", "test"]

    def test_metadata_of_an_image_folder_lies_beside_its_images(self, tmp_path: Path) -> None:
        images(tmp_path, "train/1.png", "test/1.png")
        table(tmp_path, "file_name,label\n1.png,good\n", "train/metadata.csv")
        table(tmp_path, "file_name,label\n1.png,crack\n", "test/metadata.csv")
        found = {item.image: (item.split, item.source_labels) for item in read(tmp_path, "table").items}
        assert found == {"train/1.png": ("train", ("good",)), "test/1.png": ("test", ("crack",))}

    @pytest.mark.parametrize(
        ("row", "kind", "told"),
        [
            ("gone.png,crack", "unknown_image", "gone.png is not there"),
            ("../../etc/1.png,crack", "unclear_image", "no path within the dataset"),
            ("1.png,", "bad_row", "its label is empty"),
            ("1.png,dent", "contradiction", "crack and dent"),
            ("1.png,crack", "repeated_row", "word for word"),
            ("1.png,crack,x,y", "unreadable_row", "4 cells, the header 2"),
            ("/data/2019/1.png,crack", "moved_image", "is 1.png"),
        ],
    )
    def test_a_wrong_row_is_told(self, row: str, kind: str, told: str, tmp_path: Path) -> None:
        images(tmp_path, "1.png", "2.png")
        rows = ["2.png,good", row] if kind in {"bad_row", "moved_image"} else ["1.png,crack", "2.png,good", row]
        table(tmp_path, "\n".join(["image,label", *rows]))
        found = read(tmp_path, "table")
        finding = said(found, kind)
        assert told in finding.detail and finding.path == "labels.csv"
        if kind in {"bad_row", "contradiction"}:
            assert found.items[0].source_labels == ()

    @pytest.mark.parametrize(("name", "header", "row"), [("a.csv", "image,label\n", "1.png\n"), ("a.jsonl", "", "{\n")])
    def test_all_rows_that_cannot_be_read_are_counted(self, name: str, header: str, row: str, tmp_path: Path) -> None:
        good = '{"image": "1.png", "label": "good"}\n' if name == "a.jsonl" else "1.png,good\n"
        found = read(table(images(tmp_path, "1.png"), header + good + 1500 * row, name), "table")
        assert said(found, "unreadable_row").detail.startswith("1,500 rows cannot be read")

    @pytest.mark.parametrize("source", ["table", "folders"])
    def test_a_split_has_one_meaning(self, source: str, tmp_path: Path) -> None:
        table(images(tmp_path, "val/1.png"), "image,label\nval/1.png,good\n")
        with pytest.raises(SourceError, match="train and test both name val"):
            read(tmp_path, source, train="val", test="Val")

    def test_an_image_that_no_row_names_is_told(self, tmp_path: Path) -> None:
        images(tmp_path, "1.png", "2.png")
        found = read(table(tmp_path, "image,label\n1.png,good\n"), "table")
        assert said(found, "image_without_row").path == "2.png" and len(found.items) == 1

    def test_class_numbers_get_their_names(self, tmp_path: Path) -> None:
        images(tmp_path, "1.png", "2.png")
        table(tmp_path, "image,label\n1.png,0\n2.png,1\n")
        found = read(tmp_path, "table")
        assert [item.source_labels for item in found.items] == [("0",), ("1",)]
        assert "--reading names=FILE" in said(found, "unnamed_classes").hint
        assert [item.anomalous for item in read(tmp_path, "table", normal="0").items] == [False, True]
        table(tmp_path, "good\ncrack\n", "classes.txt")
        named = read(tmp_path, "table")
        assert [item.source_labels for item in named.items] == [("good",), ("crack",)]
        assert "classes.txt names them" in said(named, "class_names").detail
        (tmp_path / "classes.txt").unlink()
        table(tmp_path, "image,label,label_name\n1.png,0,good\n2.png,1,crack\n")
        assert [item.source_labels for item in read(tmp_path, "table").items] == [("good",), ("crack",)]

    def test_rows_of_boxes_are_places_of_one_image(self, tmp_path: Path) -> None:
        images(tmp_path, "1.png", "2.png")
        table(
            tmp_path,
            "filename,class,xmin,ymin,xmax,ymax\n1.png,crack,1,2,3,4\n1.png,dent,5.2,5.2,7,7\n2.png,ok,,,,\n",
        )
        first, second = read(tmp_path, "table").items
        assert (first.source_labels, first.boxes) == (("crack", "dent"), ((1, 2, 3, 4), (5, 5, 7, 7)))
        assert (second.source_labels, second.boxes) == (("good",), ())

    @pytest.mark.parametrize(
        ("column", "cell", "reading"),
        [
            ("bbox", '"[1, 2, 2, 2]"', {}),
            ("box", "1 2 3 4", {}),
            ("box", "0.125 0.25 0.375 0.5", {}),
            ("box", "0.25 0.375 0.25 0.25", {"boxes": "cxcywh"}),
        ],
    )
    def test_a_box_is_read_as_its_column_says(
        self, column: str, cell: str, reading: dict[str, str], tmp_path: Path
    ) -> None:
        images(tmp_path, "1.png")
        found = read(table(tmp_path, f"image,label,{column}\n1.png,crack,{cell}\n"), "table", **reading)
        assert found.items[0].boxes == ((1, 2, 3, 4),)
        assert "a box as" in said(found, "columns").detail

    def test_what_is_wrong_with_a_box_is_told(self, tmp_path: Path) -> None:
        images(tmp_path, "1.png", "2.png", "3.png", "4.png")
        rows = ["1.png,crack,20 20 30 30", "2.png,crack,4 4 30 6", "3.png,good,1 1 2 2", "4.png,crack,four"]
        found = read(table(tmp_path, "\n".join(["image,label,box", *rows])), "table")
        assert [item.boxes for item in found.items] == [(), ((4, 4, 8, 6),), (), ()]
        assert sorted(each for each in kinds(found) if each != "columns") == [
            "bad_box", "bad_box", "bad_row", "marked_normal",
        ]  # fmt: skip

    @pytest.mark.parametrize(
        "content", [b"", b"\xff\xfe\x00", b"\0\0", b"image\n", b"PAR1", b"{}", b"[1, 2]", b'{"image": 3}\n[]\n']
    )
    @pytest.mark.parametrize("name", ["labels.csv", "labels.jsonl", "labels.parquet", "labels.json"])
    def test_a_broken_table_is_an_error_and_no_crash(self, name: str, content: bytes, tmp_path: Path) -> None:
        images(tmp_path, "1.png")
        (tmp_path / name).write_bytes(content)
        with pytest.raises(SourceError):
            read(tmp_path, "table")
        recognise(tmp_path)


class TestCoco:
    def coco(self, root: Path, **changes: object) -> Path:
        images(root, "1.png", "2.png")
        content = {
            "images": [{"id": 1, "file_name": "1.png"}, {"id": 2, "file_name": "2.png"}],
            "annotations": [{"image_id": 1, "category_id": 5, "bbox": [1, 2, 2, 2]}],
            "categories": [{"id": 5, "name": "crack"}],
        }
        return table(root, json.dumps(content | changes), "a.json")

    def test_an_image_without_annotation_is_normal(self, tmp_path: Path) -> None:
        first, second = read(self.coco(tmp_path), "coco").items
        assert (first.source_labels, first.boxes, first.anomalous) == (("crack",), ((1, 2, 3, 4),), True)
        assert (second.source_labels, second.anomalous) == (("good",), False)

    @pytest.mark.parametrize(
        ("changes", "kind"),
        [
            ({"annotations": [{"image_id": 1, "category_id": 5, "bbox": [1, 2, -2, 2]}]}, "bad_box"),
            ({"annotations": [{"image_id": 1, "category_id": 6}, 3]}, "unnamed_classes"),
            ({"annotations": [{"image_id": 1, "category_id": 5}, {"image_id": 9}]}, "lost_annotation"),
            ({"images": [{"id": 1, "file_name": "1.png"}, {"id": 3}]}, "bad_image"),
            ({"images": [{"id": 1, "file_name": "1.png"}, {"id": 1, "file_name": "2.png"}]}, "repeated_id"),
            ({"images": [{"id": 1, "file_name": "1.png"}]}, "image_without_row"),
            ({"images": [{"id": 1, "file_name": "1.png"}, {"id": 2, "file_name": "../x.png"}]}, "unclear_image"),
        ],
    )
    def test_what_is_wrong_is_told(self, changes: dict[str, object], kind: str, tmp_path: Path) -> None:
        assert kind in kinds(read(self.coco(tmp_path, **changes), "coco"))

    def test_a_file_without_its_images_is_an_error(self, tmp_path: Path) -> None:
        self.coco(tmp_path)
        (tmp_path / "1.png").unlink()
        (tmp_path / "2.png").unlink()
        with pytest.raises(SourceError, match="0 of 2 images are there"):
            read(tmp_path, "coco")

    def test_the_normal_class_is_no_defect(self, tmp_path: Path) -> None:
        one = {"image_id": 1, "category_id": 5, "bbox": [0, 0, 8, 8]}
        root = self.coco(tmp_path, annotations=[one], categories=[{"id": 5, "name": "OK"}])
        with pytest.raises(SourceError, match="no annotation of a class"):
            read(root, "coco")


class TestYolo:
    def yolo(self, root: Path, labels: str, names: str = "names: [crack, dent]") -> Path:
        images(root, "images/1.png", "images/2.png")
        table(root, labels, "labels/1.txt")
        return table(root, names, "data.yaml") if names else root

    def test_boxes_and_polygons_are_shares_of_the_image(self, tmp_path: Path) -> None:
        root = self.yolo(tmp_path, "0 0.25 0.375 0.25 0.25\n1 0.5 0.5 0.75 0.5 0.75 0.75\n")
        first, second = read(root, "yolo").items
        assert (first.source_labels, first.boxes) == (("crack", "dent"), ((1, 2, 3, 4), (4, 4, 6, 6)))
        assert second.source_labels == ("good",)
        assert "without a label file" in said(read(root, "yolo"), "no_label_file").detail

    @pytest.mark.parametrize("line", ["0 1 2", "crack 0.5 0.5 0.1 0.1", "0 nan 0 1 1", "0 100 200 20 20", "-1 0 0 1 1"])
    def test_a_line_that_is_no_box_is_told(self, line: str, tmp_path: Path) -> None:
        root = self.yolo(tmp_path, f"0 0.25 0.375 0.25 0.25\n{line}\n")
        found = read(root, "yolo")
        assert "line 2" in said(found, "bad_labels").detail and found.items[0].boxes == ((1, 2, 3, 4),)

    def test_no_boxes_at_all_is_an_error(self, tmp_path: Path) -> None:
        with pytest.raises(SourceError, match="YOLO: 0 boxes, 0 classes"):
            read(self.yolo(tmp_path, ""), "yolo")

    def test_classes_without_names_are_told(self, tmp_path: Path) -> None:
        root = self.yolo(tmp_path, "3 0.25 0.375 0.25 0.25\n", names="")
        found = read(root, "yolo")
        assert found.items[0].source_labels == ("3",) and "class 3" in said(found, "unnamed_classes").detail

    def test_yaml_runs_nothing(self, tmp_path: Path) -> None:
        root = self.yolo(tmp_path, "0 0.25 0.375 0.25 0.25\n", names="names: !!python/object/apply:os.abort []")
        assert read(root, "yolo").items[0].source_labels == ("0",)


class TestVoc:
    def voc(self, root: Path, text: str) -> Path:
        images(root, "JPEGImages/1.png", "JPEGImages/2.png")
        table(root, "<annotation><filename>2.png</filename></annotation>", "Annotations/2.xml")
        return table(root, text, "Annotations/1.xml")

    GOOD = (
        "<annotation><filename>1.png</filename><object><name>crack</name><bndbox><xmin>2</xmin><ymin>3</ymin>"
        "<xmax>3</xmax><ymax>4</ymax></bndbox></object></annotation>"
    )

    def test_pixels_count_from_one(self, tmp_path: Path) -> None:
        first, second = read(self.voc(tmp_path, self.GOOD), "voc").items
        assert (first.source_labels, first.boxes) == (("crack",), ((1, 2, 3, 4),))
        assert (second.source_labels, second.anomalous) == (("good",), False)

    def test_a_picture_of_segmentation_is_the_mask(self, tmp_path: Path) -> None:
        root = images(self.voc(tmp_path, self.GOOD), "SegmentationClass/1.png")
        assert read(root, "voc").items[0].mask == "SegmentationClass/1.png"

    def test_more_objects_than_are_read_are_told(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("acbench.data.sources.voc.MOST", 1)
        thing = self.GOOD.partition("<object>")[2].partition("</object>")[0]
        root = self.voc(tmp_path, self.GOOD.replace("</annotation>", f"<object>{thing}</object></annotation>"))
        assert "it has 2 objects, of which the first 1 are read" in said(read(root, "voc"), "bad_box").detail

    @pytest.mark.parametrize(
        "text",
        ["", "<annotation>", '<!DOCTYPE a [<!ENTITY b "c">]><annotation/>', "<other/>", "\0", "<annotation/>"],
    )
    def test_a_broken_file_is_told_and_nothing_else(self, text: str, tmp_path: Path) -> None:
        root = self.voc(tmp_path, text)
        table(root, self.GOOD.replace("1.png", "2.png"), "Annotations/2.xml")
        found = read(root, "voc")
        assert len(found.items) + kinds(found).count("image_without_row") == 2


class TestBoxesInRecords:
    def test_items_without_boxes_are_kept_as_before(self, tmp_path: Path) -> None:
        import pyarrow.parquet as pq

        found = ingest(sources.get("mvtec_ad"), toy_mvtec_ad(tmp_path / "toy"))
        tables.write(tmp_path / "items.parquet", found.items, Item, key=lambda item: item.image)
        assert "boxes" not in pq.read_schema(tmp_path / "items.parquet").names
        assert "boxes" not in to_json(found.items[0])
        assert tables.read(tmp_path / "items.parquet", Item) == found.items

    def test_items_with_boxes_are_kept_with_them(self, tmp_path: Path) -> None:
        found = read(toy_coco(tmp_path / "toy"), "coco")
        for name in ("items.parquet", "items.jsonl"):
            tables.write(tmp_path / name, found.items, Item, key=lambda item: item.image)
            assert tables.read(tmp_path / name, Item) == found.items
        changed = [item if not item.boxes else to_changed(item) for item in found.items]
        assert records_key(changed) != records_key(found.items)


def to_changed(item: Item) -> Item:
    from dataclasses import replace

    (left, top, right, bottom), *others = item.boxes
    return replace(item, boxes=((left, top, right, bottom + 1), *others))


NAMES = ["a.csv", "a.jsonl", "a.json", "a.parquet", "a.xml", "data.yaml", "1.txt"]


@given(st.binary(max_size=300), st.sampled_from(NAMES))
@settings(max_examples=150, deadline=None)
def test_any_bytes_are_read_or_refused(content: bytes, name: str) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        root = images(Path(folder), "1.png")
        (root / name).write_bytes(content)
        for source in ("table", "coco", "yolo", "voc"):
            found = sources.get(source)
            try:
                place = sources.locate(found, root)
                results = list(found.scan(place.tree, place.categories))
            except AcbenchError:
                continue
            assert all(isinstance(each, FoundImage | Finding) for each in results)


def test_a_segmentation_that_is_none_leaves_the_box(tmp_path: Path) -> None:
    from acbench.data.linked import copy_with_masks

    images(tmp_path / "a", "1.png", "2.png")
    annotations = [
        {"image_id": 1, "category_id": 1, "bbox": [1, 2, 2, 2], "segmentation": [[1, 2]]},
        {"image_id": 2, "category_id": 1, "bbox": [1, 2, 2, 2], "segmentation": {"size": [8, 8], "counts": [8, 2, 54]}},
    ]
    content = {
        "images": [{"id": number, "file_name": f"{number}.png", "width": 8, "height": 8} for number in (1, 2)],
        "annotations": annotations, "categories": [{"id": 1, "name": "crack"}],
    }  # fmt: skip
    table(tmp_path / "a", json.dumps(content), "a.json")
    source, tree = sources.get("coco"), FileTree(tmp_path / "a")
    assert source.masks is not None
    for _ in range(2):  # the second time nothing is drawn
        found = ingest(source, copy_with_masks(tree, source.masks(tree), tmp_path / "copy"))
        assert [item.marking for item in found.items] == ["boxes", "mask"]
        marked = found.images.marked(found.items[1], (8, 8))
        expected = np.zeros((8, 8), dtype=bool)
        expected[0:2, 1] = True
        np.testing.assert_array_equal(marked, expected)
    annotations[1]["segmentation"] = [[3, 4]]
    table(tmp_path / "a", json.dumps(content), "a.json")
    found = ingest(source, copy_with_masks(tree, source.masks(tree), tmp_path / "copy"))
    assert [item.marking for item in found.items] == ["boxes", "boxes"]  # not the mask of before
    (tmp_path / "a" / "2.png").unlink()
    assert [each.image for each in ingest(source, copy_with_masks(tree, {}, tmp_path / "copy")).items] == ["1.png"]
    assert (tmp_path / "a").is_dir() and not (tmp_path / "copy" / "2.png").exists()


def test_a_copy_tells_of_what_is_not_read(tmp_path: Path) -> None:
    from acbench.data.linked import copy_with_masks

    root = toy_yolo(tmp_path / "a", segments=True)
    images(tmp_path / "other", "1.png")
    (root / "images/outside.png").symlink_to(tmp_path / "other/1.png")
    (root / "images/circle").symlink_to(root / "images")
    images(root, ".hidden/1.png", "images/1.avif")
    source, tree = sources.get("yolo"), FileTree(root)
    assert source.masks is not None
    for _ in range(2):
        copy = copy_with_masks(tree, source.masks(tree), tmp_path / "copy")
        read, there = ingest(source, copy), ingest(source, root)
        assert [item.image for item in read.items] == [item.image for item in there.items]
        assert [bool(item.problem) for item in read.items] == [bool(item.problem) for item in there.items]
        told = {finding.path for finding in there.findings if finding.kind != "segments_not_drawn"}
        assert {"images/outside.png", "images/circle", ".hidden", "images/1.avif"} <= told
        assert told <= {finding.path for finding in read.findings}
    (root / "images/outside.png").unlink()
    first = next(item for item in read.items if item.marking == "mask")
    with Image.open(root / first.image) as picture:
        picture.resize((16, 16)).save(root / first.image)
    images(root, "images/outside.png")
    (root / "images/circle").unlink()
    copy = copy_with_masks(tree, source.masks(tree), tmp_path / "copy")
    assert "mask_size" not in kinds(ingest(source, copy))  # it was drawn anew
    assert not (copy / "images/outside.png").is_symlink() and not (copy / "images/circle").is_symlink()
