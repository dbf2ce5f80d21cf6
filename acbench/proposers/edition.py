"""What the bundled first edition of the benchmark says: read-only, and a witness like any other."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from acbench.editions import edition_labels
from acbench.ledger import digest
from acbench.proposers import Progress, Proposer, Setup
from acbench.records import Item, Label, Proposal
from acbench.schema import Schema


@dataclass(frozen=True, slots=True)
class Edition:
    """The accepted labels of the edition. Those that people decided are a witness of their own; the rest repeat the
    dataset's labels and are counted with them."""

    schema: Schema
    labels: tuple[Label, ...]

    @property
    def name(self) -> str:
        rows = [(label.item_id, label.labels, label.status, label.decided_by) for label in self.labels]
        return f"edition@{digest(rows, self.schema.digest, length=8)}"

    def propose(self, items: Sequence[Item], progress: Progress) -> Iterable[Proposal]:
        """One proposal for each anomalous item that the edition has a label for."""
        known = {label.item_id: label for label in self.labels}
        for done, item in enumerate(items, start=1):
            progress(done, len(items))
            label = known.get(item.item_id)
            if label is not None and item.anomalous:
                accepted = label.status == "accepted"
                yield Proposal(
                    item_id=item.item_id,
                    proposer=self.name,
                    labels=label.labels if accepted else (),
                    rationale=f"the first edition: {label.reason}",
                    status="ok" if accepted else "abstained",
                    reason="" if accepted else f"{label.status} in the edition: {label.reason}",
                    saw=("people",) if label.decided_by == "people" else ("source_label",),
                    schema_version=self.schema.version,
                )


def build(setup: Setup, argument: str = "") -> Proposer:
    """The bundled edition of the schema's benchmark; it may be empty."""
    return Edition(setup.schema, tuple(edition_labels(setup.schema.benchmark)))
