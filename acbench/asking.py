"""Asks a benchmark's proposers, and keeps what they say: a table each, made anew only when something has changed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from acbench import __version__, editions, proposers, store
from acbench.errors import AcbenchError
from acbench.ledger import digest
from acbench.maker import Maker, write_json
from acbench.progress import Console
from acbench.project import Bench
from acbench.proposers import DryRun, Paid
from acbench.records import Item, Proposal
from acbench.settings import Settings
from acbench.stages import propose as proposing

if TYPE_CHECKING:
    from acbench.spread import Spread

VERSION = f"{__version__}, 1"
"""Part of every key: a new release makes everything anew. Raise the number for a change between releases."""


def usual(bench: Bench, settings: Settings) -> list[str]:
    """The proposers that a benchmark asks: the bundled ones, with the settings' additions and omissions.

    Raises AcbenchError for an omission of one that is not asked.
    """
    tables = [f"table:{name}" for name in editions.witnesses(bench.benchmark)]
    names = ["source_label", "neighbours", *tables]
    if not editions.is_own(bench.project.annotations) and editions.folder(bench.benchmark).is_dir():
        names.append("edition")
    names = list(dict.fromkeys([*names, *settings.with_]))
    strangers = set(settings.without) - set(names)
    if unknown := sorted(strangers and strangers - set(proposers.names())):
        raise AcbenchError(f"--without {unknown[0]}: no such proposer is asked here", f"asked: {', '.join(names)}")
    return [name for name in names if name not in settings.without]


@dataclass(frozen=True, kw_only=True)
class Asking:
    """The proposers of one benchmark, over the items there are."""

    bench: Bench
    settings: Settings
    maker: Maker
    setup: proposers.Setup
    items: Sequence[Item]
    items_key: str
    """A hash of the items."""
    spread: Spread | None
    """Gives what is dear to other machines; None to do it here."""
    retry_errors: bool
    """Ask again whoever failed on some images."""
    console: Console

    def propose(self, names: Sequence[str] | None = None) -> dict[str, str]:
        """Ask some proposers, or the usual ones; gives the key of each one's table."""
        names = names or usual(self.bench, self.settings)
        # Whoever cannot be asked is better known before hours of other work.
        built = {name: self.proposer(name) for name in names}
        if "clip" in built and self.setup.clip is not None and not self.bench.proposals("clip").exists():
            self.setup.clip().ready()
        return {name: self._ask(proposer, name) for name, proposer in built.items()}

    def tallies(self, names: Sequence[str] | None = None) -> dict[str, dict[str, int]]:
        """Ask as `propose` does, and give how many answers of each status there are from each proposer."""
        asked = self.propose(names)

        def write(path: Path) -> None:
            tables = {name: store.read(self.bench.proposals(name), Proposal) for name in asked}
            write_json(path, {name: proposing.tally(answers) for name, answers in tables.items()})

        self.maker.make(self.bench.tallies, digest(VERSION, asked), write)
        counts: dict[str, dict[str, int]] = json.loads(self.bench.tallies.read_text(encoding="utf-8"))
        return counts

    def dry_run(self, names: Sequence[str] | None = None) -> dict[str, DryRun]:
        """What the proposers that cost something would ask, without asking."""
        built = {name: self.proposer(name) for name in names or usual(self.bench, self.settings)}
        return {name: each.dry_run(self.items) for name, each in built.items() if isinstance(each, Paid)}

    def proposer(self, name: str) -> proposers.Proposer:
        """A proposer on this benchmark. Raises AcbenchError if it cannot be asked."""
        return proposers.build(name, self.setup)

    def _ask(self, proposer: proposers.Proposer, name: str) -> str:
        path, paid = self.bench.proposals(name), proposer if isinstance(proposer, Paid) else None
        key = digest(VERSION, proposer.name, self.items_key)

        def write(path: Path) -> None:
            if paid:
                self.console.note(f"{name}: {paid.estimate(self.items)}")
            with self.console.stage(f"ask {name}") as progress:
                if self.spread is None:
                    answers = proposing.propose(proposer, self.items, progress)
                else:
                    answers = self.spread.propose(proposer, name, self.items, self.setup.root, progress)
            store.write(path, answers, Proposal, key=lambda each: each.item_id)
            if paid and paid.unfinished:
                self.console.note(f"{name}: {paid.unfinished:,} questions were not asked; run again to go on")

        if self.retry_errors and paid and any(each.status == "error" for each in store.read(path, Proposal)):
            path.unlink()  # what was answered is in the ledger
        self.maker.make(path, key, write, unfinished=lambda: bool(paid and paid.unfinished))
        # The answers themselves: those of a paid proposer may change though nothing that it is asked has.
        return digest(key, self.maker.ledger.sha256(self.bench.project.relative(path)))
