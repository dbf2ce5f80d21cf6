"""Tells what a plan still takes: which images people see next, when its promise holds, and how the error falls."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from acbench.review.plan import Commitment, Standing, expected_rate, in_order, most_doubtful_first
from acbench.review.queue import RankedItem, Why
from acbench.stats import draws_needed, most_left

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

POINTS = 40
"""Points of the curve, at most about as many."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CurvePoint:
    """Shares of the accepted labels after some more images."""

    images: int
    """Images that people have seen from now on."""
    expected: float
    """Share that is probably wrong."""
    bound: float
    """Share that is at most wrong, with the confidence of the plan, if what is found is as expected."""


@dataclass(frozen=True, kw_only=True)
class Outlook:
    """What a plan still takes."""

    standing: Standing
    commitment: Commitment
    doubt: Mapping[str, float]
    """item_id → how likely the label is wrong, for all labels that witnesses accept."""

    @cached_property
    def _figures(self) -> NDArray[np.float64]:
        """How likely each label of `Standing.auto` is wrong, (N,)."""
        return in_order(self.doubt, self.standing.auto)

    @cached_property
    def _rest(self) -> NDArray[np.intp]:
        return self.standing.rest(self.commitment)

    @property
    def rest(self) -> Sequence[str]:
        """The labels that are not among the doubtful ones, in the order of the draw."""
        return self.standing.called(self._rest)

    @cached_property
    def _in_rest(self) -> NDArray[np.bool_]:
        """Whether each label of `Standing.auto` is in the rest, (N,)."""
        import numpy as np

        in_rest = np.zeros(len(self.standing.auto), dtype=np.bool_)
        in_rest[self._rest] = True
        return in_rest

    @cached_property
    def audited(self) -> Sequence[str]:
        """The audit so far: what people have looked at without a gap in the draw."""
        is_seen = self.standing.is_seen[self._rest]
        return self.rest[: len(is_seen) if is_seen.all() else int(is_seen.argmin())]

    @property
    def found(self) -> int:
        """Wrong labels in the audit so far."""
        return sum(self.standing.wrong[item_id] for item_id in self.audited)

    @cached_property
    def beyond(self) -> Sequence[str]:
        """What people have looked at in the rest behind a gap in the draw: it is no part of the audit yet."""
        later = self._rest[len(self.audited) :]
        return self.standing.called(later[self.standing.is_seen[later]])

    @cached_property
    def _later(self) -> NDArray[np.intp]:
        """The rest without what people have looked at."""
        return self._rest[~self.standing.is_seen[self._rest]]

    @cached_property
    def _doubtful(self) -> NDArray[np.intp]:
        left = (~self._in_rest & ~self.standing.is_seen).nonzero()[0]
        return most_doubtful_first(left, self._figures)

    @property
    def doubtful(self) -> Sequence[str]:
        """The doubtful labels that people have not looked at, the most doubtful first."""
        return self.standing.called(self._doubtful)

    @property
    def allowed(self) -> float:
        """How many of the accepted labels may be wrong."""
        return self.commitment.error * self.standing.accepted

    @cached_property
    def at_most(self) -> int:
        """How many of the accepted labels are wrong at most, with the plan's confidence; doubtful ones count all."""
        plan, drawn = self.commitment, len(self.audited)
        left = most_left(len(self.rest), drawn, self.found, plan.prior, plan.alpha)
        corrected = sum(self.standing.wrong[item_id] for item_id in self.beyond)
        return len(self.doubtful) + min(max(left - corrected, 0), len(self.rest) - drawn - len(self.beyond))

    @property
    def holds(self) -> bool:
        """Whether the promise holds now."""
        return self.at_most <= self.allowed + 1e-9

    @cached_property
    def draws(self) -> int:
        """How large the audit probably becomes."""
        plan, drawn, found = self.commitment, len(self.audited), self.found
        if self.holds:
            return drawn
        return draws_needed(len(self.rest), drawn, found, self.allowed, self._rate, plan.prior, plan.alpha)

    @cached_property
    def _rate(self) -> float:
        """The share of the audit to come that is probably wrong, by doubt and by what was found."""
        unseen = self._figures[self._later]
        return expected_rate(sum(unseen.data), len(unseen)).rate(len(self.audited), self.found)

    @property
    def audit(self) -> Sequence[str]:
        """The images of the audit that people have not looked at, in the order of the draw."""
        return self.standing.called(self._audit)

    @cached_property
    def _audit(self) -> NDArray[np.intp]:
        drawn = self._rest[: self.draws]
        return drawn[~self.standing.is_seen[drawn]]

    @property
    def cut(self) -> float | None:
        """How likely the least doubtful one of the doubtful labels is wrong; None if there is none to look at."""
        return self.doubt[self.doubtful[-1]] if self.doubtful else None

    @property
    def everything(self) -> int:
        """Images that people would see if they looked at all."""
        return len(self.standing.pending) + len(self.standing.unseen)

    @cached_property
    def unlabelled(self) -> list[RankedItem]:
        """The images without a label, first in the queue."""
        return list(map(self._open, self.standing.pending))

    @property
    def asked(self) -> Sequence[str]:
        """The doubtful labels that people still see: none, once the promise holds."""
        return self.standing.called(self._asked)

    @property
    def _asked(self) -> NDArray[np.intp]:
        return self._doubtful[: 0 if self.holds else None]

    @property
    def to_see(self) -> int:
        """How many images people still see."""
        return len(self.unlabelled) + len(self.asked) + len(self.audit)

    @cached_property
    def rows(self) -> list[RankedItem]:
        """The queue: images without a label, then doubtful labels, then the audit. Empty parts are done."""
        place = {row.item_id: row for row in self.standing.rows_of([*self.asked, *self.audit])}
        marked = [
            *self.unlabelled,
            *(_marked(place[key], "doubtful", f"wrong with probability {self.doubt[key]:.2f}") for key in self.asked),
            *(_marked(place[key], "audit", "drawn at random from the labels that nobody doubts") for key in self.audit),
        ]
        return [dataclasses.replace(row, rank=number) for number, row in enumerate(marked, start=1)]

    def _open(self, row: RankedItem) -> RankedItem:
        """The row of an image without a label: nobody could give it one yet, or people took the one that it had."""
        if row.item_id not in self.standing.wrong:
            return row
        place = self.standing.auto.place(row.item_id)
        why: Why = "audit" if place is not None and self._in_rest[place] else "doubtful"
        return _marked(row, why, self.standing.final[row.item_id].reason)

    @property
    def expected_errors(self) -> float:
        """How many wrong labels people will probably find among those that they still see."""
        return sum(itertools.chain(self._figures[self._asked].data, self._figures[self._audit].data))

    @cached_property
    def curve(self) -> list[CurvePoint]:
        """Expected and possible errors while people go on, beyond the end of the plan until everything is seen."""
        import numpy as np

        pending = len(self.standing.pending)
        order = np.concatenate([self._doubtful, self._later])
        gains = np.concatenate([[0.0], np.cumsum(self._figures[order])])
        end = len(self.doubtful) + len(self.audit)
        places = np.unique(np.concatenate([
            np.linspace(0, len(self.doubtful), POINTS // 3), np.linspace(len(self.doubtful), end, POINTS // 3),
            np.linspace(end, len(order), POINTS // 3),
        ]).round().astype(int)).tolist()  # fmt: skip
        accepted = max(self.standing.accepted, 1)
        points = [
            CurvePoint(
                images=pending + place,
                expected=max(float(gains[-1] - gains[place]), 0.0) / accepted,
                bound=self._bound_after(place) / accepted,
            )
            for place in places
        ]
        return [dataclasses.replace(points[0], images=0), *points] if pending else points

    def _bound_after(self, place: int) -> int:
        """How many accepted labels are wrong at most after so many more images, if what is found is as expected."""
        plan = self.commitment
        doubtful = max(len(self.doubtful) - place, 0)
        more = max(place - len(self.doubtful), 0)
        found = self.found + more * self._rate
        return doubtful + most_left(len(self.rest), len(self.audited) + more, found, plan.prior, plan.alpha)


def _marked(row: RankedItem, why: Why, detail: str) -> RankedItem:
    return dataclasses.replace(row, why=why, detail=detail)
