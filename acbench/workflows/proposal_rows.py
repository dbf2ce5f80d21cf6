"""Gives what a proposer answered as rows of a CSV that `--with file:PATH` and `acbench score --predictions` read."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path

from acbench import schema as schemas
from acbench.errors import AcbenchError
from acbench.records import JOIN, PEOPLE, Item, Proposal
from acbench.storage.project import BenchmarkFiles, existing_project
from acbench.storage.stored_rows import StoredRows, by_item_id

COLUMNS = ("item_id", "image", "labels", "model", "family", "saw", "proposer", "reason")
"""The first three are what both readers take; `model`, `family` and `saw` tell `file:` whose answers they are; the last
two are for people."""


def proposal_rows(folder: Path, benchmark: str, proposer: str) -> Iterator[Sequence[str]]:
    """COLUMNS, then the kept answers of a proposer, by the path of the image; an abstention or a failure has no labels,
    and its reason.

    `proposer`: as it is asked for, such as `llm:mini`, or as `acbench compare` shows one that is no longer asked.
    Raises AcbenchError if it has not answered.
    """
    schema = schemas.load(benchmark, folder)
    files = existing_project(folder).benchmark(schema.benchmark)
    answers = _answers(files, proposer)
    if not answers:
        known = sorted({rows[0].proposer for path in files.all_proposals if (rows := StoredRows(path, Proposal))})
        raise AcbenchError(
            f"{proposer} has not answered for {files.benchmark}; those who have: {', '.join(known) or 'nobody'}",
            f"acbench relabel {schema.argument} --with {shlex.quote(proposer)}",
        )
    items: Sequence[Item] = StoredRows(files.items, Item) if files.items.exists() else ()
    by_id, there = by_item_id(answers), by_item_id(items)
    yield COLUMNS
    for stray in sorted((row for row in answers if row.item_id not in there), key=lambda row: row.item_id):
        yield _row(stray, "")
    for item in items:  # by path
        if (answer := by_id.get(item.item_id)) is not None:
            yield _row(answer, item.image)


def _row(answer: Proposal, image: str) -> Sequence[str]:
    labels = JOIN.join(answer.labels) if answer.status == "ok" else ""
    saw = ";".join(part for part in answer.saw if part != PEOPLE)  # a file is nobody's decision
    why = answer.rationale if answer.status == "ok" else f"{answer.status}: {answer.reason}"
    return answer.item_id, image, labels, answer.model, answer.family, saw, answer.proposer, why


def _answers(files: BenchmarkFiles, proposer: str) -> Sequence[Proposal]:
    """The table of a proposer by the name under which it was asked for, or by its full name."""
    asked = files.proposals(proposer)
    if asked.exists() and (answers := StoredRows(asked, Proposal)):
        return answers
    found = (StoredRows(path, Proposal) for path in files.all_proposals)
    return next((rows for rows in found if rows and rows[0].proposer == proposer), ())
