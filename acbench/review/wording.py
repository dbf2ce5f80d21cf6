"""Says in a few words what a proposer answered."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from acbench.records import JOIN, Proposal
from acbench.review.witnesses import described, families


def in_words(proposal: Proposal, names: Mapping[str, str] | None = None) -> str:
    """One proposal in a few words, such as `llm:a (gpt-4o-2024-08-06): dent 0.87`.

    With `names` by class id, classes are called by name.
    """
    name = described(proposal)
    if proposal.status != "ok":
        return f"{name}: – ({proposal.reason})"
    share = proposal.scores.get(proposal.labels[0]) if len(proposal.labels) == 1 else None
    called = JOIN.join((names or {}).get(label, label) for label in proposal.labels)
    return f"{name}: {called}" + (f" {share:.2f}" if share is not None else "")


def in_families(proposals: Iterable[Proposal]) -> list[str]:
    """A sentence about each family of models of which several answered, since they count as one witness."""
    return [
        f"{', '.join(names)} are models of one family, {family}: one witness"
        for family, names in families(proposals).items()
    ]
