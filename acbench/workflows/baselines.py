"""Runs a baseline over the test images, and keeps its predictions and where the location of the defects came from."""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass
from pathlib import Path

from acbench.data.ingest import Dataset
from acbench.errors import AcbenchError
from acbench.evaluation.result import Provenance
from acbench.evaluation.truth import Truth
from acbench.predictors.base import Answers, Baseline, BaselineOptions, BaselineSetup
from acbench.predictors.registry import build_baseline
from acbench.records import Item, Prediction
from acbench.schema.views import View, in_view
from acbench.storage import tables
from acbench.storage.atomic import write_bytes
from acbench.storage.digests import digest
from acbench.storage.ledger import Ledger
from acbench.storage.typed_json import read_file
from acbench.storage.vector_part import part_of
from acbench.workflows.outcome import Spending, outcome
from acbench.workflows.propose import VERSION
from acbench.workflows.run import Run


def baseline_setup(
    run: Run, dataset: Dataset, *, view: View, truth: Truth | None, options: BaselineOptions
) -> BaselineSetup:
    """What a baseline works with."""
    return BaselineSetup(
        schema=in_view(run.schema, view),
        images=dataset.images,
        models=run.models,
        vectors=part_of(run.ledger.vectors, dataset.images.key),
        items=dataset.items,
        truth=truth,
        options=options,
    )


def check_models(run: Run, name: str) -> None:
    """Raises AcbenchError if nobody chose the model that one of our baselines needs: before any image is read."""
    if name == "clip":
        run.models.clip()
    elif name == "velm":
        run.models.llm_client()


def tested(run: Run, dataset: Dataset) -> list[Item]:
    """The items of the test split whose category the schema has."""
    return [item for item in dataset.items if item.split == "test" and run.schema.category(item.category)]


def predict(run: Run, dataset: Dataset, name: str, setup: BaselineSetup) -> int:
    """Have a baseline answer for every test item, unless it has. Gives how many items were not asked about.

    If a run was not finished, the next one asks only about what is left. Raises AcbenchError, also if the baseline
    answers for an unknown item or twice for one.
    """
    baseline, items = build_baseline(name, setup), tested(run, dataset)
    path = run.files.predictions(name)
    hashes = sorted(item.item_id + item.sha256 for item in items)
    key = digest(VERSION, baseline.name, hashes, *dataset.images.key)
    unasked = 0

    def write(path: Path) -> None:
        nonlocal unasked
        spending = Spending.begin(run.models, name)
        with run.console.stage(f"run {name}") as progress:
            if run.distributed is None:
                answers = Answers(list(baseline.predict(items, progress)), baseline.unasked)
            else:
                answers = run.distributed.predict(baseline, name, setup, items, progress)
        if spending.budget is not None:
            run.console.note(outcome(name, answers.rows, answers.unasked, spending))
        tables.write(path, _checked(baseline, items, answers.rows), Prediction, key=lambda answer: answer.item_id)
        unasked = answers.unasked

    def write_provenance(path: Path) -> None:
        localisation, detail = baseline.localisation
        facts = {
            "system": baseline.name,
            "localisation": localisation,
            "detail": detail,
            "references": list(baseline.references),
        }
        write_bytes(path, (json.dumps(facts, indent=1, ensure_ascii=False) + "\n").encode())

    run.build.ensure(path, key, write, unfinished=lambda: bool(unasked))
    run.build.ensure(path.with_suffix(".json"), key, write_provenance)
    return unasked


def provenance(path: Path) -> Provenance:
    """How the predictions at `path` were made. Raises StorageError if the file beside them is missing or damaged."""
    beside = path.with_suffix(".json")
    hint = f"its answers are made again: rm {shlex.quote(str(path))} {shlex.quote(str(beside))}, and run again"
    facts = read_file(beside, _Provenance, hint=hint, allow_unknown=True)
    return Provenance(
        system=facts.system, localisation=facts.localisation, detail=facts.detail, references=facts.references
    )


@dataclass(frozen=True, slots=True)
class _Provenance:
    """The file beside the answers of a baseline."""

    system: str
    localisation: str
    detail: str
    references: tuple[str, ...]


def kept_costs(ledger: Path, predictions: Path) -> dict[str, float]:
    """Item → dollars that its kept answers cost, upper bound; empty if no model was asked, or its price is not known.

    What answers several items alike was paid once, and is the cost of the first.
    """
    rows = tables.read(predictions, Prediction)
    if not ledger.exists() or not any(row.calls for row in rows):
        return {}
    paid: set[str] = set()
    costs: dict[str, float] = {}
    with Ledger(ledger) as opened:
        for row in rows:
            costs[row.item_id] = opened.calls.dollars(set(row.calls) - paid)
            paid |= {*row.calls}
    return costs if any(costs.values()) else {}


def _checked(baseline: Baseline, items: list[Item], answers: list[Prediction]) -> list[Prediction]:
    known = {item.item_id for item in items} - set(baseline.references)
    answered: set[str] = set()
    for answer in answers:
        if answer.item_id not in known or answer.item_id in answered or answer.system != baseline.name:
            raise AcbenchError(
                f"{baseline.name} answers for {answer.item_id!r} as {answer.system!r}: unknown, or a second time",
                "this is a fault of the baseline",
            )
        answered.add(answer.item_id)
    return answers
