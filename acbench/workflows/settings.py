"""Keeps a benchmark's settings, so that a later command need not repeat them."""

from __future__ import annotations

import dataclasses
import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from msgspec import Meta

from acbench.errors import AcbenchError
from acbench.predictors.clip_names import CLIP, join_clip_name, split_clip_name
from acbench.review.audit import SETTING, USUAL
from acbench.storage.atomic import write_bytes
from acbench.storage.roots import root_text
from acbench.storage.typed_json import read_if_there, to_json
from acbench.workflows.llm_models import LOCAL, LlmModel, changed, flags

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
    reading: Mapping[str, str | tuple[str, ...]] = field(default_factory=dict)
    """Options of the source, beside those of the schema: how the dataset lies on disk."""
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
    llm: LlmModel = field(default_factory=LlmModel)
    """The model of the proposer `llm` and of `velm`."""
    audit: Annotated[float, Meta(ge=0, le=1)] | Annotated[str, Meta(pattern=SETTING)] = USUAL
    """How many of the auto-accepted labels people check, as `acbench.review.audit.AuditSize` reads it."""
    seed: int = 0
    """The seed of the audit sample."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingChanges:
    """The settings that one command changes; None leaves a setting as it is."""

    root: str | None = None
    categories: tuple[str, ...] | None = None
    """`(ALL,)` lifts the restriction."""
    reading: Mapping[str, str | tuple[str, ...]] | None = None
    """An option without a value is dropped; the others are kept."""
    limit: int | None = None
    """0 lifts the restriction."""
    backbone: str | None = None
    with_: tuple[str, ...] | None = None
    without: tuple[str, ...] | None = None
    clip_model: str | None = None
    clip_weights: str | None = None
    llm: Mapping[str, object] = field(default_factory=dict)
    """Changes of the model of `llm`: see `llm_models.changed`."""
    audit: float | str | None = None
    seed: int | None = None

    def absolute(self) -> SettingChanges:
        """The same changes with absolute paths, so that a command in another folder finds the files."""
        return dataclasses.replace(
            self,
            root=None if self.root is None else root_text(self.root),
            with_=None if self.with_ is None else tuple(map(_absolute_proposer, self.with_)),
            without=None if self.without is None else tuple(map(_absolute_proposer, self.without)),
            clip_model=self.clip_model and _absolute(self.clip_model, "local-dir:"),
            clip_weights=self.clip_weights and _absolute(self.clip_weights, ""),
            llm=absolute_model(self.llm),
            backbone=self.backbone and _absolute(self.backbone, "@"),
        )

    def applied_to(self, settings: Settings) -> Settings:
        """The settings after these changes. Raises AcbenchError for a value that could not be read back."""
        for name, number in (("--limit", self.limit), ("--seed", self.seed)):
            if number is not None and not -(2**63) <= number < 2**63:
                raise AcbenchError(f"the number of {name} has more than 64 bits", f"give {name} a smaller one")
        fields = (field.name for field in dataclasses.fields(self))
        values = {name: value for name in fields if (value := getattr(self, name)) is not None}
        if values.get("categories") == (ALL,):
            values["categories"] = ()
        if self.reading is not None:
            kept = {**settings.reading, **self.reading}
            values["reading"] = {key: value for key, value in kept.items() if value not in ("", ("",))}
        values["llm"] = changed(settings.llm, self.llm).model
        after = dataclasses.replace(settings, **values)
        return dataclasses.replace(after, limit=after.limit or None)

    def dropped(self, settings: Settings) -> str:
        """What these changes take from the settings unasked, and why, in a sentence; empty if nothing."""
        fields = changed(settings.llm, self.llm).dropped
        return f"{flags(fields)}: dropped, since they were said of {settings.llm.model}" if fields else ""


def read(path: Path) -> Settings | None:
    """The settings kept at `path`; None if there are none. Those of a newer acbench that this one does not know are
    ignored. Raises StorageError, naming the field, for a value that no command wrote."""
    hint = f"correct it in {path}; or remove the file and give --root again: rm {shlex.quote(str(path))}"
    return read_if_there(path, Settings, hint=hint, allow_unknown=True, upgrade=_upgraded)


def _upgraded(value: object) -> object:
    """Settings as JSON in which the LLM is one object. It had three fields once."""
    once = {"llm": "model", "llm_url": "url", "llm_price": "price"}
    if not isinstance(value, dict) or isinstance(value.get("llm"), dict) or not once.keys() & value.keys():
        return value
    llm = {new: value[name] for name, new in once.items() if name in value}
    return {**{name: part for name, part in value.items() if name not in once}, "llm": llm}


def write(path: Path, settings: Settings) -> None:
    """Keep the settings in a file, unless it holds them already."""
    data = (json.dumps(to_json(settings), indent=1) + "\n").encode()
    if not path.exists() or path.read_bytes() != data:
        write_bytes(path, data)


def absolute_model(changes: Mapping[str, object]) -> Mapping[str, object]:
    """Changes of an LLM with the absolute path of a folder."""
    return {**changes, "model": _absolute(str(changes["model"]), LOCAL)} if "model" in changes else changes


def _absolute_proposer(name: str) -> str:
    if not name.startswith(CLIP):
        return _absolute(name, "file:")
    model, weights = split_clip_name(name.removeprefix(CLIP))
    return CLIP + join_clip_name(_absolute(model, "local-dir:"), weights and _absolute(weights, ""))


def _absolute(text: str, mark: str) -> str:
    """Make the path that follows `mark` absolute, if there is such a file or folder.

    Without a mark the text may be a name as well: then only a file counts, since a folder may have that name by chance.
    """
    head, _, path = text.partition(mark) if mark else ("", "", text)
    exists = bool(path) and (Path(path).exists() if mark else Path(path).is_file())
    return f"{head}{mark}{Path(path).resolve()}" if exists else text
