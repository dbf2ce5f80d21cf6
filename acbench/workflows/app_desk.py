"""The desk of the FiftyOne App: a press of a button in its panels becomes a review at once."""

from __future__ import annotations

import shlex
import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from threading import Lock

from acbench._util.console import Progress
from acbench.errors import ProjectBusy, ReviewError
from acbench.records import Review
from acbench.review import app_marks, former
from acbench.review.app_desk import Card, Decided, DeskAddress, Standing
from acbench.review.decisions import Decision, DecisionError, read_chosen, reviewer_name
from acbench.review.history import Statement, by_item, current_reviews
from acbench.workflows.app_standing import standing
from acbench.workflows.app_view import Known
from acbench.workflows.evidence import draw_evidence
from acbench.workflows.reviews import keep_added, review_log, shown_proposers
from acbench.workflows.run import Options, Run, open_run

PATIENCE = 30.0
"""Seconds to wait for another command that holds the project."""
STEP = 0.1
"""Seconds between two tries."""
MAKER = f"{__name__}:open_desk"
"""The name of `open_desk`, for `DeskAddress`."""


def open_desk(address: DeskAddress) -> Desk:
    """The desk at an address."""
    return Desk(Path(address.project), address.benchmark, address.reviewer)


class _Quiet:
    """A screen that nobody sees: that of the server of the App."""

    def stage(self, title: str) -> nullcontext[Progress]:
        """Show nothing."""
        return nullcontext(lambda done, total: None)

    def note(self, text: str) -> None:
        """Tell nobody: the command that started the App has told it."""


@dataclass
class Desk:
    """A `ReviewDesk`. It holds the project only while it writes, so that other commands can work meanwhile."""

    project: Path
    benchmark: str
    reviewer: str
    _one: Lock = field(default_factory=Lock)
    """The App asks from several threads at once."""
    _kept: Known | None = None

    def card(self, item_id: str) -> Card:
        """What there is to know of an image, with its evidence picture, which is drawn if it is not there."""
        known = self._kept
        if known is None or not known.is_current:
            with self._open() as run:
                known = self._known(run)
        card = known.card(item_id, self._reviews(known), self.reviewer)
        if not card.picture and item_id in known.ranked:
            with self._open() as run:
                picture = draw_evidence(run, known.proposed, known.ranked[item_id], known.references)
            card = replace(card, picture=str(picture))
        return card

    def decide(self, item_id: str, said: Collection[str], *, where: str, note: str, seconds: float | None) -> Decided:
        """Record a decision at once. Raises ReviewError for what is no decision."""
        with self._open() as run:
            known = self._known(run)
            log = review_log(run, known.proposed.dataset)
            item = known.item(item_id)
            category = known.category(item)
            if not self.reviewer:
                raise ReviewError(
                    "nobody is named as reviewer, so nothing can be decided here",
                    f"end the App, then: acbench app {run.schema.argument} --reviewer YOUR_NAME",
                )
            if category is None:
                raise ReviewError(f"the category {item.category} is not in the schema", "add it to the schema")
            try:
                decision, name = read_chosen(said, category, note), reviewer_name(self.reviewer)
            except DecisionError as error:
                raise ReviewError(str(error), "choose again") from None
            last = next(iter(current_reviews(log.of_reviewer(item_id, name))), None)
            if last is not None and Decision.of(former.as_read(last, category)) == decision:
                return known.decided(item_id, log.reviews, decision, recorded=False)
            shown = shown_proposers(known.proposed.by_item.get(item_id, ()))
            log.add(
                Statement(
                    item_id=item_id,
                    reviewer=name,
                    decision=decision,
                    shown=shown,
                    sight="seen" if shown else "none",
                    seconds=seconds,
                    when=_now(),
                    desk=f"{app_marks.DESK}:{where}",
                )
            )
            keep_added(run, log)
            return known.decided(item_id, log.reviews, decision, recorded=True)

    def undo(self, item_id: str) -> Decided:
        """Take back what the reviewer decided about the image in the App. Raises ReviewError if that is nothing."""
        with self._open() as run:
            known = self._known(run)
            log = review_log(run, known.proposed.dataset)
            known.item(item_id)
            try:
                desks = app_marks.standing_desks(log, item_id, self.reviewer)
            except DecisionError as error:
                raise ReviewError(str(error)) from None
            decision, when = Decision(verdict="withdrawn"), _now()
            if desks:
                log.add(
                    *(
                        Statement(item_id=item_id, reviewer=self.reviewer, decision=decision, when=when, desk=desk)
                        for desk in desks
                    )
                )
                keep_added(run, log)
            return known.decided(item_id, log.reviews, decision, recorded=bool(desks))

    def open_items(self, item_ids: Sequence[str]) -> list[str]:
        """Those images, in their order, about which the reviewer has not said anything that stands."""
        known = self._kept
        own = self._reviews(known) if known else []
        said = by_item(review for review in own if review.reviewer == self.reviewer)
        return [item_id for item_id in item_ids if not current_reviews(said.get(item_id, ()))]

    def standing(self) -> Standing:
        """Bring labels and queue up to date, and count."""
        with self._open() as run:
            return standing(run)

    def _known(self, run: Run) -> Known:
        if self._kept is None or not self._kept.is_current:
            self._kept = Known.of(run)
        return self._kept

    def _reviews(self, known: Known) -> list[Review]:
        """What people have decided by now. Files are replaced as a whole, so that they can be read at any time."""
        return known.proposed.files.reviews.read()

    @contextmanager
    def _open(self) -> Iterator[Run]:
        """A run on the project. Raises ProjectBusy if another command holds it longer than PATIENCE."""
        with self._one, ExitStack() as stack:
            yield _entered(stack, self.project, self.benchmark, self.reviewer)


def _entered(stack: ExitStack, project: Path, benchmark: str, reviewer: str) -> Run:
    until = time.monotonic() + PATIENCE
    options = Options(
        asks=False, command=shlex.join(["acbench", "app", benchmark, *(["--reviewer", reviewer] if reviewer else [])])
    )
    while True:
        try:
            return stack.enter_context(open_run(project, benchmark, console=_Quiet(), options=options))
        except ProjectBusy:
            if time.monotonic() > until:
                raise
            time.sleep(STEP)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
