"""A command that is printed works as it is printed: what is filled in is quoted, with the project."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import click

from acbench.cli.main import cli

MODULES = sorted((Path(__file__).parents[2] / "acbench").rglob("*.py"))
COMMAND = re.compile(rf"acbench (?:{'|'.join(cli.list_commands(click.Context(cli)))})(?: [a-z]+)? $")
"""The end of a text after which an argument of a command of acbench is filled in."""
QUOTED = ("argument", "named", "quote", "join")
"""What gives an argument that a shell reads as one, or as several that are meant."""
SAFE = {"other.benchmark", "known.benchmark", "name", "users[0]", "which", "facts.repo", "self.hub.repo", "where"}
"""Names that are letters, digits and `_` alone, or have been quoted before."""


def filled_in(source: str) -> Iterator[tuple[int, str]]:
    """(line, expression) of each argument that an f-string fills in after a command of acbench."""
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.JoinedStr):
            continue
        for before, value in zip(node.values, node.values[1:], strict=False):
            told = str(before.value) if isinstance(before, ast.Constant) else ""
            if COMMAND.search(told) and isinstance(value, ast.FormattedValue):
                yield value.lineno, ast.unparse(value.value)


def is_quoted(expression: str) -> bool:
    """Whether an expression gives an argument that is quoted."""
    return expression in SAFE or expression.split("(")[0].rpartition(".")[2] in QUOTED


def test_arguments_of_printed_commands_are_quoted_and_name_the_project() -> None:
    found = {
        f"{path.name}:{line}: {expression}"
        for path in MODULES
        for line, expression in filled_in(path.read_text(encoding="utf-8"))
        if not is_quoted(expression)
    }
    assert found == set()


def test_it_sees_one_that_is_not() -> None:
    source = 'f"run it: acbench relabel {benchmark} --anew"\nf"acbench review take {shlex.quote(name)}"'
    assert [expression for _, expression in filled_in(source) if not is_quoted(expression)] == ["benchmark"]
