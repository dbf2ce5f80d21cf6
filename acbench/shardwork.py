"""What one of several machines does of a benchmark, and how their work comes together.

A shard computes and asks, and keeps what came of it in a ledger of its own; tables and labels are written by whoever
merges. A dear result that the project's ledger knows is not computed again.
"""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from acbench.ledger import Ledger
from acbench.merging import Merged, MergingLedger
from acbench.project import Bench
from acbench.proposers import Alone, Looking, Paid
from acbench.records import Item
from acbench.shard import Shard
from acbench.stages.ingest import measure_part

if TYPE_CHECKING:
    from acbench import baselines
    from acbench.pipeline import Pipeline


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


def ingest(line: Pipeline) -> Done:
    """Read this shard's files."""
    shard = _shard(line)
    root = line.root()
    with line.console.stage(f"read images of shard {shard}") as progress:
        facts = measure_part(
            line.source,
            root,
            shard.takes,
            line.ledger,
            categories=line.settings.categories or None,
            limit=line.settings.limit,
            progress=progress,
        )
    failed = Counter(each.problem for each in facts.values() if each.problem)
    return Done(what="files", took=len(facts), of=None, failed=failed)


def propose(line: Pipeline, names: Sequence[str] | None = None) -> list[Done]:
    """Look at, or ask about, this shard's images, for each proposer whose work can be divided."""
    shard, items = _shard(line), line.ingested.items
    done = []
    for name in names or line.proposer_names():
        proposer = line.asking.proposer(name)
        if not isinstance(proposer, Alone | Looking):
            continue
        all_of_them = proposer.covers(items)
        own = _own(shard, all_of_them)
        with line.console.stage(f"ask {name}, shard {shard}") as progress:
            if isinstance(proposer, Alone):
                answers = list(proposer.propose([*proposer.around(items), *own], progress))
                failed = Counter(each.reason for each in answers if each.status == "error")
            else:
                failed = Counter(proposer.look(own, progress).values())
        unasked = proposer.unfinished if isinstance(proposer, Paid) else 0
        done.append(Done(what=name, took=len(own), of=len(all_of_them), failed=failed, unasked=unasked))
    return done


def predict(line: Pipeline, system: baselines.Baseline, name: str, items: Sequence[Item]) -> Done:
    """Have a system answer for this shard's images."""
    own = _own(_shard(line), items)
    with line.console.stage(f"run {name}, shard {line.shard}") as progress:
        answers = list(system.predict(own, progress))
    failed = Counter(each.raw for each in answers if each.parse == "error")
    return Done(what=name, took=len(own), of=len(items), failed=failed, unasked=system.unfinished)


def _shard(line: Pipeline) -> Shard:
    assert line.shard is not None, "called for a shard"
    return line.shard


def _own(shard: Shard, items: Sequence[Item]) -> list[Item]:
    """Equal images go together: what is asked about them is the same, and is to be paid once."""
    return [item for item in items if shard.takes(item.sha256 or item.image)]


def merge(bench: Bench, tell: Callable[[str], None]) -> list[tuple[Shard, Merged]]:
    """Bring home what shards have done, and remove their ledgers; hold the project meanwhile.

    Killed at any moment, the next call goes on. A shard without a ledger has not begun: `tell` gets a line on those.
    """
    found = []
    with MergingLedger(bench.project.ledger) as ledger:
        for folder in sorted(bench.shards.glob("*-of-*")):
            shard = Shard.parse(folder.name.replace("-of-", "/"))
            file = folder / "ledger.sqlite"
            if file.exists():
                found.append((shard, ledger.merge(file)))
                with Ledger(file) as other:
                    origin = other.origin
                shutil.rmtree(folder)
                ledger.forget(origin)
        ledger.tidy()
    found.sort(key=lambda each: (each[0].of, each[0].number))
    for of in sorted({shard.of for shard, _ in found}):
        there = {shard.number for shard, _ in found if shard.of == of}
        if missing := [str(number) for number in range(1, of + 1) if number not in there]:
            shown = ", ".join(missing[:8]) + (" …" if len(missing) > 8 else "")
            tell(f"of {of} shards, {len(missing):,} brought nothing: {shown}")
    return found
