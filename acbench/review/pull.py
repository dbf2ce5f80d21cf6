"""Makes reviews of what people decided in an annotation tool: new, changed and withdrawn decisions become new rows.

Every annotation has a name, `Review.desk`. What the reviews hold under that name is compared with what the tool holds
now, so that a second pull changes nothing. What is not a decision is counted and reported, never guessed.
"""

from __future__ import annotations

import json
import re
import shlex
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from acbench._util.text import tidy
from acbench.records import Item, Review, Sight
from acbench.review import askable
from acbench.review.annotation_tool import AnnotatedTask, Annotation, TaskKey, ToolProject, task_key
from acbench.review.decisions import CUT, MAX_NAME, MAX_NOTE, Decision, DecisionError, read_chosen
from acbench.review.history import AnnotationName, ReviewLog, Statement
from acbench.schema import Category
from acbench.schema.form import CONTROL, NOTE
from acbench.storage.atomic import write_bytes
from acbench.storage.stored_rows import some
from acbench.storage.typed_json import read_if_there

MAX_SECONDS = 86_400.0
"""One day; a decision that took longer was left open, and its time is not kept."""
MAX_REMARKS = 20
"""How many remarks are kept."""
MAX_REMARK = 500
"""Characters of a remark."""
MAX_SHOWN = 100
"""How many proposers of a task are kept."""
CLASS_ID = re.compile(r"[a-z0-9][a-z0-9_-]{0,99}")
"""A class id, as label schemas have it."""

COUNTS = ("new", "changed", "withdrawn", "same", "skipped", "drafts", "empty", "contradictory", "unknown_class",
          "edited_form", "former_class", "unknown_item", "not_ours", "task_gone", "cut", "prefilled",
          "nobody", "asked_before")  # fmt: skip
"""What a pull counts. `former_class` decisions name classes that the schema no longer has; they are kept as they are.
`prefilled` decisions are decisions all the same: somebody took a proposal over as it was, by the
menu of its tab, or opened a task of an earlier version of acbench from the project's list, where Label Studio fills in
the form by itself."""


@dataclass(slots=True, kw_only=True)
class PullResult:
    """What came of pulling."""

    counts: Counter[str] = field(default_factory=Counter)
    """By the words in `COUNTS`."""
    remarks: list[str] = field(default_factory=list)
    """What a person should look at, in sentences."""
    unread: Counter[str] = field(default_factory=Counter)
    """Kind of fault → annotations that cannot be read. What was decided there before stands."""
    undecided: set[TaskKey] = field(default_factory=set)
    """Tasks that enough people have worked on, and all of them skipped or left without a decision."""
    refused: list[askable.RefusedAnswer] = field(default_factory=list)
    """Answers of people who should not have been asked."""

    def remark(self, kind: str, text: str) -> None:
        """Count something that could not be taken, and say so."""
        self.counts[kind] += 1
        if len(self.remarks) < MAX_REMARKS:
            self.remarks.append(tidy(text, MAX_REMARK))

    def add(self, other: PullResult) -> None:
        """Add what came of another project."""
        self.counts.update(other.counts)
        self.remarks += other.remarks
        self.unread.update(other.unread)
        self.undecided |= other.undecided
        self.refused += other.refused


Met = defaultdict[tuple[str, str], list[tuple[int, Sequence[str]]]]
"""item_id and person → round of each task that they opened, skipped ones too, and the proposers in reach there."""


def pull(
    project: ToolProject,
    tasks: Iterable[AnnotatedTask],
    log: ReviewLog,
    *,
    met: Met | None = None,
    now: datetime | None = None,
) -> PullResult:
    """Add to the log what people decided, changed or took back in one project since the last pull.

    `met`: what people opened in the projects of earlier rounds; what they opened in this one is added.
    """
    result = PullResult()
    rows = _rows(log.reviews, project)
    seen = defaultdict(list) if met is None else met
    named = {name: {label for row in own for label in row.labels} for name, own in rows.items()}
    before = {name: own[-1] for name, own in rows.items()}
    ordered = sorted(tasks, key=lambda task: task.number)
    asked = {key[0] for task in ordered if (key := task_key(task.data))}
    items = some(log.items, asked | {review.item_id for review in before.values()})
    reading = _ProjectPull(project, log, items, result, before, named, seen)
    for task in ordered:
        reading.read(task)
    reading.add_decisions()
    reading.add_withdrawals((now or datetime.now(UTC)).isoformat(timespec="seconds"))
    return result


def last_round(reviews: Iterable[Review]) -> int:
    """The highest round of a task that reviews of one item come from; 0 if none comes from a task."""
    names = (AnnotationName.parse(review.desk) for review in reviews)
    return max((name.round for name in names if name is not None), default=0)


