"""Cards: what they say, and that their hash changes with what they say and with nothing else."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from acbench.records import Item, Prediction, Proposal
from acbench.review.app_records import FIELDS, AppLabel, AppSample
from acbench.review.app_samples import SampleBuilder
from acbench.review.rechecks import flagged_first, request_words
from tests.support.records import MVTEC_AC, decides, item, labels_of, ranked_by, says

ROOT = Path("/data")
ONE, TWO, NORMAL = item(1, "broken_large"), item(2, "contamination", mask="bottle/m.png"), item(3, None)


def shown(items: list[Item] | None = None, **other: Any) -> dict[str, AppSample]:
    """Cards by item_id."""
    items = items or [ONE, TWO, NORMAL]
    proposals: dict[str, list[Proposal]] = other.pop("proposals", None) or {
        each.item_id: [says(each, "source_label", *(each.source_labels if each.anomalous else ("good",)))]
        for each in items
    }
    reviews = other.pop("reviews", [])
    labels = labels_of(items, proposals, reviews, MVTEC_AC)
    ranked = ranked_by(items, proposals, MVTEC_AC)
    values: dict[str, Any] = {
        "root": ROOT,
        "items": items,
        "labels": labels,
        "proposals": proposals,
        "reviews": reviews,
        "ranked": ranked,
        "waiting": [],
        "predictions": {},
        "schema": MVTEC_AC,
    }
    return {sample.item_id: sample for sample in SampleBuilder(**values | other).samples()}


def test_a_card_has_every_field_and_says_what_is_known() -> None:
    card = shown()[TWO.item_id]
    assert set(card.fields) == set(FIELDS) | {"proposal_source_label"}
    assert card.image == f"/data/{TWO.image}"
    assert card.mask == "/data/bottle/m.png"
    assert card.fields["label"] == AppLabel(label="Contamination", facts={"class_id": "contamination"})
    assert card.fields["given"] == "Contamination"
    assert card.fields["source"] == AppLabel(label="contamination")
    assert (card.fields["status"], card.fields["changed"], card.fields["kinds"]) == ("accepted", False, 1)
    assert shown()[NORMAL.item_id].fields["kinds"] == 0


def test_the_hash_changes_with_anything_shown_and_with_nothing_else() -> None:
    before = shown()
    assert {each.content for each in shown().values()} == {each.content for each in before.values()}
    reviewed = shown(reviews=[decides("ada", ONE, "contamination", note="seen close up")])
    assert reviewed[ONE.item_id].content != before[ONE.item_id].content
    assert reviewed[TWO.item_id].content == before[TWO.item_id].content
    assert reviewed[ONE.item_id].fields["reviews"] == ("ada: Contamination (seen close up)",)
    assert reviewed[ONE.item_id].fields["changed"] is True
    redrawn = shown([replace(ONE, sha256="f" * 64), TWO, NORMAL])
    assert redrawn[ONE.item_id].content != before[ONE.item_id].content


def test_who_gave_no_class_is_shown_as_such() -> None:
    unsure = says(ONE, "neighbours", reason="too close to call", scores={"broken_large": 0.5, "contamination": 0.45})
    failed = says(ONE, "llm", status="error", reason="no answer")
    card = shown(proposals={ONE.item_id: [says(ONE, "source_label", "broken_large"), unsure, failed]}, items=[ONE])[
        ONE.item_id
    ]
    abstained, error = card.fields["proposal_neighbours"], card.fields["proposal_llm"]
    assert isinstance(abstained, AppLabel) and isinstance(error, AppLabel)
    assert abstained.label == "(could not tell)" and abstained.facts["reason"] == "too close to call"
    assert error.label == "(failed)" and error.confidence is None
    assert card.fields["margin"] == pytest.approx(0.05)


def test_copies_name_the_first_of_them() -> None:
    copy = replace(item(7, "broken_large"), sha256=ONE.sha256)
    fields = {card.fields["image"]: card.fields["same_as"] for card in shown([ONE, TWO, copy]).values()}
    assert fields == {ONE.image: None, TWO.image: None, copy.image: ONE.image}


def test_predictions_stand_beside_the_label() -> None:
    answers = [
        Prediction(item_id=ONE.item_id, system="velm@1", raw="It is broken", labels=("broken_large",), parse="ok"),
        Prediction(item_id=TWO.item_id, system="velm@1", raw="?", labels=(), parse="unknown"),
    ]
    found = shown(predictions={"velm-x": answers})
    assert found[ONE.item_id].fields["prediction_velm_x"] == AppLabel(
        label="Large breakage", facts={"raw": "It is broken", "parse": "ok", "by": "velm@1", "class_id": "broken_large"}
    )
    unparsed = found[TWO.item_id].fields["prediction_velm_x"]
    assert isinstance(unparsed, AppLabel) and unparsed.label == "(names no class)"


def test_the_queue_comes_first_in_its_order() -> None:
    again = decides("ada", NORMAL, verdict="unsure", note="a crack?", desk="fiftyone:x/1")
    ranked = ranked_by([ONE, TWO, NORMAL], {}, MVTEC_AC)
    queue = [each for each in ranked if each.item_id == TWO.item_id]
    waiting = flagged_first(queue, ranked, {NORMAL.item_id: request_words(again)})
    found = list(shown(ranked=ranked, waiting=waiting, reviews=[again]).values())
    assert [card.item_id for card in found] == [NORMAL.item_id, TWO.item_id, ONE.item_id]
    assert [card.fields["queue"] for card in found] == [1, 2, None]
    assert found[0].fields["why"] == "flagged"
    assert found[0].fields["detail"] == "ada asks for another look: a crack?"


def test_proposers_whose_names_look_the_same_have_fields_of_their_own() -> None:
    said = [says(ONE, name, "broken_large") for name in ("llm:a.b", "llm:a_b", "llm:c")]
    said.append(replace(said[-1], proposer="llm:c@11111111"))
    found = shown([ONE], proposals={ONE.item_id: said})[ONE.item_id].fields
    fields = [name for name in found if name.startswith("proposal_")]
    assert len(fields) == 4 and len({found[name].facts["by"] for name in fields}) == 4  # type: ignore[union-attr]
