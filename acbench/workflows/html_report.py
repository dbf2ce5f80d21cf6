"""Writes one HTML page on a benchmark: counts, agreement, confusions, doubtful images with pictures, changed labels."""

from __future__ import annotations

import base64
import dataclasses
import io
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from acbench._util import templates
from acbench.evaluation.proposers import LabelledDataset, ProposerComparison
from acbench.records import GOOD, JOIN, PEOPLE, Item, Label, LabelStatus, Proposal, shown_names
from acbench.review.queue import RankedItem
from acbench.review.wording import in_words
from acbench.schema import Category
from acbench.storage.atomic import write_bytes
from acbench.workflows.compare import compare, labelled_dataset
from acbench.workflows.origin import in_sentences
from acbench.workflows.plan import draw_curve
from acbench.workflows.relabel import relabel
from acbench.workflows.run import Run
from acbench.workflows.summary import RelabelReport

MAX_PICTURES = 40
"""How many images of the queue are shown."""
MAX_BYTES = 12 << 20
"""Bytes of all pictures together; an image whose picture does not fit is listed without one."""
MAX_ROWS = 300
"""How many changed labels are listed one by one."""
WIDTH = 1100
"""Pixels of a picture."""

Draw = Callable[[str], bytes | None]
"""item_id → its picture as JPEG, or None if there is none."""


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
    classes: list[tuple[str, int]]
    """(label set, accepted images), the most frequent first and `good` last."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfusionTable:
    """What one proposer says of the anomalous images of one category."""

    proposer: str
    category: str
    columns: list[str]
    """What it said."""
    rows: list[tuple[str, list[tuple[int, bool]]]]
    """(current label, cells); a cell is (images, whether it said the current label)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QueuedImage:
    """One image that people should see."""

    image: str
    rank: int
    why: str
    detail: str
    label: str
    source: str
    """The dataset's own labels."""
    proposals: list[str]
    picture: str
    """As a data URI; empty if there is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangedLabel:
    """A label that is not the class that the dataset's own label names."""

    category: str
    image: str
    source: str
    label: str
    status: str
    by: str
    """Who decided it."""
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportPage:
    """Everything that the page shows."""

    relabel: RelabelReport
    comparison: ProposerComparison
    categories: list[CategoryCounts]
    confusions: list[ConfusionTable]
    queue: list[QueuedImage]
    queue_more: int
    """Images of the queue that are not shown."""
    changes: list[tuple[tuple[str, str, str], int]]
    """((category, source label, label), images), the most frequent first."""
    changed: list[ChangedLabel]
    changed_more: int
    """Changed labels that are not listed."""
    pending: list[tuple[str, str, int]]
    """(category, reason, images), the most frequent first."""
    excluded: list[tuple[str, str, int]]
    curve: str = ""
    """The curve of the plan, as a data URI; empty if there is none."""
    origin: list[str] = field(default_factory=list)
    """Whose the images are, and what is allowed with them and with the labels, in sentences."""

    @property
    def pictures(self) -> int:
        """How many images are shown with a picture."""
        return sum(bool(image.picture) for image in self.queue)

    def html(self) -> bytes:
        """The page."""
        return templates.html("report", page=self).encode()


@dataclass(frozen=True, slots=True, kw_only=True)
class WrittenPage:
    """A page on disk."""

    path: Path
    bytes: int
    pictures: int
    """How many images of the queue it shows with a picture."""


def write_page(run: Run, path: Path | None = None) -> WrittenPage:
    """Relabel, and write the page about it. `path`: None for `report.html` of the benchmark."""
    relabelled, queue = relabel(run)
    curve = draw_curve(run, relabelled)
    page = build_page(
        labelled_dataset(run, queue.labelled),
        relabelled,
        compare(run, queue.labelled),
        queue.waiting,
        lambda item_id: shrunk(run.files.evidence / f"{item_id}.jpg"),
    )
    page = dataclasses.replace(page, origin=in_sentences(run.origin, run.schema))
    if curve is not None:
        page = dataclasses.replace(page, curve=_data_uri("png", curve.read_bytes()))
    path = path or run.files.workspace / "report.html"
    html = page.html()
    write_bytes(path, html)
    return WrittenPage(path=path, bytes=len(html), pictures=page.pictures)


def build_page(
    dataset: LabelledDataset,
    relabelled: RelabelReport,
    comparison: ProposerComparison,
    waiting: Sequence[RankedItem],
    draw: Draw,
) -> ReportPage:
    """Collect what the page shows. `waiting`: the queue; `draw` gives the pictures of its first images."""
    changed = _changed(dataset)
    return ReportPage(
        relabel=relabelled,
        comparison=comparison,
        categories=_categories(dataset),
        confusions=_confusions(dataset),
        queue=_queue(dataset, waiting[:MAX_PICTURES], draw),
        queue_more=max(0, len(waiting) - MAX_PICTURES),
        changes=_change_counts(changed),
        changed=changed[:MAX_ROWS],
        changed_more=max(0, len(changed) - MAX_ROWS),
        pending=_reasons(dataset, "pending"),
        excluded=_reasons(dataset, "excluded"),
    )


def shrunk(path: Path) -> bytes | None:
    """An evidence picture as a JPEG at most `WIDTH` pixels wide; None if it cannot be read."""
    from PIL import Image

    try:
        with Image.open(path, formats=["JPEG"]) as opened:
            picture = opened.convert("RGB")
    except OSError:
        return None
    picture.thumbnail((WIDTH, WIDTH))
    sink = io.BytesIO()
    picture.save(sink, "JPEG", quality=80, optimize=True)
    return sink.getvalue()


