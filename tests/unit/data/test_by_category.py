"""A dataset that is read one category at a time, a few images together, is what it is when it is read as a whole."""

from __future__ import annotations

import random
import shutil
import tracemalloc
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

import pytest

from acbench.data import ingest as reading
from acbench.data import sources
from acbench.data.hashing import FileHasher
from acbench.data.ingest import Dataset, ingest
from acbench.data.item_table import ItemTable
from acbench.data.listing import list_images
from acbench.data.sources import Source
from acbench.records import Item
from acbench.storage.stored_rows import StoredRows
from acbench.testing import TOY_LAYOUTS, full_tree, tiny_image, toy_layout, toy_mvtec_ad, toy_visa, write_image_anno

SMALL = {
    "acbench._util.packed.TOGETHER": 3,
    "acbench.data.checks._LOADED": 2,
    "acbench.storage.parquet.TOGETHER": 4,
    "acbench.storage.stored_rows.WHOLE": 0,
}
"""Sizes at which a toy is as a large dataset."""


def several(root: Path, name: str) -> Path:
    """A toy in some layout, twice, so that the same files lie in several categories."""
    toy_layout(root, name)
    for folder in [path for path in root.iterdir() if path.is_dir() and path.name not in ("train", "val", "test")]:
        shutil.copytree(folder, root / f"{folder.name}-2")
    return root


TOYS: dict[str, tuple[str, Callable[[Path], Path]]] = {
    "mvtec_ad": ("mvtec_ad", toy_mvtec_ad),
    "visa": ("visa", toy_visa),
    **{f"folders {name}": ("folders", partial(several, name=name)) for name in TOY_LAYOUTS},
}


def damaged(root: Path, seed: int) -> Path:
    """Do to a few files what people do."""
    chance = random.Random(seed)
    for path in chance.sample(sorted(path for path in root.rglob("*") if path.is_file()), 5):
        match chance.randrange(5):
            case 0:
                path.write_bytes(b"")
            case 1:
                path.unlink()
            case 2:
                path.rename(path.with_name("stray.txt"))
            case 3:
                path.write_bytes(tiny_image("deep.tif"))
            case _:
                shutil.copyfile(path, path.with_name("copy.png"))
    (root / "note.png").write_bytes(tiny_image("note.png"))
    (root / "docs").mkdir()
    (root / "docs" / "a.png").write_bytes(tiny_image("a.png"))
    return root


def facts(dataset: Dataset) -> tuple[object, ...]:
    return (
        list(dataset.items),
        dataset.findings,
        dataset.finding_classes,
        dict(dataset.image_counts),
        dict(dataset.bits),
        dict(dataset.keys),
        dataset.key,
    )


@pytest.mark.parametrize("limit", [None, 2])
@pytest.mark.parametrize("toy", TOYS)
def test_it_is_what_it_is_as_a_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, toy: str, limit: int | None
) -> None:
    name, make = TOYS[toy]
    root, source = damaged(make(tmp_path / "toy"), seed=len(toy)), sources.get(name)
    with monkeypatch.context() as patch:
        patch.setattr(reading, "list_images", partial(list_images, as_one=True))
        patch.setattr("acbench.data.sources.folders.FirstFolders.are_categories", lambda *_: False)
        whole = ingest(source, root, limit=limit)
    for constant, value in SMALL.items():
        monkeypatch.setattr(constant, value)
    with ItemTable(tmp_path / "items.parquet") as table:
        apart = ingest(source, root, limit=limit, write=table.write)
        assert isinstance(apart.items, StoredRows) and not apart.items.is_whole
        assert facts(apart) == facts(whole)
        assert [item.image for item in apart.items] == sorted(item.image for item in apart.items)


@pytest.mark.parametrize("toy", ["mvtec_ad", "visa", "folders mvtec_ad", "folders btad"])
def test_categories_are_listed_one_by_one(tmp_path: Path, toy: str) -> None:
    name, make = TOYS[toy]
    listing = list_images(sources.get(name), make(tmp_path / "toy"))
    assert len(listing.parts) == len(listing.categories) > 1 and listing.common is not None
    for category, part in listing.parts.items():
        assert {image.category for image in part.images} == {category}


