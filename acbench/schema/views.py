"""The two ways to look at labels: as the published benchmark's classes, or as the sets that they are."""

from __future__ import annotations

import dataclasses
from typing import Literal

from acbench.records import GOOD
from acbench.schema import Category, Schema
from acbench.schema.model import DefectClass

View = Literal["published", "sets"]

ClassSet = tuple[str, ...]
"""A sorted set of class ids of a view; `(good,)` for a normal image. The published view has one an image."""


def answer_of(labels: ClassSet, category: Category, view: View) -> ClassSet | None:
    """What is true of an image with this label set, in a view; None if it has no place there."""
    if view == "sets":
        return labels
    if labels == (GOOD,):
        return labels if category.published else None
    name = category.published_class(labels)
    return None if name is None else (name,)


def seen(schema: Schema, view: View) -> Schema:
    """The schema with the classes of a view, for whoever is asked about them: prompts, forms and parsers follow.

    Categories without a class in the view are left out.
    """
    if view == "sets":
        return schema
    categories = {key: _published(one) for key, one in schema.categories.items() if one.published}
    return dataclasses.replace(schema, categories=categories)


def _published(category: Category) -> Category:
    own = {one.id: one for one in category.classes}
    classes = tuple(
        DefectClass(
            id=one.id,
            name=one.name,
            definition=one.definition,
            not_this=own[one.id].not_this if one.sets == ((one.id,),) else "",
            aliases=one.aliases,
            source=(),
        )
        for one in category.published
    )
    return dataclasses.replace(category, classes=classes, changes=())
