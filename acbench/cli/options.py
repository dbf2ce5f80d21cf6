"""Options that commands share, and a help that tells them by section."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from acbench.storage.shard import Shard
    from acbench.workflows.run import Run


F = TypeVar("F", bound=Callable[..., Any])


SECTIONS = ("Dataset", "Proposers", "Multimodal LLM", "Queue", "Many machines", "Options")
"""Of the help of commands with many options, in order."""


class _Option(click.Option):
    """Can also be set by a variable that is named after its flag: `--json` of `relabel` by ACBENCH_RELABEL_JSON."""

    def __init__(self, *names: Any, section: str = SECTIONS[-1], **attributes: Any) -> None:
        super().__init__(*names, **attributes)
        self.section = section

    def resolve_envvar_value(self, ctx: click.Context) -> str | None:
        flag = max(self.opts, key=len).strip("-").replace("-", "_").upper()
        return super().resolve_envvar_value(ctx) or os.environ.get(f"{ctx.auto_envvar_prefix}_{flag}")


class Command(click.Command):
    """Its help tells options by section."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        sections: dict[str, list[tuple[str, str]]] = {title: [] for title in SECTIONS}
        for each in self.get_params(ctx):
            if isinstance(each, click.Option) and (record := each.get_help_record(ctx)):
                sections[getattr(each, "section", SECTIONS[-1])].append(record)
        for title, records in sections.items():
            if records:
                with formatter.section(title):
                    formatter.write_dl(records)


option = partial(click.option, cls=_Option)


def together(*options: Callable[[F], F]) -> Callable[[F], F]:
    """Options as one decorator, in the order in which the help has them."""

    def add(command: F) -> F:
        for each in reversed(options):
            command = each(command)
        return command

    return add


project_option = option(
    "--project",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(),
    envvar="ACBENCH_PROJECT",
    help="Folder of `.acbench/` and `annotations/`.  [default: here]",
)
json_option = option("--json", "as_json", is_flag=True, help="Print JSON for machines.")
benchmark_argument = click.argument("benchmark")


of_dataset = partial(option, section="Dataset")
of_proposers = partial(option, section="Proposers")
of_queue = partial(option, section="Queue")
of_llm = partial(option, section="Multimodal LLM")
of_machines = partial(option, section="Many machines")


def place(ctx: click.Context, param: click.Parameter, value: str | None) -> str | None:
    """A folder or URL; one that holds a password is refused here, so that it is never recorded."""
    if value:
        from acbench.storage.roots import parse_root

        parse_root(value)
    return value


def root_option(text: str) -> Callable[[F], F]:
    """Where the dataset lies."""
    return of_dataset("--root", metavar="FOLDER_OR_URL", callback=place, help=text)


dataset_options = together(
    root_option("Its folder, or its URL of any fsspec file system, such as s3://bucket/mvtec_ad."),
    of_dataset("--category", "categories", multiple=True, help="Only this category; can be repeated; `all` for all."),
    of_dataset("--limit", type=click.IntRange(min=0), help="At most N images of each category; 0 for all."),
)
"""Which dataset, and how much of it. Each is remembered for the next command."""


class _Price(click.ParamType[tuple[float, ...]]):
    """`IN/OUT`, dollars per million tokens."""

    name = "IN/OUT"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[float, ...]:
        try:
            price = tuple(float(part) for part in value.split("/"))
        except ValueError:
            price = ()
        if len(price) != 2 or not all(0 <= each < 1e6 for each in price):
            self.fail("dollars per million tokens in and out, such as 2.50/10", param, ctx)
        return price


def _url(ctx: click.Context, param: click.Parameter, value: str | None) -> str | None:
    """Refused here, so that a password in it is never recorded."""
    if value:
        from acbench.integrations.openai.endpoint import Endpoint

        Endpoint.at(value)
    return value


