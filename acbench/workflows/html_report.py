"""One page for those without the App: counts, agreement, confusions, doubtful images with their pictures, changes."""

from __future__ import annotations

import base64
import io
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from acbench._util import templates
from acbench.records import GOOD, JOIN, PEOPLE, Item, Label, Proposal, short_name
from acbench.review.queue import RankedItem
from acbench.review.wording import in_words
from acbench.schema import Category, Schema
from acbench.storage.atomic import write_bytes
from acbench.workflows.compare import compare
from acbench.workflows.relabel import relabel
from acbench.workflows.run import Run
from acbench.workflows.summary import RelabelReport

PICTURES = 40
"""So many images of the queue are shown."""
MAX_BYTES = 12 << 20
"""Of all pictures together; what does not fit is named without one."""
ROWS = 300
"""So many changed labels are listed one by one."""
WIDTH = 1100
"""Of a picture, pixels."""

Draw = Callable[[str], bytes | None]
"""item_id → its picture as JPEG, or None if there is none."""


@dataclass(frozen=True, slots=True)
class _Album:
    """Pictures as data URIs, as long as there is room."""

    draw: Draw
    used: list[int]

    def uri(self, item_id: str) -> str:
        """Empty if there is no picture or no room."""
        data = self.draw(item_id)
        if data is None or sum(self.used) + len(data) > MAX_BYTES:
            return ""
        self.used.append(len(data))
        return "data:image/jpeg;base64," + base64.b64encode(data).decode()


@dataclass(frozen=True, slots=True, kw_only=True)
class WrittenPage:
    """A page on disk."""

    path: Path
    bytes: int
    pictures: int
    """How many images of the queue it shows."""


def write_page(run: Run, path: Path | None = None) -> WrittenPage:
    """Relabel, and write the page of what came of it; `path`: None for `report.html` of the benchmark."""
    relabelled, queue = relabel(run)
    labelled, proposed = queue.labelled, queue.labelled.proposed
    content = report(
        facts=relabelled,
        comparison=compare(run, labelled),
        items=proposed.dataset.by_id,
        labels=labelled.labels,
        proposals=proposed.by_item,
        waiting=queue.waiting,
        schema=run.schema,
        draw=lambda item_id: shrunk(run.files.evidence / f"{item_id}.jpg"),
    )
    page = templates.html("report", **content).encode()
    path = path or run.files.workspace / "report.html"
    write_bytes(path, page)
    return WrittenPage(path=path, bytes=len(page), pictures=sum(bool(row["picture"]) for row in content["queue"]))


def report(
    *,
    facts: RelabelReport,
    comparison: Mapping[str, Any],
    items: Mapping[str, Item],
    labels: Mapping[str, Label],
    proposals: Mapping[str, Sequence[Proposal]],
    waiting: Sequence[RankedItem],
    schema: Schema,
    draw: Draw,
) -> dict[str, Any]:
    """Everything that the page shows, as plain values.

    `facts`: see `workflows.summary`; `comparison`: see `evaluation.proposers`. `items`, `labels` and `proposals` are
    keyed by item_id.
    """
    album = _Album(draw, [])
    changed = _changed(items, labels, schema)
    return {
        "facts": facts,
        "comparison": comparison,
        "categories": _categories(items, labels),
        "confusions": _confusions(items, labels, proposals),
        "queue": [
            {
                "image": items[each.item_id].image,
                "rank": place,
                "why": each.why,
                "detail": each.detail,
                "label": _said(labels[each.item_id].labels),
                "source": ", ".join(items[each.item_id].source_labels),
                "proposals": [in_words(answer) for answer in proposals.get(each.item_id, ())],
                "picture": album.uri(each.item_id),
            }
            for place, each in enumerate(waiting[:PICTURES], start=1)
        ],
        "queue_more": max(0, len(waiting) - PICTURES),
        "changes": _change_counts(changed),
        "changed": changed[:ROWS],
        "changed_more": max(0, len(changed) - ROWS),
        "excluded": _reasons(items, labels, "excluded"),
        "pending": _reasons(items, labels, "pending"),
    }


