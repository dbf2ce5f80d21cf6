"""Makes a release of a benchmark's labels, checks it, and uploads it."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from acbench import __version__, licences
from acbench.data.ingest import describe
from acbench.errors import ReleaseError
from acbench.integrations.huggingface.croissant import Croissant, page_of
from acbench.integrations.huggingface.datasets import DatasetsFormat
from acbench.integrations.huggingface.hub import Repository
from acbench.release import manifest as manifests
from acbench.release import pictures
from acbench.release.card import card
from acbench.release.card_facts import CardFacts, facts_of
from acbench.release.diff import Change, diff
from acbench.release.entries import ReleaseReader, read_entries, read_manifest
from acbench.release.folder import ReleaseFolder
from acbench.release.hub import Hub
from acbench.release.manifest import Manifest, Previous, ReleaseFile
from acbench.release.rows import numbering_of
from acbench.release.schema_file import released_text
from acbench.release.upload import Upload, UploadResult
from acbench.release.verify.verify import Verified
from acbench.release.version_list import with_release
from acbench.review.resolve import POLICY
from acbench.schema import Schema
from acbench.storage.atomic import write_bytes
from acbench.storage.digests import digest
from acbench.storage.stored_rows import StoredRows
from acbench.workflows.card_scores import card_scores
from acbench.workflows.finish_tag import Finished, finish_tag
from acbench.workflows.label import Labelled, label, prepare
from acbench.workflows.leaderboard import entries_at_head
from acbench.workflows.origin import is_own
from acbench.workflows.publish_checks import Ground, Losses, against_head, check_first, refuse_losses
from acbench.workflows.release_tables import VERSION, ReleaseTables, release_folder, sha256_of
from acbench.workflows.releases import check_folder, known_of
from acbench.workflows.run import Run

NO_REPO = "ORG/NAME"
"""Stands in a card for a repository that nobody has named."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishOptions:
    """What a user chose for a release."""

    version: str | None = None
    """None for that of the published release, or 1.0.0."""
    images: bool | None = None
    """Whether the release holds the images; None to go by their licence."""
    replace: bool = False
    """Whether files of somebody else in the repository may go."""
    withdraw: bool = False
    """Whether decisions of people that the last release holds may be lost."""
    odd: bool = False
    """Whether the version is meant although it does not fit what changed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BuiltRelease:
    """A release folder."""

    folder: Path
    manifest: Manifest
    ground: Ground
    """What was known before."""
    losses: Losses | None
    """What it does to the release at the hub's head; None if there is none."""
    changes: list[Change] | None
    """Against the previous release; None if there is none."""


class UnsoundReleaseError(ReleaseError):
    """The release that was built does not pass its own checks."""

    def __init__(self, verified: Verified) -> None:
        super().__init__("the release that was built is not sound, so nothing was uploaded", "please report it")
        self.verified = verified


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedRelease:
    """A release that was built and checked, and uploaded unless nobody asked for that."""

    built: BuiltRelease
    verified: Verified
    repo: str | None
    uploaded: UploadResult | None
    beside: list[str]
    """Files that an owner laid beside the release, and that stay."""

    def to_json(self) -> dict[str, object]:
        """What `acbench publish --json` prints."""
        changes = self.built.changes
        return {
            **self.verified.to_json(),
            "folder": str(self.built.folder),
            "repo": self.repo,
            "tag": self.built.manifest.tag,
            "changes": None if changes is None else [dataclasses.asdict(change) for change in changes],
            "beside": self.beside,
            "commit": self.uploaded.commit if self.uploaded else None,
            "already_there": self.uploaded.already_there if self.uploaded else False,
        }


def finish(run: Run, repo: str, version: str | None, *, upload: bool) -> Finished | None:
    """Set the missing tag of a version upon which others have published: see `finish_tag`."""
    return finish_tag(Repository(repo), run.schema.benchmark, version, note=run.console.note, upload=upload)