llm_options = together(
    of_llm(
        "--llm",
        metavar="MODEL",
        help="Its model, as the endpoint calls it, or local:FOLDER_OR_HUB_ID.",
    ),
    of_llm(
        "--llm-url",
        metavar="URL",
        callback=_url,
        help="OpenAI-compatible endpoint, such as http://localhost:11434/v1; its key comes from OPENAI_API_KEY."
        "  [default: OpenAI's]",
    ),
    of_llm("--llm-price", type=_Price(), help="Dollars per million tokens, such as 2.50/10."),
    of_llm("--budget", type=click.FloatRange(min=0), metavar="DOLLARS", help="Spend no more in this run."),
    of_llm("--concurrency", type=click.IntRange(1, 256), default=8, show_default=True, help="Calls at once, at most."),
    of_llm("--timeout", type=click.FloatRange(min=1), default=120, show_default=True, help="Seconds for one attempt."),
    of_llm("--batch", is_flag=True, help="Ask through the endpoint's batches: half the price, within a day."),
    of_llm("--retry-errors", is_flag=True, help="Ask again what ended in an error."),
    of_llm("--no-canary", is_flag=True, help="Do not see first that the endpoint looks at pictures."),
)
"""Which multimodal LLM, and what it may cost. Model, URL and price are remembered for the next command."""


proposer_options = together(
    of_proposers("--with", "with_", multiple=True, metavar="PROPOSER", help="Ask this one too; can be repeated."),
    of_proposers("--without", multiple=True, metavar="PROPOSER", help="Do not ask this one; can be repeated."),
    of_proposers(
        "--backbone",
        metavar="MODEL",
        help="Image model of `neighbours`: efficientnet-lite0, timm:MODEL[@FILE],"
        " open_clip:MODEL@TAG.  [default: efficientnet-lite0, bundled]",
    ),
    of_proposers(
        "--clip-model",
        metavar="MODEL",
        help="Model of `clip`: a name of open_clip, hf-hub:ORG/NAME, or local-dir:FOLDER.",
    ),
    of_proposers("--clip-weights", metavar="TAG_OR_FILE", help="Its weights, if MODEL is a name of open_clip."),
    llm_options,
)
"""Who is asked."""


engine_options = together(
    of_machines(
        "--engine",
        type=click.Choice(["local", "ray"]),
        default="local",
        show_default=True,
        help="Who reads, looks and asks: this process, or workers of a Ray cluster (RAY_ADDRESS, or one on this"
        " machine; pip install 'acbench[ray]').",
    ),
    of_machines(
        "--workers",
        type=click.IntRange(1, 10_000),
        metavar="N",
        help="Of ray.  [default: one a GPU, or as many as the cores allow]",
    ),
)
"""Who does what is dear."""


def _shard(ctx: click.Context, param: click.Parameter, value: str | None) -> Shard | None:
    from acbench.storage.shard import Shard

    return None if value is None else Shard.parse(value)


shard_option = of_machines(
    "--shard",
    metavar="I/N",
    callback=_shard,
    help="Do the I-th of N parts only, for `acbench merge` to bring together; it may spend one N-th of --budget.",
)


dry_run_option = of_llm(
    "--dry-run", is_flag=True, help="Print what `llm` would cost, with an example question, and ask nobody."
)


out_option = option(
    "--out",
    metavar="FOLDER_OR_URL",
    callback=place,
    help="Put the records there too, with a manifest, records.json; not remembered.",
)


@contextmanager
def opened(project: Path, benchmark: str, **given: Any) -> Iterator[Run]:
    """The run of a command, with those of the shared options that the command has."""
    from acbench.cli.screen import Screen
    from acbench.workflows.models import CallOptions
    from acbench.workflows.run import Options, open_run
    from acbench.workflows.settings import Changes

    # An empty list is an option that was not given.
    told: dict[str, Any] = {name: None if value == () else value for name, value in given.items()}
    kinds: tuple[type[Any], ...] = (Changes, CallOptions)
    changes, calls = ({name: told.pop(name) for name in kind.__dataclass_fields__ if name in told} for kind in kinds)
    options = Options(changes=Changes(**changes), calls=CallOptions(**calls), **told)
    with open_run(project, benchmark, console=Screen(), options=options) as run:
        yield run


def send(run: Run, out: str | None, *, proposers: Iterable[str] = (), system: str = "", labels: bool = False) -> None:
    """Send the dataset's records and those named, if somebody wants them, and say so."""
    if not out:
        return
    from acbench.workflows import export

    files = run.files
    records = [*export.of_dataset(files), *export.of_proposers(files, proposers)]
    records += export.of_system(files, system) if system else []
    records += export.of_labels(files) if labels else []
    sent, total = export.send(out, files.benchmark, records)
    run.console.note(f"{sent:,} of {total:,} files sent to {out}" if sent else f"{out} holds the records as they are")
