"""Plans how many images people see until at most a share of the accepted labels is wrong, and tells how far they are.

A plan parts the labels that witnesses alone accept. People see all that are more doubtful than a cut, and of the rest
as many, drawn at random, as it takes to bound the number of wrong ones among it (`acbench.stats.finite`). Doubt only
says where to cut and what to expect: the bound holds if it is mistaken. It holds at every moment, so that people may
look and stop as they like. It needs that cut, draw and prior are fixed before the draw is looked at: that is a
`Commitment`. What people decide counts as right. Labels of training images take no part: the dataset calls them normal.
"""

from __future__ import annotations

import dataclasses
from array import array
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from acbench.records import PEOPLE, Item, Label
from acbench.review.audit import AuditSample
from acbench.review.queue import RankedItem, is_label_wrong
from acbench.review.weighed import WeighedItem
from acbench.stats import FaultPrior, draws_needed
from acbench.storage.digests import digest_of_all
from acbench.storage.stored_rows import by_item_id, fields, some
from acbench.storage.texts import SomeTexts, Texts

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


@dataclass(frozen=True, slots=True)
class AutoLabels:
    """What witnesses alone leave, whatever people decide."""

    ids: Texts
    """The images at stake whose labels witnesses accept, rising. All else knows them by their place in this."""
    kinds: Sequence[tuple[str, ...]]
    """The labels that any of them has."""
    kind: NDArray[np.int32]
    """The place in `kinds` of the label of each, [N]."""
    questioned: NDArray[np.bool_]
    """Whether some witness questions it, [N]."""
    open: Sequence[str]
    """The images whose labels witnesses do not accept."""

    @classmethod
    def of(cls, weighed: Sequence[WeighedItem]) -> AutoLabels:
        """Those of the images that can be used, on one way through these."""
        import numpy as np

        ids, kinds, kind, questioned, unaccepted = Texts(), dict[tuple[str, ...], int](), array("i"), bytearray(), []
        columns = ("item_id", "at_stake", "accepted", "labels", "why")
        for item_id, at_stake, accepted, named, why in fields(weighed, *columns):
            if not accepted:
                unaccepted.append(item_id)
            elif at_stake:
                ids.append(item_id)
                kind.append(kinds.setdefault(tuple(named), len(kinds)))
                questioned.append(why != "settled")
        order = ids.order
        return cls(
            ids=Texts(SomeTexts(ids, order)),
            kinds=list(kinds),
            kind=np.asarray(kind)[order],
            questioned=np.frombuffer(questioned, dtype=np.bool_)[order],
            open=unaccepted,
        )


