"""Says in a few words what a proposer answered."""

from __future__ import annotations

from collections.abc import Mapping

from acbench.records import JOIN, Proposal, short_name


def in_words(proposal: Proposal, names: Mapping[str, str] | None = None) -> str:
    """One proposal in a few words, such as `clip: dent 0.87`. With `names` by class id, classes are called by name."""
    name = short_name(proposal.proposer)
    if proposal.status != "ok":
        return f"{name}: – ({proposal.reason})"
    share = proposal.scores.get(proposal.labels[0]) if len(proposal.labels) == 1 else None
    called = JOIN.join((names or {}).get(label, label) for label in proposal.labels)
    return f"{name}: {called}" + (f" {share:.2f}" if share is not None else "")
