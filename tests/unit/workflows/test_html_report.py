"""The report: one page that stands alone, holds no more than it should, and shows text as text."""

from __future__ import annotations

import dataclasses
import json
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from acbench._util import templates
from acbench.data import sources
from acbench.data.ingest import ingest
from acbench.errors import AcbenchError
from acbench.evaluation.agreement import agreement
from acbench.evaluation.proposers import LabelledDataset, compare
from acbench.records import Item, Proposal, Review
from acbench.review.history import by_item
from acbench.review.queue import ORDER
from acbench.review.resolve import machine_labels, resolve
from acbench.stats import rate
from acbench.testing import toy_mvtec_ad
from acbench.workflows import html_report as reporting
from acbench.workflows import report_counts, report_curves, summary
from acbench.workflows.answer_counts import AnswerCounts
from acbench.workflows.label_counts import LabelTally
from tests.support.records import MVTEC_AC, decides, item, ranked_by, says, tally

HOSTILE = '</script><script>alert("x")</script><img src=x onerror=alert(1)><!--'
SCRIPT, STYLE = templates.source("report.js"), templates.source("report.css")


def content(
    items: list[Item], proposals: dict[str, list[Proposal]], root: Path, reviews: Sequence[Review] = ()
) -> reporting.ReportPage:
    """What the page is made of, without pictures."""
    machine = machine_labels(items, proposals, MVTEC_AC)
    histories = by_item(reviews)
    labels = resolve(items, proposals, histories, MVTEC_AC, machine)
    ranked = ranked_by(items, proposals, MVTEC_AC, audit=1.0)
    waiting = [each for each in ranked if each.why != "settled" and each.item_id not in histories]
    source = sources.get("mvtec_ad")
    dataset = dataclasses.replace(ingest(source, root), items=items, findings=[])
    outcome = summary.RelabelOutcome(
        dataset=dataset,
        proposals=proposals,
        answers=answer_counts(row for rows in proposals.values() for row in rows),
        machine=machine,
        labels=labels,
        counts=LabelTally(MVTEC_AC).of(labels.values()).figures,
        ranked=ranked,
        waiting=waiting,
        audit=[each.item_id for each in ranked if each.why == "audit"],
        drawn_from=sum(each.why in ("audit", "settled") for each in ranked),
    )
    facts = summary.relabel_report(outcome, MVTEC_AC, source)
    labelled = LabelledDataset(items=items, proposals=proposals, labels=labels, schema=MVTEC_AC)
    comparison = compare(labelled, people_only=False, cost=lambda calls: 0.0)
    agreed = agreement(items, proposals, histories, "mvtec_ac")
    return reporting.build_page(labelled, facts, comparison, agreed, waiting, histories)


def answer_counts(answers: Iterable[Proposal]) -> dict[str, AnswerCounts]:
    """Full name of each proposer → how it answered."""
    by_proposer: defaultdict[str, list[Proposal]] = defaultdict(list)
    for answer in answers:
        by_proposer[answer.proposer].append(answer)
    return {name: AnswerCounts(**tally(own)) for name, own in sorted(by_proposer.items())}


class Page(HTMLParser):
    """What a browser finds in a page: elements that load or do something, inline texts, and what is shown."""

    def __init__(self, html: bytes) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.inline: dict[str, str] = {}
        self.handlers: list[str] = []
        self.policy = self.text = ""
        self._inside = ""
        self.feed(html.decode())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self._inside = ""
        if tag in ("script", "style"):
            self._inside = given.get("id") or given.get("type") or tag
        self.loads += [value for name, value in attrs if name in ("src", "href", "action", "data", "srcset") and value]
        self.handlers += [name for name in given if name.startswith("on") or name == "style"]
        if given.get("http-equiv") == "Content-Security-Policy":
            self.policy = given["content"] or ""

    def handle_endtag(self, tag: str) -> None:
        self._inside = ""

    def handle_data(self, data: str) -> None:
        if self._inside:
            self.inline[self._inside] = self.inline.get(self._inside, "") + data
        else:
            self.text += data

    @property
    def images(self) -> list[dict[str, Any]]:
        """What the script reads."""
        found: list[dict[str, Any]] = json.loads(self.inline["data-images"])
        return found

    @property
    def pictures(self) -> Mapping[str, Mapping[str, str]]:
        """The pictures that the script shows."""
        found: Mapping[str, Mapping[str, str]] = json.loads(self.inline["data-pictures"])
        return found


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return toy_mvtec_ad(tmp_path / "toy", train=1, good=1, each=1)


