"""Writes one HTML page on a benchmark: how right its labels are, what changed, and each image with its history.

The page stands alone: it asks nothing of a network, and its policy allows no script but ours, by its hash. It is made
with Jinja, and one script of ours without a library: filters, a gallery and a dialog take some 250 lines, and a library
would have to be trusted and kept up to date in every report that was ever sent to somebody.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from acbench._util import templates
from acbench._util.prefetch import prefetch
from acbench.errors import AcbenchError
from acbench.evaluation import agreement_tables, proposer_tables
from acbench.evaluation.agreement import AgreementReport, agreement
from acbench.evaluation.proposers import LabelledDataset, ProposerComparison
from acbench.records import Review
from acbench.review.queue import RankedItem
from acbench.review.queue_pictures import EvidencePicture, References
from acbench.review.wording import STATUS
from acbench.storage.atomic import write_bytes
from acbench.storage.build import THREADS
from acbench.storage.digests import digest
from acbench.storage.stored_rows import by_item_id, some
from acbench.workflows import report_counts, report_images, report_pictures
from acbench.workflows.compare import compare, labelled_dataset
from acbench.workflows.origin import in_sentences
from acbench.workflows.queue import Queue
from acbench.workflows.relabel import relabel
from acbench.workflows.report_counts import CategoryCounts, ConfusionTable, Matrix
from acbench.workflows.report_curves import error_chart, plan_chart, progress_chart
from acbench.workflows.report_error import ErrorOnDay, errors_by_day
from acbench.workflows.report_images import Progress
from acbench.workflows.report_names import Told, with_pseudonyms
from acbench.workflows.report_pictures import Album, Draw
from acbench.workflows.run import Run
from acbench.workflows.summary import WRONG_UNSEEN, RelabelReport

MAX_BYTES = 20_000_000
"""Bytes of the page, unless the command line says otherwise."""
_SPARE = 64
"""Bytes for the digits of what is counted after pictures are chosen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportPage:
    """Everything that the page shows."""

    relabel: RelabelReport
    comparison: ProposerComparison
    agreement: AgreementReport
    categories: list[CategoryCounts]
    confusions: dict[str, list[ConfusionTable]]
    """Proposer → its tables, by category."""
    matrices: list[Matrix]
    progress: Progress
    pending: list[tuple[str, str, int]]
    """(category, reason, images), the most frequent first."""
    excluded: list[tuple[str, str, int]]
    images: list[dict[str, Any]]
    """The listed images, as JSON values: see `report_images.records`."""
    errors: list[ErrorOnDay] = field(default_factory=list)
    """The expected remaining error by day."""
    album: Album = field(default_factory=Album)
    origin: list[str] = field(default_factory=list)
    """Whose the images are, and what is allowed with them and with the labels, in sentences."""
    max_bytes: int = MAX_BYTES

    @property
    def changed(self) -> int:
        """Accepted labels that are not what the dataset says."""
        return sum(row.changed for row in self.categories)

    @property
    def others(self) -> int:
        """Images of which there is nothing to tell."""
        return self.relabel.images.all - len(self.images)

    def html(self) -> bytes:
        """The page."""
        script, style = templates.source("report.js"), templates.source("report.css")
        return templates.html(
            "report",
            page=self,
            people=agreement_tables,
            proposers=proposer_tables,
            script=script,
            style=style,
            policy=policy(script, style),
            wrong_unseen=WRONG_UNSEEN,
            words=templates.embedded_json(STATUS),
            images=templates.embedded_json(self.images),
            pictures=templates.embedded_json(self.album.to_json()),
            plan_chart=plan_chart(self.relabel.plan),
            progress_chart=progress_chart(self.progress),
            error_chart=error_chart(self.errors),
        ).encode()


