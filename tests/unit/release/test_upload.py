"""One commit, then a tag: whatever call fails, nobody sees half a release and none is committed twice."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from acbench.errors import ReleaseError
from acbench.release import manifest as manifests
from acbench.release.hub import Busy, Conflict, HubError, Unclear
from acbench.release.manifest import Manifest, ReleaseFile
from acbench.release.upload import ATTEMPTS, Upload, UploadResult
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


def test_files_of_others_are_gone_with_the_next_release(folder: Path) -> None:
    hub, manifest = FakeHub(), release(folder)
    hub.create(private=False)
    hub.add("theirs", {".gitattributes": b"", "evil.py": b"print(1)"})
    upload(hub, folder, manifest)
    assert "evil.py" not in hub.commits[-1].files and ".gitattributes" in hub.commits[-1].files
