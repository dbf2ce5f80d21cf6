"""Reads tables of releases within bounds, whatever the files claim: a few kilobytes can unpack to gigabytes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, BinaryIO

from acbench.errors import ReleaseError
from acbench.storage.files import MAX_BYTES as MAX_IMAGE

if TYPE_CHECKING:
    import pyarrow as pa

MAX_ROWS = 5_000_000
"""Rows of the largest release that is read."""
BATCH = 64
"""Rows that are unpacked at a time, where images or long lists are among them."""
SMALL_ROWS, SMALL_LIST, SMALL_TEXT = 1_000, 20, 4_000
"""Rows that are unpacked at a time where no image is among them, no more elements of lists than so many a row, and no
text of more bytes."""
MAX_GROUP = (64 << 20) + MAX_IMAGE
"""Bytes of a row group: ours have at most 64 MiB of images and one image more."""
MAX_TEXTS = 128 << 20
"""Bytes of all of a row group but images."""
MAX_TEXT = 1 << 20
"""Bytes of one text, such as a reason."""
MAX_LIST = 10_000
"""Elements of a list: classes, votes."""
MAX_COLUMNS = 200
"""Columns, counting the parts of each: ours have about 30."""
MAX_DEPTH = 3
"""Lists within lists."""
_IMAGES = ("image.bytes", "mask.bytes")


def batches(file: BinaryIO, columns: Sequence[str] | None, name: str) -> Iterator[pa.RecordBatch]:
    """Give the rows of a parquet file, of some columns or all (None), a few at a time. `name` is for messages.

    Texts stay encoded as they are in the file until their lengths are known. Raises ReleaseError for what is too large,
    or an error of pyarrow.
    """
    import pyarrow.parquet as pq

    metadata = checked_metadata(file, name)
    leaves = [metadata.schema.column(number) for number in range(metadata.num_columns)]
    texts = [leaf.path for leaf in leaves if leaf.physical_type == "BYTE_ARRAY" and leaf.path not in _IMAGES]
    table = pq.ParquetFile(file, metadata=metadata, read_dictionary=texts, pre_buffer=columns is not None)
    for number in range(metadata.num_row_groups):
        small = _check_group(metadata.row_group(number), columns, f"{name}: row group {number}")
        for batch in table.iter_batches(
            batch_size=SMALL_ROWS if small else BATCH, row_groups=[number], columns=columns
        ):
            longest = max(_check_lengths(column, f"{name}: row group {number}") for column in batch.columns)
            rows = SMALL_ROWS if longest <= SMALL_TEXT else BATCH
            yield from (batch.slice(begin, rows) for begin in range(0, batch.num_rows, rows))


def checked_metadata(file: BinaryIO, name: str) -> Any:
    """Read the `pyarrow.parquet.FileMetaData` of a file. Raises ReleaseError for too many rows or columns, or lists of
    lists of lists of lists."""
    import pyarrow.parquet as pq

    metadata = pq.read_metadata(file)
    if metadata.num_rows > MAX_ROWS:
        raise ReleaseError(f"{name} has more than {MAX_ROWS:,} rows", "that is no release of acbench")
    if metadata.num_columns > MAX_COLUMNS:
        raise _too_large(f"{name} has {metadata.num_columns:,} columns")
    for number in range(metadata.num_columns):
        leaf = metadata.schema.column(number)
        if leaf.max_repetition_level > MAX_DEPTH or leaf.max_definition_level > 4 * MAX_DEPTH:
            raise _too_large(f"{name}: {leaf.path[:80]} is nested {leaf.max_definition_level:,} deep")
    return metadata


def _check_group(group: Any, columns: Sequence[str] | None, name: str) -> bool:
    """Raise ReleaseError for a row group (`pyarrow.parquet.RowGroupMetaData`) that is too large by its own word; gives
    whether its rows are small."""
    images = texts = longest = 0
    for number in range(group.num_columns):
        chunk = group.column(number)
        path = chunk.path_in_schema
        if columns is not None and not any(path == each or path.startswith(f"{each}.") for each in columns):
            continue
        if chunk.num_values > max(group.num_rows, 1) * MAX_LIST:
            raise _too_large(f"{name}: {path} has {chunk.num_values:,} values in {group.num_rows:,} rows")
        if path in _IMAGES:
            images += chunk.total_uncompressed_size
        else:
            texts += chunk.total_uncompressed_size
        longest = max(longest, chunk.num_values)
    if images > MAX_GROUP or texts > MAX_TEXTS:
        raise _too_large(f"{name} is larger than {(MAX_GROUP if images > MAX_GROUP else MAX_TEXTS) >> 20} MiB")
    return not images and longest <= group.num_rows * SMALL_LIST


def _check_lengths(column: pa.Array, name: str) -> int:
    """Raise ReleaseError for texts and lists that are too long, at any depth; gives the bytes of the longest text."""
    import pyarrow as pa
    import pyarrow.compute as pc

    kind = column.type
    if pa.types.is_dictionary(kind):
        if pa.types.is_string(kind.value_type) or pa.types.is_binary(kind.value_type):
            longest: int = pc.max(pc.binary_length(column.dictionary)).as_py() or 0
            if longest > MAX_TEXT:
                raise _too_large(f"{name} has a text of {longest:,} bytes")
            return longest
    elif pa.types.is_list(kind) or pa.types.is_large_list(kind):
        elements = pc.max(pc.list_value_length(column)).as_py() or 0
        if elements > MAX_LIST:
            raise _too_large(f"{name} has a list of {elements:,} elements")
        return _check_lengths(column.flatten(), name)
    elif pa.types.is_struct(kind):
        return max((_check_lengths(part, name) for part in column.flatten()), default=0)
    return 0


def _too_large(what: str) -> ReleaseError:
    return ReleaseError(what, "that is no release of acbench: do not use it")
