"""Prints what asking an LLM would cost, with an example question."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING

import click

from acbench._util.text import json_text

if TYPE_CHECKING:
    from acbench.workflows.dry_run import DryRunReport


def print_dry_runs(reports: Mapping[str, DryRunReport], *, as_json: bool) -> int:
    """Print the cost estimates of some proposers or systems, by name; gives the exit status."""
    if as_json:
        facts = {name: _facts(report) for name, report in reports.items()}
        click.echo(json_text(facts))
        return 0
    for name, report in reports.items():
        if report.dry_run.example:
            click.echo(f"One question of {name}; its pictures lie in {report.folder}\n")
            click.echo(report.dry_run.example.text)
        click.echo(f"{name}: {report.dry_run.estimate}")
        for item_id, reason in report.dry_run.without_question:
            click.echo(f"! {item_id} cannot be asked about: {reason}")
        click.echo("Nothing was asked.")
    return 0


def _facts(report: DryRunReport) -> dict[str, object]:
    return {
        **dataclasses.asdict(report.dry_run.estimate),
        "unasked": [{"item_id": item_id, "why": reason} for item_id, reason in report.dry_run.without_question],
        "example": str(report.folder) if report.folder else None,
    }
