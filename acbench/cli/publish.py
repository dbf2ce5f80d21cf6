"""`acbench publish`, `verify` and `diff`: make, check and compare releases."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from acbench._util.text import json_text
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

if TYPE_CHECKING:
    from acbench.records import Finding
    from acbench.workflows.finish_tag import Finished
    from acbench.workflows.publish import PublishedRelease

SHOWN = 5
"""How many findings of a kind the screen shows; `--json` gives them all."""

PUBLISH = """\b
Examples:
  acbench publish mvtec_ac --root ~/data/mvtec_ad --dry-run
  acbench publish mvtec_ac --repo my-org/mvtec-ac
  acbench publish visa_ac --repo my-org/visa-ac --labels-only --version 1.1.0
  acbench publish visa_ac --repo my-org/visa-ac --deprecate v1.0.0 --because "labels of pcb4 were mixed up"
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
@root_option("The dataset's folder or URL; its images are hashed.  [default: that of the last command]")
@option("--repo", metavar="ORG/NAME", help="Dataset repository on the Hub; made if it does not exist.")
@option("--dry-run", is_flag=True, help="Build and check the release folder, show the card, upload nothing.")
@option(
    "--labels-only", is_flag=True, help="Leave the images out.  [default: if their licence asks for more than credit]"
)
@option("--with-images", is_flag=True, help="Put the images in, even if their licence asks for more than credit.")
@option(
    "--version",
    metavar="MAJOR.MINOR.PATCH",
    help="Version of the release; changed labels need a later one.  [default: the published one, or 1.0.0]",
)
@option("--replace", is_flag=True, help="Delete the files of a repository that holds no release of this benchmark.")
@option("--withdraw-decisions", is_flag=True, help="Publish even if decisions of people in the last release are lost.")
@option("--odd-version", is_flag=True, help="Publish under a version that does not fit what has changed.")
@option("--private", is_flag=True, help="If the repository is made now, make it private.")
@option(
    "--deprecate",
    metavar="VERSION",
    help="Publish nothing; mark this version in the repository as not to be used any more. Needs --because.",
)
@option("--undeprecate", metavar="VERSION", help="Publish nothing; take the mark of --deprecate off this version.")
@option("--because", metavar="TEXT", help="Why the version of --deprecate is not to be used.")
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
    replace: bool,
    withdraw_decisions: bool,
    odd_version: bool,
    private: bool,
    deprecate: str | None,
    undeprecate: str | None,
    because: str | None,
    as_json: bool,
) -> int:
    """Make a release of the labels, check it, and upload it as one commit with a tag.

    The folder is `.acbench/<benchmark>/release/`. A run that was killed or refused can be run again: nothing is
    committed twice. HF_TOKEN holds the token; HF_ENDPOINT names another hub than huggingface.co.
    """
    from acbench.workflows.publish import PublishOptions, UnsoundReleaseError, finish
    from acbench.workflows.publish import publish as run_publish
    from acbench.workflows.publish_checks import EarlierVersionError
    from acbench.workflows.run import Options
    from acbench.workflows.settings import SettingChanges

    if labels_only and with_images:
        raise click.UsageError("--labels-only and --with-images exclude each other")
    if deprecate is not None or undeprecate is not None or because is not None:
        others = {
            "--root": root, "--labels-only": labels_only, "--with-images": with_images, "--version": version,
            "--replace": replace, "--withdraw-decisions": withdraw_decisions, "--odd-version": odd_version,
            "--private": private,
        }  # fmt: skip
        if undeprecate is not None and (deprecate is not None or because is not None or repo is None):
            raise click.UsageError("a mark is taken off by --repo ORG/NAME --undeprecate VERSION, and nothing more")
        if undeprecate is None and (repo is None or not deprecate or because is None):
            raise click.UsageError('a mark is set by --repo ORG/NAME --deprecate VERSION --because "what is wrong"')
        if unused := [name for name, value in others.items() if value]:
            raise click.UsageError(f"{unused[0]} says nothing about a mark: leave it out")
        assert repo is not None, "checked above"
        version = undeprecate or deprecate or ""
        return _mark(benchmark, project, repo, version, because, upload=not dry_run, as_json=as_json)
    if repo is None and not dry_run:
        raise click.UsageError("give --repo ORG/NAME, or --dry-run to see what would be published")
    options = PublishOptions(
        version=version,
        images=True if with_images else False if labels_only else None,
        replace=replace,
        withdraw=withdraw_decisions,
        odd=odd_version,
    )
    with opened(project, benchmark, Options(changes=SettingChanges(root=root), asks=False)) as run:
        try:
            published = run_publish(run, repo, options, upload=not dry_run, private=private)
        except UnsoundReleaseError as error:
            _show(error.verified.findings)
            raise
        except EarlierVersionError:
            tagged = finish(run, repo, version, upload=not dry_run) if repo else None
            if repo is None or tagged is None:
                raise
            return _print_finished(repo, tagged, upload=not dry_run, as_json=as_json)
    if as_json:
        click.echo(json_text(published.to_json()))
        return 0
    built, uploaded = published.built, published.uploaded
    if dry_run:
        click.echo((built.folder / "README.md").read_text(encoding="utf-8"))
    _show(published.verified.findings)
    kind = "with images" if built.manifest.images else "labels only"
    click.echo(
        f"{built.manifest.title} {built.manifest.version}: {built.manifest.rows:,} rows, {kind}, in {built.folder}"
    )
    _show_changes(published)
    if uploaded is None:
        click.echo("Nothing was uploaded.")
    else:
        what = "was there already" if uploaded.already_there else "is published"
        click.echo(f"{repo} {what}: tag {built.manifest.tag}, commit {uploaded.commit}")
    return 0


