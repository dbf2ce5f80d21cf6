"""What a score costs beside a bare bootstrap of the accuracies, in NumPy.

    python -m tests.bench.score

10,000 predictions in 12 categories, 1,000 resamples. The reference draws items with replacement and takes the mean of
what is right, of all items and of each category, and nothing else; the second row leaves out its pooled accuracy. Ours
reads the answers in words, and gives fourteen figures with intervals in each of 14 scopes, confusion matrices and
hashes. Medians, in turns, in one process. Then 100,000 answers in a CSV against a table of as many: processor time and
memory of the whole command.
"""

from __future__ import annotations

import random
import resource
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import acbench
from acbench import schema
from acbench.records import GOOD, Label
from acbench.schema import Schema
from tests.bench.timing import TAKES, Figure, alternate, figure, report

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

    def bare(scopes: list[NDArray[np.bool_]]) -> None:
        generator = np.random.default_rng(0)
        for scope in scopes:
            draws = generator.integers(0, len(scope), (resamples, len(scope)))
            np.quantile(scope[draws].mean(axis=1), (0.025, 0.975))

    for what, scopes in (("pooled and of each category", [np.concatenate(right), *right]), ("of each category", right)):
        found = alternate(
            lambda: acbench.score(labels, answers, schema=visa, resamples=resamples), partial(bare, scopes), takes=takes
        )
        yield figure(
            f"score of {items:,} predictions, {resamples:,} resamples, against bare accuracies {what}", found, goal=2
        )


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
