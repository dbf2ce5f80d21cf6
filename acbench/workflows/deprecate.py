"""Marks a version of a published benchmark as deprecated, in card and manifest at the head of its repository, or takes
such a mark back."""

from __future__ import annotations

import dataclasses
import shlex
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from acbench import schema as schemas
from acbench.errors import ReleaseError
from acbench.integrations.huggingface.hub import Repository
from acbench.release import manifest as manifests
from acbench.release.beside import refuse_foreign
from acbench.release.card_versions import marked
from acbench.release.hub import Busy, Conflict, Head, Hub, Unclear
from acbench.release.manifest import Manifest, ReleaseFile
from acbench.release.patience import Patience
from acbench.release.verify.files import CARD_BYTES
from acbench.release.version_list import advice, deprecated, restored
from acbench.release.versions import bumped
from acbench.storage.digests import sha256_file


@dataclass(frozen=True, slots=True, kw_only=True)
class Deprecation:
    """A version that is marked or not any more, or would be."""

    repo: str
    version: str
    reason: str
    """Empty if the mark is taken back."""
    told: str
    """What readers of the version are told; empty if it may be used."""
    newest: str
    """The version at the head."""
    commit: str
    """The commit that says so; empty if nothing was committed."""
    already_there: bool
    """Whether that was so before."""

    def to_json(self) -> dict[str, object]:
        """What `acbench publish --deprecate --json` and `--undeprecate` print."""
        return {
            "repo": self.repo, "deprecated" if self.reason else "undeprecated": self.version,
            "because": self.reason or None, "told": self.told or None,
            "newest": self.newest, "commit": self.commit or None, "already_there": self.already_there,
        }  # fmt: skip


def deprecate_version(
    benchmark: str, project: Path, repo: str, version: str, reason: str | None, *, note: Callable[[str], None],
    upload: bool,
) -> Deprecation:  # fmt: skip
    """Mark a version of a benchmark, by its name or schema, in a repository of the Hub: see `deprecate`."""
    name = schemas.load(benchmark, project).benchmark
    return deprecate(Repository(repo), name, version, reason, note=note, upload=upload)


def deprecate(
    hub: Hub, benchmark: str, version: str, reason: str | None, *, note: Callable[[str], None], upload: bool,
    wait: Callable[[float], None] = time.sleep,
) -> Deprecation:  # fmt: skip
    """Mark a version, in one commit of card and manifest on top of the head; its tag and its files stay as they are.

    `version`: with or without `v`. `reason`: None to take the mark back. `upload`: False to find out what would be
    done. Raises ReleaseError or HubError; it is safe to run again at any moment.
    """
    version = version.removeprefix("v")
    hub.check_writing()
    patience, tried = Patience(note, wait), False
    while True:
        try:
            head = hub.at()
            manifest, new, card = _marked(hub, head, benchmark, version, reason)
            done = new.versions == manifest.versions
            commit = "" if head is None else head.commit
            if upload and not done:
                tried, said = True, "may be used again" if reason is None else "is deprecated"
                commit = _commit(hub, new, card, commit, f"{new.title} {version} {said}")
        except (Conflict, Unclear, Busy) as error:
            patience.spend(error)
            continue
        return Deprecation(
            repo=hub.repo,
            version=version,
            reason=" ".join((reason or "").split()),
            told=advice(version, new),
            newest=new.version,
            commit=commit if upload or done else "",
            already_there=done and not tried,
        )


def _marked(
    hub: Hub, head: Head | None, benchmark: str, version: str, reason: str | None
) -> tuple[Manifest, Manifest, str]:
    """The manifest at the head, the same with the mark, and the card with it. Raises ReleaseError or HubError."""
    refuse_foreign(hub.repo, head, benchmark)
    if head is None or head.manifest is None:
        raise ReleaseError(f"{hub.repo} holds no release of {benchmark}", "is it the right --repo?")
    manifest = head.manifest
    if manifest.tag not in head.tags:
        raise ReleaseError(
            f"version {manifest.version} of {hub.repo} is not published to its end: its tag {manifest.tag} is missing",
            "whoever published it runs the same command again; then mark the version",
        )
    if not manifest.versions:
        better = bumped(manifest.version, "patch")
        raise ReleaseError(
            f"an earlier acbench made version {manifest.version} of {hub.repo}: it has no list of versions to mark",
            f"publish the next version first: acbench publish {shlex.quote(benchmark)} --repo {hub.repo}"
            f" --version {better}",
        )
    new = restored(manifest, version) if reason is None else deprecated(manifest, version, reason)
    text = hub.release(head.commit).read(manifests.CARD, CARD_BYTES).decode("utf-8", "replace")
    card = marked(text, manifest, new)
    if card is None:
        raise ReleaseError(
            f"the card of {hub.repo} is not as acbench wrote it, so there is no place in it for the mark",
            f"what is wrong with it: acbench verify {shlex.quote(hub.repo)}",
        )
    return manifest, new, card


def _commit(hub: Hub, manifest: Manifest, card: str, parent: str, title: str) -> str:
    """Commit card and manifest. Gives the commit."""
    with TemporaryDirectory(prefix="acbench-") as place:
        folder = Path(place)
        (folder / manifests.CARD).write_text(card, encoding="utf-8", newline="")
        described = ReleaseFile(sha256=sha256_file(folder / manifests.CARD), size=len(card.encode()))
        whole = dataclasses.replace(manifest, files={**manifest.files, manifests.CARD: described})
        (folder / manifests.NAME).write_bytes(whole.to_bytes())
        return hub.commit(folder, [manifests.CARD, manifests.NAME], [], parent, title)
