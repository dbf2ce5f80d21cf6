"""Options that commands share, and the one place that puts a pipeline together."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import click

from acbench.errors import AcbenchError
from acbench.project import Project

F = TypeVar("F", bound=Callable[..., Any])


class _Option(click.Option):
    """Can also be set by a variable that is named after its flag: `--json` of `relabel` by ACBENCH_RELABEL_JSON."""

    def resolve_envvar_value(self, ctx: click.Context) -> str | None:
        flag = max(self.opts, key=len).strip("-").replace("-", "_").upper()
        return super().resolve_envvar_value(ctx) or os.environ.get(f"{ctx.auto_envvar_prefix}_{flag}")


option = partial(click.option, cls=_Option)
project_option = option(
    "--project",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(),
    envvar="ACBENCH_PROJECT",
    help="Folder of `.acbench/` and `annotations/`.  [default: here]",
)
json_option = option("--json", "as_json", is_flag=True, help="Print JSON for machines.")
benchmark_argument = click.argument("benchmark")


def dataset_options(command: F) -> F:
    """Which dataset, and how much of it. Each is remembered for the next command."""
    options = (
        option("--root", type=click.Path(path_type=Path), help="The dataset's folder."),
        option("--category", "categories", multiple=True, help="Only this category; can be repeated."),
        option("--limit", type=click.IntRange(min=1), help="At most N images of each category."),
    )
    for each in reversed(options):
        command = each(command)
    return command


def proposer_options(command: F) -> F:
    """Who is asked."""
    options = (
        option("--with", "with_", multiple=True, metavar="PROPOSER", help="Ask this proposer too; can be repeated."),
        option("--without", multiple=True, metavar="PROPOSER", help="Do not ask this one; can be repeated."),
        option(
            "--backbone",
            metavar="MODEL",
            help="Image model of `neighbours`: efficientnet-lite0, timm:MODEL[@FILE],"
            " open_clip:MODEL@TAG.  [default: efficientnet-lite0, bundled]",
        ),
    )
    for each in reversed(options):
        command = each(command)
    return command


@contextmanager
def pipeline(project: Path, benchmark: str, **given: Any) -> Iterator[Any]:
    """A pipeline that holds the project and is recorded as a run. Options not given are those of the last time."""
    from acbench import schema as schemas
    from acbench import settings as kept
    from acbench.adapters.backbone import backbone
    from acbench.cli.screen import Screen
    from acbench.ledger import Ledger
    from acbench.pipeline import Pipeline
    from acbench.store import sweep

    schema = schemas.load(benchmark)
    place = Project(project.resolve())
    if not place.folder.is_dir():
        raise AcbenchError(
            f"the project folder {place.folder} does not exist", f"mkdir -p {shlex.quote(str(place.folder))}"
        )
    bench = place.bench(schema.benchmark)
    with place.locked():
        for folder in (bench.work, bench.kept):
            sweep(folder)
        root = given.pop("root", None)
        given["with_"] = tuple(_absolute(name) for name in given.get("with_", ()))
        settings = (kept.read(bench.settings) or kept.Settings(schema=benchmark)).updated(
            schema=benchmark,
            root=None if root is None else str(root.resolve()),
            **{name: value or None if isinstance(value, tuple) else value for name, value in given.items()},
        )
        image_model = backbone(settings.backbone)
        command = shlex.join(["acbench", *sys.argv[1:]])
        with Ledger(place.ledger) as ledger, ledger.run(command, versions()) as run_id:
            made = Pipeline(
                bench=bench,
                schema=schema,
                settings=settings,
                ledger=ledger,
                run_id=run_id,
                embedder=image_model,
                console=Screen(),
            )
            yield made
            kept.write(bench.settings, settings)
            ledger.summarise(run_id, f"{len(made.made)} files written" if made.made else "nothing to do")


def _absolute(proposer: str) -> str:
    """`file:PATH` as it can be remembered."""
    kind, _, path = proposer.partition(":")
    return f"{kind}:{Path(path).resolve()}" if kind == "file" else proposer


def versions() -> dict[str, str]:
    """Of what decides results: acbench, Python and the libraries that compute."""
    from importlib.metadata import PackageNotFoundError, version

    found = {"python": sys.version.split()[0]}
    for name in (
        "acbench",
        "torch",
        "timm",
        "open-clip-torch",
        "scikit-learn",
        "cleanlab",
        "numpy",
        "pillow",
        "pyarrow",
    ):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    return found
