"""Plans and writes the parquet shards of a release, row group by row group, so that memory stays flat."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from acbench._util.prefetch import prefetch
from acbench.data.images import united_png
from acbench.errors import ReleaseError
from acbench.records import Item, mask_files, mask_hash
from acbench.release.manifest import ReleaseFile, ShardKey, shard_path
from acbench.release.rows import Row
from acbench.release.sink import whole
from acbench.storage.atomic import replacing
from acbench.storage.files import FileRefused, FileTree

if TYPE_CHECKING:
    import pyarrow as pa

SHARD_BYTES = 500 << 20
"""Bytes of images in one shard; a shard holds at least one row."""
GROUP_BYTES = 64 << 20
"""Bytes of images in one row group; the Hub's viewer wants at most 100 MB."""
GROUP_ROWS = {True: 100, False: 5_000}
"""Rows in one row group, with and without images."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ParquetShard:
    """A part of the rows, for one file."""

    path: str
    """Relative to the release."""
    rows: list[Row]
    size: int = 0
    """Bytes of its images."""


def plan_shards(
    rows: Iterable[Row], categories: Sequence[str], images: FileTree | None, *, most: int = SHARD_BYTES
) -> list[ParquetShard]:
    """Divide rows into shards, each of one category and split, in the order of the rows.

    `categories`: their names in the order of their numbers. `images`: where the images are that the shards will hold,
    at most `most` bytes each; None for no images.
    """
    parts: defaultdict[tuple[int, str], list[list[Row]]] = defaultdict(lambda: [[]])
    filled: defaultdict[tuple[int, str], list[int]] = defaultdict(lambda: [0])
    for row in rows:
        key = (row["category"], row["split"])
        size = sum(_size(images, file) for picture in _pictures(row) for file in picture.files) if images else 0
        if filled[key][-1] + size > most and parts[key][-1]:
            parts[key].append([])
            filled[key].append(0)
        filled[key][-1] += size
        parts[key][-1].append(row)
    return [
        ParquetShard(path=shard_path(ShardKey(categories[category], split), number, len(own)), rows=part, size=size)
        for (category, split), own in sorted(parts.items())
        for number, (part, size) in enumerate(zip(own, filled[category, split], strict=True))
    ]


def file_sizes(items: Iterable[Item], images: FileTree) -> dict[str, int]:
    """Give the bytes of the files of images and masks by path; of those alone that the place tells without reading."""
    sizes = {}
    paths = [path for item in items for path in (item.image, *mask_files(item.mask or "")) if path and item.sha256]
    for path in dict.fromkeys(paths):
        with suppress(FileRefused):  # whoever needs its bytes says so
            if (size := images.locate(path).size) is not None:
                sizes[path] = size
    return sizes


def write_shard(
    path: Path, shard: ParquetShard, schema: pa.Schema, images: FileTree | None, *, most: int = GROUP_BYTES
) -> None:
    """Write one shard atomically, with at most `most` bytes of images in a row group.

    Raises ReleaseError if an image is not the one that was hashed.
    """
    import pyarrow as pa
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
        for group in _row_groups(shard.rows, images, most):
            batch = pa.RecordBatch.from_pylist(group, schema=schema)
            group.clear()
            writer.write_batch(batch, row_group_size=batch.num_rows)
            sink.check()


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
    pictures = []
    for column, path, sha256, mark in (
        ("image", row["image_path"], row["image_sha256"], ""),
        ("mask", row["mask_path"], row["mask_sha256"], "_mask"),
    ):
        if path and sha256:
            pictures.append(_Picture(column, path, sha256, f"{row['item_id']}{mark}{Path(path).suffix.lower()}"))
    return pictures


def _row_groups(rows: Sequence[Row], images: FileTree | None, most: int) -> Iterator[list[Mapping[str, Any]]]:
    """Give rows with their images, one row group at a time."""
    group: list[Mapping[str, Any]] = []
    size = 0
    complete: Iterable[tuple[Mapping[str, Any], int]]
    if images is None:
        complete = ((row, 0) for row in rows)
    else:
        tree = images
        complete = prefetch(lambda row: with_images(row, tree), rows, most=4)
    for row, added in complete:
        if group and (size + added > most or len(group) == GROUP_ROWS[images is not None]):
            yield group
            group, size = [], 0
        group.append(row)
        size += added
    if group:
        yield group


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
