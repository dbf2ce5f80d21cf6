"""Writes a first label schema from what is on disk, so that nobody has to write one before the first queue."""

from __future__ import annotations

import re
import shlex
from collections import Counter, defaultdict
from collections.abc import Sequence, Set
from dataclasses import dataclass, field
from pathlib import Path

from acbench import schema as schemas
from acbench._util.console import Console
from acbench.data import sources
from acbench.data.listing import Listing, list_images
from acbench.data.recognise import nothing_recognised, recognise
from acbench.data.sources import FoundImage, Recognised
from acbench.errors import SchemaError
from acbench.records import GOOD, Reading
from acbench.schema import fold, is_normal
from acbench.schema.class_names import benchmark_name, readable, slug
from acbench.schema.form import VERDICTS
from acbench.schema.lint import check
from acbench.schema.nodes import Problem
from acbench.schema.write import NewCategory, NewClass, NewSchema, inline, schema_text
from acbench.storage.project import Project
from acbench.storage.roots import Root, parse_root
from acbench.workflows.copied import readable_root
from acbench.workflows.origin import is_own

UNNAMED = "anomaly"
"""The class of anomalous images that the data does not tell apart."""
SEVERAL = frozenset({"combined", "mixed", "multiple", "several", "various", "misc", "miscellaneous", "other", "others"})
"""Ids of classes that are often no kind of defect."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sketch:
    """What a folder seems to hold, and the schema that says so."""

    root: Root
    best: Recognised
    others: Sequence[Recognised]
    listing: Listing
    schema: NewSchema
    normal: Counter[str] = field(default_factory=Counter)
    """Category as the data calls it → its normal images."""
    notes: Sequence[str] = ()
    """What a person should know of it, each in a sentence."""


def sketch(
    folder: str,
    *,
    name: str = "",
    reading: Reading | None = None,
    copies: Path | None = None,
    console: Console | None = None,
) -> Sketch:
    """Look at a folder or URL, and make a schema of it. Raises SourceError if nothing in it is recognised.

    `name`: of the benchmark; empty for that of the folder. `reading`: how the data lies, beside what is recognised.
    `copies`: the folder into which the images of another program, such as the Hub's, are copied; None for that of a
    project in the current folder.
    """
    root = parse_root(folder)
    found = recognise(root, reading)
    if not found:
        raise nothing_recognised(root, ", ".join(f"{key}={value}" for key, value in (reading or {}).items()))
    own = [each for each in found if is_own(sources.get(each.source))]
    best = (own or found)[0]
    source = sources.get(best.source, best.reading)
    listing = list_images(source, readable_root(source, root, copies or Project(Path()).copies, console))
    images: defaultdict[str, list[FoundImage]] = defaultdict(list)
    for image in listing.images:
        images[image.category].append(image)
    title = name or readable(_last(root))
    schema = NewSchema(
        benchmark=_benchmark(title),
        title=title,
        source=best.source,
        reading=best.reading,
        says=best.says,
        root=folder,
        licence="" if own else source.licence,
        categories=[_category(key, images[key]) for key in sorted(images)],
    )
    return Sketch(
        root=root,
        best=best,
        others=[each for each in found if each is not best],
        listing=listing,
        schema=schema,
        normal=Counter(image.category for image in listing.images if image.anomalous is False),
        notes=[*best.notes, *_bundled(images.keys(), folder), *_unnamed(schema), *_several(schema)],
    )


def _benchmark(title: str) -> str:
    """A name for a benchmark, which is not that of a bundled one."""
    name = benchmark_name(title)
    return f"{name}_own" if name in schemas.names() else name


def write(schema: NewSchema, path: Path) -> list[Problem]:
    """Write a schema where no file is; gives what is wrong with it, usually nothing. Raises SchemaError if there is
    one, since nobody's words are overwritten."""
    text = schema_text(schema, str(path))
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise _existing(path) from None
    except OSError as error:
        raise SchemaError(f"{path} cannot be written: {error.strerror}", "--out ANOTHER.yaml") from None
    return check(text)


def refuse_existing(path: Path) -> None:
    """Raises SchemaError if there is a file."""
    if path.exists() or path.is_symlink():
        raise _existing(path)


