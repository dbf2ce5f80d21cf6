"""How soon a wrong label comes before a person's eyes: labels are flipped at random, and sought in the review queue.

    python -m tests.bench.flips [--category bottle] [--seeds 20] [--share 0.1] [--table] [--rounds]

The sample is always tried, its planted errors put right before. Real images are tried too where
ACBENCH_MVTEC_AD_ROOT names a folder with MVTec-AD or a part of it: the categories named, or else all that have masks
and two classes of four images.

The other rankings are cleanlab's self-confidence of probabilities from one pass of cross-validation with logistic
regression, on the vectors of `neighbours` and on those that it had before (one crop, the mean of the last map); the
whole recipe of that time, which is kept here as it was; and chance. All rank the same images, those whose label names
one class of defect.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from cleanlab.filter import find_label_issues
from cleanlab.rank import get_label_quality_scores
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_predict

from acbench import schema
from acbench.data import regions, sources
from acbench.data.images import ImageReader
from acbench.data.ingest import ingest
from acbench.data.sample import render as sample
from acbench.integrations.torch.embeddings import backbone
from acbench.predictors.base import Setup
from acbench.predictors.proposers import neighbours, source_label
from acbench.records import PEOPLE, Item, Label, Proposal, one_defect
from acbench.review.audit import AuditSample
from acbench.review.queue import RankedItem
from acbench.review.resolve import machine_labels
from acbench.schema import Schema
from acbench.storage.roots import Root
from acbench.testing import FakeModels, MemoryVectors
from tests.bench.timing import Figure, table
from tests.support.records import rank

MINUTES = 10
FIRST = (0.1, 0.2, 0.3)
SHARES = (0.05, 0.1, 0.2)
OURS, SAME, BEFORE, RECIPE, CHANCE = (
    "acbench",
    "cleanlab, the same vectors",
    "cleanlab, one crop",
    "acbench before",
    "chance",
)
TABLE_RIGHT = 0.9
"""How often the independent table of `--table` is right."""
ROUND = 0.1
"""Share of the images that people decide in a round of `--rounds`."""
STRENGTH = 10.0
"""Inverse regularisation of the logistic regression on standardised features (C in scikit-learn)."""

Vectors = NDArray[np.float64]
Numbers = NDArray[np.int64]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--category", action="append", help="of the real images; can be repeated  [default: all]")
    parser.add_argument("--seeds", type=int, default=20, help="as many random draws  [default: 20]")
    parser.add_argument("--share", action="append", type=float, help="of the labels to flip  [default: 0.05 0.1 0.2]")
    parser.add_argument("--table", action="store_true", help="add a second witness: a table that is right to 90 %")
    parser.add_argument("--rounds", action="store_true", help="measure what decisions teach instead")
    chosen = parser.parse_args()
    named = os.environ.get("ACBENCH_MVTEC_AD_ROOT")
    with tempfile.TemporaryDirectory() as folder:
        trials = [sample_trial(Path(folder) / "sample"), *(real_trials(Path(named), chosen.category) if named else [])]
        for trial in trials:
            trial.table_right = TABLE_RIGHT if chosen.table else 0.0
            for share in chosen.share or SHARES:
                what = f"{trial.name}, {share:.0%} of the labels flipped, {chosen.seeds} draws: share found"
                if chosen.rounds:
                    print(f"{what} in rounds of {ROUND:.0%} of the images")
                    print(trial.rounds(chosen.seeds, share))
                else:
                    print(f"{what} in the first part of the queue, standard error in brackets")
                    print(trial.table(chosen.seeds, share))
                print(flush=True)


def figures(seeds: int = 5, share: float = 0.1) -> Iterator[Figure]:
    """Of the sample, ours beside cleanlab on the same vectors."""
    with tempfile.TemporaryDirectory() as folder:
        found = sample_trial(Path(folder) / "sample").found(seeds, share)
    for number, first in enumerate(FIRST):
        ours, theirs = (np.array([draw[number] for draw in found[name]]) for name in (OURS, SAME))
        spread = float((ours - theirs).std() / len(ours) ** 0.5 / theirs.mean())
        name = f"flipped labels of the sample in the first {first:.0%} of the queue, against cleanlab"
        yield Figure(name, float(ours.mean()), float(theirs.mean()), "", None, True, spread)


def sample_trial(root: Path) -> Trial:
    """The sample with right labels."""
    shown = sample.truth()
    items = ingest(sources.get("sample"), sample.render(root)).items
    truly = [
        replace(item, source_labels=shown[item.image]) if item.image in sample.planted() else item for item in items
    ]
    return Trial("sample", truly, setup("sample", root))


def real_trials(root: Path, categories: Sequence[str] | None) -> Iterator[Trial]:
    """Categories of MVTec-AD that have enough images with a mask."""
    for category in categories or sorted(path.name for path in root.iterdir() if (path / "ground_truth").is_dir()):
        trial = real_trial(root, category)
        if sum(count >= neighbours.LEAST for count in trial.sizes().values()) > 1:
            yield trial


def real_trial(root: Path, category: str) -> Trial:
    """One category of MVTec-AD, with the labels that it has."""
    dataset = ingest(sources.get("mvtec_ad"), root, categories=[category])
    return Trial(category, dataset.items, setup("mvtec_ac", dataset.root))


def setup(labels: str, root: Root) -> Setup:
    """What the proposers work with: the default image model, and vectors that last as long as the process."""
    return Setup(
        schema=schema.load(labels),
        images=ImageReader(root),
        models=FakeModels(embedder=backbone()),
        vectors=MemoryVectors(),
    )


@dataclass(slots=True)
class Trial:
    """A data set whose labels are flipped again and again."""

    name: str
    items: Sequence[Item]
    setup: Setup
    table_right: float = 0.0
    """How often a table of somebody else is right; 0 for none."""
    labels: dict[str, dict[str, str]] = field(init=False)
    """Category → class id → the dataset's own word for it, of the classes that its labels name."""
    _one_crop: dict[str, Vectors] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        self.labels = defaultdict(dict)
        for item in self.items:
            if label := one_class(item, self.setup.schema):
                self.labels[item.category][label] = item.source_labels[0]

    def sizes(self) -> Mapping[str, int]:
        """Class id → how many images with a mask the dataset calls that."""
        named = [one_class(item, self.setup.schema) for item in self.items if item.mask]
        return {label: named.count(label) for label in named if label}

    def table(self, seeds: int, share: float) -> str:
        """Method × first part of the queue, mean and standard error over the draws."""
        shares = self.found(seeds, share)
        return table(
            [("", *(f"{first:.0%}" for first in FIRST)), *(row(name, draws) for name, draws in shares.items())]
        )

    def found(self, seeds: int, share: float) -> Mapping[str, list[list[float]]]:
        """Method → the share of the flips found in each first part of the queue, for each draw."""
        shares: defaultdict[str, list[list[float]]] = defaultdict(list)
        for seed in range(seeds):
            items, flipped = self.flip(seed, share)
            for name, order in self.orders(items, seed):
                places = [order[: round(first * len(order))] for first in FIRST]
                shares[name].append([len(flipped.intersection(place)) / len(flipped) for place in places])
        return shares

    def rounds(self, seeds: int, share: float) -> str:
        """Share of the flips found after each round, if the queue is ranked anew after each, and if it is not."""
        shares: defaultdict[str, list[list[float]]] = defaultdict(list)
        for seed in range(seeds):
            items, flipped = self.flip(seed, share)
            named = {item.item_id for item in items if one_class(item, self.setup.schema)}
            size = round(ROUND * len(named))
            once = self.order(items, named, {})
            shares["ranked once"].append([len(flipped & set(once[: size * n])) / len(flipped) for n in (1, 2, 3)])
            seen: list[str] = []
            found = []
            for _ in range(3):
                decided = {item.item_id: item for item in self.items if item.item_id in seen}
                left = [item_id for item_id in self.order(items, named, decided) if item_id not in decided]
                seen += left[:size]
                found.append(len(flipped.intersection(seen)) / len(flipped))
            shares["ranked anew"].append(found)
        return table([("", "1", "2", "3"), *(row(name, draws) for name, draws in shares.items())])

    def flip(self, seed: int, share: float) -> tuple[list[Item], set[str]]:
        """The items with some labels replaced by another one of their category, and the ids of those."""
        random = np.random.default_rng(seed)
        named = [number for number, item in enumerate(self.items) if one_class(item, self.setup.schema)]
        items = list(self.items)
        flipped = random.choice(named, max(1, round(share * len(named))), replace=False)
        for number in flipped:
            item = items[number]
            label = one_class(item, self.setup.schema)
            others = [word for other, word in sorted(self.labels[item.category].items()) if other != label]
            items[number] = replace(item, source_labels=(str(random.choice(others)),))
        return items, {items[number].item_id for number in flipped}

    def orders(self, items: Sequence[Item], seed: int) -> Iterator[tuple[str, list[str]]]:
        """Each method's order of the items whose label names one class."""
        named = {item.item_id for item in items if one_class(item, self.setup.schema)}
        yield OURS, self.order(items, named, {})
        qualities: dict[str, dict[str, float]] = {SAME: {}, BEFORE: {}, RECIPE: {}}
        same = neighbours.build(self.setup).kept_vectors(items)
        before = self.one_crop(items)
        for category, classes in self.labels.items():
            order = sorted(classes)
            labels = {
                item.item_id: order.index(label)
                for item in items
                if item.category == category and (label := one_class(item, self.setup.schema))
            }
            numbers = np.array(list(labels.values()))
            for name, vectors, quality in (
                (SAME, same, self_confidence),
                (BEFORE, before, self_confidence),
                (RECIPE, before, former_recipe),
            ):
                rows = quality(np.array([vectors[item_id] for item_id in labels], dtype=np.float64), numbers)
                qualities[name] |= dict(zip(labels, rows.tolist(), strict=True))
        for name, scores in qualities.items():
            yield name, sorted(named, key=lambda item_id: (scores[item_id], item_id))
        yield CHANCE, list(np.random.default_rng(seed + 1_000_000).permutation(sorted(named)))

    def order(self, items: Sequence[Item], named: set[str], decided: Mapping[str, Item]) -> list[str]:
        """The order of the queue. `decided`: item_id → the item with its right label, of those that people decided."""
        return [each.item_id for each in self.queue(items, decided) if each.item_id in named]

    def queue(self, items: Sequence[Item], decided: Mapping[str, Item]) -> list[RankedItem]:
        """The review queue, by two proposers, and a table if there is one."""
        answers: defaultdict[str, list[Proposal]] = defaultdict(list)
        judge = neighbours.build(self.setup)
        for proposer in (source_label.build(self.setup), judge):
            for answer in proposer.propose(items, lambda done, total: None):
                answers[answer.item_id].append(answer)
        for answer in self.somebody():
            answers[answer.item_id].append(answer)
        machine = machine_labels(items, answers, self.setup.schema)
        right = {item_id: one_class(item, self.setup.schema) for item_id, item in decided.items()}
        final = {**machine} | {item_id: by_people(machine[item_id], label) for item_id, label in right.items()}
        learned = judge.learned(items, right) if right else {}
        return rank(items, answers, machine, self.setup.schema, AuditSample(), final=final, learned=learned)

    def somebody(self) -> Iterator[Proposal]:
        """The answers of a table that is right to `table_right`, whatever the dataset says."""
        random = np.random.default_rng(1)
        for item in self.items if self.table_right else ():
            if label := one_class(item, self.setup.schema):
                others = [other for other in sorted(self.labels[item.category]) if other != label]
                said = label if random.random() < self.table_right else str(random.choice(others))
                yield Proposal(item_id=item.item_id, proposer="somebody@00000000", labels=(said,), saw=("people",))

    def one_crop(self, items: Sequence[Item]) -> Mapping[str, Vectors]:
        """item_id → the vector that there was before: the mean of the last map over the defect, in one crop."""
        if not self._one_crop:
            model = self.setup.models.embedder
            for item in items:
                if item.mask and one_class(item, self.setup.schema):
                    image = self.setup.images.image(item.image)
                    mask = self.setup.images.mask(item.mask, image.size)
                    box = regions.square(mask)
                    crop, area = regions.cut(image, box, model.size), regions.cut_mask(mask, box, model.size)
                    self._one_crop[item.item_id] = model.embed([crop], [area])[0].astype(np.float64)
        return self._one_crop


