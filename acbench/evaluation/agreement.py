"""How far reviewers agree, what visible proposals do to them, and whether a proposer could replace a reviewer."""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from statistics import median

from acbench.records import Item, Proposal, Review
from acbench.review.history import current_reviews
from acbench.stats import (
    AlternativeAnnotatorTest,
    ClassSet,
    Estimate,
    alternative_annotator,
    cohen_kappa,
    fleiss_kappa,
    krippendorff_alpha,
    masi,
    rate,
)

AnswersByImage = Mapping[str, Mapping[str, ClassSet]]
"""item_id → reviewer → answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionTimes:
    """Seconds that decisions took, where they are known."""

    n: int
    median: float | None
    """None if no time is known."""
    sum: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewerCounts:
    """The current decisions of one reviewer."""

    decisions: int
    unsure: int
    blind: int
    """Decisions with no proposal in sight."""
    seconds: DecisionTimes


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassAgreement:
    """Agreement on whether one class is present."""

    images: int
    """Images for which at least one reviewer names the class."""
    alpha: Estimate | None


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupAgreement:
    """Agreement of all reviewers on a group of images."""

    images: int
    shared: int
    """Images with more than one reviewer."""
    unanimous: Estimate | None
    """Share of the shared images on which all reviewers give the same answer."""
    alpha: Estimate | None
    """Krippendorff's alpha with the MASI distance."""
    fleiss: Estimate | None
    """Fleiss' kappa."""
    distance: float | None
    """Mean MASI distance of two answers about the same image, 0 (equal) to 1."""

    def to_json(self) -> dict[str, object]:
        """JSON values in the order of the fields."""
        return {**dataclasses.asdict(self), "unanimous": self.unanimous and self.unanimous.interval_to_json()}


