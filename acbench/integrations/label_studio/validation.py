"""Judges predictions by the form that they are for, as Label Studio's SDK does: its server accepts anything."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from acbench.review.tasks import Check


def prediction_check(form: str) -> Check:
    """What tells the faults of a prediction for a form (XML)."""
    from label_studio_sdk.label_interface.interface import LabelInterface

    interface = LabelInterface(form)
    known: dict[str, list[str]] = {}

    def faults(prediction: Mapping[str, Any]) -> Sequence[str]:
        score = prediction.get("score")
        if score is not None and not 0 <= score <= 1:
            return [f"its score {score} is not between 0 and 1"]
        answer = json.dumps(prediction.get("result"), sort_keys=True)
        if answer not in known:  # few answers differ, and to judge one takes as long as to send it
            known[answer] = list(interface.validate_prediction(dict(prediction), return_errors=True))  # type: ignore[no-untyped-call]
        return known[answer]

    return faults
