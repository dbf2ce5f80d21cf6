"""Where things stand, without touching them."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import click

from acbench.cli.options import json_option, option, project_option
from acbench.errors import AcbenchError, StorageError


@click.command(epilog="\b\nExample:\n  acbench status sample")
@click.argument("benchmark", required=False)
@json_option
@project_option
def status(benchmark: str | None, project: Path, as_json: bool) -> int:
    """Where a benchmark stands, which files it consists of, and which run made each.

    Without BENCHMARK: all that the project knows.
    """
    from acbench._util.console import table
    from acbench.cli.screen import label_counts
    from acbench.storage.ledger import Ledger
    from acbench.storage.project import Project

    place = Project(project.resolve())
    if not place.ledger.exists():
        raise AcbenchError(f"there is no project in {place.folder}", "acbench relabel sample   starts one")
    known = sorted(path.parent.name for path in place.workspace.glob("*/settings.json"))
    if benchmark is not None and benchmark not in known:
        raise AcbenchError(f"{benchmark} has not been relabelled here", f"known: {', '.join(known) or 'nothing yet'}")
    with Ledger(place.ledger) as ledger:
        found = {name: _one(place.benchmark(name), ledger) for name in ([benchmark] if benchmark else known)}
    if as_json:
        click.echo(json.dumps(found, indent=1, ensure_ascii=False))
        return 0
    if not found:
        click.echo("nothing yet; acbench relabel sample")
    for name, facts in found.items():
        counts = facts["labels"]
        stand = f"{label_counts(counts)}, {facts['waiting']:,} wait for people" if counts else "no labels yet"
        click.echo(f"{name}: {stand}")
        rows = [("file", "state", "run", "seconds")]
        rows += [
            (each["path"], each["state"], str(each["run_id"]), f"{each['seconds']:.1f}") for each in facts["artifacts"]
        ]
        if facts["pictures"]:
            rows.append((f"{facts['evidence']}/", f"{facts['pictures']:,} pictures", "", ""))
        click.echo(table(rows))
    return 0


def _one(bench: Any, ledger: Any) -> dict[str, Any]:
    report = _report(bench.report, bench.benchmark)
    folder = bench.project.relative(bench.workspace)
    evidence = bench.project.relative(bench.evidence)
    artifacts = [
        *ledger.artifacts.below(f"{folder}/"),
        *ledger.artifacts.below(f"{bench.project.relative(bench.annotations)}/"),
    ]
    rows = [
        {**dataclasses.asdict(each), "state": _state(bench.project.folder / each.path, each.path, ledger)}
        for each in artifacts
        if not each.path.startswith(f"{evidence}/")
    ]
    return {
        "labels": report.get("labels", {}),
        "waiting": report.get("queue", {}).get("waiting", 0),
        "artifacts": rows,
        "evidence": evidence,
        "pictures": len(artifacts) - len(rows),
    }


def _report(path: Path, benchmark: str) -> dict[str, Any]:
    try:
        report: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    except ValueError as error:
        raise StorageError(f"{path} is damaged: {error}", f"it is remade: acbench relabel {benchmark}") from None
    return report


def _state(path: Path, name: str, ledger: Any) -> str:
    if not path.exists():
        return "missing"
    return "as made" if ledger.artifacts.is_untouched(path, name) else "changed since"


@click.command(epilog="\b\nExample:\n  acbench runs --limit 5")
@option("--limit", type=click.IntRange(min=1), default=20, show_default=True, help="At most N runs.")
@json_option
@project_option
def runs(limit: int, project: Path, as_json: bool) -> int:
    """The last commands in this project, newest first, and what became of them."""
    from acbench._util.console import table
    from acbench.storage.ledger import Ledger
    from acbench.storage.project import Project

    place = Project(project.resolve())
    if not place.ledger.exists():
        raise AcbenchError(f"there is no project in {place.folder}", "acbench relabel sample   starts one")
    with Ledger(place.ledger) as ledger:
        found = ledger.runs.newest(limit)
    if as_json:
        click.echo(json.dumps([dataclasses.asdict(run) for run in found], indent=1, ensure_ascii=False))
    else:
        click.echo(
            table(
                [
                    ("run", "started", "outcome", "did", "command"),
                    *((r.run_id, r.started, r.outcome, r.summary, r.command) for r in found),
                ]
            )
        )
    return 0
