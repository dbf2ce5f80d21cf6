"""A dataset that nobody has touched is neither listed nor read again; whatever anybody has touched is."""

from __future__ import annotations

import dataclasses
import os
import shutil
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from acbench.data import ingest as reading
from acbench.data.ingest import Dataset
from acbench.storage.files import FileTree
from acbench.storage.folder_state import folder_state
from acbench.testing import TOY_LAYOUTS, tiny_image, toy_layout, toy_mvtec_ad
from acbench.testing.annotated import toy_coco, toy_table, toy_voc, toy_yolo
from acbench.workflows import schema_init
from acbench.workflows.ingest import ingest
from tests.support.releases import at_work

Change = Callable[[Path], object]
"""Does something to an image."""


def written_with_the_old_time(path: Path) -> None:
    before = path.stat()
    path.write_bytes(tiny_image(f"another {path.name}")[: before.st_size].ljust(before.st_size, b"\0"))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def replaced_by_a_link(path: Path) -> None:
    other = path.with_name("elsewhere.bin")
    other.write_bytes(tiny_image("elsewhere.png"))
    path.unlink()
    path.symlink_to(other)


CHANGES: dict[str, Change] = {
    "written": lambda path: path.write_bytes(tiny_image("written.png")),
    "written with the old size and time": written_with_the_old_time,
    "removed": Path.unlink,
    "renamed": lambda path: path.rename(path.with_name("renamed.png")),
    "another beside it": lambda path: path.with_name("beside.png").write_bytes(tiny_image("beside.png")),
    "a folder beside it": lambda path: (path.parent / "more").mkdir(),
    "a link in its place": replaced_by_a_link,
}


def settled(folder: Path) -> None:
    """Wait until all that was written shows by its time."""
    while not folder_state(
        [os.fspath(folder), *(os.fspath(path) for path in folder.rglob("*") if path.is_dir())]
    ).settled:
        pass


def read(project: Path, name: str, root: Path) -> tuple[Dataset, bool]:
    """The dataset, and whether it was known without looking at its images; its tables are read."""
    with at_work(project, name, root=root) as run, pytest.MonkeyPatch.context() as patch:
        looked: list[object] = []
        whole = reading.ingest
        patch.setattr(reading, "ingest", lambda *given, **options: (looked.append(given), whole(*given, **options))[1])
        dataset = ingest(run)
        assert len(dataset.items) == len(list(dataset.items)) and list(dataset.findings) is not None
        return dataset, not looked


def facts(dataset: Dataset) -> tuple[object, ...]:
    return (
        list(dataset.items),
        list(dataset.findings),
        dataset.finding_classes,
        dataset.key,
        dict(dataset.keys),
        dict(dataset.image_counts),
        dataset.root,
        dict(dataset.bits),
        dataset.images.key,
    )


ANNOTATED: dict[str, Callable[[Path], Path]] = {
    "table": toy_table,
    "coco": toy_coco,
    "coco segments": partial(toy_coco, segments=True),
    "yolo": toy_yolo,
    "voc": toy_voc,
}


@pytest.mark.parametrize("name", [*TOY_LAYOUTS, *ANNOTATED])
def test_it_is_the_same_dataset(tmp_path: Path, name: str) -> None:
    root, benchmark = made(tmp_path, name)
    settled(root)
    first, was_known = read(tmp_path, benchmark, root)
    assert is_kept(tmp_path, benchmark, root)
    again, _ = read(tmp_path, benchmark, root)
    assert not was_known
    assert facts(again) == facts(first)


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("name", ["mvtec_ad", "btad", "table", "coco segments"])
def test_what_has_changed_is_read(tmp_path: Path, name: str, change: str) -> None:
    root, benchmark = made(tmp_path, name)
    for place in targets(root):
        assert is_kept(tmp_path, benchmark, root)
        CHANGES[change](place)
        expect_as_anew(tmp_path, benchmark, root)


@pytest.mark.parametrize("name", ANNOTATED)
def test_a_changed_annotation_is_read(tmp_path: Path, name: str) -> None:
    root, benchmark = made(tmp_path, name)
    assert is_kept(tmp_path, benchmark, root)
    changed = [path for path in root.rglob("*") if path.is_file() and b"crack" in path.read_bytes()]
    changed = changed or sorted(root.rglob("*.txt"))[-1:]
    for path in changed:
        path.write_bytes(path.read_bytes().replace(b"crack", b"chips").replace(b"\n1 ", b"\n0 "))
    expect_as_anew(tmp_path, benchmark, root)


def test_another_question_is_another_dataset(tmp_path: Path) -> None:
    root, benchmark = made(tmp_path, "mvtec_ad")
    assert is_kept(tmp_path, benchmark, root)
    with at_work(tmp_path, benchmark, root=root, limit=1) as run:
        limited = ingest(run)
    with at_work(tmp_path, benchmark, root=root, limit=0) as run:
        whole = ingest(run)
    assert (limited.limit, whole.limit) == (1, None)
    assert len(limited.items) < len(whole.items)


def is_kept(project: Path, benchmark: str, root: Path) -> bool:
    """Whether a dataset is known once it was read."""
    settled(root)
    read(project, benchmark, root)
    settled(project / ".acbench" / "copies")  # the first time, masks may have been drawn into a copy
    read(project, benchmark, root)
    return read(project, benchmark, root)[1]


