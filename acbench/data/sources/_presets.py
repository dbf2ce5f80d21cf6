"""The layouts that datasets come in, and which of them a folder has, by looking at its paths."""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from acbench.data.sources._arrange import NORMAL, SPLITS, Arranged, Layout, arrange, folded, is_generic
from acbench.data.sources._layout import ImageFile
from acbench.data.sources._pattern import compile_pattern

ENOUGH = 0.5
"""The share of the files that a layout has to explain, if it is to be taken by looking."""
_PAIRED = 0.9
"""The share of files beside images that have to be masks of one, if they are to be taken for masks."""
SEEN, _MOST = 40, 20_000
"""How many files of a folder are looked at, and about how many in all, when a layout is looked for."""
_SUFFIXES = ("_mask", "_gt", "_label", "-mask")
"""What follows an image's name in that of a mask which lies beside it."""


Fits = Callable[[Arranged, Layout], bool]
"""Whether what was arranged by a layout makes sense."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """A layout that is known by name."""

    name: str
    title: str
    images: tuple[str, ...]
    masks: tuple[str, ...] = ()
    fits: Fits = lambda arranged, layout: True
    unmasked_is_normal: bool = False
    """As in `Layout`."""

    def layout(self, base: Layout, splits: tuple[str, ...] = SPLITS) -> Layout:
        """The layout with the normal names, splits and category of another."""
        return dataclasses.replace(
            base,
            name=self.name,
            title=self.title,
            unmasked_is_normal=base.unmasked_is_normal or self.unmasked_is_normal,
            images=tuple(compile_pattern(text, splits) for text in self.images),
            masks=tuple(compile_pattern(text, splits) for text in self.masks),
        )


_NAMES = ("{class}_{number}", "{class}-{number}", "{class} {number}")
"""How a class stands in a file's name."""
_FLAT = ("{split}/images/", "images/", "{split}/", "")
"""Folders that name no class."""


def _beside(*folders: str) -> tuple[str, ...]:
    """Patterns of masks that lie beside their images, in each of these folders."""
    return tuple(f"{folder}{{stem}}{suffix}.*" for folder in folders for suffix in _SUFFIXES)


def _named(*folders: str) -> tuple[str, ...]:
    """Patterns of masks in a folder of their own, each of these: one or several files of an image."""
    names = ("{stem}_mask.*", "{stem}.*", "{stem}/*.*")
    return tuple(f"{folder}/{name}" for folder in folders for name in names)


def _both(one: Fits, other: Fits) -> Fits:
    return lambda arranged, layout: one(arranged, layout) and other(arranged, layout)


def _all_paired(arranged: Arranged, layout: Layout) -> bool:
    return bool(arranged.masks) and arranged.pairs.used >= _PAIRED * len(arranged.masks)


def _normals_in_each(arranged: Arranged, layout: Layout) -> bool:
    """Whether every category has a class of normal images; or, where none has, whether classes recur."""
    classes: defaultdict[str, set[str]] = defaultdict(set)
    for image in arranged.images:
        classes[image.says["category"]].add(image.says["class"])
    if any(layout.is_normal(category) for category in classes):
        return False  # a folder called `good` is a class, whatever lies in it
    generic = any(folded(name) in SPLITS for names in classes.values() for name in names)
    generic = generic or all(is_generic(name) for names in classes.values() for name in names)
    with_normal = sum(any(map(layout.is_normal, names)) for names in classes.values())
    return not generic and (with_normal * 2 >= len(classes) or min(map(len, classes.values())) > 1)


def _several(arranged: Arranged, layout: Layout) -> bool:
    """Whether there are several classes, or normal images: a single folder of pictures names no class."""
    names = {image.says["class"] for image in arranged.images}
    return len(names) > 1 or any(map(layout.is_normal, names))


def _class_and_folder(arranged: Arranged, layout: Layout) -> bool:
    """Whether the inner folders say nothing of classes."""
    inner = {image.says["folder"] for image in arranged.images}
    return (
        all(map(is_generic, inner))
        or any(layout.is_normal(image.says["class"]) for image in arranged.images)
        or len(inner) == 1
    )


