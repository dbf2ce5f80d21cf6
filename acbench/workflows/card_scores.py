"""Scores what a release itself holds answers of: the majority, and each model that was a witness of its labels."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence

from acbench.evaluation import predictions as reading
from acbench.evaluation.metrics import MEAN, figures
from acbench.evaluation.result import Bootstrap, Provenance
from acbench.evaluation.tallies import Cells
from acbench.evaluation.truth import NothingToScore, Truth, TruthOptions, hash_of
from acbench.predictors.baselines.majority import first_of
from acbench.records import GOOD, JOIN, short_name
from acbench.release.manifest import Manifest
from acbench.release.standings import HASHES, METRICS, Figure, Standing
from acbench.release.tally import RowKind, Tally
from acbench.schema import Schema
from acbench.schema.views import ClassSet
from acbench.workflows.truth import truth_of_entries

MAJORITY = "Says the most common class of each category, whatever the image: what any method has to exceed."
WITNESS = (
    "A witness of these labels, told which images are anomalous and where: no method to compare with, but what its"
    " votes are worth."
)


def card_scores(manifest: Manifest, tally: Tally, schema: Schema) -> list[Standing]:
    """Score every baseline whose answers a release holds, against its own labels; none if no label counts.

    Witnesses are named without their digests.
    """
    try:
        truth = truth_of_entries(manifest, tally.samples, schema, TruthOptions())
    except NothingToScore:
        return []
    scorer = _Scorer(manifest, tally, truth)
    standings = [scorer.standing(scorer.majority(), Provenance(system="majority", localisation="none"), MAJORITY)]
    for who in sorted({vote.who for kind in tally.kinds for vote in kind.votes if vote.kind == "model"}):
        answers = [_said(kind, who) for kind in tally.kinds]
        if any(answer not in ("", GOOD) for answer in answers):
            made_by = Provenance(system=short_name(who), localisation="ground_truth")
            standings.append(scorer.standing(answers, made_by, WITNESS))
    return standings


class _Scorer:
    """Scores answers that are the same for all images of a kind: one of each is looked at, and counts for all.

    `truth`: of the first image of each kind.
    """

    def __init__(self, manifest: Manifest, tally: Tally, truth: Truth) -> None:
        self._manifest, self._tally, self._truth = manifest, tally, truth
        targets = {target.item_id: target for target in truth.targets}
        self._targets = {number: targets[sample.item_id]
                         for number, sample in enumerate(tally.samples) if sample.item_id in targets}  # fmt: skip
        self._images = list(tally.kinds.values())
        labels = {number: f"\t{JOIN.join(target.wanted)}" for number, target in self._targets.items()}
        self._hashes = {
            **truth.hashes,
            "labels": hash_of(f"{item_id}{labels[number]}" for item_id, number in tally.by_id(labels)),
            "split": hash_of(item_id for item_id, _ in tally.by_id(labels)),
        }

    def majority(self) -> list[str]:
        """The most common answer of its category for each kind that is scored."""
        counts: defaultdict[str, Counter[ClassSet]] = defaultdict(Counter)
        for number, target in self._targets.items():
            counts[target.category][target.wanted] += self._images[number]
        most = {category: JOIN.join(first_of(own, self._truth.axis(category))) for category, own in counts.items()}
        return [most[self._targets[number].category] if number in self._targets else ""
                for number in range(len(self._images))]  # fmt: skip

    def standing(self, answers: Sequence[str], made_by: Provenance, about: str) -> Standing:
        """Score the answers to all kinds."""
        rows = ((sample.item_id, {"item_id": sample.item_id, "answer": answer})
                for sample, answer in zip(self._tally.samples, answers, strict=True))  # fmt: skip
        matched = reading.match(rows, self._truth)
        counted: dict[str, Cells] = {category: Counter() for category in self._truth.categories}
        said = {}
        for number, target in self._targets.items():
            answer = matched.by_item[target.item_id]
            counted[target.category][target.wanted, answer.outcome] += self._images[number]
            said[number] = f"\t{answer.outcome.status}\t{JOIN.join(answer.outcome.labels)}\t{answer.raw!r}"
        bootstrap = Bootstrap()
        found = figures(counted, resamples=bootstrap.resamples, seed=bootstrap.seed).estimates
        estimates = {name: found[name][MEAN] for name in METRICS}
        return Standing(
            system=made_by.system,
            version=self._manifest.version,
            localisation=made_by.localisation,
            items=sum(self._images[number] for number in self._targets),
            figures={
                name: Figure(value=round(each.value, 6), low=_rounded(each.low), high=_rounded(each.high))
                for name, each in estimates.items()
                if each is not None
            },
            hashes={
                **{name: self._hashes[name] for name in HASHES},
                "predictions": hash_of(f"{item_id}{said[number]}" for item_id, number in self._tally.by_id(said)),
            },
            about=about,
        )


def _said(kind: RowKind, who: str) -> str:
    """What a witness says of images; of normal ones it is told."""
    if not kind.anomalous:
        return GOOD
    votes = [vote for vote in kind.votes if vote.who == who and vote.said == "label"]
    return JOIN.join(votes[0].labels) if votes else ""


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 6)
