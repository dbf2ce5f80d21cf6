"""What comes with acbench besides its code: the folders `label_schemas` and `annotations`.

Once installed they are packages of acbench. Python that is started in a checkout takes acbench from there instead, and
then they lie beside it.
"""

from __future__ import annotations

from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path

from acbench.records import Label
from acbench.storage import tables as store


def bundled(name: str) -> Traversable:
    """One of the folders."""
    try:
        return resources.files(f"acbench.{name}")
    except ModuleNotFoundError:
        return Path(__file__).resolve().parents[2] / name


def folder(benchmark: str) -> Traversable:
    """Where the bundled edition of a benchmark lies; it may not exist."""
    return bundled("annotations").joinpath(benchmark)


def edition_labels(benchmark: str) -> list[Label]:
    """The labels of the bundled edition; none if there is no edition."""
    return store.read(Path(str(folder(benchmark).joinpath("labels.jsonl"))), Label)


def reviewed(benchmark: str) -> bool:
    """Whether any person has reviewed the bundled edition."""
    reviews = Path(str(folder(benchmark).joinpath("reviews.jsonl")))
    return reviews.is_file() and reviews.stat().st_size > 0


def is_own(annotations: Path) -> bool:
    """Whether a project's annotations *are* the bundled ones, as in a checkout of acbench."""
    ours = Path(str(bundled("annotations")))
    return annotations.exists() and ours.exists() and annotations.samefile(ours)


def witnesses(benchmark: str) -> list[str]:
    """Names of other people's tables for a benchmark."""
    place = folder(benchmark).joinpath("witnesses")
    if not place.is_dir():
        return []
    return sorted(entry.name.removesuffix(".csv") for entry in place.iterdir() if entry.name.endswith(".csv"))


def witness_text(benchmark: str, name: str) -> str:
    """The CSV text of one of them."""
    return folder(benchmark).joinpath("witnesses", f"{name}.csv").read_text(encoding="utf-8")