@dataclass(frozen=True, kw_only=True)
class Standing:
    """Where the labels of a benchmark stand. Mappings are keyed by item_id."""

    labels: AutoLabels
    ranked: Sequence[RankedItem]
    items: Mapping[str, Item]
    """The images that people looked at, at least."""
    final: Mapping[str, Label]
    """The labels of these."""

    @property
    def auto(self) -> Texts:
        """The images at stake whose labels witnesses alone accept, rising."""
        return self.labels.ids

    @property
    def questioned(self) -> NDArray[np.bool_]:
        """Whether some witness questions each label of `auto`, [N]."""
        return self.labels.questioned

    @cached_property
    def wrong(self) -> Mapping[str, bool]:
        """The labels of `auto` that people have looked at → whether they were wrong."""
        found = {}
        for item_id, label in self.final.items():
            place = self.auto.place(item_id)
            if place is not None:
                named = self.labels.kinds[self.labels.kind[place]]
                if (is_wrong := is_label_wrong(named, label)) is not None:
                    found[item_id] = is_wrong
        return found

    @cached_property
    def is_seen(self) -> NDArray[np.bool_]:
        """Whether people have looked at each label of `auto`, [N]."""
        return self.among(self.wrong)

    @property
    def unseen(self) -> Sequence[str]:
        """The labels of `auto` that nobody has looked at."""
        return self.called((~self.is_seen).nonzero()[0])

    def among(self, item_ids: Iterable[str]) -> NDArray[np.bool_]:
        """Whether each label of `auto` is among these, [N]."""
        import numpy as np

        chosen = np.zeros(len(self.auto), dtype=np.bool_)
        chosen[[place for key in item_ids if (place := self.auto.place(key)) is not None]] = True
        return chosen

    def called(self, places: NDArray[np.intp]) -> Sequence[str]:
        """The ids of some labels of `auto`, by their places in it."""
        return SomeTexts(self.auto, places)

    @cached_property
    def pending(self) -> list[RankedItem]:
        """The images without a label, which only people can give one."""
        unseen = [item_id for item_id in self.labels.open if item_id not in self.final]
        return self.rows_of([*unseen, *(key for key, label in self.final.items() if label.status == "pending")])

    def rows_of(self, item_ids: Collection[str]) -> list[RankedItem]:
        """The rows of some images, by rank."""
        return sorted(some(by_item_id(self.ranked), item_ids).values(), key=lambda row: row.rank)

    @cached_property
    def _looked_at(self) -> list[Label]:
        """The labels of the images at stake that people looked at."""
        return [label for item_id, label in self.final.items() if self.items[item_id].is_at_stake]

    @cached_property
    def accepted(self) -> int:
        """Accepted labels of the images that are at stake."""
        unseen = len(self.auto) - sum(item_id in self.auto for item_id in self.final)
        return unseen + sum(label.status == "accepted" for label in self._looked_at)

    @property
    def decided(self) -> int:
        """Images at stake that people have decided."""
        return sum(label.decided_by == PEOPLE for label in self._looked_at)

    def rest(self, commitment: Commitment) -> NDArray[np.intp]:
        """The places in `auto` of the labels that a plan does not have people see, as far as they are not drawn; in the
        order of the draw."""
        import numpy as np

        left = np.flatnonzero(~self.among(commitment.people))
        return left[AuditSample(seed=commitment.seed).turns(self.called(left))]

    def hash_of(self, places: NDArray[np.intp]) -> str:
        """A hash of some of these labels. `places`: rising."""
        kinds, kind = self.labels.kinds, self.labels.kind
        return digest_of_all(zip(self.called(places), map(kinds.__getitem__, kind[places].data), strict=True))

    def fits(self, commitment: Commitment) -> bool:
        """Whether a plan was made for these labels."""
        import numpy as np

        return self.hash_of(np.flatnonzero(~self.among(commitment.people))) == commitment.rest


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
    import numpy as np

    begun = is_begun(standing, before)
    if before is not None and begun and not anew and standing.fits(before):
        return dataclasses.replace(before, error=error, dropped=False)
    number = 1 if before is None else before.number + begun
    if before is None and begun and not anew:
        seen = standing.questioned
        prior = FaultPrior.of_rate(UNPLANNED_RATE)
    else:
        figures = in_order(doubt, standing.auto)
        order = most_doubtful_first(np.flatnonzero(~standing.is_seen), figures)
        cut = choose_cut(figures[order], error * standing.accepted, alpha_of(number))
        prior = cut.prior
        seen = standing.is_seen.copy()
        seen[order[: cut.doubtful]] = True
    return Commitment(
        error=error,
        seed=seed,
        number=number,
        prior=prior,
        people=tuple(standing.called(np.flatnonzero(seen))),
        rest=standing.hash_of(np.flatnonzero(~seen)),
    )


def most_doubtful_first(places: NDArray[np.intp], figures: NDArray[np.float64]) -> NDArray[np.intp]:
    """Places of labels by how likely these are wrong, and by place where that is the same. `places`: rising;
    `figures` (N,): how likely each label is."""
    ordered: NDArray[np.intp] = places[(-figures[places]).argsort(kind="stable")]
    return ordered


def in_order(doubt: Mapping[str, float], item_ids: Sequence[str]) -> NDArray[np.float64]:
    """How likely each of some labels is wrong, (N,)."""
    import numpy as np

    return np.fromiter(map(doubt.__getitem__, item_ids), dtype=np.float64, count=len(item_ids))
