"""Keeps a benchmark's settings, so that a later command need not repeat them."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from acbench.errors import StorageError
from acbench.storage import tables
from acbench.storage.roots import remembered

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
    limit: int | None = None
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
    llm_price: tuple[float, ...] = ()
    """Dollars per million input and output tokens; empty if not known."""
    audit: float = 0.05
    """The share of the auto-accepted labels that people check, 0 to 1."""
    seed: int = 0
    """The seed of the audit sample."""


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
            root=None if self.root is None else remembered(self.root),
            with_=None if self.with_ is None else tuple(_absolute(name, "file:") for name in self.with_),
            without=None if self.without is None else tuple(_absolute(name, "file:") for name in self.without),
            clip_model=self.clip_model and _absolute(self.clip_model, "local-dir:"),
            clip_weights=self.clip_weights and _absolute(self.clip_weights, ""),
            llm=self.llm and _absolute(self.llm, "local:"),
            backbone=self.backbone and _absolute(self.backbone, "@"),
        )

    def applied_to(self, settings: Settings) -> Settings:
        """The settings after these changes. A new LLM without a new price has an unknown price."""
        values = {name: value for name, value in dataclasses.asdict(self).items() if value is not None}
        if values.get("categories") == (ALL,):
            values["categories"] = ()
        changed = dataclasses.replace(settings, **values)
        if (changed.llm, changed.llm_url) != (settings.llm, settings.llm_url) and self.llm_price is None:
            changed = dataclasses.replace(changed, llm_price=())
        return dataclasses.replace(changed, limit=changed.limit or None)


def read(path: Path) -> Settings | None:
    """The settings kept at `path`; None if there are none. Raises StorageError if they are damaged."""
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
        raise StorageError(f"{path} is damaged: {error}", f"remove it and give --root again: rm {path}") from None


def write(path: Path, settings: Settings) -> None:
    """Keep the settings in a file, unless it holds them already."""
    data = (json.dumps(tables.to_json(settings), indent=1) + "\n").encode()
    if not path.exists() or path.read_bytes() != data:
        tables.write_bytes(path, data)


def _absolute(text: str, mark: str) -> str:
    """Make the path that follows `mark` absolute, if there is such a file or folder.

    Without a mark the text may be a name as well: then only a file counts, since a folder may have that name by chance.
    """
    head, _, path = text.partition(mark) if mark else ("", "", text)
    exists = bool(path) and (Path(path).exists() if mark else Path(path).is_file())
    return f"{head}{mark}{Path(path).resolve()}" if exists else text