def read_undecided(path: Path) -> set[TaskKey]:
    """The tasks that `write_undecided` kept. Raises StorageError if the file is damaged."""
    hint = f"rm {shlex.quote(str(path))}, then: acbench review pull"
    return set(read_if_there(path, list[TaskKey], hint=hint) or ())


def write_undecided(path: Path, keys: Iterable[TaskKey]) -> None:
    """Keep `PullResult.undecided` for the next push."""
    write_bytes(path, json.dumps(sorted(keys)).encode())


def read_unread(path: Path) -> dict[str, int]:
    """What `write_unread` kept: `PullResult.unread`. Raises StorageError if the file is damaged."""
    return read_if_there(path, dict[str, int], hint=f"rm {shlex.quote(str(path))}, then: acbench review pull") or {}


def write_unread(path: Path, counts: Mapping[str, int]) -> None:
    """Keep `PullResult.unread`, so that it can be told until the next pull."""
    write_bytes(path, json.dumps(dict(sorted(counts.items()))).encode())


# Rows


def _rows(reviews: Sequence[Review], project: ToolProject) -> dict[AnnotationName, list[Review]]:
    """The rows of each annotation of a project, the latest one last."""
    rows: defaultdict[AnnotationName, list[Review]] = defaultdict(list)
    for review in sorted(reviews, key=lambda review: review.round):
        name = AnnotationName.parse(review.desk)
        if name is not None and name.project == project.uid:
            rows[name].append(review)
    return dict(rows)


def _withdrawn(known: Review, when: str) -> Statement:
    return Statement(
        item_id=known.item_id,
        reviewer=known.reviewer,
        decision=Decision(verdict="withdrawn"),
        shown=known.shown,
        sight=known.sight,
        when=when,
        desk=known.desk,
    )


# Reading


@dataclass(slots=True)
class _ProjectPull:
    """Reads the tasks of one project, and adds what people decided to the log."""

    project: ToolProject
    log: ReviewLog
    items: Mapping[str, Item]
    """item_id → item, of those that are asked about or were, as far as the dataset has them."""
    result: PullResult
    before: Mapping[AnnotationName, Review]
    """The latest row of each annotation."""
    named: Mapping[AnnotationName, set[str]]
    """The class ids that the rows of each annotation name."""
    met: Met
    decided: dict[AnnotationName, Statement] = field(default_factory=dict)
    unread: set[AnnotationName] = field(default_factory=set)
    """Annotations that are there and cannot be read."""
    tasks: set[TaskKey] = field(default_factory=set)
    """Tasks of this benchmark that are in the project."""

    def read(self, task: AnnotatedTask) -> None:
        """Read all annotations of one task."""
        self.result.counts["drafts"] += task.drafts
        key = task_key(task.data)
        if key is None:
            self.result.remark("not_ours", f"task {task.number} of {self.project.title} was not made by acbench")
            return
        item = self.items.get(key[0])
        if item is None:
            self.result.remark("unknown_item", f"task {task.number}: no item {key[0][:80]!r} in this dataset")
            return
        self.tasks.add(key)
        decided = [self._read(annotation, task, item, key) for annotation in task.annotations]
        if len(decided) >= self.project.annotators and not any(decided):
            self.result.undecided.add(key)

    def add_decisions(self) -> None:
        """Add what is new or changed, in the order in which it was decided."""
        for name, statement in sorted(self.decided.items(), key=lambda pair: (pair[1].when, pair[0])):
            known = self.before.get(name)
            if known is None:
                self.result.counts["new"] += 1
                self.log.add(statement)
            elif Decision.of(known) == statement.decision:
                self.result.counts["same"] += 1
            else:
                self.result.counts["changed"] += 1
                self.log.add(replace(statement, reviewer=known.reviewer))

    def add_withdrawals(self, when: str) -> None:
        """Take back what was decided before and is decided no more, unless the task is gone too.

        People take back: they skip the task, empty the form, or delete what they said. What merely cannot be read any
        more, by an edit of the schema or of the form, stands.
        """
        for name, known in sorted(self.before.items()):
            if name in self.decided or name in self.unread or known.verdict == "withdrawn":
                continue
            if (known.item_id, name.round) in self.tasks:
                self.result.counts["withdrawn"] += 1
                self.log.add(_withdrawn(known, when))
            elif known.item_id in self.items:
                what = f"the task of {known.item_id} is not in {self.project.title} any more"
                self.result.remark("task_gone", f"{what}; what {known.reviewer} decided there stands")

    def _read(self, annotation: Annotation, task: AnnotatedTask, item: Item, key: TaskKey) -> bool:
        """Read one annotation; gives whether it is a decision."""
        author = tidy(annotation.author, MAX_NAME) or "unknown"
        shown = _texts(task.data.get("shown"))
        met = self.met[item.item_id, author]
        met.append((key[1], shown))
        if annotation.skipped:
            self.result.counts["skipped"] += 1
            return False
        name = AnnotationName(key[1], annotation.number, self.project.uid)
        category = self.log.category(item)
        try:
            if AnnotationName.parse(str(name)) is None:
                raise DecisionError("edited_form", "its number cannot be")
            offered = {*_offered(task.data), *self.named.get(name, ())}
            decision = _decision(annotation.result, category, offered)
        except DecisionError as error:
            where = f"task {task.number} ({item.image}), annotation {annotation.number} by {author}"
            self.result.remark(error.kind, f"{where}: {error}")
            if error.kind != "empty":  # somebody emptied the form
                self.unread.add(name)
                self.result.unread[error.kind] += 1
            return False
        earlier = self.log.of_reviewer(item.item_id, author)
        said = replace(annotation, author=author)
        if name not in self.before and (answer := askable.refused(task, said, key[1], earlier)):
            self.result.refused.append(answer)
            self.result.remark(answer.kind, f"{item.image}, {answer}")
            return False
        if decision.note.endswith(CUT):
            self.result.remark("cut", f"the note of {author} about {item.image} is longer than {MAX_NOTE:,} characters")
        self.result.counts["prefilled"] += any(map(_is_from_proposal, annotation.result))
        self.result.counts["former_class"] += bool(category and not all(map(category.present, decision.labels)))
        seconds = annotation.seconds
        before = tuple(sorted({name for number, names in met if number < key[1] for name in names}))
        self.decided[name] = Statement(
            item_id=item.item_id,
            reviewer=author,
            decision=decision,
            shown=shown or before,
            sight="earlier" if before and not shown else _sight(task.data, shown),
            seconds=round(seconds, 1) if seconds is not None and 0 <= seconds <= MAX_SECONDS else None,
            when=annotation.when,
            desk=str(name),
            settles=task.data.get("reviewed") is True,
            schema_version=tidy(version, 100) if isinstance(version := task.data.get("schema"), str) else "",
        )
        return True


