"""From labels to a release folder that says what it holds, and from there to a hub."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from acbench import licences
from acbench.data.ingest import Dataset, describe
from acbench.errors import ReleaseError
from acbench.release import diff, pseudonyms
from acbench.release import manifest as manifests
from acbench.release import parquet as shards
from acbench.release.card import card
from acbench.release.card_facts import CardFacts
from acbench.release.entries import entries, of_rows
from acbench.release.entries import manifest as read_manifest
from acbench.release.hub import Head, Hub
from acbench.release.manifest import Manifest, Previous, ReleaseFile
from acbench.release.rows import Row, names_of, rows
from acbench.review.queue import by_item
from acbench.review.resolve import POLICY
from acbench.storage.atomic import write_bytes
from acbench.storage.digests import digest
from acbench.storage.roots import Root
from acbench.workflows import propose as asking
from acbench.workflows.label import Labelled, label, prepare
from acbench.workflows.run import Run

if TYPE_CHECKING:
    import pyarrow as pa

VERSION = f"{asking.VERSION}, 1"
"""Part of every key: see `asking.VERSION`."""

FIRST = "1.0.0"


class Tables(Protocol):
    """The form of a release's tables."""

    def arrow_schema(self, categories: Sequence[str], classes: Sequence[str], *, images: bool) -> pa.Schema: ...
    def card_data(self, manifest: Manifest) -> Mapping[str, Any]: ...


class Describer(Protocol):
    """Writes `croissant.json`."""

    def describe(self, manifest: Manifest, *, repo: str, about: str, attribution: str) -> bytes: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """A release folder."""

    folder: Path
    manifest: Manifest
    base: Manifest | None
    """The release at the hub's head when this was built."""
    changes: list[diff.Change] | None
    """Against the previous release; None if there is none."""
    made: int
    """Files that this run wrote."""


