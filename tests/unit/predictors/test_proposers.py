"""Those who say what an item is: what they say, and that they say so when they cannot."""

from __future__ import annotations

import csv
import dataclasses
import io
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from acbench import schema
from acbench.data import sources
from acbench.data.images import ImageReader
from acbench.data.ingest import ingest
from acbench.errors import AcbenchError
from acbench.predictors.base import Proposer, Setup
from acbench.predictors.proposers import neighbours
from acbench.predictors.proposers.edition import Edition
from acbench.predictors.proposers.neighbours import LEAST, Neighbours
from acbench.predictors.proposers.table import Table
from acbench.predictors.registry import build_proposer, proposer_names
from acbench.records import GOOD, Item, Label, Proposal
from acbench.review.resolve import resolve_item
from acbench.storage import bundled as editions
from acbench.testing import FakeModels, MemoryVectors, toy_mvtec_ad
from tests.support.records import MVTEC_AC, ask, item, says, tally

COLOURS = {"hole": (220, 30, 30), "scratch": (30, 220, 30), "liquid": (30, 30, 220), "neither": (125, 125, 30)}


def quiet(done: int, total: int) -> None:
    pass


class MeanColour:
    """Sees nothing but the mean colour of a defect, and counts how often it is asked."""

    name = "mean-colour"
    size = 16

    def __init__(self) -> None:
        self.asked = 0

    def embed(self, crops: Sequence[Any], weights: Sequence[Any]) -> Any:
        self.asked += len(crops)
        areas = np.array(weights) + 1e-6
        means = (np.array(crops) * areas[..., None]).sum((1, 2)) / areas.sum((1, 2))[:, None]
        return means.astype(np.float32) / 255


def setup(root: Path = Path(), of: schema.Schema = MVTEC_AC) -> Setup:
    return Setup(schema=of, images=ImageReader(root), models=FakeModels(embedder=MeanColour()), vectors=MemoryVectors())


def answers(proposer: Proposer, items: Sequence[Item]) -> dict[str, Proposal]:
    return {each.item_id: each for each in ask(proposer, items)}


class TestRegistry:
    def test_the_bundled_ones_are_found(self) -> None:
        assert {"edition", "neighbours", "source_label", "table"} <= set(proposer_names())

    def test_an_unknown_one_is_refused_with_those_there_are(self) -> None:
        with pytest.raises(AcbenchError, match=r"no proposer 'oracle'(?s:.)*neighbours"):
            build_proposer("oracle", setup())

    def test_an_unknown_table_is_refused_with_those_there_are(self) -> None:
        with pytest.raises(AcbenchError, match=r"no table 'x'(?s:.)*mvtec_fs"):
            build_proposer("table:x", setup())

    @pytest.mark.parametrize("name", ["source_label", "neighbours", "edition", "table:mvtec_fs"])
    def test_a_name_tells_what_decides_its_answers(self, name: str) -> None:
        changed = dataclasses.replace(MVTEC_AC, digest="00000000")
        names = [build_proposer(name, setup(of=each)).name for each in (MVTEC_AC, MVTEC_AC, changed)]
        assert names[0] == names[1] != names[2]
        assert names[0].partition("@")[0] == name.rpartition(":")[2]

    def test_another_package_can_add_one_and_break_without_taking_acbench_along(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "plug-1.dist-info").mkdir()
        (tmp_path / "plug-1.dist-info/METADATA").write_text("Metadata-Version: 2.1\nName: plug\nVersion: 1\n")
        (tmp_path / "plug-1.dist-info/entry_points.txt").write_text("[acbench.proposers]\nfine = fine\nbad = bad\n")
        (tmp_path / "fine.py").write_text("def build(setup, argument): return argument")
        (tmp_path / "bad.py").write_text("1 / 0")
        monkeypatch.syspath_prepend(tmp_path)
        assert {"bad", "fine"} <= set(proposer_names())
        assert build_proposer("fine:with this", setup()) == "with this"  # type: ignore[comparison-overlap]
        with pytest.raises(AcbenchError, match="'bad' cannot be loaded: division by zero"):
            build_proposer("bad", setup())


