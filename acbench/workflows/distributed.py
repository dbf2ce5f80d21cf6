"""Proposers and systems on an engine: the same functions, given a part of the items, on any machine.

What a proposer looks at is kept as vectors, and what it asks as calls, under keys that depend on the content alone. So
who computed something, in which order and in how many attempts, cannot be told from what comes of it.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from acbench._util.console import Progress
from acbench._util.execution import Budget, Engine, Home, WorkerTask
from acbench.data.images import ImageReader
from acbench.data.ingest import Dataset
from acbench.errors import AcbenchError
from acbench.integrations.torch.runtime import threads, use_threads
from acbench.predictors.base import (
    Baseline,
    BaselineOptions,
    BaselineSetup,
    EmbeddingProposer,
    PaidProposer,
    PerItemBaseline,
    PerItemProposer,
    Proposer,
    Setup,
    checked,
)
from acbench.predictors.registry import build_baseline, build_proposer
from acbench.records import Item, Prediction, Proposal
from acbench.schema import Schema
from acbench.workflows.models import CallOptions, Models
from acbench.workflows.settings import Settings

PARTS, LARGEST = 32, 64
"""There are about so many parts, until they would be larger than so many items."""


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """All that decides what is answered, in a form that travels."""

    schema: Schema
    settings: Settings
    calls: CallOptions
    images: ImageReader
    threads: int | None
    """Of a forward pass on the CPU; None where there is none."""

    def setup(self, home: Home) -> Setup:
        """What proposers and baselines build on, in a worker."""
        if self.threads is not None:
            use_threads(self.threads)
        calls = dataclasses.replace(self.calls, concurrency=max(1, self.calls.concurrency // home.workers))
        models = Models(
            settings=self.settings,
            calls=calls,
            open_log=home.log,
            tell=lambda text: None,
            budget=home.budget,
            once=home.once,
        )
        return Setup(schema=self.schema, images=self.images, models=models, vectors=home.vectors)


@dataclass(kw_only=True)
class Distributed:
    """Gives work to an engine."""

    engine: Engine
    schema: Schema
    settings: Settings
    calls: CallOptions
    models: Models
    """Of this process, whose budget the workers share."""
    note: Callable[[str], None]

    def propose(self, proposer: Proposer, name: str, dataset: Dataset, progress: Progress) -> list[Proposal]:
        """Every answer of a proposer. What cannot be divided is done here."""
        images, items = ImageReader(dataset.root), dataset.items
        if isinstance(proposer, PerItemProposer):
            paid = isinstance(proposer, PaidProposer)
            recipe, budget = self._recipe(images, computes=self.models.llm_is_local), self._budget(paid)
            around = proposer.around(items)
            task = WorkerTask(
                start=partial(_answers, recipe, name, around),
                kind=Item,
                models=self.models.llm_is_local,
                most=self._most,
            )
            answers: list[Proposal] = []
            unasked = 0
            for found, left in self._map(task, proposer.covers(items), progress, budget):
                answers += found
                unasked += left
            if isinstance(proposer, PaidProposer):
                proposer.unfinished = unasked
            return checked(proposer.name, items, answers)
        if isinstance(proposer, EmbeddingProposer):
            task = WorkerTask(start=partial(_looks, self._recipe(images), name), kind=Item, models=True)
            for _ in self._map(task, proposer.covers(items), progress, None):
                pass
        return checked(proposer.name, items, proposer.propose(items, lambda *_: None))

    def predict(
        self, baseline: Baseline, name: str, setup: BaselineSetup, items: Sequence[Item], progress: Progress
    ) -> list[Prediction]:
        """Every answer of a baseline."""
        if not isinstance(baseline, PerItemBaseline):
            return list(baseline.predict(items, progress))
        recipe, budget = self._recipe(setup.images), self._budget(baseline.paid)
        start = partial(_baseline, recipe, name, setup.schema, setup.options, tuple(baseline.around(items)))
        fits = baseline.fits(items)
        for _ in self.engine.map(WorkerTask(start=partial(_fits, start), kind=Item, models=True), fits):
            pass
        baseline.settle(items)
        answers: list[Prediction] = []
        unasked = 0
        task = WorkerTask(start=partial(_predictions, start), kind=Item, models=True, most=self._most)
        for found, left in self._map(task, items, progress, budget):
            answers += found
            unasked += left
        baseline.unfinished = unasked
        return answers

    def _recipe(self, images: ImageReader, *, computes: bool = True) -> Recipe:
        return Recipe(
            schema=self.schema,
            settings=self.settings,
            calls=self.calls,
            images=images,
            threads=threads() if computes else None,
        )

    @property
    def _most(self) -> int | None:
        """Workers that may call an endpoint: each makes one call at once at least."""
        return None if self.models.llm_is_local else self.calls.concurrency

    def _budget(self, paid: bool) -> Budget | None:
        if not paid:
            return None
        if self.calls.batch:
            raise AcbenchError("--batch hands in questions from one machine", "leave --batch or --engine out")
        return self.models.llm_client().retrier.budget

    def _map(self, task: WorkerTask, items: Sequence[Item], progress: Progress, budget: Budget | None) -> Iterator[Any]:
        """What came of each part; tells of progress, and at the end of whatever failed, by reason."""
        done, why = 0, Counter[str]()
        progress(0, len(items))
        for count, reasons, result in self.engine.map(task, parts(items), budget):
            done += count
            why += reasons
            progress(done, len(items))
            yield result
        for reason, count in why.most_common(REASONS):
            self.note(f"{count:,} failed: {reason}")
        if others := sum(why.values()) - sum(count for _, count in why.most_common(REASONS)):
            self.note(f"{others:,} failed for other reasons")


REASONS = 5
"""So many reasons are told."""


def parts(items: Sequence[Item]) -> Iterator[Sequence[Item]]:
    """The items in parts; how large they are decides nothing but how evenly workers are busy."""
    size = max(1, min(LARGEST, -(-len(items) // PARTS)))
    return (items[start : start + size] for start in range(0, len(items), size))


# What workers do. Each gives, of a part: how many items, how many failed by reason, and the result.


def _looks(recipe: Recipe, name: str, home: Home) -> Callable[[Sequence[Item]], Any]:
    proposer = _proposer(recipe, name, home)
    assert isinstance(proposer, EmbeddingProposer)

    def look(items: Sequence[Item]) -> Any:
        failed: Mapping[str, str] = proposer.look(items, lambda *_: None)
        return len(items), Counter(failed.values()), None

    return look


def _answers(recipe: Recipe, name: str, around: Sequence[Item], home: Home) -> Callable[[Sequence[Item]], Any]:
    proposer = _proposer(recipe, name, home)

    def answer(items: Sequence[Item]) -> Any:
        found = list(proposer.propose([*around, *items], lambda *_: None))
        failed = Counter(each.reason for each in found if each.status == "error")
        return len(items), failed, (found, proposer.unfinished if isinstance(proposer, PaidProposer) else 0)

    return answer


def _proposer(recipe: Recipe, name: str, home: Home) -> Proposer:
    return build_proposer(name, recipe.setup(home))


def _baseline(
    recipe: Recipe, name: str, schema: Schema, options: BaselineOptions, around: Sequence[Item], home: Home
) -> PerItemBaseline:
    setup = recipe.setup(home)
    baseline = build_baseline(
        name,
        BaselineSetup(
            schema=schema,
            images=setup.images,
            models=setup.models,
            vectors=setup.vectors,
            items=around,
            options=options,
        ),
    )
    assert isinstance(baseline, PerItemBaseline)
    return baseline


def _fits(start: Callable[[Home], PerItemBaseline], home: Home) -> Callable[[Sequence[Item]], None]:
    return start(home).settle


def _predictions(start: Callable[[Home], PerItemBaseline], home: Home) -> Callable[[Sequence[Item]], Any]:
    system = start(home)

    def predict(items: Sequence[Item]) -> Any:
        found = list(system.predict(items, lambda *_: None))
        failed = Counter(each.raw for each in found if each.parse == "error")
        return len(items), failed, (found, system.unfinished)

    return predict
