"""Writes what a proposer answered as a CSV that `--with file:PATH` and `acbench score --predictions` read."""

from __future__ import annotations

import csv
import io
import shlex
from pathlib import Path

from acbench import schema as schemas
from acbench.errors import AcbenchError
from acbench.records import JOIN, PEOPLE, Item, Proposal
from acbench.storage import tables
from acbench.storage.project import BenchmarkFiles, existing_project

COLUMNS = ("item_id", "image", "labels", "model", "family", "saw", "proposer", "reason")
"""The first three are what both readers take; `model`, `family` and `saw` tell `file:` whose answers they are; the last
two are for people."""


def proposals_csv(folder: Path, benchmark: str, proposer: str) -> str:
    """The kept answers of a proposer, one row each; an abstention or a failure has no labels, and its reason.

    `proposer`: as it is asked for, such as `llm:mini`, or as `acbench compare` shows one that is no longer asked.
    Raises AcbenchError if it has not answered.
    """
    schema = schemas.load(benchmark, folder)
    files = existing_project(folder).benchmark(schema.benchmark)
    answers = _answers(files, proposer)
    if not answers:
        known = sorted({row.proposer for path in files.all_proposals for row in tables.read(path, Proposal)[:1]})
        raise AcbenchError(
            f"{proposer} has not answered for {files.benchmark}; those who have: {', '.join(known) or 'nobody'}",
            f"acbench relabel {schema.argument} --with {shlex.quote(proposer)}",
        )
    images = {item.item_id: item.image for item in tables.read(files.items, Item)}
    sink = io.StringIO(newline="")
    writer = csv.writer(sink, lineterminator="\n")
    writer.writerow(COLUMNS)
    for row in sorted(answers, key=lambda row: (images.get(row.item_id, ""), row.item_id)):
        labels = JOIN.join(row.labels) if row.status == "ok" else ""
        saw = ";".join(part for part in row.saw if part != PEOPLE)  # a file is nobody's decision
        why = row.rationale if row.status == "ok" else f"{row.status}: {row.reason}"
        writer.writerow(
            (row.item_id, images.get(row.item_id, ""), labels, row.model, row.family, saw, row.proposer, why)
        )
    return sink.getvalue()


def _answers(files: BenchmarkFiles, proposer: str) -> list[Proposal]:
    """The table of a proposer by the name under which it was asked for, or by its full name."""
    if answers := tables.read(files.proposals(proposer), Proposal):
        return answers
    found = (tables.read(path, Proposal) for path in files.all_proposals)
    return next((rows for rows in found if rows and rows[0].proposer == proposer), [])
