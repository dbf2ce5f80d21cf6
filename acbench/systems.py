"""Runs a baseline over a project's test images, and keeps what it answered and what it was made with."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from acbench import baselines, store
from acbench.asking import VERSION
from acbench.baselines import Baseline, Options, PatchModel, Setup
from acbench.errors import AcbenchError, StoreError
from acbench.ledger import digest
from acbench.pipeline import Pipeline
from acbench.records import Item, Prediction
from acbench.scoring.result import Provenance
from acbench.scoring.truth import Truth
from acbench.scoring.views import View, seen


def setup(
    line: Pipeline, view: View, truth: Truth | None, options: Options, patches: Callable[[], PatchModel]
) -> Setup:
    """What a baseline may build on, from a pipeline."""
    return Setup(
        schema=seen(line.schema, view),
        root=line.ingested.root,
        items=line.ingested.items,
        truth=truth,
        embedder=line.embedder,
        patches=patches,
        cache=line.ledger,
        clip=line.clip,
        caller=line.caller,
        options=options,
    )


def tested(line: Pipeline) -> list[Item]:
    """The items of the test split whose category the schema has."""
    return [item for item in line.ingested.items if item.split == "test" and line.schema.category(item.category)]


def predict(line: Pipeline, name: str, given: Setup) -> int:
    """Have a baseline answer for every test item, unless it has; gives how many were not asked about.

    A second run asks only what is open. Raises AcbenchError if it answers for a stranger or twice.
    """
    system, items = baselines.build(name, given), tested(line)
    path = line.bench.predictions(name)
    key = digest(VERSION, system.name, sorted(item.item_id + item.sha256 for item in items))

    def write(path: Path) -> None:
        with line.console.stage(f"run {name}") as progress:
            found = (
                list(system.predict(items, progress))
                if line.spread is None
                else line.spread.predict(system, name, given, items, progress)
            )
            answers = _checked(system, items, found)
        store.write(path, answers, Prediction, key=lambda each: each.item_id)

    def write_provenance(path: Path) -> None:
        told, detail = system.localisation
        facts = {"system": system.name, "localisation": told, "detail": detail, "references": list(system.references)}
        store.write_bytes(path, (json.dumps(facts, indent=1, ensure_ascii=False) + "\n").encode())

    line.maker.make(path, key, write, unfinished=lambda: bool(system.unfinished))
    line.maker.make(path.with_suffix(".json"), key, write_provenance)
    return system.unfinished


def provenance(path: Path) -> Provenance:
    """What the predictions at `path` were made with. Raises StoreError if that is damaged."""
    beside = path.with_suffix(".json")
    try:
        facts: dict[str, Any] = json.loads(beside.read_text(encoding="utf-8"))
        return Provenance(
            system=str(facts["system"]),
            localisation=str(facts["localisation"]),
            detail=str(facts["detail"]),
            references=tuple(facts["references"]),
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StoreError(f"{beside} cannot be read: {error}", f"rm {path} {beside}, and run again") from None


def _checked(system: Baseline, items: list[Item], answers: list[Prediction]) -> list[Prediction]:
    known = {item.item_id for item in items} - set(system.references)
    found: set[str] = set()
    for answer in answers:
        if answer.item_id not in known or answer.item_id in found or answer.system != system.name:
            raise AcbenchError(
                f"{system.name} answers for {answer.item_id!r} as {answer.system!r}: unknown, or a second time",
                "this is a fault of the baseline",
            )
        found.add(answer.item_id)
    return answers
