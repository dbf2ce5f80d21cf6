"""Keeps a benchmark's settings, so that a later command need not repeat them."""

from __future__ import annotations

import dataclasses
import json
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from msgspec import Meta

from acbench.errors import AcbenchError
from acbench.storage.atomic import write_bytes
from acbench.storage.roots import root_text
from acbench.storage.typed_json import read_file, to_json

ALL = "all"
"""Stands for every category, to lift a restriction. No category has this name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How to relabel one benchmark. The fields have the names of the options, as the keys of settings.json do."""

    schema: str
    """The name of a bundled benchmark, or the path of a schema file."""
    root: str | None = None
    """The dataset's folder or URL; None if the source makes its own images."""
    categories: tuple[str, ...] = ()
    """The categories to read; all if empty."""
    limit: Annotated[int, Meta(ge=1)] | None = None
    """The highest number of images to read of a category; None for all."""
    backbone: str = "efficientnet-lite0"
    """The image model of `neighbours`, `few_shot` and the detector."""
    with_: tuple[str, ...] = ()
    """Proposers to ask besides the usual ones."""
    without: tuple[str, ...] = ()
    """Usual proposers not to ask."""
    clip_model: str = ""
    """The model of `clip`, as open_clip names it; empty if none was chosen."""
    clip_weights: str = ""
    """The weights of `clip`: a tag of open_clip, or a file."""
    llm: str = ""
    """The model of `llm`, as the endpoint names it, or `local:FOLDER`; empty if none was chosen."""
    llm_url: str | None = None
    """An OpenAI-compatible endpoint; None for api.openai.com."""
    llm_price: tuple[Annotated[float, Meta(ge=0, lt=1e6)], ...] = ()
    """Dollars per million input and output tokens; empty if not known."""
    audit: Annotated[float, Meta(ge=0, le=1)] = 0.05
    """The share of the auto-accepted labels that people check, 0 to 1."""
    seed: int = 0
    """The seed of the audit sample."""

    def __post_init__(self) -> None:
        """Raises ValueError for a price of one part."""
        if len(self.llm_price) not in (0, 2):
            raise ValueError("field llm_price: expected two prices or none")


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingChanges:
    """The settings that one command changes; None leaves a setting as it is."""

    root: str | None = None
    categories: tuple[str, ...] | None = None
    """`(ALL,)` lifts the restriction."""
    limit: int | None = None
    """0 lifts the restriction."""
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

    def absolute(self) -> SettingChanges:
        """The same changes with absolute paths, so that a command in another folder finds the files."""
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
        """The settings after these changes. A new LLM without a new price has an unknown price.

        Raises AcbenchError for a number that could not be read back.
        """
        for name, number in (("--limit", self.limit), ("--seed", self.seed)):
            if number is not None and not -(2**63) <= number < 2**63:
                raise AcbenchError(f"the number of {name} has more than 64 bits", f"give {name} a smaller one")
        values = {name: value for name, value in dataclasses.asdict(self).items() if value is not None}
        if values.get("categories") == (ALL,):
            values["categories"] = ()
        changed = dataclasses.replace(settings, **values)
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
    """Keep the settings in a file, unless it holds them already."""
    data = (json.dumps(to_json(settings), indent=1) + "\n").encode()
    if not path.exists() or path.read_bytes() != data:
        write_bytes(path, data)


def _absolute(text: str, mark: str) -> str:
    """Make the path that follows `mark` absolute, if there is such a file or folder.

    Without a mark the text may be a name as well: then only a file counts, since a folder may have that name by chance.
    """
    head, _, path = text.partition(mark) if mark else ("", "", text)
    exists = bool(path) and (Path(path).exists() if mark else Path(path).is_file())
    return f"{head}{mark}{Path(path).resolve()}" if exists else text