def expect_as_anew(project: Path, benchmark: str, root: Path) -> None:
    """Expect that the dataset is read, and what a project that has never seen it makes of it."""
    found, is_known = read(project, benchmark, root)
    is_copied = "copies" in os.fspath(found.root)  # masks are drawn into a copy, and an empty folder is not in it
    assert is_copied or not is_known
    anew = project / "anew"
    shutil.rmtree(anew, ignore_errors=True)
    anew.mkdir()
    fresh, _ = read(anew, benchmark, root)
    if is_copied:
        fresh = dataclasses.replace(fresh, root=found.root)
    assert facts(found) == facts(fresh)


def targets(root: Path) -> Iterator[Path]:
    """An image, and a mask, if there is one."""
    images = sorted(path for path in root.rglob("*.*") if path.suffix in (".png", ".jpg", ".bmp"))
    masks = [path for path in images if "mask" in os.fspath(path.relative_to(root)) or "ground_truth" in path.parts]
    yield from [path for path in images if path not in masks][-1:]
    yield from masks[:1]


def made(place: Path, name: str) -> tuple[Path, str]:
    """A toy dataset, and the benchmark that reads it."""
    if name == "mvtec_ad":
        return toy_mvtec_ad(place / "images"), "mvtec_ac"
    root = place / "images of ours"
    if name in ANNOTATED:
        ANNOTATED[name](root)
    else:
        toy_layout(root, name)
    schema_init.write(schema_init.sketch(str(root)).schema, place / "own.yaml")
    return root, str(place / "own.yaml")


SMALL = {
    "acbench._util.packed.TOGETHER": 5,
    "acbench.storage.parquet.TOGETHER": 7,
    "acbench.storage.stored_rows.WHOLE": 10,
}
"""Sizes at which a toy is as a large dataset."""
OF_CATEGORIES: dict[str, Change] = {
    "a file of its own is written": lambda root: any_image(root).write_bytes(tiny_image("another.png")),
    "a file has the bytes of another category's": lambda root: any_image(root).write_bytes(
        any_image(root, last=True).read_bytes()
    ),
    "a class appears": lambda root: shutil.copytree(
        any_image(root).parent, any_image(root).parent.with_name("another_class")
    ),
    "a class goes": lambda root: shutil.rmtree(any_image(root).parent),
    "a class is renamed": lambda root: any_image(root).parent.rename(any_image(root).parent.with_name("other")),
    "a category appears": lambda root: shutil.copytree(folders(root)[0], root / "another"),
    "a category goes": lambda root: shutil.rmtree(folders(root)[0]),
    "a category is renamed": lambda root: folders(root)[0].rename(root / "zz"),
    "a category comes first": lambda root: folders(root)[-1].rename(root / "00"),
    "a split goes": lambda root: shutil.rmtree(folders(root)[0] / "test"),
    "a file lies beside the categories": lambda root: (root / "note.png").write_bytes(tiny_image("note.png")),
    "a file lies where none is read": lambda root: (folders(root)[0] / "note.png").write_bytes(tiny_image("n.png")),
    "a stray file appears in a category": lambda root: (any_image(root).parent / "note.txt").write_text("a"),
    "names differ in case": lambda root: [
        shutil.copytree(folders(root)[-1], root / name) for name in ("plate", "PLATE")
    ],
}


@pytest.mark.parametrize("change", OF_CATEGORIES)
@pytest.mark.parametrize("name", ["mvtec_ad", "btad"])
def test_what_has_changed_in_a_category_is_read_and_the_rest_is_as_before(
    tmp_path: Path, name: str, change: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for constant, value in SMALL.items():
        monkeypatch.setattr(constant, value)
    root, benchmark = made(tmp_path, name)
    assert is_kept(tmp_path, benchmark, root)
    OF_CATEGORIES[change](root)
    expect_as_anew(tmp_path, benchmark, root)
    assert is_kept(tmp_path, benchmark, root), "it is kept once more"
    OF_CATEGORIES["a stray file appears in a category"](root)
    expect_as_anew(tmp_path, benchmark, root)


@pytest.mark.parametrize("name", ["mvtec_ad", "btad"])
def test_only_the_category_that_has_changed_is_looked_at(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, benchmark = made(tmp_path, name)
    assert is_kept(tmp_path, benchmark, root)
    before, _ = read(tmp_path, benchmark, root)
    any_image(root).write_bytes(tiny_image("another.png"))
    looked: set[str] = set()
    locate = FileTree.locate
    monkeypatch.setattr(FileTree, "locate", lambda tree, path: (looked.add(path), locate(tree, path))[1])
    after, _ = read(tmp_path, benchmark, root)
    changed = folders(root)[0].name
    assert {path.partition("/")[0] for path in looked} == {changed}
    assert {key for key in before.keys if before.keys[key] != after.keys[key]} == {changed}
    assert before.key != after.key


def test_a_file_that_could_not_be_read_is_tried_again_with_its_category(tmp_path: Path) -> None:
    root, benchmark = made(tmp_path, "mvtec_ad")
    any_image(root).write_bytes(b"")
    assert not is_kept(tmp_path, benchmark, root)
    expect_as_anew(tmp_path, benchmark, root)


def folders(root: Path) -> list[Path]:
    """The folders of categories."""
    return sorted(path for path in root.iterdir() if path.is_dir())


def any_image(root: Path, *, last: bool = False) -> Path:
    """An image of the first category, or of the last: one for testing, if there is any."""
    files = [path for path in folders(root)[-1 if last else 0].rglob("*.*") if path.is_file()]
    return min(files, key=lambda path: ("test" not in path.parts, path))
