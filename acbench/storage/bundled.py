"""Finds what comes with acbench besides its code: the label schemas and the annotations.

In an installed acbench both are packages of it. In a checkout they lie beside it.
"""

from __future__ import annotations

from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Literal

from acbench.records import Label
from acbench.storage.project import labels_in, reviews_in


def bundled_folder(name: Literal["label_schemas", "annotations"]) -> Traversable:
    """A bundled folder."""
    try:
        return resources.files(f"acbench.{name}")
    except ModuleNotFoundError:
        return Path(__file__).resolve().parents[2] / name


def edition_folder(benchmark: str) -> Traversable:
    """The folder of a benchmark's bundled edition; it may not exist."""
    return bundled_folder("annotations").joinpath(benchmark)


def edition_labels(benchmark: str) -> list[Label]:
    """The labels of the bundled edition; none if there is no edition."""
    return labels_in(Path(str(edition_folder(benchmark)))).read()


def is_reviewed(benchmark: str) -> bool:
    """Whether any person has reviewed the bundled edition."""
    return any(path.stat().st_size > 0 for path in reviews_in(Path(str(edition_folder(benchmark)))).paths)


def is_bundled(annotations: Path) -> bool:
    """Whether a project's annotations are the bundled ones, as in a checkout of acbench."""
    bundled = Path(str(bundled_folder("annotations")))
    return annotations.exists() and bundled.exists() and annotations.samefile(bundled)


def witness_names(benchmark: str) -> list[str]:
    """Names of the tables that other people published for a benchmark, sorted."""
    folder = edition_folder(benchmark).joinpath("witnesses")
    if not folder.is_dir():
        return []
    return sorted(entry.name.removesuffix(".csv") for entry in folder.iterdir() if entry.name.endswith(".csv"))


def witness_text(benchmark: str, name: str) -> str:
    """The CSV text of one of these tables."""
    return edition_folder(benchmark).joinpath("witnesses", f"{name}.csv").read_text(encoding="utf-8")
