"""Turns what people mark in the FiftyOne App into reviews: tags on an image or its labels, another class in a label.

A tag that names a class of the image's category decides its label; several such tags decide a set. `good`, `bad_image`,
`bad_mask` and `unsure` decide as in the queue. `recheck`, or `recheck: why`, asks for another look: until somebody
decides it, the image comes first in the queue. `undo` takes back what the reviewer decided about the image in the App.
Other tags are left alone, and named with their image. What cannot be taken holds back nothing else.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from acbench.errors import ReviewError
from acbench.records import GOOD, JOIN, Item, Review, label_set
from acbench.review.decisions import (
    Decision,
    DecisionError,
    classes_named,
    clean_note,
    decide,
    reviewer_name,
    verdict_named,
)
from acbench.review.former import as_read
from acbench.review.history import ReviewLog, Statement, current_reviews
from acbench.schema import Category, fold
from acbench.storage.stored_rows import some

if TYPE_CHECKING:
    from acbench.review.app_records import AppMark

RECHECK, UNDO = "recheck", "undo"
DESK = "fiftyone"
"""How `Review.desk` of a decision from the App begins."""
MANY = 20
"""More images with one mark are taken for a mistake: if nothing is selected, the App tags all images in sight."""


@dataclass(slots=True, kw_only=True)
class CollectCounts:
    """How many marks were of each kind."""

    decided: int = 0
    recheck: int = 0
    undone: int = 0
    same: int = 0
    """Known already."""


@dataclass(slots=True, kw_only=True)
class CollectResult:
    """What came of collecting marks."""

    counts: CollectCounts = field(default_factory=CollectCounts)
    taken: list[AppMark] = field(default_factory=list)
    """The marks that said something, with only those tags that did."""
    other_tags: list[tuple[str, str]] = field(default_factory=list)
    """(image, tag) of each tag that is neither a class of its image nor a word of acbench."""
    problems: list[str] = field(default_factory=list)
    """The image of each mark that was not taken, and why."""


def collect(
    marks: Iterable[AppMark], log: ReviewLog, *, reviewer: str, when: str, shown: Mapping[str, tuple[str, ...]]
) -> CollectResult:
    """Add the marks of one reviewer to the log. Those that cannot be taken are listed, and the others are taken.

    `when`: UTC, ISO 8601. `shown`: item_id → proposers whose answers were in sight. Raises ReviewError for a name that
    is none.
    """
    ordered = sorted(marks, key=lambda mark: mark.item_id)
    marked = [mark.item_id for mark in ordered]
    try:
        collector = _Collector(log, reviewer_name(reviewer), when, some(shown, marked))
    except DecisionError as error:
        raise ReviewError(str(error), "give --reviewer NAME") from None
    result = CollectResult()
    items = some(log.items, marked)
    for mark in ordered:
        item = items.get(mark.item_id)
        if item is None:
            result.problems.append(f"{mark.item_id}: there is no such image in this benchmark any more")
            continue
        try:
            statements = collector.read(mark, item, result)
        except DecisionError as error:
            result.problems.append(f"{item.image}: {error}")
            continue
        if statements:
            log.add(*statements)
    return result


def refuse_mistakes(reviews: Iterable[Review], items: Mapping[str, Item]) -> None:
    """Raise ReviewError if new reviews look as if somebody had tagged all images in sight by mistake."""
    by_mark: defaultdict[str, list[str]] = defaultdict(list)
    for review in reviews:
        mark = JOIN.join(review.labels) or (RECHECK if review.verdict == "unsure" else review.verdict)
        by_mark[mark].append(review.item_id)
    known = some(items, {item_id for marked in by_mark.values() for item_id in marked})
    for mark, marked in by_mark.items():
        train = sum(not known[item_id].is_at_stake for item_id in marked)
        problem = ""
        if len(marked) > MANY:
            problem = f"{len(marked):,} images are marked {mark}, {train:,} of them training images"
        elif train and mark not in (GOOD, RECHECK, "bad_image", "withdrawn"):
            problem = f"training images, which are normal, are marked {mark} ({train:,} of them)"
        if problem:
            raise ReviewError(
                f"{problem}, so nothing was taken",
                "if that is meant, run the command again with --yes; if not, take the tag off in the App",
            )


@dataclass(frozen=True, slots=True)
class _Collector:
    """Reads the marks of one person."""

    log: ReviewLog
    reviewer: str
    when: str
    shown: Mapping[str, tuple[str, ...]]

    def read(self, mark: AppMark, item: Item, result: CollectResult) -> list[Statement]:
        """What one mark says: nothing if it decides nothing, or nothing new. Raises DecisionError."""
        category = self.log.category(item)
        own_tags = tuple(tag for tag in mark.tags if _is_own(tag, category))
        result.other_tags += [(item.image, tag) for tag in mark.tags if tag not in own_tags]
        if not own_tags and mark.new_label is None:
            return []
        mark = replace(mark, tags=own_tags)
        decision = _decision(mark, category)
        desks = self._desks(mark, decision)
        result.taken.append(mark)
        last = next(iter(current_reviews(self.log.of_reviewer(mark.item_id, self.reviewer))), None)
        if not desks or (last is not None and Decision.of(as_read(last, category)) == decision):
            result.counts.same += 1
            return []
        _count(result.counts, mark, decision)
        return [
            Statement(
                item_id=mark.item_id,
                reviewer=self.reviewer,
                decision=decision,
                shown=(proposers := self.shown.get(mark.item_id, ())),
                sight="seen" if proposers else "none",
                when=self.when,
                desk=desk,
            )
            for desk in desks
        ]

    def _desks(self, mark: AppMark, decision: Decision) -> list[str]:
        """Where the decision counts: at the sample; to take back, wherever in the App a decision still stands."""
        if decision.verdict != "withdrawn":
            return [f"{DESK}:{mark.sample}"]
        return standing_desks(self.log, mark.item_id, self.reviewer)


def standing_desks(log: ReviewLog, item_id: str, reviewer: str) -> list[str]:
    """Where in the App decisions of a reviewer about an image still stand. Raises DecisionError if it was never any."""
    by_desk: defaultdict[str, list[Review]] = defaultdict(list)
    for review in log.of_reviewer(item_id, reviewer):
        if review.desk.startswith(DESK):
            by_desk[review.desk].append(review)
    if not by_desk:
        raise DecisionError("unknown", f"{reviewer} has decided nothing about it in the App")
    return sorted(desk for desk, history in by_desk.items() if current_reviews(history))


def _count(counts: CollectCounts, mark: AppMark, decision: Decision) -> None:
    if decision.verdict == "withdrawn":
        counts.undone += 1
    elif any(map(_is_recheck, mark.tags)):
        counts.recheck += 1
    else:
        counts.decided += 1


# Reading


def _decision(mark: AppMark, category: Category | None) -> Decision:
    """What a mark decides. Raises DecisionError."""
    if any(map(_is_undo, mark.tags)):
        if len(mark.tags) > 1 or mark.new_label is not None:
            raise DecisionError("contradictory", f"it says {UNDO}, and more: collect one at a time")
        return Decision(verdict="withdrawn")
    labels = _labels(mark, category)
    rechecks = [tag for tag in mark.tags if _is_recheck(tag)]
    if rechecks:
        return Decision(verdict="unsure", note=_recheck_note(rechecks, labels))
    verdicts = [verdict for tag in mark.tags if (verdict := verdict_named(tag))]
    before = _ids(mark.label_before, category)
    note = f"was {before}" if labels and before not in ("", JOIN.join(labels)) else ""
    return decide(verdicts, labels, note)


def _labels(mark: AppMark, category: Category | None) -> tuple[str, ...]:
    """The class ids that tags and a new label name. Raises DecisionError if they differ."""
    class_tags = [tag for tag in mark.tags if not _is_recheck(tag) and not verdict_named(tag)]
    by_tags = label_set(class_id for tag in class_tags for class_id in classes_named(tag, category))
    if mark.new_label is None:
        return by_tags
    try:
        labels = classes_named(mark.new_label, category)
    except DecisionError as error:
        raise DecisionError(error.kind, f"its label was changed: {error}") from None
    if class_tags and by_tags != labels:
        text = f"its label says {mark.new_label[:100]}, its tags say {', '.join(class_tags)}"
        raise DecisionError("contradictory", text)
    return labels


def _ids(shown: str, category: Category | None) -> str:
    """The class ids of a label that the App showed by name; the label itself if it names none."""
    try:
        return JOIN.join(classes_named(shown, category)) if shown else ""
    except DecisionError:
        return shown


def _recheck_note(rechecks: Sequence[str], labels: Sequence[str]) -> str:
    why = "; ".join(text for tag in rechecks if (text := tag.partition(":")[2].strip()))
    perhaps = f"perhaps {JOIN.join(labels)}" if labels else ""
    return clean_note("; ".join(filter(None, (why, perhaps))))


def _is_own(tag: str, category: Category | None) -> bool:
    """Whether a tag is a word of acbench or names classes of the category."""
    return _is_recheck(tag) or _is_undo(tag) or verdict_named(tag) is not None or _names_classes(tag, category)


def _names_classes(tag: str, category: Category | None) -> bool:
    try:
        classes_named(tag, category)
    except DecisionError:
        return False
    return True


def _is_recheck(tag: str) -> bool:
    return fold(tag.partition(":")[0]) == RECHECK


def _is_undo(tag: str) -> bool:
    return fold(tag) == UNDO
