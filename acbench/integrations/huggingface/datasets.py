"""Describes a release to Hugging Face `datasets`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from acbench.release.columns import HISTORY, VOTE, Column, columns
from acbench.release.manifest import ALL, FORMAT, Manifest, configurations

if TYPE_CHECKING:
    import pyarrow as pa
    from datasets import Features
    from datasets.features.features import FeatureType


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

    def round_trip(self, folder: Path, manifest: Manifest) -> list[str]:
        """What differs between a release's tables and what `datasets` loads: see `loading`."""
        from acbench.integrations.huggingface import loading

        with quiet():
            return loading.differences(folder, manifest, self._scratch)


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
