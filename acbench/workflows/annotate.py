"""One benchmark and an annotation tool: the queue becomes tasks for people, and their decisions become reviews."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from acbench._util.plural import counted, is_or_are
from acbench.data.ingest import Dataset
from acbench.records import Item
from acbench.review import pull as pulling
from acbench.review import push as pushing
from acbench.review import queue_pictures, task_pictures, tasks
from acbench.review.annotation_tool import AnnotationTool, ProjectSpec, Task, ToolProject, project_name
from acbench.review.pull import PullResult
from acbench.review.push import BatchNote, PushResult
from acbench.review.tasks import Check, DueTask, QueuePart, Selection, TaskContent
from acbench.schema import Category, Schema, people
from acbench.schema.form import MASK, label_studio_form
from acbench.schema.guide import instructions
from acbench.workflows.queue import Queue, note_stale_plan
from acbench.workflows.reviews import keep_added, review_log
from acbench.workflows.run import Run


@dataclass(frozen=True, slots=True, kw_only=True)
class PushOptions:
    """What is pushed, and how."""

    part: QueuePart = "all"
    round: int | None = None
    """Round of all tasks; None for the one that is due for each image."""
    blind: float = 0.1
    """Share of tasks without proposals, 0…1."""
    annotators: int | None = None
    """How many people decide each image; None leaves projects as they are."""
    restore_form: bool = False
    """Put back a form that people edited."""


def push(
    run: Run, tool: AnnotationTool, queue: Queue, options: PushOptions, check: Callable[[str], Check]
) -> dict[str, PushResult]:
    """Put the queue into the tool; gives what came of it by category.

    `check` gives what judges the predictions for a form (XML). Nothing of a category is sent before all its predictions
    are judged.
    """
    note_stale_plan(run, queue)
    pusher = _Pusher(run, tool, queue, options, check)
    result: dict[str, PushResult] = {}
    for key, due in sorted(pusher.due_by_category().items()):
        category = run.schema.category(key)
        if category is None:
            run.console.note(f"{len(due):,} images of {key} are not pushed: the schema has no {key}")
        else:
            result[key] = pusher.push(category, due)
    return result


def pull(run: Run, tool: AnnotationTool, dataset: Dataset) -> PullResult:
    """Take in what people decided in the tool; gives what came of it."""
    log = review_log(run, dataset)
    total = PullResult()
    with run.console.stage("read decisions") as progress:
        categories = sorted({item.category for item in dataset.items})
        for done, category in enumerate(categories, start=1):
            project = tool.find(project_name(run.schema.benchmark, category))
            if project is not None:
                total.add(pulling.pull(project, tool.annotated_tasks(project), log))
            progress(done, len(categories))
    keep_added(run, log)
    pulling.write_undecided(run.files.undecided_tasks, total.undecided)
    pulling.write_unread(run.files.unread_decisions, total.unread)
    return total


def project_spec(
    schema: Schema, category: Category, annotators: int | None = None, *, marks: str = MASK
) -> ProjectSpec:
    """The project of one category. `marks`: what marks the places of its anomalies."""
    return ProjectSpec(
        benchmark=schema.benchmark,
        category=category.key,
        title=f"{schema.title}: {category.name}"[:50],
        form=label_studio_form(category, marks),
        instructions=instructions(category, marks),
        description=f"{schema.title}: which kinds of defect do these images of {category.name} show?"
        " For annotators: press Label All Tasks.",
        hidden_fields=tasks.HIDDEN_FIELDS,
        annotators=annotators,
    )


@dataclass(frozen=True, slots=True)
class _Pusher:
    """Pushes a queue, one category at a time."""

    run: Run
    tool: AnnotationTool
    queue: Queue
    options: PushOptions
    check: Callable[[str], Check]

    def due_by_category(self) -> Mapping[str, list[DueTask]]:
        """Category → the images that people should be asked about."""
        labelled = self.queue.labelled
        due = tasks.due_tasks(
            self.queue.waiting,
            labelled.labels,
            labelled.reviews_by_item,
            Selection(part=self.options.part, round=self.options.round),
            pulling.read_undecided(self.run.files.undecided_tasks),
        )
        by_category: defaultdict[str, list[DueTask]] = defaultdict(list)
        for task in due:
            by_category[self._item(task).category].append(task)
        return by_category

    def push(self, category: Category, due: Sequence[DueTask]) -> PushResult:
        """Push the tasks of one category."""
        if undefined := [defect.name for defect in category.classes if not defect.definition]:
            self.run.console.note(
                f"{category.key}: {', '.join(undefined)} {'has' if len(undefined) == 1 else 'have'} no definition;"
                f" annotators see the name alone. Write it into {self.run.schema.file}"
            )
        place = f"categories.{category.folder or category.key}."
        if drafts := sum(each.startswith(place) for each in self.run.schema.drafts):
            self.run.console.note(
                f"{category.key}: {counted(drafts, 'text')} that annotators read {is_or_are(drafts)} drafted by a model"
            )
        spec = project_spec(self.run.schema, category, self.options.annotators, marks=self._marks(category))
        project = self.tool.open(spec, restore_form=self.options.restore_form)
        check = self.check(spec.form)
        pictures = self._pictures(project, [self._item(task) for task in due])
        made = [self._task(task, pictures[task.ranked.item_id], check) for task in due]
        note = BatchNote(self.run.files.annotation_tool / f"under-way-{project.uid}.json")
        with self.run.console.stage(f"push {category.key}") as progress:
            return pushing.push(self.tool, project, made, note, progress=progress)

    def _marks(self, category: Category) -> str:
        """What marks places in a category: masks, boxes or both."""
        items = self.queue.labelled.proposed.dataset.items
        kinds = {item.marking for item in items if item.category == category.key and item.marking}
        return MASK if "boxes" not in kinds else "mask or box" if "mask" in kinds else "box"

    def _item(self, due: DueTask) -> Item:
        return self.queue.labelled.proposed.dataset.by_id[due.ranked.item_id]

    def _task(self, due: DueTask, pictures: Mapping[str, str], check: Check) -> Task:
        """The task of one image. Raises AnnotationToolError for a prediction that does not fit the form."""
        item = self._item(due)
        content = TaskContent(
            due=due,
            item=item,
            proposals=self.queue.labelled.proposed.by_item.get(item.item_id, ()),
            pictures=pictures,
            blind=due.is_blind(self.options.blind, self.run.settings.seed),
            schema_version=self.run.schema.version,
            names=people.names(self.run.schema.categories[item.category]),
        )
        task = content.task()
        tasks.refuse_unfit(task, item.image, check)
        return task

    def _pictures(self, project: ToolProject, items: Sequence[Item]) -> dict[str, dict[str, str]]:
        """item_id → the address of each of its pictures in the tool, and what the page has to know of them."""
        dataset = self.queue.labelled.proposed.dataset
        with self.run.console.stage("draw pictures") as progress:
            drawn = task_pictures.draw(
                items,
                queue_pictures.References(dataset.items),
                dataset.images,
                self.run.files.task_pictures / items[0].category,
                progress=progress,
            )
        addresses = self.tool.pictures(project, {path for pictures in drawn.values() for path in pictures.values()})
        return {
            item_id: {name: addresses[path] for name, path in pictures.items()} | task_pictures.marks(pictures)
            for item_id, pictures in drawn.items()
        }
