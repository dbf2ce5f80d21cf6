"""Reads JSON into dataclasses, strictly, and turns dataclasses into JSON; a wrong value is named by file and field."""

from __future__ import annotations

import dataclasses
import functools
import itertools
import json
import math
import operator
import os
import re
import typing
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from acbench._util.text import tidy
from acbench.errors import StorageError

T = TypeVar("T")

MAX_DEPTH = 100
"""Brackets inside brackets, above which a text is called nested too deeply. Ours have fewer than ten."""
MAX_FAULT = 300
"""Characters of what is said to be wrong."""

_LONG_NUMBER = re.compile(rb"(^|[\s:,\[-])[0-9]{19}")
"""Begins like a number that may not fit into 64 bits."""
_LONG_NUMBER_INSIDE = re.compile(rb"[\s:,\[-][0-9]{19}")
"""The same within a text, which is found sooner."""
_AT = re.compile(r"(?P<what>.*?)(?: - at `\$\.?(?P<field>.*)`)?", re.DOTALL)
"""A message of msgspec."""
_MISSING = re.compile(r"Object missing required field `(.+)`")
_MERGE_MARK = re.compile(rb"^(<{7}|={7}|>{7}|\|{7})( .*)?\r?$", re.MULTILINE)
_BRACKET = re.compile(r'"(?:[^"\\]|\\.)*"|[\[\]{}]', re.DOTALL)


_ANY = msgspec.json.Decoder()

Upgrade = Callable[[object], object]
"""Turns JSON values that an older version wrote into what this one reads."""


def read_file(
    path: Path, kind: type[T], *, hint: str, allow_unknown: bool = False, upgrade: Upgrade = lambda value: value
) -> T:
    """The value in a JSON file: see `decode`. Raises StorageError, also for a file that cannot be read."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise StorageError(f"{path} cannot be read: {error.strerror}", hint) from None
    return decode(data, kind, str(path), hint=hint, allow_unknown=allow_unknown, upgrade=upgrade)


def read_if_there(
    path: Path, kind: type[T], *, hint: str, allow_unknown: bool = False, upgrade: Upgrade = lambda value: value
) -> T | None:
    """As `read_file`; None if nothing is there. A link to nowhere is something: what it led to is not known."""
    if not os.path.lexists(path):
        return None
    return read_file(path, kind, hint=hint, allow_unknown=allow_unknown, upgrade=upgrade)


def any_json(text: bytes | str) -> Any:
    """The value of a text that may be anything; None for what is no JSON, or nested too deeply."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def decode(
    data: bytes,
    kind: type[T],
    where: str,
    *,
    hint: str = "",
    allow_unknown: bool = False,
    upgrade: Upgrade = lambda value: value,
) -> T:
    """A value of a dataclass, or of another type that msgspec knows, from JSON text.

    Every value has to have the type of its field; an integer stands for a float too. A field without a default has to
    be there. A field that the dataclass does not have is refused, or ignored with `allow_unknown`. Text has to be
    Unicode, and a number finite and of no more than 64 bits.

    `where` names the text in messages: a file, or a file and a line. `hint` says what to do about a wrong value.
    Raises StorageError: place, field, what is wrong with it, hint.
    """
    try:
        value = msgspec.json.decode(data)
        fault = _fault(data) if _LONG_NUMBER.search(data) else ""
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        fault = _fault(data) or str(error)
    if fault:
        raise _refusal(where, fault, hint)
    return convert(upgrade(value), kind, where, hint=hint, allow_unknown=allow_unknown)


