"""The proposer `source_label`: what the dataset's own labels mean in the label schema."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from acbench._util.console import Progress
from acbench.predictors.base import Proposer, Setup
from acbench.records import Item, Proposal
from acbench.schema import Schema


@dataclass(frozen=True, slots=True)
class SourceLabel:
    """The proposer `source_label`. It abstains where the dataset's labels name no class of the schema."""

    schema: Schema

    @property
    def name(self) -> str:
        return f"source_label@{self.schema.digest}"

    @property
    def by_category(self) -> Literal[True]:
        return True

    def propose(self, items: Sequence[Item], progress: Progress) -> Iterable[Proposal]:
        for done, item in enumerate(items, start=1):
            yield self._proposal(item)
            progress(done, len(items))

    def _proposal(self, item: Item) -> Proposal:
        category = self.schema.category(item.category)
        source_labels = ", ".join(item.source_labels) or "nothing"
        if category is None:
            labels: tuple[str, ...] = ()
            reason = f"the schema has no category {item.category}"
        else:
            mapped = category.map(item.source_labels, item.image)
            labels, reason = mapped.labels, mapped.reason
        return Proposal(
            item_id=item.item_id,
            proposer=self.name,
            labels=labels,
            rationale=f"the dataset says: {source_labels}" + (f" ({reason})" if labels and reason else ""),
            status="ok" if labels else "abstained",
            reason="" if labels else reason,
            saw=("source_label",),
            schema_version=self.schema.version,
        )


def build(setup: Setup, argument: str = "") -> Proposer:
    """The proposer for the schema of `setup`."""
    return SourceLabel(setup.schema)
