"""How often the promise of a plan holds, and how much work it saves: errors are planted, and people find what they see.

    python -m tests.bench.plan [--runs 300] [--only sample]

Made-up benchmarks have labels with planted errors and one proposer, whose scores mean what they say, are overconfident
(the cubes of such probabilities), have nothing to do with the image, or mislead: then the proposer is surest of the
label where that is wrong. Images whose label it contradicts have no label until a person decides. The sample has its
real proposals, of labels that are flipped at random five times, with as many audits each.

"Anew" stands for somebody who drops each plan that 400 draws did not settle, and makes a new one of what is left.

Each run plans, has the doubtful labels decided, plans again with what that taught, and audits, looking after every
image whether the promise holds: the worst that can be done to it. `kept` is the share of runs whose remaining errors
were at most as many as promised. Images seen are compared with all of them, and with the queue as it is without a plan,
its audit drawn on until the same bound holds.
"""

from __future__ import annotations

import argparse
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from cleanlab.filter import find_label_issues
from numpy.typing import NDArray

from acbench.predictors.proposers import neighbours, source_label
from acbench.records import Proposal
from acbench.review.audit import AuditSample
from acbench.review.doubt import doubts, label_doubts
from acbench.review.plan import UNPLANNED_RATE, alpha_of, choose_cut
from acbench.review.resolve import machine_labels
from acbench.stats import FaultPrior, fit_scaling, is_bounded
from tests.bench.flips import sample_trial
from tests.bench.timing import Figure, table
from tests.support.records import rank

MINUTES = 6
CLASSES = 5
SCORES = ("true", "overconfident", "useless")
SETTINGS = (
    *((1000, 0.015, "misleading", 0.01), (3000, 0.013, "misleading", 0.01)),
    *((images, planted, scores, error) for images, planted, error in
      ((300, 0.05, 0.02), (1000, 0.02, 0.01), (1000, 0.08, 0.01), (3000, 0.15, 0.01)) for scores in SCORES),
)  # fmt: skip
"""Images, share of wrong labels, what the scores are worth, share that may be wrong in the end."""
MARGIN = 0.2
"""A proposer whose two likeliest classes are closer abstains."""
PATIENCE = 400
"""Draws after which somebody makes a plan anew."""
FLIPS, SAMPLE_ERRORS, SAMPLE_ERROR = 5, (0.05, 0.1), 0.05

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Case:
    """A benchmark before anybody has looked."""

    doubt: Floats
    """(N,) How likely each label is wrong, by the scores."""
    wrong: Flags
    """(N,) Whether it is."""
    accepted: Flags
    """(N,) Whether no witness contradicts it, so that it stands unless people decide otherwise."""
    queued: Flags
    """(N,) Whether the queue without a plan has people look at it; not for the audit."""
    unknown: int
    """Images for which no witness names a class."""
    error: float
    """Share of the labels that may be wrong in the end."""

    @property
    def images(self) -> int:
        """All images."""
        return len(self.doubt) + self.unknown


