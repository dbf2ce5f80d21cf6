"""Groups proposals into witnesses: independent voices on the class of one image.

Everything that counts witnesses counts these: the policy, the queue, the weighing by people's decisions, and what is
printed. The family of a model comes with its proposal; `acbench.predictors.llm.family` says how it is told.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from acbench.records import JOIN, PEOPLE, Proposal, short_name
from acbench.schema import Category


@dataclass(frozen=True, slots=True, kw_only=True)
class Witness:
    """One voice: proposers that share their evidence and their answer."""

    names: tuple[str, ...]
    """Short names of the proposers."""
    described: tuple[str, ...]
    """The same, with the model that answered: `llm:a (gpt-4o-2024-08-06)`."""
    family: str
    """The family of models that they are of, if they are several of one; else empty."""
    labels: tuple[str, ...]
    by_people: bool
    """Whether people made the answer."""
    from_source: bool
    """Whether the answer starts from the dataset's own label."""
    rationale: str
    """The rationale of the first proposer."""
    probability: float | None
    """Probability of exactly these labels; None if they are several classes or the first proposer gives no scores."""

    def __str__(self) -> str:
        share = "" if self.probability is None else f" ({self.probability:.2f})"
        return JOIN.join(self.labels) + share


def witnesses(proposals: Iterable[Proposal], category: Category | None = None) -> list[Witness]:
    """The independent voices among the proposals that answered; those from the dataset's own label come first."""
    voices: list[list[Proposal]] = []
    for proposal in in_order(proposal for proposal in proposals if proposal.status == "ok"):
        same = (voice for voice in voices if any(_is_same_voice(proposal, other, category) for other in voice))
        if voice := next(same, None):
            voice.append(proposal)
        else:
            voices.append([proposal])
    return [_witness(voice) for voice in voices]


def differ(voices: Iterable[Witness]) -> bool:
    """Whether witnesses name more than one label set."""
    return len({voice.labels for voice in voices}) > 1


def in_order(proposals: Iterable[Proposal]) -> list[Proposal]:
    """The dataset's own label first, then proposals that start from it, then the others."""
    return sorted(proposals, key=_rank)


def _rank(proposal: Proposal) -> tuple[int, str]:
    rank = 0 if short_name(proposal.proposer) == "source_label" else 1 if _is_from_source(proposal) else 2
    return rank, proposal.proposer


def _is_from_source(proposal: Proposal) -> bool:
    return "source_label" in proposal.saw


def described(proposal: Proposal) -> str:
    """The short name of a proposer, with the model that answered if one did."""
    name = short_name(proposal.proposer)
    return f"{name} ({proposal.model})" if proposal.model else name


def voice_of(proposal: Proposal) -> str:
    """Who speaks in a proposal: a family of models, or else the proposer itself. Two of one family are one speaker."""
    return f"family {proposal.family}" if proposal.family else proposal.proposer


def families(proposals: Iterable[Proposal]) -> dict[str, list[str]]:
    """Family → the short names of its proposers, for families that have more than one among those that answered."""
    found: defaultdict[str, set[str]] = defaultdict(set)
    for proposal in proposals:
        if proposal.family and proposal.status == "ok":
            found[proposal.family].add(short_name(proposal.proposer))
    return {family: sorted(names) for family, names in sorted(found.items()) if len(names) > 1}


def _is_same_voice(one: Proposal, other: Proposal, category: Category | None) -> bool:
    """Whether two proposals are no independent evidence for what they name.

    Models of one family that name the same set are not. Nor are proposers that start from the dataset's own label and
    name the same set, or sets of the same published class.
    """
    if one.labels == other.labels and voice_of(one) == voice_of(other):
        return True
    if not (_is_from_source(one) and _is_from_source(other)):
        return False
    if one.labels == other.labels:
        return True
    published = category.published_class(one.labels) if category else None
    return published is not None and category is not None and published == category.published_class(other.labels)


def _witness(voice: list[Proposal]) -> Witness:
    first = voice[0]
    return Witness(
        names=tuple(short_name(proposal.proposer) for proposal in voice),
        described=tuple(map(described, voice)),
        family=first.family if len(voice) > 1 else "",
        labels=first.labels,
        by_people=PEOPLE in first.saw,
        from_source=_is_from_source(first),
        rationale=first.rationale,
        probability=first.scores.get(first.labels[0]) if len(first.labels) == 1 else None,
    )
