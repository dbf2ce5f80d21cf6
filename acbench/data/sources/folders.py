"""Reads a dataset of your own: class folders, splits, masks beside or apart, in any layout that patterns can say.

Your label schema names its categories and classes. How it lies is found by looking, or said in `reading`.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache
from typing import ClassVar
from weakref import WeakKeyDictionary

from acbench._util.plural import counted
from acbench.data.sources import mvtec_ad
from acbench.data.sources._arrange import VALIDATION, Arranged, Layout, arrange, folded, hashed_split
from acbench.data.sources._contract import ByCategory, FoundImage, Recognised
from acbench.data.sources._first_folders import FirstFolders
from acbench.data.sources._layout import ImageFile, collisions, image_file, stray
from acbench.data.sources._layout_options import OPTIONS, PATTERNS, read_layout
from acbench.data.sources._own import OwnDataset
from acbench.data.sources._placed import Placed
from acbench.data.sources._presets import ENOUGH, inside, look
from acbench.data.sources._suggest import how_to_read, normal_candidates
from acbench.data.sources._walk import Walked, is_fenced, root_name, walk
from acbench.errors import SourceError
from acbench.records import GOOD, Finding, Reading, Split, united
from acbench.storage.files import FileRefused, FileTree, FolderEntry


class FolderReader(OwnDataset):
    """The source, with options; sources of other packages can be made of it.

    Raises SourceError for an option that it does not have, or that cannot have that value.
    """

    NAME: ClassVar[str] = "folders"
    HOME: ClassVar[str] = "give the folder that holds its images; --reading 'image={class}/{stem}.*' says how they lie"
    LAYOUT: ClassVar[str] = "a folder for each class, with or without splits and categories"
    EXTRAS: ClassVar[frozenset[str]] = mvtec_ad.EXTRAS
    OPTIONS: ClassVar[Mapping[str, str]] = OPTIONS

    def __init__(self, reading: Reading) -> None:
        self.reading = reading
        self.layout, self.is_told = read_layout(reading)
        self._seen: WeakKeyDictionary[FileTree, tuple[Walked, Layout, Arranged]] = WeakKeyDictionary()
        self._apart: WeakKeyDictionary[FileTree, ByCategory] = WeakKeyDictionary()

    def configured(self, reading: Reading) -> FolderReader:
        """The reader with these options. Raises SourceError, naming the option."""
        return FolderReader(reading)

    def is_category(self, tree: FileTree, folder: str) -> bool:
        """Whether a folder is a category that can be the root. A dataset whose layout is told is read as a whole."""
        return not self.reading and _is_mvtec_category(tree, folder)

    def categories(self, tree: FileTree) -> Sequence[str]:
        """The categories of a root. Raises SourceError if no layout fits."""
        folders = FirstFolders(tree)
        layout = self._layout(tree, folders.sample, folders.count, lambda: folders.whole().images)
        if folders.are_categories(layout):
            names = [name for name in folders.names if folders.any_image(name, layout)]
            if names:
                self._apart[tree] = _by_folder(folders, layout, names, self.EXTRAS)
                return sorted(names)
        walked = folders.whole()
        arranged = _arranged(tree, walked, layout)
        self._seen[tree] = walked, layout, arranged  # to walk and arrange takes long, and `scan` is next
        return sorted(arranged.categories)

    def by_category(self, tree: FileTree) -> ByCategory | None:
        """How the categories are read one by one, if `categories` found each in a folder of its own."""
        return self._apart.get(tree)

    def scan(self, tree: FileTree, categories: Sequence[str]) -> Iterator[FoundImage | Finding]:
        """Every image of these categories, and everything out of place."""
        if (apart := self._apart.get(tree)) is not None:
            for category in categories:
                yield from apart.scan(category)
            yield from apart.others()
            return
        if seen := self._seen.pop(tree, None):
            walked, layout, arranged = seen
        else:
            walked = walk(tree, categories if is_fenced(tree) else (".",))
            layout, arranged = self._arranged(tree, walked)
        example = arranged.rest[0] if arranged.rest else None
        chosen = set(categories)
        yield from _found(arranged, layout, chosen, has_test=arranged.has_test)
        others = tuple(arranged.categories.keys() - chosen) if layout.has_categories else ()
        for finding in _out_of_place(walked, arranged, layout, self.EXTRAS, example):
            if finding.path.partition("/")[0] not in others:
                yield finding

    def recognise(self, tree: FileTree) -> Recognised | None:
        """What layout a root has; None if it holds no image that a layout explains."""
        walked = walk(tree)
        try:
            layout, arranged = self._arranged(tree, walked)
        except SourceError:
            return None
        classes = Counter(image.says.get("class", "") for image in arranged.images)
        normal = [name for name in classes if name and layout.is_normal(name)]
        splits = sorted(arranged.splits)
        found = sorted(arranged.categories)
        says = f"{layout.title}: {counted(len(arranged.images), 'image')}, {counted(arranged.pairs.used, 'mask')}"
        if len(classes) > 1 or "" not in classes:
            says += (
                f"; normal: {', '.join(sorted(normal)) or 'none'}; classes: {_few(sorted(set(classes) - {*normal}))}"
            )
        if splits:
            says += f"; splits: {', '.join(splits)}"
        reading: dict[str, str | tuple[str, ...]] = {} if layout.name == PATTERNS else {"layout": layout.name}
        if not layout.has_categories:
            reading["category"] = layout.category
        notes = [*how_to_read(arranged, layout, found)]
        if not normal and "" not in classes:
            notes.append(normal_candidates(classes))
        if walked.others:
            kinds = Counter("." + entry.name.rpartition(".")[2] for entry in walked.others)
            shown = ", ".join(f"{count:,} {kind}" for kind, count in kinds.most_common(5))
            notes.append(f"other files ({shown}), such as {walked.others[0].path}")
        return Recognised(
            source=self.NAME,
            reading={**reading, **self.reading},
            says=says,
            certainty=round(arranged.explained * (0.4 if layout.name == "unlabelled" else 0.8), 3),
            categories=tuple(found),
            notes=tuple(notes),
        )

    def _arranged(self, tree: FileTree, walked: Walked) -> tuple[Layout, Arranged]:
        """The layout, told or found by looking, and the files in it. Raises SourceError if none fits."""
        layout = self._layout(tree, walked.images, len(walked.images), lambda: walked.images)
        return layout, _arranged(tree, walked, layout)

    def _layout(
        self, tree: FileTree, sample: Iterable[ImageFile], count: int, every: Callable[[], Iterable[ImageFile]]
    ) -> Layout:
        """The layout, told or found by looking at some of `count` files. Raises SourceError if none fits."""
        if not count:
            raise SourceError(f"there is no image in {tree.root}", "give the folder that holds the images: --root")
        layout = self.layout
        if not self.is_told:
            fitting = look(sample, layout)
            if not fitting or fitting[0][1].explained < ENOUGH:
                example = next(iter(sample)).path
                near = inside(every(), layout)[:3]
                meant = (
                    f"did you mean {' or '.join(f'{tree.root}/{name}' for name in near)}? Else say it" if near else ""
                )
                raise SourceError(
                    f"how the {count:,} images in {tree.root} lie is not known, such as {example}",
                    f"{meant or 'say it'}: {how_to_say(example)}",
                )
            told = layout.masks
            layout = fitting[0][0]
            layout = dataclasses.replace(layout, masks=(*told, *layout.masks))
        if not layout.category:
            layout = dataclasses.replace(layout, category=root_name(tree))
        return layout


SOURCE = FolderReader({})


def _arranged(tree: FileTree, walked: Walked, layout: Layout) -> Arranged:
    """The files of a root in a layout. Raises SourceError if no image matches it."""
    arranged = arrange(walked.images, layout)
    if not arranged.images:
        patterns = " or ".join(pattern.text for pattern in layout.images)
        raise SourceError(
            f"no image in {tree.root} matches {patterns}",
            f"there is {walked.images[0].path}, for example: {how_to_say(walked.images[0].path)}",
        )
    return arranged


def _by_folder(folders: FirstFolders, layout: Layout, names: Sequence[str], extras: frozenset[str]) -> ByCategory:
    """How categories are read that are folders of the root, these."""
    has_test = folders.any_test(layout)

    @cache
    def example() -> ImageFile | None:
        return folders.first_left_over(layout)

    def out_of_place(walked: Walked, arranged: Arranged) -> Iterator[Finding]:
        return _out_of_place(walked, arranged, layout, extras, example() if arranged.rest else None)

    def scan(category: str) -> Iterator[FoundImage | Finding]:
        walked = folders.walked(category)
        arranged = arrange(walked.images, layout)
        yield from _found(arranged, layout, {category}, has_test=has_test)
        yield from out_of_place(walked, arranged)

    def others() -> Iterator[Finding]:
        for walked in (folders.root, *(folders.walked(name) for name in folders.names if name not in set(names))):
            yield from out_of_place(walked, arrange(walked.images, layout))

    return ByCategory(common=f"{layout.name}, {layout.category}, {has_test}", scan=scan, others=others)


def how_to_say(path: str) -> str:
    """The option that would read a file, as a person types it."""
    *folders, _name = path.split("/")
    pattern = "/".join([*folders[:-1], "{class}", "{stem}.*"] if folders else ["{stem}.*"])
    return f"--reading 'image={pattern}'"


def _found(arranged: Arranged, layout: Layout, chosen: set[str], *, has_test: bool) -> Iterator[FoundImage | Finding]:
    """Every image, and what is wrong with its mask. `has_test`: whether any image of the dataset is for testing."""
    split_of = _splits(layout, has_test=has_test)
    pairs = arranged.pairs
    missing = {name or layout.category for name in pairs.masked}  # some images have masks: all anomalous ones should
    for number, image in enumerate(arranged.images):
        category = arranged.category(image)
        if category not in chosen:
            continue
        name = image.says.get("class", "")
        numbers = pairs.of(number)
        masks = sorted(map(pairs.file, numbers))
        is_normal = layout.is_normal(name) or (not name and not masks and layout.unmasked_is_normal)
        usable = [mask.path for mask in masks if mask.problem is None]
        for mask in masks:
            if mask.problem is not None:
                why = mask.problem
                yield Finding(path=mask.path, kind="unreadable_mask", detail=why.detail, hint=why.hint, failed=True)
        if shared := [mask for mask in numbers if pairs.owner(mask) != number]:
            owner = arranged.images[pairs.owner(shared[-1])].file
            detail = f"its mask {pairs.file(shared[-1]).path} is that of {owner.path} too"
            hint = "a pattern of masks that names more, such as {class} or {folder}, tells them apart"
            yield Finding(path=image.file.path, kind="shared_mask", detail=detail, hint=hint)
        elif not masks and not is_normal and category in missing:
            yield Finding(
                path=image.file.path,
                kind="missing_mask",
                detail="it has no mask, though others of its category have one",
                hint="it is read without one; if there is one, `mask` says where",
            )
        yield FoundImage(
            category=category,
            split=split_of(image, is_normal),
            image=image.file.path,
            mask=united(usable) if usable else None,
            anomalous=None if not name and usable else not is_normal,
            source_labels=(GOOD,) if is_normal else (name,) if name else (),
            problem=image.file.problem,
        )


def _splits(layout: Layout, *, has_test: bool) -> Callable[[Placed, bool], Split]:
    """The split of an image, and of whether it is normal."""
    test = layout.test if has_test else layout.test | (frozenset(VALIDATION) - layout.train)

    def split_of(image: Placed, is_normal: bool) -> Split:
        name = image.says.get("split")
        if name is not None:
            return "test" if folded(name) in test else "train"
        if layout.split is not None:
            return layout.split
        return hashed_split(image.file.path) if is_normal else "test"

    return split_of


def _out_of_place(
    walked: Walked, arranged: Arranged, layout: Layout, extras: frozenset[str], example: ImageFile | None
) -> Iterator[Finding]:
    """Everything that is neither an image nor the mask of one, and what a person should know of the layout.

    `example`: the first file of the dataset that no pattern matches.
    """
    yield from walked.findings
    for mask in arranged.pairs.left_over:
        yield Finding(
            path=mask.path,
            kind="mask_without_image",
            detail="it lies where masks do, and no image has its name: it is not used",
            hint="if it is an image, or its image has another name, `image` and `mask` say so",
        )
    hint = how_to_say(example.path) if example else ""
    for file in arranged.rest:
        if file.problem is not None:
            yield file.problem
            continue
        detail = f"it lies where the layout ({layout.title}) has neither image nor mask: it is not read"
        yield Finding(path=file.path, kind="unmatched_image", detail=detail, hint=f"to read it too: {hint}")
    for entry in walked.others:
        if entry.name.lower() not in extras:
            yield stray(entry)
    for folder in walked.empty:
        yield Finding(path=folder, kind="empty_folder", detail="there is nothing in it")
    yield from collisions(lambda: (path for path, *_ in arranged.images.taken()))
    yield from _validation(arranged, layout)


def _validation(arranged: Arranged, layout: Layout) -> Iterator[Finding]:
    """The finding about images for validation, which are for training here if there is a test split."""
    use, option = ("training", "test") if arranged.has_test else ("testing", "train")
    for name, count in arranged.splits.items():
        if folded(name) not in set(VALIDATION) - layout.test - layout.train:
            continue
        yield Finding(
            path=".",
            kind="validation_split",
            detail=f"{count:,} images of `{name}` are read as images for {use}",
            hint=f"--reading {option}={name}  reads them otherwise",
        )


def _is_mvtec_category(tree: FileTree, folder: str) -> bool:
    """Whether a folder is laid out as a category of MVTec-AD: one that is the root has the root's name."""
    return any(
        image_file(entry) is not None
        for split in ("train", "test")
        if mvtec_ad.is_category(tree, folder)
        for name in tree.folders(f"{folder}/{split}".removeprefix("./"))
        for entry in _entries(tree, f"{folder}/{split}/{name}".removeprefix("./"))
    )


def _entries(tree: FileTree, folder: str) -> Sequence[FolderEntry]:
    try:
        return tree.entries(folder)
    except FileRefused:
        return ()


def _few(names: Sequence[str]) -> str:
    shown = ", ".join(names[:6])
    return f"{shown} and {len(names) - 6:,} more" if len(names) > 6 else shown or "none"