def disputed(count: int) -> tuple[list[Item], dict[str, list[Proposal]]]:
    items = [item(number, "broken_large") for number in range(count)]
    answers = {
        each.item_id: [says(each, "source_label", "broken_large"), says(each, "llm", "contamination")] for each in items
    }
    return items, answers


class TestPage:
    def test_it_stands_alone_and_runs_nothing_but_its_own_script(self, root: Path) -> None:
        page = Page(content(*disputed(5), root).html())
        assert [load for load in page.loads if not load.startswith("#")] == []
        assert page.handlers == []
        assert sorted(page.inline) == ["data-images", "data-pictures", "data-words", "script", "style"]
        assert (page.inline["script"], page.inline["style"]) == (SCRIPT, STYLE)
        assert page.policy == (
            f"default-src 'none'; img-src data:; script-src {templates.content_hash(SCRIPT)};"
            f" style-src {templates.content_hash(STYLE)}; base-uri 'none'; form-action 'none'"
        )
        assert "flatter" in page.text, "figures judged by labels that the proposers made say so"

    def test_text_of_strangers_is_text(self, root: Path) -> None:
        of = item(1, f"{HOSTILE}\u202e", image=f"bottle/test/x/{HOSTILE}.png")
        loud = says(of, "llm", "contamination", reason=HOSTILE, rationale=HOSTILE)
        silent = says(of, "source_label", reason=HOSTILE)
        said = [
            decides(
                "<b>ada</b>", of, verdict="unsure", note=f"{HOSTILE}\x00\u202e\ud800", when="2026-01-02T03:04:05+00:00"
            )
        ]
        html = content([of], {of.item_id: [loud, silent]}, root, said).html()
        page = Page(html)
        assert "\u202e" not in html.decode() and "\x00" not in html.decode()
        assert sorted(page.inline) == ["data-images", "data-pictures", "data-words", "script", "style"], (
            "no element more"
        )
        assert (page.inline["script"], page.handlers) == (SCRIPT, [])
        (image,) = page.images
        assert image["image"] == of.image and HOSTILE in {one.get("note") for one in image["said"]}
        assert image["history"][0]["note"] == HOSTILE and image["history"][0]["who"] == "<b>ada</b>"
        assert "<b>ada</b>" in page.text

    def test_the_same_inputs_give_the_same_bytes(self, root: Path) -> None:
        first, second = (content(*disputed(4), root) for _ in range(2))
        assert first.html() == second.html()

    def test_colours_can_be_read(self) -> None:
        schemes = re.findall(r":root \{([^}]+)\}", STYLE)
        assert len(schemes) == 3, "light, dark, and on paper"
        for scheme in schemes:
            colour = dict(re.findall(r"--(\w+): (#\w+)", scheme))
            for ink in ("ink", "faded", "blue", "red"):
                for paper in ("paper", "card", "head"):
                    assert contrast(colour[ink], colour[paper]) >= 4.5, (ink, paper, scheme)
            for paper in ("good", "bad", "mild"):
                for ink in ("ink", "blue"):
                    assert contrast(colour[ink], colour[paper]) >= 4.5, (ink, paper, scheme)


def contrast(one: str, other: str) -> float:
    """Contrast of two colours by WCAG 2, 1 to 21."""

    def luminance(colour: str) -> float:
        digits = colour[1:] if len(colour) == 7 else "".join(2 * digit for digit in colour[1:])
        shares = [int(digits[place : place + 2], 16) / 255 for place in (0, 2, 4)]
        red, green, blue = (share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4 for share in shares)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


