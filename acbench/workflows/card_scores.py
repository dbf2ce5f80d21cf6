"""Scores what a release itself holds answers of: the majority, and each model that was a witness of its labels."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from acbench.evaluation import predictions as reading
from acbench.evaluation.answer_files import LocatedRow
from acbench.evaluation.metrics import MEAN
from acbench.evaluation.result import Provenance, Scored
from acbench.evaluation.scoring import score_answers
from acbench.evaluation.truth import NothingToScore, Truth, TruthOptions
from acbench.predictors.baselines.majority import most_common
from acbench.records import GOOD, JOIN, short_name
from acbench.release.entries import ReleaseEntry
from acbench.release.manifest import Manifest
from acbench.release.rows import Row, Vote
from acbench.release.standings import HASHES, METRICS, Figure, Standing
from acbench.schema import Schema
from acbench.workflows.truth import truth_of_entries

MAJORITY = "Says the most common class of each category, whatever the image: what any method has to exceed."
WITNESS = (
    "A witness of these labels, told which images are anomalous and where: no method to compare with, but what its"
    " votes are worth."
)


def card_scores(
    manifest: Manifest, entries: Collection[ReleaseEntry], rows: Sequence[Row], schema: Schema
) -> list[Standing]:
    """Score every baseline whose answers a release holds, against its own labels; none if no label counts.

    `rows`: for their votes; one for each entry. Witnesses are named without their digests.
    """
    try:
        truth = truth_of_entries(manifest, entries, schema, TruthOptions())
    except NothingToScore:
        return []
    most = {category: JOIN.join(most_common(truth, category)) for category in truth.categories}
    majority = [_row(target.item_id, most[target.category]) for target in truth.targets]
    standings = [_standing(manifest, truth, majority, Provenance(system="majority", localisation="none"), MAJORITY)]
    for who in sorted({vote["who"] for row in rows for vote in row["votes"] if vote["kind"] == "model"}):
        answers = [_row(row["item_id"], _said(row, who)) for row in rows]
        if any(answer["answer"] not in ("", GOOD) for _, answer in answers):
            made_by = Provenance(system=short_name(who), localisation="ground_truth")
            standings.append(_standing(manifest, truth, answers, made_by, WITNESS))
    return standings


def standing_of(scored: Scored, version: str, *, about: str = "", path: str = "") -> Standing:
    """Give what a card says of a score. `path`: the folder of an entry of the leaderboard."""
    estimates = {name: scored.figures.estimates[name][MEAN] for name in METRICS}
    return Standing(
        system=scored.system,
        version=version,
        localisation=scored.provenance.localisation,
        items=scored.items,
        figures={
            name: Figure(value=round(each.value, 6), low=_rounded(each.low), high=_rounded(each.high))
            for name, each in estimates.items()
            if each is not None
        },
        hashes={name: scored.hashes[name] for name in (*HASHES, "predictions")},
        about=about,
        path=path,
    )


def _standing(
    manifest: Manifest, truth: Truth, rows: Sequence[LocatedRow], made_by: Provenance, about: str
) -> Standing:
    scored = score_answers(truth, reading.match(rows, truth), made_by)
    return standing_of(scored, manifest.version, about=about)


def _said(row: Row, who: str) -> str:
    """What a witness says of an image; a normal one it is told."""
    if not row["anomalous"]:
        return GOOD
    votes: list[Vote] = [vote for vote in row["votes"] if vote["who"] == who and vote["said"] == "label"]
    return JOIN.join(votes[0]["labels"]) if votes else ""


def _row(item_id: str, answer: str) -> LocatedRow:
    return item_id, {"item_id": item_id, "answer": answer}


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 6)
