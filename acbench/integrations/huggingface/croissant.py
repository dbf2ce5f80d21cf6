"""Writes and checks Croissant metadata of a release with mlcroissant.

https://docs.mlcommons.org/croissant/docs/croissant-spec.html
"""

from __future__ import annotations

import json
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from acbench import licences
from acbench.release.columns import columns
from acbench.release.manifest import CROISSANT, Manifest

if TYPE_CHECKING:
    import mlcroissant as mlc

PARQUET = "application/x-parquet"


class Croissant:
    """The Croissant metadata of a release."""

    def describe(
        self, manifest: Manifest, *, repo: str, about: str, attribution: str, citation: str = "", home: str = ""
    ) -> bytes:
        """`croissant.json`: every table with its sha256, and a record set for each.

        Without a citation, the attribution stands in its place; with one, it ends the description. `home`: the address
        of the images, if they have one.
        """
        import mlcroissant as mlc

        licence = licences.get(manifest.licence)
        files, records = [], []
        for path, facts in sorted(manifest.shards().items()):
            name = path.removeprefix("data/").removesuffix(".parquet")
            files.append(
                mlc.FileObject(
                    id=path, name=path, content_url=path, encoding_formats=[PARQUET], sha256=facts.sha256,
                    content_size=f"{facts.size} B",
                )
            )  # fmt: skip
            records.append(mlc.RecordSet(id=name, name=name, fields=list(_fields(name, path, images=manifest.images))))
        with _quiet():
            metadata = mlc.Metadata(
                name=manifest.benchmark,
                description=f"{about} {attribution}" if citation else about,
                license=[licence.url if licence else licences.url(manifest.licence) or manifest.licence],
                url=f"https://huggingface.co/datasets/{repo}",
                version=manifest.version,
                cite_as=citation or attribution,
                same_as=[home] if home else None,
                distribution=files,
                record_sets=records,
            )
            content = metadata.to_json()
        return (json.dumps(content, indent=1, ensure_ascii=False, default=str) + "\n").encode()

    def problems(self, folder: Path, manifest: Manifest) -> list[str]:
        """What is wrong with an untrusted `croissant.json` beside a manifest. No file that it names is opened."""
        import mlcroissant as mlc

        try:
            content = json.loads((folder / CROISSANT).read_bytes())
            distribution = content["distribution"]
            hashes = {file["contentUrl"]: file["sha256"] for file in distribution}
            context = content["@context"]
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            return [f"it cannot be read: {type(error).__name__}: {error}"]
        problems = []
        if hashes != {path: facts.sha256 for path, facts in manifest.shards().items()}:
            problems.append("its tables or their sha256 are not those of release.json")
        with _quiet():
            if context != mlc.Metadata(name="x", description="x", url="https://x.org").to_json()["@context"]:
                return [*problems, "its @context is not that of Croissant 1.0"]
            try:
                mlc.Dataset(jsonld=str(folder / CROISSANT))
            except Exception as error:  # mlcroissant raises many kinds
                problems.append(f"mlcroissant refuses it: {' '.join(str(error).split())[:300]}")
        return problems


def _fields(name: str, path: str, *, images: bool) -> Iterator[mlc.Field]:
    """The fields of one table; lists are left out, since Croissant 1.0 has scalars only."""
    import mlcroissant as mlc

    kinds = {
        "flag": mlc.DataType.BOOL,
        "integer": mlc.DataType.INTEGER,
        "number": mlc.DataType.FLOAT,
        "category": mlc.DataType.INTEGER,
        "class": mlc.DataType.INTEGER,
        "image": mlc.DataType.IMAGE_OBJECT,
    }
    for column in columns(images=images):
        if column.kind in ("votes", "classes", "texts", "boxes"):
            continue
        transforms = [mlc.Transform(json_path="bytes")] if column.kind == "image" else []
        yield mlc.Field(
            id=f"{name}/{column.name}",
            name=column.name,
            description=column.about,
            data_types=[kinds.get(column.kind, mlc.DataType.TEXT)],
            source=mlc.Source(file_object=path, extract=mlc.Extract(column=column.name), transforms=transforms),
        )


@contextmanager
def _quiet() -> Iterator[None]:
    """Without mlcroissant's log of what is merely recommended, and without the warnings of its libraries."""
    log = logging.getLogger("absl")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        log.setLevel(level)
