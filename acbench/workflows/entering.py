"""Enters a system in the leaderboard of a release: its score and its answers, as one pull request on the Hub."""

from __future__ import annotations

import dataclasses
import hashlib
import re
import shlex
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from acbench._util.text import tidy
from acbench.errors import AcbenchError
from acbench.evaluation import answer_files
from acbench.evaluation import predictions as reading
from acbench.evaluation.predictions import MAX_SHOWN, Answers
from acbench.evaluation.result import Provenance, Scored
from acbench.evaluation.scoring import ScoringOptions, score_answers
from acbench.evaluation.truth import Truth
from acbench.integrations.huggingface.hub import Repository, looks_like_repo
from acbench.integrations.huggingface.pulls import Pulls
from acbench.records import JOIN
from acbench.release import manifest as manifests
from acbench.release.card_use import standings
from acbench.release.entries import read_manifest
from acbench.release.folder import ReleaseFolder
from acbench.release.hub import Busy, Conflict, Head, HubError, Unclear
from acbench.release.leaderboard import (
    ANSWERS,
    FOLDER,
    SCORE,
    answers_csv,
    folder_of,
    parse,
    parse_answers,
    score_json,
    standing_of,
)
from acbench.release.manifest import Manifest
from acbench.release.patience import Patience
from acbench.release.standings import MAX_NAME
from acbench.review.csv_queue import inert
from acbench.schema import argument, load
from acbench.storage.project import existing_project
from acbench.storage.typed_json import any_json
from acbench.workflows.releases import open_release
from acbench.workflows.score import ScoreOptions, load_truth

