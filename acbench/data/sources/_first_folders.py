"""Keeps the files of a dataset by the first folder of their paths, to be read a folder at a time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from acbench.data.sources._arrange import VALIDATION, Layout, arrange, folded, has_image
from acbench.data.sources._layout import ImageFile
from acbench.data.sources._placed import Placed, compared
from acbench.data.sources._presets import SEEN
from acbench.data.sources._walk import Walked, sorted_files, walk_apart
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
        self._few: dict[str, list[ImageFile]] = {}
        """Name of a folder of the root → its part of the sample."""
        below: dict[str, Walked] = {}
        for name, walked in walk_apart(tree):
            self._few[name] = self._look_at(walked.images)
            self.sample += self._few[name]
            if name:
                below[name] = walked
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
        return self._below[name]

    def whole(self) -> Walked:
        """Everything that lies below the root."""
        every = Walked()
        parts = [*self._below.values(), self.root]
        for walked in parts:
            every.others += walked.others
            every.findings += walked.findings
            every.empty += walked.empty
        every.images = sorted_files(file for walked in parts for file in walked.images)
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
        every = self._below[name].images
        return any(has_image(files, layout, lambda image: True) for files in (self._few[name], every)) or bool(
            arrange(every, layout).images
        )

    def any_test(self, layout: Layout) -> bool:
        """Whether any image is in a split for testing."""

        def is_test(image: Placed) -> bool:
            return folded(image.says.get("split", "")) in layout.test

        if not any(folded(folder) in layout.test for folder in self.folders):
            return False
        if has_image(self.sample, layout, is_test):
            return True
        below = [walked.images for walked in self._below.values()]
        return any(has_image(files, layout, is_test) for files in below) or any(
            arrange(files, layout).has_test for files in below
        )

    def first_left_over(self, layout: Layout) -> ImageFile | None:
        """The first file that is neither an image nor a mask of one."""
        rests = (arrange(walked.images, layout).rest for walked in self._below.values())
        found = [files[0] for files in (self.root.images, next(filter(len, rests), ())) if files]
        return min(found, key=lambda file: file.path, default=None)

    def _look_at(self, files: Iterable[ImageFile]) -> list[ImageFile]:
        """Count some files, and give the first ones of each folder."""
        seen: Counter[str] = Counter()
        few: list[ImageFile] = []
        for file in files:
            folder = file.path.rpartition("/")[0]
            seen[folder] += 1
            if seen[folder] <= SEEN:
                few.append(file)
        self.count += seen.total()
        self.folders.update(part for folder in seen for part in folder.split("/"))
        return few
