"""A release folder for tests, made in this process from records and a few tiny pictures."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from acbench.adapters.croissant import Croissant
from acbench.adapters.hf_datasets import Tables
from acbench.cli.screen import Screen
from acbench.cli.wire import pipeline
from acbench.publisher import Built, Publisher
from acbench.records import Finding
from acbench.release.folder import Folder
from acbench.stages.verify.verify import Verified, verify


def build(project: Path, benchmark: str = "visa_ac", *, images: bool | None = None, version: str | None = None,
          **settings: Any) -> Built:  # fmt: skip
    """The release of a project's labels, with no hub in sight."""
    with pipeline(project, benchmark, without=("neighbours",), **settings) as line:
        return Publisher(line=line, tables=Tables(), describer=Croissant(), images=images, version=version).build()


def check(folder: Path) -> Verified:
    """What `acbench verify` makes of it."""
    return verify(Folder(folder), Tables(), Croissant(), Screen().stage)


def wrong(verified: Verified) -> set[str]:
    """Kinds of findings that are errors."""
    return {each.kind for each in verified.findings if each.failed}


def told(verified: Verified, kind: str) -> list[Finding]:
    """Findings of a kind."""
    return [each for each in verified.findings if each.kind == kind]


def rehash(folder: Path, *paths: str) -> None:
    """Bring the manifest up to date with files that a stranger changed, as a stranger would."""
    import hashlib

    manifest = json.loads((folder / "release.json").read_text())
    for path in paths:
        data = (folder / path).read_bytes()
        facts = manifest["files"].setdefault(path, {"rows": 0, "uncompressed": 0})
        facts |= {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data)}
    (folder / "release.json").write_text(json.dumps(manifest))
