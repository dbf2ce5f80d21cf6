"""The prompts for CLIP: what it is told about each class of a category.

They are made of each class's names and definition, `good` included, by the texts in templates/clip.txt: ensembles of
states and of ways to photograph them, as in WinCLIP (Jeong et al. 2023, arXiv 2303.14814).
"""

from __future__ import annotations

import re

from acbench._util import templates
from acbench.records import GOOD
from acbench.schema import Category

TEXTS = templates.read("clip")
"""Its source is hashed into the names of proposers and baselines."""


def prompts(category: Category) -> dict[str, list[str]]:
    """Class id → its prompts, `good` first."""
    thing = category.name.lower().rstrip(" 0123456789")  # `Macaroni 2` is the dataset's second set of macaroni
    by_class = {
        GOOD: [
            *_photographed("normal", object=thing),
            *_described("normal_definition", category.normal, object=thing),
        ]
    }
    for defect in category.classes:
        names = dict.fromkeys(name.lower() for name in (defect.name, *defect.aliases))
        named = [prompt for name in names for prompt in _photographed("defect", object=thing, kind=name)]
        described = _described("definition", defect.definition, object=thing, kind=defect.name.lower())
        by_class[defect.id] = [*named, *described]
    return by_class


def _photographed(section: str, **values: str) -> list[str]:
    """Each state of a section in each of the ways to photograph it."""
    return [prompt for state in _lines(section, **values) for prompt in _lines("picture", state=state)]


def _described(section: str, definition: str, **values: str) -> list[str]:
    """The prompts with the gist of a definition; none if the schema has no definition."""
    return _lines(section, gist=_first_sentence(definition), **values) if definition else []


def _lines(section: str, **values: str) -> list[str]:
    return TEXTS.fill(section, **values).splitlines()


def _first_sentence(definition: str) -> str:
    """CLIP reads 77 tokens only, and the rest of a definition would be lost."""
    return re.split(r"(?<=[.!?])\s", definition, maxsplit=1)[0]