def policy(script: str, style: str) -> str:
    """What a browser lets the page do: show what it holds, and run the one script that we wrote."""
    return (
        f"default-src 'none'; img-src data:; script-src {templates.content_hash(script)};"
        f" style-src {templates.content_hash(style)}; base-uri 'none'; form-action 'none'"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class WrittenPage:
    """A page on disk."""

    path: Path
    bytes: int
    images: int
    """How many images it lists."""
    thumbnails: int
    """How many of them have a small picture."""
    large: int
    """How many of these have a large one too."""
    height: int
    """Height of the small pictures, in pixels."""
    left_out: list[str]
    """Images whose picture had no room, by item_id."""
    unreadable: list[str]
    """Images that could not be read, by item_id."""
    people: int
    """How many people the page names; none if it has pseudonyms."""


def write_page(
    run: Run, path: Path | None = None, *, max_bytes: int = MAX_BYTES, pseudonyms: bool = False
) -> WrittenPage:
    """Relabel, and write the page about it, with as many pictures as fit in `max_bytes`.

    `path`: None for `report.html` of the benchmark. `pseudonyms`: whether these stand for the names of those who
    decided. Raises AcbenchError if even a page without pictures is larger.
    """
    relabelled, queue = relabel(run)
    labelled, dataset = queue.labelled, labelled_dataset(run, queue.labelled)
    told = Told(reviews=labelled.reviews_by_item, labels=labelled.labels, waiting=queue.waiting)
    if pseudonyms:
        told = with_pseudonyms(run, labelled, queue.waiting)
    page = build_page(
        dataclasses.replace(dataset, labels=told.labels),
        relabelled,
        compare(run, labelled),
        agreement(dataset.items, dataset.proposals, told.reviews, run.schema.benchmark),
        told.waiting,
        told.reviews,
    )
    page = dataclasses.replace(page, errors=errors_by_day(queue))
    page = dataclasses.replace(page, origin=in_sentences(run.origin, run.schema), max_bytes=max_bytes)
    painter = _Painter(run, queue, [str(image["id"]) for image in page.images])
    page = with_pictures(page, painter.thumbnail, painter.large, painter.thumbnails)
    path = path or run.files.workspace / "report.html"
    html, album = page.html(), page.album
    write_bytes(path, html)
    return WrittenPage(
        path=path,
        bytes=len(html),
        images=len(page.images),
        thumbnails=len(album.thumbnails),
        large=len(album.large),
        height=album.height,
        left_out=album.left_out,
        unreadable=album.unreadable,
        people=0 if pseudonyms else len(page.agreement.reviewers),
    )


def build_page(
    dataset: LabelledDataset,
    relabelled: RelabelReport,
    comparison: ProposerComparison,
    agreement: AgreementReport,
    waiting: Sequence[RankedItem],
    reviews: Mapping[str, Sequence[Review]],
) -> ReportPage:
    """Collect what the page shows, without pictures. `waiting`: the queue; `reviews` by item_id."""
    counts = report_counts.count(dataset, waiting, reviews)
    categories = report_counts.by_category(counts.images)
    return ReportPage(
        relabel=relabelled,
        comparison=comparison,
        agreement=agreement,
        categories=[report_counts.category_counts(category, own) for category, own in categories.items()],
        confusions=report_counts.confusions(counts),
        matrices=report_counts.matrices(counts.images),
        progress=report_images.progress(dataset.labels, reviews),
        pending=report_counts.most_frequent(counts.reasons["pending"]),
        excluded=report_counts.most_frequent(counts.reasons["excluded"]),
        images=report_images.records(counts.listed, dataset, waiting, reviews, counts.names),
    )


def with_pictures(
    page: ReportPage, thumbnail: Draw, large: Draw, ahead: Callable[[Sequence[str]], None] = lambda item_ids: None
) -> ReportPage:
    """The page with as many pictures as it has room for. Raises AcbenchError if it is too large without any.

    `ahead` is told of which images small pictures may be asked for.
    """
    ids = [str(image["id"]) for image in page.images]
    bare = len(dataclasses.replace(page, album=Album(left_out=ids)).html()) + _SPARE
    if bare > page.max_bytes:
        needed = -(-bare // 1_000_000)
        raise AcbenchError(
            f"the page has {bare / 1e6:.1f} MB without any picture, and may have {page.max_bytes / 1e6:g} MB",
            f"give it more: --max-size {needed}MB without pictures, or {needed + 20}MB with them",
        )
    room = page.max_bytes - bare
    ahead(report_pictures.at_most(ids, room))
    return dataclasses.replace(page, album=report_pictures.fill(ids, thumbnail, large, room))


class _Painter:
    """Draws the pictures of a run's images. Small ones are kept in the workspace, by what they were drawn from."""

    def __init__(self, run: Run, queue: Queue, item_ids: Collection[str]) -> None:
        self.run = run
        proposed = queue.labelled.proposed
        dataset = proposed.dataset
        self.images = dataset.images
        self.items = some(dataset.by_id, item_ids)
        self.answers = some(proposed.by_item, item_ids)
        self.waiting = {row.item_id for row in queue.waiting}
        self.rows = {**some(by_item_id(queue.ranked), item_ids), **{row.item_id: row for row in queue.waiting}}
        self.references = References(dataset.items)
        self.normal_image = self.references.image(self.images)

    def thumbnails(self, item_ids: Sequence[str]) -> None:
        """Draw the small pictures that are not kept yet, in threads."""
        with self.run.console.stage("draw thumbnails") as progress:
            for done, _ in enumerate(prefetch(self._keep, item_ids, workers=THREADS, most=4 * THREADS), start=1):
                progress(done, len(item_ids))

    def _keep(self, item_id: str) -> None:
        path = self._kept(item_id)
        if not path.exists() and (made := report_pictures.thumbnail(self.items[item_id], self.images)) is not None:
            write_bytes(path, made)

    def thumbnail(self, item_id: str) -> bytes | None:
        """A small picture; None if the image cannot be read."""
        path = self._kept(item_id)
        return path.read_bytes() if path.exists() else None

    def large(self, item_id: str) -> bytes | None:
        """The evidence picture; those of the first images of the queue are drawn already."""
        drawn = self.run.files.evidence / f"{item_id}.jpg"
        if item_id in self.waiting and drawn.exists():
            return report_pictures.large(drawn.read_bytes())
        item = self.items[item_id]
        row = self.rows.get(item_id) or RankedItem(
            item_id=item_id, rank=0, why="settled", label_issue_score=0.0, detail=""
        )  # an excluded image has no rank
        picture = EvidencePicture(item, self.references.beside(item), self.answers.get(item_id, ()), row)
        return report_pictures.large(picture.draw(self.images, self.normal_image))

    def _kept(self, item_id: str) -> Path:
        item = self.items[item_id]
        mark = digest(report_pictures.VERSION, item.sha256, item.marks, *self.images.key, length=8)
        return self.run.files.workspace / "thumbnails" / f"{item_id}-{mark}.jpg"
