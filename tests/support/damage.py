"""Damages files in many ways: what disks, editors, merges, other versions and strangers do to them."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

WRONG: tuple[Any, ...] = (
    None, float("nan"), float("inf"), 1e308, 2**63, -(2**70), -1, 0, 2.5, True, "", "x", "\x1b[31m", "\ud800", [], [[]],
    {}, {"x": 1},
)  # fmt: skip
"""What stands where another value should."""
WHOLE = ("{", "[]", "{}", "null", "3", '"x"', "[[[" * 5000, '{"a":' * 3000, "NaN")
"""What stands in place of all of a JSON file."""


class Damage(NamedTuple):
    """One way to change a file in place."""

    name: str
    do: Callable[[Path], object]
    may_be_sound: bool = False
    """Whether the file may be one that somebody could have meant, as with another value of the right type."""


def ways(path: Path, random_: random.Random) -> list[Damage]:
    """The ways in which the file at a path can be damaged. `random_`: chooses places in it."""
    found = list(_of_bytes(random_))
    if path.suffix in (".json", ".jsonl"):
        text = path.read_text(encoding="utf-8")
        found += _of_json(random_, json.loads(text.splitlines()[0] if path.suffix == ".jsonl" else text))
    if path.suffix == ".parquet":
        found += _of_table(random_)
    return found


def restore(source: Path, target: Path) -> None:
    """Give a path what another has, whatever it is now."""
    if target.is_dir() and not target.is_symlink():
        shutil.rmtree(target)
    else:
        target.unlink(missing_ok=True)
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy2(source, target)


def _of_bytes(random_: random.Random) -> Iterator[Damage]:
    """What can happen to any file."""

    def cut(path: Path) -> None:
        data = path.read_bytes()
        path.write_bytes(data[: random_.randrange(len(data))] if data else b"{")

    def flip(path: Path) -> None:
        data = bytearray(path.read_bytes() or b"{}")
        for _ in range(3):
            data[random_.randrange(len(data))] ^= 1 << random_.randrange(8)
        path.write_bytes(bytes(data))

    def folder(path: Path) -> None:
        path.unlink()
        path.mkdir()
        (path / "inside.txt").write_text("somebody's")

    def loop(path: Path) -> None:
        path.unlink()
        path.symlink_to(path.name)

    garbage = random_.randbytes(300)
    yield Damage("cut", cut)
    yield Damage("flipped bits", flip)
    yield Damage("empty", lambda path: path.write_bytes(b""))
    yield Damage("zeros", lambda path: path.write_bytes(bytes(4096)))
    yield Damage("garbage", lambda path: path.write_bytes(garbage))
    yield Damage("with a BOM", lambda path: path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes()))
    yield Damage("UTF-16", lambda path: path.write_bytes("{}".encode("utf-16")))
    yield Damage("twice", lambda path: path.write_bytes(path.read_bytes() * 2))
    yield Damage("a folder", folder)
    yield Damage("a link to itself", loop)
    yield Damage("unreadable", lambda path: path.chmod(0))  # to all but root


def _of_json(random_: random.Random, value: Any) -> Iterator[Damage]:
    """What can happen to a JSON file, or to one line of it. `value`: what the file or a line holds."""

    def change(edit: Callable[[Any], Any]) -> Callable[[Path], object]:
        def write(path: Path) -> None:
            text = path.read_text(encoding="utf-8")
            lines = text.splitlines() if path.suffix == ".jsonl" else [text]
            number = random_.randrange(len(lines))
            lines[number] = json.dumps(edit(json.loads(lines[number])))
            path.write_text("\n".join(lines) + "\n", encoding="utf-8")

        return write

    def put(place: tuple[Any, ...], new: Any) -> Callable[[Path], object]:
        return change(lambda whole: _put(whole, place, new))

    def drop(place: tuple[Any, ...]) -> Callable[[Path], object]:
        return change(lambda whole: _without(whole, place))

    def text(whole: str) -> Callable[[Path], object]:
        return lambda path: path.write_text(whole, encoding="utf-8")

    for whole in WHOLE:
        yield Damage(f"only {whole[:10]}", text(whole))
    yield Damage("format 99", change(lambda whole: {**whole, "format": 99} if isinstance(whole, dict) else [whole]))
    yield Damage("another key", change(lambda whole: {**whole, "more": 1} if isinstance(whole, dict) else [*whole, 1]))
    for place in _places(value):
        name = ".".join(map(str, place))
        yield Damage(f"no {name}", drop(place))
        for wrong in WRONG:
            yield Damage(f"{name} = {wrong!r}", put(place, wrong), may_be_sound=True)


def _places(value: Any, above: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The keys that lead to each value inside a JSON value; of a list, to its first entry."""
    entries = (
        value.items() if isinstance(value, dict) else list(enumerate(value))[:1] if isinstance(value, list) else ()
    )
    for key, part in entries:
        yield (*above, key)
        yield from _places(part, (*above, key))


def _put(value: Any, place: tuple[Any, ...], new: Any) -> Any:
    """A copy of a JSON value with something else at a place; as it is if it has no such place."""
    if not place:
        return new
    key, *rest = place
    if isinstance(value, dict) and key in value:
        return {**value, key: _put(value[key], tuple(rest), new)}
    if isinstance(value, list) and isinstance(key, int) and key < len(value):
        return [*value[:key], _put(value[key], tuple(rest), new), *value[key + 1 :]]
    return value


def _without(value: Any, place: tuple[Any, ...]) -> Any:
    """A copy of a JSON value without what is at a place; as it is if it has no such place."""
    key, *rest = place
    if not rest:
        pairs = value.items() if isinstance(value, dict) else enumerate(value)
        kept = [(name, part) for name, part in pairs if name != key]
        return dict(kept) if isinstance(value, dict) else [part for _, part in kept]
    part = value.get(key) if isinstance(value, dict) else value[key] if key < len(value) else None
    return _put(value, (key,), _without(part, tuple(rest))) if isinstance(part, dict | list) else value


def _of_table(random_: random.Random) -> Iterator[Damage]:
    """What can happen to a Parquet table."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    def change(edit: Callable[[Any], Any]) -> Callable[[Path], object]:
        return lambda path: pq.write_table(edit(pq.read_table(path)), path)

    def column(table: Any) -> int:
        return random_.randrange(table.num_columns)

    def other_type(table: Any) -> Any:
        number = column(table)
        is_text = pa.types.is_string(table.field(number).type)
        values = pa.array([0 if is_text else "x"] * table.num_rows, pa.int64() if is_text else pa.string())
        return table.set_column(number, table.field(number).name, values)

    def nulls(table: Any) -> Any:
        field = table.field(column(table))
        return table.set_column(table.column_names.index(field.name), field, pa.nulls(table.num_rows, field.type))

    for _ in range(3):
        yield Damage("a column less", change(lambda table: table.remove_column(column(table))))
        yield Damage("a column of another type", change(other_type))
        yield Damage("a column of nulls", change(nulls))
    yield Damage("a column more", change(lambda table: table.append_column("more", pa.array([1] * table.num_rows))))
    yield Damage("another record", change(lambda table: table.replace_schema_metadata({"acbench.record": "Other"})))
    yield Damage("no record", change(lambda table: table.replace_schema_metadata(None)))
    yield Damage("no rows", change(lambda table: table.slice(0, 0)))
    yield Damage("rows twice", change(lambda table: pa.concat_tables([table, table])))
