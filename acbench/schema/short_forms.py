"""Reads the short ways to write a schema: classes by their names alone, and what comes naturally at first."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import yaml

from acbench.schema.class_names import fold, is_normal, readable, slug
from acbench.schema.model import DefectClass
from acbench.schema.nodes import NodeReader, Spot


def is_list(spot: Spot) -> bool:
    """Whether a place holds a list."""
    return isinstance(spot.node, yaml.SequenceNode)


def misplaced_classes(top: Spot) -> str:
    """What to write instead of a list of classes beside the categories, with these classes; empty without one."""
    if not isinstance(top.node, yaml.MappingNode):
        return ""
    given = {key.value: value for key, value in top.node.value if isinstance(key, yaml.ScalarNode)}
    if "classes" not in given or "categories" in given:
        return ""
    listed = ", ".join(_names(given["classes"])) or "CLASS, CLASS"
    return f"classes belong to a category (the folder name of a product); write\ncategories:\n  CATEGORY: [{listed}]"


def named(reader: NodeReader, spot: Spot) -> dict[str, Spot]:
    """Name of a category → what is said of it. A list of categories gets a problem that shows the shape."""
    if is_list(spot):
        listed = _names(spot.node) or ["CATEGORY"]
        shape = "\n".join(f"  {name}: [CLASS, CLASS]" for name in listed)
        reader.problem(spot, f"each category needs its classes; write\ncategories:\n{shape}")
        return {}
    entries = reader.entries(spot)
    for name, entry in list(entries.items()):
        if isinstance(entry.node, yaml.ScalarNode):
            given = ", ".join(str(entry.node.value).replace(",", " ").split()) or "CLASS, CLASS"
            reader.problem(entry, f"expected classes; write\n  {name}: [{given}]")
            del entries[name]
    return entries


def classes(
    reader: NodeReader, spot: Spot | None, full: Callable[[NodeReader, Spot], DefectClass]
) -> Iterator[DefectClass]:
    """The classes of a category: full entries, which `full` reads; names; or names with definitions."""
    if spot is not None and isinstance(spot.node, yaml.MappingNode):
        for name, definition in reader.entries(spot).items():
            yield from _by_name(reader, definition, name, reader.text(definition))
        return
    if spot is not None and isinstance(spot.node, yaml.ScalarNode):
        words = ", ".join(str(spot.node.value).replace(",", " ").split()) or "CLASS, CLASS"
        reader.problem(spot, f"expected a list; write\n  classes: [{words}]")
        return
    for item in reader.items(spot):
        if isinstance(item.node, yaml.ScalarNode):
            yield from _by_name(reader, item, reader.text(item), "")
        else:
            yield full(reader, item)


def _by_name(reader: NodeReader, spot: Spot, name: str, definition: str) -> Iterator[DefectClass]:
    """The class of that name."""
    if is_normal(name):
        reader.problem(spot, f"leave {name!r} out: normal images are a class of every category")
    elif fold(name):
        yield DefectClass(
            id=slug(name), name=readable(name), definition=definition, not_this="", aliases=(), source=(name,)
        )
    else:
        reader.problem(spot, f"{name!r} has no letter or digit")


def _names(node: yaml.Node | None) -> list[str]:
    """The names in a list, or the keys of a mapping."""
    if isinstance(node, yaml.SequenceNode):
        return [str(item.value) for item in node.value if isinstance(item, yaml.ScalarNode)]
    if isinstance(node, yaml.MappingNode):
        return [str(key.value) for key, _ in node.value]
    return [str(node.value)] if isinstance(node, yaml.ScalarNode) else []
