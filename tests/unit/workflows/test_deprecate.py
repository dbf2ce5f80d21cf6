"""A version is marked as deprecated where readers look, once, and whatever comes later keeps the mark."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from acbench.cli.screen import Screen
from acbench.errors import HintedError
from acbench.integrations.huggingface.croissant import Croissant
from acbench.records import item_id
from acbench.release.folder import ReleaseFolder
from acbench.release.hub import Busy, Conflict, HubError, Unclear
from acbench.release.manifest import Manifest, parse
from acbench.release.upload import Upload
from acbench.release.verify.verify import Verified, verify
from acbench.testing import Failure, FakeHub, toy_visa
from acbench.workflows.deprecate import Deprecation, deprecate
from acbench.workflows.publish import PublishOptions, build
from acbench.workflows.releases import known_of
from tests.support.commands import here
from tests.support.releases import at_work
from tests.unit.release.verify.test_tampering import NoLoading

IMAGE, LABEL = "candle/Data/Images/Anomaly/000.JPG", "damaged-corner-of-packaging"
WHY = "the corner of a candle was taken for wax"


def published(project: Path, hub: FakeHub, version: str) -> bool:
    """Build a release and upload it; gives whether it was there already."""
    with at_work(project, "visa_ac") as run:
        built = build(run, hub, PublishOptions(version=version, images=False))
        return Upload(hub=hub, folder=built.folder, manifest=built.manifest, base=built.ground.base, private=False,
                      note=print).run().already_there  # fmt: skip


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project, in which somebody decides an image between two releases."""
    project = tmp_path_factory.mktemp("project")
    with at_work(project, "visa_ac", root=toy_visa(project / "images", normal=2, each=1)):
        pass
    return project


@pytest.fixture(scope="module")
def two(project: Path) -> FakeHub:
    """A hub with versions 1.0.0 and 1.1.0. Not to be changed."""
    hub = FakeHub("my-org/visa-ac")
    published(project, hub, "1.0.0")
    queue = project / "decisions.csv"
    queue.write_text(f"item_id,label\n{item_id('visa', 'candle', IMAGE)},{LABEL}\n", encoding="utf-8")
    assert here("review", "take", "visa_ac", queue, "--reviewer", "ada", "--project", project).status == 0
    with at_work(project, "visa_ac"):
        pass
    published(project, hub, "1.1.0")
    return hub


@pytest.fixture
def hub(two: FakeHub) -> FakeHub:
    copy = FakeHub(two.repo)
    copy.commits, copy.tags = list(two.commits), dict(two.tags)
    return copy


def mark(hub: FakeHub, version: str = "v1.0.0", why: str | None = WHY, *, upload: bool = True,
         benchmark: str = "visa_ac") -> Deprecation:  # fmt: skip
    return deprecate(hub, benchmark, version, why, note=lambda _: None, upload=upload, wait=lambda _: None)


def head(hub: FakeHub) -> Manifest:
    return parse(hub.commits[-1].files["release.json"])


def card(hub: FakeHub) -> str:
    return hub.commits[-1].files["README.md"].decode()


def checked(hub: FakeHub, place: Path, version: str = "") -> Verified:
    """What the checks find in the release at the head, or of a tag."""
    oid = hub.tags.get(version, hub.commits[-1].oid)
    (commit,) = (each for each in hub.commits if each.oid == oid)
    for path, data in commit.files.items():
        if path != ".gitattributes":
            (place / path).parent.mkdir(parents=True, exist_ok=True)
            (place / path).write_bytes(data)
    return verify(ReleaseFolder(place), NoLoading(), Croissant(), known_of(None), Screen().stage)


def test_every_version_is_listed_with_its_day_and_what_changed(two: FakeHub, tmp_path: Path) -> None:
    today = datetime.now(UTC).date().isoformat()
    first, second = head(two).versions
    assert (first.version, first.changes, second.version, second.changes) == ("1.0.0", {}, "1.1.0", {"relabelled": 1})
    assert first.date <= second.date <= today and re.fullmatch(r"\d{4}-\d\d-\d\d", first.date)
    assert f"| `v1.1.0` | {second.date} | 1 relabelled |  |\n| `v1.0.0` | {first.date} | the first version |" in card(
        two
    )
    assert not checked(two, tmp_path).failed


