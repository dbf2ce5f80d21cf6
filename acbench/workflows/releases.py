"""Opens, checks and compares releases, in a folder or on the Hub."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from acbench import __version__
from acbench import schema as schemas
from acbench._util.console import Console
from acbench.data import sources
from acbench.data.sources import Source
from acbench.errors import AcbenchError, ReleaseError
from acbench.integrations.huggingface.croissant import Croissant
from acbench.integrations.huggingface.datasets import DatasetsFormat
from acbench.integrations.huggingface.hub import Repository, looks_like_repo
from acbench.integrations.huggingface.remote import deprecation
from acbench.records import Finding
from acbench.release.diff import Change, counts, diff
from acbench.release.entries import ReleaseReader, read_entries, read_manifest
from acbench.release.folder import ReleaseFolder
from acbench.release.manifest import NAME, Manifest
from acbench.release.schema_file import released_schema
from acbench.release.verify.files import unexpected
from acbench.release.verify.findings import fault, unchecked
from acbench.release.verify.statements import Known
from acbench.release.verify.verify import Verified, verify
from acbench.release.version_list import advice
from acbench.schema import Schema
from acbench.workflows.origin import is_own, origin

_TAG = re.compile(r"v\d+\.\d+\.\d+")


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


def check_release(name: str, revision: str | None, schema: Schema | None, console: Console) -> CheckedRelease:
    """Check a release. `name`: a folder, or ORG/NAME[@REVISION], which is downloaded. Raises AcbenchError.

    `schema`: the label schema of the benchmark; None for the bundled one, if there is one.
    """
    folder, found = _download(name, revision)
    verified = check_folder(folder, known_of(schema, folder), console)
    tag = revision or (None if Path(name).is_dir() else name.partition("@")[2])
    if tag and _TAG.fullmatch(tag) and tag != verified.manifest.tag:
        what = f"it says that it is version {verified.manifest.version}, and it was asked for as {tag}"
        found.append(fault(NAME, "version", what, "do not use it; whoever made it can publish it again"))
    found += _check_leaderboard(name, folder, verified, schema)
    verified = dataclasses.replace(verified, findings=[*found, *verified.findings])
    return CheckedRelease(name=folder.name, verified=verified)


def _check_leaderboard(name: str, folder: ReleaseFolder, verified: Verified, schema: Schema | None) -> list[Finding]:
    """Compute the entries of the leaderboard anew, if the release that they were scored by is sound."""
    from acbench.workflows.leaderboard import Leaderboard, check  # it reads releases, too

    if verified.failed:
        return []

    def open_version(version: str) -> ReleaseReader:
        if version == verified.manifest.version:
            return folder
        if Path(name).is_dir():
            raise ReleaseError("only one version lies in this folder", "verify the repository")
        return open_release(f"{name.partition('@')[0]}@v{version}")

    return list(check(Leaderboard(folder, folder.files(), open_version, schema), verified.manifest))


def check_folder(
    folder: ReleaseFolder, known: Callable[[Manifest], Known], console: Console, *, scratch: Path | None = None
) -> Verified:
    """Check a release in a folder. `scratch`: where `datasets` may unpack it; None for the system's temporary folder.

    Raises ReleaseError if it has no manifest.
    """
    return verify(folder, DatasetsFormat(scratch), Croissant(), known, console.stage)


def known_of(schema: Schema | None, release: ReleaseReader | None = None) -> Callable[[Manifest], Known]:
    """Give a function that finds what is known of a release.

    By this schema; else by the bundled one of its name, if the labels were made with that; else by the schema that the
    `release` holds.
    """

    from acbench.workflows.card_scores import card_scores  # it reads releases, too

    def known(manifest: Manifest) -> Known:
        mine, held = schema, False
        if mine is None and manifest.benchmark in schemas.names():
            mine = schemas.load(manifest.benchmark)
        if schema is None and release is not None and (mine is None or mine.digest != manifest.schema_digest):
            try:
                found = released_schema(release, manifest)
            except AcbenchError:
                found = None  # the check of the schema says what is wrong with it
            mine, held = found or mine, found is not None
        if mine is None:
            return Known(
                source=_source(manifest.source, None), why_not=f"the schema of {manifest.benchmark} is unknown"
            )
        if (mine.benchmark, mine.digest) != (manifest.benchmark, manifest.schema_digest):
            why = f"it was made with another schema ({manifest.schema_digest}) than {mine.benchmark} {mine.digest}"
            return Known(source=_source(manifest.source, None), why_not=why)
        source = _source(mine.source, mine, trusted=not held)
        own = source is not None and is_own(sources.get(mine.source))
        return Known(schema=mine, source=source, own=own, held=held, acbench=__version__, scores=card_scores)

    return known


def _source(name: str, schema: Schema | None, *, trusted: bool = True) -> Source | None:
    """A source by its name, with what its schema says; None for one that is not known here.

    `trusted`: False for a schema of a stranger: then its options for reading are not looked at.
    """
    try:
        source = sources.get(name, schema.reading if schema and trusted else None)
        return origin(source, schema) if schema else source
    except AcbenchError:
        return None


def load_schema(name: str, project: Path | None = None) -> Schema:
    """Load a label schema: by the name of a benchmark, by the path of its file, or from a release.

    `name`: also the folder of a release, or ORG/NAME[@REVISION] of a repository; its schema counts only if it is the
    one that the labels were made with. `project`: a folder whose benchmarks have names, too. Raises AcbenchError.
    """
    is_release = Path(name).is_dir() or looks_like_repo(name.partition("@")[0])
    if not is_release or Path(name).suffix in {".yaml", ".yml"}:
        return schemas.load(name, project)
    release = open_release(name)
    manifest = read_manifest(release)
    if (schema := released_schema(release, manifest)) is not None:
        return schema
    bundled = schemas.load(manifest.benchmark) if manifest.benchmark in schemas.names() else None
    if bundled is None or bundled.digest != manifest.schema_digest:
        raise ReleaseError(f"{release.name} was made before releases held their schema", "give the path of its file")
    return bundled


def diff_releases(before: str, after: str, note: Callable[[str], None]) -> ReleaseDiff:
    """Compare two releases, each a folder or ORG/NAME[@REVISION]. `note` tells of deprecated ones.

    Raises AcbenchError.
    """
    readers = [open_release(name) for name in (before, after)]
    manifests = [read_manifest(reader) for reader in readers]
    for told in dict.fromkeys(filter(None, map(deprecation, readers, manifests))):
        note(told)
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
    got = repo.download(revision or named)
    what = "it is no part of a release, and was not fetched"
    findings = [unexpected(path[:200], what) for path in got.besides or ()]
    if got.besides is None:
        missing = f"what else the repository holds, and whether the version is deprecated: {got.remote.offline}"
        findings.append(unchecked(NAME, missing, "verify again where the hub is in reach"))
    else:
        manifest = read_manifest(got.folder)
        told = deprecation(got.remote, manifest)
        if told and told != advice(manifest.version, manifest):  # what it says itself, the checks report
            findings.append(Finding(path=NAME, kind="deprecated", detail=told))
    return got.folder, findings


def _repository(name: str, hint: str) -> tuple[Repository, str | None]:
    """The repository and the revision of ORG/NAME[@REVISION]. Raises AcbenchError for another name."""
    repo, _, revision = name.partition("@")
    if not looks_like_repo(repo):
        raise AcbenchError(f"{name} is neither a folder nor ORG/NAME", hint)
    return Repository(repo), revision or None
