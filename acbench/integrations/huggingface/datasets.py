"""Hugging Face `datasets`: the features of a release, and what the library makes of one."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from acbench.release.columns import VOTE, Column, columns
from acbench.release.entries import ReleaseEntry
from acbench.release.manifest import ALL, Manifest, configurations

if TYPE_CHECKING:
    import pyarrow as pa
    from datasets import Features


def features(categories: Sequence[str], classes: Sequence[str], *, images: bool) -> Features:
    """The features of a release."""
    from datasets import ClassLabel, Features, Image, List, Value

    plain = {"text": "string", "flag": "bool", "integer": "int32", "number": "float64"}

    def feature(column: Column) -> Any:
        match column.kind:
            case "category":
                return ClassLabel(names=list(categories))
            case "class":
                return ClassLabel(names=list(classes))
            case "classes":
                return List(ClassLabel(names=list(classes)))
            case "texts":
                return List(Value("string"))
            case "image":
                return Image()
            case "votes":
                return List({each.name: feature(each) for each in VOTE})
        return Value(plain[column.kind])

    return Features({each.name: feature(each) for each in columns(images=images)})


class DatasetsFormat:
    """The form of a release's tables, as `datasets` wants it."""

    def arrow_schema(self, categories: Sequence[str], classes: Sequence[str], *, images: bool) -> pa.Schema:
        """Arrow schema with the features in its metadata, which make `datasets` read classes and images."""
        return features(categories, classes, images=images).arrow_schema

    def card_data(self, manifest: Manifest) -> dict[str, Any]:
        """`configs` and `dataset_info` of the card: `all`, then one for each category that has rows."""
        from datasets import DatasetInfo, SplitDict, SplitInfo
        from datasets.info import DatasetInfosDict
        from huggingface_hub import DatasetCardData

        form = features(manifest.categories, manifest.classes, images=manifest.images)
        infos, configs = {}, []
        for config, splits in configurations(manifest).items():
            where = "*" if config == ALL else config
            paths = [{"split": name, "path": f"data/{where}/{name}-*.parquet"} for name in splits]
            configs.append({"config_name": config, **({"default": True} if config == ALL else {}), "data_files": paths})
            made = SplitDict()
            for name, (rows, size) in splits.items():
                made.add(SplitInfo(name=name, num_examples=rows, num_bytes=size))
            infos[config] = DatasetInfo(features=form if config == ALL else None, splits=made)
        data = DatasetCardData()
        DatasetInfosDict(infos).to_dataset_card_data(data)
        found = data["dataset_info"]
        return {"configs": configs, "dataset_info": found if isinstance(found, list) else [found]}

    def round_trip(self, folder: Path, manifest: Manifest, entries: Mapping[str, ReleaseEntry]) -> list[str]:
        """What differs between a release and what `datasets` loads of it: whole, by category, and streamed.

        The release has been checked otherwise; a copy of it is made in a temporary folder meanwhile.
        """
        import datasets

        with _quiet(), tempfile.TemporaryDirectory(prefix="acbench-") as cache:
            try:
                whole = datasets.load_dataset(str(folder), ALL, cache_dir=cache)
                found = [each for split in whole.values() for each in _differences(split, entries, ALL)]
                seen = sum(len(split) for split in whole.values())
                if seen != len(entries):
                    found.append(f"{ALL}: {seen:,} rows instead of {len(entries):,}")
                for config, splits in configurations(manifest).items():
                    for split, (rows, _) in splits.items():
                        stream = datasets.load_dataset(
                            str(folder), config, split=split, streaming=True, cache_dir=cache
                        )
                        found += _streamed(stream, entries, f"{config}, {split}, streamed", rows)
            except Exception as error:  # whatever it raises, it is what everybody would get
                return [f"datasets {datasets.__version__} cannot load it: {type(error).__name__}: {error}"[:500]]
        return found[:MOST]


MOST = 20
"""So many differences are told."""

_TOLD = ("item_id", "category", "label", "labels", "status", "image_sha256")


def _differences(loaded: Any, entries: Mapping[str, ReleaseEntry], name: str) -> Iterator[str]:
    """What differs between rows as they were loaded and as they were written; images by their bytes."""
    from datasets import Image

    form = loaded.features
    images = [column for column in ("image", "mask") if column in form]
    for column in images:
        loaded = loaded.cast_column(column, Image(decode=False))
    for row in loaded.select_columns([*_TOLD, *images, "mask_sha256"]):
        yield from _compare(row, form, entries, name)
        for column in images:
            cell, sha256 = row[column], row[f"{column}_sha256"] or ""
            if (hashlib.sha256(cell["bytes"]).hexdigest() if cell else "") != sha256:
                yield f"{name}: the {column} of {row['item_id']} has other bytes"


def _streamed(stream: Any, entries: Mapping[str, ReleaseEntry], name: str, rows: int) -> Iterator[str]:
    seen = 0
    for row in stream.select_columns(list(_TOLD)):
        seen += 1
        yield from _compare(row, stream.features, entries, name)
    if seen != rows:
        yield f"{name}: {seen:,} rows instead of {rows:,}"


def _compare(row: Mapping[str, Any], form: Any, entries: Mapping[str, ReleaseEntry], name: str) -> Iterator[str]:
    entry = entries.get(row["item_id"])
    if entry is None:
        yield f"{name}: {row['item_id']} is no row of the release"
        return
    label = None if row["label"] is None else form["label"].int2str(row["label"])
    labels = tuple(form["labels"].feature.names[each] for each in row["labels"])
    category = form["category"].int2str(row["category"])
    if (category, label, labels, row["status"]) != (entry.category, entry.label, entry.labels, entry.status):
        yield f"{name}: {row['item_id']} is loaded as {category}, {label}, not as {entry.category}, {entry.label}"


@contextmanager
def _quiet() -> Iterator[None]:
    """No progress bars and no chatter while we look at what it does."""
    import datasets

    shown, level = datasets.are_progress_bars_disabled(), datasets.logging.get_verbosity()
    datasets.disable_progress_bars()
    datasets.logging.set_verbosity_error()
    try:
        yield
    finally:
        datasets.logging.set_verbosity(level)
        if not shown:
            datasets.enable_progress_bars()
