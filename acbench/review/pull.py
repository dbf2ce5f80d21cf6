"""Brings decisions from the desk home: what is new, changed or withdrawn becomes a new row, and nothing else.

Every annotation has a name of its own, `Review.desk`. What is known under it is compared with what is on the desk now;
running it twice changes nothing. What cannot be understood is counted and told, never guessed.
"""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from acbench.errors import StorageError
from acbench.records import GOOD, Item, Review, Verdict, is_contradictory, label_set
from acbench.review.annotation_tool import AnnotatedTask, Annotation, Key, ToolProject
from acbench.schema import Category, Schema
from acbench.schema.form import CONTROL, NOTE, VERDICTS

MAX_NOTE = 10_000
"""Characters of a comment; the rest is cut off."""
DAY = 86_400.0
"""Seconds; a longer decision is one that was left open."""
SHOWN = 20
"""So many remarks are kept."""
_NAME = re.compile(r"label-studio:([0-9a-f]{8})/([0-9]{1,9})/([0-9]{1,18})")
"""Of an annotation: project, round of the task, number."""

COUNTS = ("new", "changed", "withdrawn", "same", "skipped", "drafts", "empty", "contradictory", "unknown_class",
          "edited_form", "unknown_item", "not_ours", "task_gone", "prefilled")  # fmt: skip
"""`prefilled` are decisions all the same: somebody took a proposal over as it was, by the menu of its tab, or opened a
task of an earlier version of acbench from the project's list, where Label Studio fills the form in by itself."""


@dataclass(slots=True, kw_only=True)
class PullResult:
    """What came of pulling."""

    reviews: list[Review]
    """All of them: the old ones and the new ones."""
    counts: Counter[str] = field(default_factory=Counter)
    """By the words in `COUNTS`."""
    remarks: list[str] = field(default_factory=list)
    """What a person should look at, in sentences."""
    undecided: set[Key] = field(default_factory=set)
    """Tasks that as many people as are wanted have skipped, or left with nothing that decides."""

    def remark(self, kind: str, text: str) -> None:
        """Count something that could not be taken, and say so."""
        self.counts[kind] += 1
        if len(self.remarks) < SHOWN:
            self.remarks.append(text)


class _Refused(Exception):
    """An annotation that is no decision: one of `COUNTS`, and what to tell a person, if anything."""

    def __init__(self, kind: str, detail: str = "") -> None:
        super().__init__(kind)
        self.kind = kind
        self.detail = detail


def pull(
    project: ToolProject,
    answers: Sequence[AnnotatedTask],
    items: Mapping[str, Item],
    schema: Schema,
    earlier: Sequence[Review],
    *,
    now: datetime | None = None,
) -> PullResult:
    """Compare one project's tasks with the reviews there are, and add what is missing."""
    result = PullResult(reviews=list(earlier))
    last = _last(earlier, project)
    rounds: defaultdict[tuple[str, str], int] = defaultdict(int)
    for review in earlier:
        rounds[review.item_id, review.reviewer] = max(rounds[review.item_id, review.reviewer], review.round)
    moment = (now or datetime.now(UTC)).isoformat(timespec="seconds")
    live: dict[str, Review] = {}
    tasks: set[tuple[str, int]] = set()
    for task in sorted(answers, key=lambda each: each.number):
        key = _key(task.data)
        result.counts["drafts"] += task.drafts
        if key is None:
            result.remark("not_ours", f"task {task.number} of {project.title} was not made by acbench")
        elif key[0] not in items:
            result.remark("unknown_item", f"task {task.number}: no item {key[0][:80]!r} in this dataset")
        else:
            tasks.add(key)
            made = [_review(result, task, each, items[key[0]], key[1], schema, project) for each in task.annotations]
            live |= {decision.desk: decision for decision in made if decision is not None}
            if len(made) >= project.annotators and not any(made):
                result.undecided.add(key)
    for desk, review in sorted(live.items(), key=lambda pair: (pair[1].when, _order(pair[0]))):
        known = last.get(desk)
        if known is not None and _same(known, review):
            result.counts["same"] += 1
            continue
        result.counts["new" if known is None else "changed"] += 1
        _add(result, replace(review, reviewer=known.reviewer if known else review.reviewer), rounds)
    for desk, known in sorted(last.items(), key=lambda pair: _order(pair[0])):
        if desk in live or known.verdict == "withdrawn":
            continue
        if (known.item_id, _order(desk)[0]) not in tasks:
            if known.item_id in items:
                result.remark("task_gone", f"the task of {known.item_id} is not in {project.title} any more; what"
                              f" {known.reviewer} decided there stands")  # fmt: skip
            continue
        result.counts["withdrawn"] += 1
        gone = replace(known, verdict="withdrawn", labels=(), note="", seconds=None, when=moment)
        _add(result, replace(gone, schema_version=schema.version), rounds)
    return result


def merge(parts: Iterable[PullResult], reviews: list[Review]) -> PullResult:
    """Of several projects, one after the other; `reviews` are those after the last."""
    total = PullResult(reviews=reviews)
    for part in parts:
        total.counts.update(part.counts)
        total.remarks += part.remarks
        total.undecided |= part.undecided
    return total


