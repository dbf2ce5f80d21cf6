"""Asks one proposer about all items and keeps its answers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Protocol

from acbench.errors import AcbenchError
from acbench.progress import Progress
from acbench.records import Item, Proposal


class Asked(Protocol):
    """What this stage needs of a proposer."""

    @property
    def name(self) -> str: ...
    def propose(self, items: Sequence[Item], progress: Progress) -> Iterable[Proposal]: ...


def propose(proposer: Asked, items: Sequence[Item], progress: Progress) -> list[Proposal]:
    """Every answer of a proposer. Raises AcbenchError if it answers for a stranger, twice, or under another name."""
    return checked(proposer.name, items, proposer.propose(items, progress))


def checked(name: str, items: Sequence[Item], answers: Iterable[Proposal]) -> list[Proposal]:
    """The answers of the proposer of that name, as they come. Raises as `propose` does."""
    known = {item.item_id for item in items}
    found: dict[str, Proposal] = {}
    for answer in answers:
        if answer.item_id not in known or answer.item_id in found or answer.proposer != name:
            raise AcbenchError(
                f"{name} answers for {answer.item_id!r} as {answer.proposer!r}: unknown, or a second time",
                "this is a fault of the proposer: leave it out with --without",
            )
        found[answer.item_id] = answer
    return list(found.values())


def tally(proposals: Sequence[Proposal]) -> dict[str, int]:
    """How many answers there are of each status."""
    counts = Counter(proposal.status for proposal in proposals)
    return {status: counts[status] for status in ("ok", "abstained", "error")}
