"""The report: one page that stands alone, holds no more than it should, and shows text as text."""

from __future__ import annotations

import dataclasses
import io
import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from acbench.data import sources
from acbench.data.ingest import ingest
from acbench.evaluation.proposers import LabelledDataset, compare
from acbench.records import Item, Proposal
from acbench.review.queue import ORDER
from acbench.review.resolve import machine_labels
from acbench.stats import rate
from acbench.testing import toy_mvtec_ad
from acbench.workflows import html_report as reporting
from acbench.workflows import summary
from tests.support.records import MVTEC_AC, item, ranked_by, says

HOSTILE = '<script>alert("x")</script><img src=x onerror=alert(1)>'


def content(
    items: list[Item], proposals: dict[str, list[Proposal]], draw: Callable[[str], bytes | None], root: Path
) -> reporting.ReportPage:
    """What the page is made of."""
    labels = machine_labels(items, proposals, MVTEC_AC)
    ranked = ranked_by(items, proposals, MVTEC_AC, audit=1.0)
    waiting = [each for each in ranked if each.why != "settled"]
    source = sources.get("mvtec_ad")
    dataset = dataclasses.replace(ingest(source, root), items=items, findings=[])
    outcome = summary.RelabelOutcome(
        dataset=dataset,
        proposals=proposals,
        machine=labels,
        labels=labels,
        ranked=ranked,
        waiting=waiting,
        audit=[each.item_id for each in ranked if each.why == "audit"],
    )
    facts = summary.relabel_report(outcome, MVTEC_AC, source)
    labelled = LabelledDataset(items=items, proposals=proposals, labels=labels, schema=MVTEC_AC)
    comparison = compare(labelled, people_only=False, cost=lambda calls: 0.0)
    return reporting.build_page(labelled, facts, comparison, waiting, draw)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return toy_mvtec_ad(tmp_path / "toy", train=1, good=1, each=1)


def picture(path: Path, width: int = 1600) -> Path:
    Image.new("RGB", (width, 600), (90, 120, 150)).save(path, "JPEG")
    return path


def disputed(count: int) -> tuple[list[Item], dict[str, list[Proposal]]]:
    items = [item(number, "broken_large") for number in range(count)]
    answers = {
        each.item_id: [says(each, "source_label", "broken_large"), says(each, "llm", "contamination")] for each in items
    }
    return items, answers


def test_the_page_stands_alone(tmp_path: Path, root: Path) -> None:
    drawn = reporting.shrunk(picture(tmp_path / "one.jpg"))
    assert drawn is not None and Image.open(io.BytesIO(drawn)).width == reporting.WIDTH
    items, answers = disputed(5)
    page = content(items, answers, lambda _: drawn, root).html().decode()
    assert page.count("data:image/jpeg;base64,") == 5
    assert "<script" not in page
    assert re.findall(r'(?:src|href)="(?!data:|#)', page) == []
    assert "default-src 'none'" in page
    assert "flatter" in page, "figures judged by labels that the proposers made say so"


def test_text_of_strangers_is_text(root: Path) -> None:
    of = item(1, HOSTILE, image=f"bottle/test/x/{HOSTILE}.png")
    loud = says(of, "llm", "contamination", reason=HOSTILE, rationale=HOSTILE)
    silent = says(of, "source_label", reason=HOSTILE)
    page = content([of], {of.item_id: [loud, silent]}, lambda _: None, root).html().decode()
    assert HOSTILE not in page
    assert "&lt;script&gt;" in page


def test_its_size_is_bounded(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reporting, "MAX_BYTES", 2500)
    items, answers = disputed(reporting.MAX_PICTURES + 7)
    found = content(items, answers, lambda _: b"x" * 1000, root)
    assert len(found.queue) == reporting.MAX_PICTURES
    assert found.queue_more == 7
    assert found.pictures == 2


def test_a_picture_that_cannot_be_read_is_left_out(tmp_path: Path) -> None:
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"no picture")
    assert reporting.shrunk(broken) is None
    assert reporting.shrunk(tmp_path / "none.jpg") is None


def test_what_changed_says_why(root: Path) -> None:
    merged = item(1, "squeeze", category="capsule", image="capsule/test/squeeze/001.png")
    same = item(2, "broken_large")
    answers = {
        merged.item_id: [says(merged, "source_label", "crack")],
        same.item_id: [says(same, "source_label", "broken_large")],
    }
    found = content([merged, same], answers, lambda _: None, root)
    (change,) = found.changed
    assert (change.image, change.source, change.label) == (merged.image, "squeeze", "crack")
    assert change.reason


def test_confusions_count_each_answer_once(root: Path) -> None:
    items, answers = disputed(3)
    tables = {table.proposer: table for table in content(items, answers, lambda _: None, root).confusions}
    assert tables["llm"].rows == [("broken_large", [(3, False)])]
    assert tables["source_label"].rows == [("broken_large", [(3, True)])]


def test_to_abstain_is_not_wrong(root: Path) -> None:
    items, answers = disputed(2)
    answers[items[0].item_id][1] = says(items[0], "llm")
    page = content(items, answers, lambda _: None, root).html().decode()
    assert page.count('class="n faded">1</td>') == page.count('class="n wrong">1</td>') == 1


def test_the_report_of_a_relabel_survives_its_file(root: Path) -> None:
    items, answers = disputed(2)
    facts = content(items, answers, lambda _: None, root).relabel
    audited = dataclasses.replace(facts, audit=summary.Audit(asked=3, error=rate(1, 2), unsettled=1))
    for made in (facts, audited):
        assert summary.RelabelReport.from_json(json.loads(json.dumps(made.to_json()))) == made
    kept = json.loads(json.dumps(audited.to_json()))
    assert list(kept["queue"]) == ["waiting", *list(ORDER)[:-1], "ranked"]
    assert list(kept["audit"]) == ["asked", "answered", "error", "unsettled", "bounds"]
    assert kept["audit"]["answered"] == 2
    fewest, most = rate(1, 3), rate(2, 3)
    assert fewest is not None and most is not None and kept["audit"]["bounds"] == [fewest.low, most.high]
    for entry in kept["top"]:  # as an earlier version wrote it
        entry["suspicion"] = entry.pop("label_issue_score")
    assert summary.RelabelReport.from_json(kept) == audited


@pytest.mark.parametrize("content", ["[]", "{}", "null", '{"queue": []}'])
def test_another_file_is_no_report_of_a_relabel(content: str) -> None:
    with pytest.raises(ValueError, match="no report of a relabel"):
        summary.RelabelReport.from_json(json.loads(content))
