"""`acbench schema check` and `acbench schema show`."""

from __future__ import annotations

import dataclasses
import json
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from acbench._util.plural import counted
from acbench._util.text import json_text
from acbench.cli.model_options import canary_option, llm_option, model_options, timeout_option
from acbench.cli.options import Command, json_option, llm_changes, named, option, project_option, reading_option
from acbench.errors import SchemaError

if TYPE_CHECKING:
    from acbench.records import Reading
    from acbench.schema import Schema
    from acbench.workflows.schema_draft import Drafting
    from acbench.workflows.schema_init import Sketch


@click.group()
def schema() -> None:
    """Write a first label schema; check and show label schemas."""


@schema.command(epilog="\b\nExamples:\n  acbench schema check mvtec_ac\n  acbench schema check my_schema.yaml")
@click.argument("file")
@json_option
@project_option
def check(file: str, project: Path, as_json: bool) -> int:
    """List everything that is wrong with a schema, by line, and what it has to say before it is published.

    FILE is a path, or the name of a benchmark that is bundled or known in the project.
    """
    from acbench.workflows.schema_check import check_schema

    checked = check_schema(file, project)
    if checked.unknown_source:
        click.echo(
            f"Note: no source {checked.unknown_source!r} is known, so whether every label of the dataset maps was not"
            " checked",
            err=True,
        )
    if as_json:
        click.echo(json.dumps([dataclasses.asdict(problem) for problem in checked.problems], indent=1))
    else:
        for problem in checked.problems:
            click.echo(f"{checked.title}:{problem.line}: {problem.where}: {problem.message}")
        if not checked.problems and checked.schema is not None:
            click.echo(f"{checked.title} is sound: {_size(checked.schema)}")
        for note in checked.notes:
            click.echo(f"  {note}")
    return 1 if checked.problems else 0


def _size(schema: Schema) -> str:
    categories = schema.categories.values()
    classes = sum(len(category.classes) for category in categories)
    published = sum(len(category.published) for category in categories)
    return ", ".join(
        (
            counted(len(categories), "category", "categories"),
            counted(classes, "class", "classes"),
            counted(published, "published class", "published classes"),
        )
    )


_INIT = """\b
Examples:
  acbench schema init ~/data/tiles
  acbench schema init ~/data/tiles --out tiles.yaml --name "Magnetic tiles"
"""


@schema.command(cls=Command, epilog=_INIT)
@click.argument("root", metavar="FOLDER_OR_URL")
@option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write this file, which must not exist.  [default: BENCHMARK.yaml in the current folder]",
)
@option("--name", default="", metavar="NAME", help="Call the benchmark so.  [default: the name of the folder]")
@reading_option
@llm_option(
    "--with-model",
    is_flag=True,
    help="Have the model of --llm draft definitions and a guide from pictures: one"
    " question a category. A text is marked as a draft until a person takes that word away.",
)
@model_options("llm-")
@llm_option("--budget", type=click.FloatRange(min=0), metavar="DOLLARS", help="Spend at most this much.")
@timeout_option
@canary_option
@json_option
@project_option
def init(
    root: str,
    out: Path | None,
    name: str,
    reading: Reading | None,
    with_model: bool,
    as_json: bool,
    project: Path,
    **asked: Any,
) -> int:
    """Write a first label schema from a folder of images, so that the first queue needs no file written by hand.

    Categories, classes and the dataset's own labels are read from the data. What only a person can know is a TODO,
    which nobody needs before `acbench publish`.
    """
    from acbench.cli.screen import Screen
    from acbench.schema.nodes import DRAFT
    from acbench.storage.project import Project
    from acbench.workflows import schema_init

    llm = llm_changes(asked)
    _check_asked(llm, asked["budget"], with_model=with_model)
    screen = Screen()
    copies = Project(project).copies
    sketch = schema_init.sketch(root, name=name, reading=reading, copies=copies, console=screen)
    path = out or Path(f"{sketch.schema.benchmark}.yaml")
    schema_init.refuse_existing(path)  # before anything is paid for
    new, drafted = sketch.schema, None
    if with_model:
        from acbench.workflows.models import CallOptions
        from acbench.workflows.schema_draft import draft

        drafted = draft(project, sketch, llm, CallOptions(**asked), screen)
        new = drafted.schema
    problems = schema_init.write(new, path)
    notes = [*sketch.notes, *(f"{path}:{each.line}: {each.where}: {each.message}" for each in problems)]
    notes += [f"nothing was drafted for {why}" for why in (drafted.problems if drafted else ())]
    if as_json:
        click.echo(json_text(_init_facts(sketch, path, notes, drafted)))
        return 3 if drafted and drafted.problems else 0
    click.echo(f"{root}: {sketch.best.says}")
    for category in sketch.schema.categories:
        classes = ", ".join(f"{each.id} {each.images:,}" for each in category.classes)
        click.echo(f"  {category.folder}: normal {sketch.normal[category.folder]:,}, {classes}")
    for note in notes:
        click.echo(f"  ! {note}")
    if drafted:
        click.echo(
            f"\nDrafted: {counted(drafted.texts, 'text')}, each marked {DRAFT} Read them, and take the mark away."
        )
    click.echo(f"\nWritten: {path}\nNext: acbench relabel {named(str(path))} --root {shlex.quote(root)}")
    return 3 if drafted and drafted.problems else 0


