"""Computes the entries of a leaderboard anew from their answers: whoever proposed one may have written anything."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice

from acbench import __version__
from acbench._util.text import printable
from acbench.errors import AcbenchError
from acbench.evaluation import predictions as reading
from acbench.evaluation.result import Provenance
from acbench.evaluation.scoring import ScoringOptions, score_answers
from acbench.evaluation.truth import Truth, TruthOptions
from acbench.records import Finding
from acbench.release.entries import ReleaseReader
from acbench.release.hub import Hub
from acbench.release.leaderboard import (
    ANSWERS,
    MAX_ANSWERS,
    MAX_ENTRIES,
    MAX_SCORE,
    SCORE,
    Entry,
    entries_in,
    folder_of,
    parse,
    parse_answers,
    standing_of,
)
from acbench.release.manifest import Manifest
from acbench.release.standings import Standing
from acbench.release.verify.findings import fault, unchecked
from acbench.schema import Schema
from acbench.workflows.publish_checks import Ground
from acbench.workflows.run import Run
from acbench.workflows.truth import release_truth

NEAR = 2e-6
"""Figures that differ by less are the same: other libraries round otherwise."""
_HINT = "do not believe it; an owner of the repository can remove its folder"

OpenVersion = Callable[[str], ReleaseReader]
"""Opens a version of the benchmark, such as 1.0.0. Raises AcbenchError."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedEntry:
    """An entry that was computed anew."""

    path: str
    standing: Standing | None
    """What it says; None if it cannot be read."""
    wrong: str
    """Why it is not what its answers give; empty if it is, as far as that was checked."""
    why_not: str
    """What could not be checked, and why; empty if all was."""


class _Different(Exception):
    """What an entry says and its answers do not give."""


class Leaderboard:
    """The entries in the repository of a release."""

    def __init__(self, files: ReleaseReader, paths: Iterable[str], open_version: OpenVersion, schema: Schema | None):
        """`paths`: of all files there. `schema`: as for `release_truth`."""
        self._files, self._open, self._schema = files, open_version, schema
        self.folders = entries_in(paths)
        self._truths: dict[str, Truth | str] = {}

    def entries(self) -> Iterator[CheckedEntry]:
        """Check every entry, by folder."""
        for path in islice(self.folders, MAX_ENTRIES):
            yield self._checked(path)

    def _checked(self, path: str) -> CheckedEntry:
        standing, why_not = None, ""
        try:
            entry = parse(self._files.read(f"{path}/{SCORE}", MAX_SCORE), f"{path}/{SCORE}")
            answers = self._files.read(f"{path}/{ANSWERS}", MAX_ANSWERS)
            standing = standing_of(entry, path)
            if folder_of(entry.version, entry.system, answers) != path:
                raise _Different("its folder is not that of its version, system and answers")
            why_not = self._compare(entry, answers)
        except _Different as error:
            return CheckedEntry(path=path, standing=standing, wrong=str(error), why_not="")
        except AcbenchError as error:
            return CheckedEntry(path=path, standing=standing, wrong=error.message, why_not="")
        return CheckedEntry(path=path, standing=standing, wrong="", why_not=why_not)

    def _compare(self, entry: Entry, answers: bytes) -> str:
        """Score the answers again. Gives why not all could be compared; raises _Different, or AcbenchError."""
        truth = self._truth(entry.version)
        if isinstance(truth, str):
            return truth
        if entry.hashes.get("labels") != truth.hashes["labels"]:
            raise _Different(f"the labels that it was scored by are not those of version {entry.version}")
        if (entry.view, entry.hashes.get("schema")) != (truth.view, truth.hashes["schema"]):
            return "it was scored with another label schema than the one that is known here"
        made_by = Provenance(
            system=entry.system, localisation=entry.localisation, detail=entry.localisation_detail
        )  # fmt: skip
        kept = reading.match(parse_answers(answers, ANSWERS), truth)
        facts = score_answers(truth, kept, made_by, ScoringOptions(leaderboard=True)).facts
        for key, said in (("items", entry.items), ("hashes", entry.hashes), ("counts", entry.counts)):
            if facts[key] != said:
                raise _Different(f"its {key} are not those of its answers")
        same_version = entry.acbench == __version__
        if wrong := _other_figure(entry.scores, facts["scores"], intervals=same_version):
            raise _Different(wrong)
        return "" if same_version else f"its intervals: acbench {printable(entry.acbench[:40])} computed them"

    def _truth(self, version: str) -> Truth | str:
        """What a version says is true; else why nobody can know."""
        if version not in self._truths:
            try:
                self._truths[version] = release_truth(self._open(version), self._schema, TruthOptions())
            except AcbenchError as error:
                self._truths[version] = f"its score against version {version}: {error.message}"
        return self._truths[version]


