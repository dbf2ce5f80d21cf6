"""Reads the names of class numbers from a file beside them: `classes.txt`, or a JSON list or mapping."""

from __future__ import annotations

import json
from collections.abc import Sequence

from acbench._util.text import printable
from acbench.errors import SourceError
from acbench.storage.files import FileRefused, FileTree

USUAL = ("classes.txt", "class_names.txt", "labels.txt", "names.txt", "obj.names", "classes.json", "class_names.json",
         "labels.json", "label_map.json", "label_names.json", "names.json")  # fmt: skip
"""Names of such files, in lower case."""
MAX_BYTES = 2**20
MOST = 10_000
"""Classes that are told apart."""


def find(others: Sequence[str], folders: Sequence[str]) -> list[str]:
    """The paths, of `others`, of files of class names in one of these folders (`` is the root)."""
    return [path for path in others if path.rpartition("/")[0] in folders and path.rpartition("/")[2].lower() in USUAL]


def read(tree: FileTree, path: str) -> tuple[str, ...]:
    """The names of classes 0, 1, 2, … in a file. Raises SourceError if it holds none."""
    try:
        text = tree.read(path, MAX_BYTES).decode("utf-8-sig")
        names = _of_json(text) if path.lower().endswith(".json") else [line.strip() for line in text.splitlines()]
    except (FileRefused, UnicodeDecodeError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise SourceError(f"{path} holds no names of classes: {error}", "write one name a line") from None
    while names and not names[-1]:
        names.pop()
    if not names or len(names) > MOST or any(not name or printable(name) != name for name in names):
        raise SourceError(f"{path} holds no names of classes that can be used", "write one name a line")
    return tuple(names)


def _of_json(text: str) -> list[str]:
    value = json.loads(text)
    if isinstance(value, list):
        return [str(name).strip() for name in value]
    if all(str(key).isdecimal() for key in value):
        numbered = {int(key): str(name).strip() for key, name in value.items()}
    else:
        numbered = {int(number): str(name).strip() for name, number in value.items()}
    return [numbered[number] for number in range(len(numbered))]
