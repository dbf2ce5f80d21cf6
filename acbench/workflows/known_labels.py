"""Finds the labels that a proposer may show as examples: what people decided, or what all other witnesses agree on.

Answers of the LLM do not count among those witnesses. Else its answers would change its examples, and the examples its
answers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from acbench.data.ingest import Dataset
from acbench.errors import AcbenchError
from acbench.predictors.base import KnownLabel
from acbench.records import PEOPLE, Item, Proposal, Review
from acbench.review.history import by_item
from acbench.review.resolve import resolve_item
from acbench.review.witnesses import witnesses
from acbench.schema import Schema
from acbench.workflows.kept_reviews import kept_reviews
from acbench.workflows.run import Run

SHOWN_LABELS = "llm"
"""The proposer that is shown labels, and so does not decide which ones are known."""


def is_shown_labels(name: str) -> bool:
    """Whether a proposer, as the settings name it, is one that may be shown labels."""
    return name.partition(":")[0] == SHOWN_LABELS


def read_known_labels(
    run: Run, dataset: Dataset, names: Sequence[str], proposals: Mapping[str, Sequence[Proposal]]
) -> list[KnownLabel]:
    """The known labels of a dataset. `names`: the proposers that are not shown any; `proposals`: item_id → answers.

    Says which of these proposers have not answered yet. Raises AcbenchError if this run is a shard: all shards have to
    show the same.
    """
    missing = [name for name in names if not run.files.proposals(name).exists()]
    if missing and run.shard is not None:
        raise AcbenchError(
            f"examples are chosen by the answers of {', '.join(missing)}, which are not there yet",
            "first, on one machine: "
            + " ".join(["acbench propose", run.schema.argument, *(f"--proposer {name}" for name in missing)]),
        )
    if missing:
        run.console.note(f"examples are chosen without {', '.join(missing)}, which have not answered yet")
    return known_labels(dataset.items, proposals, by_item(kept_reviews(run)), run.schema)


def known_labels(
    items: Sequence[Item],
    proposals: Mapping[str, Sequence[Proposal]],
    reviews: Mapping[str, Sequence[Review]],
    schema: Schema,
) -> list[KnownLabel]:
    """The known labels of anomalous items. `proposals` and `reviews` are keyed by item_id."""
    known = []
    for item in items:
        if not item.anomalous or item.problem:
            continue
        answers = proposals.get(item.item_id, ())
        label = resolve_item(item, answers, reviews.get(item.item_id, ()), schema)
        if label.status != "accepted":
            continue
        by_people = label.decided_by == PEOPLE
        voices = witnesses(answers, schema.category(item.category))
        if by_people or len(voices) > 1:  # accepted, so all of them agree
            from_source = not by_people and any(voice.from_source for voice in voices)
            known.append(KnownLabel(item=item, labels=label.labels, by_people=by_people, from_source=from_source))
    return known
