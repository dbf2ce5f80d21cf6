"""How far reviewers agree, what visible proposals do to them, and whether a proposer could replace a reviewer.

All of it is about first answers, which nobody's answer had a part in: see `acbench.review.history.first_answers`. What
people have settled since, when asked again or by somebody else, is one line of its own.
"""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from statistics import median

from acbench.records import Item, Proposal, Review, Sight, short_name
from acbench.review.history import current_reviews, first_answers
from acbench.review.sight import WORDS, sight_of, sight_of_proposer
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
    why_no_coefficient,
)
from acbench.storage.stored_rows import by_item_id, some

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
    by_sight: Mapping[Sight, int]
    """Decisions by what the reviewer could know of proposals; only states that occur."""
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

    @property
    def missing(self) -> str:
        """Why there is no alpha; empty if there is one."""
        return "" if self.alpha else why_no_coefficient(self.shared)

    def to_json(self) -> dict[str, object]:
        """JSON values in the order of the fields."""
        return {**dataclasses.asdict(self), "unanimous": self.unanimous and self.unanimous.to_json(),
                "missing": self.missing}  # fmt: skip


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
    same: Estimate | None
    """Share of them with the same answer."""
    kappa: Estimate | None
    """Cohen's kappa."""

    @property
    def missing(self) -> str:
        """Why there is no kappa; empty if there is one."""
        return "" if self.kappa else why_no_coefficient(self.images)

    def to_json(self) -> dict[str, object]:
        """JSON values in the order of the fields."""
        return {**dataclasses.asdict(self), "missing": self.missing}


