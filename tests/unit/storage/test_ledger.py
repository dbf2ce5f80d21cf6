"""The ledger tells what happened, also of commands that could not tell it themselves."""

from __future__ import annotations

import hashlib
import os
import signal
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from acbench.errors import StorageError
from acbench.storage.digests import digest
from acbench.storage.ledger import Ledger
from acbench.storage.ledger.database import MIGRATIONS
from tests.support.commands import finish, start

OPEN = """
import sys, time
from pathlib import Path
from acbench.storage.ledger import Ledger
print("ready", flush=True)
while not Path(sys.argv[2]).exists():
    time.sleep(0.001)
with Ledger(Path(sys.argv[1])) as ledger, ledger.runs.record("other", {}):
"""
"""Opens a ledger once a file is there; what it does then is to be added."""


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger(tmp_path / "ledger.sqlite") as opened:
        yield opened


def opening(code: str, *arguments: object) -> subprocess.Popen[str]:
    return start(None, *arguments, program=("-c", OPEN + code))


class TestOpening:
    def test_an_empty_file_becomes_a_ledger_of_this_version(self, tmp_path: Path) -> None:
        (tmp_path / "l").touch()
        with Ledger(tmp_path / "l") as ledger:
            assert ledger.runs.newest() == []
        with sqlite3.connect(tmp_path / "l") as db:
            assert db.execute("PRAGMA user_version").fetchone() == (len(MIGRATIONS),)
        db.close()

    def test_what_was_kept_is_there_after_closing(self, tmp_path: Path) -> None:
        for rows in ([("k", b"v")], []):
            with Ledger(tmp_path / "l") as ledger:
                ledger.vectors.save(rows)
                assert ledger.vectors.load(["k"]) == {"k": b"v"}

    def test_a_newer_ledger_is_refused(self, tmp_path: Path) -> None:
        db = sqlite3.connect(tmp_path / "l")
        db.execute(f"PRAGMA user_version={len(MIGRATIONS) + 1}")
        db.close()
        with pytest.raises(StorageError, match=r"newer acbench(?s:.)*pip install --upgrade"):
            Ledger(tmp_path / "l")

    def test_garbage_is_refused_with_the_way_out(self, tmp_path: Path) -> None:
        (tmp_path / "l").write_bytes(b"garbage" * 1000)
        with pytest.raises(StorageError, match=f"not a database(?s:.)*acbench ledger recover {tmp_path}/l"):
            Ledger(tmp_path / "l")

    def test_damage_that_shows_only_in_use_is_refused_with_the_way_out(self, tmp_path: Path) -> None:
        with Ledger(tmp_path / "l") as ledger:
            ledger.vectors.save([(f"{number}", bytes(4000)) for number in range(50)])
        data = (tmp_path / "l").read_bytes()
        (tmp_path / "l").write_bytes(data[:4096] + b"\xff" * (len(data) - 4096))
        with (
            pytest.raises(StorageError, match=r"malformed(?s:.)*ledger recover"),
            Ledger(tmp_path / "l") as ledger,
        ):
            ledger.vectors.load(["7"])

    def test_a_place_that_cannot_hold_it_is_no_reason_to_move_it_away(self, tmp_path: Path) -> None:
        (tmp_path / "l").mkdir()
        with pytest.raises(StorageError) as caught:
            Ledger(tmp_path / "l")
        assert "broken" not in caught.value.hint

    def test_processes_that_open_it_at_the_same_moment_all_get_in(self, tmp_path: Path) -> None:
        code = "    ledger.vectors.save((f'{sys.argv[3]}-{n}', b'v') for n in range(200))"
        others = [opening(code, tmp_path / "l", tmp_path / "go", number) for number in range(4)]
        for other in others:
            assert other.stdout is not None and other.stdout.readline() == "ready\n"
        (tmp_path / "go").touch()
        for other in others:
            finish(other)
        with Ledger(tmp_path / "l") as ledger:
            assert len(ledger.vectors.load([f"{n}-{m}" for n in range(4) for m in range(200)])) == 800