def _existing(path: Path) -> SchemaError:
    return SchemaError(f"{path} is there already, and what somebody wrote is not overwritten", "--out ANOTHER.yaml")


def _category(name: str, images: Sequence[FoundImage]) -> NewCategory:
    """A category with the classes that its images name."""
    counts: Counter[str] = Counter()
    for image in images:
        if image.anomalous is not False:
            counts.update(label for label in image.source_labels if not is_normal(label))
    unnamed = sum(image.anomalous is not False and not image.source_labels for image in images)
    spellings: defaultdict[str, list[str]] = defaultdict(list)  # `Blow-hole` and `blow hole` are one class
    for label in sorted(counts):
        spellings[fold(label)].append(label)
    every = {label for image in images for label in image.source_labels if not is_normal(label)}
    prefix = _common_prefix(every)
    classes: list[NewClass] = []
    for labels in spellings.values():
        classes.append(_class(labels, prefix, sum(counts[label] for label in labels), classes))
    if unnamed or not classes:
        classes.append(NewClass(id=UNNAMED, name=readable(UNNAMED), source=[UNNAMED], images=unnamed))
    return NewCategory(folder=name, name=readable(name), classes=classes)


def _class(labels: Sequence[str], prefix: str, images: int, others: Sequence[NewClass]) -> NewClass:
    """The class of some spellings of a label, without what all labels begin with."""
    short = labels[0].removeprefix(prefix)
    class_id = slug(short)
    taken = {each.id for each in others} | {GOOD, UNNAMED, *VERDICTS}
    if class_id in taken or is_normal(class_id):
        class_id = next(name for number in range(2, 10_000) if (name := f"{class_id}_{number}") not in taken)
        short = class_id
    name = readable(short)
    alias = " ".join(re.sub(r"[+,;]", " ", labels[0]).split())  # which join several names elsewhere
    aliases = [alias] if fold(alias) not in (fold(class_id), fold(name)) else []
    return NewClass(id=class_id, name=name, source=labels, aliases=aliases, images=images)


def _common_prefix(labels: Set[str]) -> str:
    """What all of several labels begin with, up to a separator: `MT_` of `MT_Blowhole` and `MT_Free`."""
    if len(labels) < 2:
        return ""
    prefix = _both_begin(min(labels), max(labels))
    end = max(prefix.rfind(mark) for mark in "_- ") + 1
    return prefix[:end] if all(fold(label[end:]) for label in labels) else ""


def _both_begin(one: str, other: str) -> str:
    """What two texts begin with."""
    same = next((at for at, pair in enumerate(zip(one, other, strict=False)) if pair[0] != pair[1]), len(one))
    return one[:same]


def _bundled(categories: Set[str], folder: str) -> list[str]:
    """Whether these are categories of a dataset whose schema comes with acbench."""
    for name in schemas.names():
        source = sources.get(schemas.load(name).source)
        if categories and categories <= source.image_counts.keys():
            command = f"acbench relabel {name} --root {shlex.quote(folder)}"
            return [f"these are categories of {source.title}, which has a schema with definitions: {command}"]
    return []


def _unnamed(schema: NewSchema) -> list[str]:
    """Which categories have anomalous images without a class."""
    return [
        f"{category.folder}: nothing names a class of its anomalous images; write yours in place of `{UNNAMED}`"
        for category in schema.categories
        if category.classes[-1].id == UNNAMED
    ]


def _several(schema: NewSchema) -> list[str]:
    """Which classes sound as if they held several kinds of defects, by a word such as `combined` or by joined names."""
    return [
        f"{category.folder}: if `{each.source[0]}` holds several kinds of defects, write in place of that class"
        f" `changes: [{inline({'kind': 'mixed', 'source': each.source[0], 'reason': '…'})}]`, and people name each"
        for category in schema.categories
        for each in category.classes
        if each.id in SEVERAL or _joins(each, category)
    ]


def _joins(one: NewClass, category: NewCategory) -> bool:
    """Whether the name of a class is made of those of others: `crack+dent`, where there are a crack and a dent."""
    parts = [fold(part) for part in re.split(r"[+,;&/]", one.source[0])]
    return len(parts) > 1 and set(parts) <= {fold(label) for each in category.classes for label in each.source}


def _last(root: Root) -> str:
    """The name of a root."""
    return root.resolve().name if isinstance(root, Path) else root.name