@dataclass(frozen=True, slots=True, kw_only=True)
class ProposerAgreement:
    """Agreement of reviewers with all versions of one proposer, by its present answers. One image counts once for each
    reviewer."""

    same: Mapping[Sight, Estimate]
    """Share of first answers equal to the proposal, by what the reviewer could know of this proposer's answer; only
    states that occur."""
    untouched: int
    """Images about which somebody decided without having had its answer in reach: it was hidden, or not given yet."""
    kappa: Estimate | None
    """Cohen's kappa of these decisions."""
    alternative: AlternativeAnnotatorTest
    """Whether the proposer could replace a reviewer, from these decisions."""

    @property
    def missing(self) -> str:
        """Why there is no kappa; empty if there is one."""
        return "" if self.kappa else why_no_coefficient(self.untouched)

    def to_json(self) -> dict[str, object]:
        """JSON values; in place of a test without a result stands the reason why it has none."""
        test = self.alternative
        return {
            "same": {sight: share.to_json() for sight, share in self.same.items()},
            "untouched": self.untouched,
            "kappa": self.kappa and self.kappa.to_json(),
            "missing": self.missing,
            "alternative": test.too_few or {**dataclasses.asdict(test), "passes": test.passes},
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class AgreementReport:
    """Everything that `acbench review report` prints."""

    benchmark: str
    images: int
    """Images with at least one decision."""
    shared: int
    """Images that more than one reviewer decided independently of the others."""
    reviewers: Mapping[str, ReviewerCounts]
    agreement: GroupAgreement
    """Agreement of first answers."""
    adjudicated: GroupAgreement
    """Agreement of the current decisions: after people were asked again, and others about what people disputed."""
    by_category: Mapping[str, CategoryAgreement]
    pairs: Mapping[str, ReviewerPair]
    """By `ONE and OTHER`."""
    proposers: Mapping[str, ProposerAgreement]
    """By full name; those that nobody's decision can be compared with are left out."""
    seconds: DecisionTimes
    seconds_by_sight: Mapping[Sight, DecisionTimes]

    def to_json(self) -> dict[str, object]:
        """What `acbench review report --json` prints."""
        return {
            **dataclasses.asdict(self),
            "agreement": self.agreement.to_json(),
            "adjudicated": self.adjudicated.to_json(),
            "by_category": {name: category.to_json() for name, category in self.by_category.items()},
            "pairs": {name: pair.to_json() for name, pair in self.pairs.items()},
            "proposers": {name: proposer.to_json() for name, proposer in self.proposers.items()},
        }


def agreement(
    items: Sequence[Item],
    proposals: Mapping[str, Sequence[Proposal]],
    reviews: Mapping[str, Sequence[Review]],
    benchmark: str,
) -> AgreementReport:
    """Compare the first answer of each reviewer on each image. `proposals` and `reviews` are keyed by item_id.

    A verdict such as `bad_mask` counts as an answer of its own; `unsure` counts as no answer. A proposer is compared
    with people who had not had its answer in reach; others are counted apart.
    """
    category_of = {item_id: item.category for item_id, item in some(by_item_id(items), reviews.keys()).items()}
    known = {item_id: history for item_id, history in sorted(reviews.items()) if item_id in category_of}
    current = [review for history in known.values() for review in current_reviews(history)]
    decided = [review for review in current if review.verdict != "unsure"]
    first = [review for history in known.values() for review in first_answers(history)]
    answers = _by_image(first)
    sights = {id(review): sight_of(review, known[review.item_id]) for review in current}
    return AgreementReport(
        benchmark=benchmark,
        images=len({review.item_id for review in decided}),
        shared=sum(len(by_reviewer) > 1 for by_reviewer in answers.values()),
        reviewers={
            name: _reviewer([(review, sights[id(review)]) for review in current if review.reviewer == name])
            for name in sorted({review.reviewer for review in current})
        },
        agreement=_group(answers),
        adjudicated=_group(_by_image(decided)),
        by_category={
            category: _category([review for review in first if category_of[review.item_id] == category])
            for category in sorted({category_of[item_id] for item_id in answers})
        },
        pairs=_pairs(answers),
        proposers=_proposers(some(proposals, known.keys()), first, known),
        seconds=decision_times(decided),
        seconds_by_sight={
            sight: decision_times(own)
            for sight in WORDS
            if (own := [review for review in decided if sights[id(review)] == sight])
        },
    )


def _by_image(decided: Iterable[Review]) -> AnswersByImage:
    answers: defaultdict[str, dict[str, ClassSet]] = defaultdict(dict)
    for review in decided:
        answers[review.item_id][review.reviewer] = _answer(review)
    return answers


def _answer(review: Review) -> ClassSet:
    return review.labels if review.verdict == "label" else (f"({review.verdict})",)


def _reviewer(own: Sequence[tuple[Review, Sight]]) -> ReviewerCounts:
    sights = [sight for _, sight in own]
    return ReviewerCounts(
        decisions=len(own),
        unsure=sum(review.verdict == "unsure" for review, _ in own),
        by_sight={sight: sights.count(sight) for sight in WORDS if sight in sights},
        seconds=decision_times(review for review, _ in own),
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
                same=rate(sum(a == b for a, b in zip(first, second, strict=True)), len(both)),
                kappa=cohen_kappa(first, second),
            )
    return pairs


def _proposers(
    proposals: Mapping[str, Sequence[Proposal]], first: Sequence[Review], reviews: Mapping[str, Sequence[Review]]
) -> dict[str, ProposerAgreement]:
    proposed: defaultdict[str, dict[str, ClassSet]] = defaultdict(dict)
    for answers in proposals.values():
        for answer in answers:
            if answer.status == "ok":
                proposed[answer.proposer][answer.item_id] = answer.labels
    compared = {name: _proposer(name, own, first, reviews) for name, own in sorted(proposed.items())}
    return {name: proposer for name, proposer in compared.items() if proposer.same}


def _proposer(
    name: str, proposed: Mapping[str, ClassSet], first: Sequence[Review], reviews: Mapping[str, Sequence[Review]]
) -> ProposerAgreement:
    by_sight: defaultdict[Sight, list[Review]] = defaultdict(list)
    for review in first:
        if review.item_id in proposed:
            by_sight[sight_of_proposer(review, reviews[review.item_id], short_name(name))].append(review)
    untouched = sorted((*by_sight["blind"], *by_sight["none"]), key=lambda review: (review.item_id, review.reviewer))
    people: defaultdict[str, dict[str, ClassSet]] = defaultdict(dict)
    for review in untouched:
        people[review.reviewer][review.item_id] = _answer(review)
    return ProposerAgreement(
        same={
            sight: share
            for sight in WORDS
            if (
                share := rate(
                    sum(_answer(own) == proposed[own.item_id] for own in by_sight[sight]), len(by_sight[sight])
                )
            )
        },
        untouched=len({review.item_id for review in untouched}),
        kappa=cohen_kappa(
            [_answer(review) for review in untouched],
            [proposed[review.item_id] for review in untouched],
            [review.item_id for review in untouched],
        ),
        alternative=alternative_annotator(people, proposed),
    )


def decision_times(reviews: Iterable[Review]) -> DecisionTimes:
    """How long decisions took, as far as that is known."""
    known = sorted(review.seconds for review in reviews if review.seconds is not None)
    return DecisionTimes(n=len(known), median=median(known) if known else None, sum=round(sum(known), 1))
