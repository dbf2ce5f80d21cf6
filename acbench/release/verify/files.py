"""Checks the files, the licence and the card of a release against its manifest."""

from __future__ import annotations

import hashlib
import shlex
from collections.abc import Iterator

from acbench import licences
from acbench.errors import ReleaseError
from acbench.records import Finding
from acbench.release import leaderboard
from acbench.release import manifest as manifests
from acbench.release.beside import is_harmless, is_of_release
from acbench.release.folder import ReleaseFolder
from acbench.release.hub import FILES_OF_HUB
from acbench.release.manifest import Manifest, configurations
from acbench.release.verify.findings import fault

CARD_BYTES = 4 << 20
"""Size of the largest card that is read."""


def check_files(folder: ReleaseFolder, manifest: Manifest) -> Iterator[Finding]:
    """Report every file that is missing, different or no part of the release."""
    present = folder.files()
    for path, why in sorted(present.items()):
        if path.startswith((".cache/", ".git/")):
            continue  # what a download client or git keeps for itself
        if why:
            yield fault(path, "unusable_file", why)
        elif path not in (*manifest.files, *FILES_OF_HUB, manifests.NAME) and not leaderboard.is_entry(path):
            yield unexpected(path, "it is no part of the release")
    for path, file in sorted(manifest.files.items()):
        if path not in present:
            yield fault(path, "missing_file", "the release names it, but it is not there")
            continue
        try:
            with folder.open(path) as opened:
                size = opened.seek(0, 2)
                opened.seek(0)
                sha256 = hashlib.file_digest(opened, "sha256").hexdigest()
        except (OSError, ReleaseError) as error:
            yield fault(path, "unreadable_file", str(error))
            continue
        if (size, sha256) != (file.size, file.sha256):
            what = f"{size:,} bytes, sha256 {sha256[:12]}…; published were {file.size:,} bytes, {file.sha256[:12]}…"
            hint = f"rm {shlex.quote(opened.name)}   and fetch it again; if it stays so, do not use it"
            yield fault(path, "other_bytes", f"it is not the file that was published: {what}", hint)


def unexpected(path: str, what: str) -> Finding:
    """Report a file that is no part of a release: a fault, unless it is a text or a picture laid beside it."""
    if is_harmless(path) and not is_of_release(path):
        return Finding(path=path, kind="beside", detail="it lies beside the release, which does not vouch for it")
    return fault(path, "unexpected_file", what, "remove it: a release holds data only")


def check_licence(manifest: Manifest) -> Iterator[Finding]:
    """Report a licence that is laxer than that of the images."""
    source = manifest.source_licence
    if not source.startswith("LicenseRef-") and licences.is_laxer(manifest.licence, source):
        what = f"the release is under {manifest.licence}, its images under {source}, which is stricter"
        yield fault(manifests.NAME, "licence", what, f"publish it under {source}")


def check_card(folder: ReleaseFolder, manifest: Manifest) -> Iterator[Finding]:
    """Report where the card's YAML differs from the manifest and the tables: licence, configurations, class names."""
    try:
        front = front_matter(folder.read(manifests.CARD, CARD_BYTES))
    except ReleaseError as error:
        yield fault(manifests.CARD, "card", error.message, error.hint)
        return
    expected = licences.hub_name(manifest.licence)
    if front.get("license") != expected:
        yield fault(manifests.CARD, "licence", f"the card says {front.get('license')!r}, the release {expected!r}")
    if _data_files(front) != _expected_data_files(manifest):
        yield fault(manifests.CARD, "configs", "its configurations are not those of the tables")
    infos = front.get("dataset_info")
    for info in infos if isinstance(infos, list) else [infos]:
        if isinstance(info, dict) and "features" in info:
            yield from _check_class_names(info, manifest)


def front_matter(data: bytes) -> dict[str, object]:
    """Read the YAML of an untrusted card. Raises ReleaseError."""
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
        content = yaml.load(block, Loader=loader)  # noqa: S506  (safe)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise ReleaseError(
            f"the card's YAML is damaged: {' '.join(str(error).split())[:200]}", "publish it again"
        ) from None
    if not isinstance(content, dict):
        raise ReleaseError("the card's YAML is not a table", "publish it again")
    return content


def _data_files(front: dict[str, object]) -> dict[str, object]:
    """Configuration → its files, as the card says."""
    configs = front.get("configs")
    tables = [config for config in configs if isinstance(config, dict)] if isinstance(configs, list) else []
    return {str(config.get("config_name")): config.get("data_files") for config in tables}


def _expected_data_files(manifest: Manifest) -> dict[str, object]:
    return {
        config: [
            {"split": split, "path": f"data/{'*' if config == manifests.ALL else config}/{split}-*.parquet"}
            for split in splits
        ]
        for config, splits in configurations(manifest).items()
    }


def _check_class_names(info: dict[str, object], manifest: Manifest) -> Iterator[Finding]:
    """Compare the names that the card gives to class numbers with those of the tables.

    `datasets` takes the card's, so a changed card would change labels silently.
    """
    columns = info.get("features")
    expected = {"category": manifest.categories, "label": manifest.classes, "labels": manifest.classes}
    for column in columns if isinstance(columns, list) else []:
        name = column.get("name") if isinstance(column, dict) else None
        if not isinstance(name, str) or name not in expected:
            continue
        kind = column.get("dtype", column.get("list"))
        class_label = kind.get("class_label") if isinstance(kind, dict) else None
        names = class_label.get("names") if isinstance(class_label, dict) else None
        if names != {str(number): class_name for number, class_name in enumerate(expected[name])}:
            config = info.get("config_name")
            what = f"configuration {config}: the class names of `{name}` are not those of the tables"
            yield fault(
                manifests.CARD, "class_names", what, "everybody who loads it gets wrong labels; publish it again"
            )
