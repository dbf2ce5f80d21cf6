"""The two views of labels: the classes of the published benchmark, or the label sets themselves."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Literal

from acbench.records import GOOD
from acbench.schema.model import Category, DefectClass, PublishedClass, Schema

View = Literal["published", "sets"]

ClassSet = tuple[str, ...]
"""A sorted set of class ids of a view; `(good,)` for a normal image. In the published view it has one class."""


def answer_of(labels: ClassSet, category: Category, view: View) -> ClassSet | None:
    """The right answer in a view for an image with this label set; None if the view has no class for it."""
    if view == "sets":
        return labels
    if labels == (GOOD,):
        return labels if category.published else None
    published = category.published_class(labels)
    return None if published is None else (published,)


def in_view(schema: Schema, view: View) -> Schema:
    """The schema with the classes of a view, from which prompts, forms and parsers of that view are made.

    Categories without a class in the view are left out.
    """
    if view == "sets":
        return schema
    categories = {key: _published(category) for key, category in schema.categories.items() if category.published}
    return dataclasses.replace(schema, categories=categories)


def _published(category: Category) -> Category:
    """The category with its published classes in place of its defect classes."""
    own = {defect.id: defect for defect in category.classes}
    classes = tuple(
        DefectClass(
            id=published.id,
            name=published.name,
            definition=published.definition,
            not_this=own[published.id].not_this if published.sets == ((published.id,),) else "",
            aliases=published.aliases,
            source=(),
            negligible=_is_negligible(published, own),
        )
        for published in category.published
    )
    return dataclasses.replace(category, classes=classes, changes=(), boundaries=())


def _is_negligible(published: PublishedClass, own: Mapping[str, DefectClass]) -> bool:
    """Whether every label set that the class holds shows nothing but what is harmless."""
    labels = {label for each in published.sets for label in each}
    return bool(labels) and all(label in own and own[label].negligible for label in labels)
