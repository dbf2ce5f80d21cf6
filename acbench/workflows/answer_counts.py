"""Counts how proposers answered, and which models and families answered for them."""

from __future__ import annotations

import dataclasses
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from acbench.records import Proposal, short_name
from acbench.storage.stored_rows import StoredRows


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerCounts:
    """How many answers of each status one proposer gave."""

    ok: int
    abstained: int
    error: int
    models: tuple[str, ...] = ()
    """The models and versions that answered, sorted; empty for a proposer that is none."""
    families: tuple[str, ...] = ()
    """The families of these: proposers of one family are together one witness."""

    def to_json(self) -> dict[str, Any]:
        """JSON values; models and families only of a proposer that has them."""
        return {name: value for name, value in dataclasses.asdict(self).items() if value != ()}


def count_answers(tables: Iterable[StoredRows[Proposal]]) -> dict[str, AnswerCounts]:
    """Full name of each proposer → how it answered, of the tables of proposers."""
    statuses: defaultdict[str, Counter[str]] = defaultdict(Counter)
    models: defaultdict[str, set[str]] = defaultdict(set)
    families: defaultdict[str, set[str]] = defaultdict(set)
    for table in tables:
        for (name, status, model, family), count in table.counted("proposer", "status", "model", "family").items():
            statuses[name][status] += count
            models[name].add(model)
            families[name].add(family)
    return {
        name: AnswerCounts(
            ok=counts["ok"],
            abstained=counts["abstained"],
            error=counts["error"],
            models=tuple(sorted(models[name] - {""})),
            families=tuple(sorted(families[name] - {""})),
        )
        for name, counts in sorted(statuses.items())
    }


def one_family(counts: Mapping[str, AnswerCounts]) -> dict[str, list[str]]:
    """Family → the short names of its proposers, for families of which several were asked."""
    found: defaultdict[str, list[str]] = defaultdict(list)
    for name, own in counts.items():
        for family in own.families:
            found[family].append(short_name(name))
    return {family: names for family, names in sorted(found.items()) if len(names) > 1}
