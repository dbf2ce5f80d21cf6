"""Makes a task of Inspect from a benchmark: its questions, asked through Inspect's models, and acbench's scorer.

A sample is one image of the test split. Its answer is read and scored by the rules of `acbench score`: an answer that
names no class, a failure of the model and an image that no question could be made of are wrong, and none of them is
left out. The metrics are those of `evaluation.metrics`, with 95 % intervals. They are of one epoch: of several, Inspect
gives the first answer of each sample.

Which images there are, and what is asked, tells a function that is passed to `registered`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

from inspect_ai import Task, task
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.model import (
    ChatMessage,
    ChatMessageSystem,
    ChatMessageUser,
    Content,
    ContentImage,
    ContentText,
    ModelOutput,
)
from inspect_ai.scorer import Metric, SampleScore, Score, Scorer, Target, Value, metric, scorer
from inspect_ai.solver import Generate, Solver, TaskState, solver

from acbench import schema as schemas
from acbench.evaluation.answer_parsing import EMPTY, ERROR, Outcome, Status, schema_vocabularies
from acbench.evaluation.metrics import MEAN, METRICS, POOLED, figures
from acbench.evaluation.tallies import Cells
from acbench.predictors.llm.parse import parse
from acbench.records import JOIN
from acbench.schema.views import ClassSet, View, in_view
from acbench.stats import Estimate

NAME = "classify"
"""What the task is called: `inspect eval acbench/classify`."""
RESAMPLES = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedImage:
    """One image of the test split."""

    item_id: str
    image: str
    """Path relative to the dataset's root."""
    category: str
    wanted: ClassSet
    """The right answer."""
    system: str = ""
    parts: Sequence[str | Path] = ()
    """The question: texts, and files of pictures that acbench has drawn. Empty if nothing is asked."""
    answer: ClassSet = ()
    """What a detector answers in place of the model; empty if the model is asked."""
    problem: str = ""
    """Why there is no question; empty if there is one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskOptions:
    """What `-T NAME=VALUE` says."""

    benchmark: str
    root: str
    project: Path
    view: View
    detector: str
    question: Literal["paper", "acbench"]
    categories: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedBenchmark:
    """The images of a benchmark, and what makes results comparable."""

    images: Sequence[AskedImage]
    facts: dict[str, Any]
    """What the log keeps of the task: hashes, and who told where the defects are."""


def registered(load: Callable[[TaskOptions], AskedBenchmark]) -> Callable[..., Task]:
    """Register the task `acbench/classify`, for whose options `load` tells what is asked."""

    @task(name=NAME)
    def classify(
        benchmark: str = "visa_ac",
        root: str = "",
        project: str = ".",
        view: str = "published",
        detector: str = "none",
        question: str = "acbench",
        category: str | list[str] = "",
    ) -> Task:
        """Ask which class each image of the test split of a benchmark shows.

        `root`: the dataset's folder or URL, if the project does not know it. `detector`: who marks the place, as for
        `acbench velm`; `none`, and the model looks at whole images, normal ones too. `question`: `acbench` or `paper`.
        `category`: ask about these alone.
        """
        chosen = [category] if isinstance(category, str) else category
        options = TaskOptions(
            benchmark=benchmark,
            root=root,
            project=Path(project),
            view=_one_of("view", view, ("published", "sets")),
            detector=detector,
            question=_one_of("question", question, ("acbench", "paper")),
            categories=tuple(name for name in chosen if name),
        )
        asked = load(options)
        return Task(
            dataset=MemoryDataset([_sample(image) for image in asked.images], name=benchmark),
            solver=ask_or_tell(),
            scorer=class_named(benchmark=benchmark, project=str(options.project.resolve()), view=view),
            score_on_error=True,
            metadata=asked.facts,
        )

    return classify


@solver
def ask_or_tell() -> Solver:
    """Ask the model, but where the answer or a problem is known without it."""

    async def solve(state: TaskState, generate: Generate) -> TaskState:
        if state.metadata["problem"]:
            return state
        if state.metadata["answer"]:
            said = JOIN.join(state.metadata["answer"])
            state.output = ModelOutput.from_content(model="acbench", content=said)
            return state
        return await generate(state)

    return solve


@metric
def benchmark_figures() -> Metric:
    """The figures of `acbench score`: means over the categories with their intervals, and the pooled accuracy."""

    def compute(scores: list[SampleScore]) -> Value:
        counted: dict[str, Cells] = {}
        for each in scores:
            said = each.score.metadata or {}
            outcome = Outcome(cast(Status, said["status"]), tuple(said["labels"]))
            counted.setdefault(said["category"], Counter())[tuple(said["wanted"]), outcome] += 1
        if not counted:
            return dict.fromkeys(_NAMES)
        estimates = figures(dict(sorted(counted.items())), resamples=RESAMPLES, seed=0).estimates
        found = {name: _ends(name, estimates[name][MEAN]) for name in METRICS}
        found["accuracy_pooled"] = _ends("accuracy_pooled", estimates["accuracy"][POOLED])
        return {name: value for ends in found.values() for name, value in ends.items()}

    return compute


_NAMES = tuple(f"{name}{end}" for name in (*METRICS, "accuracy_pooled") for end in ("", "_low", "_high"))


def _ends(name: str, found: Estimate | None) -> dict[str, float | None]:
    values = (found.value, found.low, found.high) if found else (None, None, None)
    return dict(zip((name, f"{name}_low", f"{name}_high"), values, strict=True))


@scorer(metrics=[benchmark_figures()])
def class_named(benchmark: str = "visa_ac", project: str = ".", view: str = "published") -> Scorer:
    """Whether the one class that is named is the right one; the metadata says what became of the answer."""
    schema = schemas.load(benchmark, Path(project))
    as_view = _one_of("view", view, ("published", "sets"))
    categories, vocabularies = in_view(schema, as_view).categories, schema_vocabularies(schema, as_view)

    async def score(state: TaskState, target: Target) -> Score:
        facts = state.metadata
        key, wanted = facts["category"], tuple(facts["wanted"])
        text = state.output.completion if state.output.choices else ""
        if facts["problem"] or not state.output.choices:
            outcome, why = ERROR, facts["problem"] or "the model gave no answer"
        elif facts["answer"]:
            outcome, why = vocabularies[key].parse(facts["answer"]), "the detector's answer"
        else:
            parsed = parse(text, categories[key])
            why = parsed.problem or parsed.reason
            outcome = EMPTY if parsed.status == "abstained" else vocabularies[key].parse(parsed.labels or text)
        return Score(
            value=int(outcome.usable and outcome.labels == wanted),
            answer=JOIN.join(outcome.labels),
            explanation=why or None,
            metadata={
                "item_id": facts["item_id"],
                "category": key,
                "wanted": list(wanted),
                "labels": list(outcome.labels),
                "status": outcome.status,
            },
        )

    return score


def _sample(image: AskedImage) -> Sample:
    content: list[Content] = [
        ContentText(text=part) if isinstance(part, str) else ContentImage(image=str(part)) for part in image.parts
    ]
    said: list[ChatMessage] = [ChatMessageSystem(content=image.system)] if image.system else []
    said.append(ChatMessageUser(content=content or [ContentText(text="(nothing is asked)")]))
    return Sample(
        id=image.item_id,
        input=said,
        target=JOIN.join(image.wanted),
        metadata={
            "item_id": image.item_id,
            "image": image.image,
            "category": image.category,
            "wanted": list(image.wanted),
            "answer": list(image.answer),
            "problem": image.problem,
        },
    )


def _one_of(name: str, value: str, known: tuple[Any, ...]) -> Any:
    if value not in known:
        raise ValueError(f"-T {name}={value}: one of {', '.join(known)}")
    return value