def test_a_mark_stands_in_card_and_manifest_and_nowhere_else(hub: FakeHub, tmp_path: Path) -> None:
    before = dict(hub.commits[-1].files)
    done = mark(hub)
    assert done.commit == hub.commits[-1].oid and not done.already_there
    assert done.told == f"version 1.0.0 of visa_ac is deprecated: {WHY}; use v1.1.0"
    assert f"| the first version | **deprecated**: {WHY} |" in card(hub)
    changed = {path for path, data in hub.commits[-1].files.items() if before[path] != data}
    assert changed == {"README.md", "release.json"} and hub.commits[-1].files.keys() == before.keys()
    assert hub.tags.keys() == {"v1.0.0", "v1.1.0"} and hub.commits[-1].oid not in hub.tags.values()
    verified = checked(hub, tmp_path)
    assert not verified.failed
    assert not [each for each in verified.findings if each.kind == "deprecated"], "the head itself is not deprecated"


def test_a_mark_is_set_once_and_can_be_worded_anew(hub: FakeHub) -> None:
    first, again = mark(hub), mark(hub, "1.0.0", f" {WHY} ")
    assert again.already_there and again.commit == first.commit == hub.commits[-1].oid
    other = mark(hub, why="something else")
    assert not other.already_there and "something else" in card(hub) and WHY not in card(hub)


def test_the_newest_version_is_marked_at_the_top_of_its_card(hub: FakeHub, tmp_path: Path) -> None:
    for version in ("1.1.0", "1.0.0"):
        done = mark(hub, version, "*all* wrong <b>")
    assert done.newest == "1.1.0" and done.told.endswith("; no later version stands in its place yet")
    warning = "> **Version 1.1.0 is deprecated:** \\*all\\* wrong &#60;b&#62;"
    assert f"\n---\n\n{warning}\n\n# VisA-AC\n" in card(hub)
    verified = checked(hub, tmp_path)
    assert not verified.failed
    assert [each.detail for each in verified.findings if each.kind == "deprecated"] == [
        "version 1.1.0 of visa_ac is deprecated: *all* wrong <b>; no later version stands in its place yet"
    ]
    mark(hub, "1.1.0", "worded anew")
    assert "\n---\n\n> **Version 1.1.0 is deprecated:** worded anew\n\n# VisA-AC\n" in card(hub)


def test_what_is_published_stays_so_and_the_next_release_keeps_the_mark(
    hub: FakeHub, project: Path, tmp_path: Path
) -> None:
    mark(hub)
    assert published(project, hub, "1.1.0"), "the version of the tag is the same as before"
    assert head(hub).versions[0].deprecated == WHY
    queue = project / "more.csv"
    queue.write_text(f"item_id,label\n{item_id('visa', 'candle', IMAGE)},chunk-of-wax-missing\n", encoding="utf-8")
    assert here("review", "take", "visa_ac", queue, "--reviewer", "bob", "--project", project).status == 0
    with at_work(project, "visa_ac"):
        pass
    assert not published(project, hub, "1.2.0")
    assert [(each.version, each.deprecated) for each in head(hub).versions] == [
        ("1.0.0", WHY), ("1.1.0", ""), ("1.2.0", ""),
    ]  # fmt: skip
    assert f"**deprecated**: {WHY}" in card(hub)
    assert not checked(hub, tmp_path).failed


def test_a_mark_can_be_taken_off_again(hub: FakeHub, tmp_path: Path) -> None:
    before = {path: data for path, data in hub.commits[-1].files.items() if path != "release.json"}
    for version in ("1.0.0", "1.1.0"):
        mark(hub, version)
        assert WHY in card(hub)
        done, again = mark(hub, f"v{version}", None), mark(hub, version, None)
        assert (done.told, done.reason, done.already_there, again.already_there) == ("", "", False, True)
        assert {path: data for path, data in hub.commits[-1].files.items() if path != "release.json"} == before
        assert not any(listed.deprecated for listed in head(hub).versions)
    assert not checked(hub, tmp_path).failed
    assert "may be used again" in hub.commits[-1].title and hub.tags.keys() == {"v1.0.0", "v1.1.0"}