def _decision(result: Sequence[object], category: Category | None, offered: Collection[str]) -> Decision:
    """The decision in the parts of an annotation. `offered`: the class ids of its form. Raises DecisionError."""
    if category is None:
        raise DecisionError("unknown_item", "its category is not in the schema")
    chosen: set[str] = set()
    comments: list[str] = []
    for part in result:
        name, value = _control(part)
        if name == CONTROL and isinstance(ids := value.get("choices"), list):
            chosen.update(map(str, ids))
        elif name == NOTE and isinstance(text := value.get("text"), list | str):
            comments += [text] if isinstance(text, str) else map(str, text)
        else:
            raise DecisionError("edited_form", f"it holds {tidy(name, 80)!r}, which is not in acbench's form")
    former = {name for name in chosen if name in offered or (CLASS_ID.fullmatch(name) and category.present(name))}
    return read_chosen(chosen, category, " ".join(" ".join(comments).split()), former=former)


def _control(part: object) -> tuple[str, Mapping[str, object]]:
    """Name of the control that a part of an annotation comes from, and its value."""
    if not isinstance(part, dict):
        return str(None), {}
    value = part.get("value")
    return str(part.get("from_name")), value if isinstance(value, dict) else {}


def _is_from_proposal(part: object) -> bool:
    return isinstance(part, dict) and str(part.get("origin")).startswith("prediction")


def _sight(data: Mapping[str, object], shown: Sequence[str]) -> Sight:
    """What a task let people know of proposals, which its page shows folded.

    A task of an earlier version does not say whether anything was proposed that it hid.
    """
    if shown:
        return "available"
    hides = data.get("blind") is True and data.get("proposed") != 0
    return "blind" if hides or "blind" not in data else "none"


def _offered(data: Mapping[str, object]) -> tuple[str, ...]:
    """The class ids that a task's form offered; none for a task of an earlier version, which does not say."""
    return tuple(name for name in _texts(data.get("classes")) if CLASS_ID.fullmatch(name))


def _texts(value: object) -> tuple[str, ...]:
    """A list of names in a task's data, sorted; empty for anything else."""
    if not isinstance(value, list):
        return ()
    return tuple(sorted(tidy(str(name), MAX_NAME) for name in value[:MAX_SHOWN]))
