"""Plans and writes the parquet shards of a release, row group by row group, so that memory stays flat."""

from __future__ import annotations

import hashlib
from array import array
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from acbench._util.chunks import chunks
from acbench._util.prefetch import prefetch
from acbench.data.images import united_png
from acbench.errors import ReleaseError
from acbench.records import Item, mask_files, mask_hash
from acbench.release.columns import IMAGES
from acbench.release.manifest import ReleaseFile, ShardKey, shard_path
from acbench.release.rows import Row
from acbench.release.sink import whole
from acbench.storage.atomic import replacing
from acbench.storage.files import FileRefused, FileTree
from acbench.storage.stored_rows import fields

if TYPE_CHECKING:
    import pyarrow as pa

SHARD_BYTES = 500 << 20
"""Bytes of images in one shard; a shard holds at least one row."""
GROUP_BYTES = 64 << 20
"""Bytes of images in one row group; the Hub's viewer wants at most 100 MB."""
GROUP_ROWS = {True: 100, False: 5_000}
"""Rows in one row group, with and without images."""
_FILES = ("image", "sha256", "mask", "mask_sha256")
"""The fields of an item that name its files."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ParquetShard:
    """A part of the images, for one file."""

    path: str
    """Relative to the release."""
    places: Sequence[int]
    """The numbers of its images among all, rising."""
    size: int = 0
    """Bytes of its images."""


def plan_shards(
    items: Sequence[Item], categories: Sequence[str], images: FileTree | None, *, most: int = SHARD_BYTES
) -> list[ParquetShard]:
    """Divide images into shards, each of one category and split, in the order of the images.

    `categories`: their names in the order of their numbers. `images`: where the images are that the shards will hold,
    at most `most` bytes each; None for no images.
    """
    numbers = {name: number for number, name in enumerate(categories)}
    parts: defaultdict[tuple[int, str], list[array[int]]] = defaultdict(lambda: [array("q")])
    filled: defaultdict[tuple[int, str], list[int]] = defaultdict(lambda: [0])
    for place, (category, split, *files) in enumerate(fields(items, "category", "split", *(_FILES if images else ()))):
        key = (numbers[category], split)
        size = sum(_size(images, file) for file in _files(*files)) if images else 0
        if filled[key][-1] + size > most and parts[key][-1]:
            parts[key].append(array("q"))
            filled[key].append(0)
        filled[key][-1] += size
        parts[key][-1].append(place)
    return [
        ParquetShard(path=shard_path(ShardKey(categories[category], split), number, len(own)), places=part, size=size)
        for (category, split), own in sorted(parts.items())
        for number, (part, size) in enumerate(zip(own, filled[category, split], strict=True))
    ]


def known_size(images: FileTree) -> Callable[[str], int | None]:
    """Give a function: path of a file → its bytes; None where the place does not tell without reading it."""

    def size_of(path: str) -> int | None:
        try:
            return images.locate(path).size
        except FileRefused:  # whoever needs its bytes says so
            return None

    return size_of


def write_shard(
    path: Path,
    batches: Iterable[pa.RecordBatch],
    schema: pa.Schema,
    images: FileTree | None,
    *,
    most: int = GROUP_BYTES,
) -> None:
    """Write one shard atomically, with at most `most` bytes of images in a row group.

    `batches`: its rows without images, each a row group of its own where the shard holds none: see `batches_of`.

    Raises ReleaseError if an image is not the one that was hashed.
    """
    import pyarrow.parquet as pq

    small = [name for name in _leaf_columns(schema) if not name.endswith(".bytes")]
    with (
        replacing(path) as file,
        whole(file) as sink,
        pq.ParquetWriter(
            sink,
            schema,
            compression="none" if images else "zstd",  # image files are compressed already
            use_dictionary=small,
            write_statistics=small,
            write_page_index=True,
            use_content_defined_chunking=True,  # a small change leaves most pages as they are, which a hub stores once
        ) as writer,
    ):
        for batch in _row_groups(batches, schema, images, most) if images else batches:
            writer.write_batch(batch, row_group_size=batch.num_rows)
            sink.check()


def batches_of(rows: Iterable[Row], schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    """Give rows as Arrow, GROUP_ROWS at a time and without the columns of images."""
    import pyarrow as pa

    form = without_images(schema)
    for part in chunks(rows, GROUP_ROWS[False]):
        yield pa.RecordBatch.from_pylist(part, schema=form)


def without_images(schema: pa.Schema) -> pa.Schema:
    """Give the schema of the rows of a shard without its images."""
    import pyarrow as pa

    return pa.schema([field for field in schema if field.name not in IMAGES], metadata=schema.metadata)


def describe_shard(path: Path, sha256: str) -> ReleaseFile:
    """Describe a shard on disk for the manifest."""
    import pyarrow.parquet as pq

    metadata = pq.read_metadata(path)
    groups = (metadata.row_group(number) for number in range(metadata.num_row_groups))
    return ReleaseFile(
        sha256=sha256,
        size=path.stat().st_size,
        rows=metadata.num_rows,
        uncompressed=sum(group.total_byte_size for group in groups),
    )


@dataclass(frozen=True, slots=True)
class _Picture:
    """An image or mask that a row names."""

    column: str
    path: str
    sha256: str
    name: str
    """The file name that `datasets` shows."""

    @property
    def files(self) -> tuple[str, ...]:
        """The paths of its files: a mask may have several."""
        return mask_files(self.path) if self.column == "mask" else (self.path,)


def _pictures(row: Row) -> list[_Picture]:
    return [
        _Picture(column, path, sha256, f"{row['item_id']}{mark}{Path(path).suffix.lower()}")
        for column, path, sha256, mark in (
            ("image", row["image_path"], row["image_sha256"], ""),
            ("mask", row["mask_path"], row["mask_sha256"], "_mask"),
        )
        if path and sha256
    ]


def _files(image: str, sha256: str, mask: str | None, mask_sha256: str | None) -> tuple[str, ...]:
    """The paths of the files of an image and of its mask that a release holds, from `_FILES` of its item."""
    own = (image,) if image and sha256 else ()
    return (*own, *mask_files(mask)) if mask and mask_sha256 else own


def _row_groups(
    batches: Iterable[pa.RecordBatch], schema: pa.Schema, images: FileTree, most: int
) -> Iterator[pa.RecordBatch]:
    """Rows with their images, one row group at a time."""
    import pyarrow as pa

    group: list[Mapping[str, Any]] = []
    size = 0
    rows = (row for batch in batches for part in _slices(batch) for row in part.to_pylist())
    for row, added in prefetch(lambda row: with_images(row, images), rows, most=4):
        if group and (size + added > most or len(group) == GROUP_ROWS[True]):
            yield pa.RecordBatch.from_pylist(group, schema=schema)
            group, size = [], 0
        group.append(row)
        size += added
    if group:
        yield pa.RecordBatch.from_pylist(group, schema=schema)


def _slices(batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
    size = GROUP_ROWS[True]
    return (batch.slice(begin, size) for begin in range(0, batch.num_rows, size))


def with_images(row: Row, images: FileTree) -> tuple[Mapping[str, Any], int]:
    """Give the row with the bytes of its image and mask, and how many bytes they are."""
    cells: dict[str, dict[str, object] | None] = {"image": None, "mask": None}
    size = 0
    for picture in _pictures(row):
        data = _bytes(picture, images)
        cells[picture.column] = {"bytes": data, "path": picture.name}
        size += len(data)
    return {**row, **cells}, size


def _bytes(picture: _Picture, images: FileTree) -> bytes:
    """The bytes of a file; of several masks of one image a PNG of what any of them marks."""
    files = []
    for path in picture.files:
        try:
            files.append(images.read(path))
        except FileRefused as why:
            raise ReleaseError(f"{path}: {why.message}", why.hint) from None
    if mask_hash([hashlib.sha256(data).hexdigest() for data in files]) != picture.sha256:
        raise ReleaseError(f"{picture.path} has changed while the release was made", "run the same command again")
    return files[0] if len(files) == 1 else united_png(files)


def _size(images: FileTree, path: str) -> int:
    try:
        size = images.locate(path).size
        return len(images.read(path)) if size is None else size
    except FileRefused as why:
        raise ReleaseError(f"{path}: {why.message}", why.hint) from None


def _leaf_columns(schema: pa.Schema) -> list[str]:
    """Name the columns that hold values as Parquet does, such as `image.bytes`."""
    import pyarrow as pa

    def leaves(name: str, kind: pa.DataType) -> Iterator[str]:
        if pa.types.is_struct(kind):
            for field in kind:
                yield from leaves(f"{name}.{field.name}", field.type)
        elif pa.types.is_list(kind):
            yield from leaves(f"{name}.list.element", kind.value_type)
        else:
            yield name

    return [leaf for field in schema for leaf in leaves(field.name, field.type)]
