"""Writes and reads the label schema that a release holds, so that others can score and check without the project.

The comments of its file are left out. What is read is untrusted: it is bounded, it is YAML without aliases or types,
and it counts only if its hash, its digest and its classes are those of the manifest. None of it is run, and the options
with which it reads a dataset are not used.
"""

from __future__ import annotations

import hashlib

from acbench._util.text import tidy
from acbench.errors import ReleaseError
from acbench.release.entries import ReleaseReader
from acbench.release.manifest import SCHEMA, Manifest
from acbench.release.rows import numbering_of
from acbench.schema import Schema
from acbench.schema.plain import plain_text
from acbench.schema.read import MAX_BYTES, parse, source_text

_HINT = "do not use it; whoever made it can publish it again"


def released_text(schema: Schema) -> bytes:
    """Give the content of `label_schema.yaml`. Raises ReleaseError if the schema's file is no longer what was read."""
    text = plain_text(source_text(schema.file or schema.benchmark).text, schema.benchmark)
    again, problems = parse(text)
    if again is None or problems or (again.digest, again.publisher) != (schema.digest, schema.publisher):
        raise ReleaseError(
            f"{schema.file or schema.benchmark} has changed while the release was made", "run the same command again"
        )
    return text.encode()


def released_schema(release: ReleaseReader, manifest: Manifest) -> Schema | None:
    """Read the label schema of a release; None if it holds none, as those of format 2.

    Raises ReleaseError if it is not the one that the manifest speaks of, or HubError.
    """
    facts = manifest.files.get(SCHEMA)
    if facts is None:
        return None
    data = release.read(SCHEMA, MAX_BYTES)
    if hashlib.sha256(data).hexdigest() != facts.sha256:
        raise _refused(release, "it is not the file that release.json names")
    try:
        schema, problems = parse(data.decode())
    except UnicodeDecodeError:
        raise _refused(release, "it is no text") from None
    if schema is None or problems:
        raise _refused(release, f"it is no usable schema: {problems[0] if problems else 'there is nothing in it'}")
    if (schema.benchmark, schema.digest) != (manifest.benchmark, manifest.schema_digest):
        labelled = f"{manifest.benchmark} {manifest.schema_digest}"
        raise _refused(release, f"it is {schema.benchmark} {schema.digest}, and the labels were made with {labelled}")
    numbering = numbering_of(schema)
    if (numbering.categories, numbering.classes) != (manifest.categories, manifest.classes):
        raise _refused(release, "its categories or classes are not those of release.json")
    return schema


def _refused(release: ReleaseReader, why: str) -> ReleaseError:
    return ReleaseError(f"{release.name}: {SCHEMA}: {tidy(why, 300)}", _HINT)
