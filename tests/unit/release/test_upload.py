"""One commit, then a tag: whatever call fails, nobody sees half a release and none is committed twice."""

from __future__ import annotations

import dataclasses
import hashlib
from pathlib import Path

import pytest

from acbench.errors import ReleaseError
from acbench.release import manifest as manifests
from acbench.release.hub import Busy, Conflict, HubError, Unclear
from acbench.release.manifest import Manifest, Previous, ReleaseFile
from acbench.release.patience import ATTEMPTS
from acbench.release.upload import Upload, UploadResult
from acbench.testing import Failure, FailurePlan, FakeHub

CALLS = [("at", 0), ("create", 0), ("at", 1), ("commit", 0), ("at", 2), ("tag", 0)]
"""Every call of an upload into an empty place, with its number."""


class Killed(BaseException):
    """Like a kill: nobody handles it."""


def release(folder: Path, *, version: str = "1.0.0", text: str = "one") -> Manifest:
    """A folder with a card and its manifest."""
    folder.mkdir()
    (folder / manifests.CARD).write_text(text)
    card = ReleaseFile(sha256=hashlib.sha256(text.encode()).hexdigest(), size=len(text))
    manifest = Manifest(
        benchmark="toy", title="Toy", version=version, schema_version="1", schema_digest="0" * 8, policy="p",
        source="toy", source_licence="CC0-1.0", licence="CC0-1.0", images=False, categories=("cup",),
        classes=("good", "chip"), previous=None, files={manifests.CARD: card},
    )  # fmt: skip
    (folder / manifests.NAME).write_bytes(manifest.to_bytes())
    return manifest


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "release"


def upload(hub: FakeHub, folder: Path, manifest: Manifest, base: Manifest | None = None) -> UploadResult:
    return Upload(
        hub=hub, folder=folder, manifest=manifest, base=base, private=True, note=lambda text: None,
        wait=lambda seconds: None,
    ).run()  # fmt: skip


def assert_published_once(hub: FakeHub, folder: Path) -> None:
    assert len(hub.commits) == 2, "one commit besides the first"
    assert hub.commits[-1].files.keys() == {".gitattributes", *(path.name for path in folder.iterdir())}
    assert hub.tags == {"v1.0.0": hub.commits[-1].oid}


def once(method: str, number: int, failure: Failure) -> FailurePlan:
    """Plan that one call fails."""
    return lambda called, count: failure if (called, count) == (method, number) else None


def test_an_upload_makes_every_call_that_is_tested_below(folder: Path) -> None:
    hub, calls = FakeHub(), []

    def noted(method: str, number: int) -> None:
        calls.append((method, number))

    hub.calls.plan = noted
    assert not upload(hub, folder, release(folder)).already_there
    assert calls == CALLS
    assert hub.private
    assert_published_once(hub, folder)


@pytest.mark.parametrize("done", [True, False], ids=["after", "before"])
@pytest.mark.parametrize(("method", "number"), CALLS)
def test_killed_at_a_call_the_next_run_publishes_once(folder: Path, method: str, number: int, done: bool) -> None:
    manifest, hub = release(folder), FakeHub(plan=once(method, number, Failure(error=Killed(), done=done)))
    with pytest.raises(Killed):
        upload(hub, folder, manifest)
    upload(hub, folder, manifest)
    assert_published_once(hub, folder)


@pytest.mark.parametrize("done", [True, False], ids=["done", "not done"])
@pytest.mark.parametrize(("method", "number"), CALLS)
@pytest.mark.parametrize("kind", [Unclear, Busy, Conflict])
def test_one_failure_is_overcome(folder: Path, method: str, number: int, kind: type[HubError], done: bool) -> None:
    hub = FakeHub(plan=once(method, number, Failure(error=kind("no answer"), done=done)))
    upload(hub, folder, release(folder))
    assert_published_once(hub, folder)


def test_a_hub_that_never_answers_is_an_error_after_some_attempts(folder: Path) -> None:
    hub = FakeHub(plan=lambda method, number: Failure(error=Unclear("no answer")) if method == "commit" else None)
    with pytest.raises(HubError, match=f"{ATTEMPTS} attempts"):
        upload(hub, folder, release(folder))
    assert len(hub.commits) == 1 and hub.tags == {}


def test_a_hub_that_wants_much_patience_is_an_error(folder: Path) -> None:
    hub = FakeHub(plan=once("commit", 0, Failure(error=Busy("too many", seconds=7200))))
    with pytest.raises(HubError, match="7,200 s"):
        upload(hub, folder, release(folder))


def test_nothing_is_published_twice(folder: Path) -> None:
    hub, manifest = FakeHub(), release(folder)
    first, again = upload(hub, folder, manifest), upload(hub, folder, manifest)
    assert (first.commit, first.already_there, again.commit, again.already_there) == (
        first.commit,
        False,
        first.commit,
        True,
    )
    assert_published_once(hub, folder)


def test_a_tag_is_never_given_to_another_release(folder: Path, tmp_path: Path) -> None:
    hub, manifest = FakeHub(), release(folder)
    upload(hub, folder, manifest)
    other = release(tmp_path / "other", text="two")
    with pytest.raises(ReleaseError, match=r"v1\.0\.0 of my-org/toy is another release") as caught:
        upload(hub, tmp_path / "other", other, manifest)
    assert "--version 1.1.0" in caught.value.hint


