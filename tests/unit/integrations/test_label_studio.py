"""The way to Label Studio, without one: addresses, servers that are something else, and the judge of predictions."""

from __future__ import annotations

import json
from typing import Any

import pytest

from acbench.errors import AnnotationToolError, LostConnection
from acbench.integrations.label_studio.tool import LabelStudio
from acbench.integrations.label_studio.validation import prediction_check
from acbench.schema.form import label_studio_form
from tests.support.ports import free_port
from tests.support.proxy import answering
from tests.support.records import BOTTLE


@pytest.mark.parametrize("url", ["localhost:8080", "ftp://x", "http://ada:secret@localhost", "http://"])
def test_an_address_that_is_none(url: str) -> None:
    with pytest.raises(AnnotationToolError, match="LABEL_STUDIO_URL") as caught:
        LabelStudio(url, "x", served=None)
    assert "secret" not in str(caught.value)


def test_nobody_answers() -> None:
    with pytest.raises(LostConnection, match="no Label Studio answers"):
        LabelStudio(f"http://127.0.0.1:{free_port()}", "x", served=None)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ({"release": "1.13.1"}, "is Label Studio 1.13.1; acbench works with 1.23 and newer, below 2.0"),
        ({"release": "2.0.0"}, "is Label Studio 2.0.0"),
        ({"hello": "world"}, "is not a Label Studio"),
        ([], "is not a Label Studio"),
    ],
)
def test_a_server_that_is_not_supported(answer: object, message: str) -> None:
    with (
        answering(json.dumps(answer).encode()) as url,
        pytest.raises(AnnotationToolError, match="Label Studio") as caught,
    ):
        LabelStudio(url, "x", served=None)
    assert message in caught.value.message
    assert caught.value.hint


def test_a_server_that_speaks_something_else() -> None:
    with answering(b"<html>") as url, pytest.raises(AnnotationToolError, match="its answer is not JSON"):
        LabelStudio(url, "x", served=None)


def test_the_judge_finds_what_the_server_would_swallow() -> None:
    judge = prediction_check(label_studio_form(BOTTLE))

    def prediction(name: str, choice: str, **more: Any) -> dict[str, Any]:
        value = {"choices": [choice]}
        return {"result": [{"from_name": name, "to_name": "image", "type": "choices", "value": value}], **more}

    assert not judge(prediction("labels", "contamination", score=0.5))
    assert judge(prediction("labels", "dust"))
    assert judge(prediction("label", "contamination"))
    assert judge(prediction("labels", "contamination", score=7))