class TestStage:
    def test_a_proposer_that_answers_wrongly_is_stopped(self) -> None:
        class Wrong:
            name = "wrong@00000000"

            def __init__(self, *answers: Proposal) -> None:
                self.answers = answers

            def propose(self, items: Sequence[Item], progress: object) -> Iterable[Proposal]:
                return self.answers

        one, stranger = item(), item(1)
        for said in (
            [says(stranger, "wrong", GOOD)],
            [says(one, "wrong", GOOD)] * 2,
            [says(one, "somebody", GOOD)],
        ):
            with pytest.raises(AcbenchError, match="wrong@00000000 answers for"):
                ask(Wrong(*said), [one])

    def test_answers_are_counted_by_status(self) -> None:
        counted = tally([says(item(), "a", GOOD), says(item(1), "a"), says(item(2), "a")])
        assert counted == {"ok": 1, "abstained": 2, "error": 0}


class TestSourceLabel:
    @pytest.mark.parametrize(
        ("of", "labels", "told"),
        [
            (item(label="broken_large"), ("broken_large",), "the dataset says: broken_large"),
            (item(label=None), (GOOD,), "the dataset says: good"),
            (item(source_labels=("contamination", "broken_small")), ("broken_small", "contamination"), "says: cont"),
            (item(label="poke", category="capsule"), ("crack",), "`poke` merged:"),
            (item(label="combined", category="wood"), (), "`combined` names no class:"),
            (item(label="dust"), (), "`dust` is not in the schema"),
            (item(source_labels=()), (), "the dataset gives no label"),
            (item(category="teapot"), (), "the schema has no category teapot"),
        ],
        ids=["class", "normal", "several", "merged", "mixed", "unknown", "none", "category"],
    )
    def test_it_says_what_the_schema_makes_of_the_label(self, of: Item, labels: tuple[str, ...], told: str) -> None:
        said = answers(build_proposer("source_label", setup()), [of])[of.item_id]
        assert (said.status, said.labels) == ("ok" if labels else "abstained", labels)
        assert told in (said.rationale if labels else said.reason)
        assert said.saw == ("source_label",)


class TestTable:
    @pytest.mark.parametrize(("benchmark", "name"), [("mvtec_ac", "mvtec_fs"), ("visa_ac", "visa_ac")])
    def test_every_row_of_a_bundled_table_names_classes(self, benchmark: str, name: str) -> None:
        text = editions.witness_text(benchmark, name)
        items = [
            item(image=row["image"], category=row["image"].partition("/")[0])
            for row in csv.DictReader(io.StringIO(text))
        ]
        said = answers(Table(schema.load(benchmark), name, text), items)
        assert tally(list(said.values())) == {"ok": len(items), "abstained": 0, "error": 0}
        assert all("people" in each.saw for each in said.values())

    def test_it_speaks_of_its_rows_alone_and_never_guesses(self) -> None:
        text = f"image,labels\n{item().image},contamination; Small breakage\n{item(1).image},contaminatio\n"
        said = answers(Table(MVTEC_AC, "mine", text), [item(number) for number in range(3)])
        assert [(each.status, each.labels) for each in said.values()] == [
            ("ok", ("broken_small", "contamination")),
            ("abstained", ()),
        ]
        assert said[item(1).item_id].reason == "the schema does not know contaminatio"

    def test_a_row_may_span_lines(self) -> None:
        text = f'image,labels,source\n{item().image},contamination,"a\nb"\n'
        assert answers(Table(MVTEC_AC, "mine", text), [item()])[item().item_id].labels == ("contamination",)


class TestEdition:
    def test_the_bundled_one_says_only_what_people_decided(self) -> None:
        labels = editions.edition_labels("mvtec_ac")
        items = [item(image=each.image, category=each.image.partition("/")[0]) for each in labels]
        said = answers(build_proposer("edition", setup()), items)
        assert said.keys() == {each.item_id for each in labels if each.decided_by == "people"}

    def test_what_people_decided_is_a_witness_of_its_own(self) -> None:
        labels: tuple[Label, ...] = (resolve_item(item(), [says(item(), "source_label", GOOD)], [], MVTEC_AC),)
        said = answers(Edition(MVTEC_AC, labels), [item(), item(1)])
        assert [(each.labels, each.saw) for each in said.values()] == [((GOOD,), ("people",))]


def paint(path: Path, *classes: str) -> None:
    """A grey picture with one spot for each class, in its colour, and the mask that goes with it."""
    random = np.random.default_rng([1, int(path.stem), *path.parent.name.encode()])
    picture = np.full((48, 48, 3), 128) + random.integers(-9, 9, (48, 48, 3))
    mask = np.zeros((48, 48), dtype=np.uint8)
    for place, name in enumerate(classes):
        spot = np.s_[6 + 24 * place : 16 + 24 * place, 6 + 24 * place : 16 + 24 * place]
        picture[spot] = COLOURS[name] + random.integers(-9, 9, (10, 10, 3))
        mask[spot] = 255
    Image.fromarray(picture.astype(np.uint8)).save(path)
    Image.fromarray(mask).save(mask_of(path))


