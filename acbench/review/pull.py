"""Makes reviews of what people decided in an annotation tool: new, changed and withdrawn decisions become new rows.

Every annotation has a name, `Review.desk`. What the reviews hold under that name is compared with what the tool holds
now, so that a second pull changes nothing. What is not a decision is counted and reported, never guessed.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from acbench.errors import StorageError
from acbench.records import Item, Review
from acbench.review import askable
from acbench.review.annotation_tool import AnnotatedTask, Annotation, TaskKey, ToolProject, task_key
from acbench.review.decisions import Decision, DecisionError, read_chosen
from acbench.review.history import ReviewLog, Statement
from acbench.schema import Category
from acbench.schema.form import CONTROL, NOTE
from acbench.storage.atomic import write_bytes

MAX_NOTE = 10_000
"""Characters of a comment; the rest is cut off."""
MAX_SECONDS = 86_400.0
"""One day; a decision that took longer was left open, and its time is not kept."""
MAX_REMARKS = 20
"""How many remarks are kept."""

COUNTS = ("new", "changed", "withdrawn", "same", "skipped", "drafts", "empty", "contradictory", "unknown_class",
          "edited_form", "unknown_item", "not_ours", "task_gone", "prefilled", "nobody", "asked_before")  # fmt: skip
"""What a pull counts. `prefilled` decisions are decisions all the same: somebody took a proposal over as it was, by the
menu of its tab, or opened a task of an earlier version of acbench from the project's list, where Label Studio fills in
the form by itself."""


@dataclass(slots=True, kw_only=True)
class PullResult:
    """What came of pulling."""

    counts: Counter[str] = field(default_factory=Counter)
    """By the words in `COUNTS`."""
    remarks: list[str] = field(default_factory=list)
    """What a person should look at, in sentences."""
    undecided: set[TaskKey] = field(default_factory=set)
    """Tasks that enough people have worked on, and all of them skipped or left without a decision."""
    refused: list[askable.RefusedAnswer] = field(default_factory=list)
    """Answers of people who should not have been asked."""

    def remark(self, kind: str, text: str) -> None:
        """Count something that could not be taken, and say so."""
        self.counts[kind] += 1
        if len(self.remarks) < MAX_REMARKS:
            self.remarks.append(text)

    def add(self, other: PullResult) -> None:
        """Add what came of another project."""
        self.counts.update(other.counts)
        self.remarks += other.remarks
        self.undecided |= other.undecided
        self.refused += other.refused


@dataclass(frozen=True, slots=True, order=True)
class AnnotationName:
    """The name of an annotation, as `Review.desk` holds it."""

    round: int
    """Round of the task."""
    number: int
    """Number of the annotation in the tool."""
    project: str
    """`ToolProject.uid`."""

    @classmethod
    def parse(cls, desk: str) -> AnnotationName | None:
        """The annotation that a desk names; None if it names none."""
        match = re.fullmatch(r"label-studio:([0-9a-f]{8})/([0-9]{1,9})/([0-9]{1,18})", desk)
        return cls(int(match[2]), int(match[3]), match[1]) if match else None

    def __str__(self) -> str:
        return f"label-studio:{self.project}/{self.round}/{self.number}"


def pull(
    project: ToolProject, tasks: Iterable[AnnotatedTask], log: ReviewLog, *, now: datetime | None = None
) -> PullResult:
    """Add to the log what people decided, changed or took back in one project since the last pull."""
    result = PullResult()
    before = _last_rows(log.reviews, project)
    reading = _ProjectPull(project, log, result, before)
    for task in sorted(tasks, key=lambda task: task.number):
        reading.read(task)
    reading.add_decisions(before)
    reading.add_withdrawals(before, (now or datetime.now(UTC)).isoformat(timespec="seconds"))
    return result


def last_round(reviews: Iterable[Review]) -> int:
    """The highest round of a task that reviews of one item come from; 0 if none comes from a task."""
    names = (AnnotationName.parse(review.desk) for review in reviews)
    return max((name.round for name in names if name is not None), default=0)


def read_undecided(path: Path) -> set[TaskKey]:
    """The tasks that `write_undecided` kept. Raises StorageError if the file is damaged."""
    if not path.exists():
        return set()
    try:
        return {(str(item_id), int(number)) for item_id, number in json.loads(path.read_bytes())}
    except (ValueError, TypeError) as error:
        raise StorageError(f"{path} is damaged: {error}", f"rm {path}, then: acbench review pull") from None


def write_undecided(path: Path, keys: Iterable[TaskKey]) -> None:
    """Keep `PullResult.undecided` for the next push."""
    write_bytes(path, json.dumps(sorted(keys)).encode())


# Rows


def _last_rows(reviews: Sequence[Review], project: ToolProject) -> dict[AnnotationName, Review]:
    """The latest row of each annotation of a project."""
    rows: dict[AnnotationName, Review] = {}
    for review in sorted(reviews, key=lambda review: review.round):
        name = AnnotationName.parse(review.desk)
        if name is not None and name.project == project.uid:
            rows[name] = review
    return rows


def _withdrawn(known: Review, when: str) -> Statement:
    return Statement(
        item_id=known.item_id,
        reviewer=known.reviewer,
        decision=Decision(verdict="withdrawn"),
        shown=known.shown,
        when=when,
        desk=known.desk,
    )


# Reading


@dataclass(slots=True)
class _ProjectPull:
    """Reads the tasks of one project, and adds what people decided to the log."""

    project: ToolProject
    log: ReviewLog
    result: PullResult
    before: Mapping[AnnotationName, Review]
    """The latest row of each annotation that was taken before."""
    decided: dict[AnnotationName, Statement] = field(default_factory=dict)
    tasks: set[TaskKey] = field(default_factory=set)
    """Tasks of this benchmark that are in the project."""

    def read(self, task: AnnotatedTask) -> None:
        """Read all annotations of one task."""
        self.result.counts["drafts"] += task.drafts
        key = task_key(task.data)
        if key is None:
            self.result.remark("not_ours", f"task {task.number} of {self.project.title} was not made by acbench")
            return
        item = self.log.items.get(key[0])
        if item is None:
            self.result.remark("unknown_item", f"task {task.number}: no item {key[0][:80]!r} in this dataset")
            return
        self.tasks.add(key)
        decided = [self._read(annotation, task, item, key) for annotation in task.annotations]
        if len(decided) >= self.project.annotators and not any(decided):
            self.result.undecided.add(key)

    def add_decisions(self, before: Mapping[AnnotationName, Review]) -> None:
        """Add what is new or changed since `before`, in the order in which it was decided."""
        for name, statement in sorted(self.decided.items(), key=lambda pair: (pair[1].when, pair[0])):
            known = before.get(name)
            if known is None:
                self.result.counts["new"] += 1
                self.log.add(statement)
            elif Decision.of(known) == statement.decision:
                self.result.counts["same"] += 1
            else:
                self.result.counts["changed"] += 1
                self.log.add(replace(statement, reviewer=known.reviewer))

    def add_withdrawals(self, before: Mapping[AnnotationName, Review], when: str) -> None:
        """Take back what was decided `before` and is decided no more, unless the task is gone too."""
        for name, known in sorted(before.items()):
            if name in self.decided or known.verdict == "withdrawn":
                continue
            if (known.item_id, name.round) in self.tasks:
                self.result.counts["withdrawn"] += 1
                self.log.add(_withdrawn(known, when))
            elif known.item_id in self.log.items:
                what = f"the task of {known.item_id} is not in {self.project.title} any more"
                self.result.remark("task_gone", f"{what}; what {known.reviewer} decided there stands")

    def _read(self, annotation: Annotation, task: AnnotatedTask, item: Item, key: TaskKey) -> bool:
        """Read one annotation; gives whether it is a decision."""
        if annotation.skipped:
            self.result.counts["skipped"] += 1
            return False
        try:
            decision = _decision(annotation.result, self.log.category(item))
        except DecisionError as error:
            where = f"task {task.number} ({item.image}), annotation {annotation.number} by {annotation.author}"
            self.result.remark(error.kind, f"{where}: {error}")
            return False
        name = AnnotationName(key[1], annotation.number, self.project.uid)
        earlier = self.log.of_reviewer(item.item_id, annotation.author)
        if name not in self.before and (answer := askable.refused(task, annotation, key[1], earlier)):
            self.result.refused.append(answer)
            self.result.remark(answer.kind, f"{item.image}, {answer}")
            return False
        self.result.counts["prefilled"] += any(map(_is_from_proposal, annotation.result))
        seconds = annotation.seconds
        self.decided[name] = Statement(
            item_id=item.item_id,
            reviewer=annotation.author,
            decision=decision,
            shown=_shown(task.data),
            seconds=round(seconds, 1) if seconds is not None and 0 <= seconds <= MAX_SECONDS else None,
            when=annotation.when,
            desk=str(name),
        )
        return True


def _decision(result: Sequence[object], category: Category | None) -> Decision:
    """The decision in the parts of an annotation. Raises DecisionError."""
    if category is None:
        raise DecisionError("unknown_item", "its category is not in the schema")
    chosen: set[str] = set()
    comments: list[str] = []
    for part in result:
        name, value = _control(part)
        if name == CONTROL and isinstance(choices := value.get("choices"), list):
            chosen.update(map(str, choices))
        elif name == NOTE and isinstance(text := value.get("text"), list | str):
            comments += [text] if isinstance(text, str) else map(str, text)
        else:
            raise DecisionError("edited_form", f"it holds {name[:80]!r}, which is not in acbench's form")
    note = " ".join("\n".join(comments).split())[:MAX_NOTE]
    return read_chosen(chosen, category, note)


def _control(part: object) -> tuple[str, Mapping[str, object]]:
    """Name of the control that a part of an annotation comes from, and its value."""
    if not isinstance(part, dict):
        return str(None), {}
    value = part.get("value")
    return str(part.get("from_name")), value if isinstance(value, dict) else {}


def _is_from_proposal(part: object) -> bool:
    return isinstance(part, dict) and str(part.get("origin")).startswith("prediction")


def _shown(data: Mapping[str, object]) -> tuple[str, ...]:
    """The proposers whose answers the task showed."""
    shown = data.get("shown")
    return tuple(sorted(map(str, shown))) if isinstance(shown, list) else ()
