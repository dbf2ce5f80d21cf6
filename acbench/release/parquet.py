"""The tables of a release: planned by size, and written row group by row group, so that memory stays flat."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from acbench._util.prefetch import prefetch
from acbench.errors import ReleaseError
from acbench.release.manifest import ReleaseFile, shard_path
from acbench.release.rows import Names, Row
from acbench.storage.atomic import replacing
from acbench.storage.files import FileRefused, FileTree
from acbench.storage.roots import Root, open_tree

if TYPE_CHECKING:
    import pyarrow as pa

SHARD_BYTES = 500 << 20
"""Images of one file; a file holds at least one image."""
GROUP_BYTES = 64 << 20
"""Images of one row group; the Hub's viewer wants at most 100 MB."""
GROUP_ROWS = {True: 100, False: 5_000}
"""Rows of one row group, with and without images."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ParquetShard:
    """One table to write."""

    path: str
    """Relative to the release."""
    rows: list[Row]


def plan(rows: Sequence[Row], names: Names, root: Root, *, images: bool, most: int = SHARD_BYTES) -> list[ParquetShard]:
    """Which rows go into which table: a category and split each, in the order of the rows.

    `root`: of the images, of which a table holds `most` bytes.
    """
    tree = open_tree(root)
    groups: defaultdict[tuple[int, str], list[list[Row]]] = defaultdict(lambda: [[]])
    filled: defaultdict[tuple[int, str], int] = defaultdict(int)
    for row in rows:
        key = (row["category"], row["split"])
        size = sum(_size(tree, path) for path in _files(row)) if images else 0
        if filled[key] + size > most and groups[key][-1]:
            groups[key].append([])
            filled[key] = 0
        filled[key] += size
        groups[key][-1].append(row)
    return [
        ParquetShard(path=shard_path(names.categories[category], split, number, len(parts)), rows=part)
        for (category, split), parts in sorted(groups.items())
        for number, part in enumerate(parts)
    ]


def write(
    path: Path, shard: ParquetShard, schema: pa.Schema, root: Root, *, images: bool, most: int = GROUP_BYTES
) -> None:
    """Write one table, atomically, with `most` bytes of images in a row group.

    Raises ReleaseError if an image is not the one that was hashed.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    small = [each for each in _leaves(schema) if not each.endswith(".bytes")]
    with (
        replacing(path) as file,
        pq.ParquetWriter(
            file,
            schema,
            compression="none" if images else "zstd",  # pictures are compressed already
            use_dictionary=small,
            write_statistics=small,
            write_page_index=True,
            use_content_defined_chunking=True,  # a small change leaves most pages as they are, which a hub stores once
        ) as writer,
    ):
        for group in _groups(shard.rows, open_tree(root), images=images, most=most):
            batch = pa.RecordBatch.from_pylist(group, schema=schema)
            group.clear()
            writer.write_batch(batch, row_group_size=batch.num_rows)


def facts(path: Path, sha256: str) -> ReleaseFile:
    """What a manifest says of a table that is there."""
    import pyarrow.parquet as pq

    found = pq.read_metadata(path)
    groups = (found.row_group(number) for number in range(found.num_row_groups))
    return ReleaseFile(
        sha256=sha256,
        size=path.stat().st_size,
        rows=found.num_rows,
        uncompressed=sum(group.total_byte_size for group in groups),
    )


def _groups(rows: Sequence[Row], tree: FileTree, *, images: bool, most: int) -> Iterator[list[Row]]:
    """Rows with their images, a row group at a time."""
    group: list[Row] = []
    size = 0
    found = prefetch(lambda row: _with_images(row, tree), rows, most=4) if images else ((row, 0) for row in rows)
    for row, added in found:
        if group and (size + added > most or len(group) == GROUP_ROWS[images]):
            yield group
            group, size = [], 0
        group.append(row)
        size += added
    if group:
        yield group


def _with_images(row: Row, tree: FileTree) -> tuple[Row, int]:
    """The row with the bytes of its image and mask, and how many they are."""
    pictures: dict[str, Any] = {"image": None, "mask": None}
    size = 0
    for name in pictures:
        path, sha256 = row[f"{name}_path"], row[f"{name}_sha256"]
        if not sha256:
            continue
        try:
            data = tree.read(path)
        except FileRefused as why:
            raise ReleaseError(f"{path}: {why.message}", why.hint) from None
        if hashlib.sha256(data).hexdigest() != sha256:
            raise ReleaseError(f"{path} has changed while the release was made", "run the same command again")
        suffix = Path(path).suffix.lower()
        mark = "_mask" if name == "mask" else ""
        pictures[name] = {"bytes": data, "path": f"{row['item_id']}{mark}{suffix}"}
        size += len(data)
    return {**row, **pictures}, size


def _files(row: Row) -> list[str]:
    return [row[f"{name}_path"] for name in ("image", "mask") if row[f"{name}_sha256"]]


def _size(tree: FileTree, path: str) -> int:
    try:
        size = tree.locate(path).size
        return len(tree.read(path)) if size is None else size
    except FileRefused as why:
        raise ReleaseError(f"{path}: {why.message}", why.hint) from None


def _leaves(schema: pa.Schema) -> list[str]:
    """Parquet's names of the columns that hold values."""
    import pyarrow as pa

    def below(name: str, kind: pa.DataType) -> Iterator[str]:
        if pa.types.is_struct(kind):
            for field in kind:
                yield from below(f"{name}.{field.name}", field.type)
        elif pa.types.is_list(kind):
            yield from below(f"{name}.list.element", kind.value_type)
        else:
            yield name

    return [leaf for field in schema for leaf in below(field.name, field.type)]
