"""Ledgers of shards: what they take from the ledger of their project, and how they are merged into it."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from acbench.errors import StorageError
from acbench.predictors.llm.cache import LedgerCallLog
from acbench.storage.ledger import Ledger
from acbench.storage.ledger_merge import MergingLedger


class TestMerging:
    def test_as_often_as_one_likes(self, tmp_path: Path) -> None:
        """Costs are added up once, also when the shard went on between two merges."""
        with LedgerCallLog(tmp_path / "shard.sqlite") as shard:
            shard.put_file_facts([("/a", "1", "{}")])
            shard.put_embeddings([("v", b"1")])
            shard.claim("x", "m", "1:a"), shard.sending("x"), shard.settle("x", answer='{"a": 1}', cost=0.5)
            shard.claim("y", "m", "1:a"), shard.sending("y"), shard.settle("y", error="timeout: no", cost=0.25)
        with MergingLedger(tmp_path / "home.sqlite") as home:
            first = home.merge(tmp_path / "shard.sqlite")
            assert (first.files, first.vectors, first.answers, first.failures, first.dollars) == (1, 1, 1, 1, 0.75)
            again = home.merge(tmp_path / "shard.sqlite")
            assert (again.files, again.vectors, again.answers, again.failures, again.dollars) == (0, 0, 0, 0, 0)
        with LedgerCallLog(tmp_path / "shard.sqlite") as shard:
            shard.claim("y", "m", "1:a", retry=True), shard.sending("y"), shard.settle("y", answer="{}", cost=0.25)
        with MergingLedger(tmp_path / "home.sqlite") as home:
            later = home.merge(tmp_path / "shard.sqlite")
            assert (later.answers, later.failures, later.dollars) == (1, -1, 0.25)
        with LedgerCallLog(tmp_path / "home.sqlite") as home_log:
            known = home_log.call("y")
            assert known and (known.answer, known.error, known.sends, known.cost) == ("{}", None, 2, 0.5)

    def test_an_answer_that_is_there_stays(self, tmp_path: Path) -> None:
        for name, answer in (("home", "1"), ("shard", "2")):
            with LedgerCallLog(tmp_path / f"{name}.sqlite") as log:
                log.claim("x", "m", "1:a"), log.sending("x"), log.settle("x", answer=answer, cost=1)
        with MergingLedger(tmp_path / "home.sqlite") as home:
            home.merge(tmp_path / "shard.sqlite")
        with LedgerCallLog(tmp_path / "home.sqlite") as log:
            known = log.call("x")
            assert known and (known.answer, known.cost) == ("1", 2), "both were paid"

    def test_one_that_was_killed_half_way_may_have_been_paid(self, tmp_path: Path) -> None:
        with LedgerCallLog(tmp_path / "shard.sqlite") as shard:
            shard.claim("x", "m", "1:a"), shard.sending("x")
        with MergingLedger(tmp_path / "home.sqlite") as home:
            home.merge(tmp_path / "shard.sqlite")
        with LedgerCallLog(tmp_path / "home.sqlite") as log:
            known = log.call("x")
            assert known and known.lost and not known.in_hand
            assert log.claim("x", "m", "1:b")

    def test_what_is_no_ledger(self, tmp_path: Path) -> None:
        (tmp_path / "shard.sqlite").write_bytes(b"not a database, but long enough to be one" * 99)
        with MergingLedger(tmp_path / "home.sqlite") as home, pytest.raises(StorageError, match=r"shard\.sqlite"):
            home.merge(tmp_path / "shard.sqlite")


class TestBase:
    def test_what_is_not_here_is_looked_for_there(self, tmp_path: Path) -> None:
        with LedgerCallLog(tmp_path / "home.sqlite") as home:
            home.put_file_facts([("/a", "1", "old"), ("/b", "1", "b")])
            home.put_embeddings([("v", b"1"), ("w", b"1")])
            home.claim("x", "m", "1:a"), home.sending("x"), home.settle("x", answer="{}", cost=1)
            home.claim("y", "m", "1:a"), home.sending("y")
        with LedgerCallLog(tmp_path / "shard.sqlite", tmp_path / "home.sqlite") as shard:
            shard.put_file_facts([("/a", "2", "new")])
            shard.put_embeddings([("w", b"2")])
            assert shard.file_facts() == {"/a": ("2", "new"), "/b": ("1", "b")}
            assert shard.embeddings(["v", "w", "z"]) == {"v": b"1", "w": b"2"}
            assert not shard.claim("x", "m", "1:a")
            known = shard.call("y")
            assert known and known.lost and shard.claim("y", "m", "1:b")
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
            assert shard.embeddings(["k"]) == {}
        assert not (tmp_path / "home.sqlite").exists()