def check(leaderboard: Leaderboard, manifest: Manifest) -> Iterator[Finding]:
    """Report entries that are not what they say, and what the card says of them and they do not."""
    found: dict[str, Standing] = {}
    for entry in leaderboard.entries():
        if entry.standing is not None:
            found[entry.path] = entry.standing
        if entry.wrong:
            yield fault(entry.path, "leaderboard", entry.wrong, _HINT)
        elif entry.why_not:
            yield unchecked(entry.path, f"of the entry, {entry.why_not}", "verify it where that is known")
    if (more := len(leaderboard.folders) - MAX_ENTRIES) > 0:
        yield unchecked("leaderboard", f"{more:,} more entries", "remove some")
    for standing in manifest.leaderboard:
        if standing.path in found and found[standing.path] != standing:
            what = f"the card says something else of {standing.path} than its score"
            yield fault("release.json", "leaderboard", what, _HINT)
        elif standing.path not in found:
            what = f"the entry {standing.path} of the card: its files are not here"
            yield unchecked("leaderboard", what, "see whether the repository still holds it")


def entries_at_head(run: Run, hub: Hub | None, ground: Ground) -> tuple[Standing, ...]:
    """Give the entries for the card of a release: those in the repository that are what they say, newest version first,
    then by accuracy. Of a version that is published already they are those that it has.

    `ground`: what is known of the repository's head. Raises HubError.
    """
    if hub is None or ground.base is None or not ground.commit:
        return ()
    head = None if ground.base.version == ground.version else hub.at(ground.commit)
    if head is None:
        return ground.base.leaderboard
    there = Leaderboard(hub.release(head.commit), head.files, lambda version: hub.release(f"v{version}"), None)
    kept = []
    for entry in there.entries():
        if entry.wrong or entry.standing is None:
            run.console.note(f"not in the card, since it is not what it says: {entry.path}: {printable(entry.wrong)}")
        else:
            kept.append(entry.standing)
    return tuple(sorted(kept, key=_rank))


def _rank(standing: Standing) -> tuple[object, ...]:
    accuracy = standing.figures.get("accuracy")
    numbers = [-int(part) for part in standing.version.split(".")]
    return (numbers, -accuracy.value if accuracy else 1.0, standing.path)


def _other_figure(
    said: Mapping[str, Mapping[str, Mapping[str, float | str | None]]],
    true: Mapping[str, Mapping[str, Mapping[str, float | str | None]]],
    *,
    intervals: bool,
) -> str:
    """Name the first figure that is not what the answers give; empty if all are."""
    keys = ("value", "n", "low", "high") if intervals else ("value", "n")
    for metric, scopes in true.items():
        for scope, figure in scopes.items():
            theirs = said.get(metric, {}).get(scope, {})
            for key in keys:
                if not _same(theirs.get(key), figure.get(key)):
                    theirs_said = printable(str(theirs.get(key))[:40])
                    return f"{metric} ({scope}): it says {key} {theirs_said}, and its answers give {figure.get(key)}"
    return ""


def _same(one: float | str | None, other: float | str | None) -> bool:
    if isinstance(one, float | int) and isinstance(other, float | int):
        return abs(one - other) <= NEAR
    return one == other
