"""Counts what proposers say of images whose label is known; images of which all say the same are counted together."""

from __future__ import annotations

from array import array
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from acbench.records import JOIN, Proposal
from acbench.review.calibrated import likeliest
from acbench.storage.texts import Texts


class Verdict(NamedTuple):
    """What one proposer says of images with one label. Labels are class ids, joined."""

    category: str
    true: str
    said: str


@dataclass(slots=True)
class Said:
    """What one proposer said besides, of any image."""

    models: set[str] = field(default_factory=set)
    families: set[str] = field(default_factory=set)
    calls: set[str] = field(default_factory=set)
    """The calls of an LLM that its answers took."""
    _ids: Texts = field(default_factory=Texts)
    _likely: array[float] = field(default_factory=lambda: array("d"))
    _right: array[int] = field(default_factory=lambda: array("b"))

    def add(self, proposal: Proposal, true: str) -> None:
        """One more answer. `true`: the label of its image; empty if that is not known."""
        self.models |= {proposal.model} - {""}
        self.families |= {proposal.family} - {""}
        self.calls.update(proposal.calls)
        if proposal.scores and true and JOIN not in true:
            best = likeliest(proposal.scores)
            self._ids.append(proposal.item_id)
            self._likely.append(proposal.scores[best])
            self._right.append(best == true)

    @property
    def confidences(self) -> list[tuple[float, bool]]:
        """(probability of the likeliest class, whether it is right) for images with one true class, by item_id.

        Abstentions count too: their probabilities are known.
        """
        return [(self._likely[place], bool(self._right[place])) for place in self._ids.order]


class Compared:
    """What all proposers say; they are known by any one name each."""

    def __init__(self) -> None:
        self.images: Counter[str] = Counter()
        """Category → images whose label is known."""
        self._said: defaultdict[str, Said] = defaultdict(Said)
        self._kinds: Counter[tuple[str, str, tuple[tuple[str, str], ...]]] = Counter()
        """(category, true label, (proposer, its answer) of each that answered) → images."""

    def add(self, category: str, true: str, proposals: Iterable[Proposal], more: Mapping[str, str]) -> None:
        """One more image. `true`: its label, empty if that is not known. `more`: further answers, by who gives them."""
        answers = dict(more)
        for proposal in proposals:
            self._said[proposal.proposer].add(proposal, true)
            if proposal.status == "ok":
                answers[proposal.proposer] = JOIN.join(proposal.labels)
        if true:
            self.images[category] += 1
            self._kinds[category, true, tuple(answers.items())] += 1

    @property
    def proposers(self) -> Collection[str]:
        """Those who answered, or failed to."""
        return self._said.keys()

    def said(self, proposer: str) -> Said:
        """What a proposer said besides; nothing, if it is none of these."""
        return self._said.get(proposer) or Said()

    def verdicts(self, proposer: str) -> Counter[Verdict]:
        """What a proposer says → images whose label is known."""
        found: Counter[Verdict] = Counter()
        for (category, true, answers), images in self._kinds.items():
            for name, said in answers:
                if name == proposer:
                    found[Verdict(category, true, said)] += images
        return found

    def both(self, one: str, other: str) -> Counter[tuple[str, str]]:
        """The answers of two proposers → images whose label is known and of which both said something."""
        found: Counter[tuple[str, str]] = Counter()
        for (_, _, answers), images in self._kinds.items():
            known = dict(answers)
            if one in known and other in known:
                found[known[one], known[other]] += images
        return found
