"""Writes and checks Croissant metadata of a release with mlcroissant.

https://docs.mlcommons.org/croissant/docs/croissant-spec.html

One record set, `images`, has every row. mlcroissant reads several files as one table only from a folder or a clone, so
each file has a record set of its own besides, which it reads by HTTPS and compares with the file's hash.
"""

from __future__ import annotations

import json
import logging
import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from acbench import licences
from acbench.release.columns import HISTORY, VOTE, Column, columns
from acbench.release.manifest import CROISSANT, Manifest

if TYPE_CHECKING:
    import mlcroissant as mlc

PARQUET = "application/x-parquet"
IMAGES = "images"
"""The record set of all rows."""
REPOSITORY = "repository"
"""Stands for the clone of a repository. Who has one already names it: `Dataset(…, mapping={"repository": FOLDER})`."""
TABLES = "tables"
HUB = "https://huggingface.co"
_NO_HASH = "https://github.com/mlcommons/croissant/issues/80"
"""Where others, too, have no hash to state: that of a clone is none."""
_PAGE = re.compile(r"(https?://[^/\s?#]+)/datasets/([A-Za-z0-9._-]+/[A-Za-z0-9._-]+)")
_UNSAFE = {ord(mark): f"\\u{ord(mark):04x}" for mark in "<>&\u2028\u2029"}
"""Ends no script in which a page may hold the metadata."""


def page_of(repo: str) -> str:
    """The address of the page of ORG/NAME, on the hub in use."""
    from huggingface_hub import constants

    return f"{constants.ENDPOINT}/datasets/{repo}"


class Croissant:
    """The Croissant metadata of a release."""

    def describe(
        self, manifest: Manifest, *, page: str, about: str, attribution: str, citation: str = "", home: str = "",
        licence_link: str = "",
    ) -> bytes:  # fmt: skip
        """`croissant.json`: every table with its sha256, all columns, and what numbers of classes mean.

        `page`: the address of the dataset's page; empty without one: then addresses are relative to the file.

        Without a citation, the attribution stands in its place; with one, it ends the description. `home`: the address
        of the images, if they have one. `licence_link`: where a licence can be read that nobody lists.
        Raises ValueError for a date of publication that no calendar has.
        """
        import mlcroissant as mlc

        shards = sorted(manifest.shards().items())
        files: list[mlc.FileObject | mlc.FileSet] = []
        if page:
            files.append(
                mlc.FileObject(
                    id=REPOSITORY, name=REPOSITORY, description="The repository, to be cloned with git and git-lfs.",
                    content_url=_clone(page, manifest), encoding_formats=["git+https"],
                    sha256=_NO_HASH,
                )
            )  # fmt: skip
        files += [
            mlc.FileObject(
                id=_file(path), name=_name(path), content_url=_address(page, manifest, path),
                encoding_formats=[PARQUET], sha256=facts.sha256, content_size=f"{facts.size} B",
            )
            for path, facts in shards
        ]  # fmt: skip
        contained = {"contained_in": [REPOSITORY]} if page else {}
        files.append(
            mlc.FileSet(id=TABLES, name=TABLES, encoding_formats=[PARQUET], includes=["data/*/*.parquet"], **contained)
        )
        records = [_record_set(IMAGES, {"file_set": TABLES}, manifest)]
        records += [_enumeration("categories", manifest.categories), _enumeration("classes", manifest.classes)]
        if page:
            records += [_record_set(_name(path), {"file_object": _file(path)}, manifest) for path, _ in shards]
        with _quiet():
            metadata = mlc.Metadata(
                name=manifest.benchmark,
                description=f"{about} {attribution}" if citation else about,
                license=[licences.url(manifest.licence) or licence_link or manifest.licence],
                url=page or None,
                version=manifest.version,
                date_published=datetime.fromisoformat(manifest.date) if manifest.date else None,
                cite_as=citation or attribution,
                same_as=[home] if home else None,
                distribution=files,
                record_sets=records,
            )
            content = metadata.to_json()
        return _written(content)

    def page(self, said: Mapping[str, Any]) -> tuple[str, str]:
        """The page that untrusted metadata name, and its ORG/NAME; both empty if they name none."""
        found = _PAGE.fullmatch(str(said.get("url")))
        return (found[0], found[2]) if found else ("", "")

    def problems(self, folder: Path, manifest: Manifest) -> list[str]:
        """What is wrong with an untrusted `croissant.json` beside a manifest. No file that it names is opened."""
        import mlcroissant as mlc

        try:
            content = json.loads((folder / CROISSANT).read_bytes())
            page, repo = self.page(content)
            files = {file["@id"]: file for file in content["distribution"]}
            files.pop(TABLES, None)
            clone = files.pop(REPOSITORY, {"contentUrl": None})["contentUrl"]
            hashes = {file["contentUrl"]: file["sha256"] for file in files.values()}
            context = content["@context"]
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            return [f"it cannot be read: {type(error).__name__}: {error}"]
        problems = []
        if repo and page not in (page_of(repo), f"{HUB}/datasets/{repo}"):
            problems.append(f"its addresses are on {page[:80]!a}; if that is a hub of your own, set HF_ENDPOINT to it")
        at = page if manifest.format > 2 else ""
        if hashes != {_address(at, manifest, path): facts.sha256 for path, facts in manifest.shards().items()}:
            problems.append("its tables or their sha256 are not those of release.json")
        if clone not in (None, _clone(page, manifest)):
            problems.append(f"it has {str(clone)[:80]!a} cloned, which is not the repository of its page")
        with _quiet():
            if context != mlc.Metadata(name="x", description="x", url="https://x.org").to_json()["@context"]:
                return [*problems, "its @context is not that of Croissant 1.0"]
            try:
                mlc.Dataset(jsonld=str(folder / CROISSANT))
            except Exception as error:  # mlcroissant raises many kinds
                problems.append(f"mlcroissant refuses it: {' '.join(str(error).split())[:300]}")
        return problems