_URL = re.compile(r"https://[^/]+/datasets/([A-Za-z0-9._-]+/[A-Za-z0-9._-]+)")
PLACEHOLDER = "ORG/NAME"
"""Stands in a release that was built for no repository."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewEntry:
    """An entry that is not in the repository yet."""

    repo: str
    manifest: Manifest
    path: str
    """Folder in the repository."""
    scored: Scored
    files: dict[str, bytes]
    """Path in the repository → content."""

    @property
    def title(self) -> str:
        """The title of its pull request; it tells one entry from another."""
        version = self.manifest.version
        return f"Leaderboard: {self.scored.system} on version {version} ({self.path.rpartition('/')[2]})"

    @property
    def description(self) -> str:
        """What the pull request says, as Markdown."""
        standing = standing_of(parse(self.files[f"{self.path}/{SCORE}"], SCORE), self.path)
        command = (
            f"acbench score --truth {shlex.quote(self.repo)}@{self.manifest.tag} --predictions {self.path}/{ANSWERS}"
        )
        return (
            f"{standings([standing])}\n\nIn percent, {standing.items:,} test images, as the mean over the categories,"
            f" with 95 % intervals. `{command}` scores the answers again;"
            f" `acbench verify {shlex.quote(self.repo)}` does so once they are merged. No other file is touched."
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Entered:
    """What became of an entry."""

    entry: NewEntry
    url: str
    """Address of its pull request; empty if it is in the leaderboard, or if nobody asked for one."""
    there: bool
    """Whether it was there, or proposed, already."""
    others: list[str]
    """Folders of other entries of the same system and version, which stay."""


def enter(
    options: ScoreOptions, note: Callable[[str], None], *, dry_run: bool, wait: Callable[[float], None] = time.sleep
) -> Entered:
    """Score answers against a release, and propose score and answers to its repository.

    Whatever was interrupted can be run again: an entry that is there or proposed is found. Of two that are proposed at
    the same moment, the second is closed. `dry_run`: propose nothing.
    Raises AcbenchError, also for answers that are no fair entry.
    """
    options = _with_release(options)
    repo = str(options.truth).partition("@")[0]
    if not looks_like_repo(repo) or Path(str(options.truth)).exists():
        raise AcbenchError(
            f"{options.truth} is no release on the Hub, so it has no leaderboard", "--truth ORG/NAME@v1.0.0"
        )
    hub, pulls = Repository(repo), Pulls(repo)
    if not dry_run:
        pulls.check_token()
    entry = new_entry(options, repo, note)
    patience = Patience(note, wait)
    while True:
        try:
            head = hub.at()
            if head is None:
                raise HubError(f"there is no dataset {entry.repo} on the hub", "check the name")
            others = _others(entry, head)
            if _is_in(entry, head):
                return Entered(entry=entry, url="", there=True, others=others)
            answers = f"{entry.path}/{ANSWERS}"
            same = partial(pulls.find, entry.title, answers, _content_ids(entry.files[answers]))
            if known := same():
                return Entered(entry=entry, url=known.url, there=True, others=others)
            if dry_run:
                return Entered(entry=entry, url="", there=False, others=others)
            made = pulls.propose(entry.files, head.commit, entry.title, entry.description)
            first = same()
            if first is None or first.number >= made.number:
                return Entered(entry=entry, url=made.url, there=False, others=others)
            if refused := pulls.close(made, f"The same entry was proposed a moment earlier: {first.url}"):
                note(f"{made.url} proposes the same entry once more, and could not be closed: {refused}")
            return Entered(entry=entry, url=first.url, there=True, others=others)
        except (Conflict, Unclear, Busy) as error:
            patience.spend(error)


def new_entry(options: ScoreOptions, repo: str, note: Callable[[str], None]) -> NewEntry:
    """Score answers as they will lie in the repository; `note` tells what they lose by that.

    Raises AcbenchError for what is no entry of a leaderboard.
    """
    assert options.truth is not None and options.predictions is not None, "checked by the command"
    name = options.name or options.predictions.stem
    if not 0 < len(name) <= MAX_NAME or not name.isprintable():
        raise AcbenchError("the name of the system is no name", f"--name, up to {MAX_NAME} printable characters")
    manifest = read_manifest(open_release(options.truth))
    truth = load_truth(options)
    rows = answer_files.read(options.predictions, options.column)
    given = reading.match(rows, truth, options.column)
    if given.unscored:
        note(f"{given.unscored:,} answers are about images that are not scored: they are no part of the entry")
    if given.table(truth).probabilities:
        note("an entry holds classes, and no probabilities")
    if given.note:
        note(given.note)
    answers = answers_csv(_plain(given, truth))
    kept = reading.match(parse_answers(answers, ANSWERS), truth)
    if given.table(truth).labels != kept.table(truth).labels:
        raise AcbenchError("the answers cannot be written so that they read the same", "this is a fault of acbench")
    made_by = Provenance(system=name, localisation=options.localisation or "not_stated")
    scored = score_answers(truth, kept, made_by, ScoringOptions(leaderboard=True))
    path = folder_of(manifest.version, name, answers)
    files = {f"{path}/{ANSWERS}": answers, f"{path}/{SCORE}": score_json(manifest.version, answers, scored.facts)}
    return NewEntry(repo=repo, manifest=manifest, path=path, scored=scored, files=files)


def _with_release(options: ScoreOptions) -> ScoreOptions:
    """The options with the release that a project has published, where they name none. Raises AcbenchError."""
    if options.truth is not None:
        return options
    assert options.benchmark is not None, "checked by the command"
    hint = f"acbench score {argument(options.benchmark, options.project)} --truth ORG/NAME@v1.0.0 …"
    benchmark = load(options.benchmark, options.project).benchmark
    folder = existing_project(options.project).benchmark(benchmark).workspace / "release"
    try:
        release = ReleaseFolder(folder)
        manifest = read_manifest(release)
        url = any_json(release.read(manifests.CROISSANT, manifests.MAX_BYTES)).get("url")
    except (AcbenchError, ValueError, AttributeError):
        raise AcbenchError(f"which release of {options.benchmark}? This project has built none", hint) from None
    found = _URL.fullmatch(str(url))
    if found is None or found[1] == PLACEHOLDER:
        raise AcbenchError(f"which release of {options.benchmark}? The one built here is for no repository", hint)
    return dataclasses.replace(options, truth=f"{found[1]}@{manifest.tag}")


def _plain(answers: Answers, truth: Truth) -> list[tuple[str, str]]:
    """Answers as item_id and class ids; an answer that names no class as it was, shortened."""
    rows = []
    table = answers.table(truth)
    for place, item_id in zip(table.answered.tolist(), table, strict=True):
        answer = table.at(place)
        said = JOIN.join(answer.outcome.labels) if answer.outcome.usable else ""
        if answer.outcome.status == "unknown":
            said = inert(tidy(answer.raw, MAX_SHOWN))
        rows.append((item_id, said))
    return rows


def _is_in(entry: NewEntry, head: Head) -> bool:
    """Whether the repository holds the entry. Raises HubError if something else lies in its place."""
    there = {path: head.files[path] for path in entry.files if path in head.files}
    if not there:
        return False
    answers = f"{entry.path}/{ANSWERS}"
    if there.get(answers) in _content_ids(entry.files[answers]) and len(there) == len(entry.files):
        return True
    raise HubError(
        f"{entry.repo} holds something else in {entry.path}",
        f"see what it is: acbench verify {shlex.quote(entry.repo)}",
    )


def _content_ids(data: bytes) -> set[str]:
    """The ids that a hub may give to a content: see `Head.files`."""
    blob = hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False)
    return {f"sha256:{hashlib.sha256(data).hexdigest()}", f"git:{blob.hexdigest()}"}


def _others(entry: NewEntry, head: Head) -> list[str]:
    """Other entries of the same system and version, by folder."""
    system, _, _ = entry.path.rpartition("/")
    found = {path.rpartition("/")[0] for path in head.files if path.startswith(f"{system}/")}
    return sorted(path for path in found if path.startswith(FOLDER) and path != entry.path)