def decode_lines(lines: Sequence[bytes], kind: type[T]) -> list[T] | None:
    """As `decode` for many lines at once, which is quick; None if one is empty, or wrong in any way."""
    record: Any = kind
    data, known = b"".join(lines), _known_fields(record)
    if any(known.values()) or _LONG_NUMBER_INSIDE.search(data) or merge_mark(data):
        return None
    if not all(line[:1] == b"{" and line.rstrip().endswith(b"}") for line in lines):  # a record may not span lines
        return None
    try:
        values = _ANY.decode_lines(data)
        if len(values) != len(lines) or not all(
            type(value) is dict and value.keys() <= known.keys() for value in values
        ):
            return None
        shared: dict[str, str] = {}
        for value in values:  # of equal texts, such as reasons, one is enough for all records
            value.update((name, shared.setdefault(text, text)) for name, text in value.items() if type(text) is str)
        return msgspec.convert(values, list[kind])  # type: ignore[valid-type]
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def convert(value: object, kind: type[T], where: str, *, hint: str = "", allow_unknown: bool = False) -> T:
    """As `decode`, from JSON that is parsed already; whether its texts and numbers may be kept is not checked."""
    try:
        converted = msgspec.convert(value, kind)
        unknown = None if allow_unknown else _unknown_field(value, converted)
    except msgspec.ValidationError as error:
        raise _refusal(where, _explained(str(error), kind), hint) from None
    except RecursionError:
        raise _refusal(where, "nested too deeply", hint) from None
    if unknown:
        raise _refusal(where, f"{getattr(kind, '__name__', kind)} has no field {unknown}", hint)
    return converted


def to_json(record: object) -> dict[str, Any]:
    """A dataclass as values that `json.dumps` takes, in the order of its fields; mappings are sorted by key.

    A field whose metadata are `records.SPARSE` is left out where it is empty.
    """
    kind: Any = type(record)
    values = zip(_field_names(kind), _getter(kind)(record), strict=True)
    sparse = _sparse_fields(kind)
    return {
        name: value if type(value) in _ATOMS else _plain(value) for name, value in values if value or name not in sparse
    }


def convert_all(values: Sequence[object], kind: type[T], where: Callable[[int], str], *, hint: str = "") -> list[T]:
    """As `convert` for many values, with `allow_unknown`. `where`: number of a value, from 1 → its place."""
    try:
        return msgspec.convert(values, list[kind])  # type: ignore[valid-type]
    except (msgspec.ValidationError, RecursionError):  # which one it is, and what is wrong with it
        rows = enumerate(values, start=1)
        return [convert(value, kind, where(number), hint=hint, allow_unknown=True) for number, value in rows]


def _refusal(where: str, fault: str, hint: str) -> StorageError:
    return StorageError(f"{where}: {tidy(fault, MAX_FAULT)}", hint)  # a fault quotes what a stranger may have written


_ATOMS = frozenset({str, int, float, bool, type(None)})


def _plain(value: Any) -> Any:
    if type(value) in _ATOMS:
        return value
    if isinstance(value, tuple):
        return [_plain(part) for part in value]
    if isinstance(value, Mapping):
        return {key: _plain(part) for key, part in sorted(value.items())}
    return to_json(value) if dataclasses.is_dataclass(value) else value  # the last: of a subclass, as an enumeration


def sparse_fields(kind: Any) -> frozenset[str]:
    """Names of the fields of a dataclass whose metadata are `records.SPARSE`."""
    return _sparse_fields(kind)


@functools.cache
def _sparse_fields(kind: type[Any]) -> frozenset[str]:
    return frozenset(field.name for field in dataclasses.fields(kind) if field.metadata.get("sparse"))


@functools.cache
def _getter(kind: Any) -> Callable[[object], tuple[Any, ...]]:
    """Gives the values of all fields of a record."""
    names = _field_names(kind)
    get = operator.attrgetter(*names)
    return (lambda record: (get(record),)) if len(names) == 1 else get


@functools.cache
def _field_names(kind: type[Any]) -> tuple[str, ...]:
    return tuple(field.name for field in dataclasses.fields(kind))


@functools.cache
def _known_fields(kind: Any) -> Mapping[str, bool]:
    """Each field of a dataclass → whether it may hold other dataclasses, which have fields of their own."""
    hints = typing.get_type_hints(kind)
    return {name: not _is_flat(hints[name]) for name in _field_names(kind)}


def _is_flat(hint: Any) -> bool:
    """Whether a value of this type is made of nothing but text, numbers, and tuples and mappings of them."""
    args = typing.get_args(hint)
    if typing.get_origin(hint) is typing.Literal:
        return True
    return all(map(_is_flat, args)) if args else hint in _ATOMS or hint is Ellipsis


