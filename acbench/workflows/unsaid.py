"""Lists what a schema leaves out that a release has to say; until then nobody needs it."""

from __future__ import annotations

from dataclasses import dataclass

from acbench import licences
from acbench._util.plural import counted
from acbench.data.sources import Source
from acbench.schema import Schema
from acbench.workflows.origin import is_own


@dataclass(frozen=True, slots=True, kw_only=True)
class Unsaid:
    """One thing that a schema does not say yet."""

    line: str
    """What is missing, in a few words."""
    places: tuple[str, ...]
    """Where it belongs in the file, such as `categories.tile.classes.0.definition`; empty if it has no line yet."""


def unsaid_of(schema: Schema, source: Source | None) -> list[Unsaid]:
    """What has to be said before a release: the schema's own words first, then whose the images are.

    `source`: None if there is none of that name.
    """
    found: list[Unsaid] = []

    def said_todo(key: str) -> tuple[str, ...]:
        return (key,) if key in schema.todo else ()

    if undefined := _undefined(schema):
        line = f"{counted(len(undefined), 'class', 'classes')} without a definition"
        found.append(Unsaid(line=line, places=undefined))
    if todo := tuple(place for place in schema.todo if place not in (*undefined, "licence", "attribution")):
        found.append(Unsaid(line=f"{counted(len(todo), 'other text')} still TODO", places=todo))
    if schema.drafts:
        drafted = f"{counted(len(schema.drafts), 'text')} drafted by a model: once read, take the word DRAFT: away"
        found.append(Unsaid(line=drafted, places=schema.drafts))
    if schema.licence == licences.UNKNOWN:
        found.append(
            Unsaid(line="the licence of the labels, such as `licence: CC-BY-4.0`", places=said_todo("licence"))
        )
    if source is not None and is_own(source) and not schema.attribution:
        found.append(Unsaid(line="who made the images: `attribution: …`", places=said_todo("attribution")))
    return found


def _undefined(schema: Schema) -> tuple[str, ...]:
    """The places of the classes without a definition."""
    return tuple(
        f"categories.{category.folder or key}.classes.{number}.definition"
        for key, category in schema.categories.items()
        for number, defect in enumerate(category.classes)
        if not defect.definition
    )
