"""What the FiftyOne dataset costs to keep up to date: one table, in a few minutes.

    python -m tests.bench.app [--images 10000] [--changed 100]

Needs a mongod (FiftyOne's own is used, on loopback, with a folder that goes away). Building and updating are those of
the adapter, on plain cards; no image is opened. Their reference is a program that writes the same fields of the same
images with FiftyOne alone, in the same run; the saved views and the layout, which it does not have, are counted apart.
Opening is a process of its own that connects, sees that nothing has
changed, and counts the samples; its reference is a process that loads the same dataset with FiftyOne alone and counts
them.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from acbench.review.app_records import AppLabel, AppSample
from acbench.storage.digests import digest
from tests.bench.timing import Figure, figure, report, seconds
from tests.support.mongo import mongod, variables

MINUTES = 5
TAKES = 5
NAME = "acbench-bench"
OURS = """
from acbench.integrations.fiftyone.dataset import find_dataset
dataset = find_dataset({name!r})
assert dataset.key == "two", dataset.key
print(len(dataset.data))
"""
BARE = """
import fiftyone as fo
print(len(fo.load_dataset({name!r})))
"""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=10_000)
    parser.add_argument("--changed", type=int, default=100)
    given = parser.parse_args()
    report(figures(given.images, given.changed))


def lacks() -> str:
    """What is missing."""
    return "" if find_spec("fiftyone") else "fiftyone"


def figures(images: int = 10_000, changed: int = 100) -> list[Figure]:
    """Of so many images, of which so many labels change."""
    with tempfile.TemporaryDirectory() as folder, mongod(Path(folder)) as uri:
        os.environ.update(variables(uri, Path(folder)))
        from acbench.integrations.fiftyone.database import connect
        from acbench.integrations.fiftyone.dataset import open_dataset

        connect()  # so that nobody's figure holds the import
        before = [card(number, "dent") for number in range(images)]
        plain = seconds(lambda: bare(before))
        dataset = open_dataset(NAME)
        with laid_out() as apart:
            built = seconds(lambda: update(dataset, before, "one")) - sum(apart)
        takes = []
        for take in range(TAKES):
            start = take * changed
            after = [*before]
            after[start : start + changed] = [card(number, f"chip {take}") for number in range(start, start + changed)]
            takes.append(seconds(partial(update_labels, dataset, after, changed)))
            before = after
        same = [seconds(lambda: update(dataset, before, "two")) for _ in range(TAKES)]
        pairs = [(process(OURS), process(BARE)) for _ in range(TAKES + 1)][1:]
    return [
        Figure(f"build {images:,} images, against FiftyOne alone", built, plain),
        Figure("views and layout, counted apart, against building", sum(apart), built),
        figure(f"update after {changed:,} changed labels, against building", [(took, built) for took in takes]),
        figure("update after none, every card compared, against building", [(took, built) for took in same]),
        figure("open, nothing changed, against FiftyOne alone", pairs),
    ]


def card(number: int, label: str) -> AppSample:
    """An image with the fields that a real card has."""
    values: dict[str, Any] = {
        "item_id": f"bench-part-{number:012x}",
        "image": f"part/test/dent/{number:05}.png",
        "category": f"part{number % 15}",
        "split": "test",
        "label": AppLabel(label=label, confidence=0.9),
        "given": label,
        "source": AppLabel(label="dent"),
        "proposal_source_label": AppLabel(label="dent", facts={"by": "source_label@00000000"}),
        "proposal_neighbours": AppLabel(label="dent", confidence=0.8, facts={"rationale": "its 5 nearest are 5 dent"}),
        "status": "accepted",
        "reason": "2 independent witnesses agree",
        "decided_by": "source_label + neighbours",
        "agreement": 1.0,
        "kinds": 1,
        "why": "settled",
        "label_issue_score": 0.1,
        "margin": 0.6,
        "reviews": (),
    }
    values["content"] = digest(repr(sorted(values.items())))
    return AppSample(
        item_id=values["item_id"], image=f"/data/{values['image']}", mask=None, size=(900, 900), fields=values
    )


@contextmanager
def laid_out() -> Iterator[list[float]]:
    """The seconds that each call of the layout takes."""
    from acbench.integrations.fiftyone import layout

    took: list[float] = []
    whole = layout.apply, layout.apply_brain_views

    def timed(call: Any) -> Any:
        return lambda *arguments: took.append(seconds(lambda: call(*arguments)))

    layout.apply, layout.apply_brain_views = map(timed, whole)
    try:
        yield took
    finally:
        layout.apply, layout.apply_brain_views = whole


def bare(cards: list[AppSample]) -> None:
    """Build a dataset with the same fields as a program with FiftyOne alone does."""
    import fiftyone as fo

    def value(given: Any) -> Any:
        if isinstance(given, AppLabel):
            return fo.Classification(label=given.label, confidence=given.confidence, **given.facts)
        return list(given) if isinstance(given, tuple) else given

    data = fo.Dataset(f"{NAME}-bare")
    samples = [
        fo.Sample(
            filepath=card.image,
            metadata=fo.ImageMetadata(width=card.size[0], height=card.size[1]),
            **{name: value(given) for name, given in card.fields.items()},
        )
        for card in cards
    ]
    data.add_samples(samples)
    data.delete()


def update(dataset: Any, cards: list[AppSample], key: str) -> Any:
    """Update without vectors: a changed label does not change them, so that a map is not made anew either."""
    from acbench.integrations.fiftyone.dataset import AppContents

    contents = AppContents(samples=cards, key=key, classes=["good", "dent", "chip"], vectors={}, model="")
    return dataset.update(contents, lambda done, of: None)


def update_labels(dataset: Any, cards: list[AppSample], changed: int) -> None:
    """Update, and check how many samples that changed."""
    updated = update(dataset, cards, "two")
    assert updated.changed == changed, updated


def process(code: str) -> float:
    """Seconds of a process of its own."""
    return seconds(
        lambda: subprocess.run([sys.executable, "-c", code.format(name=NAME)], check=True, stdout=subprocess.DEVNULL)
    )


if __name__ == "__main__":
    main()