@dataclass(kw_only=True)
class Publisher:
    """Makes the release of one benchmark's labels. Files that are there from the same inputs stay."""

    run: Run
    tables: Tables
    describer: Describer
    hub: Hub | None = None
    """None if nothing is asked of a hub: then there is no previous release."""
    version: str | None = None
    images: bool | None = None
    """Whether the images are in it; None to go by their licence."""

    @property
    def folder(self) -> Path:
        """Where the release is built."""
        return self.run.files.workspace / "release"

    def build(self) -> Built:
        """Write the release folder. Raises ReleaseError if its licences, version or images forbid it, or HubError."""
        run = self.run
        if run.settings.root is None and not hasattr(run.source, "render"):
            raise ReleaseError(
                f"where is {run.source.TITLE}? A release holds the hash of every image, even if it holds labels only",
                f"add --root FOLDER to the command; {run.source.TITLE} is at {run.source.HOME}",
            )
        labelled = label(run, prepare(run))
        items = labelled.proposed.dataset.items
        if not items:
            raise ReleaseError("there is no image to release", f"acbench relabel {run.schema.argument}")
        licences.check_labels_licence(run.schema.licence, (item.licence for item in items))
        images = self._images(items[0].licence)
        head = self.hub.at() if self.hub else None
        version, previous = self._version(head)
        if head and head.manifest:
            self._refuse_other(head.manifest)
        made = self._rows(labelled, version)
        names = names_of(run.schema)
        before = len(run.build.written)
        tables = self._tables(labelled.proposed.dataset.root, made, images)
        manifest = Manifest(
            benchmark=run.schema.benchmark,
            title=run.schema.title,
            version=version,
            schema_version=run.schema.version,
            schema_digest=run.schema.digest,
            policy=POLICY,
            source=run.source.NAME,
            source_licence=items[0].licence,
            licence=run.schema.licence,
            images=images,
            categories=names.categories,
            classes=names.classes,
            previous=previous,
            files=tables,
        )
        changes = self._changes(made, manifest)
        manifest = self._texts(labelled.proposed.dataset, manifest, made, changes)
        self._clear({*manifest.files, manifests.NAME})
        base = head.manifest if head else None
        return Built(
            folder=self.folder, manifest=manifest, base=base, changes=changes, made=len(run.build.written) - before
        )

    def _images(self, licence: str) -> bool:
        known = licences.get(licence)
        if self.images is None:
            return known is not None and known.passes_on
        if self.images and known is None:
            raise ReleaseError(
                f"nothing is known of the licence of the images ({licence}), so they are not ours to pass on",
                "publish --labels-only: others join their own copy",
            )
        return self.images

    def _version(self, head: Head | None) -> tuple[str, Previous | None]:
        there = head.manifest if head else None
        version = self.version or (there.version if there else FIRST)
        if not manifests.VERSION.fullmatch(version):
            raise ReleaseError(f"--version {version} is not MAJOR.MINOR.PATCH", "--version 1.0.0")
        if head is None or there is None:
            return version, None
        if there.version == version:
            return version, there.previous
        if _numbers(version) < _numbers(there.version):
            raise ReleaseError(
                f"version {there.version} is published already",
                f"give a later one than that: --version {manifests.following(there.version)}",
            )
        return version, Previous(version=there.version, commit=head.tags.get(there.tag, head.commit))

    def _refuse_other(self, there: Manifest) -> None:
        schema, repo = self.run.schema, self.hub.repo if self.hub else ""
        if there.benchmark != schema.benchmark:
            raise ReleaseError(f"{repo} holds the benchmark {there.benchmark}", "give each benchmark its own --repo")
        if there.licence != schema.licence:
            raise ReleaseError(
                f"{repo} is under {there.licence}, these labels are under {schema.licence}",
                "one repository per licence: give another --repo",
            )

    def _rows(self, labelled: Labelled, version: str) -> list[Row]:
        run = self.run
        names = {review.reviewer for review in labelled.reviews}
        key = pseudonyms.key(run.files.workspace / "pseudonyms.key") if names else b""
        reviews = pseudonyms.anonymous(labelled.reviews, pseudonyms.pseudonyms(names, key, version))
        proposed = labelled.proposed
        return rows(proposed.dataset.items, labelled.labels, proposed.by_item, by_item(reviews), run.schema)

    def _tables(self, root: Root, made: list[Row], images: bool) -> dict[str, ReleaseFile]:
        """Write every table that is not there; gives what there is to say about each."""
        names = names_of(self.run.schema)
        form = self.tables.arrow_schema(names.categories, names.classes, images=images)
        found = {}
        planned = shards.plan(made, names, root, images=images)
        with self.run.console.stage("write tables") as progress:
            for done, shard in enumerate(planned, start=1):
                path = self.folder / shard.path
                key = digest(VERSION, form.to_string(), str(form.metadata), shard.rows, images)
                write = partial(shards.write, shard=shard, schema=form, root=root, images=images)
                sha256 = self._file(path, key, write)
                found[shard.path] = shards.facts(path, sha256)
                progress(done, len(planned))
        return found

    def _changes(self, made: list[Row], manifest: Manifest) -> list[diff.Change] | None:
        if manifest.previous is None or self.hub is None:
            return None
        place = self.hub.place(manifest.previous.commit)
        before = entries(place, read_manifest(place))
        after = {each.item_id: each for each in of_rows(made, manifest.categories, manifest.classes)}
        return diff.diff(before, after)

    def _texts(
        self, dataset: Dataset, manifest: Manifest, made: list[Row], changes: list[diff.Change] | None
    ) -> Manifest:
        """Write card, Croissant and manifest; gives the manifest with all files."""
        run = self.run
        repo = self.hub.repo if self.hub else "ORG/NAME"
        about = " ".join(run.schema.about.split())
        what = describe(run.source, dataset)
        told = CardFacts(
            manifest=manifest,
            entries=list(of_rows(made, manifest.categories, manifest.classes)),
            rows=made,
            schema=run.schema,
            source=run.source,
            dataset=what,
            whole=not run.source.WHOLE or what.startswith("all "),
            changes=changes,
            repo=repo,
        )
        texts = {
            manifests.CARD: card(told, self.tables.card_data(manifest)).encode(),
            manifests.CROISSANT: self.describer.describe(
                manifest, repo=repo, about=about, attribution=run.source.ATTRIBUTION
            ),
        }
        files = dict(manifest.files)
        for name, content in texts.items():
            sha256 = self._file(self.folder / name, digest(VERSION, content.decode()), _writer(content))
            files[name] = ReleaseFile(sha256=sha256, size=len(content))
        whole = dataclasses.replace(manifest, files=files)
        content = whole.to_bytes()
        self._file(self.folder / manifests.NAME, digest(VERSION, content.decode()), _writer(content))
        return whole

    def _file(self, path: Path, key: str, write: Callable[[Path], None]) -> str:
        """Write a file unless it is there from the same inputs; gives its sha256."""
        self.run.build.ensure(path, key, write)
        return self.run.ledger.artifacts.sha256(self.run.files.project.relative(path))

    def _clear(self, wanted: set[str]) -> None:
        """Take away what an earlier release left."""
        for path in sorted(self.folder.rglob("*"), reverse=True):
            if path.is_dir() and not path.is_symlink():
                if not any(path.iterdir()):
                    path.rmdir()
            elif path.relative_to(self.folder).as_posix() not in wanted:
                path.unlink()


def _writer(content: bytes) -> Callable[[Path], None]:
    return lambda path: write_bytes(path, content)


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.split(".")))
