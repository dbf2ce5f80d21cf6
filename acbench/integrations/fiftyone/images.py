"""Reads the images and labels of a FiftyOne dataset, for `source: fiftyone`."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from acbench.data.copied import MAX_IMAGE, ForeignImage
from acbench.errors import SourceError
from acbench.integrations.fiftyone.database import connect, database_errors
from acbench.storage.files import FileRefused, FileTree

if TYPE_CHECKING:
    import fiftyone as fo

SPLITS = frozenset({"train", "training", "test", "testing", "val", "valid", "validation"})
"""Tags that name a split."""


class FiftyOneImages:
    """The images of a FiftyOne dataset: a `ForeignDataset`."""

    def __init__(self, name: str, *, field: str = "") -> None:
        """`field`: the field of labels, where samples have several. Raises AcbenchError if there is no such dataset."""
        connect()
        import fiftyone as fo

        with database_errors():
            if not fo.dataset_exists(name):
                near = ", ".join(sorted(fo.list_datasets())[:10])
                raise SourceError(f"FiftyOne has no dataset {name!r}", f"it has: {near or 'none'}")
            self.data: fo.Dataset = fo.load_dataset(name)
        self.labels, self.mask = self._fields(field)

    @property
    def key(self) -> str:
        with database_errors():
            changed = max(filter(None, (self.data.last_modified_at, self.data.max("last_modified_at"))), default="")
            return f"{self.data.name} {len(self.data)} {changed} {self.labels} {self.mask}"

    @property
    def size(self) -> int:
        return len(self.data)

    def images(self) -> Iterator[ForeignImage]:
        """Every image."""
        with database_errors():
            for sample in self.data.iter_samples():
                yield self._image(sample)

    def _fields(self, told: str) -> tuple[str, str]:
        """The fields of labels and of masks. Raises SourceError if they cannot be told."""
        import fiftyone as fo

        kinds = {
            name: field.document_type
            for name, field in self.data.get_field_schema(ftype=fo.EmbeddedDocumentField).items()
        }
        labelled = (fo.Classification, fo.Classifications, fo.Detections, fo.Polylines)
        labels = [name for name, kind in kinds.items() if issubclass(kind, labelled)]
        masks = [name for name, kind in kinds.items() if issubclass(kind, fo.Segmentation)]
        if told and told not in labels:
            raise SourceError(f"{self.data.name} has no field of labels {told!r}", f"it has: {', '.join(labels)}")
        if not labels:
            raise SourceError(f"{self.data.name} has no field of classifications or detections", "give another dataset")
        if len(labels) > 1 and not told:
            both = " and ".join(labels[:5])
            raise SourceError(f"{self.data.name} has several fields of labels: {both}", f"--reading field={labels[0]}")
        return told or labels[0], masks[0] if len(masks) == 1 else ""

    def _image(self, sample: fo.Sample) -> ForeignImage:
        path = Path(sample.filepath)
        try:
            data = FileTree(path.parent).read(path.name, MAX_IMAGE)
        except FileRefused:
            data = b""  # the row names an image that is not there
        cells: dict[str, Any] = dict(self._labels(sample))
        if split := next((tag for tag in sample.tags if tag.lower() in SPLITS), ""):
            cells["split"] = split
        return ForeignImage(data=data, cells=cells, mask=self._mask(sample, data))

    def _labels(self, sample: fo.Sample) -> Mapping[str, Any]:
        """The columns of the table that say what is on an image."""
        import fiftyone as fo

        value = sample[self.labels]
        kind = self.data.get_field(self.labels).document_type
        if issubclass(kind, fo.Classification):
            return {"label": value.label if value else ""}
        if issubclass(kind, fo.Classifications):
            return {"label": [each.label for each in value.classifications] if value else []}
        marks = list(_marks(value))
        return {"objects": {"bbox": [box for _, box in marks], "category": [label for label, _ in marks]}}

    def _mask(self, sample: fo.Sample, data: bytes) -> bytes:
        """The file of a mask: that of a segmentation, or of the polygons and masks of the labels; empty for none."""
        import numpy as np
        from PIL import Image

        from acbench.data.images import probe
        from acbench.errors import ImageError

        if self.mask:
            marked = sample[self.mask].get_mask() if sample[self.mask] is not None else None
        else:
            try:
                header = probe(data)
                marked = _drawn(sample[self.labels], (header.width, header.height))
            except (ImageError, ValueError, TypeError):
                marked = None
        if marked is None:
            return b""
        pixels = np.asarray(marked)
        pixels = pixels.max(axis=2) if pixels.ndim == 3 else pixels
        file = io.BytesIO()
        Image.fromarray(np.where(pixels > 0, 255, 0).astype(np.uint8)).save(file, "PNG")
        return file.getvalue()


def _marks(value: Any) -> Iterator[tuple[str, list[float]]]:
    """(label, box as shares of the image: left, top, width, height) of detections or polylines."""
    for each in getattr(value, "detections", ()) or ():
        yield str(each.label), list(map(float, each.bounding_box))
    for each in getattr(value, "polylines", ()) or ():
        points = [point for shape in each.points for point in shape]
        if points:
            across, down = [x for x, _ in points], [y for _, y in points]
            left, top = min(across), min(down)
            yield str(each.label), [left, top, max(across) - left, max(down) - top]


def _drawn(value: Any, size: tuple[int, int]) -> Any:
    """What masks of detections and closed polylines mark, bool[H, W]; None if there are none."""
    import fiftyone as fo

    parts = [each for each in getattr(value, "detections", ()) or () if each.has_mask]
    parts += [each for each in getattr(value, "polylines", ()) or () if each.closed or each.filled]
    marked = None
    for each in parts:
        whole = (
            each.to_segmentation(frame_size=size, target=255) if isinstance(each, fo.Detection | fo.Polyline) else None
        )
        if whole is not None:
            own = whole.get_mask() > 0
            marked = own if marked is None else marked | own
    return marked
