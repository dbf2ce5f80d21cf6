"""Several draws of one question become one answer."""

from __future__ import annotations

import pytest

from acbench.predictors.llm.parse import Parsed
from acbench.predictors.llm.votes import Answer, Draw, combine


def said(*labels: str, confidence: float = 0.3, reason: str = "", call: str = "", note: str = "") -> Draw:
    reason = reason or f"because {'+'.join(labels) or 'dark'}"
    parsed = Parsed(status="ok" if labels else "abstained", labels=labels, confidence=confidence, reason=reason)
    return Draw(parsed=parsed, calls=(call or f"call {'+'.join(labels)}",), note=note)


FAILED = Draw(parsed=Parsed(status="error", problem="timeout: nothing came"), calls=("call failed",))


def answer(*draws: Draw) -> Answer:
    return combine(draws)


def test_one_draw_is_its_own_answer() -> None:
    one = said("crack", note=" (second answer)")
    assert answer(one) == Answer(parsed=one.parsed, calls=one.calls, note=" (second answer)")


def test_the_majority_answers_and_its_share_is_the_confidence() -> None:
    found = answer(said("hole", call="1"), said("crack", call="2"), said("crack", call="3"))
    assert (found.parsed.labels, found.parsed.confidence) == (("crack",), pytest.approx(2 / 3))
    assert found.parsed.reason == "because crack"
    assert found.note == " (2 of 3 draws: crack; 1: hole)"
    assert found.calls == ("1", "3", "2"), "the call whose reason is given comes last"


def test_sets_are_voted_on_as_sets() -> None:
    found = answer(said("crack", "hole"), said("crack"), said("crack", "hole"))
    assert found.parsed.labels == ("crack", "hole") and "2 of 3 draws: crack + hole" in found.note


def test_a_tie_abstains_with_its_reason() -> None:
    found = answer(said("hole"), said("crack"))
    assert (found.parsed.status, found.parsed.labels) == ("abstained", ())
    assert found.parsed.reason == "the draws are divided: 1 of 2 draws: crack; 1: hole"
    assert len(found.calls) == 2


def test_an_abstention_is_a_vote() -> None:
    assert answer(said(), said(), said("crack")).parsed.status == "abstained"
    found = answer(said(), said("crack"), said("crack"))
    assert found.parsed.confidence == pytest.approx(2 / 3) and "1: none" in found.note
    assert answer(said(), said("crack")).parsed.status == "abstained"


def test_a_failed_draw_is_no_vote_and_is_told() -> None:
    found = answer(FAILED, said("crack"), said("crack"))
    assert (found.parsed.labels, found.parsed.confidence) == (("crack",), 1.0)
    assert found.note == " (2 of 2 draws: crack; 1 failed, timeout: nothing came)"
    assert set(found.calls) == {"call failed", "call crack"}


def test_all_failed_is_an_error() -> None:
    found = answer(FAILED, FAILED)
    assert found.parsed.status == "error"
    assert found.parsed.problem == "none of 2 draws can be used; the first: timeout: nothing came"


def test_order_decides_no_label() -> None:
    draws = [said("a"), said("b"), said("b"), said("c"), FAILED]
    found = {answer(*draws[turn:], *draws[:turn]).parsed.labels for turn in range(5)}
    assert found == {("b",)}
