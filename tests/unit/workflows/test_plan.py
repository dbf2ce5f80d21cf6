"""A plan in a project: queue, report, status and page follow one and the same."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from acbench.errors import AcbenchError, StorageError
from acbench.evaluation.agreement import decision_times
from acbench.records import Review
from acbench.review.plan import Commitment
from acbench.testing import toy_mvtec_ad
from acbench.workflows import html_report
from acbench.workflows.label import label, prepare, write_reviews
from acbench.workflows.plan import PlanTask, draw_curve, make_plan
from acbench.workflows.plan_report import PlanReport
from acbench.workflows.queue import Queue, rank, read_plan, write_queue
from acbench.workflows.relabel import relabel
from acbench.workflows.status import status
from acbench.workflows.summary import RelabelReport
from tests.support.releases import at_work

PLAN = Path("annotations/mvtec_ac/plan.json")
QUEUE = Path(".acbench/mvtec_ac/queue.csv")


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Images whose labels only the dataset gives. Not to be changed."""
    return toy_mvtec_ad(tmp_path_factory.mktemp("images"), good=12, each=12)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return tmp_path


def planned(project: Path, root: Path, task: PlanTask | None = None, **changes: object) -> PlanReport:
    """What the command comes to."""
    with at_work(project, "mvtec_ac", root=root, **changes) as run:
        report = make_plan(run, task or PlanTask(error=0.05))
    assert report.plan is not None
    return report.plan


def relabelled(project: Path, root: Path, **changes: object) -> tuple[RelabelReport, Queue]:
    with at_work(project, "mvtec_ac", root=root, **changes) as run:
        return relabel(run)


def decide(project: Path, root: Path, count: int, seconds: float | None = None) -> None:
    """Somebody confirms the first labels of the queue."""
    with at_work(project, "mvtec_ac", root=root) as run:
        queue = rank(run, label(run, prepare(run)))
        labels = queue.labelled.labels
        made = [
            Review(item_id=row.item_id, reviewer="ann", round=1, verdict="label",
                   labels=labels[row.item_id].labels or ("good",), seconds=seconds)
            for row in queue.waiting[:count]
        ]  # fmt: skip
        write_reviews(run, [*queue.labelled.reviews, *made])


def rows(project: Path) -> list[dict[str, str]]:
    with (project / QUEUE).open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def test_before_there_is_a_plan_the_report_says_what_one_would_take(project: Path, root: Path) -> None:
    report, queue = relabelled(project, root)
    assert report.plan is not None and report.plan.state == "draft"
    assert "there is no plan yet" in report.plan.why()
    assert report.plan.to_see > report.queue.waiting == len(queue.waiting)
    assert not (project / PLAN).exists()


def test_queue_report_status_and_file_agree_with_the_plan(project: Path, root: Path) -> None:
    plan = planned(project, root)
    assert plan.state == "followed" and 0 < plan.to_see < plan.everything
    report, queue = relabelled(project, root)
    assert report.plan == plan
    assert len(queue.waiting) == report.queue.waiting == plan.to_see == len(rows(project))
    assert [row.item_id for row in queue.waiting] == [row["item_id"] for row in rows(project)]
    assert report.audit.asked == plan.audit == report.queue.by_why["audit"]
    stands = status(project, "mvtec_ac")["mvtec_ac"]
    assert (stands.waiting, stands.plan) == (plan.to_see, plan.why())
    assert PLAN.as_posix() in {file.path for file in stands.artifacts}


def test_the_report_survives_its_file(project: Path, root: Path) -> None:
    planned(project, root)
    report, _ = relabelled(project, root)
    assert RelabelReport.from_json(json.loads(json.dumps(report.to_json()))) == report
    older = report.to_json()
    del older["plan"]
    assert RelabelReport.from_json(json.loads(json.dumps(older))).plan is None


def test_the_queue_ends_where_the_promise_holds_and_says_why(project: Path, root: Path) -> None:
    plan = planned(project, root)
    for _ in range(20):
        if not plan.to_see:
            break
        decide(project, root, plan.to_see)
        report, queue = relabelled(project, root)
        assert report.plan is not None
        plan = report.plan
    assert plan.is_done and queue.waiting == []
    assert plan.why().startswith("the queue ends here: at most")
    assert plan.at_most <= plan.allowed and plan.decided < plan.accepted
    assert status(project, "mvtec_ac")["mvtec_ac"].plan == plan.why()


