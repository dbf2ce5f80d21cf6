"""The multimodal LLMs of a project: what is kept of one, and the table of those that have names, `.acbench/llm.json`.

A benchmark's settings hold one model without a name, for the proposer `llm` and for `velm`. The table is common to all
benchmarks of the project, and `llm:NAME` asks a model of it.
"""

from __future__ import annotations

import dataclasses
import json
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, NamedTuple, TypeVar

from msgspec import Meta

from acbench.errors import AcbenchError
from acbench.predictors.llm.messages import OWN_KEYS, QuestionOptions, RequestOptions
from acbench.storage.atomic import write_bytes
from acbench.storage.typed_json import read_if_there, to_json

LOCAL = "local:"
"""The prefix of a model that runs on this machine."""
NAMED = "llm:"
"""The prefix of a model's name, as a proposer and in place of a model."""
DEFAULT = "default"
"""Stands for a value that nobody has chosen, to take a choice back. Only the field `model` may have it as a value."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,39}")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_LIMITS: Mapping[str, tuple[int, int]] = {
    "max_tokens": (1, 10_000_000),
    "edge": (64, 8192),
    "votes": (1, 99),
    "examples": (0, 20),
}
"""Field → its lowest and its highest value."""
Record = TypeVar("Record")


@dataclass(frozen=True, slots=True, kw_only=True)
class LlmModel:
    """One multimodal LLM: where it is, what it costs, and how it is asked."""

    model: str = ""
    """Its name at the endpoint, `local:FOLDER_OR_HUB_ID`, or `llm:NAME` for one of the table; empty for none."""
    url: str | None = None
    """An OpenAI-compatible endpoint; None for api.openai.com."""
    key_env: str | None = None
    """The variable that holds its key; None for OPENAI_API_KEY at api.openai.com, and for no key elsewhere."""
    price: tuple[Annotated[float, Meta(ge=0, lt=1e6)], ...] = ()
    """Dollars per million tokens: in, out and, if the endpoint has a price for them, in from its cache. Empty if not
    known, zeros if it is free."""
    family: str = ""
    """The family of models that it counts as; empty to tell by the name of the answering model."""
    request: RequestOptions = field(default_factory=RequestOptions)
    question: QuestionOptions = field(default_factory=QuestionOptions)

    def __post_init__(self) -> None:
        """Raises ValueError, naming the field, for a value that no option takes."""
        if len(self.price) not in (0, 2, 3):
            raise ValueError("field price: expected two or three prices, or none")
        if self.key_env is not None and not _VARIABLE.fullmatch(self.key_env):
            raise ValueError("field key_env: expected the name of a variable, not a key")
        if reserved := sorted(OWN_KEYS & self.request.extra.keys()):
            raise ValueError(f"field request.extra: {reserved[0]} is set by acbench")
        for part in ("request", "question"):
            for name, value in dataclasses.asdict(getattr(self, part)).items():
                low, high = _LIMITS.get(name, (0, 0))
                if name in _LIMITS and value is not None and not low <= value <= high:
                    raise ValueError(f"field {part}.{name}: expected {low} to {high}")

    @property
    def is_local(self) -> bool:
        """Whether it runs on this machine."""
        return self.model.startswith(LOCAL)

    @property
    def is_free(self) -> bool:
        """Whether nothing is paid for it, so that no budget is needed."""
        return self.is_local or (bool(self.price) and not any(self.price))

    @property
    def named(self) -> str:
        """The name in the table that it stands for; empty if it says itself what it is."""
        return self.model.removeprefix(NAMED) if self.model.startswith(NAMED) else ""


class Changed(NamedTuple):
    """A model after some changes."""

    model: LlmModel
    dropped: Sequence[str]
    """Fields that had a value for the former model, which is not that of the new one."""


def changed(model: LlmModel, changes: Mapping[str, object]) -> Changed:
    """A model after some changes: name of a field, also of its request and question → value, or DEFAULT.

    Another model, or the same one at another address, does not inherit what was said of the former one: price, family
    and request. A key stays with its address. Raises AcbenchError for values that no option takes.
    """
    refers = str(changes.get("model", "")).startswith(NAMED)
    new = _applied(LlmModel() if refers else model, changes)
    if new.named:
        return Changed(
            _checked_reference(new), () if new == model else [name for name in chosen(model) if name != "model"]
        )
    if not model.model or (new.model, new.url) == (model.model, model.url):
        return Changed(new, ())
    of_the_former = {"price", "family", *(option.name for option in dataclasses.fields(RequestOptions))}
    if new.url != model.url:
        of_the_former.add("key_env")
    dropped = [name for name in chosen(new) if name in of_the_former and name not in changes]
    return Changed(_applied(new, dict.fromkeys(dropped, DEFAULT)), dropped)


def _checked_reference(model: LlmModel) -> LlmModel:
    if others := [name for name in chosen(model) if name != "model"]:
        raise AcbenchError(
            f"{model.model} stands in the table of models, with all its options; {flags(others)} cannot change it here",
            f"acbench llm add {model.named} {flags(others, '--')} …",
        )
    return model


def flags(fields: Sequence[str], prefix: str = "--llm-") -> str:
    """The options of some fields, for people."""
    return ", ".join(prefix + name.replace("_", "-") for name in fields)


def chosen(model: LlmModel) -> dict[str, object]:
    """Field → value, of the fields that have another value than their default."""
    found: dict[str, object] = {}
    usual_model = LlmModel()
    pairs: list[tuple[Any, Any]] = [(model, usual_model)]
    pairs += [(model.request, usual_model.request), (model.question, usual_model.question)]
    for record, usual in pairs:
        for name in (each.name for each in dataclasses.fields(usual)):
            value = getattr(record, name)
            if value != getattr(usual, name) and not dataclasses.is_dataclass(value):
                found[name] = value
    return found


def _applied(record: Record, changes: Mapping[str, object]) -> Record:
    """A record with other values of its fields, and of those of the records in it."""
    assert dataclasses.is_dataclass(record) and not isinstance(record, type)
    usual: Any = type(record)()
    values: dict[str, Any] = {}
    for name in (each.name for each in dataclasses.fields(record)):
        value: Any = getattr(record, name)
        if dataclasses.is_dataclass(value):
            values[name] = _applied(value, changes)
        elif name in changes:
            taken_back = changes[name] == DEFAULT and name != "model"
            values[name] = getattr(usual, name) if taken_back else changes[name]
    try:
        return dataclasses.replace(record, **values)
    except ValueError as error:
        raise AcbenchError(
            f"this cannot be kept of a model: {error}", "acbench llm add --help says what may be"
        ) from None


# The table


@dataclass(frozen=True, slots=True, kw_only=True)
class LlmTable:
    """The models of a project that have names; the content of `.acbench/llm.json`."""

    models: Mapping[str, LlmModel] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Raises ValueError for a name that cannot be typed as `llm:NAME`, and for a model that is none."""
        for name, model in self.models.items():
            if not _NAME.fullmatch(name):
                raise ValueError(f"field models: {_NAME_RULE}, not {name[:60]!r}")
            if not model.model or model.named:
                raise ValueError(f"field models.{name}.model: expected a model at an endpoint, or {LOCAL}FOLDER")

    def model(self, name: str) -> LlmModel:
        """The model of a name. Raises AcbenchError if there is none."""
        if name not in self.models:
            known = ", ".join(sorted(self.models)) or "none yet"
            where = shlex.quote(name) if _NAME.fullmatch(name) else "NAME"
            raise AcbenchError(
                f"no model is called {name!r} here; there are: {known}",
                f"acbench llm add {where} --model MODEL --url http://HOST/v1",
            )
        return self.models[name]

    def with_model(self, name: str, model: LlmModel) -> LlmTable:
        """The table with one more model, or another one under the name. Raises AcbenchError for a bad name or model."""
        try:
            return LlmTable(models={**self.models, name: model})
        except ValueError as error:
            raise AcbenchError(f"{error}".removeprefix("field "), "acbench llm add NAME --model MODEL") from None

    def without(self, name: str) -> LlmTable:
        """The table without a model. Raises AcbenchError if there is none of that name."""
        self.model(name)
        return LlmTable(models={known: model for known, model in self.models.items() if known != name})


_NAME_RULE = "a name has up to 40 letters, digits, `-`, `_` and `.`, and begins with a letter or digit"


def read_table(path: Path) -> LlmTable:
    """The table at `path`; empty if there is none. Raises StorageError, naming the field, for what no command wrote."""
    aside = f"mv {shlex.quote(str(path))} {shlex.quote(f'{path}.aside')}"
    hint = f"correct it in {path}; or set the file aside, and name the models again: {aside}"
    return read_if_there(path, LlmTable, hint=hint) or LlmTable()


def write_table(path: Path, table: LlmTable) -> None:
    """Keep the table in a file."""
    content: dict[str, Any] = to_json(table)
    write_bytes(path, (json.dumps(content, indent=1, ensure_ascii=False) + "\n").encode())
