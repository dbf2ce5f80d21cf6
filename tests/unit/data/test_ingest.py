"""From a folder to items: the real numbers, every kind of damage, and being stopped in the middle."""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
import zlib
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from acbench.data import sources
from acbench.data.findings import MANY, condense
from acbench.data.hashing import FileHasher, MemoryFileFactsCache
from acbench.data.ingest import Dataset, describe, ingest, is_complete
from acbench.records import Finding, Item, item_id
from acbench.storage.files import MAX_BYTES
from acbench.storage.ledger import Ledger
from acbench.testing import full_tree, tiny_png, toy_mvtec_ad, toy_visa
from tests.support.listings import listing, paths

MVTEC_AD = sources.get("mvtec_ad")
VISA = sources.get("visa")
IMAGE = "bottle/test/contamination/000.png"
MASK = "bottle/ground_truth/contamination/000_mask.png"


@pytest.fixture
def toy(tmp_path: Path) -> Path:
    return toy_mvtec_ad(tmp_path / "toy")


@dataclass
class Opened:
    """Stands in for `os.open`."""

    paths: list[str] = field(default_factory=list)
    """Images and masks, in order."""
    before: Callable[[str], object] = lambda path: None
    """Called with the path of each one before it is opened."""
    real: Callable[..., int] = os.open

    def __call__(self, path: Any, *arguments: Any, **options: Any) -> int:
        if str(path).lower().endswith((".png", ".jpg")):
            self.before(path)
            self.paths.append(path)
        return self.real(path, *arguments, **options)


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> Opened:
    """What is opened from now on. A test of what is not opened sees first that this is told of what is."""
    found = Opened()
    monkeypatch.setattr(os, "open", found)
    return found


def kinds(ingested: Dataset) -> dict[str, str]:
    return {each.path: each.kind for each in ingested.findings}


class TestFullSize:
    def test_mvtec_ad(self, full_mvtec_ad: Path) -> None:
        result = ingest(MVTEC_AD, full_mvtec_ad)
        assert result.findings == []
        assert Counter((each.split, each.anomalous) for each in result.items) == {
            ("train", False): 3629,
            ("test", False): 467,
            ("test", True): 1258,
        }
        assert {each.image: each.mask or "" for each in result.items} == {
            row["image"]: row["mask"] for row in listing("mvtec_ad")
        }
        assert {label for each in result.items if each.anomalous for label in each.source_labels} == {
            label for labels in MVTEC_AD.known_labels().values() for label in labels
        }
        assert len({each.item_id for each in result.items}) == 5354
        assert describe(MVTEC_AD, result) == (
            "all of mvtec_ad: 5,354 of 5,354 images, 15 of 15 categories, masks for 1,258 of 1,258 anomalous images"
        )
        assert is_complete(MVTEC_AD, result)

    def test_visa(self, full_visa: Path) -> None:
        result = ingest(VISA, full_visa)
        assert result.findings == []
        assert Counter((each.split, each.anomalous) for each in result.items) == {
            ("train", False): 8659,
            ("test", False): 962,
            ("test", True): 1200,
        }
        rows = {row["image"]: row for row in listing("visa")}
        for each in result.items:
            row = rows[each.image]
            assert (each.split, each.mask or "", ",".join(each.source_labels)) == (
                row["split"],
                row["mask"],
                row["label"],
            )
        assert describe(VISA, result) == (
            "all of visa: 10,821 of 10,821 images, 12 of 12 categories, masks for 1,200 of 1,200 anomalous images"
        )

    def test_a_second_run_opens_no_file(self, full_mvtec_ad: Path, opened: Opened) -> None:
        cache = MemoryFileFactsCache()
        first = ingest(MVTEC_AD, full_mvtec_ad, hasher=FileHasher(cache=cache))
        assert len(opened.paths) == 5354 + 1258
        assert ingest(MVTEC_AD, full_mvtec_ad, hasher=FileHasher(cache=cache)) == first
        assert len(opened.paths) == 5354 + 1258


