"""Plans how many images people see until at most a share of the accepted labels is wrong, and tells how far they are.

A plan parts the labels that witnesses alone accept. People see all that are more doubtful than a cut, and of the rest
as many, drawn at random, as it takes to bound the number of wrong ones among it (`acbench.stats.finite`). Doubt only
says where to cut and what to expect: the bound holds if it is mistaken. It holds at every moment, so that people may
look and stop as they like. It needs that cut, draw and prior are fixed before the draw is looked at: that is a
`Commitment`. What people decide counts as right. Labels of training images take no part: the dataset calls them normal.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from acbench.records import PEOPLE, Item, Label
from acbench.review.audit import AuditSample
from acbench.review.queue import RankedItem, Why, is_label_wrong
from acbench.review.weighed import WeighedItem
from acbench.stats import FaultPrior, draws_needed
from acbench.storage.digests import digest_of_all
from acbench.storage.stored_rows import by_item_id, fields, some

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

CONFIDENCE = 0.95
"""Probability with which the promises of all plans of a benchmark hold together."""
FIRST_SHARE = 0.8
"""Share of what may go wrong that a plan takes of what earlier plans have left: 0.04 of 0.05 for the first one."""
CAUTION = 0.25
"""The prior expects at least this share of the errors that are allowed among the rest: it costs nothing where scores
are right, and saves a tenth or more of the images where they hide errors (`tests.bench.plan`)."""
UNPLANNED_RATE = 0.0025
"""The prior's share of wrong labels in an audit that was looked at before there was a plan. It is the same for every
benchmark, since what people found, and the error that they ask for then, must not decide it."""
CUTS = 40
"""How many cuts are compared."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Commitment:
    """What is fixed before the audit of a plan is looked at. It is kept with the annotations, for git."""

    error: float
    """Share of the accepted labels that may be wrong. May be changed at any time."""
    seed: int
    """Seed of the draw."""
    number: int
    """1 for the first plan of the benchmark; one more for each whose predecessor's audit had been looked at."""
    prior: FaultPrior
    """What was thought of the rest."""
    people: tuple[str, ...]
    """Ids of the labels that people see or had decided; all others that witnesses accept are the rest."""
    rest: str
    """A hash of the rest and its labels: a plan for other labels promises nothing about these."""
    dropped: bool = False
    """Whether the queue does not follow it any more."""

    @property
    def alpha(self) -> float:
        """Probability with which the bound of this plan may fail."""
        return alpha_of(self.number)


def alpha_of(number: int) -> float:
    """Probability with which the bound of the plan of this number may fail; all together sum to 1 - CONFIDENCE."""
    return (1 - CONFIDENCE) * FIRST_SHARE * (1 - FIRST_SHARE) ** (number - 1)


@dataclass(slots=True)
class _Passed:
    """What there is to know of all labels together."""

    auto: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """The images at stake whose labels witnesses alone accept → the labels."""
    wrong: dict[str, bool] = field(default_factory=dict)
    pending: list[str] = field(default_factory=list)
    accepted: int = 0
    decided: int = 0


@dataclass(frozen=True, kw_only=True)
class Standing:
    """Where the labels of a benchmark stand. Mappings are keyed by item_id."""

    weighed: Sequence[WeighedItem]
    """The images that can be used, as witnesses leave them."""
    ranked: Sequence[RankedItem]
    items: Mapping[str, Item]
    """The images that people looked at, at least."""
    final: Mapping[str, Label]
    """The labels of these."""

    @cached_property
    def _passed(self) -> _Passed:
        """What is counted on one way through all images."""
        passed = _Passed()
        final, same = self.final, dict[tuple[str, ...], tuple[str, ...]]()
        for item_id, at_stake, accepted, named in fields(self.weighed, "item_id", "at_stake", "accepted", "labels"):
            label = final.get(item_id)
            if label.status == "pending" if label else not accepted:
                passed.pending.append(item_id)
            if not at_stake or not accepted:
                continue
            labels = tuple(named)
            passed.auto[item_id] = same.setdefault(labels, labels)
            passed.accepted += item_id not in final
            if label is not None and (wrong := is_label_wrong(labels, label)) is not None:
                passed.wrong[item_id] = wrong
        looked_at = [label for item_id, label in final.items() if self.items[item_id].is_at_stake]
        passed.accepted += sum(label.status == "accepted" for label in looked_at)
        passed.decided = sum(label.decided_by == PEOPLE for label in looked_at)
        return passed

    @cached_property
    def auto(self) -> list[str]:
        """The images at stake whose labels witnesses alone accept."""
        return list(self._passed.auto)

    @property
    def wrong(self) -> Mapping[str, bool]:
        """The labels of `auto` that people have looked at → whether they were wrong."""
        return self._passed.wrong

    @cached_property
    def unseen(self) -> list[str]:
        """The labels of `auto` that nobody has looked at."""
        return [item_id for item_id in self.auto if item_id not in self.wrong]

    @cached_property
    def pending(self) -> list[RankedItem]:
        """The images without a label, which only people can give one."""
        return self.rows_of(self._passed.pending)

    def rows_of(self, item_ids: Collection[str]) -> list[RankedItem]:
        """The rows of some images, by rank."""
        return sorted(some(by_item_id(self.ranked), item_ids).values(), key=lambda row: row.rank)

    @property
    def accepted(self) -> int:
        """Accepted labels of the images that are at stake."""
        return self._passed.accepted

    @property
    def decided(self) -> int:
        """Images at stake that people have decided."""
        return self._passed.decided

    def rest(self, commitment: Commitment) -> list[str]:
        """The labels that a plan does not have people see, as far as they are not drawn; in the order of the draw."""
        seen = set(commitment.people)
        return AuditSample(seed=commitment.seed).in_turn([key for key in self.auto if key not in seen])

    def rest_hash(self, item_ids: Iterable[str]) -> str:
        """A hash of some of these labels, by their ids."""
        return digest_of_all((item_id, self._passed.auto[item_id]) for item_id in sorted(item_ids))

    def fits(self, commitment: Commitment) -> bool:
        """Whether a plan was made for these labels."""
        return self.rest_hash(self.rest(commitment)) == commitment.rest


