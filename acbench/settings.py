"""What a benchmark is made with. Kept in the workspace, so that a later command need not repeat it."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from acbench import store
from acbench.errors import StoreError

ALL = "all"
"""In place of a category: every one. No category is called so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How to relabel one benchmark."""

    schema: str
    """A bundled benchmark's name, or the path of a schema file."""
    root: str | None = None
    """The dataset's folder or URL; None if the source makes its own."""
    categories: tuple[str, ...] = ()
    """Only these; all if empty."""
    limit: int | None = None
    """At most so many images of a category."""
    backbone: str = "efficientnet-lite0"
    with_: tuple[str, ...] = ()
    """Proposers besides the usual ones."""
    without: tuple[str, ...] = ()
    """Usual proposers that are left out."""
    clip_model: str = ""
    """What `clip` asks, as open_clip names it; empty if none was chosen."""
    clip_weights: str = ""
    """A tag of open_clip or a file."""
    llm: str = ""
    """What `llm` asks: a model of the endpoint, or `local:FOLDER`; empty if none was chosen."""
    llm_url: str | None = None
    """An OpenAI-compatible endpoint; None for api.openai.com."""
    llm_price: tuple[float, ...] = ()
    """Dollars per million tokens in and out; empty if not known."""
    audit: float = 0.05
    """Share of the labels accepted unseen that people are asked to check."""
    seed: int = 0
    """Of the audit sample."""

    def updated(self, **given: Any) -> Settings:
        """These settings with those given (not None) in place of the old ones; another LLM has another price.

        `categories` that are (`ALL`,) and a `limit` of 0 take a restriction back.
        """
        given |= {"categories": ()} if given.get("categories") == (ALL,) else {}
        new = dataclasses.replace(self, **{name: value for name, value in given.items() if value is not None})
        if (new.llm, new.llm_url) != (self.llm, self.llm_url) and given.get("llm_price") is None:
            new = dataclasses.replace(new, llm_price=())
        return dataclasses.replace(new, limit=new.limit or None)


def read(path: Path) -> Settings | None:
    """The settings kept at `path`; None if there are none. Raises StoreError if they are damaged."""
    if not path.exists():
        return None
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        known = {field.name for field in dataclasses.fields(Settings)}
        values: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in found.items()
        }
        return Settings(**{name: value for name, value in values.items() if name in known})
    except (ValueError, TypeError, AttributeError) as error:
        raise StoreError(f"{path} is damaged: {error}", f"remove it and give --root again: rm {path}") from None


def write(path: Path, settings: Settings) -> None:
    """Keep settings, unless they are kept already."""
    data = (json.dumps(store.to_json(settings), indent=1) + "\n").encode()
    if not path.exists() or path.read_bytes() != data:
        store.write_bytes(path, data)
