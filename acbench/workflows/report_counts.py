"""Counts what the report tells of labels and answers, and finds the images that it lists: all on one way through them.

Listed are the images with something to tell: those of the queue, those whose label is not what the dataset says, those
that people have looked at, that have no accepted label, or of which a proposer says something else.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import NamedTuple
from urllib.parse import urlencode

from acbench.evaluation.proposers import LabelledDataset
from acbench.records import GOOD, JOIN, PEOPLE, Item, LabelStatus, Proposal, shown_names
from acbench.review.queue import RankedItem
from acbench.review.wording import no_answer
from acbench.workflows.report_images import LEFT_OUT, NOT_SETTLED, Reviews, is_changed, label_text, source_text, stand

MAX_ROWS = 300
"""How many reasons are listed for one status."""


class ImageKind(NamedTuple):
    """What is told apart of images that are counted."""

    category: str
    source: str
    """The dataset's own labels, as people read them."""
    label: str
    """As `label_text` gives it."""
    status: LabelStatus
    by_people: bool
    """Whether people decided the label."""
    changed: bool
    """Whether the label is accepted and not what the dataset says."""


class AnswerKind(NamedTuple):
    """What is told apart of answers that are counted."""

    proposer: str
    category: str
    label: str
    """The current label of the image."""
    answer: str
    """Words in brackets if it names no class."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """What there is to count of all images."""

    images: Counter[ImageKind]
    reasons: Mapping[LabelStatus, Counter[tuple[str, str]]]
    """Status of a label that is not accepted → (category, reason) → images."""
    answers: Counter[AnswerKind]
    """Answers about anomalous images that have a label."""
    names: Mapping[str, str]
    """Full name of each proposer that answered → how it is called beside the others."""
    listed: list[Item]
    """The images with something to tell: the queue, then what has changed, then all others, by path."""


def count(dataset: LabelledDataset, waiting: Sequence[RankedItem], reviews: Reviews) -> Counts:
    """Go through all images. `waiting`: the queue; `reviews` by item_id."""
    rank = {row.item_id: number for number, row in enumerate(waiting)}
    images, answers, proposers = Counter[ImageKind](), Counter[AnswerKind](), set[str]()
    reasons: dict[LabelStatus, Counter[tuple[str, str]]] = {"pending": Counter(), "excluded": Counter()}
    found: list[tuple[tuple[int, bool, str], Item]] = []
    for item in dataset.items:
        label, said = dataset.labels[item.item_id], dataset.proposals.get(item.item_id, ())
        changed, is_accepted = is_changed(item, label), label.status == "accepted"
        by_people = label.decided_by == PEOPLE
        images[ImageKind(item.category, source_text(item), label_text(label), label.status, by_people, changed)] += 1
        if not is_accepted:
            reasons[label.status][item.category, label.reason] += 1
        proposers.update(answer.proposer for answer in said)
        if item.anomalous and label.labels and label.status != "excluded":
            named = JOIN.join(label.labels)
            answers.update(AnswerKind(each.proposer, item.category, named, _answer_text(each)) for each in said)
        if (
            item.item_id in rank
            or changed
            or item.item_id in reviews
            or not is_accepted
            or any(stand(answer, label) == "other" for answer in said)
        ):
            found.append(((rank.get(item.item_id, len(rank)), not changed, item.image), item))
    return Counts(
        images=images,
        reasons=reasons,
        answers=answers,
        names=shown_names(proposers),
        listed=[item for _, item in sorted(found, key=itemgetter(0))],
    )


def most_frequent(reasons: Counter[tuple[str, str]]) -> list[tuple[str, str, int]]:
    """(category, reason, images), the most frequent first; of more than MAX_ROWS these."""
    ordered = sorted(reasons.items(), key=lambda counted: (-counted[1], counted[0]))[:MAX_ROWS]
    return [(category, reason, images) for (category, reason), images in ordered]


def _answer_text(proposal: Proposal) -> str:
    """What a proposer said; words in brackets if it named no class."""
    return JOIN.join(proposal.labels) if proposal.status == "ok" else no_answer(proposal.status)


# Labels of a category


@dataclass(frozen=True, slots=True, kw_only=True)
class CategoryCounts:
    """Labels of one category."""

    category: str
    images: int
    accepted: int
    pending: int
    excluded: int
    people: int
    """Labels that people decided."""
    changed: int
    """Accepted labels that are not what the dataset says."""
    classes: list[tuple[str, int]]
    """(label set, accepted images), the most frequent first and `good` last."""


def by_category(images: Counter[ImageKind]) -> dict[str, Counter[ImageKind]]:
    """The counted images of each category, by its name."""
    own: defaultdict[str, Counter[ImageKind]] = defaultdict(Counter)
    for kind, number in images.items():
        own[kind.category][kind] = number
    return dict(sorted(own.items()))


def category_counts(category: str, images: Counter[ImageKind]) -> CategoryCounts:
    """What the labels of a category come to."""
    status, classes = Counter[LabelStatus](), Counter[str]()
    people = changed = 0
    for kind, number in images.items():
        status[kind.status] += number
        if kind.status == "accepted":
            classes[kind.label] += number
        people += kind.by_people * number
        changed += kind.changed * number
    return CategoryCounts(
        category=category,
        images=images.total(),
        accepted=status["accepted"],
        pending=status["pending"],
        excluded=status["excluded"],
        people=people,
        changed=changed,
        classes=sorted(classes.items(), key=lambda counted: (counted[0] == GOOD, -counted[1], counted[0])),
    )


# From the dataset's label to the new one


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """Images with one label of the dataset and one label now."""

    images: int
    kind: str
    """`same`, `changed`, `open` for what is not settled or left out; `none` without images."""
    link: str
    """The part of an address that shows them; empty if they are not listed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Matrix:
    """What became of the dataset's labels in one category."""

    category: str
    columns: list[str]
    """Labels now; what is not settled or left out comes last."""
    rows: list[tuple[str, list[Cell]]]
    """(label of the dataset, cells); only labels of which at least one image has another label now."""
    kept: int
    """Images whose label is the dataset's, in rows that are not shown."""


