"""Keeps the files of a dataset by the first folder of their paths, in few bytes each, and reads a folder at a time."""

from __future__ import annotations

import zlib
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace

from acbench.data.sources._arrange import VALIDATION, Layout, Placed, arrange, compared, folded, has_image
from acbench.data.sources._layout import ImageFile, file_at
from acbench.data.sources._presets import SEEN
from acbench.data.sources._walk import Walked, walk_apart
from acbench.storage.files import FileTree

_CATEGORY, _SPLIT = "{category}/", "/{split}/"


class FirstFolders:
    """What lies below each folder of a root."""

    def __init__(self, tree: FileTree) -> None:
        self.root = Walked()
        """The files of the root itself, and what is wrong with them."""
        self.sample: list[ImageFile] = []
        """The first files of each folder at any depth, sorted by path."""
        self.count = 0
        """Files with an image's extension."""
        self.folders: set[str] = set()
        """The names of all folders that hold such files, and of those in which they lie."""
        below: dict[str, _Packed] = {}
        for name, walked in walk_apart(tree):
            self._look_at(walked.images)
            if name:
                below[name] = _Packed(walked)
            else:
                self.root = walked
        self.sample.sort(key=lambda file: file.path)
        self._below = {name: below[name] for name in sorted(below, key=lambda name: f"{name}/")}

    @property
    def names(self) -> list[str]:
        """The names of the folders of the root, in the order of the paths of what they hold."""
        return list(self._below)

    def walked(self, name: str) -> Walked:
        """What lies below a folder of the root."""
        return self._below[name].walked()

    def whole(self) -> Walked:
        """Everything that lies below the root."""
        every = Walked()
        for walked in [*map(self.walked, self._below), self.root]:
            every.images += walked.images
            every.others += walked.others
            every.findings += walked.findings
            every.empty += walked.empty
        every.images.sort(key=lambda file: file.path)
        return every

    def are_categories(self, layout: Layout) -> bool:
        """Whether each folder of the root is a category by itself, whatever lies in the others."""
        patterns = [pattern.text for pattern in (*layout.images, *layout.masks)]
        by_folder = all(
            text.startswith(_CATEGORY) and "{split}" not in text.replace(_SPLIT, "/").removeprefix(_CATEGORY)
            for text in patterns
        )
        if not by_folder or any(folded(name) in VALIDATION for name in self.folders):  # what these are, all tell
            return False
        return all(count == 1 for count in Counter(map(compared, self._below)).values())

    def any_image(self, name: str, layout: Layout) -> bool:
        """Whether a folder of the root holds an image."""
        if has_image(self._below[name].files(), layout, lambda image: True):
            return True
        return bool(arrange(self.walked(name).images, layout).images)

    def any_test(self, layout: Layout) -> bool:
        """Whether any image is in a split for testing."""

        def is_test(image: Placed) -> bool:
            return folded(image.says.get("split", "")) in layout.test

        if not any(folded(folder) in layout.test for folder in self.folders):
            return False
        return any(has_image(packed.files(), layout, is_test) for packed in self._below.values()) or any(
            any(map(is_test, arrange(self.walked(name).images, layout).images)) for name in self._below
        )

    def first_left_over(self, layout: Layout) -> ImageFile | None:
        """The first file that is neither an image nor a mask of one."""
        below = (arrange(self.walked(name).images, layout).rest for name in self._below)
        found = [*self.root.images[:1], *next((rest[:1] for rest in below if rest), [])]
        return min(found, key=lambda file: file.path, default=None)

    def _look_at(self, files: Sequence[ImageFile]) -> None:
        seen: defaultdict[str, int] = defaultdict(int)
        for file in files:
            folder = file.path.rpartition("/")[0]
            seen[folder] += 1
            if seen[folder] <= SEEN:
                self.sample.append(file)
        self.count += len(files)
        self.folders.update(part for folder in seen for part in folder.split("/"))


class _Packed:
    """What lies below a folder, in little memory: of a file that can be read, its path says all."""

    def __init__(self, walked: Walked) -> None:
        self._paths = zlib.compress("\n".join(file.path for file in walked.images).encode(), 1)
        self._refused = {file.path: file.problem for file in walked.images if file.problem is not None}
        self._rest = replace(walked, images=[])

    def files(self) -> Iterator[ImageFile]:
        """The files with an image's extension, sorted by path."""
        paths = zlib.decompress(self._paths).decode()
        return (file_at(path, self._refused.get(path)) for path in paths.split("\n") if path)

    def walked(self) -> Walked:
        return replace(self._rest, images=list(self.files()))
