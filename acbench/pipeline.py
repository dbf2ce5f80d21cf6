"""The whole way from a dataset on disk to labels with reasons, like make: what is there and fresh is not done again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from acbench import proposers, sources, store
from acbench.asking import VERSION, Asking, usual
from acbench.errors import AcbenchError, ReviewError
from acbench.ledger import Ledger, digest
from acbench.maker import Maker, key_of, write_json
from acbench.progress import Console
from acbench.project import Bench
from acbench.proposers import ClipModel, Embedder
from acbench.records import PEOPLE, Finding, Item, Label, Proposal, Review
from acbench.roots import Root, root_at
from acbench.schema import Schema
from acbench.settings import Settings

# Stages without a part in any key are imported where they are used: a run with nothing to do does not come to them.
from acbench.stages import ingest as ingesting
from acbench.stages import resolve as resolving
from acbench.stages import review as reviewing
from acbench.stages import triage as ranking
from acbench.stages.triage import Ranked, by_item

if TYPE_CHECKING:
    from acbench.calls import Caller
    from acbench.cards import Flag
    from acbench.shard import Shard
    from acbench.spread import Spread
    from acbench.stages.flags import Collected

Report = dict[str, Any]
"""What `acbench relabel --json` prints: see `stages.summary.report`."""


@dataclass(kw_only=True)
class Pipeline:
    """One benchmark's stages in order. Call the one you need: it sees to those before it."""

    bench: Bench
    schema: Schema
    settings: Settings
    maker: Maker
    embedder: Embedder
    clip: Callable[[], ClipModel] | None = None
    """Gives the model that `clip` asks; None if none was chosen."""
    caller: Callable[[], Caller] | None = None
    """Gives the way to the model that `llm` asks; None if none was chosen."""
    spread: Spread | None = None
    """Gives what is dear to other machines; None to do it here."""
    shard: Shard | None = None
    """Does a part of the work, and keeps nothing but what the ledger takes."""
    retry_errors: bool = False
    """Ask again whoever failed on some images."""
    console: Console

    @property
    def ledger(self) -> Ledger:
        """What is known of files, vectors and calls."""
        return self.maker.ledger

    def relabel(self) -> Report:
        """Do all that can be done now, and say what there is."""
        key = self._queue_key()
        if not self._all_there(key):
            self.queue()
            self.maker.make(self.bench.report, key, lambda path: write_json(path, self._report()))
        return self._kept_report()

    # Ingest

    @property
    def source(self) -> sources.Source:
        """The reader of the dataset."""
        return sources.get(self.schema.source)

    @cached_property
    def ingested(self) -> ingesting.Ingested:
        """The dataset as it is on disk now; its items and findings are kept."""
        root = self.root()
        with self.console.stage("read images") as progress:
            found = ingesting.ingest(
                self.source,
                root,
                categories=self.settings.categories or None,
                limit=self.settings.limit,
                cache=self.ledger,
                progress=progress,
                engine=self.spread.engine if self.spread else None,
            )

        if self.shard is not None:  # it knows a part of the facts alone
            return found

        def write_items(path: Path) -> None:
            store.write(path, found.items, Item, key=lambda item: item.image)

        def write_findings(path: Path) -> None:
            store.write(path, found.findings, Finding, key=lambda each: (each.path, each.kind, each.detail))

        self.maker.make(self.bench.items, key_of(found.items), write_items)
        self.maker.make(self.bench.findings, key_of(found.findings), write_findings)
        return found

    @cached_property
    def items(self) -> dict[str, Item]:
        """Every item by its id."""
        return {item.item_id: item for item in self.ingested.items}

    def root(self) -> Root:
        """Where the dataset lies."""
        if self.settings.root is not None:
            return root_at(self.settings.root)
        render = getattr(self.source, "render", None)
        if render is None:
            raise AcbenchError(
                f"where is {self.source.TITLE}?",
                f"acbench relabel {self.schema.argument} --root FOLDER   ({self.source.HOME})",
            )
        with self.console.stage("render the sample") as progress:
            root: Path = render(self.bench.work / "images", progress=progress)
        return root

    # Propose

    def proposer_names(self) -> list[str]:
        """See `asking.usual`."""
        return usual(self.bench, self.settings)

    @cached_property
    def asking(self) -> Asking:
        """The proposers, over the dataset as it is on disk now."""
        return Asking(
            bench=self.bench,
            settings=self.settings,
            maker=self.maker,
            setup=self.setup,
            items=self.ingested.items,
            items_key=self._items_key,
            spread=self.spread,
            retry_errors=self.retry_errors,
            console=self.console,
        )

    @cached_property
    def setup(self) -> proposers.Setup:
        """What proposers may build on."""
        return proposers.Setup(
            schema=self.schema,
            root=self.ingested.root,
            embedder=self.embedder,
            cache=self.ledger,
            clip=self.clip,
            caller=self.caller,
        )

    @cached_property
    def _asked(self) -> dict[str, str]:
        return self.asking.propose()

    @cached_property
    def proposals(self) -> dict[str, list[Proposal]]:
        """The usual proposers' answers, by item_id."""
        table: dict[str, list[Proposal]] = {}
        for name in self._asked:
            for answer in store.read(self.bench.proposals(name), Proposal):
                table.setdefault(answer.item_id, []).append(answer)
        return table

    # Resolve

    @cached_property
    def reviews(self) -> list[Review]:
        """What people decided so far."""
        return store.read(self.bench.reviews, Review)

    def take_reviews(self, path: Path, reviewer: str | None) -> dict[str, int]:
        """Take in a filled-in queue: all of it, or nothing and a ReviewError. Gives the counts of `review.Taken`."""
        shown = reviewing.in_sight(self.proposals)
        taken = reviewing.take(path, self.items, self.schema, self.reviews, reviewer=reviewer, shown=shown)
        self.keep_reviews(taken.reviews)
        return taken.counts

    def collect(self, flags: Iterable[Flag], reviewer: str, *, sure: bool = False) -> Collected:
        """Take in what was marked in a viewer: all of it, or nothing and a ReviewError.

        What looks like a slip is an error too, unless somebody is `sure`.
        """
        from acbench.stages import flags as flagging

        shown, now = reviewing.in_sight(self.proposals), datetime.now(UTC).isoformat(timespec="seconds")
        found = flagging.collect(flags, self.items, self.schema, self.reviews, reviewer=reviewer, when=now, shown=shown)
        if not sure and (why := flagging.slip(found.reviews, self.items)):
            raise ReviewError(
                f"{why}, so nothing was taken",
                "if that is meant, run the command again with --yes; if not, take the tag off in the App",
            )
        self.keep_reviews([*self.reviews, *found.reviews])
        return found

    def keep_reviews(self, reviews: list[Review]) -> None:
        """Write the reviews that there are, if any were added to those there were."""
        if len(reviews) > len(self.reviews):
            self._write_reviews(reviews)
        self.reviews = reviews

    def resolve(self) -> str:
        """Write the labels, and what there is to say about them; gives their key."""
        key = digest(VERSION, resolving.POLICY, self._asked, self._items_key, key_of(self.reviews), self.schema.digest)
        self.maker.make(self.bench.labels, key, self._write_labels)
        self.maker.make(self.bench.meta, key, self._write_meta)
        if not self.bench.reviews.exists():
            self._write_reviews([])
        return key

    def labels(self) -> dict[str, Label]:
        """The current label of every item, by its id."""
        self.resolve()
        return {label.item_id: label for label in store.read(self.bench.labels, Label) if label.item_id in self.items}

    def _write_reviews(self, reviews: Sequence[Review]) -> None:
        store.write(self.bench.reviews, reviews, Review, key=lambda each: (each.item_id, each.reviewer, each.round))
        self.maker.made.append(self.bench.project.relative(self.bench.reviews))

    def _write_labels(self, path: Path) -> None:
        from acbench.stages import weigh as weighing

        with self.console.stage("resolve") as progress:
            labels = weighing.resolved(self.ingested.items, self.proposals, by_item(self.reviews), self.schema)
            progress(1, 1)
        # Labels of images that this folder does not hold stay: a part of a dataset says nothing about the rest.
        there = store.read(path, Label)
        others = [label for label in there if label.item_id not in self.items]
        if others:
            self.console.note(f"{len(others):,} labels of images that are not in this folder stay as they were")
        table = sorted([*labels, *others], key=lambda label: label.image)
        if there not in ([], table):  # a run that was killed may have written them just before
            self._save_hand_edits(path)
        store.write(path, table, Label, key=lambda label: label.image)

    def _save_hand_edits(self, path: Path) -> None:
        if self.maker.untouched(path):
            return
        name = self.bench.project.relative(path)
        data = path.read_bytes()
        copy = self.bench.work / f"labels-before-{hashlib.sha256(data).hexdigest()[:8]}.jsonl"
        store.write_bytes(copy, data)
        self.console.note(
            f"{name} is not as the last run here left it; a copy is in {self.bench.project.relative(copy)}."
            " To decide a label, give a review: edits of this file are not kept"
        )

    def _write_meta(self, path: Path) -> None:
        from acbench.stages import summary

        by_name: dict[str, list[Proposal]] = {}
        for answers in self.proposals.values():
            for answer in answers:
                by_name.setdefault(answer.proposer, []).append(answer)
        labels = store.read(self.bench.labels, Label)
        write_json(path, summary.meta(labels, by_name, self.reviews, self.schema, self.source))

    # Review

    def triage(self) -> str:
        """Rank the items; gives the key of the ranking."""
        key = digest(VERSION, self._asked, self._items_key, self.settings.audit, self.settings.seed, self.schema.digest)

        def write(path: Path) -> None:
            with self.console.stage("rank") as progress:
                ranked = ranking.triage(
                    self.ingested.items,
                    self.proposals,
                    self.schema,
                    audit=self.settings.audit,
                    seed=self.settings.seed,
                )
                progress(1, 1)
            store.write(path, ranked, Ranked, key=lambda each: each.rank)

        self.maker.make(self.bench.triage, key, write)
        return key

    def ranked(self) -> list[Ranked]:
        """Every usable item, ranked."""
        self.triage()
        return store.read(self.bench.triage, Ranked)

    def waiting(self) -> list[Ranked]:
        """The part of the ranking that people should see and have not decided."""
        from acbench.stages import flags as flagging

        labels, ranked = self.labels(), self.ranked()
        queue = [each for each in ranked if each.why != "settled" and labels[each.item_id].decided_by != PEOPLE]
        again = {item: review for item, review in flagging.asked_again(self.reviews).items() if item in labels}
        return flagging.flagged_first(queue, ranked, again)

    def queue(self) -> list[Ranked]:
        """Write the review queue and its evidence pictures; gives what is in it."""
        key = self._queue_key()
        waiting = self.waiting()
        self._draw(waiting)
        if unsaved := self._unsaved_answers():
            self.console.note(
                f"{self.bench.queue} holds {unsaved:,} answers that are not taken in, so it stays as it is."
                f" Take them in: acbench relabel {self.schema.argument} --reviews {self.bench.queue}"
            )
            return waiting

        def write(path: Path) -> None:
            pictures = {each.item_id: f"evidence/{each.item_id}.jpg" for each in waiting}
            table = reviewing.queue_csv(waiting, self.items, self.proposals, self.labels(), self.schema, pictures)
            store.write_bytes(path, table)

        self.maker.make(self.bench.queue, key, write)
        return waiting

    def _queue_key(self) -> str:
        return digest(VERSION, self.triage(), self.resolve())

    def _unsaved_answers(self) -> int:
        path = self.bench.queue
        if not path.exists() or self.maker.untouched(path):
            return 0
        return reviewing.unsaved(path, self.items, self.schema, self.reviews)

    def _draw(self, waiting: Sequence[Ranked]) -> None:
        from acbench.stages import pictures  # brings scipy along, which a run with nothing to draw does not need

        references = pictures.references(self.ingested.items)
        with self.console.stage("draw evidence") as progress:
            for done, each in enumerate(waiting, start=1):
                item = self.items[each.item_id]
                shown = pictures.Shown(
                    item, pictures.beside(item, references), self.proposals.get(item.item_id, ()), each
                )
                self.maker.make(
                    self.bench.evidence / f"{item.item_id}.jpg",
                    digest(VERSION, shown.inputs()),
                    partial(pictures.write, shown, self.ingested.root),
                )
                progress(done, len(waiting))

    def compare(self, people_only: bool | None = None) -> dict[str, Any]:
        """Figures of each proposer: see `stages.compare`. By default judged by people, if they decided anything."""
        from acbench.stages import compare as comparing

        labels = self.labels()
        if people_only is None:
            people_only = any(label.decided_by == PEOPLE for label in labels.values())
        items = self.ingested.items
        return comparing.compare(
            items, self.proposals, labels, self.schema, people_only=people_only, cost=self.ledger.dollars
        )

    # What stands

    def _all_there(self, key: str) -> bool:
        """Whether queue, pictures and report stand as the last run left them, from the same inputs."""
        if not all(self.maker.fresh(path, key) for path in (self.bench.queue, self.bench.report)):
            return False
        drawn = {path.name for path in self.bench.evidence.glob("*.jpg")}
        return drawn.issuperset(self._kept_report()["pictures"])

    def _kept_report(self) -> Report:
        report: Report = json.loads(self.bench.report.read_text(encoding="utf-8"))
        return report

    def _report(self) -> Report:
        from acbench.stages import summary

        items = self.ingested.items
        return summary.report(
            dataset=ingesting.describe(self.source, self.ingested),
            items=items,
            findings=self.ingested.findings,
            proposals=self.proposals,
            ranked=self.ranked(),
            waiting=self.waiting(),
            machine={label.item_id: label for label in resolving.resolve(items, self.proposals, {}, self.schema)},
            labels=self.labels(),
            schema=self.schema,
        )

    @cached_property
    def _items_key(self) -> str:
        return key_of(self.ingested.items)