def publish(run: Run, repo: str | None, options: PublishOptions, *, upload: bool, private: bool) -> PublishedRelease:
    """Build and check a release, and upload it to a repository of the Hub.

    `repo`: ORG/NAME, or None for no Hub. `upload`: False to leave it at the folder. `private`: whether a repository
    that has to be made is private.

    Raises UnsoundReleaseError if the checks find a fault; ReleaseError or HubError.
    """
    hub = Repository(repo) if repo else None
    built = build(run, hub, options)
    refuse_losses(built.ground, built.manifest, built.losses, withdraw=options.withdraw, odd=options.odd)
    scratch = release_folder(run).parent
    verified = check_folder(ReleaseFolder(built.folder), known_of(run.schema), run.console, scratch=scratch)
    if verified.failed:
        raise UnsoundReleaseError(verified)
    if verified.not_loaded:
        raise ReleaseError(f"the release could not be tested, so nothing was uploaded: {verified.not_loaded}",
                           f"make room in {scratch}, then run the same command again")  # fmt: skip
    if hub is None:
        return PublishedRelease(built=built, verified=verified, repo=repo, uploaded=None, beside=[])
    delivery = Upload(
        hub=hub,
        folder=built.folder,
        manifest=built.manifest,
        base=built.ground.base,
        private=private,
        note=run.console.note,
        replaces=built.ground.replaces,
    )
    kept = delivery.rehearse()
    uploaded = delivery.run() if upload else None
    return PublishedRelease(built=built, verified=verified, repo=repo, uploaded=uploaded, beside=kept)


