"""Whether an endpoint sees pictures at all: servers without a vision part may drop them and answer all the same."""

from __future__ import annotations

import io

from acbench.errors import AcbenchError
from acbench.predictors.llm.messages import ChatModel, Picture, Question
from acbench.predictors.llm.retry import Retrier

COLOURS = {"red": (220, 20, 20), "blue": (20, 20, 220)}
EDGE = 224
"""Pixels; smaller pictures are refused by some models."""


def check_vision(model: ChatModel, retrier: Retrier | None = None) -> None:
    """Ask for the colour of two pictures. Raises AcbenchError unless both answers are right.

    The calls are not kept: what an endpoint could do yesterday says nothing about today. `dialer` has them follow
    its pace and count against its budget.
    """
    retrier = retrier or Retrier(model=model)
    for colour in COLOURS:
        outcome = retrier.ask(question(colour))
        if outcome.answer is None:
            assert outcome.error is not None
            raise AcbenchError(f"{model.name} does not answer: {outcome.error.message}", outcome.error.hint)
        said = _colour(outcome.answer.text)
        if said != colour:
            raise AcbenchError(
                f"{model.name} does not see images: of a {colour} square it says {outcome.answer.text[:80]!r}",
                "choose a model that takes images and serve it with its vision part (llama.cpp: --mmproj);"
                " --no-canary asks all the same",
            )


def question(colour: str) -> Question:
    """Of one plain picture."""
    from PIL import Image  # runs that ask nothing new do without

    file = io.BytesIO()
    Image.new("RGB", (EDGE, EDGE), COLOURS[colour]).save(file, "PNG")
    return Question(
        system="You say which colour a picture has. Answer with JSON only.",
        parts=(Picture(data=file.getvalue(), media_type="image/png"), f"Which colour is it: {' or '.join(COLOURS)}?"),
        schema={
            "type": "object",
            "additionalProperties": False,
            "required": ["colour"],
            "properties": {"colour": {"type": "string", "enum": list(COLOURS)}},
        },
    )


def _colour(text: str) -> str | None:
    """The one colour that is named; this is about sight, not about form."""
    named = [colour for colour in COLOURS if colour in text.lower()]
    return named[0] if len(named) == 1 else None
