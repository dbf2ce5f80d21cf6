"""Options that choose proposers and models. An LLM has the same ones for a benchmark and for the table of models."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import click

from acbench.cli.options import LLM, Decorated, option, together

DEFAULT = "default"
"""What takes a choice back: `acbench.workflows.llm_models.DEFAULT`, whose module is slow to import."""


class _OrDefault(click.ParamType[Any]):
    """A value of another type, or `default`."""

    def __init__(self, type_: click.ParamType[Any]) -> None:
        self.type = type_
        self.name = type_.name

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        return value if value == DEFAULT else self.type.convert(value, param, ctx)


class _Price(click.ParamType[tuple[float, ...]]):
    """`IN/OUT` or `IN/OUT/CACHED`, dollars per million tokens."""

    name = "IN/OUT[/CACHED]"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[float, ...]:
        try:
            price = tuple(float(part) for part in value.split("/"))
        except ValueError:
            price = ()
        if len(price) not in (2, 3) or not all(0 <= dollars < 1e6 for dollars in price):
            self.fail("dollars per million tokens in and out, such as 2.50/10", param, ctx)
        return price


def _endpoint(ctx: click.Context, param: click.Parameter, value: str | None) -> str | None:
    """Refuse a URL that holds a password before anything records it."""
    if value and value != DEFAULT:
        from acbench.integrations.openai.endpoint import Endpoint

        Endpoint.at(value)
    return value


def _variable(ctx: click.Context, param: click.Parameter, value: str | None) -> str | None:
    """Refuse what is a key, and not the name of a variable, before anything records it."""
    if value and not (value.isascii() and value.isidentifier()):
        raise click.BadParameter("the name of a variable that holds the key, not the key", ctx, param)
    return value


def _extra(ctx: click.Context, param: click.Parameter, values: tuple[str, ...]) -> dict[str, Any] | str | None:
    """The keys and values of a request."""
    if DEFAULT in values:
        if len(values) > 1:
            raise click.BadParameter(f"{DEFAULT} takes all of them back, and stands alone", ctx, param)
        return DEFAULT
    found: dict[str, Any] = {}
    for text in values:
        key, equals, value = text.partition("=")
        if not (key and equals):
            raise click.BadParameter('KEY=JSON, such as reasoning=\'{"effort": "low"}\' or top_p=0.9', ctx, param)
        if key in found:
            raise click.BadParameter(f"{key} is given twice", ctx, param)
        found[key] = _json(value, key, ctx, param)
    return found or None


def _json(text: str, key: str, ctx: click.Context, param: click.Parameter) -> Any:
    from acbench.errors import StorageError
    from acbench.storage.typed_json import decode

    try:
        return decode(text.encode("utf-8", "surrogateescape"), object, key)
    except StorageError as error:
        quoted = " (a text stands in quotes: KEY='\"text\"')" if text.isidentifier() else ""
        raise click.BadParameter(f"{error.message}{quoted}", ctx, param) from None


def model_options(prefix: str) -> Callable[[Decorated], Decorated]:
    """The options that say which LLM is meant and how it is asked, as `--llm-url` with the prefix `llm-`.

    click passes each under the name of its field in `acbench.workflows.llm_models`, after `llm_`.
    """
    model = "--llm" if prefix else "--model"

    def of_llm(*names: str, **attributes: Any) -> Callable[[Decorated], Decorated]:
        field = names[0].removeprefix("--").removeprefix(prefix).replace("-", "_")
        return option(*names, attributes.pop("field", f"{LLM}{field}"), section="Multimodal LLM", **attributes)

    def flag(name: str) -> str:
        return f"--{prefix}{name}"

    named = ", or llm:NAME for one of `acbench llm list`" if prefix else ""
    return together(
        of_llm(
            model,
            field=f"{LLM}model",
            metavar="MODEL",
            several="to ask several, name each, `acbench llm add NAME --model MODEL`, and ask them, `--with llm:NAME`",
            help=f"Ask this model: its name at the endpoint, local:FOLDER_OR_HUB_ID to run it on this machine{named}.",
        ),
        of_llm(
            flag("url"),
            metavar="URL",
            callback=_endpoint,
            help="Use this OpenAI-compatible endpoint, such as http://localhost:11434/v1.  [default: OpenAI's]",
        ),
        of_llm(
            flag("key-env"),
            metavar="VARIABLE",
            callback=_variable,
            help="Send the key in this variable.  [default: OPENAI_API_KEY to OpenAI, no key elsewhere]",
        ),
        of_llm(
            flag("price"),
            type=_OrDefault(_Price()),
            help="Count this price: dollars per million tokens in and out, such as 2.50/10, and in from the endpoint's"
            " cache, such as 2.50/10/1.25; 0/0 if it is free.",
        ),
        of_llm(
            flag("max-tokens"),
            type=_OrDefault(click.IntRange(1, 10_000_000)),
            metavar="N",
            help="Limit an answer to N tokens, hidden reasoning included.  [default: found out]",
        ),
        of_llm(flag("effort"), metavar="EFFORT", help="Have a reasoning model think this much, such as `low`."),
        of_llm(
            flag("extra"),
            multiple=True,
            callback=_extra,
            metavar="KEY=JSON",
            help="Add this to each request; can be repeated. What is given replaces what was kept.",
        ),
        of_llm(
            f"{flag('logprobs')}/--no-{prefix}logprobs",
            field=f"{LLM}logprobs",
            default=None,
            help="Compute confidences from the probabilities of the answer's tokens, where the endpoint tells them.",
        ),
        of_llm(
            flag("edge"),
            type=_OrDefault(click.IntRange(64, 8192)),
            metavar="PIXELS",
            help="Show pictures with this longer edge.",
        ),
        of_llm(
            flag("votes"),
            type=_OrDefault(click.IntRange(1, 99)),
            metavar="N",
            help="Ask N times; the share of equal answers is the confidence.",
        ),
        of_llm(
            flag("examples"),
            type=_OrDefault(click.IntRange(0, 20)),
            metavar="N",
            help="Show N labelled examples of each class.",
        ),
        of_llm(
            flag("family"),
            metavar="FAMILY",
            help="Count it as a model of this family: what models of one family agree on counts once."
            "  [default: by its name]",
        ),
    )


llm_option = partial(option, section="Multimodal LLM")
timeout_option = llm_option(
    "--timeout",
    type=click.FloatRange(min=1),
    default=120,
    show_default=True,
    metavar="SECONDS",
    help="Wait at most this long for one answer.",
)
canary_option = llm_option(
    "--no-canary",
    is_flag=True,
    help="Skip the vision check: two small questions that show whether the model sees pictures.",
)
llm_options = together(
    model_options("llm-"),
    llm_option("--budget", type=click.FloatRange(min=0), metavar="DOLLARS", help="Spend at most this much in one run."),
    llm_option(
        "--concurrency",
        type=click.IntRange(1, 256),
        default=8,
        show_default=True,
        metavar="N",
        help="Make at most N calls at once.",
    ),
    timeout_option,
    llm_option("--batch", is_flag=True, help="Ask through the endpoint's batch API: half the price, within a day."),
    llm_option("--retry-errors", is_flag=True, help="Ask again the questions that ended in an error."),
    canary_option,
)
"""Which multimodal LLM, and what it may cost. What is said of the model is kept; `default` takes a choice back."""
dry_run_option = llm_option(
    "--dry-run", is_flag=True, help="Print what `llm` would cost and an example question; ask nothing."
)


proposer_option = partial(option, section="Proposers")
proposer_options = together(
    proposer_option(
        "--with",
        "with_",
        multiple=True,
        metavar="PROPOSER",
        help="Also ask this one, such as clip:MODEL/WEIGHTS or llm:NAME; can be repeated.",
    ),
    proposer_option("--without", multiple=True, metavar="PROPOSER", help="Do not ask this one; can be repeated."),
    proposer_option(
        "--backbone",
        metavar="MODEL",
        help="Use this image model for `neighbours`: efficientnet-lite0, timm:MODEL[@FILE], open_clip:MODEL@TAG."
        "  [default: efficientnet-lite0, bundled]",
    ),
    proposer_option(
        "--clip-model",
        metavar="MODEL",
        several="to ask several, `--with clip:MODEL/WEIGHTS` for each",
        help="Use this model for `clip`: a name of open_clip, hf-hub:ORG/NAME, or local-dir:FOLDER.",
    ),
    proposer_option(
        "--clip-weights", metavar="TAG_OR_FILE", help="Load these weights, if --clip-model is a name of open_clip."
    ),
    llm_options,
)
"""Which proposers, and which models. Kept for the next command."""
