"""Calibrates each proposer's scores: on what people decided and, before that, on labels that other witnesses share.

The probability of a proposer's likeliest class is mapped by `acbench.stats.scaling`. The map of all labels that at
least two independent witnesses share, the proposer not among them, is the prior of the map of people's decisions: the
more of these there are, the more they count. People see the doubtful images first, so the figures are about those.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from acbench.records import PEOPLE, Item, Label, Proposal
from acbench.review.witnesses import differ, voice_of, witnesses
from acbench.schema import Category, Schema
from acbench.stats import IDENTITY, Calibration, Scaling, calibration, cross_validated, fit_scaling
from acbench.storage.stored_rows import by_item_id, having, some

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

ENOUGH = 20
"""From so many decisions of people on, they alone judge a proposer's probabilities."""
METHOD = "Platt scaling of the likeliest class, shrunk to what the proposer says itself; figures cross-validated"
CAUTION = "People see the doubtful images first: figures by people are about these"

Answer = tuple[str, float, bool]
"""An item, the probability of the likeliest class, and whether it was right."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProposerCalibration:
    """What the scores of one proposer are worth."""

    people: int
    """Decisions of people that its scores are calibrated on."""
    shared: int
    """Labels shared by other witnesses that they are calibrated on."""
    judged_by: Literal["people", "shared labels"]
    """Which of these the figures are about."""
    by_shared: Scaling
    """The map of shared labels alone."""
    scaling: Scaling
    """The map of people's decisions too."""
    before: Calibration
    after: Calibration
    """With a map that was fitted without the image in question."""


def informative(scores: Mapping[str, float]) -> bool:
    """Whether scores prefer any class: an abstention may be even over all of them."""
    return len(scores) > 1 and max(scores.values()) - min(scores.values()) > 1e-9


def likeliest(scores: Mapping[str, float]) -> str:
    """The class with the highest score; of equals, the last one by name."""
    return max(scores, key=lambda label: (scores[label], label))


def calibrate(
    items: Sequence[Item],
    proposals: Mapping[str, Sequence[Proposal]],
    labels: Mapping[str, Label],
    schema: Schema,
) -> dict[str, ProposerCalibration]:
    """Full name of each proposer → its calibration; without proposers whose scores cannot be judged by anything.

    `proposals` and `labels`, the current ones of at least those images that people decided, are keyed by item_id. Only
    anomalous images of one class take part.
    """
    judged = SharedAnswers(items, proposals, schema).judged(labels)
    return {name: answers.calibrated() for name, answers in judged.items()}


class SharedAnswers:
    """What proposers with scores say of images whose label other witnesses share; gone through once, whatever people
    decide about them."""

    def __init__(self, items: Sequence[Item], proposals: Mapping[str, Sequence[Proposal]], schema: Schema) -> None:
        self._proposals = proposals
        self._shared: defaultdict[str, list[Answer]] = defaultdict(list)
        """Full name of a proposer → its answers."""
        scored = having(proposals, "scores")
        self._items = by_item_id(items) if scored else {}
        for item in items if scored else ():
            if not item.anomalous or not any(proposal.scores for proposal in scored.get(item.item_id, ())):
                continue
            own = proposals.get(item.item_id, ())
            for proposal in own:
                if informative(proposal.scores):
                    shared = _shared_label(proposal, own, schema.category(item.category))
                    _judge(self._shared[proposal.proposer], proposal, shared)

    def judged(self, labels: Mapping[str, Label]) -> dict[str, JudgedAnswers]:
        """Full name of each proposer → what is known of its answers, if anything is. `labels`: those of at least the
        images that people decided; by these, people judge."""
        if not self._items:
            return {}
        decided = {item_id: label for item_id, label in labels.items() if label.decided_by == PEOPLE}
        by_people: defaultdict[str, list[Answer]] = defaultdict(list)
        answers = some(self._proposals, decided.keys())
        for item_id, item in some(self._items, decided.keys()).items():
            for proposal in answers.get(item_id, ()) if item.anomalous else ():
                if informative(proposal.scores):
                    _judge(by_people[proposal.proposer], proposal, decided[item_id].labels)
        shared = {name: [each for each in own if each[0] not in decided] for name, own in self._shared.items()}
        return {
            name: JudgedAnswers(by_people[name], shared.get(name, []))
            for name in sorted({*by_people, *shared})
            if by_people[name] or shared.get(name)
        }

    def scalings(self, labels: Mapping[str, Label]) -> dict[str, Scaling]:
        """Full name of each proposer with scores → the map that calibrates them on labels which witnesses share."""
        return {name: answers.by_shared for name, answers in self.judged(labels).items()}


def _judge(answers: list[Answer], proposal: Proposal, labels: Sequence[str]) -> None:
    """Add what a proposer said, if there is one class to judge it by."""
    if len(labels) == 1:
        best = likeliest(proposal.scores)
        answers.append((proposal.item_id, proposal.scores[best], best == labels[0]))


def calibrated_scores(scores: Mapping[str, float], scaling: Scaling) -> dict[str, float]:
    """Scores with the likeliest class mapped; the others share the rest in their own proportions."""
    import numpy as np

    best = likeliest(scores)
    top = float(scaling(np.array([scores[best]]))[0])
    rest = sum(scores.values()) - scores[best]
    others = len(scores) - 1
    return {
        label: top if label == best else (1 - top) * (score / rest if rest > 0 else 1 / others)
        for label, score in scores.items()
    }


@dataclass(frozen=True, slots=True)
class JudgedAnswers:
    """What one proposer said where something else is known."""

    people: list[Answer]
    shared: list[Answer]

    @property
    def by_shared(self) -> Scaling:
        """The map of shared labels alone."""
        return fit_scaling(*_columns(self.shared))

    def calibrated(self) -> ProposerCalibration:
        """What its scores are worth."""
        import numpy as np

        people, shared = _columns(self.people), _columns(self.shared)
        prior = self.by_shared
        by_people = bool(self.people) and (len(self.people) >= ENOUGH or not self.shared)
        said, right = people if by_people else shared
        mapped = cross_validated(said, right, prior if by_people else IDENTITY)
        before = calibration(list(zip(said.tolist(), right.tolist(), strict=True)))
        after = calibration(list(zip(np.round(mapped, 6).tolist(), right.tolist(), strict=True)))
        assert before is not None and after is not None
        return ProposerCalibration(
            people=len(self.people),
            shared=len(self.shared),
            judged_by="people" if by_people else "shared labels",
            by_shared=prior,
            scaling=fit_scaling(*people, prior),
            before=before,
            after=after,
        )


def _columns(answers: Sequence[Answer]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Probabilities, and which were right; by item, so that sums are the same in whatever order the items came."""
    import numpy as np

    ordered = sorted(answers)
    return np.array([p for _, p, _ in ordered], dtype=float), np.array([right for *_, right in ordered], dtype=bool)


def _shared_label(proposal: Proposal, own: Sequence[Proposal], category: Category | None) -> Sequence[str]:
    """The label set that at least two witnesses name, the proposer not among them; empty if there is none."""
    others = [other for other in own if voice_of(other) != voice_of(proposal)]
    voices = witnesses(others, category)
    return voices[0].labels if len(voices) > 1 and not differ(voices) else ()
