"""Checks a label schema, also against the labels of its dataset, and says what it still leaves open."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from acbench.data import sources
from acbench.schema import Schema
from acbench.schema.lint import check
from acbench.schema.nodes import Problem, line_lookup
from acbench.schema.read import parse, source_text
from acbench.workflows.unsaid import Unsaid, unsaid_of


@dataclass(frozen=True, slots=True, kw_only=True)
class SchemaCheck:
    """What is wrong with a schema, and what it does not say yet."""

    title: str
    """The schema's name or path."""
    schema: Schema | None
    """None if it cannot be read at all."""
    problems: list[Problem]
    """By line; empty if nothing is wrong."""
    notes: Sequence[str] = ()
    """What is not wrong, and yet good to know, each in a sentence."""
    unknown_source: str = ""
    """The schema's source, if acbench knows none of that name; then the dataset's labels were not checked."""


def check_schema(name_or_path: str, project: Path | None = None) -> SchemaCheck:
    """Check a benchmark's schema, by its name in a project or its file. Raises SchemaError if there is none."""
    found = source_text(name_or_path, project)
    schema, problems = parse(found.text, found.stem)
    if schema is None:
        return SchemaCheck(title=found.title, schema=None, problems=problems)
    source = sources.get(schema.source, schema.reading) if schema.source in sources.names() else None
    return SchemaCheck(
        title=found.title,
        schema=schema,
        problems=check(found.text, source.known_labels() if source else None, found.stem),
        notes=[*_renamed(schema), *_open(unsaid_of(schema, source), found.text)],
        unknown_source="" if source else schema.source,
    )


def _renamed(schema: Schema) -> list[str]:
    """The categories whose names do not fit in files, tables and commands."""
    return [
        f"category {category.folder!r} is called {key} in commands, tables and releases"
        for key, category in schema.categories.items()
        if category.folder
    ]


def _open(unsaid: Sequence[Unsaid], text: str) -> list[str]:
    """What publish will ask for, with the lines where it belongs."""
    line_of = line_lookup(text)
    notes = []
    for one in unsaid:
        lines = sorted({line for place in one.places if (line := line_of(place))})
        shown = ", ".join(map(str, lines[:5])) + (", …" if len(lines) > 5 else "")
        notes.append(f"before publish: {one.line}" + (f" (line {shown})" if lines else ""))
    return notes
