"""The files of a release: all there, none besides, each with the bytes that were published."""

from __future__ import annotations

import hashlib
import shlex
from collections.abc import Iterator

from acbench import licences
from acbench.errors import ReleaseError
from acbench.records import Finding
from acbench.release import manifest as manifests
from acbench.release.folder import ReleaseFolder
from acbench.release.manifest import Manifest, configurations

KNOWN = frozenset({".gitattributes"})
"""Files that a hub adds."""
CARD_BYTES = 4 << 20


def files(folder: ReleaseFolder, manifest: Manifest) -> Iterator[Finding]:
    """Every file that is missing, different or not ours."""
    there = folder.files()
    for path, why in sorted(there.items()):
        if path.startswith((".cache/", ".git/")):
            continue  # what a client or git keeps for itself
        if why:
            yield _wrong(path, "unusable_file", why)
        elif path not in manifest.files and path not in KNOWN and path != manifests.NAME:
            hint = "remove it: a release holds data only"
            yield Finding(
                path=path, kind="unexpected_file", detail="it is no part of the release", hint=hint, failed=True
            )
    for path, facts in sorted(manifest.files.items()):
        if path not in there:
            yield _wrong(path, "missing_file", "the release names it, but it is not there")
            continue
        try:
            with folder.open(path) as file:
                size = file.seek(0, 2)
                file.seek(0)
                sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        except (OSError, ReleaseError) as error:
            yield _wrong(path, "unreadable_file", str(error))
            continue
        if (size, sha256) != (facts.size, facts.sha256):
            what = f"{size:,} bytes, sha256 {sha256[:12]}…; published were {facts.size:,} bytes, {facts.sha256[:12]}…"
            again = f"rm {shlex.quote(file.name)}   and fetch it again; if it stays so, do not use it"
            yield _wrong(path, "other_bytes", f"it is not the file that was published: {what}", again)


def licence(manifest: Manifest) -> Iterator[Finding]:
    """A licence that is laxer than that of the images."""
    source = manifest.source_licence
    if not source.startswith("LicenseRef-") and licences.is_laxer(manifest.licence, source):
        what = f"the release is under {manifest.licence}, its images under {source}, which is stricter"
        yield _wrong(manifests.NAME, "licence", what, f"publish it under {source}")


def card(folder: ReleaseFolder, manifest: Manifest) -> Iterator[Finding]:
    """What the card's YAML says against the manifest and the tables: licence, configurations, class names."""
    try:
        front = front_matter(folder.read(manifests.CARD, CARD_BYTES))
    except ReleaseError as error:
        yield _wrong(manifests.CARD, "card", error.message, error.hint)
        return
    known = licences.get(manifest.licence)
    expected = known.hub if known else "other"
    if front.get("license") != expected:
        yield _wrong(manifests.CARD, "licence", f"the card says {front.get('license')!r}, the release {expected!r}")
    wanted = {
        config: [
            {"split": split, "path": f"data/{'*' if config == manifests.ALL else config}/{split}-*.parquet"}
            for split in splits
        ]
        for config, splits in configurations(manifest).items()
    }
    configs = front.get("configs")
    listed = [each for each in configs if isinstance(each, dict)] if isinstance(configs, list) else []
    if {str(each.get("config_name")): each.get("data_files") for each in listed} != wanted:
        yield _wrong(manifests.CARD, "configs", "its configurations are not those of the tables")
    infos = front.get("dataset_info")
    for info in infos if isinstance(infos, list) else [infos]:
        if isinstance(info, dict) and "features" in info:
            yield from _features(info, manifest)


def front_matter(data: bytes) -> dict[str, object]:
    """The YAML of a card. Raises ReleaseError."""
    import yaml

    text = data.decode("utf-8", "replace")
    head, mark, rest = text.partition("---\n")
    block, end, _ = rest.partition("\n---\n")
    if head or not mark or not end:
        raise ReleaseError("the card has no YAML between two lines of ---", "publish it again")
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        if any(isinstance(token, yaml.AliasToken) for token in yaml.scan(block, Loader=loader)):
            raise ReleaseError(
                "the card's YAML has aliases, which let a small text grow without bound", "publish it again"
            )
        found = yaml.load(block, Loader=loader)  # noqa: S506  (safe)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise ReleaseError(
            f"the card's YAML is damaged: {' '.join(str(error).split())[:200]}", "publish it again"
        ) from None
    if not isinstance(found, dict):
        raise ReleaseError("the card's YAML is not a table", "publish it again")
    return found


def _features(info: dict[str, object], manifest: Manifest) -> Iterator[Finding]:
    """Names that the card gives to class numbers. They win over those of the tables, and relabel without a word."""
    config, columns = info.get("config_name"), info.get("features")
    wanted = {"category": manifest.categories, "label": manifest.classes, "labels": manifest.classes}
    for column in columns if isinstance(columns, list) else []:
        if not isinstance(column, dict) or column.get("name") not in wanted:
            continue
        kind = column.get("dtype", column.get("list"))
        names = kind.get("class_label", {}).get("names") if isinstance(kind, dict) else None
        if names != {str(number): name for number, name in enumerate(wanted[str(column["name"])])}:
            what = f"configuration {config}: the class names of `{column['name']}` are not those of the tables"
            yield _wrong(manifests.CARD, "class_names", what, "whoever loads it gets wrong labels; publish it again")


def _wrong(
    path: str, kind: str, detail: str, hint: str = "download it again; if it stays so, do not use it"
) -> Finding:
    return Finding(path=path, kind=kind, detail=detail, hint=hint, failed=True)