@dataclass(frozen=True, slots=True, kw_only=True)
class CategoryAgreement:
    """Agreement on the images of one category."""

    overall: GroupAgreement
    by_class: Mapping[str, ClassAgreement]
    seconds: DecisionTimes

    def to_json(self) -> dict[str, object]:
        """JSON values: the overall figures, classes and times in one table."""
        by_class = {name: dataclasses.asdict(figures) for name, figures in self.by_class.items()}
        return {**self.overall.to_json(), "by_class": by_class, "seconds": dataclasses.asdict(self.seconds)}


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewerPair:
    """Agreement of two reviewers."""

    images: int
    """Images that both decided."""
    same: float
    """Share of them with the same answer."""
    kappa: Estimate | None
    """Cohen's kappa."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProposerAgreement:
    """Agreement of reviewers with one proposer. One image counts once for each reviewer."""

    shown: Estimate | None
    """Share of decisions equal to the proposal, where it was in sight; None without such decisions."""
    blind: Estimate | None
    """The same where it was not in sight."""
    kappa: Estimate | None
    """Cohen's kappa of the decisions where it was not in sight."""
    alternative: AlternativeAnnotatorTest
    """Whether the proposer could replace a reviewer, from the decisions where it was not in sight."""

    def to_json(self) -> dict[str, object]:
        """JSON values; in place of a test without a result stands the reason why it has none."""
        test = self.alternative
        return {
            "shown": _match_json(self.shown),
            "blind": _match_json(self.blind),
            "kappa": self.kappa and self.kappa.to_json(),
            "alternative": test.too_few or {**dataclasses.asdict(test), "passes": test.passes},
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class TimesBySight:
    """Decision times by whether a proposal was in sight."""

    all: DecisionTimes
    shown: DecisionTimes
    blind: DecisionTimes


@dataclass(frozen=True, slots=True, kw_only=True)
class AgreementReport:
    """Everything that `acbench review report` prints."""

    benchmark: str
    images: int
    """Images with at least one decision."""
    shared: int
    """Images decided by more than one reviewer."""
    reviewers: Mapping[str, ReviewerCounts]
    agreement: GroupAgreement
    by_category: Mapping[str, CategoryAgreement]
    pairs: Mapping[str, ReviewerPair]
    """By `ONE and OTHER`."""
    proposers: Mapping[str, ProposerAgreement]
    """By full name; those that nobody's decision can be compared with are left out."""
    seconds: TimesBySight

    def to_json(self) -> dict[str, object]:
        """What `acbench review report --json` prints."""
        return {
            **dataclasses.asdict(self),
            "agreement": self.agreement.to_json(),
            "by_category": {name: category.to_json() for name, category in self.by_category.items()},
            "proposers": {name: proposer.to_json() for name, proposer in self.proposers.items()},
        }


def agreement(
    items: Sequence[Item],
    proposals: Mapping[str, Sequence[Proposal]],
    reviews: Mapping[str, Sequence[Review]],
    benchmark: str,
) -> AgreementReport:
    """Compare the current decision of each reviewer on each image. `proposals` and `reviews` are keyed by item_id.

    A verdict such as `bad_mask` counts as an answer of its own; `unsure` counts as no answer. A proposer is compared
    with people who had not seen its answer; those who had are counted apart.
    """
    category_of = {item.item_id: item.category for item in items}
    current = [
        review
        for item_id, history in sorted(reviews.items())
        if item_id in category_of
        for review in current_reviews(history)
    ]
    decided = [review for review in current if review.verdict != "unsure"]
    answers = _by_image(decided)
    return AgreementReport(
        benchmark=benchmark,
        images=len(answers),
        shared=sum(len(by_reviewer) > 1 for by_reviewer in answers.values()),
        reviewers={name: _reviewer(current, name) for name in sorted({review.reviewer for review in current})},
        agreement=_group(answers),
        by_category={
            category: _category([review for review in decided if category_of[review.item_id] == category])
            for category in sorted({category_of[item_id] for item_id in answers})
        },
        pairs=_pairs(answers),
        proposers=_proposers(proposals, decided),
        seconds=TimesBySight(
            all=decision_times(decided),
            shown=decision_times(review for review in decided if review.shown),
            blind=decision_times(review for review in decided if not review.shown),
        ),
    )


def _by_image(decided: Iterable[Review]) -> AnswersByImage:
    answers: defaultdict[str, dict[str, ClassSet]] = defaultdict(dict)
    for review in decided:
        answers[review.item_id][review.reviewer] = _answer(review)
    return answers


def _answer(review: Review) -> ClassSet:
    return review.labels if review.verdict == "label" else (f"({review.verdict})",)


def _reviewer(current: Sequence[Review], name: str) -> ReviewerCounts:
    own = [review for review in current if review.reviewer == name]
    return ReviewerCounts(
        decisions=len(own),
        unsure=sum(review.verdict == "unsure" for review in own),
        blind=sum(not review.shown for review in own),
        seconds=decision_times(own),
    )


def _group(answers: AnswersByImage) -> GroupAgreement:
    by_image = [list(by_reviewer.values()) for _, by_reviewer in sorted(answers.items())]
    shared = [own for own in by_image if len(own) > 1]
    distances = [masi(first, second) for own in shared for first, second in combinations(own, 2)]
    return GroupAgreement(
        images=len(answers),
        shared=len(shared),
        unanimous=rate(sum(len(set(own)) == 1 for own in shared), len(shared)),
        alpha=krippendorff_alpha(by_image),
        fleiss=fleiss_kappa(by_image),
        distance=sum(distances) / len(distances) if distances else None,
    )


def _category(decided: Sequence[Review]) -> CategoryAgreement:
    answers = _by_image(decided)
    return CategoryAgreement(overall=_group(answers), by_class=_by_class(answers), seconds=decision_times(decided))


def _by_class(answers: AnswersByImage) -> dict[str, ClassAgreement]:
    """Agreement on each class alone: is it present or not?"""
    by_image = [list(by_reviewer.values()) for by_reviewer in answers.values()]
    agreements = {}
    for label in sorted({label for own in by_image for answer in own for label in answer}):
        presence = [[("yes",) if label in answer else ("no",) for answer in own] for own in by_image]
        agreements[label] = ClassAgreement(
            images=sum(("yes",) in own for own in presence), alpha=krippendorff_alpha(presence)
        )
    return agreements


def _pairs(answers: AnswersByImage) -> dict[str, ReviewerPair]:
    names = sorted({name for by_reviewer in answers.values() for name in by_reviewer})
    pairs = {}
    for one, other in combinations(names, 2):
        both = [by_reviewer for _, by_reviewer in sorted(answers.items()) if {one, other} <= by_reviewer.keys()]
        first, second = ([by_reviewer[name] for by_reviewer in both] for name in (one, other))
        if both:
            pairs[f"{one} and {other}"] = ReviewerPair(
                images=len(both),
                same=sum(a == b for a, b in zip(first, second, strict=True)) / len(both),
                kappa=cohen_kappa(first, second),
            )
    return pairs


def _proposers(proposals: Mapping[str, Sequence[Proposal]], decided: Sequence[Review]) -> dict[str, ProposerAgreement]:
    proposed: defaultdict[str, dict[str, ClassSet]] = defaultdict(dict)
    for answers in proposals.values():
        for answer in answers:
            if answer.status == "ok":
                proposed[answer.proposer][answer.item_id] = answer.labels
    compared = {name: _proposer(name, own, decided) for name, own in sorted(proposed.items())}
    return {name: proposer for name, proposer in compared.items() if proposer.shown or proposer.blind}


def _proposer(name: str, proposed: Mapping[str, ClassSet], decided: Sequence[Review]) -> ProposerAgreement:
    both = [review for review in decided if review.item_id in proposed]
    shown = [review for review in both if name in review.shown]
    blind = [review for review in both if name not in review.shown]
    people: defaultdict[str, dict[str, ClassSet]] = defaultdict(dict)
    for review in blind:
        people[review.reviewer][review.item_id] = _answer(review)
    return ProposerAgreement(
        shown=_matches(shown, proposed),
        blind=_matches(blind, proposed),
        kappa=cohen_kappa(
            [_answer(review) for review in blind],
            [proposed[review.item_id] for review in blind],
            [review.item_id for review in blind],
        ),
        alternative=alternative_annotator(people, proposed),
    )


def _matches(reviews: Sequence[Review], proposed: Mapping[str, ClassSet]) -> Estimate | None:
    """The share of decisions that are what the proposer had said."""
    return rate(sum(_answer(review) == proposed[review.item_id] for review in reviews), len(reviews))


def _match_json(matches: Estimate | None) -> dict[str, object]:
    return {"n": matches.n if matches else 0, "same": matches and matches.interval_to_json()}


def decision_times(reviews: Iterable[Review]) -> DecisionTimes:
    """How long decisions took, as far as that is known."""
    known = sorted(review.seconds for review in reviews if review.seconds is not None)
    return DecisionTimes(n=len(known), median=median(known) if known else None, sum=round(sum(known), 1))
