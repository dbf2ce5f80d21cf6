"""What one of several machines does of a benchmark, and how their work comes together.

A shard computes and asks, and keeps what came of it in a ledger of its own; tables and labels are written by whoever
merges. A dear result that the project's ledger knows is not computed again.
"""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from acbench.data.ingest import Dataset, measure_part
from acbench.predictors.base import Baseline, EmbeddingProposer, PaidProposer, PerItemProposer
from acbench.predictors.registry import build_proposer
from acbench.records import Item
from acbench.storage.ledger import Ledger
from acbench.storage.ledger.merge import Merged, forget, write_to_one_file
from acbench.storage.ledger.merge import merge as merge_ledger
from acbench.storage.project import BenchmarkFiles
from acbench.storage.shard import Shard
from acbench.workflows.ingest import dataset_root
from acbench.workflows.propose import proposer_setup, usual_proposers
from acbench.workflows.run import Run


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """What a shard did of one thing."""

    what: str
    took: int
    """Files or items that are its own."""
    of: int | None
    """Of how many; None if it was not counted."""
    failed: Mapping[str, int]
    """Reason → how many."""
    unasked: int = 0
    """Questions that its part of the budget, or the endpoint, left open."""


def ingest(run: Run, shard: Shard) -> Done:
    """Read this shard's files."""
    root = dataset_root(run)
    with run.console.stage(f"read images of shard {shard}") as progress:
        facts = measure_part(
            run.source,
            root,
            shard.takes,
            run.ledger.file_facts,
            categories=run.settings.categories or None,
            limit=run.settings.limit,
            progress=progress,
        )
    failed = Counter(each.problem for each in facts.values() if each.problem)
    return Done(what="files", took=len(facts), of=None, failed=failed)


def propose(run: Run, shard: Shard, dataset: Dataset, names: Sequence[str] = ()) -> list[Done]:
    """Look at, or ask about, this shard's images, for each proposer whose work can be divided."""
    done = []
    setup = proposer_setup(run, dataset)
    for name in names or usual_proposers(run.files, run.settings):
        proposer = build_proposer(name, setup)
        if not isinstance(proposer, PerItemProposer | EmbeddingProposer):
            continue
        covered = proposer.covers(dataset.items)
        own = _own(shard, covered)
        with run.console.stage(f"ask {name}, shard {shard}") as progress:
            if isinstance(proposer, PerItemProposer):
                answers = list(proposer.propose([*proposer.context(dataset.items), *own], progress))
                failed = Counter(answer.reason for answer in answers if answer.status == "error")
            else:
                failed = Counter(proposer.embed(own, progress).values())
        unasked = proposer.unasked if isinstance(proposer, PaidProposer) else 0
        done.append(Done(what=name, took=len(own), of=len(covered), failed=failed, unasked=unasked))
    return done


def predict(run: Run, shard: Shard, baseline: Baseline, name: str, items: Sequence[Item]) -> Done:
    """Have a baseline answer for this shard's images."""
    own = _own(shard, items)
    with run.console.stage(f"run {name}, shard {shard}") as progress:
        answers = list(baseline.predict(own, progress))
    failed = Counter(answer.raw for answer in answers if answer.parse == "error")
    return Done(what=name, took=len(own), of=len(items), failed=failed, unasked=baseline.unasked)


def _own(shard: Shard, items: Sequence[Item]) -> list[Item]:
    """Equal images go together: what is asked about them is the same, and is to be paid once."""
    return [item for item in items if shard.takes(item.sha256 or item.image)]


def merge(files: BenchmarkFiles, tell: Callable[[str], None]) -> list[tuple[Shard, Merged]]:
    """Bring home what shards have done, and remove their ledgers; hold the project meanwhile.

    Killed at any moment, the next call goes on. A shard without a ledger has not begun: `tell` gets a line on those.
    """
    found = []
    with Ledger(files.project.ledger) as ledger:
        for folder in sorted(files.shards.glob("*-of-*")):
            shard = Shard.parse(folder.name.replace("-of-", "/"))
            file = folder / "ledger.sqlite"
            if file.exists():
                found.append((shard, merge_ledger(ledger, file)))
                with Ledger(file) as other:
                    origin = other.origin
                shutil.rmtree(folder)
                forget(ledger, origin)
        write_to_one_file(ledger)
    found.sort(key=lambda each: (each[0].of, each[0].number))
    for of in sorted({shard.of for shard, _ in found}):
        there = {shard.number for shard, _ in found if shard.of == of}
        if missing := [str(number) for number in range(1, of + 1) if number not in there]:
            shown = ", ".join(missing[:8]) + (" …" if len(missing) > 8 else "")
            tell(f"of {of} shards, {len(missing):,} brought nothing: {shown}")
    return found