class TestParts:
    def test_a_category_as_root(self, toy: Path) -> None:
        whole = ingest(MVTEC_AD, toy)
        part = ingest(MVTEC_AD, toy / "bottle")
        assert part.root == toy
        assert part.items == [each for each in whole.items if each.category == "bottle"]
        assert describe(MVTEC_AD, part) == (
            "a part of mvtec_ad: 9 of 5,354 images, 1 of 15 categories, masks for 4 of 4 anomalous images"
        )
        assert not is_complete(MVTEC_AD, part)
        assert is_complete(sources.get("folders"), part), "nobody knows how many there should be"

    def test_no_train_and_no_masks(self, toy: Path) -> None:
        for name in ("train", "ground_truth"):
            (toy / "bottle" / name).rename(toy.parent / name)
        result = ingest(MVTEC_AD, toy, categories=["bottle"])
        assert describe(MVTEC_AD, result).endswith(
            "6 of 5,354 images, 1 of 15 categories, masks for 0 of 4 anomalous images"
        )
        (finding,) = result.findings
        assert (finding.path, finding.kind, finding.failed) == ("bottle", "missing_mask", False)
        assert "no mask of its 4 anomalous images" in finding.detail

    def test_strangers_and_failures_are_counted(self, toy: Path) -> None:
        toy_mvtec_ad(toy, {"gear": ["crack"]})
        (toy / IMAGE).write_bytes(b"")
        line = describe(MVTEC_AD, ingest(MVTEC_AD, toy, limit=5))
        assert line.startswith("a part of mvtec_ad: 10 of 5,354 images, 2 of 15 categories")
        assert "5 images of categories that it does not have: gear" in line
        assert line.endswith("at most 5 images of a category were asked for; 1 image cannot be used")

    def test_limit_keeps_every_class_and_train(self, full_mvtec_ad: Path) -> None:
        chosen = [ingest(MVTEC_AD, full_mvtec_ad, categories=["bottle"], limit=limit).items for limit in (5, 12, 1000)]
        classes = Counter((each.split, each.source_labels) for each in chosen[0])
        assert len(classes) == 5 and set(classes.values()) == {1}
        assert len(chosen[1]) == 12 and len(chosen[2]) == 292
        assert {each.image for each in chosen[0]} < {each.image for each in chosen[1]}
        assert ingest(MVTEC_AD, full_mvtec_ad, limit=0).items == []

    def test_items(self, toy: Path) -> None:
        items = ingest(MVTEC_AD, toy).items
        assert [each.image for each in items] == sorted(each.image for each in items)
        one = next(each for each in items if each.image == IMAGE)
        assert one == Item(
            item_id=item_id("mvtec_ad", "bottle", IMAGE),
            dataset="mvtec_ad",
            category="bottle",
            split="test",
            image=IMAGE,
            sha256=one.sha256,
            width=48,
            height=48,
            mode="RGB",
            mask=MASK,
            mask_sha256=one.mask_sha256,
            anomalous=True,
            source_labels=("contamination",),
            licence="CC-BY-NC-SA-4.0",
        )


def make_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def make_socket(path: Path) -> None:
    path.unlink()
    with socket.socket(socket.AF_UNIX) as server:
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            server.bind(f"/proc/self/fd/{folder}/{path.name}")  # a socket's own path may not be long
        finally:
            os.close(folder)


def make_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def make_link(target: str) -> Callable[[Path], None]:
    def make(path: Path) -> None:
        path.unlink()
        path.symlink_to(target)

    return make


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-30])


def huge(path: Path) -> None:
    with path.open("ab") as file:
        file.truncate(MAX_BYTES + 1)


def rename(name: bytes) -> Callable[[Path], None]:
    def make(path: Path) -> None:
        path.rename(path.parent / os.fsdecode(name))

    return make


def bomb(path: Path) -> None:
    data = tiny_png()
    head = b"IHDR" + (2**16).to_bytes(4, "big") * 2 + b"\x08\x02\0\0\0"
    path.write_bytes(data[:12] + head + zlib.crc32(head).to_bytes(4, "big") + data[33:])


def empty(path: Path) -> None:
    path.write_bytes(b"")


def text(path: Path) -> None:
    path.write_text("<html>404")


DAMAGE: dict[str, tuple[Callable[[Path], None], str, str]] = {
    "bomb": (bomb, "unreadable_image", "at most 100,000,000 are read"),
    "empty": (empty, "unreadable_image", "the file is empty"),
    "cut off": (cut, "unreadable_image", "was cut off"),
    "text": (text, "unreadable_image", "not a PNG, JPEG, BMP, TIFF"),
    "huge": (huge, "unreadable_image", "at most 512 MiB"),
    "pipe": (make_pipe, "not_a_file", "a pipe"),
    "socket": (make_socket, "not_a_file", "a socket"),
    "folder": (make_folder, "not_a_file", "a folder"),
    "link to a device": (make_link("/dev/zero"), "link_outside", "out of the dataset"),
    "link outside": (make_link("/etc/passwd"), "link_outside", "out of the dataset"),
    "relative link outside": (make_link("../../../../x.png"), "link_outside", "out of the dataset"),
    "dangling link": (make_link("nowhere.png"), "broken_link", "points at nothing"),
    "link to itself": (make_link("000.png"), "broken_link", ""),
    "not UTF-8": (rename(b"\xff.png"), "bad_name", r"\udcff.png"),
    "control character": (rename(b"a\x1b[2J\n.png"), "bad_name", r"a\x1b[2J\n.png"),
    "not a format": (rename(b"000.avif"), "unsupported_format", ".avif is not read"),
}


