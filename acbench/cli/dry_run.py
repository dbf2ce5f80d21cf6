"""What asking would cost, with one question as the model would get it."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from acbench import store
from acbench.errors import AcbenchError

if TYPE_CHECKING:
    from acbench.project import Bench
    from acbench.proposers import DryRun


def show(bench: Bench, found: Mapping[str, DryRun], as_json: bool) -> int:
    """Print the bills of whoever would ask, by name, and write the pictures of an example question of each."""
    if not found:
        raise AcbenchError("nobody who is asked here costs anything", "--with llm --llm MODEL")
    facts: dict[str, Any] = {}
    for name, dry in found.items():
        folder = bench.work / "dry-run" / name
        if dry.example:
            for title, data in dry.example.pictures:
                store.write_bytes(folder / title, data)
            store.write_bytes(folder / "question.txt", dry.example.text.encode())
        facts[name] = {
            **dataclasses.asdict(dry.bill),
            "unasked": [{"item_id": item, "why": why} for item, why in dry.unasked],
            "example": str(folder) if dry.example else None,
        }
        if not as_json:
            _tell(name, dry, folder)
    if as_json:
        click.echo(json.dumps(facts, indent=1, ensure_ascii=False))
    return 0


def _tell(name: str, dry: DryRun, folder: Path) -> None:
    if dry.example:
        click.echo(f"One question of {name}; its pictures lie in {folder}\n")
        click.echo(dry.example.text)
    click.echo(f"{name}: {dry.bill}")
    for item, why in dry.unasked:
        click.echo(f"! {item} cannot be asked about: {why}")
    click.echo("Nothing was asked.")
