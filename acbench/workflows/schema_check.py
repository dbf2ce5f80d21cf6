"""Checks a label schema, also against the labels of its dataset."""

from __future__ import annotations

from dataclasses import dataclass

from acbench.data import sources
from acbench.schema import Schema
from acbench.schema.lint import check
from acbench.schema.nodes import Problem
from acbench.schema.read import parse, source_text


@dataclass(frozen=True, slots=True, kw_only=True)
class SchemaCheck:
    """What is wrong with a schema."""

    title: str
    """The schema's name or path."""
    schema: Schema | None
    """None if it cannot be read at all."""
    problems: list[Problem]
    """By line; empty if nothing is wrong."""
    unknown_source: str = ""
    """The schema's source, if acbench knows none of that name; then the dataset's labels were not checked."""


def check_schema(name_or_path: str) -> SchemaCheck:
    """Check a bundled benchmark's schema, or a schema file. Raises SchemaError if there is none."""
    text, title = source_text(name_or_path)
    schema, _ = parse(text)
    if schema is not None and schema.source in sources.names():
        problems = check(text, sources.get(schema.source).known_labels())
        return SchemaCheck(title=title, schema=schema, problems=problems)
    unknown = "" if schema is None else schema.source
    return SchemaCheck(title=title, schema=schema, problems=check(text), unknown_source=unknown)
