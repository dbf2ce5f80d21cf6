"""Makes one answer of several draws of the same question.

The label set that most draws name is the answer, and the share of the usable draws that name it is the confidence
(self-consistency, Wang et al. 2023, arXiv 2203.11171). An abstention is a vote too. If two sets have equally many
votes, nothing is answered. A draw that failed is no vote, and is told.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from acbench.predictors.llm.parse import Parsed
from acbench.records import JOIN

ABSTAINED = "none"
"""How an abstention is called beside label sets."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Draw:
    """What came of one draw."""

    parsed: Parsed
    calls: tuple[str, ...]
    """Ids of its LLM calls."""
    note: str = ""
    """What is to be said of it, such as that the first answer could not be used."""
    model: str = ""
    """The model that answered; empty if none did."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The answer that the draws come to."""

    parsed: Parsed
    calls: tuple[str, ...]
    """Ids of all calls; those of the draw whose reason is given come last."""
    note: str
    model: str = ""
    """The model that gave that reason; empty if none did."""


def combine(draws: Sequence[Draw]) -> Answer:
    """The answer of one or more draws, in their order."""
    if len(draws) == 1:
        return Answer(parsed=draws[0].parsed, calls=draws[0].calls, note=draws[0].note, model=draws[0].model)
    usable = [draw for draw in draws if draw.parsed.status != "error"]
    if not usable:
        problem = f"none of {len(draws)} draws can be used; the first: {draws[0].parsed.problem}"
        return Answer(
            parsed=Parsed(status="error", problem=problem),
            calls=_calls(draws),
            note=draws[0].note,
            model=draws[0].model,
        )
    votes = Counter(draw.parsed.labels for draw in usable)
    most = max(votes.values())
    leaders = [labels for labels, count in votes.items() if count == most]
    told = _told(votes, draws, usable)
    text_in_image = any(draw.parsed.text_in_image for draw in usable)
    if len(leaders) > 1:
        parsed = Parsed(status="abstained", reason=f"the draws are divided: {told}", text_in_image=text_in_image)
        return Answer(parsed=parsed, calls=_calls(draws), note="", model=usable[0].model)
    first = next(draw for draw in usable if draw.parsed.labels == leaders[0])
    parsed = replace(first.parsed, confidence=most / len(usable), text_in_image=text_in_image)
    others = [draw for draw in draws if draw is not first]
    return Answer(parsed=parsed, calls=_calls([*others, first]), note=f" ({told}){first.note}", model=first.model)


def _calls(draws: Sequence[Draw]) -> tuple[str, ...]:
    return tuple(call for draw in draws for call in draw.calls)


def _told(votes: Counter[tuple[str, ...]], draws: Sequence[Draw], usable: Sequence[Draw]) -> str:
    """How the draws voted, such as `2 of 3 draws: crack; 1: none`."""
    by_count = sorted(votes.items(), key=lambda vote: (-vote[1], vote[0]))
    said = [f"{count}: {JOIN.join(labels) or ABSTAINED}" for labels, count in by_count]
    said[0] = said[0].replace(":", f" of {len(usable)} draws:", 1)
    failed = [draw for draw in draws if draw.parsed.status == "error"]
    if failed:
        said.append(f"{len(failed)} failed, {failed[0].parsed.problem}")
    return "; ".join(said)
