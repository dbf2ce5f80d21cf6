"""Describes a release to Hugging Face `datasets`, and compares what the library loads with what was written."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from acbench._util.machine import fault_of_machine
from acbench.records import mask_files
from acbench.release.columns import HISTORY, VOTE, Column, columns
from acbench.release.entries import ReleaseEntry
from acbench.release.manifest import ALL, FORMAT, Manifest, configurations

if TYPE_CHECKING:
    import pyarrow as pa
    from datasets import Dataset, Features, IterableDataset
    from datasets.features.features import FeatureType


MOST = 20
"""How many differences are named."""

_COMPARED = ("item_id", "category", "label", "labels", "status", "image_sha256")


def features(
    categories: Sequence[str], classes: Sequence[str], *, images: bool, boxes: bool = False, format: int = FORMAT
) -> Features:
    """The features of the rows of a release of a format."""
    from datasets import ClassLabel, Features, Image, List, Value

    plain = {"text": "string", "flag": "bool", "integer": "int32", "size": "int64", "number": "float64"}

    def feature(column: Column) -> FeatureType:
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
            case "boxes":
                return List(List(Value("int32")))
            case "votes":
                return List({part.name: feature(part) for part in VOTE})
            case "history":
                return List({part.name: feature(part) for part in HISTORY})
        return Value(plain[column.kind])

    return Features({column.name: feature(column) for column in columns(images=images, boxes=boxes, format=format)})


class DatasetsFormat:
    """The form in which `datasets` wants a release's tables.

    `scratch`: where a release may be unpacked; None for the system's temporary folder.
    """

    def __init__(self, scratch: Path | None = None) -> None:
        self._scratch = scratch

    def arrow_schema(
        self, categories: Sequence[str], classes: Sequence[str], *, images: bool, boxes: bool = False,
        format: int = FORMAT,
    ) -> pa.Schema:  # fmt: skip
        """Arrow schema with the features in its metadata, which make `datasets` read classes and images."""
        return features(categories, classes, images=images, boxes=boxes, format=format).arrow_schema

    def card_data(self, manifest: Manifest) -> dict[str, Any]:
        """`configs` and `dataset_info` of the card: `all`, then one for each category that has rows."""
        from datasets import DatasetInfo, SplitDict, SplitInfo
        from datasets.info import DatasetInfosDict
        from huggingface_hub import DatasetCardData

        form = features(
            manifest.categories, manifest.classes, images=manifest.images, boxes=manifest.boxes, format=manifest.format
        )
        infos, configs = {}, []
        for config, splits in configurations(manifest).items():
            where = "*" if config == ALL else config
            paths = [{"split": name, "path": f"data/{where}/{name}-*.parquet"} for name in splits]
            configs.append({"config_name": config, **({"default": True} if config == ALL else {}), "data_files": paths})
            counts = SplitDict()
            for name, (rows, size) in splits.items():
                counts.add(SplitInfo(name=name, num_examples=rows, num_bytes=size))
            infos[config] = DatasetInfo(features=form if config == ALL else None, splits=counts)
        data = DatasetCardData()
        DatasetInfosDict(infos).to_dataset_card_data(data)
        described = data["dataset_info"]
        return {"configs": configs, "dataset_info": described if isinstance(described, list) else [described]}

    def round_trip(self, folder: Path, manifest: Manifest, entries: Mapping[str, ReleaseEntry]) -> list[str]:
        """What differs between a release and what `datasets` loads: the whole, and streamed by category.

        The release's files have been checked before. A temporary folder holds a copy of the release meanwhile.
        Raises OSError if this machine cannot do it.
        """
        import datasets

        with quiet(), tempfile.TemporaryDirectory(prefix="acbench-", dir=self._scratch) as cache:
            try:
                loaded = datasets.load_dataset(str(folder), ALL, cache_dir=cache)
                differences = [text for split in loaded.values() for text in _differences(split, entries, ALL)]
                rows_loaded = sum(len(split) for split in loaded.values())
                if rows_loaded != len(entries):
                    differences.append(f"{ALL}: {rows_loaded:,} rows instead of {len(entries):,}")
                for config, splits in configurations(manifest).items():
                    for split, (rows, _) in splits.items():
                        stream = datasets.load_dataset(
                            str(folder), config, split=split, streaming=True, cache_dir=cache
                        )
                        differences += _streamed(stream, entries, f"{config}, {split}, streamed", rows)
            except Exception as error:  # whatever it raises, everybody who loads the release would get
                if why := fault_of_machine(error):
                    raise OSError(f"{why} ({cache})") from None
                return [f"datasets {datasets.__version__} cannot load it: {type(error).__name__}: {error}"[:500]]
        return differences[:MOST]


def _differences(loaded: Dataset, entries: Mapping[str, ReleaseEntry], name: str) -> Iterator[str]:
    """What differs between rows as they were loaded and as they were written. Images are compared by their bytes."""
    from datasets import Image

    form = loaded.features
    images = [column for column in ("image", "mask") if column in form]
    for column in images:
        loaded = loaded.cast_column(column, Image(decode=False))
    for row in loaded.select_columns([*_COMPARED, *images, "mask_sha256", "mask_path"]):
        yield from _compare(row, form, entries, name)
        for column in images:
            cell, sha256 = row[column], row[f"{column}_sha256"] or ""
            if column == "mask" and len(mask_files(row["mask_path"] or "")) > 1:
                continue  # its bytes are those of several files together
            if (hashlib.sha256(cell["bytes"]).hexdigest() if cell else "") != sha256:
                yield f"{name}: the {column} of {row['item_id']} has other bytes"


def _streamed(stream: IterableDataset, entries: Mapping[str, ReleaseEntry], name: str, rows: int) -> Iterator[str]:
    """What differs in rows that are streamed, of which there should be `rows`."""
    count, form = 0, stream.features  # which is copied whenever it is asked for
    for row in stream.select_columns(list(_COMPARED)):
        count += 1
        yield from _compare(row, form, entries, name)
    if count != rows:
        yield f"{name}: {count:,} rows instead of {rows:,}"


def _compare(row: Mapping[str, Any], form: Features, entries: Mapping[str, ReleaseEntry], name: str) -> Iterator[str]:
    entry = entries.get(row["item_id"])
    if entry is None:
        yield f"{name}: {row['item_id']} is no row of the release"
        return
    label = None if row["label"] is None else form["label"].int2str(row["label"])
    labels = tuple(form["labels"].feature.names[number] for number in row["labels"])
    category = form["category"].int2str(row["category"])
    if (category, label, labels, row["status"]) != (entry.category, entry.label, entry.labels, entry.status):
        yield f"{name}: {row['item_id']} is loaded as {category}, {label}, not as {entry.category}, {entry.label}"


@contextmanager
def quiet() -> Iterator[None]:
    """Without the library's progress bars and log."""
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
