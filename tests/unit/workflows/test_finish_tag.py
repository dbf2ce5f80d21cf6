"""A version whose tag was never set can be finished, also after a later one was published upon it."""

from __future__ import annotations

import dataclasses

import pytest

from acbench.errors import ReleaseError
from acbench.release.hub import Busy, Conflict, HubError, Unclear
from acbench.release.manifest import Manifest, Previous
from acbench.testing import Failure, FakeHub
from acbench.workflows.finish_tag import Finished, finish_tag
from tests.unit.release.test_versions import OLD as MANIFEST


def add(hub: FakeHub, version: str, *, tagged: bool = True, **other: str) -> None:
    """Publish a version on top of what is there."""
    below = hub.commits[-1].oid if hub.commits else ""
    newest = hub.at()
    before = newest.manifest.version if newest and newest.manifest else ""
    previous = Previous(version=before, commit=below) if before else None
    manifest: Manifest = dataclasses.replace(MANIFEST, version=version, previous=previous, versions=(), **other)
    commit = hub.add(version, {"release.json": manifest.to_bytes()})
    if tagged:
        hub.tags[f"v{version}"] = commit.oid


def finish(hub: FakeHub, version: str | None, *, upload: bool = True) -> Finished | None:
    return finish_tag(hub, MANIFEST.benchmark, version, note=lambda _: None, upload=upload, wait=lambda _: None)


@pytest.fixture
def hub() -> FakeHub:
    """1.0.0 was committed without its tag, and 1.1.0 and 1.2.0 were published upon it."""
    hub = FakeHub()
    add(hub, "1.0.0", tagged=False)
    add(hub, "1.1.0")
    add(hub, "1.2.0")
    return hub


def test_the_tag_is_set_on_the_commit_of_that_version_and_nothing_is_uploaded(hub: FakeHub) -> None:
    seen = finish(hub, "1.0.0", upload=False)
    assert "v1.0.0" not in hub.tags
    done = finish(hub, "1.0.0")
    assert done == seen == Finished(tag="v1.0.0", commit=hub.commits[0].oid, newest="1.2.0")
    assert hub.tags["v1.0.0"] == hub.commits[0].oid and len(hub.commits) == 3
    assert finish(hub, "1.0.0") is None, "it has its tag"


@pytest.mark.parametrize("version", [None, "one", "1.1.0", "1.2.0", "1.3.0", "0.9.0", "1.0.1"])
def test_what_is_not_missing_is_left_to_the_upload(hub: FakeHub, version: str | None) -> None:
    before = dict(hub.tags)
    assert finish(hub, version) is None
    assert hub.tags == before


def test_a_commit_that_holds_something_else_gets_no_tag() -> None:
    hub = FakeHub()
    add(hub, "1.0.0", tagged=False, benchmark="other")
    add(hub, "1.1.0")
    with pytest.raises(ReleaseError, match="should hold version"):
        finish(hub, "1.0.0")
    assert hub.tags.keys() == {"v1.1.0"}


@pytest.mark.parametrize("kind", [Unclear, Busy, Conflict])
@pytest.mark.parametrize("done", [True, False])
@pytest.mark.parametrize("call", [("at", 0), ("tag", 0)])
def test_one_failure_is_overcome(hub: FakeHub, call: tuple[str, int], done: bool, kind: type[HubError]) -> None:
    hub.calls.plan = lambda *called: Failure(error=kind("no answer"), done=done) if called == call else None
    finish(hub, "1.0.0")
    assert hub.tags["v1.0.0"] == hub.commits[0].oid
