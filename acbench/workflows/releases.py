"""Opens, checks and compares releases, in a folder or on the Hub."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path

from acbench._util.console import Console
from acbench.errors import AcbenchError, ReleaseError
from acbench.integrations.huggingface.croissant import Croissant
from acbench.integrations.huggingface.datasets import DatasetsFormat
from acbench.integrations.huggingface.hub import Repository, looks_like_repo
from acbench.records import Finding
from acbench.release.diff import Change, counts, diff
from acbench.release.entries import ReleaseReader, read_entries, read_manifest
from acbench.release.folder import ReleaseFolder
from acbench.release.manifest import Manifest
from acbench.release.verify.files import unexpected
from acbench.release.verify.verify import Verified, verify


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedRelease:
    """A release and what the checks found."""

    name: str
    verified: Verified


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparedRelease:
    """One of two releases that were compared."""

    name: str
    manifest: Manifest


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseDiff:
    """What changed from one release to another."""

    before: ComparedRelease
    after: ComparedRelease
    changes: list[Change]

    def to_json(self) -> dict[str, object]:
        """What `acbench diff --json` prints."""
        return {
            "before": {"release": self.before.name, "version": self.before.manifest.version},
            "after": {"release": self.after.name, "version": self.after.manifest.version},
            "counts": counts(self.changes),
            "changes": [dataclasses.asdict(change) for change in self.changes],
        }


def open_release(name: str) -> ReleaseReader:
    """Open a release to read its labels. `name`: a folder, or ORG/NAME[@REVISION]. Raises AcbenchError."""
    if Path(name).is_dir():
        return ReleaseFolder(Path(name))
    repo, revision = _repository(name, "give a release, such as my-org/mvtec-ac@v1.0.0")
    return repo.release(revision)


def check_release(name: str, revision: str | None, console: Console) -> CheckedRelease:
    """Check a release. `name`: a folder, or ORG/NAME[@REVISION], which is downloaded. Raises AcbenchError."""
    folder, unexpected = _download(name, revision)
    verified = check_folder(folder, console)
    verified = dataclasses.replace(verified, findings=[*unexpected, *verified.findings])
    return CheckedRelease(name=folder.name, verified=verified)


def check_folder(folder: ReleaseFolder, console: Console, *, scratch: Path | None = None) -> Verified:
    """Check a release in a folder. `scratch`: where `datasets` may unpack it; None for the system's temporary folder.

    Raises ReleaseError if it has no manifest.
    """
    return verify(folder, DatasetsFormat(scratch), Croissant(), console.stage)


def diff_releases(before: str, after: str) -> ReleaseDiff:
    """Compare two releases, each a folder or ORG/NAME[@REVISION]. Raises AcbenchError."""
    readers = [open_release(name) for name in (before, after)]
    manifests = [read_manifest(reader) for reader in readers]
    if len(named := sorted({manifest.benchmark for manifest in manifests})) > 1:
        raise ReleaseError(f"these are releases of two benchmarks: {' and '.join(named)}", "give two of one benchmark")
    old, new = (read_entries(reader, manifest) for reader, manifest in zip(readers, manifests, strict=True))
    first, second = (
        ComparedRelease(name=reader.name, manifest=manifest)
        for reader, manifest in zip(readers, manifests, strict=True)
    )
    return ReleaseDiff(before=first, after=second, changes=diff(old, new))


def _download(name: str, revision: str | None) -> tuple[ReleaseFolder, list[Finding]]:
    """Bring a release to this machine; also gives what the repository holds besides, which is not fetched."""
    if Path(name).is_dir():
        return ReleaseFolder(Path(name)), []
    repo, named = _repository(name, "acbench verify my-org/mvtec-ac")
    folder, commit = repo.download(revision or named)
    what = "it is no part of a release, and was not fetched"
    return folder, [unexpected(path[:200], what) for path in repo.unexpected_files(commit)]


def _repository(name: str, hint: str) -> tuple[Repository, str | None]:
    """The repository and the revision of ORG/NAME[@REVISION]. Raises AcbenchError for another name."""
    repo, _, revision = name.partition("@")
    if not looks_like_repo(repo):
        raise AcbenchError(f"{name} is neither a folder nor ORG/NAME", hint)
    return Repository(repo), revision or None
