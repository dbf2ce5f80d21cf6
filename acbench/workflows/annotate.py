"""One benchmark and an annotation tool: its queue becomes tasks for people, and their decisions become reviews."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from acbench.data.images import ImageReader
from acbench.data.ingest import Dataset
from acbench.records import Item
from acbench.review import pull as pulling
from acbench.review import push as pushing
from acbench.review import queue_pictures, task_pictures, tasks
from acbench.review.annotation_tool import AnnotationTool, ProjectSpec, ToolProject
from acbench.review.pull import PullResult
from acbench.review.push import Note, PushResult
from acbench.review.queue import RankedItem, by_item
from acbench.review.resolve import current_reviews
from acbench.review.tasks import Check, Part
from acbench.schema import Category, Schema
from acbench.schema.form import label_studio_form
from acbench.schema.guide import instructions
from acbench.storage.atomic import write_bytes
from acbench.workflows.label import Labelled, keep_reviews, read_reviews
from acbench.workflows.queue import Queue
from acbench.workflows.run import Run


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How to push."""

    part: Part = "all"
    """Of the queue."""
    turn: int | None = None
    """Round of all tasks; None for the one that each image is due."""
    blind: float = 0.1
    """Share of tasks without proposals, 0…1."""
    annotators: int | None = None
    """People an image is put to; None leaves projects as they are."""
    restore_form: bool = False
    settle: float = pushing.SETTLE
    """Seconds to wait for a batch whose fate is not known."""


def push(
    run: Run, tool: AnnotationTool, plan: Plan, queue: Queue, check: Callable[[str], Check]
) -> dict[str, PushResult]:
    """Put the queue into the tool; gives what came of it by category.

    `check` gives the judge of predictions for a form. Nothing is sent before every prediction of a category is judged.
    """
    labelled = queue.labelled
    reviews, items = by_item(labelled.reviews), labelled.proposed.dataset.by_id
    undecided = pulling.undecided(run.files.undecided_tasks)
    picked = tasks.chosen(queue.waiting, labelled.labels, reviews, part=plan.part, turn=plan.turn, undecided=undecided)
    by_category: defaultdict[str, list[tuple[RankedItem, int]]] = defaultdict(list)
    for ranked, turn in picked:
        by_category[items[ranked.item_id].category].append((ranked, turn))
    result: dict[str, PushResult] = {}
    for key, members in sorted(by_category.items()):
        category = run.schema.category(key)
        if category is None:
            run.console.note(f"{len(members):,} images of {key} are not put on the desk: the schema has no {key}")
        else:
            result[key] = _push(run, tool, plan, category, members, labelled, check)
    return result


def pull(run: Run, tool: AnnotationTool, dataset: Dataset) -> PullResult:
    """Bring home what people decided, and keep it; gives what came of it."""
    parts: list[PullResult] = []
    before = reviews = read_reviews(run)
    with run.console.stage("read the desk") as progress:
        names = sorted({item.category for item in dataset.items})
        for done, key in enumerate(names, start=1):
            project = tool.find(f"{run.schema.benchmark}/{key}")
            if project is not None:
                parts.append(pulling.pull(project, tool.answers(project), dataset.by_id, run.schema, reviews))
                reviews = parts[-1].reviews
            progress(done, len(names))
    total = pulling.merge(parts, reviews)
    keep_reviews(run, total.reviews, before)
    write_bytes(run.files.undecided_tasks, json.dumps(sorted(total.undecided)).encode())
    return total


def project_spec(schema: Schema, category: Category, annotators: int | None = None) -> ProjectSpec:
    """The project of one category."""
    return ProjectSpec(
        benchmark=schema.benchmark,
        category=category.key,
        title=f"{schema.title}: {category.name}"[:50],
        form=label_studio_form(category),
        instructions=instructions(category),
        words=f"{schema.title}: which kinds of defect do these images of {category.name} show?"
        " For annotators: press Label All Tasks.",
        unlisted=tasks.UNLISTED,
        annotators=annotators,
    )


def _push(
    run: Run,
    tool: AnnotationTool,
    plan: Plan,
    category: Category,
    members: Sequence[tuple[RankedItem, int]],
    labelled: Labelled,
    check: Callable[[str], Check],
) -> PushResult:
    project = tool.open(project_spec(run.schema, category, plan.annotators), restore_form=plan.restore_form)
    judge = check(label_studio_form(category))
    proposed, reviews = labelled.proposed, by_item(labelled.reviews)
    items = proposed.dataset.by_id
    addresses = _pictures(run, tool, project, proposed.dataset, [items[ranked.item_id] for ranked, _ in members])
    new_tasks = [
        tasks.task(
            ranked,
            turn,
            items[ranked.item_id],
            proposed.by_item.get(ranked.item_id, ()),
            addresses[ranked.item_id],
            run.schema,
            blind=tasks.is_blind(ranked.item_id, turn, plan.blind, run.settings.seed),
            check=judge,
            reviewed=bool(current_reviews(reviews.get(ranked.item_id, ()))),
        )
        for ranked, turn in members
    ]
    note = Note(run.files.annotation_tool / f"under-way-{project.uid}.json")
    with run.console.stage(f"push {category.key}") as progress:
        return pushing.push(tool, project, new_tasks, note, progress=progress, settle=plan.settle)


def _pictures(
    run: Run, tool: AnnotationTool, project: ToolProject, dataset: Dataset, items: Sequence[Item]
) -> dict[str, dict[str, str]]:
    """Item → picture → its address in the tool; and what the page has to know of them."""
    with run.console.stage("draw pictures") as progress:
        drawn = task_pictures.draw(
            items,
            queue_pictures.references(dataset.items),
            ImageReader(dataset.root),
            run.files.task_pictures / items[0].category,
            progress=progress,
        )
    addresses = tool.pictures(project, {path for paths in drawn.values() for path in paths.values()})
    return {
        item: {**{name: addresses[path] for name, path in paths.items()}, **task_pictures.marks(paths)}
        for item, paths in drawn.items()
    }
