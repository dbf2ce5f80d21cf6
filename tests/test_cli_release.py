"""`acbench publish`, `verify` and `diff` as people meet them, with no hub in sight."""

from __future__ import annotations

import json
import shlex
import shutil
import sys
from pathlib import Path

import pytest
from releases import build

from acbench.cli.main import main
from acbench.testing import toy_visa


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with a release of it. Not to be changed."""
    project = tmp_path_factory.mktemp("project")
    build(project, root=toy_visa(project / "images"))
    return project


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    """The exit status of a command."""
    monkeypatch.setattr(sys, "argv", ["acbench", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    assert isinstance(ended.value.code, int)
    return ended.value.code


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
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], command: str, status: int,
    message: str,
) -> None:  # fmt: skip
    monkeypatch.chdir(project)
    monkeypatch.setenv("ACBENCH_PROJECT", str(project))
    words = [".acbench/visa_ac/release" if word == "release" else word for word in shlex.split(command)]
    assert run(monkeypatch, *words) == status
    error = capsys.readouterr().err
    assert message in error
    assert error.count("Error: ") == 1
    assert ("\n  → " in error) == (status == 1)


def test_a_dry_run_shows_the_card_and_the_folder(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "publish", "visa_ac", "--dry-run", "--project", str(project)) == 0
    out = capsys.readouterr().out
    card = (project / ".acbench/visa_ac/release/README.md").read_text(encoding="utf-8")
    assert out.startswith(card)
    assert card.startswith("---\nlicense: ") and "\n---\n\n# VisA-AC\n" in card
    assert out.endswith("Nothing was uploaded.\n")
    assert run(monkeypatch, "publish", "visa_ac", "--dry-run", "--json", "--project", str(project)) == 0
    facts = json.loads(capsys.readouterr().out)
    assert (facts["tag"], facts["commit"], facts["failed"], facts["images"]) == ("v1.0.0", None, False, True)


def test_a_release_is_made_of_bundled_labels_and_a_folder_of_images(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ("publish", "visa_ac", "--dry-run", "--json", "--project", str(tmp_path))
    assert run(monkeypatch, *command, "--root", str(project / "images")) == 0
    assert json.loads(capsys.readouterr().out)["rows"] == 16
    assert run(monkeypatch, *command) == 0  # the folder is remembered
    capsys.readouterr()


def test_diff_lists_what_changed(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    release = str(project / ".acbench/visa_ac/release")
    assert run(monkeypatch, "diff", release, release) == 0
    assert capsys.readouterr().out.endswith("No label changed.\n")
    shutil.copytree(project / "images", tmp_path / "images", ignore=shutil.ignore_patterns("pcb4"))
    smaller = build(tmp_path, root=tmp_path / "images")
    assert run(monkeypatch, "diff", release, str(smaller.folder), "--json") == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["counts"] == {"removed": 8}
    assert run(monkeypatch, "diff", release, str(smaller.folder)) == 0
    assert "\n8 images removed\n" in capsys.readouterr().out
    assert {change["category"] for change in facts["changes"]} == {"pcb4"}
