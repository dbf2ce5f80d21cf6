"""`acbench ingest FOLDER`: what is in a folder of images, before there is a label schema for it."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from acbench.data.sources import Recognised
    from acbench.records import Reading
    from acbench.workflows.settings import SettingChanges


def is_folder(argument: str) -> bool:
    """Whether an argument is a folder or a URL rather than a benchmark."""
    from acbench import schema

    return argument not in schema.names() and ("://" in argument or Path(argument).expanduser().is_dir())


def print_recognised(folder: str, changes: SettingChanges, *, as_json: bool) -> int:
    """Print what the sources recognise in a folder. Raises SourceError if none would read it."""
    from acbench import schema
    from acbench.cli.screen import facts_table
    from acbench.data import sources
    from acbench.data.recognise import nothing_recognised, recognise
    from acbench.storage.roots import parse_root
    from acbench.storage.typed_json import to_json

    root = parse_root(str(Path(folder).expanduser()) if "://" not in folder else folder)
    reading = {key: value for key, value in (changes.reading or {}).items() if value}
    options = ", ".join(reading_lines(reading)) or "any source knows"
    found = recognise(root, reading)
    if not found:
        raise nothing_recognised(root, options)
    if as_json:
        click.echo(json.dumps([to_json(each) for each in found], indent=1, ensure_ascii=False))
        return 0
    best, *others = found
    click.echo(f"{folder}: {best.says}")
    facts = [("source", best.source), *(("reading", text) for text in reading_lines(best.reading))]
    facts += [("categories", ", ".join(best.categories))] if best.categories else []
    facts += [("not used" if not number else "", note) for number, note in enumerate(best.notes)]
    facts += [("else" if not number else "", _other(each)) for number, each in enumerate(others)]
    click.echo(facts_table([(name if not number or name != facts[number - 1][0] else "", text)
                            for number, (name, text) in enumerate(facts)]))  # fmt: skip
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
