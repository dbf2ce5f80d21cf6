"""What a score costs beside a bare bootstrap of the accuracies, in NumPy.

    python -m tests.bench.score

10,000 predictions in 12 categories, 1,000 resamples. The reference draws items with replacement and takes the mean of
what is right, of all items and of each category, and nothing else; the second row leaves out its pooled accuracy. That
of the third row gives two figures of each category, accuracy and macro-F1, and joins the answers to the truth by id, as
all have to that have a table of answers. Ours reads the answers in words, refuses what is there twice, and gives
fourteen figures with intervals in each of 14 scopes, confusion matrices and hashes. Processor time, medians, in turns,
in one process. Then 100,000 answers in a CSV against a table of as many: processor time and memory of the whole
command.
"""

from __future__ import annotations

import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import acbench
from acbench import schema
from acbench.records import GOOD, Label
from acbench.schema import Schema
from tests.bench.timing import TAKES, Figure, alternate, figure, report

Floats = NDArray[np.float64]
Numbers = NDArray[np.int64]

MINUTES = 1
ITEMS, RESAMPLES, MANY = 10_000, 1_000, 100_000


def main() -> None:
    """Measure and print."""
    report(figures())
    print(f"acbench score of {MANY:,} answers: {cost_of_command(schema.load('visa_ac'))}")


def figures(items: int = ITEMS, resamples: int = RESAMPLES, takes: int = TAKES) -> Iterator[Figure]:
    """Beside bare bootstraps."""
    visa = schema.load("visa_ac")
    labels, answers = made(visa, items)
    right = [
        np.array([answers[label.item_id] == label.labels[0] for label in labels if label.image.startswith(f"{key}/")])
        for key in visa.categories
    ]

    def ours() -> None:
        acbench.score(labels, answers, schema=visa, resamples=resamples)

    def bare(scopes: list[NDArray[np.bool_]]) -> None:
        generator = np.random.default_rng(0)
        for scope in scopes:
            draws = generator.integers(0, len(scope), (resamples, len(scope)))
            np.quantile(scope[draws].mean(axis=1), (0.025, 0.975))

    references: list[tuple[str, Callable[[], object], float]] = [
        ("bare accuracies pooled and of each category", partial(bare, [np.concatenate(right), *right]), 2),
        ("bare accuracies of each category", partial(bare, right), 2),
        ("joining, and bare accuracies and F1", lambda: accuracies_and_f1(labels, answers, resamples), 1),
    ]
    for against, reference, goal in references:
        found = alternate(ours, reference, takes=takes, clock=time.process_time)
        yield figure(f"score of {items:,} predictions, {resamples:,} resamples, against {against}", found, goal=goal)


def accuracies_and_f1(
    labels: Sequence[Label], answers: Mapping[str, str], resamples: int
) -> list[tuple[float, float, Floats, Floats]]:
    """Accuracy and macro-F1 of each category, in the order of the labels, and the ends of their intervals."""
    pairs: dict[str, list[tuple[str, str]]] = {}
    for label in labels:
        pairs.setdefault(label.image.partition("/")[0], []).append((label.labels[0], answers[label.item_id]))
    generator = np.random.default_rng(0)
    return [_resampled(own, resamples, generator) for own in pairs.values()]


def _resampled(
    pairs: Sequence[tuple[str, str]], resamples: int, generator: np.random.Generator
) -> tuple[float, float, Floats, Floats]:
    """Accuracy and macro-F1 of (right answer, answer), and the ends of their intervals."""
    codes = {name: code for code, name in enumerate(sorted({name for pair in pairs for name in pair}))}
    true, said = np.array([[codes[name] for name in pair] for pair in pairs]).T
    drawn = generator.integers(0, len(pairs), (resamples, len(pairs)))
    rows = np.vstack([np.arange(len(pairs)), drawn])
    places = np.arange(len(rows))[:, None] * len(codes)

    def counted(which: Numbers) -> Numbers:
        return np.bincount(which.ravel(), minlength=len(rows) * len(codes)).reshape(len(rows), -1)

    trues, saids = true[rows] + places, said[rows] + places
    right = trues == saids
    occurs, hits = counted(trues), counted(trues[right])
    f1 = np.where(occurs > 0, 2 * hits / np.maximum(occurs + counted(saids), 1), np.nan)
    accuracies, macros = right.mean(axis=1), np.nanmean(f1, axis=1)
    ends = (np.quantile(each[1:], (0.025, 0.975)) for each in (accuracies, macros))
    return float(accuracies[0]), float(macros[0]), *ends


def cost_of_command(visa: Schema) -> str:
    """Processor time and largest memory of scoring MANY answers from files."""
    labels, answers = made(visa, MANY)
    with tempfile.TemporaryDirectory() as folder:
        truth, said = Path(folder, "truth.csv"), Path(folder, "answers.csv")
        rows = [f"{label.image.partition('/')[0]},{label.item_id}" for label in labels]
        for path, head, cells in (
            (truth, "label", [label.labels[0] for label in labels]),
            (said, "answer", [answers[label.item_id] for label in labels]),
        ):
            lines = (f"{row},{cell}\n" for row, cell in zip(rows, cells, strict=True))
            path.write_text("".join([f"category,image,{head}\n", *lines]))
        command = [sys.executable, "-m", "acbench", "score", "--truth", str(truth), "--predictions", str(said)]
        subprocess.run(command, check=True, capture_output=True)
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return f"{used.ru_utime + used.ru_stime:.1f} s of processor, {used.ru_maxrss / 1024:.0f} MB"


def made(visa: Schema, items: int = ITEMS) -> tuple[list[Label], dict[str, str]]:
    """Labels of one class, and answers of which about 70 % are right."""
    generator = random.Random(0)
    keys = sorted(visa.categories)
    labels, answers = [], {}
    for number in range(items):
        key = keys[number % len(keys)]
        category = visa.categories[key]
        choices = [GOOD, *(option.id for option in category.published if option.sets == ((option.id,),))]
        label = label_of(number, key, generator.choice(choices))
        labels.append(label)
        answers[label.item_id] = label.labels[0] if generator.random() < 0.7 else generator.choice(choices)
    return labels, answers


def label_of(number: int, category: str, name: str) -> Label:
    """An accepted label of one class."""
    return Label(
        item_id=f"visa-{category}-{number:012}",
        image=f"{category}/{number:05}.JPG",
        labels=(name,),
        status="accepted",
        decided_by="",
        policy="",
        agreement=None,
        confidence=None,
        reason="",
        licence="",
        schema_version="",
    )


if __name__ == "__main__":
    main()
