"""The list of versions, what is said of a deprecated one, and what of a list cannot be."""

from __future__ import annotations

import dataclasses

import pytest

from acbench.errors import ReleaseError
from acbench.release.card_versions import marked
from acbench.release.diff import diff
from acbench.release.manifest import ListedVersion, Manifest, Previous, parse
from acbench.release.version_list import advice, deprecated, list_of, problems, with_release
from tests.unit.release.test_versions import ENTRY, OLD

FIRST, SECOND = ListedVersion(version="1.2.0", date="2026-01-01"), ListedVersion(version="1.2.3", date="2026-02-01")
LISTED = dataclasses.replace(OLD, versions=(FIRST, SECOND), previous=Previous(version="1.2.0", commit="0" * 40))


def test_a_release_is_added_with_what_changed() -> None:
    changes = diff({"a": ENTRY}, {"a": dataclasses.replace(ENTRY, labels=("good",), label="good"), "b": ENTRY})
    *before, last = with_release((FIRST, SECOND), "1.3.0", "2026-03-01", changes)
    assert before == [FIRST, SECOND]
    assert last == ListedVersion(version="1.3.0", date="2026-03-01", changes={"relabelled": 1, "added": 1})
    assert with_release((), "1.0.0", "", None) == (ListedVersion(version="1.0.0"),)


def test_a_release_without_a_list_has_the_versions_of_its_tags() -> None:
    tags = ["v1.10.0", "v1.2.0", "v1.1.0", "main", "v2", "vx.y.z"]
    assert [each.version for each in list_of(OLD, tags)] == ["1.1.0", "1.2.0", "1.2.3"]
    assert list_of(LISTED, tags) == LISTED.versions


def test_a_list_is_kept_in_the_manifest_and_an_earlier_manifest_has_none() -> None:
    mark = deprecated(LISTED, "1.2.0", "  labels  of cup were\nmixed up ")
    assert mark.versions[0].deprecated == "labels of cup were mixed up"
    assert parse(mark.to_bytes()) == mark
    earlier = OLD.to_bytes().replace(b'"format": 3', b'"format": 2')
    assert parse(earlier).versions == ()


@pytest.mark.parametrize(
    ("version", "reason", "told"),
    [
        ("9.9.9", "because", "there is no version 9.9.9 of toy\n  → its versions are 1.2.0, 1.2.3"),
        ("1.2.0", " ", "the reason has to be a printable text"),
        ("1.2.0", "a\x1b[31m", "the reason has to be a printable text"),
        ("1.2.0", "x" * 501, "of at most 500 characters"),
    ],
)
def test_what_cannot_be_marked_is_said(version: str, reason: str, told: str) -> None:
    with pytest.raises(ReleaseError) as caught:
        deprecated(LISTED, version, reason)
    assert told in str(caught.value)


def test_what_readers_are_told() -> None:
    first = deprecated(LISTED, "1.2.0", "bad")
    assert advice("1.2.0", first) == "version 1.2.0 of toy is deprecated: bad; use v1.2.3"
    assert advice("1.2.3", first) == advice("1.1.0", first) == ""
    both = deprecated(first, "1.2.3", "worse")
    assert advice("1.2.0", both).endswith("bad; no later version stands in its place yet")


@pytest.mark.parametrize(
    ("versions", "told"),
    [
        ((FIRST, SECOND), ""),
        ((), ""),
        ((SECOND, FIRST), "not in their order"),
        ((FIRST, FIRST, SECOND), "one is there twice"),
        ((FIRST,), "the last of its versions is 1.2.0"),
        ((dataclasses.replace(FIRST, version="1.1.0"), SECOND), "the version before it is 1.1.0 by the list"),
        ((SECOND,), "the version before it is none by the list, and it says 1.2.0"),
        ((FIRST, dataclasses.replace(SECOND, date="2025-01-01")), "is dated before"),
        ((FIRST, dataclasses.replace(SECOND, date="")), ""),
        ((dataclasses.replace(FIRST, changes={"added": 1}), SECOND), "is the first version"),
        ((FIRST, dataclasses.replace(SECOND, changes={"x": 1})), "nothing can be 'x'"),
    ],
)
def test_a_list_that_cannot_be(versions: tuple[ListedVersion, ...], told: str) -> None:
    found = list(problems(dataclasses.replace(LISTED, versions=versions)))
    assert bool(found) == bool(told)
    assert any(told in each for each in found) or not told


@pytest.mark.parametrize(
    ("listed", "told"),
    [
        ({"version": "1"}, "not MAJOR.MINOR.PATCH"),
        ({"version": "1.2.3", "date": "2026-13-01"}, "the date of 1.2.3 is not YYYY-MM-DD"),
        ({"version": "1.2.3", "deprecated": "a\u202eb"}, "cannot be printed"),
        ({"version": "1.2.3", "deprecated": "x" * 501}, "is too long"),
        ({"version": "1.2.3", "changes": {"added": -1}}, "what it says of 1.2.3 cannot be"),
        ({"version": "1.2.3", "changes": {"added": "many"}}, "changes"),
    ],
)
def test_an_untrusted_list_is_checked_when_it_is_read(listed: dict[str, object], told: str) -> None:
    import json

    content = json.loads(OLD.to_bytes())
    with pytest.raises(ReleaseError) as caught:
        parse(json.dumps({**content, "versions": [listed]}).encode())
    assert told in str(caught.value)


def test_a_card_that_somebody_wrote_gets_no_mark() -> None:
    new: Manifest = deprecated(LISTED, "1.2.0", "bad")
    for card in ("", "# Toy\n", "---\nlicense: mit\n---\n\n# Toy\n", "---\na: b\n---\n\n## Versions\n"):
        assert marked(card, LISTED, new) is None