@dataclass(frozen=True)
class Outcome:
    """What came of one run."""

    kept: bool
    """Whether the promise was true when it was first made."""
    seen: int
    """Images that people saw until then."""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=300, help="for each setting  [default: 300]")
    parser.add_argument("--only", choices=["made", "sample"], help="leave the other out")
    chosen = parser.parse_args()
    rows: list[tuple[str, ...]] = [
        ("", "may be wrong", "kept", "standard error", "images seen", "queue without a plan", "plan saves")
    ]
    if chosen.only != "sample":
        for images, planted, scores, error in SETTINGS:
            random = np.random.default_rng(0)
            cases = [made(random, images, planted, scores, error) for _ in range(chosen.runs)]
            title = f"{images:,} images, {planted:.1%} wrong, scores {scores}"
            rows.append(row(title, cases, random))
            if scores == "misleading":
                rows.append(row(f"{title}, anew", cases, random, patience=PATIENCE))
    if chosen.only != "made":
        for planted in SAMPLE_ERRORS:
            flipped = list(sampled(planted))
            cases = [case for case in flipped for _ in range(chosen.runs // FLIPS)]
            title = f"sample, {flipped[0].images:,} test images, {planted:.0%} flipped"
            rows.append(row(title, cases, np.random.default_rng(0)))
    print(table(rows))


def row(title: str, cases: list[Case], random: np.random.Generator, patience: int | None = None) -> tuple[str, ...]:
    """One line of the table. `patience`: as of `audited`."""
    kept, seen, without = shares(cases, random, patience)
    spread = (kept * (1 - kept) / len(cases)) ** 0.5
    return (
        title,
        f"{cases[0].error:.0%}",
        f"{kept:.1%}",
        f"{spread:.1%}",
        f"{seen:.0%}",
        f"{without:.0%}",
        f"{1 - seen:.0%}",
    )


def figures(runs: int = 60) -> Iterator[Figure]:
    """What plans save and keep, of made-up benchmarks whose scores mean what they say."""
    for images, planted, scores, error in SETTINGS:
        if scores != "true":
            continue
        random = np.random.default_rng(0)
        kept, seen, without = shares([made(random, images, planted, scores, error) for _ in range(runs)], random)
        title = f"{images:,} images, {planted:.1%} wrong"
        spread = (kept * (1 - kept) / runs) ** 0.5
        yield Figure(f"promises that a plan kept, {title}", kept, 0.95, "", 1, True, spread)
        yield Figure(f"images seen with a plan, {title}, against the queue without one", seen, without, "", 1)


def shares(cases: list[Case], random: np.random.Generator, patience: int | None = None) -> tuple[float, float, float]:
    """Shares of promises kept, and of images seen with a plan and without one. `patience`: as of `audited`."""
    plans = [planned(case, random, patience) for case in cases]
    queues = [queued(case, random) for case in cases]
    kept = float(np.mean([outcome.kept for outcome in plans]))
    seen, without = (
        float(np.mean([outcome.seen / case.images for outcome, case in zip(outcomes, cases, strict=True)]))
        for outcomes in (plans, queues)
    )
    return kept, seen, without


def planned(case: Case, random: np.random.Generator, patience: int | None = None) -> Outcome:
    """What the plan comes to. `patience`: as of `audited`."""
    allowed = case.error * case.images
    left, seen, doubt = np.flatnonzero(case.accepted), np.flatnonzero(~case.accepted), case.doubt
    while True:
        order = left[np.argsort(-doubt[left], kind="stable")]
        cut = choose_cut(doubt[order], allowed, alpha_of(1))
        left = order[cut.doubtful :]
        seen = np.concatenate([seen, order[: cut.doubtful]])
        if not cut.doubtful:
            return audited(case, left, cut.prior, random, patience=patience)
        doubt = fit_scaling(case.doubt[seen], case.wrong[seen])(case.doubt)


def queued(case: Case, random: np.random.Generator) -> Outcome:
    """What the queue comes to without a plan, with an audit that goes on until the same bound holds."""
    left = np.flatnonzero(case.accepted & ~case.queued)
    return audited(case, left, FaultPrior.of_rate(UNPLANNED_RATE), random)


def audited(
    case: Case,
    rest: NDArray[np.int64],
    prior: FaultPrior,
    random: np.random.Generator,
    *,
    patience: int | None = None,
    number: int = 1,
) -> Outcome:
    """Draw from the rest until the promise holds; people have seen all else.

    `patience`: after so many draws a new plan is made of what is left. `number`: that of the plan.
    """
    order = random.permutation(rest)
    wrong = case.wrong[order]
    draws = np.arange(len(rest) + 1)
    found = np.concatenate([[0], np.cumsum(wrong)])
    allowed = case.error * case.images
    bounded = is_bounded(len(rest), draws, found, allowed, prior, alpha_of(number))
    if patience is not None and not bounded[: patience + 1].any():
        left = order[patience:]
        cut = choose_cut(np.full(len(left), found[patience] / patience), allowed, alpha_of(number + 1))
        return audited(case, left[cut.doubtful :], cut.prior, random, patience=patience, number=number + 1)
    first = int(np.argmax(bounded))  # after the last draw it always holds
    remaining = int(wrong.sum() - found[first])
    return Outcome(kept=remaining <= case.error * case.images, seen=case.images - len(rest) + first)


def made(random: np.random.Generator, images: int, planted: float, scores: str, error: float) -> Case:
    """A made-up benchmark."""
    logits = random.normal(size=(images, CLASSES)) * random.choice([2.0, 6.0], (images, 1), p=[0.3, 0.7])
    likely = np.exp(logits - logits.max(axis=1, keepdims=True))
    likely /= likely.sum(axis=1, keepdims=True)
    truth = (random.random((images, 1)) > likely.cumsum(axis=1)[:, :-1]).sum(axis=1)
    flipped = random.random(images) < planted
    labels = np.where(flipped, (truth + random.integers(1, CLASSES, images)) % CLASSES, truth)
    said = likely
    if scores == "overconfident":
        said = likely**3 / (likely**3).sum(axis=1, keepdims=True)
    elif scores == "useless":
        said = random.permutation(likely)
    elif scores == "misleading":
        said = np.where(flipped[:, None], 1e-4, likely)
        said[np.arange(images), labels] = np.where(flipped, 1 - 1e-4 * (CLASSES - 1), said[np.arange(images), labels])
    first, second = np.sort(said, axis=1)[:, ::-1][:, :2].T
    abstains = first - second < MARGIN
    accepted = abstains | (said.argmax(axis=1) == labels)
    suspect = find_label_issues(labels, said, n_jobs=1)
    own = said[np.arange(images), labels]
    return Case(
        doubt=label_doubts(own, (1 - own) / (CLASSES - 1)),
        wrong=labels != truth,
        accepted=accepted,
        queued=abstains | suspect,
        unknown=0,
        error=error,
    )


def sampled(planted: float) -> Iterator[Case]:
    """The sample with flipped labels, and what its proposers say of them."""
    with tempfile.TemporaryDirectory() as folder:
        trial = sample_trial(Path(folder) / "sample")
        for seed in range(FLIPS):
            items, flipped = trial.flip(seed, planted)
            answers: defaultdict[str, list[Proposal]] = defaultdict(list)
            for proposer in (source_label.build(trial.setup), neighbours.build(trial.setup)):
                for answer in proposer.propose(items, lambda done, total: None):
                    answers[answer.item_id].append(answer)
            labels = machine_labels(items, answers, trial.setup.schema)
            tests = [item.item_id for item in items if item.split == "test"]
            named = [item_id for item_id in tests if labels[item_id].labels]
            known = doubts(named, items, answers, labels, labels, trial.setup.schema).of_label
            ranked = rank(items, answers, labels, trial.setup.schema, AuditSample())
            why = {line.item_id: line.why for line in ranked}
            yield Case(
                doubt=np.array([known[item_id] for item_id in named]),
                wrong=np.array([item_id in flipped for item_id in named]),
                accepted=np.array([labels[item_id].status == "accepted" for item_id in named]),
                queued=np.array([why[item_id] not in ("audit", "settled") for item_id in named]),
                unknown=len(tests) - len(named),
                error=SAMPLE_ERROR,
            )


if __name__ == "__main__":
    main()
