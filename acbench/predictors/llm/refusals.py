"""Tells refusals that are about one question from those that are about all of them.

An endpoint that takes one picture only, a server with too short a context and a retired model refuse every question.
Kept as errors of the images, such refusals would stand after the endpoint was repaired.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from acbench.predictors.llm.messages import Reply

ENOUGH = 10
"""Equal refusals in a row after which no more is asked. A run that has no answer at all needs FEW."""
FEW = 3
_KINDS = ("refused:", "length:")
_VARYING = re.compile(r"[\w-]*\d[\w-]*")
"""Numbers and ids, in which messages about the same thing differ."""


@dataclass
class Refusals:
    """Equal refusals in a row, held back until it is clear what they are about."""

    held: list[Reply] = field(default_factory=list)

    def take(self, reply: Reply) -> list[Reply]:
        """Add a reply; gives the replies that are about their own questions, as it shows."""
        if reply.answer is not None:
            return [*self.clear(), reply]
        if reply.cached or reply.unasked or not reply.error.startswith(_KINDS):
            return [reply]
        other = self.clear() if self.held and _reason(self.held[0]) != _reason(reply) else []
        self.held.append(reply)
        return other

    def clear(self) -> list[Reply]:
        """Give up all that is held."""
        held, self.held = self.held, []
        return held


def are_equal(replies: list[Reply]) -> bool:
    """Whether there are some replies, all of which are refusals for the same reason."""
    refused = [reply for reply in replies if reply.answer is None and reply.error.startswith(_KINDS)]
    return len(refused) == len(replies) >= FEW and len({_reason(reply) for reply in refused}) == 1


def _reason(reply: Reply) -> str:
    return _VARYING.sub("#", reply.error)