class TestPictures:
    def test_what_has_room_is_there_and_what_has_not_is_named(self, root: Path) -> None:
        page = content(*disputed(7), root)
        ids = [image["id"] for image in page.images]
        bare = len(page.html())
        drawn: list[str] = []

        def large(item_id: str) -> bytes:
            drawn.append(item_id)
            return b"l" * 3000

        page = dataclasses.replace(page, max_bytes=bare + 7 * 1500 + 2 * 4200)
        made = reporting.with_pictures(page, lambda item_id: b"s" * 900, large)
        html = made.html()
        assert len(html) <= page.max_bytes
        assert sorted(Page(html).pictures["thumbnails"]) == sorted(ids)
        assert list(Page(html).pictures["large"]) == ids[:2] and drawn == ids[:3], "in the order of the queue"

    def test_pictures_without_room_are_left_out_by_name(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(reporting.report_pictures, "shrunk", lambda picture, height: picture[: 5 * height])
        page = content(*disputed(7), root)
        ids = [image["id"] for image in page.images]
        page = dataclasses.replace(page, max_bytes=len(page.html()) + 3 * 900)
        made = reporting.with_pictures(page, lambda item_id: b"s" * 5000, lambda item_id: b"")
        html = made.html()
        assert len(html) <= page.max_bytes
        assert made.album.height == reporting.report_pictures.HEIGHTS[-1]
        assert list(made.album.thumbnails) + made.album.left_out == ids and 2 <= len(made.album.thumbnails) < 7
        assert f"{len(made.album.left_out)} of them have no picture here" in Page(html).text

    def test_no_more_pictures_are_drawn_than_can_have_room(self, root: Path) -> None:
        page = content(*disputed(9), root)
        ids = [image["id"] for image in page.images]
        drawn: list[str] = []
        told: list[str] = []

        def thumbnail(item_id: str) -> bytes:
            drawn.append(item_id)
            return b"s" * 300

        page = dataclasses.replace(page, max_bytes=len(page.html()) + 4 * 500)
        made = reporting.with_pictures(page, thumbnail, lambda item_id: None, told.extend)
        assert drawn == told == ids[: len(drawn)] and 2 <= len(drawn) <= 5
        assert list(made.album.thumbnails) + made.album.left_out == ids and made.album.unreadable == []
        assert len(made.html()) <= page.max_bytes

    def test_a_picture_that_cannot_be_read_is_told(self, root: Path) -> None:
        page = content(*disputed(3), root)
        ids = [image["id"] for image in page.images]
        made = reporting.with_pictures(page, lambda item_id: None if item_id == ids[1] else b"s", lambda item_id: None)
        assert made.album.unreadable == [ids[1]] and made.album.left_out == []
        assert "1 could not be read" in Page(made.html()).text

    def test_a_size_without_room_for_the_figures_is_an_error(self, root: Path) -> None:
        page = dataclasses.replace(content(*disputed(3), root), max_bytes=20_000)
        with pytest.raises(AcbenchError, match=r"without any picture, and may have 0\.02 MB") as caught:
            reporting.with_pictures(
                page, pytest.fail, pytest.fail, lambda item_ids: pytest.fail("it draws pictures first")
            )
        assert "--max-size 1MB" in caught.value.hint


class TestImages:
    def test_what_changed_says_why(self, root: Path) -> None:
        merged = item(1, "squeeze", category="capsule", image="capsule/test/squeeze/001.png")
        same = item(2, "broken_large")
        answers = {
            merged.item_id: [says(merged, "source_label", "crack")],
            same.item_id: [says(same, "source_label", "broken_large")],
        }
        found = content([merged, same], answers, root)
        change = next(image for image in found.images if image["id"] == merged.item_id)
        assert (change["image"], change["source"], change["label"]) == (merged.image, "squeeze", "crack")
        assert change["changed"] and change["reason"]
        (matrix,) = found.matrices
        ((source, (cell,)),) = matrix.rows
        assert (matrix.category, source, matrix.columns) == ("capsule", "squeeze", ["crack"])
        assert (cell.images, cell.kind, cell.link) == (1, "changed", "category=capsule&source=squeeze&label=crack")
        assert found.changed == 1

    def test_every_pressed_number_is_the_number_of_images_that_it_shows(self, root: Path) -> None:
        items, answers = disputed(4)
        same, left_out = item(9, "broken_large"), item(0, "defective", category="toothbrush")
        said = [decides("ada", items[0], "contamination"), decides("ada", items[1], verdict="bad_mask")]
        answers[same.item_id] = [says(same, "source_label", "broken_large")]
        page = content([*items, same, left_out], answers, root, said)
        cells = [cell for matrix in page.matrices for _, row in matrix.rows for cell in row if cell.link]
        assert sorted(cell.images for cell in cells) == [1, 1, 1, 2]
        assert {cell.kind for cell in cells} == {"changed", "open"}, "what is as it was is not listed"
        for cell in cells:
            wanted = dict(part.split("=") for part in cell.link.replace("%28", "(").replace("%29", ")").split("&"))
            fits = [
                one for one in page.images if all(one[key] == value.replace("+", " ") for key, value in wanted.items())
            ]
            assert len(fits) == cell.images

    def test_an_image_tells_its_history(self, root: Path) -> None:
        items, answers = disputed(1)
        said = [
            decides("ada", items[0], "contamination", when="2026-01-02T10:00:00+00:00", shown=("llm@1",), desk="csv"),
            decides("ada", items[0], "broken_large", round=2, when="2026-01-05T10:00:00+00:00", note="seen again"),
        ]
        page = content(items, answers, root, said)
        (image,) = page.images
        first, second = image["history"]
        assert (first["said"], first["knew"], first.get("stands")) == ("contamination", "saw proposals", None)
        assert (second["said"], second["note"], second["stands"]) == ("broken_large", "seen again", True)
        assert page.progress.days == [("2026-01-02", 1)], "the day of the first decision"
        assert [one["stand"] for one in image["said"]] == ["same", "other"]

    def test_what_is_as_it_was_is_counted_only(self, root: Path) -> None:
        items = [item(number, "broken_large", split="train") for number in range(3)]
        answers = {
            each.item_id: [says(each, "source_label", "broken_large"), says(each, "x", "broken_large")]
            for each in items
        }
        machine = machine_labels(items, answers, MVTEC_AC)
        dataset = LabelledDataset(items=items, proposals=answers, labels=machine, schema=MVTEC_AC)
        counts = report_counts.count(dataset, (), {})
        assert counts.listed == [] and report_counts.matrices(counts.images) == []


class TestFigures:
    def test_confusions_count_each_answer_once(self, root: Path) -> None:
        page = content(*disputed(3), root)
        tables = {name: table for name, (table,) in page.confusions.items()}
        assert tables["llm"].rows == [("broken_large", [(3, "other")])]
        assert tables["source_label"].rows == [("broken_large", [(3, "same")])]

    def test_to_abstain_is_not_wrong(self, root: Path) -> None:
        items, answers = disputed(2)
        answers[items[0].item_id][1] = says(items[0], "llm")
        (table,) = content(items, answers, root).confusions["llm"]
        assert table.rows == [("broken_large", [(1, "other"), (1, "none")])]

    def test_progress_is_drawn_from_the_second_day(self, root: Path) -> None:
        items, answers = disputed(3)
        said = [
            decides("ada", one, "broken_large", when=f"2026-01-0{day}T09:00:00+00:00")
            for day, one in enumerate(items, 1)
        ]
        one_day, days = (content(items, answers, root, part).progress for part in (said[:1], said))
        assert days.days == [("2026-01-01", 1), ("2026-01-02", 2), ("2026-01-03", 3)]
        assert report_curves.progress_chart(one_day) == "" and "2026-01-03" in report_curves.progress_chart(days)
        undated = content(items, answers, root, [decides("ada", items[0], "broken_large")]).progress
        assert (undated.days, undated.undated) == ([], 1)


def test_the_report_of_a_relabel_survives_its_file(root: Path) -> None:
    items, answers = disputed(2)
    facts = content(items, answers, root).relabel
    audited = dataclasses.replace(facts, audit=summary.Audit(asked=3, error=rate(1, 2), unsettled=1, drawn_from=9))
    for made in (facts, audited):
        assert summary.RelabelReport.from_json(json.loads(json.dumps(made.to_json()))) == made
    kept = json.loads(json.dumps(audited.to_json()))
    assert list(kept["queue"]) == ["waiting", *list(ORDER)[:-1], "ranked"]
    assert list(kept["audit"]) == ["asked", "answered", "error", "unsettled", "drawn_from", "bounds"]
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


def test_an_audit_says_what_it_would_show_unless_a_plan_does() -> None:
    asked = summary.Audit(asked=298, error=None, drawn_from=100_000)
    assert "if none of them is wrong, at most 1.0% of 100,000 are (95 %)" in asked.in_words()
    assert "if none" not in dataclasses.replace(asked, drawn_from=0).in_words()
