"""Estimates how many tokens a question takes, before a model has counted them."""

from __future__ import annotations

import io
import json
import math

from PIL import Image

from acbench.predictors.llm.messages import Picture, Question


def question_tokens(question: Question, model: str) -> int:
    """An upper estimate: one for each two bytes of text (English takes half of that), and `picture_tokens`."""
    words = [part for part in question.parts if isinstance(part, str)]
    texts = [question.system, json.dumps(dict(question.schema)), *words]
    size = sum(len(text.encode("utf-8", "replace")) for text in texts)
    pictures = [part for part in question.parts if isinstance(part, Picture)]
    return 100 + size // 2 + sum(picture_tokens(picture, model) for picture in pictures)


def fewest_tokens(question: Question) -> int:
    """A lower estimate: one for each eight bytes of the text, and 16 for each picture. English takes about twice that.

    An endpoint that counts fewer has not seen the whole question.
    """
    size = len(question.system.encode()) + sum(len(part.encode()) for part in question.parts if isinstance(part, str))
    return size // 8 + 16 * sum(isinstance(part, Picture) for part in question.parts)


def picture_tokens(picture: Picture, model: str) -> int:
    """An upper estimate of the tokens of a picture: the most that the common rules give for its size.

    Tiles of 512 pixels, at least four, at 170 and a base of 85 (GPT-4o; its `mini` counts 33.4 times as many), or
    patches of 28 pixels (Qwen-VL and others).
    """
    try:
        with Image.open(io.BytesIO(picture.data)) as image:
            width, height = image.size
    except (OSError, ValueError, Image.DecompressionBombError):
        width = height = 2048
    tiles = 85 + 170 * max(4, math.ceil(width / 512) * math.ceil(height / 512))
    if "4o-mini" in model:
        tiles = math.ceil(tiles * 33.4)
    return max(tiles, math.ceil(width / 28) * math.ceil(height / 28))
