"""What the driver keeps for its workers, without Ray."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import pytest

from acbench._util.execution import Home, WorkerTask
from acbench.errors import AcbenchError
from acbench.integrations.ray.driver import ATTEMPTS, Job, ProjectActor, WorkerHome
from acbench.predictors.llm.cache import LedgerCallLog
from acbench.records import Finding
from acbench.storage import tables as store


def start_nothing(home: Home) -> Callable[[Sequence[Finding]], None]:
    return lambda rows: None


class TestProjectActor:
    """What it does for workers, without Ray."""

    @pytest.fixture
    def project(self, tmp_path: Path) -> ProjectActor:
        rows = [[Finding(path=str(number), kind="k", detail="d")] for number in range(9)]
        offsets = store.write_parts(tmp_path / "t.jsonl", rows)
        task = WorkerTask(start=start_nothing, kind=Finding)
        ledger, table = tmp_path / "l.sqlite", tmp_path / "t.jsonl"
        return ProjectActor(Job(ledger=ledger, table=table, offsets=offsets, task=task, workers=2, budget=1.0))

    def home(self, project: ProjectActor, part: int) -> WorkerHome:
        home = WorkerHome(project.ask, project.ask("parts", "describe"))
        home.part = part
        return home

    def test_gives_parts(self, project: ProjectActor) -> None:
        assert [each.path for each in project.parts.begin(8)] == ["8"]

    def test_a_part_that_begins_again_gives_back_what_it_held(self, project: ProjectActor, tmp_path: Path) -> None:
        project.parts.begin(0), project.parts.begin(1)
        with self.home(project, 0).open_log() as log, self.home(project, 1).open_log() as other:
            assert log.claim("a", "m", "") and not other.claim("a", "m", "")
            assert self.home(project, 0).budget.reserve(0.75) == 0.75
            assert self.home(project, 1).budget.reserve(0.5, wait=False) is None
            project.parts.begin(0)
            assert other.claim("a", "m", "") and project.budget.spent() == 0.75, "it may have been paid for"
            assert self.home(project, 1).budget.reserve(0.25) == 0.25
            self.home(project, 0).budget.settle(0.75, 0.1)  # a voice from the grave
            assert project.budget.spent() == 0.75
            self.home(project, 1).budget.settle(0.25, 0.05)
            assert project.budget.spent() == pytest.approx(0.8)
            other.record_send("a")
            other.settle("a", answer="{}", cost=0.05)
            known = log.call("a")
            assert known and known.answer == "{}"
        with LedgerCallLog(tmp_path / "l.sqlite") as ledger:
            known = ledger.call("a")
            assert known and (known.answer, known.cost) == ("{}", 0.05)

    def test_one_proves_for_all(self, project: ProjectActor) -> None:
        proved = []
        with pytest.raises(AcbenchError):
            self.home(project, 0).run_once(partial(_fail, proved))
        for part in (1, 2, 3):
            self.home(project, part).run_once(lambda: proved.append(1))
        assert proved == [0, 1]
        project.check.end(False)
        assert project.check.turn(4) == "do" and project.check.turn(5) == "wait"
        project.parts.begin(4)
        assert project.check.turn(5) == "do", "the one who was at it is gone"

    def test_a_part_that_nobody_survives_is_given_up(self, project: ProjectActor) -> None:
        for _ in range(ATTEMPTS):
            project.parts.begin(3)
        with pytest.raises(AcbenchError, match="part 3"):
            project.parts.begin(3)


def _fail(proved: list[int]) -> None:
    proved.append(0)
    raise AcbenchError("blind")