@pytest.mark.parametrize("folder", ["val", "validation"])
def test_a_split_of_which_all_images_tell_is_read_as_a_whole(tmp_path: Path, folder: str) -> None:
    root = several(tmp_path / "toy", "mvtec_ad")
    shutil.copytree(root / "nut" / "test", root / "nut" / folder)
    assert list_images(sources.get("folders"), root).common is None


def test_two_folders_of_one_category_are_read_as_a_whole(tmp_path: Path) -> None:
    root = toy_mvtec_ad(tmp_path / "toy")
    naming = reading.Naming(prefix="a", licence="CC0-1.0", key_of=lambda name: "one")
    dataset = ingest(sources.get("mvtec_ad"), root, naming=naming)
    assert (list(dataset.image_counts), len(dataset.parts), len(dataset.keys)) == (["one"], 1, 1)


def test_many_copies_of_one_file_are_one_finding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = toy_mvtec_ad(tmp_path / "toy")
    images = sorted((root / "bottle").rglob("*.png"))
    for path in images:
        shutil.copyfile(images[0], path) if path != images[0] else None
    whole = ingest(sources.get("mvtec_ad"), root)
    for constant, value in SMALL.items():
        monkeypatch.setattr(constant, value)
    with ItemTable(tmp_path / "items.parquet") as table:
        assert facts(ingest(sources.get("mvtec_ad"), root, write=table.write)) == facts(whole)
    assert [each.count for each in whole.finding_classes if each.kind.startswith("duplicate")] == [1]


def test_the_table_of_before_stays_if_reading_ends(tmp_path: Path) -> None:
    path = tmp_path / "items.parquet"
    path.write_bytes(b"before")

    def groups(items: list[Item]) -> object:
        yield items
        raise KeyboardInterrupt

    items = list(ingest(sources.get("mvtec_ad"), toy_mvtec_ad(tmp_path / "toy")).items)
    with pytest.raises(KeyboardInterrupt), ItemTable(path) as table:
        table.write(groups(items), False)  # type: ignore[arg-type]
    assert [each.name for each in tmp_path.iterdir() if each.is_file()] == ["items.parquet"]
    assert path.read_bytes() == b"before"


class NothingKept:
    """A cache of facts that takes no memory."""

    def load(self, folder: str, first: str = "", last: str = "") -> dict[str, tuple[str, str]]:
        return {}

    def save(self, rows: Iterable[tuple[str, str, str]]) -> None:
        list(rows)


OF_MVTEC = ("nut/test/good/#.png", "nut/test/crack/#.png", "nut/ground_truth/crack/#_mask.png")
OF_VISA = ("nut/Data/Images/Normal/#.jpg", "nut/Data/Images/Anomaly/#.jpg", "nut/Data/Masks/Anomaly/#.png")


def most_memory(source: Source, folder: Path, layout: tuple[str, str, str], count: int) -> int:
    """Bytes that reading one category of so many images takes at once; half of them have masks."""
    normal, anomalous, masks = ([path.replace("#", f"{number:04}") for number in range(count // 2)] for path in layout)
    root = full_tree(folder / "images", [*normal, *anomalous, *masks])
    if layout == OF_VISA:
        write_image_anno(root, {**dict.fromkeys(normal, "normal"), **dict.fromkeys(anomalous, "crack")})
    tracemalloc.start()
    try:
        with ItemTable(folder / "items.parquet") as table:
            hasher = FileHasher(cache=NothingKept(), threads=1)
            dataset = ingest(source, root, hasher=hasher, write=table.write)
            assert (len(dataset.items), dataset.parts[0].masked) == (count, count // 2)
            return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("name", "layout", "most"), [("mvtec_ad", OF_MVTEC, 200), ("folders", OF_MVTEC, 200), ("visa", OF_VISA, 450)]
)
def test_an_image_of_a_large_category_takes_few_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, layout: tuple[str, str, str], most: int
) -> None:
    monkeypatch.setattr("acbench._util.packed.TOGETHER", 50)
    monkeypatch.setattr("acbench.storage.parquet.TOGETHER", 50)
    monkeypatch.setattr("acbench.storage.stored_rows.WHOLE", 0)
    source = sources.get(name)
    most_memory(source, tmp_path / "first", layout, 100)  # what is imported late, or cached for all
    few, many = (most_memory(source, tmp_path / str(count), layout, count) for count in (400, 2_000))
    assert many - few < 1_600 * most
