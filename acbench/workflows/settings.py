"""What a benchmark is made with. Kept in the workspace, so that a later command need not repeat it."""

from __future__ import annotations

import dataclasses
import json
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from msgspec import Meta

from acbench.errors import AcbenchError
from acbench.storage.atomic import write_bytes
from acbench.storage.roots import root_text
from acbench.storage.typed_json import read_file, to_json

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
    limit: Annotated[int, Meta(ge=1)] | None = None
    """At most this many images of a category."""
    backbone: str = "efficientnet-lite0"
    with_: tuple[str, ...] = ()
    """Proposers besides the usual ones."""
    without: tuple[str, ...] = ()
    """Usual proposers that are left out."""
    clip_model: str = ""
    """The model of `clip`, as open_clip names it; empty if none was chosen."""
    clip_weights: str = ""
    """A tag of open_clip or a file."""
    llm: str = ""
    """The model of `llm`: one of the endpoint, or `local:FOLDER`; empty if none was chosen."""
    llm_url: str | None = None
    """An OpenAI-compatible endpoint; None for api.openai.com."""
    llm_price: tuple[Annotated[float, Meta(ge=0, lt=1e6)], ...] = ()
    """Dollars per million tokens in and out; empty if not known."""
    audit: Annotated[float, Meta(ge=0, le=1)] = 0.05
    """Share of the auto-accepted labels that people are asked to check."""
    seed: int = 0
    """Of the audit sample."""

    def __post_init__(self) -> None:
        """Raises ValueError for a price of one part."""
        if len(self.llm_price) not in (0, 2):
            raise ValueError("field llm_price: expected two prices or none")


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """The settings that one command gives anew; None leaves what is kept."""

    root: str | None = None
    categories: tuple[str, ...] | None = None
    """(`ALL`,) takes a restriction back."""
    limit: int | None = None
    """0 takes a restriction back."""
    backbone: str | None = None
    with_: tuple[str, ...] | None = None
    without: tuple[str, ...] | None = None
    clip_model: str | None = None
    clip_weights: str | None = None
    llm: str | None = None
    llm_url: str | None = None
    llm_price: tuple[float, ...] | None = None
    audit: float | None = None
    seed: int | None = None

    def absolute(self) -> Changes:
        """The same with the whole path of every file and folder, so that a later command finds it."""
        return dataclasses.replace(
            self,
            root=None if self.root is None else root_text(self.root),
            with_=None if self.with_ is None else tuple(_absolute(name, "file:") for name in self.with_),
            without=None if self.without is None else tuple(_absolute(name, "file:") for name in self.without),
            clip_model=self.clip_model and _absolute(self.clip_model, "local-dir:"),
            clip_weights=self.clip_weights and _absolute(self.clip_weights, ""),
            llm=self.llm and _absolute(self.llm, "local:"),
            backbone=self.backbone and _absolute(self.backbone, "@"),
        )

    def applied_to(self, settings: Settings) -> Settings:
        """The settings with these changes. Another LLM loses the old one's price, unless a new price is given.

        Raises AcbenchError for a number that could not be read back.
        """
        for name, number in (("--limit", self.limit), ("--seed", self.seed)):
            if number is not None and not -(2**63) <= number < 2**63:
                raise AcbenchError(f"the number of {name} has more than 64 bits", f"give {name} a smaller one")
        given = {name: value for name, value in _fields(self).items() if value is not None}
        if given.get("categories") == (ALL,):
            given["categories"] = ()
        changed = dataclasses.replace(settings, **given)
        if (changed.llm, changed.llm_url) != (settings.llm, settings.llm_url) and self.llm_price is None:
            changed = dataclasses.replace(changed, llm_price=())
        return dataclasses.replace(changed, limit=changed.limit or None)


def read(path: Path) -> Settings | None:
    """The settings kept at `path`; None if there are none. Those of a newer acbench that this one does not know are
    ignored. Raises StorageError, naming the field, for a value that no command wrote."""
    if not path.exists():
        return None
    hint = f"correct it in {path}; or remove the file and give --root again: rm {shlex.quote(str(path))}"
    return read_file(path, Settings, hint=hint, allow_unknown=True)


def write(path: Path, settings: Settings) -> None:
    """Keep settings, unless they are kept already."""
    data = (json.dumps(to_json(settings), indent=1) + "\n").encode()
    if not path.exists() or path.read_bytes() != data:
        write_bytes(path, data)


def _fields(changes: Changes) -> dict[str, Any]:
    return {field.name: getattr(changes, field.name) for field in dataclasses.fields(changes)}


def _absolute(text: str, mark: str) -> str:
    """The text with the whole path of the file or folder that follows `mark`, if there is one."""
    head, _, path = text.partition(mark) if mark else ("", "", text)
    # Without a mark the text may be a name as well, and a folder of that name says nothing.
    exists = bool(path) and (Path(path).exists() if mark else Path(path).is_file())
    return f"{head}{mark}{Path(path).resolve()}" if exists else text
