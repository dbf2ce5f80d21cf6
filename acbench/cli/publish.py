"""`acbench publish`, `verify` and `diff`: releases, made, checked and compared."""

from __future__ import annotations

import dataclasses
import json
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from acbench.cli.options import (
    Command,
    benchmark_argument,
    json_option,
    opened,
    option,
    project_option,
    root_option,
)
from acbench.cli.screen import Screen
from acbench.errors import AcbenchError

if TYPE_CHECKING:
    from acbench.records import Finding
    from acbench.release.entries import ReleaseSource
    from acbench.release.folder import ReleaseFolder
    from acbench.release.verify.verify import Verified

SHOWN = 5
"""So many findings of a kind are shown on the screen; `--json` gives them all."""

PUBLISH = """\b
Examples:
  acbench publish mvtec_ac --root ~/data/mvtec_ad --dry-run
  acbench publish mvtec_ac --repo my-org/mvtec-ac
  acbench publish visa_ac --repo my-org/visa-ac --labels-only --version 1.1.0
"""
VERIFY = """\b
Examples:
  acbench verify my-org/mvtec-ac --revision v1.0.0
  acbench verify .acbench/mvtec_ac/release
"""
DIFF = """\b
Examples:
  acbench diff my-org/mvtec-ac@v1.0.0 my-org/mvtec-ac
  acbench diff my-org/mvtec-ac .acbench/mvtec_ac/release
"""


@click.command(cls=Command, epilog=PUBLISH)
@benchmark_argument
@root_option("The dataset's folder or URL, whose images are hashed.  [default: that of the last command]")
@option("--repo", metavar="ORG/NAME", help="Dataset repository on the Hub; made if it is not there.")
@option("--dry-run", is_flag=True, help="Build and check the release folder, show the card, upload nothing.")
@option(
    "--labels-only", is_flag=True, help="Leave the images out.  [default: if their licence asks for more than credit]"
)
@option("--with-images", is_flag=True, help="Put the images in, if their licence lets anybody do so.")
@option(
    "--version",
    metavar="MAJOR.MINOR.PATCH",
    help="Of the release; other labels need a later one.  [default: the published one, or 1.0.0]",
)
@option("--private", is_flag=True, help="If the repository is made now, make it private.")
@json_option
@project_option
def publish(
    benchmark: str,
    project: Path,
    root: str | None,
    repo: str | None,
    dry_run: bool,
    labels_only: bool,
    with_images: bool,
    version: str | None,
    private: bool,
    as_json: bool,
) -> int:
    """Make a release of the labels, check it, and upload it as one commit with a tag.

    The folder is `.acbench/<benchmark>/release/`. A run that was killed or refused can be run again: nothing is
    committed twice. HF_TOKEN is the token, HF_ENDPOINT another hub than huggingface.co.
    """
    from acbench.integrations.huggingface.croissant import Croissant
    from acbench.integrations.huggingface.datasets import Tables
    from acbench.integrations.huggingface.hub import Repository
    from acbench.release.folder import ReleaseFolder
    from acbench.release.upload import Upload
    from acbench.workflows.publish import Publisher
    from acbench.workflows.run import Options
    from acbench.workflows.settings import SettingChanges

    if labels_only and with_images:
        raise click.UsageError("--labels-only and --with-images exclude each other")
    if repo is None and not dry_run:
        raise click.UsageError("give --repo ORG/NAME, or --dry-run to see what would be published")
    hub = Repository(repo) if repo else None
    images = True if with_images else False if labels_only else None
    with opened(project, benchmark, Options(changes=SettingChanges(root=root))) as run:
        tables, describer = Tables(), Croissant()
        built = Publisher(run=run, tables=tables, describer=describer, hub=hub, version=version, images=images).build()
        checked = _verify(ReleaseFolder(built.folder), tables, describer)
        if checked.failed:
            _tell(checked.findings)
            raise AcbenchError("the release that was built is not sound, so nothing was uploaded", "please report it")
        done = None
        if hub and not dry_run:
            done = Upload(
                hub=hub,
                folder=built.folder,
                manifest=built.manifest,
                base=built.base,
                private=private,
                note=run.console.note,
            ).run()
    facts = {
        **_facts(checked),
        "folder": str(built.folder),
        "repo": repo,
        "tag": built.manifest.tag,
        "changes": None if built.changes is None else [dataclasses.asdict(each) for each in built.changes],
        "commit": done.commit if done else None,
        "already_there": done.again if done else False,
    }
    if as_json:
        click.echo(json.dumps(facts, indent=1, ensure_ascii=False))
        return 0
    if dry_run:
        click.echo((built.folder / "README.md").read_text(encoding="utf-8"))
    _tell(checked.findings)
    kind = "with images" if built.manifest.images else "labels only"
    click.echo(
        f"{built.manifest.title} {built.manifest.version}: {built.manifest.rows:,} rows, {kind}, in {built.folder}"
    )
    if done is None:
        click.echo("Nothing was uploaded.")
    else:
        what = "was there already" if done.again else "is published"
        click.echo(f"{repo} {what}: tag {built.manifest.tag}, commit {done.commit}")
    return 0


