"""Says in a few words what a proposer answered."""

from __future__ import annotations

from acbench.records import JOIN, Proposal, short_name


def in_words(proposal: Proposal) -> str:
    """One proposal in a few words, such as `clip: dent 0.87`."""
    name = short_name(proposal.proposer)
    if proposal.status != "ok":
        return f"{name}: – ({proposal.reason})"
    share = proposal.scores.get(proposal.labels[0]) if len(proposal.labels) == 1 else None
    return f"{name}: {JOIN.join(proposal.labels)}" + (f" {share:.2f}" if share is not None else "")
