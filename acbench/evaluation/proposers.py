"""Compares proposers: against the current labels, with each other, and by what their answers cost."""

from __future__ import annotations

import dataclasses
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from acbench.evaluation.compared import Compared, Verdict
from acbench.records import JOIN, PEOPLE, Item, Label, Proposal, short_name, shown_names
from acbench.review.calibrated import ProposerCalibration, calibrate
from acbench.review.crowdlab import cross_validated
from acbench.schema import Schema
from acbench.stats import Calibration, Estimate, calibration, kappa, rate, why_no_coefficient

CONFUSIONS = 5
"""How many of a proposer's most frequent mistakes are listed."""
CROWDLAB = "weighed, cross-validated"
"""The name of the combined answer of all witnesses, beside those of the proposers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelledDataset:
    """A dataset with its proposals and current labels."""

    items: Sequence[Item]
    proposals: Mapping[str, Sequence[Proposal]]
    """By item_id."""
    labels: Mapping[str, Label]
    """By item_id."""
    schema: Schema
    former: Sequence[Proposal] = ()
    """Answers of proposers that are no longer asked. They are compared, and no part of any label."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerFigures:
    """How good the answers of one proposer are, on the images that have a true label."""

    answered: int
    coverage: float | None
    """Share of the images that it answered; None without images."""
    right: int
    accuracy: Estimate | None
    """Share of its answers that are right."""
    kappa: float | None
    """Cohen's kappa with the true labels."""

    @property
    def missing(self) -> str:
        """Why there is no kappa; empty if there is one, or nothing to compare."""
        return why_no_coefficient(self.answered) if self.kappa is None and self.answered else ""

    def to_json(self) -> dict[str, object]:
        """JSON values in the order of the fields."""
        return {**dataclasses.asdict(self), "accuracy": self.accuracy and self.accuracy.interval_to_json()}


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerCost:
    """What the answers of one proposer cost."""

    calls: int
    """Calls of an LLM."""
    dollars: float | None
    """None if calls were made whose price is not known."""
    dollars_per_right: float | None
    """Dollars for each right answer; None without calls, price or right answers."""

    @property
    def missing(self) -> str:
        """Why the dollars are not known; empty if they are, or if there is nothing to pay."""
        return "no price was given: --llm-price" if self.calls and self.dollars is None else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Confusion:
    """One kind of mistake."""

    category: str
    true: str
    said: str
    """What the proposer answered."""
    images: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ProposerFigures:
    """Everything about one proposer."""

    overall: AnswerFigures
    by_category: Mapping[str, AnswerFigures]
    calibration: Calibration | None
    """None if it gives no probabilities."""
    reliability: ProposerCalibration | None
    """What calibrating its scores does; None if nothing judges them."""
    cost: AnswerCost
    confusions: Sequence[Confusion]
    """The most frequent mistakes, at most CONFUSIONS."""
    models: tuple[str, ...] = ()
    """The models and versions that answered, sorted."""
    families: tuple[str, ...] = ()
    """The families of these."""
    asked: bool = True
    """Whether it is still asked."""

    def to_json(self) -> dict[str, object]:
        """JSON values: overall figures and cost stand in one table with the rest."""
        return {
            **self.overall.to_json(),
            "by_category": {name: figures.to_json() for name, figures in self.by_category.items()},
            "calibration": self.calibration,
            "reliability": self.reliability and dataclasses.asdict(self.reliability),
            **dataclasses.asdict(self.cost),
            "confusions": [dataclasses.asdict(confusion) for confusion in self.confusions],
            "models": list(self.models),
            "families": list(self.families),
            "asked": self.asked,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class ProposerPair:
    """How far two proposers agree, on the images that both answered."""

    one: str
    other: str
    images: int
    same: float | None
    """Share of equal answers; None without images."""
    kappa: float | None

    @property
    def missing(self) -> str:
        """Why there is no kappa; empty if there is one, or nothing to compare."""
        return why_no_coefficient(self.images) if self.kappa is None and self.images else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProposerComparison:
    """Everything that `acbench compare` prints."""

    benchmark: str
    people_only: bool
    """Whether only people's decisions count as true."""
    images: int
    proposers: Mapping[str, ProposerFigures]
    agreement: Sequence[ProposerPair]

    @property
    def truth(self) -> str:
        """What the answers are judged by, in words."""
        return "people's decisions" if self.people_only else "the current labels"

    def to_json(self) -> dict[str, object]:
        """What `acbench compare --json` prints."""
        return {
            "benchmark": self.benchmark,
            "truth": self.truth,
            "images": self.images,
            "proposers": {name: figures.to_json() for name, figures in self.proposers.items()},
            "agreement": [dataclasses.asdict(pair) for pair in self.agreement],
        }


def compare(
    dataset: LabelledDataset,
    *,
    people_only: bool,
    cost: Callable[[Sequence[str]], float],
    is_free: Callable[[str], bool] = lambda proposer: False,
) -> ProposerComparison:
    """Compare all proposers on the anomalous images that have a label.

    `people_only`: count only labels that people decided. Otherwise pending labels count too, and a proposer that helped
    to make the labels is in part judged by itself.
    `cost`: gives the dollars that calls took, by their ids. `is_free`: whether the calls of a proposer, by its short
    name, cost nothing; of any other one that cost nothing, the price is not known.
    """
    calibrated = calibrate(dataset.items, dataset.proposals, dataset.labels, dataset.schema)
    weighed = cross_validated(dataset.items, dataset.proposals, dataset.labels, dataset.schema)
    compared = _compared(dataset, people_only, weighed)
    former = {proposal.proposer for proposal in dataset.former}
    names = dict(sorted(shown_names(compared.proposers).items(), key=lambda pair: pair[1]))
    if weighed:
        names[CROWDLAB] = CROWDLAB
    return ProposerComparison(
        benchmark=dataset.schema.benchmark,
        people_only=people_only,
        images=compared.images.total(),
        proposers={
            shown: _proposer(
                name, compared, calibrated.get(name), cost, is_free(short_name(name)), asked=name not in former
            )
            for name, shown in names.items()
        },
        agreement=[
            _agreement(names[one], names[other], compared.both(one, other)) for one, other in combinations(names, 2)
        ],
    )


def _compared(dataset: LabelledDataset, people_only: bool, weighed: Mapping[str, str]) -> Compared:
    """What all proposers say. `weighed`: item_id → the class that is likeliest by all of them."""
    compared = Compared()
    former: defaultdict[str, list[Proposal]] = defaultdict(list)
    for proposal in dataset.former:
        former[proposal.item_id].append(proposal)
    for item in dataset.items:
        key = item.item_id
        more = {CROWDLAB: weighed[key]} if key in weighed else {}
        true = _true_answer(item, dataset.labels[key], people_only)
        compared.add(item.category, true, [*dataset.proposals.get(key, ()), *former.pop(key, ())], more)
    for proposals in former.values():  # of images that the dataset does not hold any more
        compared.add("", "", proposals, {})
    return compared


def _true_answer(item: Item, label: Label, people_only: bool) -> str:
    """The label of an anomalous image; empty if it has none that counts."""
    counts = label.labels and label.status != "excluded" and (label.decided_by == PEOPLE or not people_only)
    return JOIN.join(label.labels) if item.anomalous and counts else ""


def _proposer(
    name: str,
    compared: Compared,
    reliability: ProposerCalibration | None,
    cost: Callable[[Sequence[str]], float],
    is_free: bool,
    *,
    asked: bool,
) -> ProposerFigures:
    said, verdicts = compared.said(name), compared.verdicts(name)
    overall = _figures(verdicts, compared.images.total())
    return ProposerFigures(
        overall=overall,
        by_category={
            category: _figures(
                Counter({verdict: count for verdict, count in verdicts.items() if verdict.category == category}), images
            )
            for category, images in sorted(compared.images.items())
        },
        calibration=calibration(said.confidences),
        reliability=reliability,
        cost=_cost(sorted(said.calls), overall.right, cost, is_free),
        confusions=_confusions(verdicts),
        models=tuple(sorted(said.models)),
        families=tuple(sorted(said.families)),
        asked=asked,
    )


def _figures(verdicts: Counter[Verdict], images: int) -> AnswerFigures:
    """How good answers are. `images`: how many have a true label."""
    right = sum(count for verdict, count in verdicts.items() if verdict.true == verdict.said)
    return AnswerFigures(
        answered=verdicts.total(),
        coverage=verdicts.total() / images if images else None,
        right=right,
        accuracy=rate(right, verdicts.total()),
        kappa=kappa(
            [verdict.true for verdict in verdicts], [verdict.said for verdict in verdicts], [*verdicts.values()]
        ),
    )


def _agreement(one: str, other: str, both: Counter[tuple[str, str]]) -> ProposerPair:
    images = both.total()
    same = sum(count for (first, second), count in both.items() if first == second)
    return ProposerPair(
        one=one,
        other=other,
        images=images,
        same=same / images if images else None,
        kappa=kappa([first for first, _ in both], [second for _, second in both], [*both.values()]),
    )


def _cost(calls: Sequence[str], right: int, cost: Callable[[Sequence[str]], float], is_free: bool) -> AnswerCost:
    if not calls:
        return AnswerCost(calls=0, dollars=0.0, dollars_per_right=None)
    dollars = cost(calls)
    if not dollars and not is_free:
        return AnswerCost(calls=len(calls), dollars=None, dollars_per_right=None)
    return AnswerCost(calls=len(calls), dollars=dollars, dollars_per_right=dollars / right if right else None)


def _confusions(verdicts: Counter[Verdict]) -> list[Confusion]:
    mistakes = [(verdict, count) for verdict, count in verdicts.items() if verdict.true != verdict.said]
    most_frequent = sorted(mistakes, key=lambda mistake: (-mistake[1], mistake[0]))[:CONFUSIONS]
    return [
        Confusion(category=verdict.category, true=verdict.true, said=verdict.said, images=count)
        for verdict, count in most_frequent
    ]