def test_a_second_run_has_nothing_to_do(project: Path, root: Path) -> None:
    planned(project, root)
    with at_work(project, "mvtec_ac", root=root) as run:
        relabel(run)
        assert run.build.written == []


def test_an_audit_that_has_begun_is_not_chosen_anew(project: Path, root: Path) -> None:
    planned(project, root)
    first = read_plan(project / PLAN)
    decide(project, root, 5)
    assert planned(project, root, PlanTask()).audited == 5
    assert read_plan(project / PLAN) == first
    assert planned(project, root, PlanTask(error=0.1)).error == 0.1
    assert planned(project, root, PlanTask(anew=True)).number == 2


def test_an_audit_that_began_before_the_plan_counts_aloud(
    project: Path, root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    waiting = len(relabelled(project, root)[1].waiting)
    decide(project, root, waiting)
    plan = planned(project, root)
    assert plan.audited > 0 and plan.state == "followed"
    assert "the queue keeps its own cut" in capsys.readouterr().err


def test_other_images_end_a_plan_aloud(project: Path, root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    planned(project, root)
    decide(project, root, 5)
    report, queue = relabelled(project, root, limit=30)
    assert report.plan is not None and report.plan.state == "stale"
    assert "the queue follows no plan before acbench plan mvtec_ac" in capsys.readouterr().err
    assert len(queue.waiting) < report.plan.to_see, "it is the usual one"
    assert planned(project, root, PlanTask()).number == 2
    assert "its audit begins anew" in capsys.readouterr().err


def test_a_plan_can_be_dropped_but_not_forgotten(project: Path, root: Path) -> None:
    usual, _ = relabelled(project, root)
    with pytest.raises(AcbenchError, match="no plan to drop"):
        planned(project, root, PlanTask(drop=True))
    planned(project, root)
    assert planned(project, root, PlanTask(drop=True)).state == "dropped"
    report, _ = relabelled(project, root)
    assert report.queue == usual.queue
    kept = read_plan(project / PLAN)
    assert isinstance(kept, Commitment) and kept.dropped
    assert planned(project, root, PlanTask()).state == "followed"


def test_the_pace_is_that_of_decisions_whose_time_is_known(project: Path, root: Path) -> None:
    planned(project, root)
    decide(project, root, 4, seconds=10)
    plan = planned(project, root, PlanTask())
    assert (plan.timed, plan.minutes) == (4, None) and plan.pace().startswith("not known: only 4")
    decide(project, root, 2, seconds=30)
    decide(project, root, 1)
    plan = planned(project, root, PlanTask())
    assert (plan.timed, plan.seconds) == (6, decision_times([]).median or 10)
    assert plan.minutes == pytest.approx(plan.to_see * 10 / 60)
    assert "10 s a decision, the median of 6" in plan.pace()


def test_where_too_little_may_be_wrong_all_have_to_be_seen(project: Path, root: Path) -> None:
    plan = planned(project, root, PlanTask(error=0.001))
    assert plan.is_all and plan.to_see == plan.everything
    assert plan.why() == f"nothing can be promised more cheaply than by seeing all {plan.everything:,} images"


def test_a_damaged_plan_is_named(project: Path, root: Path) -> None:
    planned(project, root)
    kept = json.loads((project / PLAN).read_text())
    (project / PLAN).write_text(json.dumps(kept | {"prior": {"faulty": 0, "sound": 1}}))
    with pytest.raises(StorageError, match=r"plan\.json"):
        relabelled(project, root)


def test_the_curve_is_a_picture_on_the_page(project: Path, root: Path) -> None:
    planned(project, root)
    with at_work(project, "mvtec_ac", root=root) as run:
        report, queue = relabel(run)
        picture = draw_curve(run, report)
        write_queue(run, queue)
        page = html_report.write_page(run).path.read_text(encoding="utf-8")
    assert picture is not None and picture.read_bytes().startswith(b"\x89PNG")
    assert report.plan is not None and html_report.plan_chart(report.plan) in page
    assert report.plan.why()[1:40] in page and report.plan.rule()[:40] in page