def mask_of(path: Path) -> Path:
    return path.parents[2] / "ground_truth" / path.parent.name / f"{path.stem}_mask.png"


class TestNeighbours:
    """On wood, where holes are red and scratches green. One hole is green."""

    FLIPPED = "wood/test/hole/000.png"

    @pytest.fixture
    def root(self, tmp_path: Path) -> Path:
        root = toy_mvtec_ad(tmp_path, {"wood": ("hole", "scratch")}, train=1, each=12)
        for path in root.glob("wood/test/[hs]*/*.png"):
            paint(path, path.parent.name)
        paint(root / self.FLIPPED, "scratch")
        return root

    def ask(self, root: Path, using: Setup | None = None, backwards: bool = False) -> dict[str, Proposal]:
        """Image → what is proposed for it."""
        items = ingest(sources.get("mvtec_ad"), root).items
        said = answers(build_proposer("neighbours", using or setup(root)), items[:: -1 if backwards else 1])
        return {each.image: said[each.item_id] for each in items if each.item_id in said}

    def test_it_finds_the_label_that_was_flipped_and_no_other(self, root: Path) -> None:
        said = self.ask(root)
        assert len(said) == 24
        wrong = {image for image, each in said.items() if each.labels != (image.split("/")[2],)}
        assert wrong == {self.FLIPPED}
        assert said[self.FLIPPED].labels == ("scratch",)

    def test_its_answers_have_probabilities_and_a_reason(self, root: Path) -> None:
        for each in self.ask(root).values():
            assert each.status == "ok" and each.saw == ("image", "mask")
            assert each.scores.keys() == {"hole", "scratch"} and sum(each.scores.values()) == pytest.approx(1)
            assert each.rationale.startswith("its 5 nearest are ")

    def test_the_order_of_the_images_does_not_matter(self, root: Path) -> None:
        assert self.ask(root) == self.ask(root, backwards=True)

    def test_what_was_seen_once_is_not_looked_at_again(self, root: Path) -> None:
        using = setup(root)
        first, asked = self.ask(root, using), using.models.embedder.asked  # type: ignore[attr-defined]
        assert asked == 48  # each at two scales
        assert self.ask(root, using) == first
        assert using.models.embedder.asked == asked  # type: ignore[attr-defined]

    def test_another_mask_is_looked_at_again(self, root: Path) -> None:
        using = setup(root)
        self.ask(root, using)
        Image.fromarray(np.eye(48, dtype=np.uint8)).save(mask_of(root / self.FLIPPED))
        self.ask(root, using)
        assert using.models.embedder.asked == 50  # type: ignore[attr-defined]

    def test_too_few_images_make_it_abstain(self, root: Path) -> None:
        for path in sorted(root.glob("wood/test/scratch/*.png"))[LEAST - 1 :]:
            path.unlink()
        reasons = {each.reason for each in self.ask(root).values()}
        assert reasons == {
            "too few images to compare with: 4 of each of two classes are needed, there are 12 hole, 3 scratch"
        }

    def test_no_labelled_image_makes_it_abstain(self, tmp_path: Path) -> None:
        said = self.ask(toy_mvtec_ad(tmp_path, {"wood": ("combined",)}))
        assert {(each.status, each.reason.rpartition(", ")[2]) for each in said.values()} == {
            ("abstained", "there are none")
        }

    def test_a_class_of_its_own_that_is_too_small_is_said_to_be(self, root: Path) -> None:
        (root / "wood/test/liquid").mkdir()
        (root / "wood/ground_truth/liquid").mkdir()
        paint(root / "wood/test/liquid/000.png", "liquid")
        said = self.ask(root)["wood/test/liquid/000.png"]
        assert (said.status, said.reason) == ("abstained", "`liquid` has 1 images here, at least 4 are needed")

    @pytest.mark.parametrize("classes", [("hole", "scratch"), ("scratch",)])
    def test_an_image_of_a_mixed_folder_is_judged_defect_by_defect(self, root: Path, classes: tuple[str, ...]) -> None:
        (root / "wood/test/combined").mkdir()
        (root / "wood/ground_truth/combined").mkdir()
        paint(root / "wood/test/combined/000.png", *classes)
        said = self.ask(root)["wood/test/combined/000.png"]
        assert (said.status, said.labels) == ("ok", classes)
        assert said.rationale.startswith(f"of {len(classes)} defects: ")

    def test_a_defect_between_two_classes_is_not_named(self, root: Path) -> None:
        (root / "wood/test/combined").mkdir()
        (root / "wood/ground_truth/combined").mkdir()
        paint(root / "wood/test/combined/000.png", "neither")
        said = self.ask(root)["wood/test/combined/000.png"]
        assert (said.status, said.labels) == ("abstained", ())
        assert said.reason and said.scores

    def test_without_a_mask_it_sees_the_whole_image_and_says_so(self, root: Path) -> None:
        mask_of(root / "wood/test/hole/003.png").unlink()
        said = self.ask(root)["wood/test/hole/003.png"]
        assert said.saw == ("image",)

    def test_an_image_that_cannot_be_read_is_an_error_and_the_others_are_judged(self, root: Path) -> None:
        bad = root / "wood/test/hole/003.png"
        bad.write_bytes(bad.read_bytes()[:100])
        said = self.ask(root)
        assert (said["wood/test/hole/003.png"].status, len(said)) == ("error", 24)
        assert "cut off" in said["wood/test/hole/003.png"].reason
        assert said[self.FLIPPED].labels == ("scratch",)

    def test_an_image_that_went_away_is_an_error_until_it_is_back(self, root: Path) -> None:
        items = ingest(sources.get("mvtec_ad"), root).items
        asked = build_proposer("neighbours", setup(root))
        path, away = root / self.FLIPPED, root / "away.png"
        path.rename(away)
        assert tally(list(answers(asked, items).values()))["error"] == 1
        away.rename(path)
        assert tally(list(answers(asked, items).values()))["error"] == 0

    def test_what_people_decided_takes_the_place_of_the_dataset_s_label(self, root: Path) -> None:
        using, items = setup(root), ingest(sources.get("mvtec_ad"), root).items
        asked = build_proposer("neighbours", using)
        assert isinstance(asked, Neighbours)
        before = answers(asked, items)
        assert asked.learned(items, {}) == {}
        holes = [each.item_id for each in items if each.image.startswith("wood/test/hole/")]
        same = asked.learned(items, dict.fromkeys(holes[1:], "hole"))
        assert same == {item_id: each.scores for item_id, each in before.items()}
        swapped = {each.item_id: "scratch" if each.item_id in holes else "hole" for each in items if each.anomalous}
        learned = asked.learned(items, swapped)
        assert all(learned[item_id]["scratch"] > 0.5 for item_id in holes[1:])
        assert learned[holes[0]]["hole"] > 0.5, "it is green, as those are that people called holes"

    def test_what_people_decided_otherwise_teaches_nothing(self, root: Path) -> None:
        using, items = setup(root), ingest(sources.get("mvtec_ad"), root).items
        asked = build_proposer("neighbours", using)
        assert isinstance(asked, Neighbours)
        list(ask(asked, items))
        holes = [each.item_id for each in items if each.image.startswith("wood/test/hole/")]
        assert asked.learned(items, dict.fromkeys(holes, "")) == {}, "one class alone is left"
        assert asked.learned(items, {holes[0]: ""})[holes[0]]["scratch"] > 0.5

    def test_vectors_for_others_are_read_a_few_at_a_time(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        using, items = setup(root), ingest(sources.get("mvtec_ad"), root).items
        asked = build_proposer("neighbours", using)
        assert isinstance(asked, Neighbours)
        anomalous = [each for each in items if each.anomalous]
        asked.embed(anomalous[1:], quiet)
        read: list[int] = []

        def load(self: MemoryVectors, keys: Sequence[str]) -> dict[str, bytes]:
            read.append(len(keys))
            return {key: self[key] for key in keys if key in self}

        monkeypatch.setattr(MemoryVectors, "load", load)
        monkeypatch.setattr(neighbours, "CHUNK", 10)
        kept = asked.kept_vectors(items)
        assert list(kept) == [each.item_id for each in anomalous[1:]] and read == [10, 10, 4]
        (seen,) = asked.vectors([anomalous[-1]])
        assert seen.defects is not None
        assert kept[anomalous[-1].item_id].tobytes() == seen.defects.region.direction.tobytes()

    def test_normal_images_are_not_its_business(self, root: Path) -> None:
        assert not any("good" in image for image in self.ask(root))
