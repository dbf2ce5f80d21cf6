"""Compares proposers: against the current labels, with each other, and by what their answers cost."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from acbench.records import JOIN, PEOPLE, Item, Label, Proposal, short_name, shown_names
from acbench.review.calibrated import ProposerCalibration, calibrate, likeliest
from acbench.review.crowdlab import cross_validated
from acbench.schema import Schema
from acbench.stats import Calibration, Estimate, calibration, kappa, rate, why_no_coefficient

CONFUSIONS = 5
"""How many of a proposer's most frequent mistakes are listed."""
CROWDLAB = "weighed, cross-validated"
"""The name of the combined answer of all witnesses, beside those of the proposers."""

LabelTexts = Mapping[str, str]
"""item_id → class ids, joined."""


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
    truth = _true_answers(dataset, people_only)
    current = [proposal for proposals in dataset.proposals.values() for proposal in proposals]
    names = shown_names(proposal.proposer for proposal in (*current, *dataset.former))
    asked: dict[str, dict[str, Proposal]] = {}
    for proposal in (*current, *dataset.former):
        asked.setdefault(names[proposal.proposer], {})[proposal.item_id] = proposal
    former = {names[proposal.proposer] for proposal in dataset.former}
    answers: dict[str, LabelTexts] = {
        name: {
            item_id: JOIN.join(proposal.labels)
            for item_id, proposal in own.items()
            if proposal.status == "ok" and item_id in truth
        }
        for name, own in sorted(asked.items())
    }
    calibrated = calibrate(dataset.items, dataset.proposals, dataset.labels, dataset.schema)
    reliability = {names[name]: made for name, made in calibrated.items()}
    combined = cross_validated(dataset.items, dataset.proposals, dataset.labels, dataset.schema)
    if combined:
        answers[CROWDLAB] = {item_id: label for item_id, label in combined.items() if item_id in truth}
    category_of = {item.item_id: item.category for item in dataset.items}
    return ProposerComparison(
        benchmark=dataset.schema.benchmark,
        people_only=people_only,
        images=len(truth),
        proposers={
            name: ProposerFigures(
                overall=_figures(own, truth),
                by_category=_by_category(own, truth, category_of),
                calibration=calibration(_confidences(asked.get(name, {}), truth)),
                reliability=reliability.get(name),
                cost=_cost(asked.get(name, {}), _right(own, truth), cost, is_free),
                confusions=_confusions(own, truth, category_of),
                models=tuple(sorted({answer.model for answer in asked.get(name, {}).values()} - {""})),
                families=tuple(sorted({answer.family for answer in asked.get(name, {}).values()} - {""})),
                asked=name not in former,
            )
            for name, own in answers.items()
        },
        agreement=[_agreement(answers, one, other) for one, other in combinations(answers, 2)],
    )


def _true_answers(dataset: LabelledDataset, people_only: bool) -> LabelTexts:
    truth = {}
    for item in dataset.items:
        label = dataset.labels[item.item_id]
        known = label.labels and label.status != "excluded" and (label.decided_by == PEOPLE or not people_only)
        if item.anomalous and known:
            truth[item.item_id] = JOIN.join(label.labels)
    return truth


def _right(answers: LabelTexts, truth: LabelTexts) -> int:
    return sum(truth[item_id] == answer for item_id, answer in answers.items())


def _figures(answers: LabelTexts, truth: LabelTexts) -> AnswerFigures:
    right = _right(answers, truth)
    return AnswerFigures(
        answered=len(answers),
        coverage=len(answers) / len(truth) if truth else None,
        right=right,
        accuracy=rate(right, len(answers)),
        kappa=kappa([truth[item_id] for item_id in answers], list(answers.values())),
    )


def _by_category(answers: LabelTexts, truth: LabelTexts, category_of: Mapping[str, str]) -> dict[str, AnswerFigures]:
    def only(category: str, rows: LabelTexts) -> LabelTexts:
        return {item_id: answer for item_id, answer in rows.items() if category_of[item_id] == category}

    categories = sorted({category_of[item_id] for item_id in truth})
    return {category: _figures(only(category, answers), only(category, truth)) for category in categories}


def _agreement(answers: Mapping[str, LabelTexts], one: str, other: str) -> ProposerPair:
    first, second = answers[one], answers[other]
    both = sorted(first.keys() & second.keys())
    same = sum(first[item_id] == second[item_id] for item_id in both)
    return ProposerPair(
        one=one,
        other=other,
        images=len(both),
        same=same / len(both) if both else None,
        kappa=kappa([first[item_id] for item_id in both], [second[item_id] for item_id in both]),
    )


def _confidences(proposals: Mapping[str, Proposal], truth: LabelTexts) -> list[tuple[float, bool]]:
    """Collect (probability of the likeliest class, whether it is right) for images with one true class.

    Abstentions count too: their probabilities are known.
    """
    confidences = []
    for item_id, proposal in sorted(proposals.items()):
        if proposal.scores and item_id in truth and JOIN not in truth[item_id]:
            best = likeliest(proposal.scores)
            confidences.append((proposal.scores[best], best == truth[item_id]))
    return confidences


def _cost(
    proposals: Mapping[str, Proposal],
    right: int,
    cost: Callable[[Sequence[str]], float],
    is_free: Callable[[str], bool],
) -> AnswerCost:
    calls = sorted({call for proposal in proposals.values() for call in proposal.calls})
    if not calls:
        return AnswerCost(calls=0, dollars=0.0, dollars_per_right=None)
    dollars = cost(calls)
    if not dollars and not all(is_free(short_name(proposal.proposer)) for proposal in proposals.values()):
        return AnswerCost(calls=len(calls), dollars=None, dollars_per_right=None)
    return AnswerCost(calls=len(calls), dollars=dollars, dollars_per_right=dollars / right if right else None)


def _confusions(answers: LabelTexts, truth: LabelTexts, category_of: Mapping[str, str]) -> list[Confusion]:
    mistakes = Counter(
        (category_of[item_id], truth[item_id], answer)
        for item_id, answer in answers.items()
        if truth[item_id] != answer
    )
    most_frequent = sorted(mistakes.items(), key=lambda mistake: (-mistake[1], mistake[0]))[:CONFUSIONS]
    return [
        Confusion(category=category, true=true, said=answer, images=images)
        for (category, true, answer), images in most_frequent
    ]