def _unknown_field(value: object, converted: object, path: str = "") -> str | None:
    """The path of the first key in `value` that is no field of the dataclass that `value` was converted to."""
    parts: Iterable[tuple[object, object, object]] = ()
    if isinstance(value, list) and isinstance(converted, list | tuple):
        parts = zip(itertools.count(), value, converted, strict=False)
    elif isinstance(value, dict) and isinstance(converted, Mapping):
        parts = ((key, part, converted[key]) for key, part in value.items())
    elif isinstance(value, dict) and dataclasses.is_dataclass(converted) and not isinstance(converted, type):
        known = _known_fields(type(converted))
        if not value.keys() <= known.keys():
            return next(f"{path}{key}" for key in value if key not in known)
        parts = ((key, value[key], getattr(converted, key)) for key, nested in known.items() if nested and key in value)
    for key, part, converted_part in parts:
        if isinstance(part, (dict, list)) and (unknown := _unknown_field(part, converted_part, f"{path}{key}.")):
            return unknown
    return None


def _explained(message: str, kind: type[Any]) -> str:
    """What msgspec says of a value, in our words and with the field first."""
    match = _AT.fullmatch(message)
    assert match is not None
    what, field = match["what"], (match["field"] or "").replace("[...]", "")
    if missing := _MISSING.fullmatch(what):
        return f"field {'.'.join(filter(None, (field, missing[1])))} is missing"
    what = what[:1].lower() + what[1:].replace("`", "").replace(" | null", " or null")
    if what.startswith("invalid enum value"):
        choices = ", ".join(_choices(kind, field)) or "the values that it may have"
        what = f"{what.removeprefix('invalid enum value ')} is not one of {choices}"
    return _about(field, what)


def _about(field: str, what: str) -> str:
    return f"field {field}: {what}" if field else what


def _choices(kind: type[Any], field: str) -> list[str]:
    """The values that a field of type `Literal` may have; none if it is not a field of the dataclass itself."""
    hints = typing.get_type_hints(kind) if dataclasses.is_dataclass(kind) else {}
    return [str(value) for value in typing.get_args(hints.get(field))]


def merge_mark(data: bytes) -> str:
    """The first line in a text that git writes where two branches differ, such as `<<<<<<< HEAD`; empty if none is."""
    found = _MERGE_MARK.search(data)
    return tidy(found[0].decode(errors="replace"), 60) if found else ""


def _fault(data: bytes) -> str:
    """Why a text is not JSON as it may be kept, and in which field; empty if nothing is wrong with it."""
    if mark := merge_mark(data):
        return f"a merge of two branches was left half done here ({mark})"
    text = data.decode(errors="surrogateescape")
    try:
        return _bad_value(json.loads(text, parse_int=_bounded))
    except RecursionError:
        return _about(_deepest_field(text), "nested too deeply")
    except json.JSONDecodeError as error:
        place = f"column {error.colno}" if error.lineno == 1 else f"line {error.lineno}, column {error.colno}"
        return f"not {'UTF-8' if _is_torn(text) else 'JSON'}: {error.msg} ({place})"


def _bad_value(value: object, field: str = "") -> str:
    """What is wrong with the first value that may not be kept, and where it is; empty if all may be."""
    if isinstance(value, dict) and any(map(_is_torn, value)):
        return _about(field, "a name is not Unicode text")
    if isinstance(value, dict | list):
        parts = value.items() if isinstance(value, dict) else enumerate(value)
        faults = (_bad_value(part, f"{field}.{key}".removeprefix(".")) for key, part in parts)
        return next(filter(None, faults), "")
    if isinstance(value, str) and _is_torn(value):
        return _about(field, "not Unicode text")
    if isinstance(value, float) and not math.isfinite(value):
        return _about(field, "not a finite number")
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        return _about(field, "not a number of 64 bits")
    return ""


def _is_torn(text: str) -> bool:
    """Whether a text holds half a character, escaped or as bytes that are not UTF-8."""
    return any("\ud800" <= character <= "\udfff" for character in text)


def _bounded(digits: str) -> int:
    """An integer; for one with very many digits, a number that is too large as well."""
    return int(digits) if len(digits) < 30 else 2**64


def _deepest_field(text: str) -> str:
    """The top field of the first value that is nested too deeply."""
    depth, last, field = 0, "", ""
    for match in _BRACKET.finditer(text):
        part = match[0]
        if part in "[{":
            depth += 1
            field = last if depth == 2 else field
        elif part in "]}":
            depth -= 1
        else:
            last = part.strip('"')
        if depth > MAX_DEPTH:
            break
    return field
