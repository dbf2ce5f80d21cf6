"""Reads the images and labels of a dataset of the Hub, with `datasets`, for `source: hub`."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from acbench._util.machine import fault_of_machine
from acbench.data.copied import ForeignImage
from acbench.errors import AcbenchError, SourceError
from acbench.integrations.huggingface.datasets import quiet
from acbench.integrations.huggingface.hub import looks_like_repo
from acbench.integrations.huggingface.troubles import shown

if TYPE_CHECKING:
    from datasets import Dataset, DatasetDict

MASK_NAMES = frozenset({"mask", "masks", "groundtruth", "segmentation", "annotation", "gt"})
"""What columns of masks are called, folded."""
_PLACE = re.compile(r"hf://datasets/(?P<repo>[^/@]+/[^/@]+)(@(?P<revision>[^/@]+))?/?")


class HubImages:
    """The images of a dataset of the Hub: a `ForeignDataset`."""

    def __init__(
        self, url: str, *, config: str = "", image: str = "", mask: str = "", scratch: Path | None = None
    ) -> None:
        """`url`: `hf://datasets/ORG/NAME`, with or without `@REVISION`. `image` and `mask`: columns of pictures, where
        there are several. `scratch`: a folder to unpack it in; None for the system's temporary folder. Raises
        SourceError for another URL."""
        found = _PLACE.fullmatch(url)
        if found is None or not looks_like_repo(found["repo"]):
            raise SourceError(f"{url} names no dataset of the Hub", "--root hf://datasets/ORG/NAME")
        self.repo, self.revision = found["repo"], found["revision"]
        self.config, self.image, self.mask = config, image, mask
        self._scratch = scratch

    @cached_property
    def commit(self) -> str:
        """The commit that the revision names now. Raises SourceError."""
        from huggingface_hub import HfApi

        try:
            return str(HfApi().dataset_info(self.repo, revision=self.revision).sha)
        except Exception as error:  # of the client, of the network, of the Hub
            raise _unreadable(self.repo, error) from None

    @property
    def key(self) -> str:
        return f"{self.repo}@{self.commit} {self.config} {self.image} {self.mask}"

    @property
    def size(self) -> int:
        return 0

    def images(self) -> Iterator[ForeignImage]:
        """Every image of every split. Raises SourceError, or AcbenchError where this machine has no room for it."""
        import datasets

        if self._scratch is not None:
            self._scratch.mkdir(parents=True, exist_ok=True)
        with quiet(), tempfile.TemporaryDirectory(prefix="acbench-", dir=self._scratch) as cache:
            try:
                loaded: DatasetDict = datasets.load_dataset(
                    self.repo, self.config or None, revision=self.commit, cache_dir=cache
                )
            except Exception as error:
                if why := fault_of_machine(error):
                    raise _no_room(self.repo, why, cache) from None
                raise _unreadable(self.repo, error) from None
            for split, part in loaded.items():
                yield from self._images(str(split), part)

    def _images(self, split: str, part: Dataset) -> Iterator[ForeignImage]:
        from datasets import Image

        pictures = [name for name, feature in part.features.items() if isinstance(feature, Image)]
        image, mask = self._columns(pictures)
        for name in pictures:
            part = part.cast_column(name, Image(decode=False))
        for row in part:
            cells = {name: _plain(row[name], part.features[name]) for name in row if name not in pictures}
            yield ForeignImage(
                data=_bytes(row[image]),
                mask=_bytes(row[mask]) if mask else b"",
                cells={"split": split, **{name: _by_column(value) for name, value in cells.items()}},
            )

    def _columns(self, pictures: list[str]) -> tuple[str, str]:
        """The columns of images and of masks. Raises SourceError if they cannot be told."""
        masks = [self.mask] if self.mask else [name for name in pictures if _folded(name) in MASK_NAMES]
        images = [self.image] if self.image else [name for name in pictures if name not in masks]
        if missing := sorted({*images[:1], *masks[:1]} - set(pictures)):
            raise SourceError(f"{self.repo} has no column of pictures {missing[0]!r}", f"it has: {', '.join(pictures)}")
        if not images:
            raise SourceError(f"{self.repo} has no column of images", "give another dataset, or another config")
        for what, names in (("image", images), ("mask", masks)):
            if len(names) > 1:
                both = " and ".join(names[:3])
                raise SourceError(f"{self.repo} has several columns that may be the {what}: {both}",
                                  f"--reading {what}={names[0]}")  # fmt: skip
        return images[0], masks[0] if masks else ""


def _folded(name: str) -> str:
    return "".join(filter(str.isalnum, name.lower()))


def _bytes(cell: Mapping[str, Any] | None) -> bytes:
    """The file in a cell; empty if it holds none, or names one elsewhere."""
    return bytes(cell["bytes"]) if cell and cell.get("bytes") else b""


def _plain(value: Any, feature: Any) -> Any:
    """A value with names in place of class numbers."""
    from datasets import ClassLabel

    if value is None:
        return None
    if isinstance(feature, ClassLabel):
        return feature.int2str(value) if 0 <= value < feature.num_classes else str(value)
    if isinstance(feature, dict):
        return {name: _plain(value[name], part) for name, part in feature.items()}
    if hasattr(feature, "feature") and isinstance(value, list):
        return [_plain(each, feature.feature) for each in value]
    return value if isinstance(value, str | int | float | bool | list | dict) else str(value)


def _by_column(value: Any) -> Any:
    """A list of objects as an object of lists, as older datasets have them."""
    if isinstance(value, list) and value and all(isinstance(each, dict) for each in value):
        return {name: [each.get(name) for each in value] for name in value[0]}
    return value


def _no_room(repo: str, why: str, cache: str) -> AcbenchError:
    from huggingface_hub import constants

    return AcbenchError(
        f"this machine cannot unpack the dataset {repo}: {why}",
        f"what is downloaded lies in {constants.HF_HUB_CACHE} (HF_HOME moves it), what is unpacked in"
        f" {Path(cache).parent}: make room there, then run the same command again",
    )


def _unreadable(repo: str, error: Exception) -> SourceError:
    return SourceError(
        f"the dataset {repo} cannot be read from the Hub: {type(error).__name__}: {shown(str(error))}",
        "see that its name is right and the network is there; a private one needs HF_TOKEN; one of several"
        " configurations is chosen by --reading config=NAME",
    )
