"""The proposer `edition`: what people decided in the bundled edition of the benchmark.

The other labels of an edition repeat the dataset and the bundled tables, which are proposers themselves.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from acbench._util.console import Progress
from acbench.data.sources import Originals, compare, originals
from acbench.predictors.base import Proposer, Setup
from acbench.records import PEOPLE, Item, Label, Proposal
from acbench.schema import Schema
from acbench.storage.bundled import edition_labels, is_reviewed
from acbench.storage.digests import digest


@dataclass(frozen=True)
class Edition:
    """The proposer `edition`."""

    schema: Schema
    labels: tuple[Label, ...]
    """The labels that people decided."""
    originals: Originals | None = None
    """What is known of the original images, as in `acbench.predictors.proposers.table`."""

    @cached_property
    def name(self) -> str:
        rows = [(label.item_id, label.labels) for label in self.labels]
        return f"edition@{digest(rows, self.schema.digest, length=8)}"

    def propose(self, items: Sequence[Item], progress: Progress) -> Iterable[Proposal]:
        """One proposal for each item that people decided on."""
        known = {label.image: label for label in self.labels}
        compared = compare(self.originals, items)
        for done, item in enumerate(items, start=1):
            progress(done, len(items))
            if label := known.get(compared.paths.get(item.item_id, "")):
                yield self._proposal(item, labels=label.labels, rationale=f"the bundled edition: {label.reason}")
            elif item.image in known and (doubt := compared.doubts.get(item.item_id)):
                reason = f"it may not be the image that people decided on: {doubt}"
                yield self._proposal(item, labels=(), status="abstained", reason=reason)

    def _proposal(self, item: Item, **says: Any) -> Proposal:
        return Proposal(
            item_id=item.item_id, proposer=self.name, saw=(PEOPLE,), schema_version=self.schema.version, **says
        )


def build(setup: Setup, argument: str = "") -> Proposer:
    """The bundled edition of the schema's benchmark; it may cover no item."""
    benchmark = setup.schema.benchmark
    labels = edition_labels(benchmark) if is_reviewed(benchmark) else []  # otherwise thousands of rows, none by people
    decided = (label for label in labels if label.decided_by == PEOPLE and label.status == "accepted")
    return Edition(setup.schema, tuple(decided), originals(setup.schema.source))
