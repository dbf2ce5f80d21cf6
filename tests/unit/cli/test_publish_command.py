"""`acbench publish`, `verify` and `diff` as people meet them, with no hub in sight."""

from __future__ import annotations

import shlex
import shutil
from pathlib import Path

import pytest

from acbench.testing import toy_visa
from tests.support.commands import here
from tests.support.releases import build


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with a release of it. Not to be changed."""
    project = tmp_path_factory.mktemp("project")
    build(project, root=toy_visa(project / "images"))
    return project


@pytest.mark.parametrize(
    ("command", "status", "message"),
    [
        ("publish visa_ac", 2, "give --repo ORG/NAME, or --dry-run"),
        ("publish visa_ac --dry-run --with-images --labels-only", 2, "exclude each other"),
        ("publish visa_ac --repo nonsense", 1, "'nonsense' is no repository"),
        ("publish visa_ac --dry-run --version 1.0", 1, "--version 1.0 is not MAJOR.MINOR.PATCH"),
        ("publish nosuch --dry-run", 1, "no bundled benchmark 'nosuch'"),
        ("publish mvtec_ac --dry-run", 1, "where is MVTec-AD? A release holds the hash of every image"),
        ("publish mvtec_ac --dry-run", 1, "add --root FOLDER to the command"),
        ("verify nosuch", 1, "neither a folder nor ORG/NAME"),
        ("verify images", 1, "images: release.json: there is no such file"),
        ("verify release --revision v1.0.0", 2, "--revision goes with a repository"),
        ("diff release nosuch", 1, "neither a folder nor ORG/NAME"),
        ("diff release images", 1, "images: release.json: there is no such file"),
    ],
)
def test_an_error_is_one_message_with_a_way_out(
    project: Path, monkeypatch: pytest.MonkeyPatch, command: str, status: int, message: str
) -> None:
    monkeypatch.chdir(project)
    words = [".acbench/visa_ac/release" if word == "release" else word for word in shlex.split(command)]
    done = here(*words, ACBENCH_PROJECT=str(project))
    assert done.status == status
    assert message in done.err
    assert done.err.count("Error: ") == 1
    assert ("\n  → " in done.err) == (status == 1)


def test_a_dry_run_shows_the_card_and_the_folder(project: Path) -> None:
    shown = here("publish", "visa_ac", "--dry-run", "--project", project)
    assert shown.status == 0
    card = (project / ".acbench/visa_ac/release/README.md").read_text(encoding="utf-8")
    assert shown.out.startswith(card)
    assert card.startswith("---\nlicense: ") and "\n---\n\n# VisA-AC\n" in card
    assert shown.out.endswith("Nothing was uploaded.\n")
    told = here("publish", "visa_ac", "--dry-run", "--json", "--project", project)
    assert told.status == 0
    facts = told.facts
    assert (facts["tag"], facts["commit"], facts["failed"], facts["images"]) == ("v1.0.0", None, False, True)


def test_a_release_is_made_of_bundled_labels_and_a_folder_of_images(project: Path, tmp_path: Path) -> None:
    command = ("publish", "visa_ac", "--dry-run", "--json", "--project", tmp_path)
    done = here(*command, "--root", project / "images")
    assert (done.status, done.facts["rows"]) == (0, 16)
    assert here(*command).status == 0  # the folder is remembered


def test_diff_lists_what_changed(project: Path, tmp_path: Path) -> None:
    release = project / ".acbench/visa_ac/release"
    same = here("diff", release, release)
    assert same.status == 0 and same.out.endswith("No label changed.\n")
    shutil.copytree(project / "images", tmp_path / "images", ignore=shutil.ignore_patterns("pcb4"))
    smaller = build(tmp_path, root=tmp_path / "images")
    told = here("diff", release, smaller.folder, "--json")
    assert (told.status, told.facts["counts"]) == (0, {"removed": 8})
    assert {change["category"] for change in told.facts["changes"]} == {"pcb4"}
    shown = here("diff", release, smaller.folder)
    assert shown.status == 0 and "\n8 images removed\n" in shown.out