def build(run: Run, hub: Hub | None, options: PublishOptions) -> BuiltRelease:
    """Write the release folder; files that were made from the same inputs stay.

    `hub`: where a previous release may be; None if there is none.

    Raises ReleaseError if licences, version or images forbid the release, or HubError.
    """
    ground = check_first(run, hub, options.version, replace=options.replace)
    plan = _plan(run, hub, options, ground)
    tables = ReleaseTables(run, plan.labelled, _manifest(run, plan))
    manifest = tables.write()
    manifest = dataclasses.replace(manifest, leaderboard=entries_at_head(run, hub, ground))
    losses, changes = _changes(hub, ground, manifest, ReleaseFolder(release_folder(run)))
    versions = with_release(ground.earlier, ground.version, ground.date, changes)
    manifest = dataclasses.replace(manifest, versions=versions)
    picture = pictures.draw(manifest, tables.tally, run.schema, tables.examples.tiles)
    facts = facts_of(
        manifest, tables.tally, run.schema, run.origin, own=is_own(run.source), repo=plan.repo,
        changes=changes, dataset=describe(run.origin, plan.labelled.proposed.dataset),
        scores=card_scores(manifest, tables.tally, run.schema),
    )  # fmt: skip
    manifest = _write_texts(run, picture, facts)
    _remove_others(release_folder(run), {*manifest.files, manifests.NAME})
    return BuiltRelease(
        folder=release_folder(run),
        manifest=manifest,
        ground=ground,
        losses=losses,
        changes=changes,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Plan:
    """What is released, and as which version."""

    labelled: Labelled
    source_licence: str
    images: bool
    """Whether the release holds the images."""
    version: str
    previous: Previous | None
    repo: str
    """ORG/NAME."""

    @property
    def boxes(self) -> bool:
        """Whether boxes mark places of some images."""
        return self.labelled.proposed.dataset.images.boxed


def _plan(run: Run, hub: Hub | None, options: PublishOptions, ground: Ground) -> _Plan:
    """Decide what is released. Raises ReleaseError if licences or images forbid it."""
    labelled = _labelled(run)
    items = labelled.proposed.dataset.items
    stored = items.column("licence").unique().to_pylist() if isinstance(items, StoredRows) else []
    known = stored or [item.licence for item in items]
    licences.check_labels_licence(run.schema.licence, known)
    _check_categories(run.schema, labelled.proposed.dataset.by_category)
    images = _with_images(known[0], options.images, run.schema)
    return _Plan(
        labelled=labelled,
        source_licence=known[0],
        images=images,
        version=ground.version,
        previous=ground.previous,
        repo=hub.repo if hub else NO_REPO,
    )


def _labelled(run: Run) -> Labelled:
    """The labels to release. Raises ReleaseError without images: a release holds their hashes."""
    if run.settings.root is None and run.source.render is None:
        raise ReleaseError(
            f"where is {run.origin.title}? A release holds the hash of every image, even if it holds labels only",
            f"add --root FOLDER to the command; {run.origin.title} is at {run.origin.home}",
        )
    labelled = label(run, prepare(run))
    if not labelled.proposed.dataset.items:
        raise ReleaseError("there is no image to release", f"acbench relabel {run.schema.argument}")
    return labelled


def _with_images(licence: str, chosen: bool | None, schema: Schema) -> bool:
    """Whether the release holds the images: as chosen, else as the schema says, else if credit is all they ask for.

    Raises ReleaseError if they may not be passed on, as far as is known.
    """
    known, shared = licences.get(licence), schema.publisher.share_images
    if chosen is None:
        return shared if shared is not None else known is not None and known.passes_on
    if chosen and shared is False:
        raise ReleaseError("the schema says `share_images: no`", "publish --labels-only: others join their own copy")
    if chosen and known is None and not shared:
        raise ReleaseError(
            f"nothing is known of the licence of the images ({licence}), so they are not ours to pass on",
            "publish --labels-only: others join their own copy; or, if they are yours to pass on, write"
            " `share_images: yes` into the label schema",
        )
    return chosen


def _check_categories(schema: Schema, categories: Collection[str]) -> None:
    if unknown := sorted(set(categories) - set(schema.categories)):
        raise ReleaseError(
            f"the schema has no category {unknown[0]}, but the dataset does",
            f"leave it out: acbench relabel {schema.argument} --category …   or add it to the schema",
        )


def _manifest(run: Run, plan: _Plan) -> Manifest:
    """What the release says of itself, as long as it holds no file."""
    schema, numbering = run.schema, numbering_of(run.schema)
    return Manifest(
        benchmark=schema.benchmark,
        title=schema.title,
        version=plan.version,
        schema_version=schema.version,
        schema_digest=schema.digest,
        policy=POLICY,
        source=run.source.name,
        source_licence=plan.source_licence,
        licence=schema.licence,
        images=plan.images,
        categories=numbering.categories,
        classes=numbering.classes,
        previous=plan.previous,
        files={},
        boxes=plan.boxes,
        acbench=__version__,
    )


def _changes(
    hub: Hub | None, ground: Ground, manifest: Manifest, built: ReleaseReader
) -> tuple[Losses | None, list[Change] | None]:
    """What the tables that were built do to the release at the hub's head, and what changed against the previous one;
    None where there is none. The two are usually one release."""
    if hub is None or (ground.base is None and ground.previous is None):
        return None, None
    after = read_entries(built, manifest)
    losses = against_head(hub, ground, after, manifest)
    if ground.previous is None:
        return losses, None
    if losses is not None and ground.previous.commit == ground.commit:
        return losses, losses.changes
    previous = hub.release(ground.previous.commit)
    return losses, diff(read_entries(previous, read_manifest(previous)), after)


def _write_texts(run: Run, picture: bytes, facts: CardFacts) -> Manifest:
    """Write picture, schema, card, Croissant metadata and manifest; gives the manifest with all files."""
    manifest = facts.manifest
    about = " ".join(facts.schema.about.split())
    drawn = ReleaseFile(sha256=_write_text(run, manifests.PICTURE, picture), size=len(picture))
    manifest = dataclasses.replace(manifest, files={**manifest.files, manifests.PICTURE: drawn})
    facts = dataclasses.replace(facts, manifest=manifest)
    texts = {
        manifests.SCHEMA: released_text(facts.schema),
        manifests.CARD: card(facts, DatasetsFormat().card_data(manifest)).encode(),
        manifests.CROISSANT: Croissant().describe(
            manifest,
            page="" if facts.repo == NO_REPO else page_of(facts.repo),
            about=about,
            attribution=facts.source.attribution,
            citation=facts.schema.publisher.citation,
            home=facts.schema.publisher.web_home,
            licence_link=facts.schema.publisher.licence_link,
        ),
    }
    files = dict(manifest.files)
    for name, content in texts.items():
        files[name] = ReleaseFile(sha256=_write_text(run, name, content), size=len(content))
    complete = dataclasses.replace(manifest, files=files)
    _write_text(run, manifests.NAME, complete.to_bytes())
    return complete


def _write_text(run: Run, name: str, content: bytes) -> str:
    """Write a file unless it is there with this content; gives its sha256."""
    path = release_folder(run) / name
    run.build.ensure(
        path, digest(VERSION, hashlib.sha256(content).hexdigest()), lambda target: write_bytes(target, content)
    )
    return sha256_of(run, path)


def _remove_others(folder: Path, wanted: Collection[str]) -> None:
    """Remove what an earlier release left in the folder."""
    for path in sorted(folder.rglob("*"), reverse=True):
        if path.is_dir() and not path.is_symlink():
            if not any(path.iterdir()):
                path.rmdir()
        elif path.relative_to(folder).as_posix() not in wanted:
            path.unlink()