@click.command(epilog=VERIFY)
@click.argument("release", metavar="REPO|FOLDER")
@option("--revision", metavar="TAG", help="Tag, branch or commit of a repository.  [default: its head]")
@json_option
def verify(release: str, revision: str | None, as_json: bool) -> int:
    """Check a release: hashes, tables, licence, class balance, duplicates, and that `datasets` loads it right.

    A repository is read through the download cache, so that what is checked is what `load_dataset` uses. Nothing in it
    is executed. Exit status 3 if anything is wrong.
    """
    from acbench.integrations.huggingface.croissant import Croissant
    from acbench.integrations.huggingface.datasets import Tables

    folder, extra = _fetched(release, revision)
    checked = _verify(folder, Tables(), Croissant())
    checked = dataclasses.replace(checked, findings=[*extra, *checked.findings])
    if as_json:
        click.echo(json.dumps(_facts(checked), indent=1, ensure_ascii=False))
        return 3 if checked.failed else 0
    from acbench._util.console import table

    found = checked.manifest
    labels = ", ".join(f"{number:,} {status}" for status, number in checked.statuses.items())
    click.echo(f"{folder.name}: {found.title} {found.version}, {found.rows:,} rows ({labels}), {found.licence}")
    rows = [("category", "accepted test images by class")]
    rows += [
        (category, ", ".join(f"{name} {number:,}" for name, number in counts.items()))
        for category, counts in checked.classes.items()
    ]
    click.echo(table(rows))
    _tell(checked.findings)
    click.echo("Not sound: see ✗ above." if checked.failed else "Sound: it is what it says.")
    return 3 if checked.failed else 0


@click.command(epilog=DIFF)
@click.argument("before", metavar="A")
@click.argument("after", metavar="B")
@json_option
def diff(before: str, after: str, as_json: bool) -> int:
    """What changed from release A to release B, image by image with reasons.

    Each is a folder or ORG/NAME[@REVISION]. Of a repository only the columns with labels are fetched.
    """
    from acbench._util.console import table
    from acbench._util.text import printable
    from acbench.release import diff as comparing
    from acbench.release.entries import entries, manifest

    places = [place_of(each) for each in (before, after)]
    found = [manifest(place) for place in places]
    changes = comparing.diff(*(entries(place, one) for place, one in zip(places, found, strict=True)))
    counts = comparing.counts(changes)
    if as_json:
        rows = [dataclasses.asdict(each) for each in changes]
        versions = [{"release": place.name, "version": one.version} for place, one in zip(places, found, strict=True)]
        click.echo(json.dumps({"before": versions[0], "after": versions[1], "counts": counts, "changes": rows},
                              indent=1, ensure_ascii=False))  # fmt: skip
        return 0
    click.echo(f"{found[0].title} {found[0].version} → {found[1].title} {found[1].version}")
    if not changes:
        click.echo("No label changed.")
        return 0
    click.echo(f"{comparing.summary(changes)}\n")
    lines = [("image", "before", "now", "reason")]
    lines += [(each.image, each.before or "–", each.after or "–", each.reason) for each in changes]
    click.echo(table([tuple(map(printable, line)) for line in lines]))
    return 0


def _verify(folder: ReleaseFolder, tables: Any, describer: Any) -> Verified:
    from acbench.release.verify.verify import verify as check

    return check(folder, tables, describer, Screen().stage)


def _facts(checked: Verified) -> dict[str, Any]:
    from acbench.release.verify.verify import facts

    return facts(checked)


def place_of(text: str) -> ReleaseSource:
    """A release to read labels from: a folder, or ORG/NAME[@REVISION]."""
    from acbench.integrations.huggingface.hub import Repository, looks_like_repo
    from acbench.release.folder import ReleaseFolder

    if Path(text).is_dir():
        return ReleaseFolder(Path(text))
    repo, _, revision = text.partition("@")
    if not looks_like_repo(repo):
        raise AcbenchError(f"{text} is neither a folder nor ORG/NAME", "give a release, such as my-org/mvtec-ac@v1.0.0")
    return Repository(repo).place(revision or None)


def _fetched(text: str, revision: str | None) -> tuple[ReleaseFolder, list[Finding]]:
    """A release on this machine, and what was not fetched of it."""
    from acbench.integrations.huggingface.hub import Repository, looks_like_repo
    from acbench.records import Finding
    from acbench.release.folder import ReleaseFolder

    if Path(text).is_dir():
        if revision:
            raise click.UsageError("--revision goes with a repository, not with a folder")
        return ReleaseFolder(Path(text)), []
    repo, _, named = text.partition("@")
    if not looks_like_repo(repo):
        raise AcbenchError(f"{text} is neither a folder nor ORG/NAME", "acbench verify my-org/mvtec-ac")
    hub = Repository(repo)
    folder, commit = hub.download(revision or named or None)
    what = "it is no part of a release, and was not fetched"
    hint = "remove it: a release holds data only"
    return folder, [
        Finding(path=path[:200], kind="unexpected_file", detail=what, hint=hint, failed=True)
        for path in hub.strangers(commit)
    ]


def _tell(findings: list[Finding]) -> None:
    """Findings, errors first, and of each kind only the first few. What a stranger wrote may hold anything."""
    from acbench._util.text import printable

    told: Counter[str] = Counter()
    for each in sorted(findings, key=lambda one: not one.failed):
        told[each.kind] += 1
        if told[each.kind] <= SHOWN:
            hint = f"\n    → {each.hint}" if each.hint else ""
            click.echo(f"{'✗' if each.failed else '!'} {printable(each.path)}: {printable(each.detail)}{hint}")
    for kind, number in told.items():
        if number > SHOWN:
            click.echo(f"! and {number - SHOWN:,} more of {kind}: --json lists them")