@dataclass(slots=True)
class _Album:
    """Pictures as data URIs, as long as there is room for them."""

    draw: Draw
    used: int = field(default=0)
    """Bytes of the pictures so far."""

    def uri(self, item_id: str) -> str:
        """Empty if there is no picture, or no room for it."""
        data = self.draw(item_id)
        if data is None or self.used + len(data) > MAX_BYTES:
            return ""
        self.used += len(data)
        return _data_uri("jpeg", data)


def _data_uri(kind: str, data: bytes) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"


def _queue(dataset: LabelledDataset, waiting: Sequence[RankedItem], draw: Draw) -> list[QueuedImage]:
    items = {item.item_id: item for item in dataset.items}
    album = _Album(draw)
    return [
        QueuedImage(
            image=items[ranked.item_id].image,
            rank=rank,
            why=ranked.why,
            detail=ranked.detail,
            label=_text(dataset.labels[ranked.item_id].labels),
            source=", ".join(items[ranked.item_id].source_labels),
            proposals=[in_words(proposal) for proposal in dataset.proposals.get(ranked.item_id, ())],
            picture=album.uri(ranked.item_id),
        )
        for rank, ranked in enumerate(waiting, start=1)
    ]


def _categories(dataset: LabelledDataset) -> list[CategoryCounts]:
    categories = []
    for category in sorted({item.category for item in dataset.items}):
        own = [dataset.labels[item.item_id] for item in dataset.items if item.category == category]
        status = Counter(label.status for label in own)
        classes = Counter(_text(label.labels) for label in own if label.status == "accepted")
        categories.append(
            CategoryCounts(
                category=category,
                images=len(own),
                accepted=status["accepted"],
                pending=status["pending"],
                excluded=status["excluded"],
                people=sum(label.decided_by == PEOPLE for label in own),
                classes=sorted(classes.items(), key=lambda count: (count[0] == GOOD, -count[1], count[0])),
            )
        )
    return categories


def _confusions(dataset: LabelledDataset) -> list[ConfusionTable]:
    items = {item.item_id: item for item in dataset.items}
    counts: dict[tuple[str, str], Counter[tuple[str, str]]] = {}
    names = shown_names(proposal.proposer for proposals in dataset.proposals.values() for proposal in proposals)
    for item_id, proposals in dataset.proposals.items():
        item, label = items.get(item_id), dataset.labels.get(item_id)
        if item is None or label is None or not item.anomalous or not label.labels or label.status == "excluded":
            continue
        for proposal in proposals:
            key = (names[proposal.proposer], item.category)
            counts.setdefault(key, Counter())[_text(label.labels), _answer_text(proposal)] += 1
    return [_confusion_table(proposer, category, cells) for (proposer, category), cells in sorted(counts.items())]


def _confusion_table(proposer: str, category: str, cells: Counter[tuple[str, str]]) -> ConfusionTable:
    rows = sorted({label for label, _ in cells})
    answers = {answer for _, answer in cells}
    columns = sorted(answers, key=lambda answer: (answer not in rows, answer.startswith("("), answer))
    return ConfusionTable(
        proposer=proposer,
        category=category,
        columns=columns,
        rows=[(row, [(cells[row, column], row == column) for column in columns]) for row in rows],
    )


def _answer_text(proposal: Proposal) -> str:
    """What a proposer said; `(abstained)` or `(error)` if it gave no labels."""
    return _text(proposal.labels) if proposal.status == "ok" else f"({proposal.status})"


def _changed(dataset: LabelledDataset) -> list[ChangedLabel]:
    changed = []
    for item in sorted(dataset.items, key=lambda item: item.image):
        label, category = dataset.labels[item.item_id], dataset.schema.category(item.category)
        if not label.labels or not item.source_labels or label.status == "excluded":
            continue
        if _is_named_by_source(item, label, category):
            continue
        changed.append(
            ChangedLabel(
                category=item.category,
                image=item.image,
                source=", ".join(item.source_labels),
                label=_text(label.labels),
                status=label.status,
                by=label.decided_by,
                reason=_why_changed(item, label, category),
            )
        )
    return changed


def _is_named_by_source(item: Item, label: Label, category: Category | None) -> bool:
    """Whether the label is what the dataset's own label names, by the id or a name of its classes."""
    named = {category.parse(source) if category else None for source in item.source_labels}
    return named == set(label.labels)


def _why_changed(item: Item, label: Label, category: Category | None) -> str:
    """The schema's reason if it maps the dataset's label to this one, else the label's own."""
    mapped = category.map(item.source_labels, item.image) if category else None
    return mapped.reason if mapped is not None and mapped.labels == label.labels else label.reason


def _change_counts(changed: Sequence[ChangedLabel]) -> list[tuple[tuple[str, str, str], int]]:
    counts = Counter((change.category, change.source, change.label) for change in changed)
    return sorted(counts.items(), key=lambda count: (-count[1], count[0]))[:MAX_ROWS]


def _reasons(dataset: LabelledDataset, status: LabelStatus) -> list[tuple[str, str, int]]:
    category_of: Mapping[str, str] = {item.item_id: item.category for item in dataset.items}
    counts = Counter(
        (category_of[item_id], label.reason) for item_id, label in dataset.labels.items() if label.status == status
    )
    most_frequent = sorted(counts.items(), key=lambda count: (-count[1], count[0]))[:MAX_ROWS]
    return [(category, reason, images) for (category, reason), images in most_frequent]


def _text(labels: Sequence[str]) -> str:
    return JOIN.join(labels) or "–"