def shrunk(path: Path) -> bytes | None:
    """An evidence picture as a JPEG of at most `WIDTH` pixels; None if there is none that can be read."""
    from PIL import Image

    try:
        with Image.open(path, formats=["JPEG"]) as found:
            picture = found.convert("RGB")
    except OSError:
        return None
    picture.thumbnail((WIDTH, WIDTH))
    sink = io.BytesIO()
    picture.save(sink, "JPEG", quality=80, optimize=True)
    return sink.getvalue()


def _categories(items: Mapping[str, Item], labels: Mapping[str, Label]) -> list[dict[str, Any]]:
    """Counts of each category by class, with a set of classes as a class of its own."""
    rows = []
    for category in sorted({item.category for item in items.values()}):
        mine = [labels[item.item_id] for item in items.values() if item.category == category]
        status = Counter(label.status for label in mine)
        classes = Counter(_said(label.labels) for label in mine if label.status == "accepted")
        rows.append(
            {
                "category": category,
                "images": len(mine),
                **{name: status[name] for name in ("accepted", "pending", "excluded")},
                "people": sum(label.decided_by == PEOPLE for label in mine),
                "classes": sorted(classes.items(), key=lambda pair: (pair[0] == GOOD, -pair[1], pair[0])),
            }
        )
    return rows


def _confusions(
    items: Mapping[str, Item], labels: Mapping[str, Label], proposals: Mapping[str, Sequence[Proposal]]
) -> list[dict[str, Any]]:
    """A table a proposer and category, of anomalous images: rows are current labels, columns what it said."""
    counts: dict[tuple[str, str], Counter[tuple[str, str]]] = {}
    for item_id, answers in proposals.items():
        item, label = items.get(item_id), labels.get(item_id)
        if item is None or label is None or not item.anomalous or not label.labels or label.status == "excluded":
            continue
        for answer in answers:
            said = _said(answer.labels) if answer.status == "ok" else f"({answer.status})"
            counts.setdefault((short_name(answer.proposer), item.category), Counter())[_said(label.labels), said] += 1
    tables = []
    for (proposer, category), found in sorted(counts.items()):
        rows = sorted({label for label, _ in found})
        columns = sorted({said for _, said in found}, key=lambda said: (said not in rows, said.startswith("("), said))
        tables.append(
            {
                "proposer": proposer,
                "category": category,
                "columns": columns,
                "rows": [(row, [(found[row, column], row == column) for column in columns]) for row in rows],
            }
        )
    return tables


def _changed(items: Mapping[str, Item], labels: Mapping[str, Label], schema: Schema) -> list[dict[str, str]]:
    rows = []
    for item in sorted(items.values(), key=lambda each: each.image):
        label, category = labels[item.item_id], schema.category(item.category)
        if not label.labels or not item.source_labels or label.status == "excluded":
            continue
        source = ", ".join(item.source_labels)
        mapped = category.map(item.source_labels, item.image) if category else None
        if _is_plain(item, label, category):
            continue
        same = mapped is not None and mapped.labels == label.labels
        reason = mapped.reason if mapped is not None and same else label.reason
        rows.append(
            {
                "category": item.category,
                "image": item.image,
                "source": source,
                "label": _said(label.labels),
                "status": label.status,
                "by": label.decided_by,
                "reason": reason,
            }
        )
    return rows


def _is_plain(item: Item, label: Label, category: Category | None) -> bool:
    """Whether the label is the class that the dataset's own label names, under that class's own id or name."""
    named = [category.parse(source) if category else None for source in item.source_labels]
    return set(named) == set(label.labels)


def _change_counts(changed: Sequence[Mapping[str, str]]) -> list[tuple[tuple[str, str, str], int]]:
    counts = Counter((row["category"], row["source"], row["label"]) for row in changed)
    return sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))[:ROWS]


def _reasons(items: Mapping[str, Item], labels: Mapping[str, Label], status: str) -> list[tuple[str, str, int]]:
    """(category, reason, images) of one status, the commonest first."""
    counts = Counter(
        (items[item_id].category, label.reason) for item_id, label in labels.items() if label.status == status
    )
    return [(category, reason, n) for (category, reason), n in sorted(counts.items(), key=lambda p: (-p[1], p[0]))][
        :ROWS
    ]


def _said(labels: Sequence[str]) -> str:
    return JOIN.join(labels) or "–"
