"""What people are given: the right images, in the right round, with nothing that sways them where they are blind."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from acbench.data.images import ImageReader
from acbench.data.ingest import ingest
from acbench.data.sources import get
from acbench.errors import AnnotationToolError
from acbench.integrations.label_studio.validation import prediction_check
from acbench.records import Item, Proposal, Review
from acbench.review import queue_pictures as pictures
from acbench.review import task_pictures as desk_pictures
from acbench.review.annotation_tool import AnnotatedTask, Annotation, Task, ToolProject
from acbench.review.history import ReviewLog, by_item
from acbench.review.pull import pull
from acbench.review.queue import RankedItem, Why
from acbench.review.tasks import HIDDEN_FIELDS, Check, DueTask, Selection, TaskContent, due_tasks, refuse_unfit
from acbench.schema import people
from acbench.schema.form import EMPTY, FIELDS, label_studio_form
from acbench.testing import toy_mvtec_ad
from tests.support.records import BOTTLE as CATEGORY
from tests.support.records import MVTEC_AC, decides, item, labels_of, says

PICTURES = {name: f"/data/{name}.jpg" for name in FIELDS if name != "proposals"}
ITEMS = [item(number) for number in range(4)]
PROJECT = ToolProject(number=3, uid="0a1b2c3d", title="Bottle", tasks=1, annotators=1, form_is_ours=True)
NO_REFERENCES = pictures.References([])
WHYS: tuple[Why, ...] = ("disputed", "unnamed", "suspect", "audit")
WAITING = [RankedItem(item_id=each.item_id, rank=n, why=why, label_issue_score=0.5, detail="")
           for n, (each, why) in enumerate(zip(ITEMS, WHYS, strict=True), 1)]  # fmt: skip


@cache
def judge() -> Check:
    """What judges predictions for the form."""
    return prediction_check(label_studio_form(CATEGORY))


def picked(reviews: Sequence[Review] = (), **options: Any) -> list[tuple[str, int]]:
    labels = labels_of(ITEMS, {}, reviews, MVTEC_AC)
    undecided = options.pop("undecided", ())
    due = due_tasks(WAITING, labels, by_item(reviews), Selection(**options), undecided)
    return [(task.ranked.why, task.round) for task in due]


def made(proposals: Sequence[Proposal], *, blind: bool = False, of: Item = ITEMS[0]) -> Task:
    task = content(DueTask(WAITING[0], 1), proposals, blind=blind, of=of).task()
    refuse_unfit(task, of.image, judge())
    return task


def content(
    due: DueTask, proposals: Sequence[Proposal] = (), *, blind: bool = False, of: Item = ITEMS[0]
) -> TaskContent:
    return TaskContent(
        due=due, item=of, proposals=proposals, pictures=PICTURES, blind=blind, schema_version=MVTEC_AC.version,
        names=people.names(CATEGORY),
    )  # fmt: skip


def is_blind(item_id: str, number: int, share: float, seed: int) -> bool:
    return DueTask(replace(WAITING[0], item_id=item_id), number).is_blind(share, seed)


class TestChosen:
    def test_all_that_waits_in_its_order(self) -> None:
        assert picked() == [("disputed", 1), ("unnamed", 1), ("suspect", 1), ("audit", 1)]
        assert picked(part="audit") == [("audit", 1)]
        assert picked(part="disputed", round=5) == [("disputed", 5)]

    def test_where_people_differ_it_is_the_next_round(self) -> None:
        desk = "label-studio:00000000/{}/1"
        reviews = [
            decides("ann", ITEMS[1], "contamination", desk=desk.format(1)),
            decides("bob", ITEMS[1], "broken_small", desk=desk.format(2)),
            decides("ann", ITEMS[3], verdict="unsure", desk="csv"),
        ]
        assert picked(reviews, part="disputed") == [("disputed", 1), ("unnamed", 3), ("audit", 1)]
        assert picked(reviews)[1] == ("unnamed", 3)

    def test_what_was_looked_at_and_not_decided_is_put_up_again(self) -> None:
        undecided = {(ITEMS[0].item_id, 1), (ITEMS[0].item_id, 2), (ITEMS[1].item_id, 3)}
        assert picked(undecided=undecided)[:2] == [("disputed", 3), ("unnamed", 1)]
        assert picked(undecided=undecided, round=1)[0] == ("disputed", 1)


class TestSomebodyElse:
    def test_whoever_decided_or_was_unsure_is_not_asked_again(self) -> None:
        reviews = [decides("ada", ITEMS[0], "good"), decides("bob", ITEMS[0], "contamination"),
                   decides("ada", ITEMS[1], verdict="unsure")]  # fmt: skip
        labels = labels_of(ITEMS, {}, reviews, MVTEC_AC)
        due = due_tasks(WAITING, labels, by_item(reviews), Selection())
        assert [task.not_for for task in due] == [("ada", "bob"), ("ada",), (), ()]

    @pytest.mark.parametrize("blind", [False, True])
    def test_the_task_says_so(self, blind: bool) -> None:
        data = content(DueTask(WAITING[0], 2, True, ("ada", "bob")), blind=blind).task().data
        assert data["not_for"] == ["ada", "bob"]
        assert str(data["asked"]).endswith("Not for ada and bob, who decided it before: skip it.")


class TestBlind:
    def test_the_share_is_drawn_by_the_image_and_the_seed_alone(self) -> None:
        drawn = [is_blind(f"item-{n}", 1, 0.1, 0) for n in range(5000)]
        assert drawn == [is_blind(f"item-{n}", 1, 0.1, 0) for n in range(5000)]
        assert 0.08 < sum(drawn) / 5000 < 0.12
        assert drawn != [is_blind(f"item-{n}", 1, 0.1, 1) for n in range(5000)]

    def test_none_and_all(self) -> None:
        assert not any(is_blind(f"item-{n}", 1, 0, 0) for n in range(100))
        assert all(is_blind(f"item-{n}", 1, 1, 0) for n in range(100))

    def test_a_blind_task_says_nothing_of_what_others_think(self) -> None:
        found = made([says(ITEMS[0], "source_label", "contamination")], blind=True)
        assert found.predictions == []
        text = str({**found.data, "classes": []}).casefold()  # the form lists all classes
        assert not any(word in text for word in ("contamination", "source_label", "disputed"))
        assert (found.data["blind"], found.data["shown"], found.data["proposed"]) == (True, [], 1)


@pytest.mark.parametrize("number", [0, -1, 10**9, 10**30])
def test_a_round_that_no_pull_would_know_is_not_sent(number: int) -> None:
    with pytest.raises(AnnotationToolError, match=f"there is no round {number}"):
        picked(round=number)


def test_a_task_says_for_its_decision_what_it_is() -> None:
    """The classes that it offers, how many proposals there are, and whether people have not settled the image."""
    for reviewed in (False, True):
        due = DueTask(WAITING[0], 2 if reviewed else 1, reviewed)
        data = content(due, [says(ITEMS[0], "source_label", "contamination"), says(ITEMS[0], "clip")]).task().data
        assert (data["reviewed"], data["proposed"]) == (reviewed, 1)
        assert data["classes"] == sorted(CATEGORY.answers)
        assert {"reviewed", "proposed", "classes"} <= set(HIDDEN_FIELDS)
        log = ReviewLog({ITEMS[0].item_id: ITEMS[0]}, MVTEC_AC, [])
        chosen = {"from_name": "labels", "to_name": "image", "type": "choices", "value": {"choices": ["good"]}}
        one = Annotation(number=1, author="cem", result=[chosen], skipped=False, seconds=None, when="")
        pull(PROJECT, [AnnotatedTask(number=1, data=data, annotations=[one], drafts=0)], log)
        (row,) = log.added
        assert (row.settles, row.sight, row.schema_version) == (reviewed, "available", MVTEC_AC.version)


class TestAsked:
    @pytest.mark.parametrize("blind", [False, True])
    @pytest.mark.parametrize("why", [*WHYS, "uncertain", "flagged"])
    def test_it_is_told_why_and_no_label(self, why: Why, blind: bool) -> None:
        ranked = replace(WAITING[0], why=why, detail="looks unlike the other contamination")
        proposals = [says(ITEMS[0], "source_label", "contamination"), says(ITEMS[0], "clip", "broken_small")]
        found = content(DueTask(ranked, 1), proposals, blind=blind).task().data["asked"]
        assert isinstance(found, str)
        assert found.startswith("Asked ") and len(found) < 80
        words = found.casefold()
        names = {each for one in CATEGORY.classes for each in (one.id, one.name, *one.source)}
        assert not any(name.casefold() in words for name in (*names, "good", "normal", "bottle", ITEMS[0].image))

    def test_all_blind_tasks_are_told_the_same(self) -> None:
        found = {
            content(DueTask(each, 1, reviewed), blind=True).task().data["asked"]
            for each in WAITING
            for reviewed in (False, True)
        }
        assert len(found) == 1

    def test_where_people_have_not_settled_it_that_is_the_reason(self) -> None:
        found = content(DueTask(WAITING[0], 2, reviewed=True)).task()
        assert found.data["asked"] == "Asked because people have not settled it yet."


class TestFamilies:
    @pytest.mark.parametrize(("families", "told"), [(("x", "x"), True), (("x", "y"), False), (("", ""), False)])
    def test_models_of_one_family_are_said_to_be_one_witness(self, families: tuple[str, str], told: bool) -> None:
        names = ("llm:a", "llm:b")
        said = [
            says(ITEMS[0], name, "contamination", model=f"<{name}>", family=family)
            for name, family in zip(names, families, strict=True)
        ]
        found = str(made(said, blind=False).data["proposals"])
        assert ("llm:a and llm:b are models of one family, x: what they agree on counts once" in found) is told
        assert "llm:a (&lt;llm:a&gt;): Contamination" in found


class TestTask:
    def test_it_holds_all_that_the_form_shows_and_pull_needs(self) -> None:
        machine = says(ITEMS[0], "neighbours", "broken_small", scores={"broken_small": 0.7, "contamination": 0.3})
        silent = says(ITEMS[0], "clip")
        found = made([says(ITEMS[0], "source_label", "contamination"), machine, silent])
        assert set(FIELDS) < set(found.data)
        assert found.key == (ITEMS[0].item_id, 1) == (found.data["item_id"], found.data["round"])
        assert found.data["shown"] == ["neighbours@00000000", "source_label@00000000"]
        versions = [each["model_version"] for each in found.predictions]
        assert versions == ["source_label@00000000", "neighbours@00000000", EMPTY]
        assert [each.get("score") for each in found.predictions] == [None, 0.7, None]
        assert "neighbours: Small breakage 0.70" in found.data["proposals"]
        assert "clip: – (cannot tell)" in found.data["proposals"]

    def test_a_rationale_cannot_break_out_of_the_page(self) -> None:
        found = made([says(ITEMS[0], "llm", "contamination", rationale="<script>alert(1)</script>")])
        assert "<script" not in found.data["proposals"]

    @pytest.mark.parametrize(
        "wrong",
        [
            says(ITEMS[0], "llm", "dust"),
            says(ITEMS[0], "llm", "contamination", scores={"contamination": 7.0}),
        ],
    )
    def test_a_proposal_that_does_not_fit_is_an_error_that_names_the_image(self, wrong: Proposal) -> None:
        with pytest.raises(AnnotationToolError, match="does not fit the form") as caught:
            made([wrong])
        assert ITEMS[0].item_id in caught.value.message
        assert "llm@00000000" in caught.value.message


class TestPictures:
    @pytest.fixture
    def drawn(self, tmp_path: Path) -> Mapping[str, Mapping[str, Path]]:
        root = toy_mvtec_ad(tmp_path / "toy", {"bottle": ("contamination",)})
        items = ingest(get("mvtec_ad"), root).items
        return desk_pictures.draw(items, pictures.References(items), ImageReader(root), tmp_path / "desk")

    def test_a_normal_image_is_not_shown_beside_itself(self) -> None:
        normal = [replace(item(number), anomalous=False) for number in range(3)]
        references = pictures.References(normal)
        shown = [references.beside(each) for each in (*normal, ITEMS[3])]
        assert all(
            other is not None and other.item_id != each.item_id for each, other in zip(normal, shown, strict=False)
        )
        assert shown[3] in normal and shown.count(shown[3]) == 3, "the same for all others"
        assert pictures.References(normal[:1]).beside(normal[0]) is None

    def test_there_are_four_an_image_and_one_reference_for_all(self, drawn: Mapping[str, Mapping[str, Path]]) -> None:
        for paths in drawn.values():
            assert {*paths, "proposals"} == set(FIELDS)
            for path in paths.values():
                with Image.open(path) as picture:
                    assert picture.format == "JPEG"
        counted = Counter(paths["reference"] for paths in drawn.values())
        assert sorted(counted.values()) == [1, len(drawn) - 1], "and another one beside itself"

    def test_where_no_place_is_marked_there_is_one_picture(self, drawn: Mapping[str, Mapping[str, Path]]) -> None:
        marked = {name: desk_pictures.marks(paths) for name, paths in drawn.items()}
        counts = Counter(marks["unmarked"] for marks in marked.values())
        assert set(counts) == {"", "yes"}
        for name, paths in drawn.items():
            own = {paths[each] for each in ("image", "contour", "crop")}
            assert len(own) == (1 if marked[name]["unmarked"] else 3)
        assert {marks["alone"] for marks in marked.values()} == {""}

    def test_a_close_up_is_larger_than_any_screen_shows_the_rest(self, drawn: Mapping[str, Mapping[str, Path]]) -> None:
        paths = next(paths for paths in drawn.values() if not desk_pictures.marks(paths)["unmarked"])
        with Image.open(paths["crop"]) as picture:
            assert picture.size == (desk_pictures.CLOSE_UP, desk_pictures.CLOSE_UP)

    def test_which_of_the_places_a_close_up_shows_is_said_also_of_one_drawn_before(self, tmp_path: Path) -> None:
        root = toy_mvtec_ad(tmp_path / "toy", {"bottle": ("contamination",)})
        marked = next(each for each in ingest(get("mvtec_ad"), root).items if each.mask)
        assert marked.mask
        mask = Image.new("L", (marked.width, marked.height))
        for corner in ((2, 2), (marked.width - 4, marked.height - 4)):
            mask.paste(255, (*corner, corner[0] + 2, corner[1] + 2))
        mask.save(root / marked.mask)
        for _ in range(2):
            (paths,) = desk_pictures.draw([marked], NO_REFERENCES, ImageReader(root), tmp_path / "desk").values()
            assert desk_pictures.marks(paths)["places"].startswith("2 marked places")
            (root / marked.mask).unlink(missing_ok=True)
        paths["crop"].write_bytes(b"damaged")
        assert desk_pictures.marks(paths)["places"] == ""

    def test_without_a_normal_image_that_is_marked(self, tmp_path: Path) -> None:
        root = toy_mvtec_ad(tmp_path / "toy", {"bottle": ("contamination",)})
        items = ingest(get("mvtec_ad"), root).items[:1]
        (paths,) = desk_pictures.draw(items, NO_REFERENCES, ImageReader(root), tmp_path / "desk").values()
        assert desk_pictures.marks(paths)["alone"] == "yes"

    def test_a_tall_image_is_shown_in_full_between_bars(self, tmp_path: Path) -> None:
        Image.new("RGB", (100, 800), (0, 0, 200)).save(tmp_path / "tall.png")
        tall = replace(item(), image="tall.png", mask=None, width=100, height=800)
        (paths,) = desk_pictures.draw([tall], NO_REFERENCES, ImageReader(tmp_path), tmp_path / "desk").values()
        with Image.open(paths["image"]) as picture:
            assert picture.size == (800, 800)
            pixel = picture.convert("RGB").getpixel((400, 400))
            assert isinstance(pixel, tuple) and pixel[2] > 150

    def test_no_name_tells_the_label(self, drawn: Mapping[str, Mapping[str, Path]]) -> None:
        names = " ".join(path.name for paths in drawn.values() for path in paths.values())
        assert "good" not in names and "contamination" not in names

    def test_what_is_drawn_is_not_drawn_again_and_a_new_image_is(self, tmp_path: Path) -> None:
        root = toy_mvtec_ad(tmp_path / "toy", {"bottle": ("contamination",)})
        items = ingest(get("mvtec_ad"), root).items
        first = desk_pictures.draw(items, NO_REFERENCES, ImageReader(root), tmp_path / "desk")
        stamps = {path: path.stat().st_mtime_ns for paths in first.values() for path in paths.values()}
        assert desk_pictures.draw(items, NO_REFERENCES, ImageReader(root), tmp_path / "desk") == first
        assert stamps == {path: path.stat().st_mtime_ns for path in stamps}
        other = desk_pictures.draw(
            [replace(items[0], sha256="0" * 64)], NO_REFERENCES, ImageReader(root), tmp_path / "desk"
        )
        assert other[items[0].item_id]["image"] != first[items[0].item_id]["image"]

    def test_an_image_that_cannot_be_read_is_a_grey_field(self, tmp_path: Path) -> None:
        root = toy_mvtec_ad(tmp_path / "toy", {"bottle": ("contamination",)})
        items = ingest(get("mvtec_ad"), root).items
        (root / items[0].image).write_bytes(b"no image")
        paths = desk_pictures.draw(items[:1], NO_REFERENCES, ImageReader(root), tmp_path / "desk")[items[0].item_id]
        with Image.open(paths["contour"]) as picture:
            assert picture.size == (448, 448)
