"""What is said of a model once it has been asked."""

from __future__ import annotations

from acbench._util.execution import SharedBudget
from acbench.predictors.llm import Budget
from acbench.records import Prediction
from acbench.workflows.outcome import Spending, outcome
from tests.support.records import item, says


def failed(number: int, reason: str):  # type: ignore[no-untyped-def]
    return says(item(number), "llm@0", status="error", reason=reason)


def budget(limit: float | None, spent: float) -> SharedBudget:
    made = Budget(limit=limit)
    made.spent = spent
    return made


def test_answers_failures_by_reason_and_dollars() -> None:
    rows = [
        *(says(item(number), "llm@0", "contamination") for number in range(1_200)),
        says(item(1), "llm@0", status="abstained", reason="dark"),
        *(failed(number, "account: m says 402: no credit") for number in range(3)),
        failed(9, "filtered: m filters the content (violence)"),
    ]
    line = outcome("llm:a", rows, 3, Spending(budget(5.0, 1.25), 0.25, priced=True))
    assert line == (
        "llm:a: 1,200 answered, 1 could not tell, 4 without an answer (3 × account: m says 402: no credit;"
        " 1 × filtered),"
        " $1.0000 spent, $3.7500 of $5.00 left; 3 questions were not asked; run again to go on"
    )


def test_a_price_that_nobody_gave_is_said_to_be_unknown() -> None:
    assert "cost not known" in outcome("llm", [], 0, Spending(budget(None, 0.0), 0.0, priced=False))
    assert outcome("llm", [], 0, Spending(budget(None, 0.5), 0.0, priced=False)).endswith(", $0.5000 spent")
    assert outcome("mine", [], 0, Spending(None, 0.0, priced=False)) == "mine: nothing was asked"


def test_the_answers_of_a_system() -> None:
    rows = [
        Prediction(item_id="a", system="velm@0", raw="x", labels=(), parse="unknown"),
        Prediction(item_id="b", system="velm@0", raw="", labels=(), parse="empty"),
    ]
    assert outcome("velm", rows, 0, Spending(None, 0.0, priced=False)) == "velm: 1 could not tell, 1 named no class"
