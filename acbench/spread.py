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

from acbench import baselines, models, proposers
from acbench.adapters.patches import patch_model
from acbench.adapters.torch_runtime import threads, use_threads
from acbench.baselines import Baseline, Divisible
from acbench.caller import Budget, LedgerCaller
from acbench.engine import Engine, Home, Task
from acbench.errors import AcbenchError
from acbench.progress import Progress
from acbench.proposers import Alone, Looking, Paid, Proposer
from acbench.records import Item, Prediction, Proposal
from acbench.roots import Root
from acbench.schema import Schema
from acbench.settings import Settings
from acbench.stages.propose import checked

PARTS, LARGEST = 32, 64
"""There are about so many parts, until they would be larger than so many items."""


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """All that decides what is answered, in a form that travels."""

    schema: Schema
    settings: Settings
    calls: models.Calls
    root: Root
    threads: int | None
    """Of a forward pass on the CPU; None where there is none."""

    def shared(self, home: Home) -> dict[str, Any]:
        """What proposers and baselines build on, the same for both, in a worker."""
        if self.threads is not None:
            use_threads(self.threads)
        each = dataclasses.replace(self.calls, concurrency=max(1, self.calls.concurrency // home.workers))
        return {
            "root": self.root,
            "embedder": models.image_model(self.settings.backbone),
            "cache": home.vectors,
            "clip": models.clip(self.settings, tell=lambda text: None),
            "caller": models.caller(self.settings, each, home.log, home.budget, once=home.once),
        }


@dataclass(kw_only=True)
class Spread:
    """Gives work to an engine."""

    engine: Engine
    schema: Schema
    settings: Settings
    calls: models.Calls
    note: Callable[[str], None]

    def propose(
        self, proposer: Proposer, name: str, items: Sequence[Item], root: Root, progress: Progress
    ) -> list[Proposal]:
        """Every answer of a proposer, as `stages.propose` gives them. What cannot be divided is done here."""
        if isinstance(proposer, Alone):
            recipe, budget = self._recipe(root, computes=self._local), self._budget(proposer)
            around = proposer.around(items)
            task = Task(start=partial(_answers, recipe, name, around), kind=Item, models=self._local, most=self._most)
            answers: list[Proposal] = []
            unasked = 0
            for found, left in self._map(task, proposer.covers(items), progress, budget):
                answers += found
                unasked += left
            if isinstance(proposer, Paid):
                proposer.unfinished = unasked
            return checked(proposer.name, items, answers)
        if isinstance(proposer, Looking):
            task = Task(start=partial(_looks, self._recipe(root), name), kind=Item, models=True)
            for _ in self._map(task, proposer.covers(items), progress, None):
                pass
        return checked(proposer.name, items, proposer.propose(items, lambda *_: None))

    def predict(
        self, system: Baseline, name: str, given: baselines.Setup, items: Sequence[Item], progress: Progress
    ) -> list[Prediction]:
        """Every answer of a system."""
        if not isinstance(system, Divisible):
            return list(system.predict(items, progress))
        recipe, budget = self._recipe(given.root), self._budget(system)
        start = partial(_system, recipe, name, given.schema, given.options, tuple(system.around(items)))
        fits = system.fits(items)
        for _ in self.engine.map(Task(start=partial(_fits, start), kind=Item, models=True), fits):
            pass
        system.settle(items)
        answers: list[Prediction] = []
        unasked = 0
        task = Task(start=partial(_predictions, start), kind=Item, models=True, most=self._most)
        for found, left in self._map(task, items, progress, budget):
            answers += found
            unasked += left
        system.unfinished = unasked
        return answers

    def _recipe(self, root: Root, *, computes: bool = True) -> Recipe:
        return Recipe(
            schema=self.schema,
            settings=self.settings,
            calls=self.calls,
            root=root,
            threads=threads() if computes else None,
        )

    @property
    def _local(self) -> bool:
        return self.settings.llm.startswith(models.LOCAL)

    @property
    def _most(self) -> int | None:
        """Workers that may call an endpoint: each makes one call at once at least."""
        return None if self._local else self.calls.concurrency

    def _budget(self, asks: Any) -> Budget | None:
        caller = getattr(asks, "caller", None)
        if not isinstance(caller, LedgerCaller):
            return None
        if self.calls.batch:
            raise AcbenchError("--batch hands in questions from one machine", "leave --batch or --engine out")
        return caller.dialer.budget

    def _map(self, task: Task, items: Sequence[Item], progress: Progress, budget: Budget | None) -> Iterator[Any]:
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
    assert isinstance(proposer, Looking)

    def look(items: Sequence[Item]) -> Any:
        failed: Mapping[str, str] = proposer.look(items, lambda *_: None)
        return len(items), Counter(failed.values()), None

    return look


def _answers(recipe: Recipe, name: str, around: Sequence[Item], home: Home) -> Callable[[Sequence[Item]], Any]:
    proposer = _proposer(recipe, name, home)

    def answer(items: Sequence[Item]) -> Any:
        found = list(proposer.propose([*around, *items], lambda *_: None))
        failed = Counter(each.reason for each in found if each.status == "error")
        return len(items), failed, (found, proposer.unfinished if isinstance(proposer, Paid) else 0)

    return answer


def _proposer(recipe: Recipe, name: str, home: Home) -> Proposer:
    return proposers.build(name, proposers.Setup(schema=recipe.schema, **recipe.shared(home)))


def _system(
    recipe: Recipe, name: str, schema: Schema, options: baselines.Options, around: Sequence[Item], home: Home
) -> Divisible:
    given = baselines.Setup(
        schema=schema,
        items=around,
        patches=partial(patch_model, recipe.settings.backbone),
        options=options,
        **recipe.shared(home),
    )
    system = baselines.build(name, given)
    assert isinstance(system, Divisible)
    return system


def _fits(start: Callable[[Home], Divisible], home: Home) -> Callable[[Sequence[Item]], None]:
    return start(home).settle


def _predictions(start: Callable[[Home], Divisible], home: Home) -> Callable[[Sequence[Item]], Any]:
    system = start(home)

    def predict(items: Sequence[Item]) -> Any:
        found = list(system.predict(items, lambda *_: None))
        failed = Counter(each.raw for each in found if each.parse == "error")
        return len(items), failed, (found, system.unfinished)

    return predict
