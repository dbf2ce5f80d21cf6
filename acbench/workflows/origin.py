"""Says whose a dataset is: what its source knows, and for a dataset of one's own what its label schema says."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from acbench import licences
from acbench.data.ingest import Naming
from acbench.data.sources import Source
from acbench.errors import SchemaError
from acbench.schema import Schema
from acbench.storage.project import BenchmarkFiles
from acbench.storage.tables import MAX_LINE
from acbench.storage.typed_json import any_json

NOT_STATED = "not stated"
"""Where the images are to be had, if the schema does not say it."""


def is_own(source: Source) -> bool:
    """Whether a source reads datasets of one's own: then it knows no licence, and the schema says whose they are."""
    return source.licence == licences.UNKNOWN


def origin(source: Source, schema: Schema) -> Source:
    """The source with title, licence, attribution and home of the dataset that it reads.

    Raises SchemaError where the schema speaks of images whose source knows better.
    """
    said = schema.publisher
    if is_own(source):
        return dataclasses.replace(
            source,
            title=schema.title,
            licence=said.image_licence or source.licence,
            attribution=_sentence(schema.attribution) or source.attribution,
            home=said.home or NOT_STATED,
        )
    if said.about_images:
        raise SchemaError(
            f"the schema {schema.benchmark} says {', '.join(said.about_images)}, which {source.title} says itself",
            "leave it out, or read the images with a source for your own: source: folders",
        )
    return source


def _sentence(text: str) -> str:
    """A text with an end, since cards go on behind it; empty without a text."""
    return text if not text or text.endswith((".", "!", "?")) else f"{text}."


def in_sentences(known: Source, schema: Schema) -> list[str]:
    """Whose the images are, and under which licences images and labels stand. `known`: the source from `origin`."""
    home = f"To be had: {known.home}." if known.home not in ("", NOT_STATED) else ""
    cite = " ".join(schema.publisher.citation.split())
    sentences = [
        f"Images: {known.attribution}",
        f"Licence of the images: {known.licence}; of the labels: {schema.licence}.",
        home,
        f"Cite: {cite}" if cite else "",
    ]
    return [sentence for sentence in sentences if sentence]


def naming(source: Source, schema: Schema, files: BenchmarkFiles) -> Naming:
    """What the items of a dataset are called.

    Ids of one's own images begin with the benchmark, so that two datasets never share one. A benchmark that was begun
    when they began with the source keeps its ids, since labels and decisions are about them.
    """
    licence = origin(source, schema).licence
    if not is_own(source) or any(
        _ids_begin(path, f"{source.name}-") for path in (*files.labels.paths, *files.reviews.paths)
    ):
        return Naming(prefix=source.name, licence=licence, key_of=schema.key_of, by_folder=True)
    return Naming(prefix=schema.benchmark, licence=licence, key_of=schema.key_of)


def _ids_begin(path: Path, prefix: str) -> bool:
    """Whether the ids in a table of labels or reviews begin so; they all do or none does."""
    try:
        with path.open("rb") as file:
            first = any_json(file.readline(MAX_LINE))
    except OSError:
        return False  # whoever reads the table says what is wrong with it
    return isinstance(first, dict) and str(first.get("item_id", "")).startswith(prefix)