class TestOlderVersions:
    def test_what_has_shipped_was_not_edited(self) -> None:
        shipped = "78a3ff08cc4c18224e63a82ad4f0f3ba09f34f5f4514ae01fc44423f6dfc6d94"
        assert hashlib.sha256(repr(MIGRATIONS[:3]).encode()).hexdigest() == shipped

    @pytest.mark.parametrize("version", [1, 2, 3])
    def test_a_ledger_of_an_older_version_is_used_fully(self, tmp_path: Path, version: int) -> None:
        rows = [
            "INSERT INTO runs (command, started, pid, outcome, versions) VALUES ('relabel', '2025', 1, 'done', '{}')",
            "INSERT INTO artifacts VALUES ('labels.jsonl', 'k', 'sha', 'stamp', 1, 0.5)",
            "INSERT INTO files VALUES ('/a', '1', '{}')",
            "INSERT INTO embeddings VALUES ('v', x'00')",
            "INSERT INTO calls (call_id, model, owner, since, cost, answer) VALUES ('c', 'm', '', 0, 0.25, '{}')",
        ]
        with sqlite3.connect(tmp_path / "l") as db:
            for script in [*MIGRATIONS[:version], *rows[: 4 if version == 1 else 5]]:
                db.executescript(script)
            db.execute(f"PRAGMA user_version={version}")
        db.close()
        with Ledger(tmp_path / "l") as ledger:
            assert [(run.command, run.outcome, run.artifacts) for run in ledger.runs.newest()] == [
                ("relabel", "done", 1)
            ]
            assert ledger.artifacts.sha256("labels.jsonl") == "sha"
            assert ledger.file_facts.load("") == {"/a": ("1", "{}")}
            assert ledger.vectors.load(["v"]) == {"v": b"\0"}
            assert ledger.calls.dollars(["c"]) == (0 if version == 1 else 0.25)
            assert ledger.calls.claim("c", "m", "1:a") is (version == 1)
            ledger.vectors.save([("w", b"1")])
            origin = ledger.origin
            assert len(origin) == 16
        with Ledger(tmp_path / "l") as ledger:
            assert ledger.vectors.load(["v", "w"]) == {"v": b"\0", "w": b"1"}
            assert ledger.origin == origin


class TestRuns:
    def test_a_run_that_ends_is_done_and_has_a_summary(self, ledger: Ledger) -> None:
        with ledger.runs.record("acbench relabel", {"python": "3"}) as run_id:
            ledger.runs.summarise(run_id, "2 files")
        (run,) = ledger.runs.newest()
        assert (run.command, run.outcome, run.summary) == ("acbench relabel", "done", "2 files")
        assert run.finished is not None and run.finished >= run.started

    @pytest.mark.parametrize(("error", "outcome"), [(ValueError, "failed"), (KeyboardInterrupt, "stopped")])
    def test_a_run_that_raises_says_how_it_ended(
        self, ledger: Ledger, error: type[BaseException], outcome: str
    ) -> None:
        with pytest.raises(error), ledger.runs.record("x", {}):
            raise error
        assert ledger.runs.newest()[0].outcome == outcome

    def test_a_process_is_running_until_it_is_killed(self, ledger: Ledger) -> None:
        other = opening("    print('running', flush=True); time.sleep(600)", ledger.path, ledger.path)
        assert other.stdout is not None
        assert [other.stdout.readline() for _ in range(2)] == ["ready\n", "running\n"]
        assert ledger.runs.newest()[0].outcome == "running"
        other.send_signal(signal.SIGKILL)
        other.communicate()
        (run,) = ledger.runs.newest()
        assert (run.outcome, run.finished) == ("killed", None)

    def test_the_newest_come_first_and_no_more_than_asked_for(self, ledger: Ledger) -> None:
        for name in "abc":
            with ledger.runs.record(name, {}):
                pass
        assert [run.command for run in ledger.runs.newest(limit=2)] == ["c", "b"]


