"""Copies a dataset that a URL names in another program (the Hub, FiftyOne) into a folder, where its source reads it."""

from __future__ import annotations

import re
from pathlib import Path

from acbench._util.console import Console
from acbench.data.copied import ForeignDataset, copy_of
from acbench.data.sources import Source
from acbench.data.sources._annotated import text_option
from acbench.errors import SourceError
from acbench.storage.digests import digest
from acbench.storage.roots import Root


def readable_root(source: Source, root: Root, folder: Path, console: Console | None = None) -> Root:
    """The root itself, or, of a source that reads other programs, a copy below `folder`. Raises AcbenchError."""
    if not source.scheme:
        return root
    url = str(root)
    if not url.startswith(source.scheme):
        raise SourceError(f"{url} is no dataset of `source: {source.name}`", source.home)
    dataset = _dataset(source, url, folder)
    place = url.rstrip("/").partition("@")[0]
    name = re.sub(r"[^A-Za-z0-9._-]+", "_", place.rpartition("/")[2]).strip(".") or source.name
    copy = copy_folder(folder, place, name)
    if console is None:
        return copy_of(dataset, copy)
    with console.stage(f"copy {url}") as progress:
        return copy_of(dataset, copy, progress=progress)


def copy_folder(folder: Path, place: str, name: str) -> Path:
    """Where below `folder` the copy of what is at a place lies, a folder `name`: two places of one name have two."""
    return folder / digest(place, length=8) / name


def _dataset(source: Source, url: str, folder: Path) -> ForeignDataset:
    if source.name == "fiftyone":
        from acbench.integrations.fiftyone.images import FiftyOneImages

        return FiftyOneImages(url.removeprefix(source.scheme), field=text_option(source.reading, "field"))
    from acbench.integrations.huggingface.images import HubImages

    image, mask, config = (text_option(source.reading, name) for name in ("image", "mask", "config"))
    return HubImages(url, config=config, image=image, mask=mask, scratch=folder)
