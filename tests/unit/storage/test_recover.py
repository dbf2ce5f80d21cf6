"""What was paid for is got out of a damaged ledger, and nothing of it is destroyed."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from acbench.errors import StorageError
from acbench.storage.ledger import Ledger
from acbench.storage.ledger import recover as recovering
from acbench.storage.ledger.recover import recover
from tests.support.commands import here

CALLS = 400
ANSWER = json.dumps({"text": "x" * 400})
PAGE = 4096


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ledger with many answers. Not to be changed."""
    path = tmp_path_factory.mktemp("sound") / ".acbench" / "ledger.sqlite"
    with Ledger(path) as ledger, ledger.runs.record("acbench x", {"acbench": "1"}):
        for number in range(CALLS):
            ledger.calls.claim(f"call-{number:04}", "m", "1:x")
            ledger.calls.settle(f"call-{number:04}", answer=ANSWER, cost=0.01)
        ledger.vectors.save((f"key-{number:04}", bytes(900)) for number in range(100))
        ledger.file_facts.save([("/a.png", "stamp", "{}")])
        ledger.database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return path


@pytest.fixture
def path(sound: Path, tmp_path: Path) -> Path:
    shutil.copytree(sound.parent, tmp_path / ".acbench")
    return tmp_path / ".acbench" / "ledger.sqlite"


def overwrite(path: Path, page: int, data: bytes = b"\xff" * PAGE) -> None:
    """Damage a page, counted from 0; negative from the end."""
    with path.open("r+b") as file:
        file.seek(page * PAGE, 0 if page >= 0 else 2)
        file.write(data)


def answers(path: Path) -> int:
    with Ledger(path) as ledger:
        return sum(ledger.calls.call(f"call-{number:04}") is not None for number in range(CALLS))


def test_a_sound_ledger_is_left_alone(path: Path) -> None:
    before = path.read_bytes()
    assert recover(path).damaged is None
    assert path.read_bytes() == before and len(list(path.parent.glob("*damaged*"))) == 0


@pytest.mark.parametrize(
    ("damage", "least"),
    [
        (lambda path: overwrite(path, 30), CALLS - 60),
        (lambda path: [overwrite(path, page) for page in (25, 50)], CALLS - 350),
        (lambda path: overwrite(path, 0, b"\0" * 100), CALLS),
        (lambda path: overwrite(path, 0), CALLS),
        (lambda path: overwrite(path, 1), CALLS),
        (lambda path: path.write_bytes(path.read_bytes()[: 40 * PAGE]), 1),
    ],
    ids=["a page", "two pages", "the header", "the first page", "the second page", "torn"],
)
def test_answers_are_got_out_of_a_damaged_file(path: Path, damage: Callable[[Path], object], least: int) -> None:
    with Ledger(path) as ledger:
        origin = ledger.origin
    damage(path)
    broken = path.read_bytes()
    done = recover(path)
    assert done.answers == done.rows["calls"] == answers(path) >= least
    assert done.dollars == pytest.approx(0.01 * done.answers)
    assert done.answers == CALLS or "calls" in done.unread
    assert done.damaged is not None and done.damaged.read_bytes() == broken
    if least == CALLS:
        with Ledger(path) as ledger:
            assert ledger.origin == origin
    assert recover(path).damaged is None, "it is sound now"


def test_a_file_that_is_no_ledger_is_kept_too(path: Path) -> None:
    path.write_bytes(b"not a database at all" * 1000)
    done = recover(path)
    assert done.answers == 0 and done.damaged is not None and done.damaged.read_bytes().startswith(b"not a")
    assert answers(path) == 0


def test_the_log_of_a_killed_command_is_read_and_does_not_get_into_the_new_ledger(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("INSERT INTO dialects VALUES ('m', 'd')")
    connection.commit()
    log = path.with_name("ledger.sqlite-wal").read_bytes()
    connection.close()
    path.with_name("ledger.sqlite-wal").write_bytes(log)
    overwrite(path, 30)
    done = recover(path)
    assert done.rows["dialects"] == 1 and not path.with_name("ledger.sqlite-wal").exists()
    assert done.damaged is not None and done.damaged.with_name(f"{done.damaged.name}-wal").read_bytes() == log


@pytest.mark.parametrize("step", ["_put_aside", "_remove", "replace"])
def test_stopped_at_any_step_it_can_be_run_again(path: Path, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    overwrite(path, 30)

    class Killed(BaseException):
        pass

    def killed(*_: object, **named: object) -> None:
        if step != "_remove" or named:
            raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(*((Path, "replace") if step == "replace" else (recovering, step)), killed)
        with pytest.raises(Killed):
            recover(path)
    first = recover(path)
    assert first.answers > CALLS - 60 and answers(path) == first.answers


def test_the_command_and_the_hint_to_it(path: Path) -> None:
    overwrite(path, 0, b"\0" * 100)
    with pytest.raises(StorageError, match="is not a usable ledger") as caught, Ledger(path):
        pass
    assert f"do not remove it; get out of it what can be read, and go on: acbench ledger recover {path}" in str(
        caught.value
    )
    done = here("ledger", "recover", path)
    assert done.status == 0
    assert done.out.startswith("Recovered 400 answers of models, which cost at most $4.00.\nIn all: 400 calls, ")
    assert f"The damaged file is kept: {path}.damaged-1" in done.out
    again = here("ledger", "recover", "--project", path.parent.parent)
    assert again.out == "The ledger is sound: nothing was changed.\n"
    assert here("ledger", "recover", path.with_name("nosuch")).status == 1
