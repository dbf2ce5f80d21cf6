"""People's own folders: every layout that is known, what is said of it, and that no image is dropped in silence."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from acbench.data import sources
from acbench.data.ingest import ingest
from acbench.data.recognise import recognise
from acbench.data.sources import FoundImage
from acbench.data.sources._pattern import compile_pattern
from acbench.errors import SourceError
from acbench.records import GOOD, Finding, mask_files
from acbench.storage.roots import parse_root
from acbench.testing import TOY_LAYOUTS, dropped, tiny_image, toy_layout, toy_mvtec_ad


def read(root: Path, **reading: str | tuple[str, ...]) -> tuple[list[FoundImage], list[Finding]]:
    source = sources.get("folders", reading)
    place = sources.locate(source, root)
    every = list(source.scan(place.tree, place.categories))
    images = [each for each in every if isinstance(each, FoundImage)]
    return images, [*place.findings, *(each for each in every if isinstance(each, Finding))]


def make(root: Path, *paths: str) -> Path:
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(tiny_image(path))
    return root


@pytest.mark.parametrize("name", TOY_LAYOUTS)
class TestLayouts:
    def test_it_is_recognised_and_read(self, name: str, tmp_path: Path) -> None:
        root = toy_layout(tmp_path / "toy", name)
        best = recognise(root)[0]
        reading = dict(best.reading)
        if name == "masks_beside":
            reading["normal"] = "MT_Free"
        images, findings = read(root, **reading)
        found = {each.image: each for each in images}
        assert set(found) == {toy.path for toy in TOY_LAYOUTS[name]}
        assert [each for each in findings if each.kind != "validation_split"] == []
        for toy in TOY_LAYOUTS[name]:
            each = found[toy.path]
            normal = toy.label in (GOOD, "MT_Free")
            assert each.category == (toy.category or "toy")
            assert each.source_labels == ((GOOD if normal else toy.label,) if toy.label else ())
            assert each.anomalous is (not normal if toy.label else None)
            assert (mask_files(each.mask) if each.mask else ()) == toy.masks
            assert each.split == toy.split or not toy.split
            assert toy.split or normal or each.split == "test"

    def test_without_options_it_is_the_same(self, name: str, tmp_path: Path) -> None:
        root = toy_layout(tmp_path / "toy", name)
        told, _ = read(root, **recognise(root)[0].reading)
        looked, _ = read(root)
        strip = f"{root.name}/"
        assert [(each.image.removeprefix(strip), each.category, each.source_labels, each.split) for each in looked] == [
            (each.image, each.category, each.source_labels, each.split) for each in told
        ]

    def test_no_image_is_dropped_in_silence(self, name: str, tmp_path: Path) -> None:
        root = toy_layout(tmp_path / "toy", name)
        reading = recognise(root)[0].reading
        make(
            root, "stray.png", "deep/er/than/all/others.jpg", "train/stray.tif", "a/.ipynb_checkpoints/x.png",
            "__MACOSX/toy/._x.png", "scratch/more/and/more.webp", "good/unknown.avif", "masks/nobody.png", "empty/x",
        )  # fmt: skip
        (root / "link.png").symlink_to("/etc/passwd")
        images, findings = read(root, **reading)
        assert dropped(root, [*images, *findings]) == []


class TestOptions:
    def test_patterns_alone(self, tmp_path: Path) -> None:
        make(tmp_path, "shots/nut/scratch-7.jpg", "shots/nut/fine-1.jpg", "marks/nut/scratch-7_m.png", "other.png")
        images, findings = read(
            tmp_path, image="shots/{category}/{class}-{stem}.*", mask="marks/{category}/{class}-{stem}_m.*",
            normal="fine", split="train",
        )  # fmt: skip
        assert [(each.category, each.source_labels, each.split, bool(each.mask)) for each in images] == [
            ("nut", (GOOD,), "train", False),
            ("nut", ("scratch",), "train", True),
        ]
        assert [(each.path, each.kind) for each in findings] == [("other.png", "unmatched_image")]

    def test_the_arguments_of_anomalibs_folder(self, tmp_path: Path) -> None:
        make(
            tmp_path, "g/1.jpg", "t/2.jpg", "bad/crack/3.jpg", "bad/dent/3.jpg", "m/crack/3.png", "m/dent/3.png"
        )  # fmt: skip
        images, findings = read(
            tmp_path, normal_dir="g", normal_test_dir="t", abnormal_dir=("bad/crack", "bad/dent"),
            mask_dir=("m/crack", "m/dent"), category="part",
        )  # fmt: skip
        assert findings == []
        assert [(each.image, each.split, each.source_labels, each.mask) for each in images] == [
            ("bad/crack/3.jpg", "test", ("crack",), "m/crack/3.png"),
            ("bad/dent/3.jpg", "test", ("dent",), "m/dent/3.png"),
            ("g/1.jpg", "train", (GOOD,), None),
            ("t/2.jpg", "test", (GOOD,), None),
        ]

    def test_an_image_that_is_only_named_as_a_mask_is_an_image(self, tmp_path: Path) -> None:
        make(tmp_path, "ok/1.png", "torn/1.png", "torn/1_label.png", "torn/torn_label.png", "ok/face_mask.png")
        images, findings = read(tmp_path)
        assert [(each.path, each.kind) for each in findings] == [("torn/torn_label.png", "missing_mask")]
        assert {each.image: each.mask for each in images} == {
            "ok/1.png": None, "ok/face_mask.png": None, "torn/1.png": "torn/1_label.png", "torn/torn_label.png": None,
        }  # fmt: skip

    def test_masks_alone_can_be_told(self, tmp_path: Path) -> None:
        make(tmp_path, "ok/1.png", "torn/1.png", "torn/2.png", "odd/torn/1-a.png", "odd/torn/1-b.png")
        images, findings = read(tmp_path, mask="odd/{class}/{stem}-*.*")
        assert [each.kind for each in findings] == ["missing_mask"]
        (torn,) = (each for each in images if each.mask)
        assert mask_files(torn.mask or "") == ("odd/torn/1-a.png", "odd/torn/1-b.png")

    def test_validation_is_for_training_unless_somebody_says_otherwise(self, tmp_path: Path) -> None:
        root = toy_layout(tmp_path, "supervised")
        images, findings = read(root, layout="splits")
        assert {each.split for each in images if each.image.startswith("val/")} == {"train"}
        assert [(each.kind, each.hint) for each in findings] == [
            ("validation_split", "--reading test=val  reads them otherwise")
        ]
        images, findings = read(root, layout="splits", test="val")
        assert {each.split for each in images if each.image.startswith("val/")} == {"test"} and not findings

    def test_a_part_of_the_normal_images_is_for_testing_and_more_images_change_nothing(self, tmp_path: Path) -> None:
        names = [f"good/{number}.png" for number in range(60)]
        few, _ = read(make(tmp_path, *names[:40], "dent/1.png"))
        more, _ = read(make(tmp_path, *names))
        splits = [each.split for each in more if not each.anomalous]
        assert 2 <= splits.count("test") <= 12
        assert {each.image: each.split for each in few}.items() <= {each.image: each.split for each in more}.items()
        assert {each.split for each in more if each.anomalous} == {"test"}

    @pytest.mark.parametrize(
        ("reading", "message"),
        [
            ({"nrmal": "x"}, "did you mean normal?"),
            ({"layout": "mvtex"}, "did you mean mvtec?"),
            ({"image": "{clas}/{stem}.*"}, "did you mean {class}?"),
            ({"image": "../{stem}.*"}, "no pattern of paths"),
            ({"image": "/abs/{stem}.*"}, "no pattern of paths"),
            ({"image": "{}/x"}, "there is no {}"),
            ({"image": "{masks}/{stem}.*"}, "a folder of masks"),
            ({"split": "dev"}, "train or test"),
            ({"unmasked": "maybe"}, "normal or unknown"),
            ({"category": ("a", "b")}, "has 2 values"),
            ({"normal": ""}, "has no value"),
            ({"mask_dir": "m"}, "give normal_dir"),
            ({"abnormal_dir": ("a", "b", "c"), "mask_dir": ("a", "b")}, "abnormal_dir 3"),
        ],
    )
    def test_an_option_that_cannot_be_is_named(self, reading: dict[str, str], message: str) -> None:
        with pytest.raises(SourceError) as caught:
            sources.get("folders", reading)
        assert message in f"{caught.value.message} {caught.value.hint}"

    def test_a_source_without_options_takes_none(self) -> None:
        with pytest.raises(SourceError, match="it reads one layout"):
            sources.get("mvtec_ad", {"layout": "btad"})

    def test_a_pattern_that_fits_nothing_names_what_is_there(self, tmp_path: Path) -> None:
        make(tmp_path, "OK/1.png")
        with pytest.raises(SourceError, match=r"no image in .* matches \{split\}") as caught:
            read(tmp_path, image="{split}/{class}/{stem}.*")
        assert "--reading 'image={class}/{stem}.*'" in caught.value.hint


class TestRecognise:
    def test_what_is_not_used_has_a_line_that_uses_it(self, tmp_path: Path) -> None:
        root = make(toy_layout(tmp_path / "toy", "classes"), "extra/deep/stain/1.jpg")
        (note,) = recognise(root)[0].notes
        assert "1 image in extra/deep/stain would not be read" in note
        line = "extra/deep/{class}/{stem}.*"
        assert f"--reading layout=classes --reading 'image={line}'" in note
        (best,) = recognise(root, {"layout": "classes", "image": line})
        assert best.notes == ()

    def test_a_name_that_may_be_normal_is_suggested_and_never_taken(self, tmp_path: Path) -> None:
        root = toy_layout(tmp_path, "masks_beside")
        assert "--reading normal=MT_Free" in recognise(root)[0].notes[0]
        assert all(each.anomalous for each in read(root)[0])

    def test_a_dataset_that_is_known_by_its_categories(self, tmp_path: Path) -> None:
        found = recognise(toy_mvtec_ad(tmp_path))
        assert [(each.source, each.categories) for each in found] == [
            ("mvtec_ad", ("bottle", "screw")),
            ("folders", ("bottle", "screw")),
        ]

    @pytest.mark.parametrize("folder", ["JPEGImages", "from the camera"])
    def test_a_single_folder_of_pictures_is_no_class(self, tmp_path: Path, folder: str) -> None:
        (best,) = recognise(make(tmp_path, *(f"{folder}/{number}.jpg" for number in range(4))))
        assert best.reading == {"layout": "unlabelled", "category": tmp_path.name}

    def test_one_folder_too_high(self, tmp_path: Path) -> None:
        toy_layout(tmp_path / "one", "mvtec_ad")
        toy_layout(tmp_path / "other", "classes")
        assert [each.source for each in recognise(tmp_path)] == []
        with pytest.raises(SourceError, match="is not known") as caught:
            read(tmp_path)
        assert f"did you mean {tmp_path}/one" in caught.value.hint

    def test_an_empty_folder_is_an_error(self, tmp_path: Path) -> None:
        with pytest.raises(SourceError, match="there is no image in"):
            read(tmp_path)


class TestHostile:
    def test_links_in_circles_end(self, tmp_path: Path) -> None:
        root = toy_layout(tmp_path, "classes")
        for name in ("OK/up", "dent/up", "scratch/up"):
            (root / name).symlink_to(root)
        images, findings = read(root)
        assert len(images) == 9
        assert {(each.path, each.kind) for each in findings} == {
            (f"{name}/up", "link_circle") for name in ("OK", "dent", "scratch")
        }

    def test_a_mask_whose_name_holds_the_mark_of_several_is_told(self, tmp_path: Path) -> None:
        make(tmp_path, "good/1.png", "dent/a|b.png", "masks/dent/a|b.png")
        dataset = ingest(sources.get("folders"), tmp_path)
        assert {each.kind for each in dataset.findings if each.failed} == {"unreadable_mask"}

    @pytest.mark.parametrize("name", ["loco", "anomalib"])
    def test_at_a_url_it_is_the_same(self, name: str, tmp_path: Path) -> None:
        root = toy_layout(tmp_path / "toy", name)
        shutil.make_archive(str(tmp_path / "toy"), "zip", root)
        source = sources.get("folders")
        there = ingest(source, parse_root(f"zip://::file://{tmp_path}/toy.zip"))
        assert there.items == ingest(source, root).items

    @given(st.text(max_size=30))
    def test_any_text_is_a_pattern_or_an_error(self, text: str) -> None:
        try:
            pattern = compile_pattern(text, ("train",))
        except SourceError as error:
            assert error.hint
        else:
            pattern.match("good/train/1.png")


class TestPixels:
    def test_several_masks_of_an_image_are_one(self, tmp_path: Path) -> None:
        root = toy_layout(tmp_path, "loco")
        folder = root / "box/ground_truth/logical_anomalies/000"
        for name, column in (("000.png", 1), ("001.png", 6)):
            pixels = np.zeros((8, 8), np.uint8)
            pixels[:, column] = 255
            Image.fromarray(pixels).save(folder / name)
        dataset = ingest(sources.get("folders", {"layout": "loco"}), root)
        (item,) = (each for each in dataset.items if each.image == "box/test/logical_anomalies/000.png")
        assert item.mask and np.flatnonzero(dataset.images.mask(item.mask, (8, 8)).any(axis=0)).tolist() == [1, 6]
        (folder / "001.png").write_bytes(b"broken")
        dataset = ingest(sources.get("folders", {"layout": "loco"}), root)
        (item,) = (each for each in dataset.items if each.image == "box/test/logical_anomalies/000.png")
        assert item.mask == "box/ground_truth/logical_anomalies/000/000.png"
        assert [each.kind for each in dataset.findings if each.failed] == ["unreadable_mask"]

    def test_where_only_masks_tell_an_empty_one_is_of_a_normal_image(self, tmp_path: Path) -> None:
        root = toy_layout(tmp_path, "kolektor")
        for number in (0, 1):
            Image.new("L", (8, 8)).save(root / f"kos01/Part00{number}_label.bmp")
        dataset = ingest(sources.get("folders"), root)
        normal = {each.image for each in dataset.items if not each.anomalous and each.source_labels == (GOOD,)}
        assert normal == {"kos01/Part000.jpg", "kos01/Part001.jpg"}
        assert [(each.kind, each.count) for each in dataset.finding_classes if "mask" in each.kind] == [
            ("empty_normal_mask", 2)
        ]

    @pytest.mark.parametrize("extension", ["tif", "tiff", "webp", "pgm", "pnm", "ppm", "gif", "jfif", "bmp", "JPE"])
    def test_every_kind_of_file(self, tmp_path: Path, extension: str) -> None:
        make(tmp_path, *(f"{name}/{n}.{extension}" for name in ("ok", "dent") for n in range(3)))
        dataset = ingest(sources.get("folders"), tmp_path)
        assert [each for each in dataset.findings if each.failed] == []
        assert len(dataset.items) == 6 and all(each.width == 8 for each in dataset.items)
        picture = np.asarray(dataset.images.image(dataset.items[0].image))
        assert picture[4, 4].min() > 200 and picture[6, 6].max() < 50

    def test_findings_come_by_weight_each_kind_once(self, tmp_path: Path) -> None:
        make(tmp_path, *(f"{name}/{n}.png" for name in ("ok", "dent") for n in range(9)))
        for name in ("dent/0.png", "ok/0.png"):
            (tmp_path / name).write_bytes(f"no image: {name}".encode())
        for n in range(7):
            (tmp_path / "ok" / f"._{n}.png").touch()
            (tmp_path / "dent" / f"note {n}.txt").touch()
        make(tmp_path, "deep/er/still/1.png")
        (tmp_path / ".DS_Store").touch()
        classes = ingest(sources.get("folders"), tmp_path).finding_classes
        assert [(each.kind, each.count, each.weight) for each in classes] == [
            ("unreadable_image", 2, 0), ("unmatched_image", 1, 1), ("litter", 8, 2), ("stray_file", 7, 2),
        ]  # fmt: skip
        assert [each.path for each in classes[0].examples] == ["dent/0.png", "ok/0.png"]
        assert len(classes[2].examples) == 2
