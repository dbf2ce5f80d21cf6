"""Does one shard of a benchmark's expensive work, and merges what all shards have done.

A shard keeps its results in a ledger of its own and writes no tables. After `merge`, any command on the whole benchmark
finds the results in the project's ledger and writes the tables.
"""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from acbench import schema as schemas
from acbench._util.console import Console
from acbench.data.hashing import FileHasher
from acbench.data.ingest import Dataset
from acbench.data.listing import list_images
from acbench.predictors.base import Baseline, EmbeddingProposer, PaidProposer, PerItemProposer
from acbench.predictors.registry import build_proposer
from acbench.records import Item
from acbench.storage.ledger import Ledger
from acbench.storage.ledger.merge import Merged, forget, write_to_one_file
from acbench.storage.ledger.merge import merge as merge_ledger
from acbench.storage.project import BenchmarkFiles, existing_project
from acbench.storage.shard import Shard
from acbench.workflows.ingest import dataset_root, folders_to_read
from acbench.workflows.propose import proposer_setup, usual_proposers
from acbench.workflows.run import Run

NAMED = 8
"""How many missing shards a note lists."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardResult:
    """What one shard did of one piece of work."""

    what: str
    """`files`, or the name of a proposer or a system."""
    took: int
    """Files or items that belong to this shard."""
    of: int | None
    """Files or items of all shards; None if nobody counted them."""
    failed: Mapping[str, int]
    """Reason → how many files or items failed for it."""
    unasked: int = 0
    """Questions that were not asked, as the budget was spent or the endpoint did not answer."""


@dataclass(frozen=True, slots=True)
class MergedShard:
    """What one shard brought to the project's ledger."""

    shard: Shard
    results: Merged


def ingest(run: Run, shard: Shard) -> ShardResult:
    """Read the files of one shard."""
    root = dataset_root(run)
    with run.console.stage(f"read images of shard {shard}") as progress:
        listing = list_images(run.source, root, categories=folders_to_read(run), limit=run.settings.limit)
        own = [path for path in listing.files if shard.takes(path)]
        hasher = FileHasher(cache=run.ledger.file_facts, progress=progress)
        facts = hasher.facts_of(listing.location.tree, own, listing.masks)
    failed = Counter(file.problem for file in facts.values() if file.problem)
    return ShardResult(what="files", took=len(facts), of=None, failed=failed)


def propose(run: Run, shard: Shard, dataset: Dataset, names: Sequence[str] = ()) -> list[ShardResult]:
    """Do one shard of the work of each proposer whose work can be divided. `names`: empty for the usual proposers."""
    results = []
    setup = proposer_setup(run, dataset)
    for name in names or usual_proposers(run.files, run.settings):
        proposer = build_proposer(name, setup)
        if not isinstance(proposer, PerItemProposer | EmbeddingProposer):
            continue
        covered = proposer.covers(dataset.items)
        own = _own_items(shard, covered)
        with run.console.stage(f"ask {name}, shard {shard}") as progress:
            if isinstance(proposer, PerItemProposer):
                answers = list(proposer.propose([*proposer.context(dataset.items), *own], progress))
                failed = Counter(answer.reason for answer in answers if answer.status == "error")
            else:
                failed = Counter(proposer.embed(own, progress).values())
        unasked = proposer.unasked if isinstance(proposer, PaidProposer) else 0
        results.append(ShardResult(what=name, took=len(own), of=len(covered), failed=failed, unasked=unasked))
    return results


def predict(run: Run, shard: Shard, baseline: Baseline, name: str, items: Sequence[Item]) -> ShardResult:
    """Have a baseline answer for those of the items that belong to one shard."""
    own = _own_items(shard, items)
    with run.console.stage(f"run {name}, shard {shard}") as progress:
        answers = list(baseline.predict(own, progress))
    failed = Counter(answer.raw for answer in answers if answer.parse == "error")
    return ShardResult(what=name, took=len(own), of=len(items), failed=failed, unasked=baseline.unasked)


def _own_items(shard: Shard, items: Sequence[Item]) -> list[Item]:
    """The items of one shard. Equal images belong to the same shard, so that a question about them is paid once."""
    return [item for item in items if shard.takes(item.sha256 or item.image)]


def merge(folder: Path, benchmark: str, console: Console) -> list[MergedShard]:
    """Take the results of a benchmark's shards into the project's ledger, and remove the shards' ledgers.

    A merge that was killed can be run again. Raises AcbenchError.
    """
    schema = schemas.load(benchmark, folder)
    project = existing_project(folder)
    with project.locked():
        merged = _merge(project.benchmark(schema.benchmark))
    for of in sorted({part.shard.of for part in merged}):
        if note := _missing_shards([part.shard for part in merged], of):
            console.note(note)
    return merged


def _merge(files: BenchmarkFiles) -> list[MergedShard]:
    merged = []
    with Ledger(files.project.ledger) as ledger:
        for folder in sorted(files.shards.glob("*-of-*")):
            file = folder / "ledger.sqlite"
            if not file.exists():  # this shard has not begun
                continue
            shard = Shard.parse(folder.name.replace("-of-", "/"))
            merged.append(MergedShard(shard, merge_ledger(ledger, file)))
            with Ledger(file) as shard_ledger:
                origin = shard_ledger.origin
            shutil.rmtree(folder)
            forget(ledger, origin)
        write_to_one_file(ledger)
    return sorted(merged, key=lambda part: (part.shard.of, part.shard.number))


def _missing_shards(merged: Sequence[Shard], of: int) -> str:
    """Which shards of a division into `of` brought nothing; empty if all brought something."""
    numbers = {shard.number for shard in merged if shard.of == of}
    missing = [str(number) for number in range(1, of + 1) if number not in numbers]
    if not missing:
        return ""
    named = ", ".join(missing[:NAMED]) + (" …" if len(missing) > NAMED else "")
    return f"of {of} shards, {len(missing):,} brought nothing: {named}"
