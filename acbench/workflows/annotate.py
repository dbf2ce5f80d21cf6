"""One benchmark and an annotation tool: the queue becomes tasks for people, and their decisions become reviews."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from acbench._util.plural import counted, is_or_are
from acbench.data.ingest import Dataset
from acbench.errors import AnnotationToolError, LostConnection
from acbench.records import Item, Proposal
from acbench.review import askable, queue_pictures, task_pictures, tasks
from acbench.review import pull as pulling
from acbench.review import push as pushing
from acbench.review.annotation_tool import AnnotationTool, ProjectSpec, Task, TaskKey, ToolProject, project_name
from acbench.review.pull import PullResult
from acbench.review.push import BatchNote, PushResult
from acbench.review.tasks import Check, DueTask, QueuePart, Selection, TaskContent
from acbench.schema import Category, Schema, people
from acbench.schema.form import MASK, PROGRESS, label_studio_form
from acbench.schema.guide import instructions
from acbench.storage.stored_rows import some
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
    """How many people decide each image in its first round; None leaves projects as they are."""
    adjudicators: int | None = None
    """How many others decide what people have not settled, in each later round; None leaves projects as they are."""
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
            result[key] = pusher.push_category(category, due)
    return result


def projects(tool: AnnotationTool, schema: Schema, category: str) -> list[ToolProject]:
    """The projects of one category: that of the first round, and those of later ones."""
    name = project_name(schema.benchmark, category)
    first = tool.find(name)
    return [*([] if first is None else [first]), *tool.later(name)]


def pull(run: Run, tool: AnnotationTool, dataset: Dataset, claim: str | None = None) -> PullResult:
    """Take in what people decided in the tool; gives what came of it.

    `claim`: who decided what was decided under the account of the tool itself, which is no person.
    """
    log = review_log(run, dataset)
    total = PullResult()
    with run.console.stage("read decisions") as progress:
        categories = sorted(dataset.by_category)
        for done, category in enumerate(categories, start=1):
            met: pulling.Met = defaultdict(list)
            for project in projects(tool, run.schema, category):
                tasks = askable.claimed(tool.annotated_tasks(project), claim)
                total.add(pulling.pull(project, tasks, log, met=met))
            progress(done, len(categories))
    keep_added(run, log)
    pulling.write_undecided(run.files.undecided_tasks, total.undecided)
    askable.keep_refused(run.files.refused_answers, total.refused)
    pulling.write_unread(run.files.unread_decisions, total.unread)
    return total


def project_spec(
    schema: Schema,
    category: Category,
    annotators: int | None = None,
    *,
    marks: str = MASK,
    not_for: tuple[str, ...] = (),
) -> ProjectSpec:
    """The project of one category. `marks`: what marks the places of its anomalies.

    `not_for`: who decided its images before, so that somebody else is asked.
    """
    others = " and ".join(not_for)
    who = f"For anybody but {others}, who decided these images before" if others else "For annotators"
    suffix = f", not {others}"[:30] if others else ""
    return ProjectSpec(
        benchmark=schema.benchmark,
        category=category.key,
        title=f"{schema.title}: {category.name}"[: 50 - len(suffix)] + suffix,
        form=label_studio_form(category, marks, progress=PROGRESS),
        instructions=instructions(category, marks, not_for=not_for),
        description=f"{schema.title}: which kinds of defect do these images of {category.name} show?"
        f" {who}: press Label All Tasks.",
        hidden_fields=tasks.HIDDEN_FIELDS,
        annotators=annotators,
        not_for=not_for,
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
            labelled.decided,
            labelled.reviews_by_item,
            Selection(part=self.options.part, round=self.options.round),
            pulling.read_undecided(self.run.files.undecided_tasks),
        )
        items = some(labelled.proposed.dataset.by_id, [task.ranked.item_id for task in due])
        by_category: defaultdict[str, list[DueTask]] = defaultdict(list)
        for task in due:
            by_category[items[task.ranked.item_id].category].append(task)
        return by_category

    def push_category(self, category: Category, due: Sequence[DueTask]) -> PushResult:
        """Push the tasks of one category: to its first project, or to one for those who have not decided them yet."""
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
        groups: defaultdict[tuple[str, ...], list[DueTask]] = defaultdict(list)
        for task in due:
            groups[task.not_for].append(task)
        done = self._worked_on(category, is_later=any(groups))
        total = PushResult()
        for not_for, tasks_due in sorted(groups.items()):
            total.add(self._push(category, tasks_due, not_for, done))
        return total

    def _worked_on(self, category: Category, *, is_later: bool) -> dict[str, dict[TaskKey, bool]]:
        """`ToolProject.uid` of each project of a category → its tasks, and whether enough people have worked on them.

        Empty if there is only one, which a push looks at by itself. `is_later`: another one is going to be used.
        """
        found = projects(self.tool, self.run.schema, category.key)
        if len(found) < 2 and not is_later:
            return {}
        return {
            project.uid: pushing.worked_on(pushing.by_key(self.tool.existing_tasks(project)), project)
            for project in found
        }

    def _push(
        self,
        category: Category,
        due: Sequence[DueTask],
        not_for: tuple[str, ...],
        done: Mapping[str, Mapping[TaskKey, bool]],
    ) -> PushResult:
        annotators = self.options.adjudicators if not_for else self.options.annotators
        spec = project_spec(self.run.schema, category, annotators, marks=self._marks(category), not_for=not_for)
        project = self.tool.open(spec, restore_form=self.options.restore_form)
        elsewhere = {key: is_done for uid, keys in done.items() if uid != project.uid for key, is_done in keys.items()}
        check = self.check(spec.form)
        proposed, ids = self.queue.labelled.proposed, [task.ranked.item_id for task in due]
        items, answers = some(proposed.dataset.by_id, ids), some(proposed.by_item, ids)
        pictures = self._pictures(project, [items[item_id] for item_id in ids])
        made = [
            self._task(task, items[item_id], answers.get(item_id, ()), pictures[item_id], check)
            for task, item_id in zip(due, ids, strict=True)
        ]
        note = BatchNote(self.run.files.annotation_tool / f"under-way-{project.uid}.json")
        with self.run.console.stage(f"push {category.key}") as progress:
            result = pushing.push(self.tool, project, made, note, progress=progress, elsewhere=elsewhere)
        if not_for and result.sent:
            others = " and ".join(not_for)
            self.run.console.note(f"{result.sent:,} images of {category.key} wait for somebody else than {others}")
        return result

    def _marks(self, category: Category) -> str:
        """What marks places in a category: masks, boxes or both."""
        items = self.queue.labelled.proposed.dataset.by_category.get(category.key, ())
        kinds = {item.marking for item in items if item.marking}
        return MASK if "boxes" not in kinds else "mask or box" if "mask" in kinds else "box"

    def _task(
        self, due: DueTask, item: Item, proposals: Sequence[Proposal], pictures: Mapping[str, str], check: Check
    ) -> Task:
        """The task of one image. Raises AnnotationToolError for a prediction that does not fit the form."""
        content = TaskContent(
            due=due,
            item=item,
            proposals=proposals,
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
        self._look_at(next(iter(addresses.values())))
        return {
            item_id: {name: addresses[path] for name, path in pictures.items()} | task_pictures.marks(pictures)
            for item_id, pictures in drawn.items()
        }

    def _look_at(self, address: str) -> None:
        """Look whether people see a picture, before a task with its address is sent: it stays as it is sent.

        Raises AnnotationToolError if they do not. That people are there where we cannot look is only said.
        """
        try:
            why = self.tool.unshown(address)
        except LostConnection as error:
            self.run.console.note(f"whether pictures load for people was not seen: {error.message}")
            return
        if why:
            raise AnnotationToolError(
                f"pictures would not load for people: {why}",
                "behind a proxy with a path, Label Studio must know its address (LABEL_STUDIO_HOST, or serve"
                " --public-url), and the proxy must pass on /data/ there",
            )