def test_somebody_else_s_release_is_not_replaced(folder: Path, tmp_path: Path) -> None:
    hub, manifest = FakeHub(), release(folder)
    upload(hub, folder, manifest)
    other = release(tmp_path / "other", version="1.1.0", text="two")
    with pytest.raises(HubError, match=r"somebody else published version 1\.0\.0"):
        upload(hub, tmp_path / "other", other, base=None)
    assert upload(hub, tmp_path / "other", other, base=manifest).commit == hub.tags["v1.1.0"]


def test_somebody_publishes_upon_a_commit_that_has_no_tag_yet(folder: Path, tmp_path: Path) -> None:
    hub = FakeHub(plan=once("commit", 0, Failure(error=Killed(), done=True)))
    manifest = release(folder)
    with pytest.raises(Killed):
        upload(hub, folder, manifest)
    first = hub.commits[-1].oid
    later = release(tmp_path / "later", version="1.1.0", text="two")
    later = dataclasses.replace(later, previous=Previous(version="1.0.0", commit=first))
    (tmp_path / "later" / manifests.NAME).write_bytes(later.to_bytes())
    upload(hub, tmp_path / "later", later, manifest)
    assert upload(hub, folder, manifest) == UploadResult(first, already_there=False)
    assert hub.tags == {"v1.0.0": first, "v1.1.0": hub.commits[-1].oid}


def foreign_hub() -> FakeHub:
    """A repository with files of somebody who has never heard of releases."""
    hub = FakeHub()
    hub.create(private=False)
    hub.add("theirs", {".gitattributes": b"", "train.csv": b"1,2", "pictures/a.png": b"png"})
    return hub


def test_files_of_somebody_without_a_release_are_not_deleted(folder: Path) -> None:
    hub, manifest = foreign_hub(), release(folder)
    with pytest.raises(ReleaseError, match=r"holds no release of toy, and 2 files .*: pictures/a\.png, train\.csv"):
        upload(hub, folder, manifest)
    assert len(hub.commits) == 2


def test_what_the_publisher_gave_up_is_deleted_and_what_came_since_is_not(folder: Path) -> None:
    hub, manifest = foreign_hub(), release(folder)
    way = Upload(hub=hub, folder=folder, manifest=manifest, base=None, private=True, note=lambda text: None,
                 replaces=("pictures/a.png", "train.csv"))  # fmt: skip
    hub.add("more", {**hub.commits[-1].files, "notes.txt": b"mine"})
    with pytest.raises(ReleaseError, match=r"1 file that a release would delete: notes\.txt"):
        way.run()
    way.replaces = ("pictures/a.png", "train.csv", "notes.txt")
    way.run()
    assert hub.commits[-1].files.keys() == {".gitattributes", manifests.CARD, manifests.NAME}


def test_what_an_owner_laid_beside_a_release_stays_and_a_stray_table_goes(folder: Path, tmp_path: Path) -> None:
    hub, first = FakeHub(), release(folder)
    upload(hub, folder, first)
    beside = {"LICENSE": b"text", "images/a.png": b"png", "data/cup/evil.parquet": b"PAR1"}
    hub.add("mine", {**hub.commits[-1].files, **beside})
    second = release(tmp_path / "second", version="1.1.0", text="two")
    upload(hub, tmp_path / "second", second, first)
    assert hub.commits[-1].files.keys() == {
        ".gitattributes", "LICENSE", "images/a.png", manifests.CARD, manifests.NAME,
    }  # fmt: skip
    assert upload(hub, tmp_path / "second", second, first).already_there


def test_a_refused_tag_says_that_the_commit_is_public_and_how_to_finish(folder: Path) -> None:
    hub = FakeHub(plan=once("tag", 0, Failure(error=HubError("no right to tag", "get a token"))))
    manifest = release(folder)
    with pytest.raises(
        HubError, match=r"the commit of 1\.0\.0 is public already, its tag v1\.0\.0 is missing"
    ) as caught:
        upload(hub, folder, manifest)
    assert "run the same command again" in caught.value.hint
    upload(hub, folder, manifest)
    assert_published_once(hub, folder)


def test_a_rehearsal_refuses_what_the_upload_would_refuse_and_changes_nothing(folder: Path, tmp_path: Path) -> None:
    hub, manifest = FakeHub(), release(folder)

    def rehearse(place: Path, manifest: Manifest, base: Manifest | None) -> list[str]:
        return Upload(hub=hub, folder=place, manifest=manifest, base=base, private=True, note=print).rehearse()

    assert rehearse(folder, manifest, None) == [] and not hub.commits
    upload(hub, folder, manifest)
    other = release(tmp_path / "other", text="two")
    with pytest.raises(ReleaseError, match="another release"):
        rehearse(tmp_path / "other", other, manifest)
    hub.add("mine", {**hub.commits[-1].files, "LICENSE": b"text"})
    later = release(tmp_path / "later", version="1.1.0")
    assert rehearse(tmp_path / "later", later, manifest) == ["LICENSE"]
    assert len(hub.commits) == 3
