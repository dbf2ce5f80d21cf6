"""How far ways to calibrate a proposer's scores bring them to what they say, on answers that they were not fitted to.

    python -m tests.bench.calibration [--draws 60]

Log-loss, cross-validated, mean over the draws with its standard error; lower is better. Made-up proposers mean what
they say, are twice too sure in log-odds, or half as sure as they should be, with as many decided images as the row
says. The sample has the real probabilities of `neighbours`, of as many images drawn from it, judged by what they show.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression

from acbench.data.sample import render as sample
from acbench.predictors.proposers import neighbours
from acbench.review.calibrated import informative, likeliest
from acbench.stats import calibration, cross_validated
from acbench.stats.scaling import FOLDS
from tests.bench.flips import sample_trial
from tests.bench.timing import Figure, table

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Fit = Callable[[Floats, Flags], Callable[[Floats], Floats]]

MINUTES = 6
COUNTS = (20, 60, 200, 1000)
SHAPES = {"true": 1.0, "too sure": 0.5, "too unsure": 2.0}
"""What the proposer is like → slope of the right log-odds over its own."""
CLIP = 1e-4


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--draws", type=int, default=60, help="for each row  [default: 60]")
    draws: int = parser.parse_args().draws
    names = ("as they are", "acbench", "temperature", "Platt, not shrunk", "isotonic")
    rows: list[tuple[str, ...]] = [("", *names)]
    for title, sets in sources(draws):
        losses = np.array([[loss(said, right) for said in methods(raw, right)] for raw, right in sets])
        spread = losses.std(axis=0, ddof=1) / len(losses) ** 0.5
        cells = (f"{mean:.3f} ± {error:.3f}" for mean, error in zip(losses.mean(axis=0), spread, strict=True))
        rows.append((title, *cells))
    print(table(rows))


def figures(draws: int = 20) -> Iterator[Figure]:
    """Ours beside the best of the other ways."""
    for title, sets in sources(draws):
        losses = np.array([[loss(said, right) for said in methods(raw, right)] for raw, right in sets])
        _, ours, *others = losses.mean(axis=0).tolist()
        spread = float((losses[:, 1] / losses[:, 2:].min(axis=1)).std() / len(losses) ** 0.5)
        yield Figure(
            f"log-loss after calibration: {title}, against the best other way",
            ours,
            min(others),
            "",
            None,
            False,
            spread,
        )


def sources(draws: int) -> Iterator[tuple[str, list[tuple[Floats, Flags]]]]:
    """Name → answers of several draws: probabilities, and whether each is right."""
    random = np.random.default_rng(0)
    for name, slope in SHAPES.items():
        for count in COUNTS:
            yield f"{name}, {count:,} images", [made(random, count, slope) for _ in range(draws)]
    raw, right = sampled()
    for count in COUNTS[:2]:
        picks = [random.choice(len(raw), count, replace=False) for _ in range(draws)]
        yield f"sample, {count:,} images", [(raw[pick], right[pick]) for pick in picks]


def made(random: np.random.Generator, count: int, slope: float) -> tuple[Floats, Flags]:
    """Probabilities of a made-up proposer, and whether each is right."""
    own = random.uniform(0.4, 0.995, count)
    return own, random.random(count) < sigmoid(slope * log_odds(own))


def sampled() -> tuple[Floats, Flags]:
    """What `neighbours` says of the sample's images of one class."""
    truth = sample.truth()
    with tempfile.TemporaryDirectory() as folder:
        trial = sample_trial(Path(folder) / "sample")
        images = {item.item_id: item.image for item in trial.items}
        answers = [
            (answer.scores[likeliest(answer.scores)], truth[images[answer.item_id]] == (likeliest(answer.scores),))
            for answer in neighbours.build(trial.setup).propose(trial.items, lambda done, total: None)
            if informative(answer.scores) and len(truth.get(images[answer.item_id], ())) == 1
        ]
    return np.array([share for share, _ in answers]), np.array([right for _, right in answers], dtype=bool)


def methods(raw: Floats, right: Flags) -> list[Floats]:
    """What each way makes of probabilities that it was not fitted to."""
    fits: list[Fit] = [temperature, platt, isotonic]
    return [raw, cross_validated(raw, right), *(out_of_fold(raw, right, fit) for fit in fits)]


def out_of_fold(raw: Floats, right: Flags, fit: Fit) -> Floats:
    """As `cross_validated`, of another way."""
    mapped = np.empty(len(raw))
    folds = np.arange(len(raw)) % FOLDS
    for fold in range(FOLDS):
        seen = folds != fold
        one_kind = len(set(right[seen].tolist())) < 2  # nothing can be fitted to it
        mapped[~seen] = raw[~seen] if one_kind else fit(raw[seen], right[seen])(raw[~seen])
    return mapped


def temperature(raw: Floats, right: Flags) -> Callable[[Floats], Floats]:
    """A slope alone (Guo et al. 2017)."""
    model = LogisticRegression(C=np.inf, fit_intercept=False).fit(log_odds(raw)[:, None], right)
    return lambda said: np.asarray(model.predict_proba(log_odds(said)[:, None])[:, 1])


def platt(raw: Floats, right: Flags) -> Callable[[Floats], Floats]:
    """Slope and shift (Platt 1999), without a prior."""
    model = LogisticRegression(C=np.inf).fit(log_odds(raw)[:, None], right)
    return lambda said: np.asarray(model.predict_proba(log_odds(said)[:, None])[:, 1])


def isotonic(raw: Floats, right: Flags) -> Callable[[Floats], Floats]:
    """Any rising map (Zadrozny and Elkan 2002)."""
    model = IsotonicRegression(out_of_bounds="clip").fit(raw, right)
    return lambda said: np.asarray(model.predict(said))


def loss(said: Floats, right: Flags) -> float:
    """The log-loss that `compare` shows."""
    found = calibration(list(zip(said.tolist(), right.tolist(), strict=True)))
    assert found is not None
    return found["log_loss"]


def log_odds(share: Floats) -> Floats:
    """Of probabilities that are neither 0 nor 1."""
    inside = np.clip(share, CLIP, 1 - CLIP)
    odds: Floats = np.log(inside / (1 - inside))
    return odds


def sigmoid(odds: Floats) -> Floats:
    """Probabilities of log-odds."""
    share: Floats = 1 / (1 + np.exp(-odds))
    return share


if __name__ == "__main__":
    main()
