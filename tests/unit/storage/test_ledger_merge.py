"""Ledgers of shards: what they take from the ledger of their project, and how they are merged into it."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from acbench.errors import StorageError
from acbench.storage.ledger import Ledger
from acbench.storage.ledger.merge import merge


def pay(ledger: Ledger, call_id: str, *, answer: str | None = None, error: str | None = None, cost: float = 0) -> None:
    """Make a call; without an answer and an error, its owner ends after it was sent."""
    ledger.calls.claim(call_id, "m", "1:a", retry=True)
    ledger.calls.record_send(call_id)
    if answer or error:
        ledger.calls.settle(call_id, answer=answer, error=error, cost=cost)


class TestMerging:
    def test_as_often_as_one_likes(self, tmp_path: Path) -> None:
        """Costs are added up once, also when the shard went on between two merges."""
        with Ledger(tmp_path / "shard.sqlite") as shard:
            shard.file_facts.save([("/a", "1", "{}")])
            shard.vectors.save([("v", b"1")])
            pay(shard, "x", answer='{"a": 1}', cost=0.5)
            pay(shard, "y", error="timeout: no", cost=0.25)
        with Ledger(tmp_path / "home.sqlite") as home:
            first = merge(home, tmp_path / "shard.sqlite")
            assert (first.files, first.vectors, first.answers, first.failures, first.dollars) == (1, 1, 1, 1, 0.75)
            again = merge(home, tmp_path / "shard.sqlite")
            assert (again.files, again.vectors, again.answers, again.failures, again.dollars) == (0, 0, 0, 0, 0)
        with Ledger(tmp_path / "shard.sqlite") as shard:
            pay(shard, "y", answer="{}", cost=0.25)
        with Ledger(tmp_path / "home.sqlite") as home:
            later = merge(home, tmp_path / "shard.sqlite")
            assert (later.answers, later.failures, later.dollars) == (1, -1, 0.25)
        with Ledger(tmp_path / "home.sqlite") as home_log:
            known = home_log.calls.call("y")
            assert known and (known.answer, known.error, known.sends, known.cost) == ("{}", None, 2, 0.5)

    def test_an_answer_that_is_there_stays(self, tmp_path: Path) -> None:
        for name, answer in (("home", "1"), ("shard", "2")):
            with Ledger(tmp_path / f"{name}.sqlite") as log:
                pay(log, "x", answer=answer, cost=1)
        with Ledger(tmp_path / "home.sqlite") as home:
            merge(home, tmp_path / "shard.sqlite")
        with Ledger(tmp_path / "home.sqlite") as log:
            known = log.calls.call("x")
            assert known and (known.answer, known.cost) == ("1", 2), "both were paid"

    def test_a_refusal_that_was_taken_back_is_open_and_not_lost(self, tmp_path: Path) -> None:
        with Ledger(tmp_path / "shard.sqlite") as shard:
            pay(shard, "x", error="refused: no")
            shard.calls.reopen(["x"])
            known = shard.calls.call("x")
            assert known and (known.error, known.lost) == (None, False)
        with Ledger(tmp_path / "home.sqlite") as home:
            merge(home, tmp_path / "shard.sqlite")
            known = home.calls.call("x")
            assert known and (known.error, known.lost) == (None, False)
            assert home.calls.claim("x", "m", "2:b"), "it can be asked again"

    def test_how_a_model_has_to_be_asked_comes_along(self, tmp_path: Path) -> None:
        with Ledger(tmp_path / "shard.sqlite") as shard:
            shard.calls.keep_dialect("m", "{}")
        with Ledger(tmp_path / "home.sqlite") as home:
            assert home.calls.dialect("m") == ""
            merge(home, tmp_path / "shard.sqlite")
            assert home.calls.dialect("m") == "{}"

    def test_one_that_was_killed_half_way_may_have_been_paid(self, tmp_path: Path) -> None:
        with Ledger(tmp_path / "shard.sqlite") as shard:
            pay(shard, "x")
        with Ledger(tmp_path / "home.sqlite") as home:
            merge(home, tmp_path / "shard.sqlite")
        with Ledger(tmp_path / "home.sqlite") as log:
            known = log.calls.call("x")
            assert known and known.lost and not known.active
            assert log.calls.claim("x", "m", "1:b")

    def test_what_is_no_ledger(self, tmp_path: Path) -> None:
        (tmp_path / "shard.sqlite").write_bytes(b"not a database, but long enough to be one" * 99)
        with Ledger(tmp_path / "home.sqlite") as home, pytest.raises(StorageError, match=r"shard\.sqlite"):
            merge(home, tmp_path / "shard.sqlite")


class TestBase:
    def test_what_is_not_here_is_looked_for_there(self, tmp_path: Path) -> None:
        with Ledger(tmp_path / "home.sqlite") as home:
            home.file_facts.save([("/a", "1", "old"), ("/b", "1", "b")])
            home.vectors.save([("v", b"1"), ("w", b"1")])
            pay(home, "x", answer="{}", cost=1)
            pay(home, "y")
        with Ledger(tmp_path / "shard.sqlite", tmp_path / "home.sqlite") as shard:
            shard.file_facts.save([("/a", "2", "new")])
            shard.vectors.save([("w", b"2")])
            assert shard.file_facts.load("") == {"/a": ("2", "new"), "/b": ("1", "b")}
            assert shard.vectors.load(["v", "w", "z"]) == {"v": b"1", "w": b"2"}
            assert not shard.calls.claim("x", "m", "1:a")
            known = shard.calls.call("y")
            assert known and known.lost and shard.calls.claim("y", "m", "1:b")
        assert b"new" not in (tmp_path / "home.sqlite").read_bytes()

    def test_one_that_was_left_in_the_middle_is_not_read(self, tmp_path: Path) -> None:
        Ledger(tmp_path / "home.sqlite").close()
        other = sqlite3.connect(tmp_path / "home.sqlite")
        other.execute("INSERT INTO embeddings VALUES ('k', x'00')")
        other.commit()
        with pytest.raises(StorageError, match="acbench merge"):
            Ledger(tmp_path / "shard.sqlite", tmp_path / "home.sqlite")
        other.close()

    def test_none_is_needed(self, tmp_path: Path) -> None:
        with Ledger(tmp_path / "shard.sqlite", tmp_path / "home.sqlite") as shard:
            assert shard.vectors.load(["k"]) == {}
        assert not (tmp_path / "home.sqlite").exists()