def undecided(path: Path) -> set[Key]:
    """What the last pull kept as `PullResult.undecided`. Raises StoreError if that is damaged."""
    if not path.exists():
        return set()
    try:
        return {(str(item), int(turn)) for item, turn in json.loads(path.read_bytes())}
    except (ValueError, TypeError) as error:
        raise StorageError(f"{path} is damaged: {error}", f"rm {path}, then: acbench review pull") from None


def last_round(reviews: Iterable[Review]) -> int:
    """The highest round of the desk's tasks that some reviews of one item are from; 0 if none is."""
    return max((_order(each.desk)[0] for each in reviews if _NAME.fullmatch(each.desk)), default=0)


def _last(reviews: Sequence[Review], project: ToolProject) -> dict[str, Review]:
    """The latest row of each annotation of a project."""
    found: dict[str, Review] = {}
    for review in sorted(reviews, key=lambda each: each.round):
        name = _NAME.fullmatch(review.desk)
        if name is not None and name[1] == project.uid:
            found[review.desk] = review
    return found


def _order(desk: str) -> tuple[int, int]:
    """Round of the task and number of the annotation."""
    _, turn, number = desk.split("/")
    return int(turn), int(number)


def _key(data: Mapping[str, Any]) -> tuple[str, int] | None:
    item, turn = data.get("item_id"), data.get("round")
    return (item, turn) if isinstance(item, str) and type(turn) is int else None


def _add(result: PullResult, review: Review, rounds: dict[tuple[str, str], int]) -> None:
    rounds[review.item_id, review.reviewer] += 1
    result.reviews.append(replace(review, round=rounds[review.item_id, review.reviewer]))


def _same(one: Review, other: Review) -> bool:
    return (one.verdict, one.labels, one.note) == (other.verdict, other.labels, other.note)


def _review(
    result: PullResult,
    task: AnnotatedTask,
    found: Annotation,
    item: Item,
    turn: int,
    schema: Schema,
    project: ToolProject,
) -> Review | None:
    """The decision of one annotation; None, and a remark, if it is none."""
    category = schema.category(item.category)
    try:
        if found.skipped:
            raise _Refused("skipped")
        if category is None:
            raise _Refused("unknown_item", f"the schema has no category {item.category}")
        verdict, labels, note = _decision(found.result, category)
    except _Refused as why:
        if why.detail:
            where = f"task {task.number} ({item.image}), annotation {found.number} by {found.author}"
            result.remark(why.kind, f"{where}: {why.detail}")
        else:
            result.counts[why.kind] += 1
        return None
    result.counts["prefilled"] += any(str(part.get("origin")).startswith("prediction") for part in found.result)
    shown = task.data.get("shown")
    seconds = found.seconds
    return Review(
        item_id=item.item_id,
        reviewer=found.author,
        round=0,
        verdict=verdict,
        labels=labels,
        note=note,
        shown=tuple(sorted(map(str, shown))) if isinstance(shown, list) else (),
        seconds=round(seconds, 1) if seconds is not None and 0 <= seconds <= DAY else None,
        when=found.when,
        desk=f"label-studio:{project.uid}/{turn}/{found.number}",
        schema_version=schema.version,
    )


def _decision(result: Sequence[Any], category: Category) -> tuple[Verdict, tuple[str, ...], str]:
    """Verdict, labels and note of an annotation's parts. Raises _Refused."""
    chosen: list[str] = []
    note: list[str] = []
    for part in result:
        value = part.get("value") if isinstance(part, dict) else None
        name = part.get("from_name") if isinstance(part, dict) else None
        if name == CONTROL and isinstance(value, dict) and isinstance(value.get("choices"), list):
            chosen += map(str, value["choices"])
        elif name == NOTE and isinstance(value, dict) and isinstance(value.get("text"), list | str):
            text = value["text"]
            note += [text] if isinstance(text, str) else map(str, text)
        else:
            raise _Refused("edited_form", f"it holds {str(name)[:80]!r}, which is not in acbench's form")
    known = {GOOD, *category.class_ids, *VERDICTS}
    if unknown := sorted(set(chosen) - known):
        raise _Refused("unknown_class", f"{', '.join(unknown)[:200]} is no class of {category.key}")
    verdicts, labels = [each for each in VERDICTS if each in chosen], label_set(set(chosen) - VERDICTS.keys())
    comment = " ".join("\n".join(note).split())[:MAX_NOTE]
    if not chosen:
        raise _Refused("empty", "nothing is chosen")
    if len(verdicts) > 1 or (verdicts and labels) or is_contradictory(labels):
        raise _Refused("contradictory", f"{', '.join(sorted(chosen))} do not go together")
    if not verdicts:
        return "label", labels, comment
    verdict: dict[str, Verdict] = {"unsure": "unsure", "bad_image": "bad_image", "bad_mask": "bad_mask"}
    return verdict[verdicts[0]], (), comment
