"""Checks and shows label schemas."""

from __future__ import annotations

import json

import click

from acbench.cli.options import json_option, option
from acbench.errors import SchemaError


@click.group()
def schema() -> None:
    """Check and show label schemas."""


@schema.command(epilog="\b\nExamples:\n  acbench schema check mvtec_ac\n  acbench schema check my_schema.yaml")
@click.argument("file")
@json_option
def check(file: str, as_json: bool) -> int:
    """Everything that is wrong with a schema, by line. FILE is a bundled benchmark's name or a path."""
    from acbench.data import sources
    from acbench.schema.lint import check as lint
    from acbench.schema.read import parse, source_text

    text, title = source_text(file)
    parsed, _ = parse(text)
    known = None
    if parsed is not None and parsed.source in sources.names():
        known = sources.get(parsed.source).known_labels()
    problems = lint(text, known)
    if parsed is not None and known is None:
        click.echo(
            f"Note: no source {parsed.source!r} is known, so whether every label of the dataset maps was not checked",
            err=True,
        )
    if as_json:
        click.echo(
            json.dumps(
                [{"line": each.line, "where": each.where, "message": each.message} for each in problems],
                indent=1,
            )
        )
    else:
        for problem in problems:
            click.echo(f"{title}:{problem.line}: {problem.where}: {problem.message}")
        if not problems and parsed is not None:
            classes = sum(len(category.classes) for category in parsed.categories.values())
            published = sum(len(category.published) for category in parsed.categories.values())
            counts = f"{len(parsed.categories)} categories, {classes} classes, {published} published classes"
            click.echo(f"{title} is sound: {counts}")
    return 1 if problems else 0


@schema.command(epilog="\b\nExample:\n  acbench schema show mvtec_ac --category bottle --as prompt")
@click.argument("file")
@option("--category", required=True, help="Which category.")
@option(
    "--as",
    "form",
    type=click.Choice(["all", "form", "prompt", "json-schema"]),
    default="all",
    show_default=True,
    help="The annotator's form (Label Studio XML), the model's prompt, the JSON Schema of its answer.",
)
def show(file: str, category: str, form: str) -> int:
    """What people and models are given of a category: form, prompt and JSON Schema."""
    from acbench.schema import load
    from acbench.schema.form import label_studio_form
    from acbench.schema.render import json_schema, prompt_text

    loaded = load(file)
    found = loaded.category(category)
    if found is None:
        raise SchemaError(f"{loaded.title} has no category {category!r}", f"one of {', '.join(loaded.categories)}")
    parts = {
        "form": label_studio_form(found),
        "prompt": prompt_text(found),
        "json-schema": json.dumps(json_schema(found), indent=2),
    }
    if form != "all":
        click.echo(parts[form])
    else:
        click.echo("\n\n".join(f"# {name}\n{text}" for name, text in parts.items()))
    return 0
