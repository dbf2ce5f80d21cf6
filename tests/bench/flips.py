"""How soon a wrong label comes before a person's eyes: labels are flipped at random, and sought in the review queue.

    python -m tests.bench.flips [--category bottle] [--seeds 20] [--share 0.1]

The sample is always tried, its planted errors put right before. Real images are tried too where
ACBENCH_MVTEC_AD_ROOT names a folder with MVTec-AD or a part of it: the categories named, which must have masks and at
least two classes of four images.

The other rankings get the same vectors and the same linear classifier: cleanlab's label quality scores of
probabilities from one pass of cross-validation, and chance. All rank the same images, those whose label names one
class of defect.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from cleanlab.rank import get_label_quality_scores
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_predict

from acbench import schema
from acbench.data import sources
from acbench.data.images import ImageReader
from acbench.data.ingest import ingest
from acbench.data.sample import render as sample
from acbench.integrations.torch.embeddings import backbone
from acbench.predictors.base import Setup
from acbench.predictors.proposers import neighbours, source_label
from acbench.records import Item, Proposal
from acbench.review.queue import AuditSample, RankedItem, rank
from acbench.review.resolve import machine_labels
from acbench.schema import Schema
from acbench.storage.roots import Root
from acbench.testing import FakeModels, MemoryVectors
from tests.bench.timing import table

FIRST = (0.1, 0.2, 0.3)
OURS = "acbench"
QUALITY = {"cleanlab, self-confidence": "self_confidence", "cleanlab, margin": "normalized_margin"}
CHANCE = "chance"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--category", action="append", help="of the real images; can be repeated  [default: bottle]")
    parser.add_argument("--seeds", type=int, default=20, help="as many random draws  [default: 20]")
    parser.add_argument("--share", type=float, default=0.1, help="of the labels to flip  [default: 0.1]")
    chosen = parser.parse_args()
    named = os.environ.get("ACBENCH_MVTEC_AD_ROOT")
    with tempfile.TemporaryDirectory() as folder:
        trials = [sample_trial(Path(folder) / "sample")]
        trials += [real_trial(Path(named), category) for category in chosen.category or ["bottle"] if named]
        for trial in trials:
            print(f"{trial.name}: share of the flipped labels in the first part of the queue, {chosen.seeds} draws")
            print(trial.table(chosen.seeds, chosen.share))
            print()


def sample_trial(root: Path) -> Trial:
    """The sample with right labels."""
    shown = sample.truth()
    items = ingest(sources.get("sample"), sample.render(root)).items
    truly = [
        replace(item, source_labels=shown[item.image]) if item.image in sample.planted() else item for item in items
    ]
    return Trial("sample", truly, setup("sample", root))


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
    items: list[Item]
    setup: Setup
    labels: dict[str, dict[str, str]] = field(init=False)
    """Category → class id → the dataset's own word for it, of the classes that its labels name."""

    def __post_init__(self) -> None:
        self.labels = defaultdict(dict)
        for item in self.items:
            if label := one_class(item, self.setup.schema):
                self.labels[item.category][label] = item.source_labels[0]

    def table(self, seeds: int, share: float) -> str:
        """Method × first part of the queue, mean over the draws."""
        shares: defaultdict[str, list[list[float]]] = defaultdict(list)
        for seed in range(seeds):
            items, flipped = self.flip(seed, share)
            for name, order in self.orders(items, seed):
                places = [order[: round(first * len(order))] for first in FIRST]
                shares[name].append([len(flipped.intersection(place)) / len(flipped) for place in places])
        head = ("", *(f"{first:.0%}" for first in FIRST))
        rows = [(name, *(f"{share:.0%}" for share in np.mean(draws, axis=0))) for name, draws in shares.items()]
        return table([head, *rows])

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
        named = [item.item_id for item in items if one_class(item, self.setup.schema)]
        ranked = self.queue(items)
        yield OURS, [row.item_id for row in ranked if row.item_id in set(named)]
        for name, method in QUALITY.items():
            quality = self.quality(items, method)
            yield name, [item_id for _, item_id in sorted((quality[item_id], item_id) for item_id in named)]
        yield CHANCE, list(np.random.default_rng(seed + 1_000_000).permutation(named))

    def queue(self, items: Sequence[Item]) -> list[RankedItem]:
        """The review queue, by two proposers."""
        answers: defaultdict[str, list[Proposal]] = defaultdict(list)
        for proposer in (source_label.build(self.setup), neighbours.build(self.setup)):
            for answer in proposer.propose(items, lambda done, total: None):
                answers[answer.item_id].append(answer)
        labels = machine_labels(items, answers, self.setup.schema)
        return rank(items, answers, labels, self.setup.schema, AuditSample())

    def quality(self, items: Sequence[Item], method: str) -> dict[str, float]:
        """Item → cleanlab's quality of its label, by category, from the vectors that the queue has computed."""
        vectors = neighbours.build(self.setup).kept_vectors(items)
        qualities: dict[str, float] = {}
        for category, classes in self.labels.items():
            order = sorted(classes)
            members = [
                (item.item_id, order.index(label))
                for item in items
                if item.category == category and (label := one_class(item, self.setup.schema))
            ]
            numbers = np.array([number for _, number in members])
            once = out_of_fold(np.array([vectors[item_id] for item_id, _ in members], dtype=np.float64), numbers)
            scores = get_label_quality_scores(numbers, once, method=method)
            qualities |= {item_id: float(score) for (item_id, _), score in zip(members, scores, strict=True)}
        return qualities


def out_of_fold(vectors: NDArray[np.float64], numbers: NDArray[np.int64]) -> NDArray[np.float64]:
    """Class probabilities (N, K) of one pass of cross-validation, by the linear classifier of `neighbours`.

    Features are standardised, divided by the root of their number, and rotated into the span of the vectors.
    """
    standard = (vectors - vectors.mean(axis=0)) / (vectors.std(axis=0) + 1e-6) / np.sqrt(vectors.shape[1])
    _, _, axes = np.linalg.svd(standard, full_matrices=False)
    classifier = LogisticRegression(C=10.0, max_iter=2000)
    folds = StratifiedKFold(min(5, int(np.bincount(numbers).min())), shuffle=True, random_state=0)
    likely: NDArray[np.float64] = cross_val_predict(
        classifier, standard @ axes.T, numbers, cv=folds, method="predict_proba"
    )
    return likely


def one_class(item: Item, labels: Schema) -> str | None:
    """The class id that the dataset's label names, if it is one class of defect."""
    category = labels.category(item.category)
    mapped = category.map(item.source_labels, item.image).labels if category and item.anomalous else ()
    return mapped[0] if len(mapped) == 1 else None


if __name__ == "__main__":
    main()
