"""Reads the probability of the answered labels off the log-probabilities of an answer's tokens.

It is the product over the tokens that spell the labels, given everything before them. A model that has reasoned before
it names a class is sure of its own conclusion, so the number is high; it ranks answers, and has to be calibrated.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence

_KEY = re.compile(r'"labels"\s*:\s*')
_STRING = re.compile(r'"((?:[^"\\]|\\.)*)"')
_BETWEEN = re.compile(r"\s*,?\s*")


def label_probability(token_logprobs: Sequence[tuple[str, float]]) -> float | None:
    """The probability, 0 to 1, of the tokens that spell the labels of an answer; None if there are none.

    `token_logprobs`: (token, natural logarithm of its probability) of the whole answer, in order. A token that holds a
    part of a label and something else, such as its quote, counts whole. The last list of `labels` in the answer counts:
    before it a model may have thought aloud.
    """
    spans = list(_label_spans("".join(token for token, _ in token_logprobs)))
    if not spans:
        return None
    total, end = 0.0, 0
    for token, logprob in token_logprobs:
        start, end = end, end + len(token)
        if any(start < last and first < end for first, last in spans):
            if math.isnan(logprob) or logprob > 1e-6:  # no logarithm of a probability
                return None
            total += logprob
    return math.exp(min(total, 0.0))


def _label_spans(text: str) -> Iterator[tuple[int, int]]:
    """Where the labels stand in a text, without their quotes."""
    keys = list(_KEY.finditer(text))
    if not keys:
        return
    place = keys[-1].end()
    if text[place : place + 1] != "[":  # a single label without a list
        if only := _STRING.match(text, place):
            yield only.span(1)
        return
    place += 1
    while True:
        between = _BETWEEN.match(text, place)
        label = _STRING.match(text, between.end() if between else place)
        if label is None:
            return
        yield label.span(1)
        place = label.end()