@dataclass(frozen=True, slots=True)
class Cut:
    """How labels are parted."""

    doubtful: int
    """How many of the most doubtful ones people see."""
    prior: FaultPrior
    """What to think of the rest."""
    audit: int
    """How many of the rest are probably drawn."""


def choose_cut(doubt: NDArray[np.float64], allowed: float, alpha: float) -> Cut:
    """The cut that has people see the fewest images. `doubt` (N,): how likely each label is wrong, falling.

    `allowed`: how many wrong labels may be left.
    """
    import numpy as np

    count = len(doubt)
    left = doubt.sum() - np.concatenate([[0.0], np.cumsum(doubt)])
    best = Cut(count, FaultPrior.of_rate(0), 0)
    for doubtful in np.unique((count * np.linspace(0, 1, CUTS) ** 2).round().astype(int))[:-1].tolist():
        if doubtful >= best.doubtful + best.audit:
            break
        size = count - doubtful
        rate = expected_rate(float(left[doubtful]), size).rate()
        prior = FaultPrior.of_rate(max(rate, CAUTION * allowed / size))
        audit = draws_needed(size, 0, 0, allowed, rate, prior, alpha)
        if doubtful + audit < best.doubtful + best.audit:
            best = Cut(doubtful, prior, audit)
    return best


def expected_rate(wrong: float, size: int) -> FaultPrior:
    """What to expect of so many labels, if so many of them are likely wrong. None expected is not none."""
    return FaultPrior.of_rate((max(wrong, 0.0) + 0.5) / (size + 1))


def is_begun(standing: Standing, before: Commitment | None) -> bool:
    """Whether somebody has looked at the audit of a plan; without one, at the audit that the queue ends with."""
    if before is not None:
        known = set(before.people)
        return any(item_id not in known for item_id in standing.wrong)
    return any(row.why == "audit" for row in standing.rows_of(standing.wrong))


def commit(
    standing: Standing,
    doubt: Mapping[str, float],
    *,
    error: float,
    seed: int,
    before: Commitment | None = None,
    anew: bool = False,
) -> Commitment:
    """The plan from now on. `doubt`: item_id → how likely the label is wrong. `before`: the plan up to now.

    If its audit has been looked at, and it was made for these labels, it stays what it is but for the error, unless
    `anew`. If the audit of the queue has been looked at before there was a plan, the plan has the queue's own cut, so
    that what was seen counts.
    """
    begun = is_begun(standing, before)
    if before is not None and begun and not anew and standing.fits(before):
        return dataclasses.replace(before, error=error, dropped=False)
    number = 1 if before is None else before.number + begun
    if before is None and begun and not anew:
        own: tuple[Why, ...] = ("audit", "settled")
        left = {row.item_id for row in standing.ranked if row.why in own}
        people = [item_id for item_id in standing.auto if item_id not in left]
        prior = FaultPrior.of_rate(UNPLANNED_RATE)
    else:
        order = most_doubtful_first(standing.unseen, doubt)
        cut = choose_cut(in_order(doubt, order), error * standing.accepted, alpha_of(number))
        prior = cut.prior
        people = [*standing.wrong, *order[: cut.doubtful]]
    known = set(people)
    return Commitment(
        error=error,
        seed=seed,
        number=number,
        prior=prior,
        people=tuple(sorted(people)),
        rest=standing.rest_hash([item_id for item_id in standing.auto if item_id not in known]),
    )


def most_doubtful_first(item_ids: Iterable[str], doubt: Mapping[str, float]) -> list[str]:
    """Labels by how likely they are wrong, and by id where that is the same."""
    ordered = sorted(item_ids)
    ordered.sort(key=lambda item_id: -doubt[item_id])  # one key after the other takes less memory than pairs
    return ordered


def in_order(doubt: Mapping[str, float], item_ids: Sequence[str]) -> NDArray[np.float64]:
    import numpy as np

    return np.array([doubt[item_id] for item_id in item_ids], dtype=np.float64)
