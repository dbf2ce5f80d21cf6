"""Runs proposers and baselines on an engine: each worker does the same work for a part of the items.

The results do not depend on which worker computed what, in which order, or in how many attempts: vectors and calls are
kept under keys that depend on the content alone.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Generic

from acbench._util.console import Progress
from acbench._util.execution import Engine, Home, SharedBudget, WorkerTask
from acbench.data.images import ImageReader
from acbench.data.ingest import Dataset
from acbench.errors import AcbenchError
from acbench.integrations.torch.runtime import threads, use_threads
from acbench.predictors.base import (
    Answer,
    Answers,
    Baseline,
    BaselineOptions,
    BaselineSetup,
    EmbeddingProposer,
    KnownLabel,
    PaidProposer,
    PerItemBaseline,
    PerItemProposer,
    Proposer,
    Setup,
    ShowsLabels,
    ask,
    checked,
)
from acbench.predictors.registry import build_baseline, build_proposer
from acbench.records import Item, Prediction, Proposal
from acbench.schema import Schema
from acbench.storage.vector_part import part_of
from acbench.workflows.llm_models import NAMED, LlmTable
from acbench.workflows.models import CallOptions, Models
from acbench.workflows.settings import Settings

PARTS = 32
"""How many parts the items are divided into, unless a part would be larger than MAX_PART."""
MAX_PART = 64
"""Items."""
MAX_REASONS = 5
"""How many reasons for failures a note names."""


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """Everything that a worker needs to make a setup, in a form that travels by pickle."""

    schema: Schema
    settings: Settings
    llms: LlmTable
    calls: CallOptions
    images: ImageReader
    threads: int | None
    """Threads of a model on the CPU; None if the worker uses no model."""
    shown_labels: Sequence[KnownLabel] = ()
    """The labels that the proposer shows."""

    def setup(self, home: Home) -> Setup:
        """What a proposer works with, in a worker."""
        if self.threads is not None:
            use_threads(self.threads)
        calls = dataclasses.replace(self.calls, concurrency=max(1, self.calls.concurrency // home.workers))
        models = Models(
            settings=self.settings,
            llms=self.llms,
            calls=calls,
            open_log=home.open_log,
            note=lambda text: None,
            budget=home.budget,
            run_once=home.run_once,
        )
        return Setup(
            schema=self.schema,
            images=self.images,
            models=models,
            vectors=part_of(home.vectors, self.images.key),
            known_labels=lambda: self.shown_labels,
        )


@dataclass(frozen=True, kw_only=True)
class BaselineRecipe:
    """Everything that a worker needs to make a baseline."""

    recipe: Recipe
    name: str
    schema: Schema
    """Has the classes of the view that is scored."""
    options: BaselineOptions
    context: Sequence[Item]

    def baseline(self, home: Home) -> PerItemBaseline:
        """The baseline, in a worker."""
        setup = self.recipe.setup(home)
        baseline = build_baseline(
            self.name,
            BaselineSetup(
                schema=self.schema,
                images=setup.images,
                models=setup.models,
                vectors=setup.vectors,
                items=self.context,
                options=self.options,
            ),
        )
        assert isinstance(baseline, PerItemBaseline), "only such a baseline is given to workers"
        return baseline


@dataclass(frozen=True, slots=True)
class PartResult(Generic[Answer]):
    """What a worker did for one part of the items."""

    items: int
    failures: Counter[str]
    """Reason → how many items failed for it."""
    answers: Answers[Answer]


@dataclass(kw_only=True)
class Distributed:
    """Gives the work of proposers and baselines to an engine."""

    engine: Engine
    schema: Schema
    settings: Settings
    calls: CallOptions
    models: Models
    """The models of this process, whose budget the workers share."""
    note: Callable[[str], None]
    """Shows the user which failures there were."""

    def propose(self, proposer: Proposer, name: str, dataset: Dataset, progress: Progress) -> Answers[Proposal]:
        """Every answer of a proposer. Work that cannot be divided is done in this process.

        `name`: as the user gave it, such as `table:mvtec_fs`. Raises AcbenchError.
        """
        images, items = dataset.images, dataset.items
        if isinstance(proposer, PerItemProposer):
            llm = name.removeprefix(NAMED) if name.startswith(NAMED) else ""
            computes = self.models.llm_is_local(llm)
            recipe = self._recipe(images, computes=computes)
            if isinstance(proposer, ShowsLabels):
                recipe = dataclasses.replace(recipe, shown_labels=tuple(proposer.shown_labels))
            task = WorkerTask(
                start=partial(_start_answering, recipe, name, proposer.context(items)),
                kind=Item,
                uses_model=computes,
                max_workers=self._max_workers(llm),
            )
            budget = self._budget(llm) if isinstance(proposer, PaidProposer) else None
            answers = self._answers(task, proposer.covers(items), progress, budget)
            return Answers(list(checked(proposer.name, items, answers.rows)), answers.unasked)
        if isinstance(proposer, EmbeddingProposer):
            embed = WorkerTask(start=partial(_start_embedding, self._recipe(images), name), kind=Item, uses_model=True)
            self._answers(embed, proposer.covers(items), progress, None)
        return ask(proposer, items, lambda *_: None)

    def predict(
        self, baseline: Baseline, name: str, setup: BaselineSetup, items: Sequence[Item], progress: Progress
    ) -> Answers[Prediction]:
        """Every answer of a baseline. Work that cannot be divided is done in this process. Raises AcbenchError."""
        if not isinstance(baseline, PerItemBaseline):
            return Answers(list(baseline.predict(items, progress)), baseline.unasked)
        budget = self._budget() if baseline.paid else None
        recipe = BaselineRecipe(
            recipe=self._recipe(setup.images),
            name=name,
            schema=setup.schema,
            options=setup.options,
            context=tuple(baseline.context(items)),
        )
        fit = WorkerTask(start=partial(_start_fitting, recipe), kind=Item, uses_model=True)
        for _ in self.engine.map(fit, baseline.fit_parts(items)):
            pass
        baseline.fit(items)
        task = WorkerTask(
            start=partial(_start_predicting, recipe), kind=Item, uses_model=True, max_workers=self._max_workers()
        )
        return self._answers(task, items, progress, budget)

    def _recipe(self, images: ImageReader, *, computes: bool = True) -> Recipe:
        return Recipe(
            schema=self.schema,
            settings=self.settings,
            llms=self.models.llms,
            calls=self.calls,
            images=images,
            threads=threads() if computes else None,
        )

    def _max_workers(self, llm: str = "") -> int | None:
        """How many workers may call the endpoint of an LLM, since each makes at least one call at once."""
        return None if self.models.llm_is_local(llm) else self.calls.concurrency

    def _budget(self, llm: str = "") -> SharedBudget:
        """The budget of the calls of an LLM. Raises AcbenchError if they are made in batches."""
        if self.calls.batch:
            raise AcbenchError("--batch hands in questions from one machine", "leave --batch or --engine out")
        return self.models.llm_budget(llm)

    def _answers(
        self,
        task: WorkerTask[Item, PartResult[Answer]],
        items: Sequence[Item],
        progress: Progress,
        budget: SharedBudget | None,
    ) -> Answers[Answer]:
        """The answers of all workers. Notes the reasons for failures at the end."""
        rows: list[Answer] = []
        done, unasked = 0, 0
        failures = Counter[str]()
        progress(0, len(items))
        for part in self.engine.map(task, parts(items), budget):
            rows += part.answers.rows
            unasked += part.answers.unasked
            failures += part.failures
            done += part.items
            progress(done, len(items))
        for reason, count in failures.most_common(MAX_REASONS):
            self.note(f"{count:,} failed: {reason}")
        if others := failures.total() - sum(count for _, count in failures.most_common(MAX_REASONS)):
            self.note(f"{others:,} failed for other reasons")
        return Answers(rows, unasked)


def parts(items: Sequence[Item]) -> Iterator[Sequence[Item]]:
    """The items in parts. Their size decides nothing but how evenly workers are busy."""
    size = max(1, min(MAX_PART, -(-len(items) // PARTS)))
    return (items[start : start + size] for start in range(0, len(items), size))


# What workers do: each function is called once in a worker, and gives the function that does a part.


def _start_embedding(recipe: Recipe, name: str, home: Home) -> Callable[[Sequence[Item]], PartResult[Proposal]]:
    proposer = build_proposer(name, recipe.setup(home))
    assert isinstance(proposer, EmbeddingProposer), "only such a proposer is given to workers"

    def embed(items: Sequence[Item]) -> PartResult[Proposal]:
        failures = Counter(proposer.embed(items, lambda *_: None).values())
        return PartResult(len(items), failures, Answers([]))

    return embed


def _start_answering(
    recipe: Recipe, name: str, context: Sequence[Item], home: Home
) -> Callable[[Sequence[Item]], PartResult[Proposal]]:
    proposer = build_proposer(name, recipe.setup(home))

    def answer(items: Sequence[Item]) -> PartResult[Proposal]:
        answers = ask(proposer, [*context, *items], lambda *_: None)
        failures = Counter(proposal.reason for proposal in answers.rows if proposal.status == "error")
        return PartResult(len(items), failures, answers)

    return answer


def _start_fitting(recipe: BaselineRecipe, home: Home) -> Callable[[Sequence[Item]], None]:
    return recipe.baseline(home).fit


def _start_predicting(recipe: BaselineRecipe, home: Home) -> Callable[[Sequence[Item]], PartResult[Prediction]]:
    baseline = recipe.baseline(home)

    def predict(items: Sequence[Item]) -> PartResult[Prediction]:
        predictions = list(baseline.predict(items, lambda *_: None))
        failures = Counter(prediction.raw for prediction in predictions if prediction.parse == "error")
        return PartResult(len(items), failures, Answers(predictions, baseline.unasked))

    return predict
