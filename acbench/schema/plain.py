"""Writes a schema's YAML for others: what it says, without the comments, which are the author's own notes."""

from __future__ import annotations

import yaml

from acbench.schema.nodes import compose
from acbench.schema.read import HEAD

WIDTH = 120
"""Characters of a line, where a text can be broken."""


def plain_text(text: str, benchmark: str) -> str:
    """Give the YAML of a schema without comments, and with the name of its benchmark. Raises UnreadableYaml.

    The name stands where the digest of the schema stays the same: behind all else that is said of the whole.
    """
    top = compose(text).node
    if isinstance(top, yaml.MappingNode) and "benchmark" not in (keys := [key.value for key, _ in top.value]):
        place = max((number for number, key in enumerate(keys, start=1) if key in HEAD), default=0)
        top.value.insert(place, (_scalar("benchmark"), _scalar(benchmark)))
    written: str = yaml.serialize(top, Dumper=yaml.SafeDumper, allow_unicode=True, width=WIDTH)
    return written


def _scalar(text: str) -> yaml.ScalarNode:
    return yaml.ScalarNode("tag:yaml.org,2002:str", text)