def self_confidence(vectors: Vectors, numbers: Numbers) -> NDArray[np.float64]:
    """cleanlab's quality of each label, by logistic regression."""
    likely = out_of_fold(vectors, numbers, seed=0, trusted=np.ones(len(numbers), dtype=np.bool_))
    scores: NDArray[np.float64] = get_label_quality_scores(numbers, likely, method="self_confidence")
    return scores


def former_recipe(vectors: Vectors, numbers: Numbers) -> NDArray[np.float64]:
    """The quality of each label as the queue had it before: without suspects, three passes, normalised margin."""
    once = out_of_fold(vectors, numbers, seed=0, trusted=np.ones(len(numbers), dtype=np.bool_))
    trusted = ~find_label_issues(numbers, once, n_jobs=1)
    likely = np.mean([out_of_fold(vectors, numbers, seed=seed, trusted=trusted) for seed in (1, 2, 3)], axis=0)
    scores: NDArray[np.float64] = get_label_quality_scores(numbers, likely, method="normalized_margin")
    return scores


def out_of_fold(vectors: Vectors, numbers: Numbers, *, seed: int, trusted: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Class probabilities (N, K) of one pass of cross-validation with logistic regression on the trusted labels.

    Features are standardised, divided by the root of their number, and rotated into the span of the vectors.
    """
    standard = (vectors - vectors.mean(axis=0)) / (vectors.std(axis=0) + 1e-6) / np.sqrt(vectors.shape[1])
    _, _, axes = np.linalg.svd(standard, full_matrices=False)
    points = standard @ axes.T
    folds = StratifiedKFold(min(5, int(np.bincount(numbers).min())), shuffle=True, random_state=seed)
    splits = []
    for train, test in folds.split(points, numbers):
        kept = train[trusted[train]]
        lost = set(numbers[train]) - set(numbers[kept])
        splits.append((np.concatenate([kept, train[np.isin(numbers[train], list(lost))]]), test))
    likely: NDArray[np.float64] = cross_val_predict(
        LogisticRegression(C=STRENGTH, max_iter=2000), points, numbers, cv=splits, method="predict_proba"
    )
    return likely


def row(name: str, draws: Sequence[Sequence[float]]) -> tuple[str, ...]:
    """Mean and standard error of each column."""
    errors = np.std(draws, axis=0, ddof=1) / np.sqrt(len(draws))
    return name, *(f"{mean:.1%} ({error:.1%})" for mean, error in zip(np.mean(draws, axis=0), errors, strict=True))


def by_people(label: Label, decided: str) -> Label:
    """A label once people have decided it."""
    return replace(label, labels=(decided,), status="accepted", decided_by=PEOPLE)


def one_class(item: Item, labels: Schema) -> str:
    """The class id that the dataset's label names, if it is one class of defect; else empty."""
    category = labels.category(item.category)
    return one_defect(category.map(item.source_labels, item.image).labels) if category and item.anomalous else ""


if __name__ == "__main__":
    main()
