"""Says in one line what asking a model has come to: answers, failures by reason, and dollars."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from acbench._util.execution import SharedBudget
from acbench._util.text import tidy
from acbench.errors import AcbenchError
from acbench.records import Prediction, Proposal
from acbench.review.wording import NO_ANSWER
from acbench.workflows.models import Models

MOST = 120
"""Characters of a reason that are shown."""
_SILENT = NO_ANSWER["abstained"]
_ASK_LLM = {"llm", "velm"}
_ANSWERS = {"ok": "answered", "abstained": _SILENT, "empty": _SILENT, "unknown": "named no class"}
"""Status of a proposal or a prediction → how it is called."""


@dataclass(frozen=True)
class Spending:
    """What is spent on one model while something is asked."""

    budget: SharedBudget | None
    """None for what asks no LLM of the settings or the table."""
    before: float
    """Dollars that the run had spent before."""
    priced: bool
    """Whether the model's price is known."""

    @classmethod
    def begin(cls, models: Models, name: str) -> Spending:
        """Begin to count. `name`: the proposer or the system, as the settings name it."""
        module, _, llm = name.partition(":")
        if module in _ASK_LLM:
            with suppress(AcbenchError):
                model, budget = models.llm(llm), models.llm_client(llm).retrier.budget
                return cls(budget, budget.spent, bool(model.price) or model.is_free)
        return cls(None, 0.0, False)

    def __str__(self) -> str:
        if self.budget is None:
            return ""
        spent = self.budget.spent - self.before
        if not spent and not self.priced:
            return ", cost not known (no price was given)"
        left = self.budget.limit
        rest = "" if left is None else f", ${max(0.0, left - self.budget.spent):,.4f} of ${left:,.2f} left"
        return f", ${spent:,.4f} spent{rest}"


def outcome(name: str, rows: Iterable[Proposal | Prediction], unasked: int, spending: Spending) -> str:
    """The line about a proposer or a system that has been asked: `llm: 97 answered, 3 failed (…), $0.12 spent`.

    `unasked`: how many questions were not asked. Their rows, if there are any, are among those that failed.
    """
    counts: Counter[str] = Counter()
    failures: list[str] = []
    for row in rows:
        status, reason = (row.status, row.reason) if isinstance(row, Proposal) else (row.parse, row.raw)
        if status == "error":
            failures.append(reason)
        else:
            counts[_ANSWERS[status]] += 1
    parts = [f"{counts[called]:,} {called}" for called in dict.fromkeys(_ANSWERS.values()) if counts[called]]
    if failures:
        parts.append(f"{len(failures):,} without an answer ({_by_reason(failures)})")
    again = f"; {unasked:,} questions were not asked; run again to go on" if unasked else ""
    return f"{name}: {', '.join(parts) or 'nothing was asked'}{spending}{again}"


def _by_reason(failures: Sequence[str]) -> str:
    """How often each kind of failure came, the commonest first, and one example of it."""
    kinds = Counter(reason.partition(":")[0] for reason in failures)
    kind, count = kinds.most_common(1)[0]
    example = Counter(reason for reason in failures if reason.partition(":")[0] == kind).most_common(1)[0][0]
    others = [f"{other} × {tidy(name, MOST)}" for name, other in kinds.most_common()[1:4]]
    return "; ".join([f"{count} × {tidy(example, MOST)}", *others])