def _class_names(arranged: Arranged, layout: Layout) -> bool:
    """Whether folders are named as classes are, and no split or nameless folder is among them."""
    names = {image.says["class"] for image in arranged.images}
    numbered = len(names) > 1 and len({name.rstrip("0123456789") for name in names} - names) == 1
    if numbered and arranged.pairs.masked.total() == len(arranged.images):
        return False  # parts that were photographed, as in KolektorSDD
    return not any(is_generic(name) or folded(name) in SPLITS for name in names)


def _nameless(arranged: Arranged, layout: Layout) -> bool:
    """Whether no folder is named as a class of normal images is: then there would be classes."""
    folders = {folder for image in arranged.images for folder in image.file.path.split("/")[:-1]}
    return not any(map(layout.is_normal, folders))


def _names_recur(arranged: Arranged, layout: Layout) -> bool:
    """Whether what stands before the numbers of file names are a few classes, each of several images."""
    counts: defaultdict[str, int] = defaultdict(int)
    for image in arranged.images:
        counts[image.says["class"]] += 1
    return len(counts) > 1 and len(counts) * 3 <= len(arranged.images) and min(counts.values()) > 1


PRESETS = (
    Preset(
        name="mvtec",
        title="<category>/<split>/<class> and <category>/ground_truth/<class>, as in MVTec-AD, LOCO, BTAD and MPDD",
        images=("{category}/{split}/{class}/{stem}.*",),
        masks=_named("{category}/{masks}/{class}", "{category}/{split}/{masks}/{class}"),
    ),
    Preset(
        name="mvtec_3d",
        title="<category>/<split>/<class>/rgb and gt, as in MVTec 3D-AD",
        images=("{category}/{split}/{class}/rgb/{stem}.*",),
        masks=("{category}/{split}/{class}/gt/{stem}.*",),
    ),
    Preset(
        name="real_iad",
        title="<category>/OK and <category>/NG/<class>, as in Real-IAD",
        images=("{category}/NG/{class}/{folder}/{stem}.jpg", "{category}/{class}/{folder}/{stem}.jpg"),
        masks=("{category}/NG/{class}/{folder}/{stem}.png",),
        fits=lambda arranged, layout: any("/NG/" in image.file.path.upper() for image in arranged.images),
    ),
    Preset(
        name="splits",
        title="<split>/<class>, as ImageFolder and a category of MVTec-AD have it",
        images=("{split}/images/{class}/{stem}.*", "{split}/{class}/{stem}.*"),
        masks=(
            *_named("{masks}/{class}", "{masks}/{split}/{class}", "{split}/{masks}/{class}", "{split}_{masks}/{class}"),
            *_beside("{split}/{class}/"),
        ),
        fits=_class_names,
    ),
    Preset(
        name="splits_of_categories",
        title="<split>/<category>/<class>",
        images=("{split}/{category}/{class}/{stem}.*",),
        masks=_named("{masks}/{category}/{class}", "{split}/{category}/{masks}/{class}"),
        fits=_normals_in_each,
    ),
    Preset(
        name="masks_beside",
        title="<class>/<folder>, with masks as .png beside the images",
        images=("{class}/{folder}/{stem}.jp*g", "{class}/{folder}/{stem}.bmp"),
        masks=("{class}/{folder}/{stem}.png",),
        fits=_both(_all_paired, _class_and_folder),
    ),
    Preset(
        name="class_masks_beside",
        title="<class>, with masks as .png beside the images",
        images=("{class}/{stem}.jp*g", "{class}/{stem}.bmp"),
        masks=("{class}/{stem}.png",),
        fits=_both(_all_paired, _class_names),
    ),
    Preset(
        name="classes",
        title="a folder for each class, as for ImageFolder or anomalib's Folder",
        images=("images/{class}/{stem}.*", "{class}/{stem}.*"),
        masks=(*_named("{masks}/{class}"), "{masks}/{stem}_mask.*", "{masks}/{stem}.*", *_beside("{class}/")),
        fits=_both(_class_names, _several),
    ),
    Preset(
        name="categories",
        title="<category>/<class>",
        images=("{category}/{class}/{stem}.*",),
        masks=(
            *_named("{category}/{masks}/{class}", "{masks}/{category}/{class}"),
            *_beside("{category}/{class}/"),
        ),
        fits=_normals_in_each,
    ),
    Preset(
        name="class_folders",
        title="<class>/<folder>, where the inner folders name nothing",
        images=("{class}/{folder}/{stem}.*",),
        masks=_beside("{class}/{folder}/"),
        fits=_both(_class_names, _class_and_folder),
    ),
    Preset(
        name="dagm",
        title="<category>/<split> and Label, where images without a mask are normal, as in DAGM",
        images=("{category}/{split}/{stem}.*",),
        masks=("{category}/{split}/Label/{stem}_label.*", "{category}/{split}/Label/{stem}.*"),
        fits=_all_paired,
        unmasked_is_normal=True,
    ),
    Preset(
        name="names",
        title="the class before the number in file names",
        images=tuple(f"{folder}{name}.*" for folder in _FLAT for name in _NAMES),
        masks=tuple(f"{{masks}}/{name}{suffix}.*" for suffix in ("_mask", "") for name in _NAMES),
        fits=_names_recur,
    ),
    Preset(
        name="unlabelled",
        title="images without classes",
        images=(
            "{split}/images/{stem}.*",
            "images/{stem}.*",
            "{split}/{stem}.*",
            "{stem}.*",
            "{folder}/images/{stem}.*",
            "{folder}/{stem}.*",
        ),
        masks=(
            *_beside("{split}/", "", "{folder}/"),
            *_named("{masks}", "{split}/{masks}", "{masks}/{split}", "{folder}/{masks}"),
        ),
        fits=_nameless,
    ),
)
"""In the order in which they are tried: of those that explain a dataset equally well, the first is taken."""
ALIASES = {
    "mvtec_ad": "mvtec", "btad": "mvtec", "mpdd": "mvtec", "visa_1cls": "mvtec", "loco": "mvtec", "mvtec_loco": "mvtec",
    "imagefolder": "splits", "anomalib": "classes",
}  # fmt: skip
"""Other names of presets: of datasets in that layout."""


