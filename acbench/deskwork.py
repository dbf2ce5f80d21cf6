"""The review desk of one benchmark: from its queue to tasks for people, and their decisions back into its reviews."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from acbench import store
from acbench.desk import Desk, Project, Wanted
from acbench.pipeline import Pipeline
from acbench.records import Item, Review
from acbench.schema import Category
from acbench.schema.form import label_studio_form
from acbench.schema.guide import instructions
from acbench.stages import desk_pictures, desk_pull, desk_push, desk_tasks, pictures
from acbench.stages.desk_pull import Pulled
from acbench.stages.desk_push import Note, Pushed
from acbench.stages.desk_tasks import Check, Queue
from acbench.stages.resolve import current_reviews
from acbench.stages.triage import Ranked, by_item


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How to push."""

    queue: Queue = "all"
    turn: int | None = None
    """Round of all tasks; None for the one that each image is due."""
    blind: float = 0.1
    """Share of tasks without proposals, 0…1."""
    annotators: int | None = None
    """People an image is put to; None leaves projects as they are."""
    restore_form: bool = False
    settle: float = desk_push.SETTLE
    """Seconds to wait for a batch whose fate is not known."""


def push(line: Pipeline, desk: Desk, plan: Plan, check: Callable[[str], Check]) -> dict[str, Pushed]:
    """Put the queue on the desk; gives what came of it by category.

    `check` gives the judge of predictions for a form. Nothing is sent before every prediction of a category is judged.
    """
    reviews = by_item(line.reviews)
    undecided = desk_pull.undecided(line.bench.undecided)
    picked = desk_tasks.chosen(
        line.waiting(), line.labels(), reviews, queue=plan.queue, turn=plan.turn, undecided=undecided
    )
    by_category: defaultdict[str, list[tuple[Ranked, int]]] = defaultdict(list)
    for ranked, turn in picked:
        by_category[line.items[ranked.item_id].category].append((ranked, turn))
    result: dict[str, Pushed] = {}
    for key, members in sorted(by_category.items()):
        category = line.schema.category(key)
        if category is None:
            line.console.note(f"{len(members):,} images of {key} are not put on the desk: the schema has no {key}")
        else:
            result[key] = _push(line, desk, plan, category, members, reviews, check)
    return result


def pull(line: Pipeline, desk: Desk) -> Pulled:
    """Bring home what people decided, and keep it; gives what came of it."""
    parts: list[Pulled] = []
    reviews = line.reviews
    with line.console.stage("read the desk") as progress:
        names = sorted({item.category for item in line.items.values()})
        for done, key in enumerate(names, start=1):
            project = desk.find(f"{line.schema.benchmark}/{key}")
            if project is not None:
                parts.append(desk_pull.pull(project, desk.answers(project), line.items, line.schema, reviews))
                reviews = parts[-1].reviews
            progress(done, len(names))
    total = desk_pull.merge(parts, reviews)
    line.keep_reviews(total.reviews)
    store.write_bytes(line.bench.undecided, json.dumps(sorted(total.undecided)).encode())
    return total


def wanted(line: Pipeline, category: Category, annotators: int | None = None) -> Wanted:
    """The project of one category."""
    return Wanted(
        benchmark=line.schema.benchmark,
        category=category.key,
        title=f"{line.schema.title}: {category.name}"[:50],
        form=label_studio_form(category),
        instructions=instructions(category),
        words=f"{line.schema.title}: which kinds of defect do these images of {category.name} show?"
        " For annotators: press Label All Tasks.",
        unlisted=desk_tasks.UNLISTED,
        annotators=annotators,
    )


def _push(
    line: Pipeline,
    desk: Desk,
    plan: Plan,
    category: Category,
    members: Sequence[tuple[Ranked, int]],
    reviews: Mapping[str, Sequence[Review]],
    check: Callable[[str], Check],
) -> Pushed:
    project = desk.open(wanted(line, category, plan.annotators), restore_form=plan.restore_form)
    judge = check(label_studio_form(category))
    addresses = _pictures(line, desk, project, [line.items[ranked.item_id] for ranked, _ in members])
    tasks = [
        desk_tasks.task(
            ranked,
            turn,
            line.items[ranked.item_id],
            line.proposals.get(ranked.item_id, ()),
            addresses[ranked.item_id],
            line.schema,
            blind=desk_tasks.is_blind(ranked.item_id, turn, plan.blind, line.settings.seed),
            check=judge,
            reviewed=bool(current_reviews(reviews.get(ranked.item_id, ()))),
        )
        for ranked, turn in members
    ]
    note = Note(line.bench.desk / f"under-way-{project.uid}.json")
    with line.console.stage(f"push {category.key}") as progress:
        return desk_push.push(desk, project, tasks, note, progress=progress, settle=plan.settle)


def _pictures(line: Pipeline, desk: Desk, project: Project, items: Sequence[Item]) -> dict[str, dict[str, str]]:
    """Item → picture → its address on the desk; and what the page has to know of them."""
    with line.console.stage("draw pictures") as progress:
        drawn = desk_pictures.draw(
            items,
            pictures.references(line.ingested.items),
            line.ingested.root,
            line.bench.pictures / items[0].category,
            progress=progress,
        )
    addresses = desk.pictures(project, {path for paths in drawn.values() for path in paths.values()})
    return {
        item: {**{name: addresses[path] for name, path in paths.items()}, **desk_pictures.marks(paths)}
        for item, paths in drawn.items()
    }