def matrices(images: Counter[ImageKind]) -> list[Matrix]:
    """What became of the dataset's labels, for each category where not all are as they were."""
    made = [_matrix(category, own) for category, own in by_category(images).items()]
    return [matrix for matrix in made if matrix.rows]


def _matrix(category: str, images: Counter[ImageKind]) -> Matrix:
    counts = Counter[tuple[str, str, str]]()
    for kind, number in images.items():
        became = "open" if kind.status != "accepted" else "changed" if kind.changed else "same"
        counts[kind.source, kind.label, became] += number
    shown = {source for source, _, became in counts if became != "same"}
    names = {now for source, now, _ in counts if source in shown}
    columns = sorted(names, key=lambda name: (name in (NOT_SETTLED, LEFT_OUT), name))
    cells: dict[tuple[str, str], Cell] = {}
    for (source, now, became), number in counts.items():
        link = urlencode({"category": category, "source": source, "label": now}) if became != "same" else ""
        cells[source, now] = Cell(images=number, kind=became, link=link)
    nothing = Cell(images=0, kind="none", link="")
    return Matrix(
        category=category,
        columns=columns,
        rows=[(source, [cells.get((source, now), nothing) for now in columns]) for source in sorted(shown)],
        kept=sum(number for (source, _, _), number in counts.items() if source not in shown),
    )


# What proposers say


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfusionTable:
    """What one proposer says of the anomalous images of one category."""

    category: str
    columns: list[str]
    """What it said."""
    rows: list[tuple[str, list[tuple[int, str]]]]
    """(current label, cells); a cell is (images, `same`, `other`, or `none` for no answer)."""


def confusions(counts: Counts) -> dict[str, list[ConfusionTable]]:
    """Proposer → its tables, by category."""
    own: defaultdict[tuple[str, str], Counter[tuple[str, str]]] = defaultdict(Counter)
    for kind, number in counts.answers.items():
        own[counts.names[kind.proposer], kind.category][kind.label, kind.answer] = number
    tables: defaultdict[str, list[ConfusionTable]] = defaultdict(list)
    for (proposer, category), cells in sorted(own.items()):
        tables[proposer].append(_confusion_table(category, cells))
    return dict(tables)


def _confusion_table(category: str, cells: Counter[tuple[str, str]]) -> ConfusionTable:
    rows = sorted({label for label, _ in cells})
    answers = {answer for _, answer in cells}
    columns = sorted(answers, key=lambda answer: (answer not in rows, answer.startswith("("), answer))
    kinds = {column: "none" if column.startswith("(") else "other" for column in columns}
    return ConfusionTable(
        category=category,
        columns=columns,
        rows=[
            (row, [(cells[row, column], "same" if row == column else kinds[column]) for column in columns])
            for row in rows
        ],
    )
