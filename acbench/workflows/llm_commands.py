"""Keeps the table of a project's multimodal LLMs, and tries one: does it see, what does a question take?"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from acbench import schema as schemas
from acbench._util.console import Console
from acbench.data import sources
from acbench.data.hashing import FileHasher
from acbench.data.images import ImageReader
from acbench.data.ingest import ingest
from acbench.errors import AcbenchError
from acbench.predictors.base import Setup, ask
from acbench.predictors.llm.cache import LedgerCallLog
from acbench.predictors.llm.messages import Completion
from acbench.predictors.registry import build_proposer
from acbench.records import Item, Proposal
from acbench.storage.ledger import Ledger
from acbench.storage.project import Project, existing_project
from acbench.workflows import settings as kept_settings
from acbench.workflows.llm_models import NAMED, LlmModel, LlmTable, changed, flags, read_table, write_table
from acbench.workflows.models import CallOptions, Models
from acbench.workflows.settings import Settings, absolute_model

SAMPLE = "sample"
"""The benchmark whose question is asked."""
CATEGORY = "washer"


@dataclass(frozen=True, slots=True, kw_only=True)
class Added:
    """What became of a model in the table."""

    model: LlmModel
    is_new: bool
    note: str
    """What was dropped, and why; empty if nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """What came of a real question to a model."""

    model: str
    """What it is called in records: model, host, hash."""
    answered_by: str
    """The model and version that answered."""
    family: str
    """The family that it counts as."""
    dialect: Mapping[str, object]
    """What the endpoint understood of the protocol; empty for a model on this machine."""
    answer: Proposal
    calls: int
    """Calls for the one question: more than one if the first answer could not be used, or if it is drawn again."""
    seconds: float
    """For one call."""
    tokens_in: int
    tokens_out: int
    dollars: float | None
    """The price of the question; None if it is not known."""


def models_of(folder: Path) -> LlmTable:
    """The models of the project in `folder`. Raises AcbenchError."""
    return read_table(existing_project(folder).llm_table)


def add(folder: Path, name: str, changes: Mapping[str, object]) -> Added:
    """Put a model into the table, or change the one of that name. Raises AcbenchError for what cannot be kept."""
    with _table(folder) as (project, table):
        before = table.models.get(name)
        model, dropped = changed(before or LlmModel(), absolute_model(changes))
        after = table.with_model(name, model)
        if before != model:
            write_table(project.llm_table, after)
    note = f"{flags(dropped, '--')}: dropped, since they were said of {before.model}" if before and dropped else ""
    return Added(model=model, is_new=before is None, note=note)


def remove(folder: Path, name: str) -> None:
    """Take a model out of the table. Raises AcbenchError if it is not there, or if a benchmark asks for it."""
    with _table(folder) as (project, table):
        after = table.without(name)
        if users := _users(project, name):
            raise AcbenchError(
                f"{', '.join(users)} asks for {NAMED}{name}",
                f"leave it out there first: acbench relabel {users[0]} --with … (the others), or --llm ''",
            )
        write_table(project.llm_table, after)


def try_model(folder: Path, name: str, calls: CallOptions, console: Console) -> Tried:
    """Ask a model whether it sees, then one question about an image of the sample. No answer is kept.

    Raises AcbenchError if it is not in the table, if it is blind, or if there is no answer that can be used.
    """
    project = existing_project(folder)
    table = read_table(project.llm_table)
    chosen = table.model(name)  # before anything is drawn
    root, items = _sample(project, console)
    with tempfile.TemporaryDirectory(prefix="acbench-llm-") as temporary:
        ledger_path = Path(temporary) / "ledger.sqlite"
        with Ledger(ledger_path) as ledger:
            models = Models(
                settings=Settings(schema=SAMPLE),
                llms=table,
                calls=calls,
                open_log=lambda: LedgerCallLog(ledger_path),
                note=console.note,
            )
            schema = schemas.load(SAMPLE)
            setup = Setup(schema=schema, images=ImageReader(root), models=models, vectors=ledger.vectors)
            proposer = build_proposer(f"{NAMED}{name}", setup)
            (proposal,) = ask(proposer, items, lambda *_: None).rows
            kept = [ledger.calls.call(call_id) for call_id in proposal.calls]
            dollars = ledger.calls.dollars(proposal.calls)
    answers = [Completion.from_json(call.answer) for call in kept if call and call.answer]
    if proposal.status == "error" or not answers:
        raise AcbenchError(
            f"{NAMED}{name} gives no answer that can be used: {proposal.reason}",
            f"mend it: acbench llm add {name} …, then again: acbench llm test {name}",
        )
    model = models.llm_client(name).model
    return Tried(
        model=model.name,
        answered_by=proposal.model,
        family=proposal.family,
        dialect=json.loads(model.dialect) if model.dialect else {},
        answer=proposal,
        calls=len(answers),
        seconds=sum(answer.seconds for answer in answers) / len(answers),
        tokens_in=sum(answer.tokens_in for answer in answers),
        tokens_out=sum(answer.tokens_out for answer in answers),
        dollars=dollars if chosen.price or chosen.is_free else None,
    )


def _sample(project: Project, console: Console) -> tuple[Path, list[Item]]:
    """The folder of the sample and, of its items, one with a defect and the normal ones that a question may show."""
    source, root = sources.get(SAMPLE), project.benchmark(SAMPLE).workspace / "images"
    assert source.render is not None, "the sample is drawn"
    with console.stage("render the sample") as progress:
        source.render(root, progress=progress)
    dataset = ingest(source, root, categories=(CATEGORY,), hasher=FileHasher())
    first = next(item for item in dataset.items if item.anomalous and item.mask)
    return root, [first, *(item for item in dataset.items if item.split == "train")]


@contextmanager
def _table(folder: Path) -> Iterator[tuple[Project, LlmTable]]:
    """The project and its table, while no other command changes them."""
    project = existing_project(folder)
    with project.locked():
        yield project, read_table(project.llm_table)


def _users(project: Project, name: str) -> list[str]:
    """The benchmarks whose settings ask for a model."""
    found = []
    for path in sorted(project.workspace.glob("*/settings.json")):
        settings = kept_settings.read(path)
        if settings and (f"{NAMED}{name}" in settings.with_ or settings.llm.named == name):
            found.append(path.parent.name)
    return found