def _init_facts(sketch: Sketch, path: Path, notes: list[str], drafted: Drafting | None) -> dict[str, object]:
    """What `schema init --json` prints."""
    return {
        "file": str(path),
        "benchmark": sketch.schema.benchmark,
        "says": sketch.best.says,
        "categories": {
            category.folder: {
                "normal": sketch.normal[category.folder],
                "classes": {each.id: each.images for each in category.classes},
            }
            for category in sketch.schema.categories
        },
        "notes": notes,
        "drafted": drafted.texts if drafted else 0,
    }


def _check_asked(llm: Mapping[str, object], budget: float | None, *, with_model: bool) -> None:
    """Raises UsageError for options of a model that would not be used."""
    given = [f"--llm-{name.replace('_', '-')}" if name != "model" else "--llm" for name in llm]
    given += ["--budget"] if budget is not None else []
    if given and not with_model:
        raise click.UsageError(f"{', '.join(given)} goes with --with-model, which asks the model for drafts")
    if with_model and "model" not in llm:
        raise click.UsageError("--with-model asks the model of --llm MODEL, or of --llm llm:NAME")
    if unused := [f"--llm-{name}" for name in ("votes", "examples", "family", "logprobs") if name in llm]:
        raise click.UsageError(f"a draft has no use for {', '.join(unused)}")


@schema.command(epilog="\b\nExample:\n  acbench schema show mvtec_ac --category bottle --as prompt")
@click.argument("file")
@option("--category", required=True, metavar="CATEGORY", help="Show this category.")
@option(
    "--as",
    "form",
    type=click.Choice(["all", "form", "prompt", "json-schema", "reasons"]),
    default="all",
    show_default=True,
    help="Show only the annotator's form (Label Studio XML), the model's prompt, the JSON Schema of its answer, or the"
    " reasons: what becomes of the dataset's labels, and what was settled between classes.",
)
@project_option
def show(file: str, category: str, form: str, project: Path) -> int:
    """Show what people and models get of a category, and the reasons behind it, which neither of them gets."""
    from acbench.schema import load
    from acbench.schema.form import label_studio_form
    from acbench.schema.reasons import reasons
    from acbench.schema.render import json_schema, prompt_text

    loaded = load(file, project)
    shown = loaded.category(loaded.key_of(category))
    if shown is None:
        raise SchemaError(f"{loaded.title} has no category {category!r}", f"one of {', '.join(loaded.categories)}")
    parts = {
        "form": label_studio_form(shown),
        "prompt": prompt_text(shown),
        "json-schema": json.dumps(json_schema(shown), indent=2),
        "reasons": "\n".join(f"- {reason}" for reason in reasons(shown)) or "There are none.",
    }
    if form != "all":
        click.echo(parts[form])
    else:
        click.echo("\n\n".join(f"# {name}\n{text}" for name, text in parts.items()))
    return 0