def _print_finished(repo: str, finished: Finished, *, upload: bool, as_json: bool) -> int:
    if as_json:
        click.echo(json_text({"repo": repo, "tagged": upload, **dataclasses.asdict(finished)}))
        return 0
    said = "is set now" if upload else "is missing, and would be set"
    click.echo(
        f"{repo} holds {finished.tag} already, below {finished.newest}: its tag {said}, commit {finished.commit}"
    )
    click.echo("Nothing else was uploaded." if upload else "Nothing was uploaded.")
    return 0


def _mark(
    benchmark: str, project: Path, repo: str, version: str, reason: str | None, *, upload: bool, as_json: bool
) -> int:
    """Set the mark of a version, or take it off; without a `reason`."""
    from acbench._util.text import printable
    from acbench.workflows.deprecate import deprecate_version

    done = deprecate_version(benchmark, project, repo, version, reason, note=Screen().note, upload=upload)
    if as_json:
        click.echo(json_text(done.to_json()))
        return 0
    if done.told:
        click.echo(printable(done.told))
        click.echo(
            f"Who loads v{done.version} gets what they always got: score, diff, verify and attach_images say so."
        )
    else:
        click.echo(f"Version {done.version} may be used: it is not marked as deprecated.")
    if done.told and done.newest == done.version:
        click.echo("It is the newest version: publish a corrected one, so that there is something to use instead.")
    if done.already_there:
        click.echo(f"{repo} says so already: commit {done.commit}")
    else:
        click.echo(f"{repo} says so: commit {done.commit}" if upload else "Nothing was uploaded.")
    return 0


