"""`acbench ingest FOLDER`: what is in a folder of images, before there is a label schema for it."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import click

from acbench._util.plural import is_or_are
from acbench._util.text import json_text
from acbench.errors import AcbenchError

if TYPE_CHECKING:
    from acbench.data.sources import Recognised
    from acbench.records import Reading
    from acbench.workflows.run import Options


def is_folder(argument: str, project: Path) -> bool:
    """Whether an argument is a folder or a URL rather than a benchmark, bundled or known in the project."""
    from acbench import schema
    from acbench.storage.project import Project, known_schemas

    if argument in schema.names() or argument in known_schemas(Project(project.resolve())):
        return False
    return "://" in argument or Path(argument).expanduser().is_dir()


def print_recognised(folder: str, options: Options, *, out: str | None, as_json: bool) -> int:
    """Print what the sources recognise in a folder. Raises SourceError if none would read it."""
    from acbench import schema
    from acbench.cli.screen import facts_table
    from acbench.data import sources
    from acbench.data.recognise import nothing_recognised, recognise
    from acbench.storage.roots import parse_root
    from acbench.storage.typed_json import to_json

    changes = options.changes
    given = {"--root": changes.root, "--category": changes.categories, "--limit": changes.limit, "--out": out,
             "--shard": options.shard, "--engine": None if options.engine == "local" else options.engine}  # fmt: skip
    if unused := [flag for flag, value in given.items() if value is not None]:
        raise AcbenchError(
            f"{folder} is a folder, and {' and '.join(unused)} {is_or_are(len(unused))} for a benchmark",
            f"acbench ingest {shlex.quote(folder)}  looks what is there; acbench ingest SCHEMA --root FOLDER  reads it",
        )
    root = parse_root(str(Path(folder).expanduser()) if "://" not in folder else folder)
    reading = {key: value for key, value in (changes.reading or {}).items() if value}
    told = ", ".join(reading_lines(reading)) or "any source knows"
    found = recognise(root, reading)
    if not found:
        raise nothing_recognised(root, told)
    if as_json:
        click.echo(json_text([to_json(each) for each in found]))
        return 0
    best, *others = found
    click.echo(f"{folder}: {best.says}")
    facts = [("source", best.source), *(("reading", text) for text in reading_lines(best.reading))]
    facts += [("categories", ", ".join(best.categories))] if best.categories else []
    facts += [*(("not used", note) for note in best.notes), *(("else", _other(each)) for each in others)]
    before = ["", *(name for name, _ in facts)]
    click.echo(
        facts_table([("" if name == last else name, text) for last, (name, text) in zip(before, facts, strict=False)])
    )
    known = sources.get(best.source)
    if known.image_counts and known.benchmark in schema.names():
        click.echo(f"\nNext: acbench relabel {known.benchmark} --root {shlex.quote(folder)}")
    else:
        click.echo(f"\nNext: acbench schema init {shlex.quote(folder)}")
    return 0


def reading_lines(reading: Reading) -> list[str]:
    """Options of a source, one a line, as a schema's `reading:` has them."""
    return [f"{key}: {value if isinstance(value, str) else '[' + ', '.join(value) + ']'}"
            for key, value in reading.items()]  # fmt: skip


def _other(found: Recognised) -> str:
    options = "; ".join(reading_lines(found.reading))
    return f"source {found.source}: {found.says}" + (f" ({options})" if options else "")
