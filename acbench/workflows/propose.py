"""Asks a benchmark's proposers and keeps their answers, one table each; asks again only when something has changed."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import get_args

from acbench import __version__
from acbench._util.console import Progress
from acbench.data.ingest import Dataset
from acbench.errors import AcbenchError
from acbench.predictors.base import Answers, CategoryProposer, KnownLabel, PaidProposer, Proposer, Setup, ask, checked
from acbench.predictors.registry import build_proposer, proposer_names
from acbench.records import Label, Proposal, ProposalStatus
from acbench.review.resolve import machine_labels
from acbench.schema import Schema
from acbench.storage import bundled, tables
from acbench.storage.build import RecordsKey, write_json
from acbench.storage.digests import digest, sha256_file
from acbench.storage.parquet import in_groups
from acbench.storage.part_table import PartTable
from acbench.storage.project import BenchmarkFiles
from acbench.storage.stored_rows import RowsOfItems, StoredRows, is_large
from acbench.storage.vector_part import part_of
from acbench.workflows.answer_counts import AnswerCounts, count_answers
from acbench.workflows.dry_run import DryRunReport, keep_examples
from acbench.workflows.known_labels import is_shown_labels, read_known_labels
from acbench.workflows.outcome import Spending, outcome
from acbench.workflows.run import Run
from acbench.workflows.settings import Settings

VERSION = f"{__version__}, 2"
"""Part of every key, so that a new release does all work again. Raise the number for a change between releases."""

Proposals = Mapping[str, Sequence[Proposal]]
"""item_id → what each proposer answers for it."""


@dataclass(frozen=True, kw_only=True)
class Proposed:
    """A dataset and what the proposers answer for it. Tables are read on first use: often the keys are enough."""

    dataset: Dataset
    schema: Schema
    files: BenchmarkFiles
    keys: Mapping[str, str]
    """The proposer, as the settings name it → a hash of everything that decides its answers, and of the answers."""
    part_keys: Mapping[str, Mapping[str, str]]
    """Proposer, if it answers by category → category → a hash of everything that decides the answers about it."""

    def key_of(self, category: str) -> str:
        """A hash of the answers about one category, or of everything that decides them."""
        return digest([(name, keys.get(category, "")) for name, keys in self._category_keys.items()])

    @cached_property
    def _category_keys(self) -> dict[str, Mapping[str, str]]:
        """Proposer → category → a hash of its answers about it, or of everything that decides them."""
        items, found = self.dataset.by_id, dict[str, Mapping[str, str]]()
        for name, table in zip(self.keys, self.answers, strict=True):
            if self.part_keys.get(name):
                found[name] = self.part_keys[name]
                continue
            keys: defaultdict[str, RecordsKey] = defaultdict(RecordsKey)
            for answer in table:
                if (item := items.get(answer.item_id)) is not None:
                    keys[item.category].add(answer)
            found[name] = {category: key.value for category, key in keys.items()}
        return found

    @cached_property
    def answers(self) -> list[StoredRows[Proposal]]:
        """The tables of the proposers, in the order of `keys`."""
        return [StoredRows(self.files.proposals(name), Proposal) for name in self.keys]

    @cached_property
    def by_item(self) -> Proposals:
        """The answers of all proposers."""
        return _by_item(self.answers)

    @cached_property
    def machine_labels(self) -> Mapping[str, Label]:
        """item_id → the label if no person had decided anything."""
        return machine_labels(self.dataset.items, self.by_item, self.schema)

    @cached_property
    def answer_counts(self) -> dict[str, AnswerCounts]:
        """Full name of each proposer → how it answered."""
        return count_answers(self.answers)


def usual_proposers(files: BenchmarkFiles, settings: Settings) -> list[str]:
    """The proposers of a benchmark: those that acbench asks by default, plus `--with`, minus `--without`.

    Raises AcbenchError if `--without` names a proposer that does not exist.
    """
    names = ["source_label", "neighbours", *(f"table:{name}" for name in bundled.witness_names(files.benchmark))]
    if not bundled.is_bundled(files.project.annotations) and bundled.edition_folder(files.benchmark).is_dir():
        names.append("edition")
    names = list(dict.fromkeys([*names, *settings.with_]))
    not_asked = set(settings.without) - set(names)
    if unknown := sorted(not_asked and not_asked - set(proposer_names())):
        raise AcbenchError(f"--without {unknown[0]}: no such proposer is asked here", f"asked: {', '.join(names)}")
    return [name for name in names if name not in settings.without]


def proposer_setup(run: Run, dataset: Dataset) -> Setup:
    """What proposers work with."""

    def known_labels() -> list[KnownLabel]:
        names = [name for name in usual_proposers(run.files, run.settings) if not is_shown_labels(name)]
        return read_known_labels(run, dataset, names, read_proposals(run.files, names))

    return Setup(
        schema=run.schema,
        images=dataset.images,
        models=run.models,
        vectors=part_of(run.ledger.vectors, dataset.images.key),
        known_labels=cache(known_labels),
    )


def propose(run: Run, dataset: Dataset, names: Sequence[str] = ()) -> Proposed:
    """Ask some proposers, or the usual ones if `names` is empty. Kept answers that still hold are not asked for again.

    Raises AcbenchError.
    """
    proposers = _build(run, dataset, names)  # all of them first: one that cannot be asked must not fail after hours
    for name in proposers:
        module, _, model = name.partition(":")
        if module == "clip" and not run.files.proposals(name).exists():
            run.models.clip(model).ready()
    # Those that may be shown labels come last: others' answers decide which labels are known.
    keys: dict[str, str] = {}
    for name in sorted(proposers, key=is_shown_labels):
        key = _ask(run, dataset, proposers[name], name)
        if key is not None:
            keys[name] = key
    parts = {name: _part_keys(dataset, proposer) for name, proposer in proposers.items() if name in keys}
    return Proposed(dataset=dataset, schema=run.schema, files=run.files, keys=keys, part_keys=parts)


def read_proposals(files: BenchmarkFiles, names: Iterable[str]) -> Proposals:
    """The kept answers of some proposers, by item; of large tables they stay on disk."""
    return _by_item([StoredRows(path, Proposal) for path in map(files.proposals, names) if path.exists()])


def _by_item(kept: Sequence[StoredRows[Proposal]]) -> Proposals:
    if not all(table.is_whole for table in kept):
        return RowsOfItems(kept)
    by_item: defaultdict[str, list[Proposal]] = defaultdict(list)
    for table in kept:
        for proposal in table:
            by_item[proposal.item_id].append(proposal)
    return dict(by_item)


def former_proposals(files: BenchmarkFiles, asked: Iterable[str]) -> list[Proposal]:
    """The kept answers of proposers, and of models under their names, that are not asked now. `asked`: the others."""
    current = [files.proposals(name) for name in asked]
    present = {rows[0].proposer for path in current if path.exists() and (rows := StoredRows(path, Proposal))}
    found: dict[str, Sequence[Proposal]] = {}
    for path in files.all_proposals:
        if path not in current and (rows := StoredRows(path, Proposal)) and rows[0].proposer not in present:
            found.setdefault(rows[0].proposer, rows)  # the same answers may be kept twice: asked, then not, then asked
    return [row for _, rows in sorted(found.items()) for row in rows]


def _keep_former(files: BenchmarkFiles, path: Path, models: set[str]) -> None:
    """Keep a copy of the table at `path`, which answers of `models` are about to replace, if others gave those in it.

    The same model may have new answers, as under another schema: these replace the old ones.
    """
    if not models or not path.exists():
        return
    before = tables.read(path, Proposal)
    former = {row.model for row in before} - {""}
    if former and former.isdisjoint(models):
        tables.write(files.proposals(before[0].proposer), before, Proposal, key=lambda proposal: proposal.item_id)


def tallies(run: Run, proposed: Proposed) -> dict[str, dict[str, int]]:
    """Proposer → how many answers of each status it gave."""

    def write(path: Path) -> None:
        kept = {name: StoredRows(run.files.proposals(name), Proposal).counted("status") for name in proposed.keys}
        statuses = get_args(ProposalStatus)
        write_json(path, {name: {status: counts[status,] for status in statuses} for name, counts in kept.items()})

    run.build.ensure(run.files.proposal_tallies, digest(VERSION, proposed.keys), write)
    counts: dict[str, dict[str, int]] = json.loads(run.files.proposal_tallies.read_text(encoding="utf-8"))
    return counts


def dry_run(run: Run, dataset: Dataset, names: Sequence[str] = ()) -> dict[str, DryRunReport]:
    """What the proposers that cost something would ask, by proposer; asks nothing. `names`: as for `propose`."""
    proposers = _build(run, dataset, names)
    paid = {name: proposer for name, proposer in proposers.items() if isinstance(proposer, PaidProposer)}
    return keep_examples(run.files, {name: proposer.dry_run(dataset.items) for name, proposer in paid.items()})


def _build(run: Run, dataset: Dataset, names: Sequence[str]) -> dict[str, Proposer]:
    """Some proposers, or the usual ones, by name. Raises AcbenchError if one cannot be asked."""
    setup = proposer_setup(run, dataset)
    return {name: build_proposer(name, setup) for name in names or usual_proposers(run.files, run.settings)}


def _ask(run: Run, dataset: Dataset, proposer: Proposer, name: str) -> str | None:
    """Keep a table of a proposer's answers; gives a hash of them and of everything that decides them.

    None if it has none, and this run does not ask it.
    """
    path = run.files.proposals(name)
    key = digest(VERSION, proposer.name, dataset.key)
    paid = proposer if isinstance(proposer, PaidProposer) else None
    unasked = 0

    def write(path: Path) -> None:
        nonlocal unasked
        if paid:
            run.console.note(f"{name}: {paid.estimate(dataset.items)}")
        spending = Spending.begin(run.models, name)
        with run.console.stage(f"ask {name}") as progress:
            if paid is None and run.distributed is None and is_large(dataset.items):
                rows = checked(proposer.name, dataset.items, proposer.propose(dataset.items, progress))
                _write_answers(run.files, path, rows)
                return
            answers = _answers(run, dataset, proposer, name, progress)
        if paid:
            run.console.note(outcome(name, answers.rows, answers.unasked, spending))
        _write_answers(run.files, path, answers.rows)
        unasked = answers.unasked

    def about(category: str) -> Iterator[Proposal]:
        items = dataset.by_category[category]
        with run.console.stage(f"ask {name} about {category}") as progress:
            yield from checked(proposer.name, items, proposer.propose(items, progress))

    if paid and not run.asks and not run.build.is_fresh(path, key):
        what = "some answers are missing or out of date" if path.exists() else "it has not been asked"
        run.console.note(f"{name}: {what}, and this command asks nobody: acbench propose {run.schema.argument}")
        return digest(key, "kept", sha256_file(path)) if path.exists() else None
    if paid and run.retry_errors and any(answer.status == "error" for answer in tables.read(path, Proposal)):
        path.unlink()  # the ledger has all good answers
    if is_large(dataset.items) and (parts := _part_keys(dataset, proposer)):
        PartTable(path, Proposal).ensure(run.build, parts, about)
    else:
        run.build.ensure(path, key, write, unfinished=lambda: bool(unasked))
    # A paid proposer may answer otherwise although its key is the same, so the answers are part of the hash.
    return digest(key, run.ledger.artifacts.sha256(run.files.project.relative(path)))


def _part_keys(dataset: Dataset, proposer: Proposer) -> dict[str, str]:
    """Category → a hash of what decides the answers about it; empty for a proposer that does not answer by category."""
    if not isinstance(proposer, CategoryProposer):
        return {}
    return {category: digest(VERSION, proposer.name, key) for category, key in dataset.keys.items()}


def _answers(run: Run, dataset: Dataset, proposer: Proposer, name: str, progress: Progress) -> Answers[Proposal]:
    if run.distributed is not None:
        return run.distributed.propose(proposer, name, dataset, progress)
    return ask(proposer, dataset.items, progress)


def _write_answers(files: BenchmarkFiles, path: Path, answers: Iterable[Proposal]) -> None:
    """Replace a table of answers. Those of which there are very many are written as they come."""
    models: set[str] = set()

    def noted() -> Iterator[Proposal]:
        for answer in answers:
            if answer.model:
                models.add(answer.model)
            yield answer
        _keep_former(files, path, models)

    if isinstance(answers, Sequence):
        tables.write(path, noted(), Proposal, key=lambda proposal: proposal.item_id)
    else:
        tables.write_in_order(path, in_groups(noted()), Proposal)
