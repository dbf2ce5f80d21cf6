"""A release folder for tests, made in this process from records and a few tiny pictures."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from acbench.cli.screen import Screen
from acbench.integrations.huggingface.croissant import Croissant
from acbench.integrations.huggingface.datasets import DatasetsFormat
from acbench.records import Finding
from acbench.release.folder import ReleaseFolder
from acbench.release.verify.verify import Verified, verify
from acbench.workflows.publish import BuiltRelease, PublishOptions
from acbench.workflows.publish import build as make
from acbench.workflows.releases import known_of
from acbench.workflows.run import Options, Run, open_run
from acbench.workflows.settings import SettingChanges


@contextmanager
def at_work(project: Path, benchmark: str, **changes: Any) -> Iterator[Run]:
    """A run without the proposer that needs a model."""
    options = Options(changes=SettingChanges(without=("neighbours",), **changes))
    with open_run(project, benchmark, console=Screen(), options=options) as run:
        yield run


def build(project: Path, benchmark: str = "visa_ac", *, images: bool | None = None, version: str | None = None,
          **changes: Any) -> BuiltRelease:  # fmt: skip
    """The release of a project's labels, with no hub in sight."""
    with at_work(project, benchmark, **changes) as run:
        return make(run, None, PublishOptions(version=version, images=images))


def rewritten(project: Path, benchmark: str = "visa_ac", **changes: Any) -> int:
    """How many files have to be written for the same release."""
    with at_work(project, benchmark, **changes) as run:
        make(run, None, PublishOptions())
        return len(run.build.written)


def check(folder: Path) -> Verified:
    """What `acbench verify` makes of it."""
    release = ReleaseFolder(folder)
    return verify(release, DatasetsFormat(), Croissant(), known_of(None, release), Screen().stage)


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
