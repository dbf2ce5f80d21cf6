"""The whole way from a dataset on disk to labels with reasons, like make: what is there and fresh is not done again."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from acbench import editions, proposers, sources, store
from acbench.errors import AcbenchError
from acbench.ledger import Ledger, digest
from acbench.project import Bench
from acbench.proposers import Embedder, Progress
from acbench.records import Finding, Item, Label, Proposal, Review
from acbench.schema import Schema
from acbench.settings import Settings
from acbench.stages import ingest as ingesting
from acbench.stages.triage import Ranked

QUEUE_VERSION = "1"
"""Raise it when the queue or its pictures would come out differently from the same inputs."""


Report = dict[str, Any]
"""What `acbench relabel --json` prints: see `stages.summary.report`."""


class Console(Protocol):
    """Where progress is told."""

    def stage(self, title: str) -> AbstractContextManager[Progress]: ...
    def note(self, text: str) -> None: ...


@dataclass(slots=True)
class Pipeline:
    """One benchmark's stages in order; call the one you need, it sees to those before it."""

    bench: Bench
    schema: Schema
    settings: Settings
    ledger: Ledger
    run_id: int
    embedder: Embedder
    console: Console
    made: list[str] = field(default_factory=list)
    """Artifacts that this run wrote, in order."""
    _ingested: ingesting.Ingested | None = None
    _items_key: str = ""
    _keys: dict[str, str] = field(default_factory=dict)
    _proposals: dict[str, list[Proposal]] | None = None
    _reviews: list[Review] | None = None

    # Ingest

    @property
    def source(self) -> sources.Source:
        return sources.get(self.schema.source)

    def ingest(self) -> ingesting.Ingested:
        """Read the dataset and keep its items and findings."""
        if self._ingested is not None:
            return self._ingested
        root = self._root()
        with self.console.stage("read images") as progress:
            ingested = ingesting.ingest(
                self.source,
                root,
                categories=self.settings.categories or None,
                limit=self.settings.limit,
                cache=self.ledger,
                progress=progress,
            )
        self._ingested = ingested
        self._items_key = _key_of(ingested.items)
        self._artifact(self.bench.items, self._items_key, lambda path: store.write(path, ingested.items, Item, key=lambda item: item.image))
        self._artifact(
            self.bench.findings,
            _key_of(ingested.findings),
            lambda path: store.write(path, ingested.findings, Finding, key=lambda each: (each.path, each.kind, each.detail)),
        )
        return ingested

    def _root(self) -> Path:
        if self.settings.root is not None:
            return Path(self.settings.root)
        render = getattr(self.source, "render", None)
        if render is None:
            raise AcbenchError(
                f"where is {self.source.TITLE}?",
                f"acbench relabel {self.settings.schema} --root FOLDER   ({self.source.HOME})",
            )
        with self.console.stage("render the sample") as progress:
            root: Path = render(self.bench.work / "images", progress=progress)
        return root

    # Propose

    def proposer_names(self) -> list[str]:
        """The usual proposers with the settings' additions and omissions."""
        usual = ["source_label", "neighbours", *(f"table:{name}" for name in editions.witnesses(self.bench.benchmark))]
        if not editions.is_own(self.bench.project.annotations) and editions.folder(self.bench.benchmark).is_dir():
            usual.append("edition")
        names = list(dict.fromkeys([*usual, *self.settings.with_]))
        unknown = sorted(set(self.settings.without) - set(names))
        if unknown:
            raise AcbenchError(f"--without {unknown[0]}: there is no such proposer here", f"there are: {', '.join(names)}")
        return [name for name in names if name not in self.settings.without]

    def propose(self, names: Sequence[str] | None = None) -> dict[str, str]:
        """Ask the proposers; gives the key of each one's table."""
        ingested = self.ingest()
        wanted = list(names or self.proposer_names())
        if self._keys and set(wanted) <= set(self._keys):
            return {name: self._keys[name] for name in wanted}
        setup = proposers.Setup(schema=self.schema, root=ingested.root, embedder=self.embedder, cache=self.ledger)
        for name in wanted:
            proposer = proposers.build(name, setup)
            self._keys[name] = digest(proposer.name, self._items_key)

            def write(path: Path, proposer: proposers.Proposer = proposer, name: str = name) -> None:
                from acbench.stages.propose import propose

                with self.console.stage(f"ask {name}") as progress:
                    answers = propose(proposer, ingested.items, progress)
                store.write(path, answers, Proposal, key=lambda each: each.item_id)

            self._artifact(self.bench.proposals(name), self._keys[name], write)
        return {name: self._keys[name] for name in wanted}

    def proposals(self) -> dict[str, list[Proposal]]:
        """Every proposer's answers, keyed by item_id."""
        if self._proposals is None:
            self._proposals = {}
            for name in self.propose():
                for answer in store.read(self.bench.proposals(name), Proposal):
                    self._proposals.setdefault(answer.item_id, []).append(answer)
        return self._proposals

    # Review

    def reviews(self) -> list[Review]:
        """What people decided so far."""
        if self._reviews is None:
            self._reviews = store.read(self.bench.reviews, Review)
        return self._reviews

    def take_reviews(self, path: Path, reviewer: str | None) -> Any:
        """Take in a filled-in queue; see `stages.review.take`."""
        from acbench.stages import review

        items = {item.item_id: item for item in self.ingest().items}
        seen = {
            item: tuple(sorted(each.proposer for each in answers if each.status == "ok"))
            for item, answers in self.proposals().items()
        }
        taken = review.take(path, items, self.schema, self.reviews(), reviewer=reviewer, shown=seen)
        if taken.new or taken.changed:
            store.write(self.bench.reviews, taken.reviews, Review, key=lambda each: (each.item_id, each.reviewer, each.round))
            self.made.append(self.bench.project.relative(self.bench.reviews))
        self._reviews = taken.reviews
        return taken

    def triage(self) -> str:
        """Rank the items; gives the key of the ranking."""
        keys = self.propose()
        key = digest(QUEUE_VERSION, keys, self.settings.audit, self.settings.seed, self.schema.digest)

        def write(path: Path) -> None:
            from acbench.stages.triage import Ranked, triage

            with self.console.stage("rank") as progress:
                ranked = triage(self.ingest().items, self.proposals(), self.schema, audit=self.settings.audit, seed=self.settings.seed)
                progress(1, 1)
            store.write(path, ranked, Ranked, key=lambda each: each.rank)

        self._artifact(self.bench.triage, key, write)
        return key

    def queue(self) -> str:
        """Write the review queue and its evidence pictures: what people should still look at. Gives its key."""
        key = digest(QUEUE_VERSION, self.triage(), self.resolve(), self._reviews_key())
        waiting = self.waiting()
        self._pictures(waiting)
        unsaved = self._unsaved_answers()
        if unsaved:
            self.console.note(
                f"{self.bench.queue} holds answers that are not taken in yet ({unsaved}), so it stays as it is;"
                f" take them in: acbench relabel {self.settings.schema} --reviews {self.bench.queue}"
            )
            return key

        def write(path: Path) -> None:
            from acbench.stages.review import queue_csv

            items = {item.item_id: item for item in self.ingest().items}
            labels = {label.item_id: label for label in self.labels()}
            shown = {each.item_id: str(self._picture_path(each.item_id)) for each in waiting}
            store.write_bytes(path, queue_csv(waiting, items, self.proposals(), labels, self.schema, shown))

        self._artifact(self.bench.queue, key, write)
        return key

    def ranked(self) -> list[Ranked]:
        """Every usable item, ranked."""
        self.triage()
        return store.read(self.bench.triage, Ranked)

    def waiting(self) -> list[Ranked]:
        """The part of the ranking that people should see and have not decided."""
        labels = {label.item_id: label for label in self.labels()}
        return [each for each in self.ranked() if each.why != "settled" and labels[each.item_id].decided_by != "people"]

    def _unsaved_answers(self) -> int:
        from acbench.stages.review import unsaved

        name = self.bench.project.relative(self.bench.queue)
        if not self.bench.queue.exists() or self.ledger.untouched(self.bench.queue, name):
            return 0
        items = {item.item_id: item for item in self.ingest().items}
        return unsaved(self.bench.queue, items, self.schema, self.reviews())

    def _pictures(self, waiting: Sequence[Ranked]) -> None:
        from acbench.stages.pictures import picture
        from acbench.stages.review import says

        ingested = self.ingest()
        items = {item.item_id: item for item in ingested.items}
        references = _references(ingested.items)
        proposals = self.proposals()

        def draw(each: Ranked) -> tuple[Path, str, bytes | None]:
            item, path = items[each.item_id], self._picture_path(each.item_id)
            reference = references.get(item.category)
            lines = [*(says(answer) for answer in proposals.get(item.item_id, ())), f"why: {each.why}"]
            seen = (item.sha256, item.mask_sha256, reference.sha256 if reference else None)
            key = digest(QUEUE_VERSION, item.image, seen, lines)
            if self.ledger.fresh(path, self.bench.project.relative(path), key):
                return path, key, None
            return path, key, picture(item, reference, ingested.root, lines)

        with self.console.stage("draw evidence") as progress:
            for done, each in enumerate(waiting, start=1):
                path, key, data = draw(each)
                if data is not None:
                    store.write_bytes(path, data)
                    self.ledger.made(path, self.bench.project.relative(path), key, self.run_id, 0.0)
                progress(done, len(waiting))

    def _picture_path(self, item: str) -> Path:
        return self.bench.evidence / f"{item}.jpg"

    # Resolve

    def resolve(self) -> str:
        """Write the labels, and what there is to say about them; gives their key."""
        from acbench.stages.resolve import POLICY

        keys = self.propose()
        key = digest(POLICY, keys, self._items_key, self._reviews_key(), self.schema.digest)
        self._artifact(self.bench.labels, key, self._write_labels)
        self._artifact(self.bench.meta, key, self._write_meta)
        if not self.bench.reviews.exists():
            store.write(self.bench.reviews, [], Review, key=lambda each: each.item_id)
        return key

    def labels(self) -> list[Label]:
        """The current label of every item."""
        self.resolve()
        return store.read(self.bench.labels, Label)

    def _write_labels(self, path: Path) -> None:
        from acbench.stages.resolve import resolve
        from acbench.stages.triage import by_item

        self._save_hand_edits(path)
        with self.console.stage("resolve") as progress:
            labels = resolve(self.ingest().items, self.proposals(), by_item(self.reviews()), self.schema)
            progress(1, 1)
        here = {label.item_id for label in labels}
        # Labels of images that this folder does not hold stay: a part of a dataset says nothing about the rest.
        others = [label for label in store.read(path, Label) if label.item_id not in here]
        if others:
            self.console.note(f"{len(others):,} labels of images that are not in this folder are kept as they were")
        store.write(path, [*labels, *others], Label, key=lambda label: label.image)

    def _save_hand_edits(self, path: Path) -> None:
        name = self.bench.project.relative(path)
        if path.exists() and not self.ledger.untouched(path, name):
            data = path.read_bytes()
            copy = self.bench.work / f"labels-before-{hashlib.sha256(data).hexdigest()[:8]}.jsonl"
            store.write_bytes(copy, data)
            self.console.note(
                f"{name} was not written by this project's last run; a copy is in {copy}."
                " To decide a label, give a review: edits of this file are not kept"
            )

    def _write_meta(self, path: Path) -> None:
        from acbench.stages.summary import meta

        by_name: dict[str, list[Proposal]] = {}
        for answers in self.proposals().values():
            for answer in answers:
                by_name.setdefault(answer.proposer, []).append(answer)
        content = meta(store.read(self.bench.labels, Label), by_name, self.reviews(), self.schema, self.source)
        store.write_bytes(path, (json.dumps(content, indent=2, ensure_ascii=False) + "\n").encode())

    def _reviews_key(self) -> str:
        return _key_of(self.reviews())

    # All of it

    def relabel(self) -> Report:
        """Do all that can be done now, and say what there is."""
        from acbench.stages import summary

        queue_key = self.queue()
        self._artifact(
            self.bench.report,
            digest(queue_key, summary.VERSION),
            lambda path: store.write_bytes(path, json.dumps(self._report(), indent=1).encode()),
        )
        report: Report = json.loads(self.bench.report.read_text(encoding="utf-8"))
        return report

    def _report(self) -> Report:
        from acbench.stages import summary
        from acbench.stages.resolve import resolve

        ingested = self.ingest()
        labels = {label.item_id: label for label in self.labels()}
        return summary.report(
            dataset=ingesting.describe(self.source, ingested),
            items=ingested.items,
            findings=ingested.findings,
            proposals=self.proposals(),
            ranked=self.ranked(),
            waiting=self.waiting(),
            machine={each.item_id: each for each in resolve(ingested.items, self.proposals(), {}, self.schema)},
            labels={item.item_id: labels[item.item_id] for item in ingested.items},
            schema=self.schema,
        )

    def _artifact(self, path: Path, key: str, write: Callable[[Path], None]) -> bool:
        name = self.bench.project.relative(path)
        if self.ledger.fresh(path, name, key):
            return False
        started = time.monotonic()
        write(path)
        self.ledger.made(path, name, key, self.run_id, time.monotonic() - started)
        self.made.append(name)
        return True


def _key_of(rows: Sequence[object]) -> str:
    sink = hashlib.blake2b(digest_size=8)
    for row in rows:
        sink.update(json.dumps(store.to_json(row), ensure_ascii=False).encode())
    return sink.hexdigest()


def _references(items: Sequence[Item]) -> dict[str, Item]:
    """Category → the normal image that evidence pictures show beside the defect: from train where there is one."""
    chosen: dict[str, tuple[bool, str, Item]] = {}
    for item in items:
        if not item.anomalous and not item.problem:
            rank = (item.split != "train", hashlib.blake2b(item.image.encode()).hexdigest(), item)
            if item.category not in chosen or rank[:2] < chosen[item.category][:2]:
                chosen[item.category] = rank
    return {category: item for category, (_, _, item) in chosen.items()}
