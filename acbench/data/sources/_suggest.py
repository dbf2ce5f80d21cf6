"""Says which options would read what a layout leaves out."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

from acbench.data.sources._arrange import Arranged, Layout, folded

_MEANS_NORMAL = ("free", "normal", "good", "ok", "healthy", "clean", "fine", "intact", "nodefect", "undamaged", "pass")
"""Parts of names, folded, that may mean normal images. A person decides: they are only suggested."""


def how_to_read(arranged: Arranged, layout: Layout, categories: Sequence[str]) -> Iterator[str]:
    """A line for each folder of images or masks that would not be used, with the option that would use it."""
    unused: defaultdict[str, list[str]] = defaultdict(list)
    for file in arranged.rest:
        unused[_above(file.path)].append(file.path)
    for folder, paths in sorted(unused.items(), key=lambda pair: (-len(pair[1]), pair[0]))[:5]:
        pattern = pattern_for(paths[0], categories if layout.has_categories else ())
        yield (
            f"{len(paths):,} image{'s' if len(paths) > 1 else ''} in {folder} would not be read:"
            f" --reading layout={layout.name} --reading 'image={pattern}'"
        )
    if len(unused) > 5:
        rest = sum(map(len, unused.values())) - sum(sorted(map(len, unused.values()))[-5:])
        yield f"{rest:,} images in {len(unused) - 5:,} other folders would not be read"
    orphans = len(arranged.masks) - arranged.pairs.used
    if orphans:
        first = next(arranged.pairs.left_over).path
        pattern = pattern_for(first, categories if layout.has_categories else ())
        yield (
            f"{orphans:,} files, such as {first}, lie where masks do, and no image has their name:"
            f" --reading 'mask={pattern}' says what they share with their images"
        )


def pattern_for(path: str, categories: Sequence[str] = ()) -> str:
    """A pattern that matches a path: its last folder is the class, the first one the category if it is one."""
    *folders, _ = path.split("/")
    if folders and folders[0] in categories:
        folders[0] = "{category}"
    if folders and folders[-1] != "{category}":
        folders[-1] = "{class}"
    return "/".join([*folders, "{stem}.*"])


def normal_candidates(classes: Iterable[str]) -> str:
    """The line that says that no class is known to be normal, and which may be."""
    names = sorted(classes)
    likely = [name for name in names if any(part in folded(name) for part in _MEANS_NORMAL)]
    if likely:
        return f"no class is known to be normal; if {likely[0]} is: --reading normal={likely[0]}"
    return "no class is known to be normal: all images count as anomalous; if one is: --reading normal=NAME"


def _above(path: str) -> str:
    return path.rpartition("/")[0] or "."
