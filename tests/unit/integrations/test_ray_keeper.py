"""What the driver keeps for its workers, without Ray."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import pytest

from acbench._util.execution import Home, WorkerTask
from acbench.errors import AcbenchError
from acbench.integrations.ray.driver import BEGINNINGS, Keeper, RemoteHome
from acbench.predictors.llm.cache import LedgerCallLog
from acbench.records import Finding
from acbench.storage import tables as store


def start_nothing(home: Home) -> Callable[[Sequence[Finding]], None]:
    return lambda rows: None


class TestKeeper:
    """What the workers' home does, without Ray."""

    @pytest.fixture
    def keeper(self, tmp_path: Path) -> Keeper:
        rows = [[Finding(path=str(number), kind="k", detail="d")] for number in range(9)]
        offsets = store.write_parts(tmp_path / "t.jsonl", rows)
        task = WorkerTask(start=start_nothing, kind=Finding)
        return Keeper(str(tmp_path / "l.sqlite"), str(tmp_path / "t.jsonl"), offsets, task, 2, 1.0)

    def home(self, keeper: Keeper, part: int) -> RemoteHome:
        home = RemoteHome(lambda method, *arguments: getattr(keeper, method)(*arguments), 2, 1.0)
        home.part = part
        return home

    def test_gives_parts(self, keeper: Keeper) -> None:
        assert [each.path for each in keeper.part(8)] == ["8"]

    def test_a_part_that_begins_again_gives_back_what_it_held(self, keeper: Keeper, tmp_path: Path) -> None:
        keeper.part(0), keeper.part(1)
        with self.home(keeper, 0).log() as log, self.home(keeper, 1).log() as other:
            assert log.claim("a", "m", "") and not other.claim("a", "m", "")
            assert self.home(keeper, 0).budget.reserve(0.75) == 0.75
            assert self.home(keeper, 1).budget.reserve(0.5, wait=False) is None
            keeper.part(0)
            assert other.claim("a", "m", "") and keeper.spent() == 0.75, "it may have been paid for"
            assert self.home(keeper, 1).budget.reserve(0.25) == 0.25
            self.home(keeper, 0).budget.settle(0.75, 0.1)  # a voice from the grave
            assert keeper.spent() == 0.75
            self.home(keeper, 1).budget.settle(0.25, 0.05)
            assert keeper.spent() == pytest.approx(0.8)
            other.sending("a")
            other.settle("a", answer="{}", cost=0.05)
            known = log.call("a")
            assert known and known.answer == "{}"
        with LedgerCallLog(tmp_path / "l.sqlite") as ledger:
            known = ledger.call("a")
            assert known and (known.answer, known.cost) == ("{}", 0.05)

    def test_one_proves_for_all(self, keeper: Keeper) -> None:
        proved = []
        with pytest.raises(AcbenchError):
            self.home(keeper, 0).once(partial(_fail, proved))
        for part in (1, 2, 3):
            self.home(keeper, part).once(lambda: proved.append(1))
        assert proved == [0, 1]
        keeper.proved(False)
        assert keeper.turn(4) == "do" and keeper.turn(5) == "wait"
        keeper.part(4)
        assert keeper.turn(5) == "do", "the one who was at it is gone"

    def test_a_part_that_nobody_survives_is_given_up(self, keeper: Keeper) -> None:
        for _ in range(BEGINNINGS):
            keeper.part(3)
        with pytest.raises(AcbenchError, match="part 3"):
            keeper.part(3)


def _fail(proved: list[int]) -> None:
    proved.append(0)
    raise AcbenchError("blind")
