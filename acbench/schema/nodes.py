"""Reads YAML strictly: every value is text as it was written, and every problem has a line."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Collection
from dataclasses import dataclass

import yaml

MAX_DEPTH = 10
"""How many mappings and lists may be nested; a label schema needs seven."""

MAX_NODES = 300_000
"""Keys, values and lists of a file, at most. Each takes a kilobyte of memory, and a few bytes of the file."""

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
TODO = "TODO"
"""How a text begins that is still to be written: it is read as if it were missing, and its place is noted."""
DRAFT = "DRAFT:"
"""How a text begins that a model has drafted. It is used without the mark, until a person takes that away."""
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\ufffe\uffff]")


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """Something wrong with a schema file."""

    line: int
    """1-based; 0 if it concerns the whole file."""
    where: str
    """The place in the file, such as `categories.bottle.classes.0`."""
    message: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.where}: {self.message}"


class UnreadableYaml(Exception):
    """A text that is not YAML, or YAML that is not safe to read."""

    def __init__(self, line: int, message: str) -> None:
        super().__init__(message)
        self.problem = Problem(line, "file", message)


@dataclass(frozen=True, slots=True)
class Spot:
    """A YAML node and its place in the file."""

    node: yaml.Node | None
    """None if the file is empty."""
    where: str

    @property
    def line(self) -> int:
        """1-based; 0 for an empty file."""
        return _line(self.node) if self.node is not None else 0


def compose(text: str) -> Spot:
    """The top of a YAML text. Raises UnreadableYaml."""
    try:
        _refuse_harm(text)
        return Spot(yaml.compose(text, Loader=_LOADER), "")
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark is not None else 0
        # Some versions of libyaml read ahead over many brackets, and refuse the depth before we see it.
        deep = "nesting depth" in str(error.problem)
        raise UnreadableYaml(line, "nested too deeply" if deep else f"not YAML: {error.problem}") from None
    except yaml.YAMLError as error:
        raise UnreadableYaml(0, f"not YAML: {error}") from None


def _refuse_harm(text: str) -> None:
    """Raise UnreadableYaml for what harms even in a small file: aliases, a depth that overflows the C stack, and more
    nodes than fit in memory."""
    depth = 0
    for number, event in enumerate(yaml.parse(text, Loader=_LOADER)):
        if number > MAX_NODES:
            raise UnreadableYaml(0, f"it has more than {MAX_NODES:,} entries")
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > MAX_DEPTH or isinstance(event, yaml.AliasEvent):
            line = event.start_mark.line + 1 if event.start_mark is not None else 0
            raise UnreadableYaml(line, "nested too deeply" if depth > MAX_DEPTH else "YAML aliases are not allowed")


def line_lookup(text: str) -> Callable[[str], int]:
    """A function from a place, such as `categories.bottle.classes.0`, to its 1-based line in a YAML text.

    A place that the text leaves out has the line of the place around it.
    """
    line_of: dict[str, int] = {}

    def walk(node: yaml.Node, where: str) -> None:
        line_of[where] = _line(node)
        if isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                place = _join(where, key.value)
                walk(value, place)
                line_of[place] = _line(key)
        elif isinstance(node, yaml.SequenceNode):
            for number, value in enumerate(node.value):
                walk(value, _join(where, number))

    def find(where: str) -> int:
        while where and where not in line_of:
            where = where.rpartition(".")[0]
        return line_of.get(where, 0)

    top = compose(text).node
    if top is not None:
        walk(top, "")
    return find


class NodeReader:
    """Reads YAML nodes as mappings, lists and texts, and collects all problems instead of stopping at the first.

    A value is the text that was written: `no` is a word, and `1` is a version. What cannot be read is empty.
    """

    def __init__(self) -> None:
        self.problems: list[Problem] = []
        self.todo: list[str] = []
        """Places whose text is still to be written."""
        self.drafts: list[str] = []
        """Places whose text a model has drafted."""

    def problem(self, spot: Spot, message: str) -> None:
        """Note something wrong at a place."""
        self.problems.append(Problem(spot.line, spot.where or "file", message))

    def entries(self, spot: Spot) -> dict[str, Spot]:
        """A mapping with whatever keys it has."""
        if not isinstance(spot.node, yaml.MappingNode):
            self.problem(spot, "expected a mapping")
            return {}
        entries: dict[str, Spot] = {}
        for key, value in spot.node.value:
            if not isinstance(key, yaml.ScalarNode):
                self.problem(Spot(key, spot.where), "a key has to be text")
                continue
            name = str(key.value)
            entry = Spot(value, _join(spot.where, name))
            if name in entries:
                self.problem(entry, "given twice")
            entries[name] = entry
        return entries

    def mapping(self, spot: Spot, *, required: Collection[str], optional: Collection[str] = ()) -> dict[str, Spot]:
        """A mapping with known keys; unknown ones are left out."""
        entries = self.entries(spot)
        for name in required:
            if name not in entries:
                self.problem(spot, f"`{name}` is missing")
        for name in set(entries) - {*required, *optional}:
            near = difflib.get_close_matches(name, [key for key in (*required, *optional) if key not in entries], n=1)
            meant = f"; did you mean `{near[0]}`?" if near else ""
            self.problem(entries.pop(name), f"unknown key `{name}`{meant}")
        return entries

    def items(self, spot: Spot | None) -> list[Spot]:
        """The items of a list; none without a list."""
        if spot is None:
            return []
        if not isinstance(spot.node, yaml.SequenceNode):
            self.problem(spot, "expected a list")
            return []
        return [Spot(node, _join(spot.where, number)) for number, node in enumerate(spot.node.value)]

    def text(self, spot: Spot | None) -> str:
        """A text on one line; empty without a text, or where it is still to be written."""
        if spot is None:
            return ""
        if not isinstance(spot.node, yaml.ScalarNode):
            self.problem(spot, "expected text")
            return ""
        value = " ".join(str(spot.node.value).split())
        if value == TODO or value.startswith((f"{TODO} ", f"{TODO}:")):
            self.todo.append(spot.where)
            return ""
        if value.startswith(DRAFT):
            self.drafts.append(spot.where)
            value = value.removeprefix(DRAFT).strip()
        if not value:
            self.problem(spot, "is empty")
        if _UNPRINTABLE.search(value):
            self.problem(spot, "holds a control character")
        return value

    def lines(self, spot: Spot | None) -> str:
        """A text with its lines, such as BibTeX, without empty lines around it."""
        if not self.text(spot) or spot is None or spot.node is None:
            return ""
        text = "\n".join(map(str.rstrip, str(spot.node.value).strip().splitlines()))
        return text.removeprefix(DRAFT).lstrip()

    def texts(self, spot: Spot | None) -> tuple[str, ...]:
        """A list of texts."""
        return tuple(self.text(item) for item in self.items(spot))


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1


def _join(where: str, name: object) -> str:
    return f"{where}.{name}".lstrip(".")
