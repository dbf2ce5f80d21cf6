"""The probability of labels, read off tokens that are cut in all places."""

from __future__ import annotations

import math

import pytest

from acbench.predictors.llm.label_probability import label_probability

SURE = -0.001


def tokens(*parts: str | tuple[str, float]) -> list[tuple[str, float]]:
    """Tokens of an answer; those without a probability are nearly certain."""
    return [(part, SURE) if isinstance(part, str) else (part[0], math.log(part[1])) for part in parts]


@pytest.mark.parametrize(
    ("parts", "probability"),
    [
        (['{"labels": ["', ("crack", 0.5), '"]}'], 0.5),
        (['{"labels": [', ('"crack"', 0.5), "]}"], 0.5),
        (['{"labels": ["', ("broken", 0.5), ("_", 0.9), ("large", 0.8), '"]}'], 0.36),
        (['{"labels": ["', ("broken_l", 0.5), ('arge"], "con', 0.8), 'fidence": 1}'], 0.4),
        (['{"labels": ["', ("crack", 0.5), '", "', ("hole", 0.5), '"]}'], 0.25),
        (['{ "labels"', " :\n [\n", (' "crack"', 0.5), "\n]", "}"], 0.5),
        (['{"labels": "', ("crack", 0.5), '"}'], 0.5),
        ([*'{"labels": ["', ("c", 0.5), ("r", 0.5), *'ack"]}'], 0.25),
        (['{"reason": "not ', ("crack", 0.01), '", "labels": ["', ("hole", 0.5), '"]}'], 0.5),
        (['I think of "labels": ["', ("hole", 0.1), '"]. {"labels": ["', ("crack", 0.5), '"]}'], 0.5),
        ([("", 0.1), '{"labels": ["', ("crack", 0.5), '"]}', ("", 0.1)], 0.5),
    ],
)
def test_the_tokens_of_the_labels_count(parts: list[str | tuple[str, float]], probability: float) -> None:
    assert label_probability(tokens(*parts)) == pytest.approx(probability, rel=0.02)


@pytest.mark.parametrize(
    "parts",
    [[], ['{"labels": []}'], ["I cannot say"], ['{"labels": [crack]}'], ['{"labels": 7}'], ['{"labels": ["crack']],
)
def test_without_labels_there_is_none(parts: list[str]) -> None:
    assert label_probability(tokens(*parts)) is None


@pytest.mark.parametrize("logprob", [math.nan, 0.5])
def test_what_is_no_probability_is_not_read(logprob: float) -> None:
    assert label_probability([('{"labels": ["', 0.0), ("crack", logprob), ('"]}', 0.0)]) is None


def test_an_impossible_token_is_none_at_all() -> None:
    assert label_probability([('{"labels": ["', 0.0), ("crack", -math.inf), ('"]}', 0.0)]) == 0.0