def _name(path: str) -> str:
    """What a table is called: `bottle/test`, or `bottle/test-00001-of-00003` if there are several."""
    return path.removeprefix("data/").removesuffix(".parquet").removesuffix("-00000-of-00001")


def _file(path: str) -> str:
    """The id of a table's file."""
    return f"{_name(path)}.parquet"


def _address(page: str, manifest: Manifest, path: str) -> str:
    return f"{page}/resolve/{manifest.tag}/{path}" if page else path


def _clone(page: str, manifest: Manifest) -> str:
    """The tag in the repository, as mlcroissant tells git."""
    return f"{page}/tree/refs%2Ftags%2F{manifest.tag}"


def _enumeration(name: str, values: Sequence[str]) -> mlc.RecordSet:
    """What numbers mean."""
    import mlcroissant as mlc

    types = (("number", mlc.DataType.INTEGER, "As in the tables."), ("name", mlc.DataType.TEXT, "What it stands for."))
    fields = [
        mlc.Field(id=f"{name}/{part}", name=part, description=about, data_types=[kind]) for part, kind, about in types
    ]
    rows = [{f"{name}/number": number, f"{name}/name": value} for number, value in enumerate(values)]
    return mlc.RecordSet(
        id=name,
        name=name,
        data_types=["https://schema.org/Enumeration"],
        key=[f"{name}/number"],
        fields=fields,
        data=rows,
    )


def _record_set(name: str, source: Mapping[str, str], manifest: Manifest) -> mlc.RecordSet:
    """The rows of all files, or of one. Fields of `images` say what they are; those of a single file are the same."""
    import mlcroissant as mlc

    told = name == IMAGES
    return mlc.RecordSet(
        id=name,
        name=name,
        description="Every image. The record sets of single files are named after them." if told else None,
        key=[f"{name}/item_id"],
        fields=list(_fields(name, source, manifest, told=told)),
    )


def _fields(record_set: str, source: Mapping[str, str], manifest: Manifest, *, told: bool) -> Iterator[mlc.Field]:
    import mlcroissant as mlc

    for column in columns(images=manifest.images, boxes=manifest.boxes, format=manifest.format):
        field = f"{record_set}/{column.name}"
        of = {"id": field, **_told(column, told=told)}
        parts = {"votes": VOTE, "history": HISTORY}.get(column.kind)
        if parts is not None:
            inner = [
                mlc.Field(
                    id=f"{field}/{part.name}", **_told(part, told=told),
                    data_types=[_type(part)], repeated=_is_list(part), source=_source(source, column.name, part.name),
                )
                for part in parts
            ]  # fmt: skip
            yield mlc.Field(**of, repeated=True, sub_fields=inner)
            continue
        numbered = {"category": "categories/number", "class": "classes/number"}.get(column.kind) if told else None
        yield mlc.Field(
            **of,
            data_types=[_type(column)],
            repeated=_is_list(column),
            source=_source(source, column.name, "bytes" if column.kind == "image" else ""),
            references=mlc.Source(field=numbered) if numbered else mlc.Source(),
        )


def _told(column: Column, *, told: bool) -> dict[str, str]:
    """What a field says of itself: nothing where another one does, since every version is sent with all of it."""
    return {"name": column.name, "description": column.about} if told else {}


def _source(source: Mapping[str, str], column: str, part: str) -> mlc.Source:
    import mlcroissant as mlc

    transforms = [mlc.Transform(json_path=part)] if part else []
    return mlc.Source(**source, extract=mlc.Extract(column=column), transforms=transforms)


def _is_list(column: Column) -> bool | None:
    return True if column.kind in ("texts", "classes", "boxes") else None


def _type(column: Column) -> Any:
    import mlcroissant as mlc

    kinds = {
        "flag": mlc.DataType.BOOL,
        "number": mlc.DataType.FLOAT,
        "image": mlc.DataType.IMAGE_OBJECT,
        **dict.fromkeys(("integer", "size", "category", "class", "classes", "boxes"), mlc.DataType.INTEGER),
    }
    return kinds.get(column.kind, mlc.DataType.TEXT)


def _written(content: Mapping[str, Any]) -> bytes:
    """JSON with one line for each file and each field: small, and what changed can be seen."""

    def lines(value: Any, depth: int) -> str:
        pad, end = "\n" + " " * (depth + 1), "\n" + " " * depth
        if depth < 4 and isinstance(value, list) and value and all(isinstance(each, dict) for each in value):
            return f"[{','.join(pad + lines(each, depth + 1) for each in value)}{end}]"
        if depth < 4 and isinstance(value, dict) and {"distribution", "recordSet", "field"} & value.keys():
            parts = (f"{pad}{json.dumps(key)}: {lines(each, depth + 1)}" for key, each in value.items())
            return f"{{{','.join(parts)}{end}}}"
        return json.dumps(value, ensure_ascii=False, default=str)

    return (lines(content, 0).translate(_UNSAFE) + "\n").encode()


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
