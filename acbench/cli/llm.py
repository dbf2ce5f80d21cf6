"""`acbench llm`: the multimodal LLMs of a project that have names."""

from __future__ import annotations

import dataclasses
import json
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from acbench._util.text import json_text
from acbench.cli.model_options import model_options, timeout_option
from acbench.cli.options import Command, json_option, llm_changes, project_option

if TYPE_CHECKING:
    from acbench.workflows.llm_commands import Tried
    from acbench.workflows.llm_models import LlmModel

name_argument = click.argument("name")


@click.group()
def llm() -> None:
    """Name multimodal LLMs, so that several can be asked, each a witness of its own: `--with llm:NAME`."""


@llm.command(
    cls=Command,
    epilog="""\b
Examples:
  acbench llm add mini --model gpt-4o-mini --price 0.15/0.60
  acbench llm add qwen --model qwen2.5vl:7b --url http://localhost:11434/v1 --price 0/0
  acbench llm add azure --model x --key-env AZURE_KEY --url 'https://N.openai.azure.com/openai/v1/'
""",
)
@name_argument
@model_options("")
@json_option
@project_option
def add(name: str, project: Path, as_json: bool, **given: Any) -> int:
    """Name a model, or change what is kept of one.

    `default` takes a choice back, as in `--effort default`. Another model, or another address, does not inherit price,
    family and request of the former one. The names are common to all benchmarks of the project.
    """
    from acbench.cli.screen import Screen
    from acbench.workflows import llm_commands

    added = llm_commands.add(project, name, llm_changes(given))
    if added.note:
        Screen().note(added.note)
    if as_json:
        click.echo(json_text({name: _to_json(added.model)}))
        return 0
    click.echo(f"{'added' if added.is_new else 'kept'}: {name}, {_words(added.model)}")
    click.echo(f"Next: acbench llm test {shlex.quote(name)}")
    return 0


@llm.command("list", cls=Command, epilog="\b\nExample:\n  acbench llm list")
@json_option
@project_option
def list_(project: Path, as_json: bool) -> int:
    """List the models that have names."""
    from acbench._util.console import table
    from acbench.workflows.llm_commands import models_of

    models = dict(sorted(models_of(project).models.items()))
    if as_json:
        click.echo(json_text({name: _to_json(model) for name, model in models.items()}))
    elif models:
        click.echo(table([(f"llm:{name}", _words(model)) for name, model in models.items()]))
    else:
        click.echo("No model has a name yet: acbench llm add NAME --model MODEL")
    return 0


@llm.command(cls=Command, epilog="\b\nExample:\n  acbench llm remove qwen")
@name_argument
@json_option
@project_option
def remove(name: str, project: Path, as_json: bool) -> int:
    """Forget a model's name, address and options. Its answers stay."""
    from acbench.workflows import llm_commands

    llm_commands.remove(project, name)
    click.echo(json.dumps({"removed": name}) if as_json else f"removed: {name}")
    return 0


@llm.command(cls=Command, epilog="\b\nExample:\n  acbench llm test qwen")
@name_argument
@timeout_option
@json_option
@project_option
def test(name: str, project: Path, timeout: float, as_json: bool) -> int:
    """Try a model: does it see pictures, what does its endpoint understand, what does a question take?

    It asks for the colours of two squares, then one real question about an image of the bundled sample. No answer is
    kept.
    """
    from acbench.cli.screen import Screen
    from acbench.workflows.llm_commands import try_model
    from acbench.workflows.models import CallOptions

    tried = try_model(project, name, CallOptions(timeout=timeout, concurrency=1), Screen())
    if as_json:
        click.echo(json_text(dataclasses.asdict(tried)))
    else:
        _print(tried, name)
    return 0


def _print(tried: Tried, name: str) -> None:
    from acbench.cli.screen import facts_table
    from acbench.review.wording import in_words

    calls = f"{tried.calls} call{'s' if tried.calls > 1 else ''}"
    cost = "not known: --price IN/OUT" if tried.dollars is None else f"${tried.dollars:,.4f}"
    dialect = ", ".join(f"{part.replace('_', ' ')} {_plain(value)}" for part, value in tried.dialect.items())
    facts = [
        ("model", f"{tried.model}; {tried.answered_by} answered, of the family {tried.family}"),
        ("sees", "yes, two coloured squares"),
        ("answer", in_words(tried.answer)),
        *([("dialect", dialect)] if dialect else []),
        ("latency", f"{tried.seconds:.1f} s a call"),
        ("one question", f"{calls}, {tried.tokens_in:,} tokens in, {tried.tokens_out:,} out, {cost}"),
    ]
    click.echo(facts_table(facts))
    click.echo(f"\nNext: acbench relabel BENCHMARK --with llm:{shlex.quote(name)}")


def _words(model: LlmModel) -> str:
    """What is kept of a model, in one line."""
    from acbench.workflows.llm_models import chosen

    said = {name: value for name, value in chosen(model).items() if name not in ("model", "url", "price")}
    where = f" at {model.url}" if model.url else ""
    price = f", {'/'.join(f'{dollars:g}' for dollars in model.price)} dollars" if model.price else ""
    return f"{model.model}{where}{price}" + "".join(
        f", {name.replace('_', '-')} {_plain(value)}" for name, value in said.items()
    )


def _plain(value: object) -> str:
    """A value as people read it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict) else str(value)


def _to_json(model: LlmModel) -> dict[str, Any]:
    from acbench.storage.typed_json import to_json

    return to_json(model)