class TestHostile:
    """One image is damaged: its row and a finding say so, and the others are as before."""

    @pytest.mark.parametrize("how", DAMAGE)
    def test_a_damaged_image(self, toy: Path, how: str) -> None:
        damage, kind, detail = DAMAGE[how]
        before = {each.image: each for each in ingest(MVTEC_AD, toy).items}
        damage(toy / IMAGE)
        result = ingest(MVTEC_AD, toy)
        (bad,) = [each for each in result.items if each.problem]
        (finding,) = [each for each in result.findings if each.failed]
        assert (finding.path, finding.kind, finding.detail) == (bad.image, kind, bad.problem)
        assert detail in bad.problem and finding.hint
        assert (bad.source_labels, bad.width, bad.mode) == (("contamination",), 0, "")
        assert bad.image.isprintable()
        assert len(result.items) == len(before)
        for each in result.items:
            assert each is bad or each == before[each.image]

    @pytest.mark.parametrize(
        "how", [how for how in DAMAGE if how not in ("not UTF-8", "control character", "not a format")]
    )
    def test_a_damaged_mask(self, toy: Path, how: str) -> None:
        DAMAGE[how][0](toy / MASK)
        result = ingest(MVTEC_AD, toy)
        (finding,) = result.findings
        assert (finding.path, finding.kind, finding.failed) == (MASK, "unreadable_mask", True)
        one = next(each for each in result.items if each.image == IMAGE)
        assert (one.problem, one.mask, one.mask_sha256) == ("", None, None)

    def test_a_file_one_may_not_read(self, toy: Path, opened: Opened) -> None:
        def guarded(path: str) -> None:
            if path.endswith(IMAGE):
                raise PermissionError(13, "Permission denied")

        cache = MemoryFileFactsCache()
        opened.before = guarded
        result = ingest(MVTEC_AD, toy, hasher=FileHasher(cache=cache))
        opened.before = lambda path: None
        assert [each.image for each in result.items if each.problem == "you are not allowed to read it"] == [IMAGE]
        assert not any(
            each.problem for each in ingest(MVTEC_AD, toy, hasher=FileHasher(cache=cache)).items
        )  # not remembered

    def test_a_folder_one_may_not_list(self, toy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        allowed = os.scandir

        def guarded(path: str) -> object:
            if path.endswith("test/contamination"):
                raise PermissionError(13, "Permission denied")
            return allowed(path)

        monkeypatch.setattr("os.scandir", guarded)
        result = ingest(MVTEC_AD, toy)
        assert ("bottle/test/contamination", "no_permission", True) in [
            (each.path, each.kind, each.failed) for each in result.findings
        ]

    def test_a_file_that_vanishes_meanwhile(self, toy: Path, opened: Opened) -> None:
        opened.before = lambda path: Path(path).unlink() if path.endswith(IMAGE) else None
        (bad,) = [each for each in ingest(MVTEC_AD, toy).items if each.problem]
        assert "No such file" in bad.problem

    def test_a_mask_of_another_size(self, toy: Path) -> None:
        Image.new("L", (48, 47)).save(toy / MASK)
        result = ingest(MVTEC_AD, toy)
        (finding,) = result.findings
        assert (finding.path, finding.kind, finding.failed) == (MASK, "mask_size", True)
        assert finding.detail == "the mask is 48×47, its image 48×48"
        assert next(each for each in result.items if each.image == IMAGE).mask is None

    def test_a_jpeg_mask(self, toy: Path) -> None:
        Image.new("L", (48, 48)).save(toy / MASK, "JPEG")
        assert kinds(ingest(MVTEC_AD, toy)) == {MASK: "unreadable_mask"}

    def test_what_does_not_belong(self, toy: Path) -> None:
        test = toy / "bottle/test"
        (test / "stray.png").write_bytes(tiny_png("stray"))
        (test / "good/Thumbs.db").write_bytes(b"x")
        (test / "good/._000.png").write_bytes(b"x")
        (test / "good/more").mkdir()
        (test / "nothing").mkdir()
        (toy / "bottle/ground_truth/good").mkdir()
        (toy / "bottle/ground_truth/good/000_mask.png").write_bytes(tiny_png("m"))
        (toy / "bottle/ground_truth/gone").mkdir()
        (toy / "bottle/ground_truth/gone/000_mask.png").write_bytes(tiny_png("n"))
        (toy / "bottle/ground_truth/contamination/7_mask.png").write_bytes(tiny_png("o"))
        result = ingest(MVTEC_AD, toy)
        assert kinds(result) == {
            "bottle/ground_truth/contamination/7_mask.png": "mask_without_image",
            "bottle/ground_truth/gone/000_mask.png": "mask_without_image",
            "bottle/ground_truth/good/000_mask.png": "mask_size",
            "bottle/test/good/._000.png": "litter",
            "bottle/test/good/Thumbs.db": "litter",
            "bottle/test/good/more": "stray_folder",
            "bottle/test/nothing": "empty_folder",
            "bottle/test/stray.png": "stray_file",
        }
        assert not any(each.problem for each in result.items)

    def test_names_of_every_script(self, toy: Path) -> None:
        names = ["größer.png", "蜡烛.png", "شمعة.png", "👩‍🔧.png"]
        for name in names:
            (toy / "bottle/test/good" / name).write_bytes(tiny_png(name))
        result = ingest(MVTEC_AD, toy)
        assert {f"bottle/test/good/{name}" for name in names} <= {each.image for each in result.items}
        assert {each.kind for each in result.findings} == {"mixed_modes", "mixed_sizes"}

    def test_extensions_and_names_that_collide(self, toy: Path) -> None:
        folder = toy / "bottle/test/contamination"
        picture = Image.open(folder / "001.png")
        (folder / "001.png").rename(folder / "001.PNG")
        picture.save(folder / "001.Png", compress_level=1)
        picture.save(folder / "002.jpg")
        picture.close()
        result = ingest(MVTEC_AD, toy)
        assert sorted((each.path[-7:], each.kind) for each in result.findings) == [
            ("001.Png", "colliding_names"),
            ("001.Png", "shared_mask"),
            ("002.jpg", "missing_mask"),
            ("002.jpg", "other_format"),
        ]
        assert [each.image[-7:] for each in result.items if each.image.startswith("bottle/test/con")] == [
            "000.png",
            "001.PNG",
            "001.Png",
            "002.jpg",
        ]


class TestChecks:
    def test_duplicates(self, toy: Path) -> None:
        same = {
            "bottle/test/good/000.png": "bottle/train/good/000.png",
            "bottle/test/broken_large/000.png": "bottle/test/contamination/000.png",
            "screw/test/good/001.png": "screw/test/good/000.png",
        }
        for target, origin in same.items():
            (toy / target).write_bytes((toy / origin).read_bytes())
        result = ingest(MVTEC_AD, toy)
        assert kinds(result) == {
            "bottle/test/good/000.png": "duplicate_across_splits",
            "bottle/test/broken_large/000.png": "duplicate_across_classes",
            "screw/test/good/000.png": "duplicate",
        }
        assert "bottle/train/good/000.png" in result.findings[1].detail

    def test_a_folder_copied_whole_is_one_finding(self, full_mvtec_ad: Path, tmp_path: Path) -> None:
        for number in range(30):
            for part in ("train/good", "test/good"):
                full_tree(tmp_path, [f"bottle/{part}/{number:03}.png"])
                (tmp_path / f"bottle/{part}/{number:03}.png").write_bytes(tiny_png(str(number)))
        (finding,) = ingest(MVTEC_AD, tmp_path).findings
        assert finding.kind == "duplicate_across_splits"
        assert finding.detail == "it has the same bytes as bottle/train/good/000.png, and so have 58 more"

    def test_mixed_sizes_and_modes(self, toy: Path) -> None:
        Image.new("L", (20, 30)).save(toy / "bottle/train/good/001.png")
        found = {each.kind: each for each in ingest(MVTEC_AD, toy).findings}
        assert set(found) == {"mixed_modes", "mixed_sizes"}
        detail = "its images have 2 sizes: 48×48 (8), 20×30 (1); bottle/train/good/001.png is 20×30"
        assert found["mixed_sizes"].detail == detail

    def test_few_findings_stay_as_they_are(self) -> None:
        few = [Finding(path=f"a/{n}", kind="k", detail="d") for n in range(MANY)]
        assert condense(few) == few

    def test_a_flood_becomes_one_that_counts(self) -> None:
        flood = [Finding(path=f"a/b{m}/{n:02}", kind="k", detail="d", hint="h") for m in range(9) for n in range(40)]
        other = Finding(path="a/b1/00", kind="other", detail="d")
        failed = Finding(path="a/b1/00", kind="k", detail="d", failed=True)
        one, *rest = condense([*flood, other, failed])
        assert set(rest) == {other, failed}
        assert (one.path, one.kind, one.hint) == ("a", "k", "h")
        assert one.detail.startswith("360 of this kind. b0/00: d. Also b0/01, b0/02") and one.detail.endswith(
            "and 349 more"
        )

    def test_missing_masks_of_one_class_are_one_finding(self, full_mvtec_ad: Path, tmp_path: Path) -> None:
        rows = [row for row in listing("mvtec_ad") if row["image"].startswith("bottle/test")]
        masks = [row["mask"] for row in rows if row["mask"] and "/contamination/" not in row["mask"]]
        full_tree(tmp_path, [row["image"] for row in rows] + masks)
        (finding,) = ingest(MVTEC_AD, tmp_path).findings
        assert (finding.path, finding.kind) == ("bottle/test/contamination", "missing_mask")
        assert finding.detail.startswith("21 of this kind")


class TestCache:
    def test_only_what_changed_is_read_again(self, toy: Path, opened: Opened) -> None:
        cache = MemoryFileFactsCache()
        first = ingest(MVTEC_AD, toy, hasher=FileHasher(cache=cache))
        (toy / IMAGE).write_bytes(tiny_png("other"))
        opened.paths.clear()
        second = ingest(MVTEC_AD, toy, hasher=FileHasher(cache=cache))
        assert opened.paths == [str(toy / IMAGE)]
        assert len({each.sha256 for each in first.items} ^ {each.sha256 for each in second.items}) == 2

    def test_damage_is_remembered_too(self, toy: Path, opened: Opened) -> None:
        cut(toy / IMAGE)
        cache = MemoryFileFactsCache()
        first = ingest(MVTEC_AD, toy, hasher=FileHasher(cache=cache))
        assert str(toy / IMAGE) in opened.paths
        opened.paths.clear()
        assert ingest(MVTEC_AD, toy, hasher=FileHasher(cache=cache)) == first
        assert opened.paths == []

    @pytest.mark.parametrize("facts", ["", "null", "[1", "{}", "[1,2,3,4,5,6,7,8,9]"])
    def test_a_damaged_cache_is_not_believed(self, toy: Path, facts: str) -> None:
        cache = MemoryFileFactsCache()
        first = ingest(MVTEC_AD, toy, hasher=FileHasher(cache=cache))
        cache.facts = {path: (stamp, facts) for path, (stamp, _) in cache.facts.items()}
        assert ingest(MVTEC_AD, toy, hasher=FileHasher(cache=cache)) == first

    def test_the_ledger_is_a_cache(self, toy: Path, tmp_path: Path, opened: Opened) -> None:

        ledger = Ledger(tmp_path / "ledger.sqlite")
        try:
            first = ingest(MVTEC_AD, toy, hasher=FileHasher(cache=ledger.file_facts))
            assert opened.paths
            opened.paths.clear()
            assert ingest(MVTEC_AD, toy, hasher=FileHasher(cache=ledger.file_facts)) == first
            assert opened.paths == []
        finally:
            ledger.close()

    def test_progress_counts_every_file(self, toy: Path) -> None:
        seen: list[tuple[int, int]] = []
        ingest(MVTEC_AD, toy, hasher=FileHasher(progress=lambda done, total: seen.append((done, total))))
        assert seen[0] == (0, 26) and seen[-1] == (26, 26)
        assert seen == sorted(seen)

    def test_files_that_are_read_in_parts_give_the_same(self, toy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        cut(toy / IMAGE)
        whole, seen = ingest(MVTEC_AD, toy), []
        monkeypatch.setattr("acbench._util.packed.TOGETHER", 4)
        hasher = FileHasher(progress=lambda done, total: seen.append((done, total)))
        assert ingest(MVTEC_AD, toy, hasher=hasher) == whole
        assert seen[-1] == (26, 26) and seen == sorted(seen)

    @pytest.mark.parametrize(
        ("constant", "value", "threads"), [("_SLACK", 60.0, False), ("_SLACK", -1.0, True), ("_SMALL", 1, True)]
    )
    def test_only_files_that_take_a_while_are_read_by_threads(
        self, toy: Path, opened: Opened, monkeypatch: pytest.MonkeyPatch, constant: str, value: float, threads: bool
    ) -> None:
        monkeypatch.setattr(f"acbench.data.hashing.{constant}", value)
        by: set[bool] = set()
        opened.before = lambda path: by.add(threading.current_thread() is not threading.main_thread())
        assert len(ingest(MVTEC_AD, toy).items) == 18
        assert by == {threads}

    def test_facts_are_looked_up_for_the_files_that_are_asked_for(self, toy: Path, tmp_path: Path) -> None:
        with Ledger(tmp_path / "ledger.sqlite") as ledger:
            ingest(MVTEC_AD, toy, hasher=FileHasher(cache=ledger.file_facts))
            folder = f"{toy.resolve()}/bottle/train/good"
            every = sorted(ledger.file_facts.load(folder))
            assert len(every) > 2
            assert sorted(ledger.file_facts.load(folder, every[1], every[-1])) == every[1:]
            assert sorted(ledger.file_facts.load(folder, every[0], every[0])) == every[:1]

    def test_ctrl_c_stops_at_once_and_keeps_what_is_done(self, full_mvtec_ad: Path, opened: Opened) -> None:
        cache = MemoryFileFactsCache()
        opened.before = lambda path: time.sleep(0.02)

        def interrupted(done: int, total: int) -> None:
            if done >= 40:
                signal.raise_signal(signal.SIGINT)

        with pytest.raises(KeyboardInterrupt):
            ingest(MVTEC_AD, full_mvtec_ad, hasher=FileHasher(cache=cache, progress=interrupted, threads=2))
        kept = len(cache.facts)
        assert 40 <= kept < 100
        opened.before = lambda path: None
        assert len(ingest(MVTEC_AD, full_mvtec_ad, hasher=FileHasher(cache=cache)).items) == 5354
        assert len(cache.facts) == 5354 + 1258

    def test_a_cache_that_fails_while_stopping_does_not_hide_why(self, toy: Path) -> None:
        class Broken(MemoryFileFactsCache):
            def save(self, rows: Iterable[tuple[str, str, str]]) -> None:
                raise OSError("disk full")

        def interrupted(done: int, total: int) -> None:
            if done:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            ingest(MVTEC_AD, toy, hasher=FileHasher(cache=Broken(), progress=interrupted))
        with pytest.raises(OSError, match="disk full"):
            ingest(MVTEC_AD, toy, hasher=FileHasher(cache=Broken()))

    def test_work_is_kept_while_running(self, full_mvtec_ad: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("acbench.data.hashing._FLUSH", 0.0)
        cache = MemoryFileFactsCache()
        kept: list[tuple[int, int]] = []
        ingest(
            MVTEC_AD,
            full_mvtec_ad,
            limit=50,
            hasher=FileHasher(cache=cache, progress=lambda done, _: kept.append((done, len(cache.facts)))),
        )
        assert all(done == held for done, held in kept) and len(kept) > 10

    def test_few_files_are_in_memory_at_a_time(self, tmp_path: Path) -> None:
        import tracemalloc

        root = full_tree(tmp_path, [path for path in paths("mvtec_ad") if path.startswith("bottle")])
        for path in root.rglob("*.png"):
            os.truncate(path, 2**20)  # zeros after an image, which take no place on the disk
        tracemalloc.start()
        try:
            assert len(ingest(MVTEC_AD, root, hasher=FileHasher(threads=2)).items) == 292
            assert 2**20 < tracemalloc.get_traced_memory()[1] < 16 * 2**20
        finally:
            tracemalloc.stop()


def test_real_images(mvtec_ad_root: Path) -> None:
    result = ingest(MVTEC_AD, mvtec_ad_root)
    assert result.items
    assert not [each for each in result.findings if each.failed]
    assert {each.mode for each in result.items} <= {"RGB", "L"}
    assert "of 5,354 images" in describe(MVTEC_AD, result)


def test_toys_can_be_ingested(tmp_path: Path) -> None:
    for source, root in ((MVTEC_AD, toy_mvtec_ad(tmp_path / "a")), (VISA, toy_visa(tmp_path / "b"))):
        result = ingest(source, root)
        assert result.findings == []
        assert all(each.mask for each in result.items if each.anomalous)
