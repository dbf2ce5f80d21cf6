"""A value in the ledger that cannot be used is forgotten alone: what was paid for stays."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from acbench.errors import StorageError
from acbench.integrations.openai.dialect import Dialect
from acbench.predictors.llm.cache import LedgerCallLog
from acbench.predictors.llm.messages import Completion
from acbench.storage.ledger import Ledger
from acbench.storage.vectors import unpack_vector

GOOD = Completion(text="dent", model="m", finish="stop", tokens_in=1, tokens_out=1, seconds=0.5)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A ledger with a vector and two answers."""
    path = tmp_path / ".acbench/ledger.sqlite"
    with Ledger(path) as ledger:
        ledger.vectors.save([("v", b"abc")])
    with LedgerCallLog(path) as log:
        for name, answer in (("0a", GOOD.to_json()), ("0b", "{")):
            log.claim(name, "m", "x")
            log.settle(name, answer=answer, cost=0.5)
    return path


def follow(read: Callable[[], object], project: Path, before: str) -> None:
    """Do what the error says."""
    with pytest.raises(StorageError) as told:
        read()
    assert "paid for" in told.value.hint
    command = told.value.hint.partition(before)[2].replace("python", sys.executable, 1)
    assert command
    subprocess.run(command, shell=True, check=True, cwd=project)


def test_vectors_are_forgotten_and_answers_stay(path: Path, tmp_path: Path) -> None:
    with Ledger(path) as ledger:
        follow(lambda: unpack_vector(ledger.vectors.load(["v"])["v"]), tmp_path, "run again: ")
    with Ledger(path) as ledger:
        assert ledger.vectors.load(["v"]) == {}
        kept = ledger.calls.call("0a")
        assert kept and kept.answer and Completion.from_json(kept.answer) == GOOD


@pytest.mark.parametrize("damaged", ["{", "[]", "null", "{}", '{"text": 3}', "[" * 9999, '{"token_logprobs": 3}', ""])
def test_an_answer_that_cannot_be_read_is_named_and_forgotten_alone(path: Path, tmp_path: Path, damaged: str) -> None:
    follow(lambda: Completion.from_json(damaged, "0b"), tmp_path, "asked for again: ")
    with Ledger(path) as ledger:
        assert ledger.calls.call("0b") is None
        assert ledger.calls.call("0a") is not None and ledger.vectors.load(["v"])


@pytest.mark.parametrize("damaged", ["", "{", "null", "3", '["a", 1]', '{"a": 1}', "[" * 9999])
def test_a_batch_whose_calls_cannot_be_read_is_named(path: Path, damaged: str) -> None:
    with LedgerCallLog(path) as log:
        log.open_batch("b1", "m", "sha", ["0a"])
        assert [batch.call_ids for batch in log.open_batches("m")] == [("0a",)]
        log._database.execute("UPDATE batches SET call_ids = ?", (damaged,))
        with pytest.raises(StorageError, match="the batch b1 in the ledger") as told:
            log.open_batches("m")
    assert "--batch" in told.value.hint


@pytest.mark.parametrize(
    "damaged", ["", "{", "null", "[]", '{"limit": "x"}', '{"limit_name": "y"}', '{"new": 1}', '{"highest": null}']
)
def test_a_dialect_that_cannot_be_read_is_found_out_again(damaged: str) -> None:
    assert Dialect.from_json(damaged) == Dialect()
    known = Dialect(limit=5, temperature=False)
    assert Dialect.from_json(known.to_json()) == known