@pytest.mark.parametrize("kind", [Unclear, Busy, Conflict])
@pytest.mark.parametrize("done", [True, False])
@pytest.mark.parametrize("call", [("at", 0), ("commit", 0), ("at", 1)])
def test_one_failure_is_overcome_and_the_mark_is_set_once(
    hub: FakeHub, call: tuple[str, int], done: bool, kind: type[HubError]
) -> None:
    before = len(hub.commits)
    hub.calls.plan = lambda *called: Failure(error=kind("no answer"), done=done) if called == call else None
    assert not mark(hub).already_there or call == ("at", 1)
    assert len(hub.commits) == before + 1 and head(hub).versions[0].deprecated == WHY


def test_another_mark_meanwhile_is_kept(hub: FakeHub) -> None:
    other = FakeHub(hub.repo)
    other.commits, other.tags = hub.commits, hub.tags

    def meanwhile(method: str, number: int) -> None:
        if (method, number) == ("commit", 0):
            hub.calls.plan = lambda *_: None
            mark(other, "1.1.0", "of somebody else")

    hub.calls.plan = meanwhile
    mark(hub)
    assert [each.deprecated for each in head(hub).versions] == [WHY, "of somebody else"]


def lost_tag(hub: FakeHub) -> None:
    del hub.tags["v1.1.0"]


def other_card(hub: FakeHub) -> None:
    hub.add("mine", {**hub.commits[-1].files, "README.md": b"# mine"})


def no_list(hub: FakeHub) -> None:
    data = hub.commits[-1].files["release.json"]
    data = re.sub(rb'"versions": \[.*?\n \]', b'"versions": []', data, flags=re.DOTALL)
    hub.add("earlier", {**hub.commits[-1].files, "release.json": data})


def nothing(hub: FakeHub) -> None:
    pass


def foreign(hub: FakeHub) -> None:
    hub.add("theirs", {"train.csv": b"1,2"})


def empty(hub: FakeHub) -> None:
    hub.commits.clear()


@pytest.mark.parametrize(
    ("before", "version", "benchmark", "told"),
    [
        (nothing, "9.9.9", "visa_ac", "there is no version 9.9.9 of visa_ac\n  → its versions are 1.0.0, 1.1.0"),
        (nothing, "1.0.0", "mvtec_ac", "holds the benchmark visa_ac"),
        (foreign, "1.0.0", "visa_ac", "holds no release of visa_ac, and 1 file"),
        (empty, "1.0.0", "visa_ac", "holds no release of visa_ac\n  → is it the right --repo?"),
        (lost_tag, "1.0.0", "visa_ac", "is not published to its end: its tag v1.1.0 is missing"),
        (other_card, "1.0.0", "visa_ac", "the card of my-org/visa-ac is not as acbench wrote it"),
        (no_list, "1.0.0", "visa_ac", "it has no list of versions to mark\n  → publish the next version first"),
    ],
)
def test_what_cannot_be_marked_is_said_alike_in_a_rehearsal(
    hub: FakeHub, before: Callable[[FakeHub], object], version: str, benchmark: str, told: str
) -> None:
    before(hub)
    commits = len(hub.commits)
    said = []
    for upload in (False, True):
        with pytest.raises(HintedError) as caught:
            mark(hub, version, upload=upload, benchmark=benchmark)
        said.append(str(caught.value))
    assert said[0] == said[1] and told in said[0]
    assert len(hub.commits) == commits


def test_a_rehearsal_says_the_same_and_changes_nothing(hub: FakeHub) -> None:
    rehearsed = mark(hub, upload=False)
    assert hub.tags["v1.1.0"] == hub.commits[-1].oid and not rehearsed.commit
    assert (rehearsed.told, rehearsed.newest) == (mark(hub).told, "1.1.0")


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--deprecate", "1.0.0"), "--because"),
        (("--because", "x"), "--deprecate VERSION"),
        (("--deprecate", "1.0.0", "--because", "x", "--version", "1.2.0"), "--version says nothing about"),
        (("--deprecate", "1.0.0", "--because", "x", "--labels-only"), "--labels-only says nothing about"),
        (("--undeprecate", "1.0.0", "--version", "1.2.0"), "--version says nothing about"),
        (("--undeprecate", "1.0.0", "--because", "x"), "and nothing more"),
        (("--undeprecate", "1.0.0", "--deprecate", "1.0.0"), "and nothing more"),
    ],
)
def test_what_says_nothing_about_a_mark_is_refused(tmp_path: Path, options: tuple[str, ...], told: str) -> None:
    done = here("publish", "visa_ac", "--repo", "my-org/x", *options, "--project", tmp_path)
    assert done.status == 2 and told in done.err