class TestFreshness:
    @pytest.fixture
    def path(self, ledger: Ledger, tmp_path: Path) -> Path:
        path = tmp_path / "file"
        path.write_text("one")
        with ledger.runs.record("x", {}) as run_id:
            ledger.artifacts.record(path, "file", "key", run_id, 0.5)
        time.sleep(0.02)  # two writes within one tick of the file system's clock look alike
        return path

    def test_it_is_fresh_as_it_was_made(self, ledger: Ledger, path: Path) -> None:
        assert ledger.artifacts.is_fresh(path, "file", "key") and ledger.artifacts.is_untouched(path, "file")
        assert [(each.path, each.seconds) for each in ledger.artifacts.below("fi")] == [("file", 0.5)]
        assert ledger.runs.newest()[0].artifacts == 1

    def test_it_is_not_fresh_for_other_inputs(self, ledger: Ledger, path: Path) -> None:
        assert not ledger.artifacts.is_fresh(path, "file", "other")
        assert ledger.artifacts.is_untouched(path, "file")

    def test_an_edit_that_hides_its_size_and_time_is_seen(self, ledger: Ledger, path: Path) -> None:
        before = path.stat()
        path.write_text("two")
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
        assert path.stat().st_mtime_ns == before.st_mtime_ns
        assert not ledger.artifacts.is_fresh(path, "file", "key") and not ledger.artifacts.is_untouched(path, "file")

    def test_a_touch_is_no_edit(self, ledger: Ledger, path: Path) -> None:
        path.touch()
        assert ledger.artifacts.is_fresh(path, "file", "key") and ledger.artifacts.is_untouched(path, "file")

    def test_a_missing_file_is_not_fresh(self, ledger: Ledger, path: Path) -> None:
        path.unlink()
        assert not ledger.artifacts.is_fresh(path, "file", "key") and not ledger.artifacts.is_untouched(path, "file")

    def test_a_file_that_no_run_made_is_not_fresh(self, ledger: Ledger, path: Path) -> None:
        assert not ledger.artifacts.is_fresh(path, "stranger", "key") and not ledger.artifacts.is_untouched(
            path, "stranger"
        )


class TestKept:
    def test_thousands_of_vectors_come_back_and_missing_ones_are_left_out(self, ledger: Ledger) -> None:
        rows = {f"{number}": bytes([number % 256]) for number in range(2500)}
        ledger.vectors.save(rows.items())
        assert ledger.vectors.load([*rows, "missing"]) == rows

    def test_vectors_are_kept_all_or_none(self, ledger: Ledger) -> None:
        def rows() -> Iterator[tuple[str, bytes]]:
            yield "a", b"1"
            raise ValueError

        with pytest.raises(ValueError):
            ledger.vectors.save(rows())
        assert ledger.vectors.load(["a"]) == {}
        ledger.vectors.save([("a", b"2")])

    def test_facts_about_a_file_replace_older_ones(self, ledger: Ledger) -> None:
        ledger.file_facts.save([("/a", "1", "{}")])
        ledger.file_facts.save([("/a", "2", "{}")])
        assert ledger.file_facts.load("") == {"/a": ("2", "{}")}

    def test_facts_are_those_of_one_folder(self, ledger: Ledger) -> None:
        inside, below, beside = "/a/b/1.png", "/a/b/c/1.png", "/a/b.png"
        ledger.file_facts.save([(path, "1", "{}") for path in (inside, below, beside, "/a/b0", "/a/b-/1.png")])
        assert list(ledger.file_facts.load("/a/b")) == [inside]
        assert list(ledger.file_facts.load("/a/b/c")) == [below]

    def test_a_digest_depends_on_every_part_and_not_on_the_order_of_keys(self) -> None:
        assert digest("a", {"x": 1, "y": 2}) == digest("a", {"y": 2, "x": 1}) != digest("a", {"x": 1, "y": 3})
        assert len(digest("a", length=8)) == 8