def base_layout() -> Layout:
    """A layout without patterns."""
    return Layout(name="", title="", images=(), normal=NORMAL)


def _sampled(files: Iterable[ImageFile]) -> list[ImageFile]:
    """A few files of each folder, and of few enough folders: enough to see how they lie."""
    folders: defaultdict[str, list[ImageFile]] = defaultdict(list)
    for file in files:
        members = folders[file.path.rpartition("/")[0]]
        if len(members) < SEEN:
            members.append(file)
    step = 1 + sum(map(len, folders.values())) // _MOST
    return [file for members in list(folders.values())[::step] for file in members]


def inside(files: Iterable[ImageFile], base: Layout) -> list[str]:
    """The folders in a root that are datasets on their own, of which a layout explains nearly all."""
    folders: defaultdict[str, list[ImageFile]] = defaultdict(list)
    for file in files:
        first, _, rest = file.path.partition("/")
        if rest:
            folders[first].append(file._replace(path=rest))
    fitting = {name: look(members, base) for name, members in list(folders.items())[:SEEN]}
    return [name for name, found in fitting.items() if found and found[0][1].explained > _PAIRED]


def look(files: Iterable[ImageFile], base: Layout) -> list[tuple[Layout, Arranged]]:
    """The presets that fit a dataset's files, the one that explains most of them first."""
    found: list[tuple[float, int, Layout, Arranged]] = []
    files = _sampled(files)
    for rank, preset in enumerate(PRESETS):
        layout = preset.layout(base)
        arranged = arrange(files, layout)
        if arranged.images and preset.fits(arranged, layout):
            # whoever has no class for an image explains less of it
            weight = 0.5 if preset.name == "unlabelled" else 1.0
            found.append((-round(weight * arranged.explained, 2), rank, layout, arranged))
    found.sort(key=lambda each: each[:2])
    return [(layout, arranged) for _, _, layout, arranged in found]
