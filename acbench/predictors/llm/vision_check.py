"""Checks that an endpoint sees pictures: a server without a vision part may drop them and answer nevertheless."""

from __future__ import annotations

import io
from collections.abc import Callable

from acbench.errors import AcbenchError
from acbench.predictors.llm.messages import ChatModel, Picture, Question
from acbench.predictors.llm.parse import without_thoughts
from acbench.predictors.llm.retry import Outcome, Retrier

COLOURS = {"red": (220, 20, 20), "blue": (20, 20, 220)}
EDGE = 224
"""Width and height of the picture, pixels; some models refuse smaller ones."""


def check_vision(model: ChatModel, ask: Callable[[Question], Outcome] | None = None) -> None:
    """Ask for the colour of two pictures. Raises AcbenchError unless both answers are right.

    The answers are not used again: that an endpoint saw yesterday does not mean that it sees today. `ask` asks a
    question within a budget; None to do without one.
    """
    ask = ask or Retrier(model=model).ask
    for colour in COLOURS:
        outcome = ask(colour_question(colour))
        if outcome.answer is None:
            assert outcome.error is not None, "an outcome has an answer or an error"
            raise AcbenchError(f"{model.name} does not answer: {outcome.error.message}", outcome.error.hint)
        said = without_thoughts(outcome.answer.text)
        if _named_colour(said) != colour:
            raise AcbenchError(
                f"{model.name} does not see images: of a {colour} square it says {said[:80]!r}",
                "choose a model that takes images and serve it with its vision part (llama.cpp: --mmproj);"
                " --no-canary asks all the same",
            )


def colour_question(colour: str) -> Question:
    """A question about one picture that is all of one colour."""
    from PIL import Image  # a run that asks nothing new does not need it

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
        is_trial=True,
    )


def _named_colour(text: str) -> str | None:
    """The colour that a text names, in any form; None if it names none or both."""
    named = [colour for colour in COLOURS if colour in text.lower()]
    return named[0] if len(named) == 1 else None
