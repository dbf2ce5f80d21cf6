"""What people read in place of codes: the words for why an image is in the queue, for a status, and for an answer.

Files and tables keep the codes; every screen, page and picture takes its words from here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from acbench.records import JOIN, Proposal
from acbench.review.witnesses import described, families

if TYPE_CHECKING:
    from acbench.review.queue import Why

ASKED_BECAUSE: Mapping[Why, str] = {
    "flagged": "somebody wants it looked at again",
    "disputed": "proposals differ",
    "suspect": "its label in the dataset may be a mistake",
    "doubtful": "its label in the dataset may be a mistake",
    "unnamed": "nothing names a class for it",
    "uncertain": "a proposer could not tell",
    "audit": "it was drawn at random, as a check",
}
"""Why an image is in the queue, in words that tell no label, neither a proposed one nor the dataset's."""
_COUNTED: Mapping[str, str] = {
    "flagged": "that somebody wants looked at again",
    "disputed": "where proposals differ",
    "suspect": "whose label in the dataset may be a mistake",
    "doubtful": "whose label in the dataset may be a mistake",
    "unnamed": "for which nothing names a class",
    "uncertain": "of which a proposer could not tell the class",
    "audit": "drawn at random, as a check",
}
"""The same of several images, behind their number."""
STATUS: Mapping[str, str] = {"accepted": "accepted", "pending": "not settled", "excluded": "left out"}
"""Status of a label → what people read."""
NO_ANSWER: Mapping[str, str] = {"abstained": "could not tell", "error": "failed"}
"""What a proposer did that names no class."""
UNPARSED: Mapping[str, str] = {"unknown": "names no class", "empty": "empty or unsure", "error": "failed"}
"""Why an answer of a scored system cannot be used."""


def reasons_counted(by_why: Mapping[str, int]) -> str:
    """How many images are in the queue for which reason, such as `8 where proposals differ, 6 drawn at random`."""
    counts: dict[str, int] = {}
    for why, count in by_why.items():
        words = _COUNTED.get(why, why)
        counts[words] = counts.get(words, 0) + count
    return ", ".join(f"{count:,} {words}" for words, count in counts.items() if count)


def labels_counted(counts: Mapping[str, int]) -> str:
    """Labels by status, such as `136 accepted, 16 not settled, 0 left out`."""
    return ", ".join(f"{counts[status]:,} {words}" for status, words in STATUS.items())


def answers_counted(counts: Mapping[str, int]) -> str:
    """A proposer's answers by status, such as `named a class for 102, could not tell 2`."""
    others = [f"{words} {counts[status]:,}" for status, words in NO_ANSWER.items() if counts[status]]
    return ", ".join([f"named a class for {counts['ok']:,}", *others])


def called(labels: Iterable[str], names: Mapping[str, str]) -> str:
    """Classes by name, joined. `names`: class id → name; a class without one is called by its id."""
    return JOIN.join(names.get(label, label) for label in labels)


def no_answer(status: str) -> str:
    """What stands in place of a class that a proposer does not name."""
    return f"({NO_ANSWER[status]})"


def in_words(proposal: Proposal, names: Mapping[str, str] | None = None) -> str:
    """One proposal in a few words, such as `llm:a (gpt-4o-2024-08-06): dent 0.87`.

    With `names` by class id, classes are called by name.
    """
    name = described(proposal)
    if proposal.status != "ok":
        return f"{name}: – ({proposal.reason})"
    share = proposal.scores.get(proposal.labels[0]) if len(proposal.labels) == 1 else None
    said = called(proposal.labels, names or {})
    return f"{name}: {said}" + (f" {share:.2f}" if share is not None else "")


def one_voice(names: Iterable[str], family: str) -> str:
    """A sentence about proposers that ask models of one family."""
    return f"{' and '.join(names)} are models of one family, {family}: what they agree on counts once"


def in_families(proposals: Iterable[Proposal]) -> list[str]:
    """A sentence about each family of models of which several answered."""
    return [one_voice(names, family) for family, names in families(proposals).items()]