@click.command(epilog=VERIFY)
@click.argument("release", metavar="REPO|FOLDER")
@option("--revision", metavar="TAG", help="Tag, branch or commit of a repository.  [default: its head]")
@option(
    "--schema",
    metavar="FILE",
    help="Its label schema.  [default: the bundled one of its name, or the one that it holds]",
)
@json_option
def verify(release: str, revision: str | None, schema: str | None, as_json: bool) -> int:
    """Check a release: hashes, tables, licence, class balance, duplicates, and whether `datasets` loads it right.

    What follows from something else is derived anew: each label from its votes by the named policy, the card from the
    tables, licences from the source. What could not be checked is said.

    A repository is read through the download cache, so these are the files that `load_dataset` uses. Nothing in it is
    executed. The exit status is 3 if anything is wrong.
    """
    from acbench import schema as schemas
    from acbench._util.console import table
    from acbench.workflows.releases import check_release

    if revision and Path(release).is_dir():
        raise click.UsageError("--revision goes with a repository, not with a folder")
    checked = check_release(release, revision, schemas.load(schema) if schema else None, Screen())
    verified = checked.verified
    status = 3 if verified.failed else 0
    if as_json:
        click.echo(json_text(verified.to_json()))
        return status
    manifest = verified.manifest
    labels = ", ".join(f"{number:,} {label}" for label, number in verified.statuses.items())
    click.echo(
        f"{checked.name}: {manifest.title} {manifest.version}, {manifest.rows:,} rows ({labels}), {manifest.licence}"
    )
    rows = [
        (category, ", ".join(f"{name} {number:,}" for name, number in counts.items()))
        for category, counts in verified.classes.items()
    ]
    click.echo(table([("category", "accepted test images by class"), *rows]))
    _show(verified.findings)
    if verified.failed:
        click.echo("Not sound: see ✗ above.")
    elif number := len(verified.unchecked):
        click.echo(f"Sound as far as it was checked: {number} {'thing was' if number == 1 else 'things were'} not.")
    else:
        click.echo("Sound: it is what it says.")
    return status


@click.command(epilog=DIFF)
@click.argument("before", metavar="A")
@click.argument("after", metavar="B")
@json_option
def diff(before: str, after: str, as_json: bool) -> int:
    """Show what changed from release A to release B, image by image with reasons.

    Each is a folder or ORG/NAME[@REVISION]. From a repository, only the columns with labels are fetched.
    """
    from acbench._util.console import table
    from acbench._util.text import printable
    from acbench.release.diff import summary
    from acbench.workflows.releases import diff_releases

    compared = diff_releases(before, after, Screen().note)
    if as_json:
        click.echo(json_text(compared.to_json()))
        return 0
    old, new = compared.before.manifest, compared.after.manifest
    click.echo(f"{old.title} {old.version} → {new.title} {new.version}")
    if not compared.changes:
        click.echo("No label changed.")
        return 0
    click.echo(f"{summary(compared.changes)}\n")
    rows = [(change.image, change.before or "–", change.after or "–", change.reason) for change in compared.changes]
    click.echo(table([("image", "before", "now", "reason"), *(tuple(map(printable, row)) for row in rows)]))
    return 0


def _show_changes(published: PublishedRelease) -> None:
    """Show what a release does to the last one, the first few images of each kind, and which files stay or go."""
    from acbench._util.text import printable
    from acbench.release.diff import count_effects, effects

    built = published.built
    if built.losses is not None and built.ground.base is not None:
        changes = built.losses.changes
        click.echo(f"Against {built.ground.base.version}: {effects(count_effects(changes))}.")
        shown: Counter[str] = Counter()
        for change in changes:
            shown[change.effect] += 1
            if shown[change.effect] <= SHOWN:
                lost = ", and a decision of people is lost" if change.loses_decision else ""
                before, after = change.before or "–", change.after or "–"
                click.echo(f"  {change.effect}: {printable(change.image)}: {printable(f'{before} → {after}')}{lost}")
    goes, stays = built.ground.replaces, published.beside
    for what, files in (("Beside it stay", stays), ("Deleted" if published.uploaded else "To be deleted", goes)):
        if files:
            more = f" and {len(files) - SHOWN:,} more" if len(files) > SHOWN else ""
            click.echo(f"{what}: {', '.join(map(printable, files[:SHOWN]))}{more}")


def _show(findings: Iterable[Finding]) -> None:
    """Show findings, faults first, and only the first few of each kind. They quote untrusted text."""
    from acbench._util.text import printable

    shown: Counter[str] = Counter()
    for finding in sorted(findings, key=lambda finding: not finding.failed):
        shown[finding.kind] += 1
        if shown[finding.kind] <= SHOWN:
            hint = f"\n    → {finding.hint}" if finding.hint else ""
            mark = "✗" if finding.failed else "!"
            click.echo(f"{mark} {printable(finding.path)}: {printable(finding.detail)}{hint}")
    for kind, number in shown.items():
        if number > SHOWN:
            click.echo(f"! and {number - SHOWN:,} more of {kind}: --json lists them")
