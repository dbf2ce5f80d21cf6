"""Probabilities and abstentions: top-k against scikit-learn, the rest by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest

import acbench
from acbench.evaluation.result import Scored
from tests.support.lazy import lazy

metrics = lazy("sklearn.metrics")
CLASSES = ("good", "chip", "crack", "dent")


def score(truth: Sequence[str], said: Sequence[Any]) -> Scored:
    rows = [{"item_id": f"i{n}", "category": "cup", "label": name} for n, name in enumerate(truth)]
    answers = [{"item_id": f"i{n}", "answer": answer} for n, answer in enumerate(said)]
    return acbench.score(rows, answers, resamples=0)


def test_top_k_is_scikit_learn_s() -> None:
    generator = np.random.default_rng(0)
    truth = [*CLASSES, *generator.choice(CLASSES, 76)]
    shares = generator.dirichlet(np.ones(4), 80)
    said = [dict(zip(CLASSES, row.tolist(), strict=True)) for row in shares]
    found = score(truth, said).facts["confidence"]
    order = np.argsort(CLASSES)
    for k in (1, 2, 3):
        expected = metrics.top_k_accuracy_score(truth, shares[:, order], k=k, labels=sorted(CLASSES))
        assert found["top_k"][str(k)]["value"] == pytest.approx(expected)
    right = np.array([CLASSES[row.argmax()] == name for row, name in zip(shares, truth, strict=True)])
    likeliest = shares.max(axis=1)
    assert found["calibration"]["brier"] == pytest.approx(np.mean((likeliest - right) ** 2))
    bins = np.minimum((likeliest * 10).astype(int), 9)
    gaps = [abs(likeliest[bins == one].sum() - right[bins == one].sum()) for one in range(10)]
    assert found["calibration"]["error"] == pytest.approx(sum(gaps) / 80)
    ordered = right[np.argsort(-likeliest)]
    assert found["aurc"] == pytest.approx(np.mean(np.cumsum(~ordered) / np.arange(1, 81)))
    assert found["risk_coverage"][-1] == pytest.approx({"coverage": 1, "risk": 1 - right.mean()})


SURE: Mapping[str, float] = {"chip": 0.9, "good": 0.1}
TORN: Mapping[str, float] = {"chip": 0.5, "good": 0.5}


def test_a_tie_counts_as_behind_and_answers_without_probabilities_as_wrong() -> None:
    found = score(["chip", "chip", "good", "chip"], [SURE, TORN, SURE, "chip"]).facts["confidence"]
    assert found["answers"] == 3
    assert [found["top_k"][k]["value"] for k in "123"] == [1 / 4, 3 / 4, 3 / 4]


def test_answers_of_the_same_confidence_are_taken_in_equal_parts() -> None:
    for said in ((SURE, SURE), (SURE, SURE)[::-1]):
        found = score(["chip", "good"], said).facts["confidence"]
        assert [point["risk"] for point in found["risk_coverage"]] == [0.5, 0.5]


def test_abstentions_have_a_coverage_and_a_risk() -> None:
    found = score(["chip", "chip", "good", "good"], ["chip", "unsure", "chip", "?"])
    assert found.facts["selective"]["coverage"]["value"] == 0.5
    assert found.facts["selective"]["risk"]["value"] == 0.5
    assert "Answered: 50.0 (" in str(found) and "confidence" not in found.facts
    assert "selective" not in score(["chip"], ["chip"]).facts


def test_they_are_printed() -> None:
    assert "Probabilities of 2 images: top-1 50.0 (" in str(score(["chip", "good"], [SURE, SURE]))
