"""Systems to be beaten: one contract for all of them, and what each is about."""

from __future__ import annotations

import dataclasses
import io
import json
from collections import Counter
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
from acbench.errors import AcbenchError, ImageError
from acbench.evaluation.predictions import match
from acbench.evaluation.result import LOCALISATIONS, Bootstrap, Provenance
from acbench.evaluation.scoring import ScoringOptions, score_answers
from acbench.evaluation.truth import Truth, truth_of_labels
from acbench.predictors import clip_prompts
from acbench.predictors.base import BaselineOptions, BaselineSetup, KnownLabel
from acbench.predictors.detection.heatmap_files import read_map
from acbench.predictors.detection.localise import Localiser, chosen_detector, marked_region
from acbench.predictors.detection.maps import MIN_NORMAL
from acbench.predictors.detection.patchcore_maps import PatchCoreDetector
from acbench.predictors.llm.class_question import EDGE
from acbench.predictors.llm.messages import Completion, Picture, Question, QuestionOptions, Reply, call_id
from acbench.predictors.registry import baseline_names, build_baseline
from acbench.records import GOOD, Item, Label, Prediction
from acbench.schema.views import in_view
from acbench.testing import FakeModels, MemoryVectors, toy_mvtec_ad
from tests.support.records import TOY

MVTEC_AC = schema.load("mvtec_ac")
WOOD = ("hole", "scratch")
COLOURS = {"hole": (250, 30, 30), "scratch": (30, 250, 30)}


def quiet(done: int, total: int) -> None:
    pass


class Patches:
    """The mean colour of each of 12 × 12 patches."""

    name = "colours@00000000"
    size = 48

    def __init__(self) -> None:
        self.seen = 0

    def features(self, pictures: Sequence[Any]) -> Any:
        self.seen += len(pictures)
        return np.array(pictures, dtype=np.float32).reshape(-1, 12, 4, 12, 4, 3).mean((2, 4))


class MeanColour:
    """The mean colour of what is marked."""

    name = "mean-colour@00000000"
    size = 16

    def embed(self, crops: Sequence[Any], weights: Sequence[Any]) -> Any:
        areas = np.array(weights) + 1e-6
        means = (np.array(crops) * areas[..., None]).sum((1, 2)) / areas.sum((1, 2))[:, None]
        return means.astype(np.float32) / 255


class Colours:
    """A CLIP that sees the mean colour of a crop."""

    name = "colours@00000000"
    size, scale = 8, 8.0

    def ready(self) -> None:
        pass

    def images(self, crops: Sequence[Any]) -> Any:
        means = np.array(crops, dtype=np.float32).mean((1, 2))
        return means / np.linalg.norm(means, axis=1, keepdims=True)

    def texts(self, prompts: Sequence[str]) -> Any:
        meant = {
            prompt: key for key, said in clip_prompts.prompts(MVTEC_AC.categories["wood"]).items() for prompt in said
        }
        vectors = {GOOD: (0.5, 0.5, 0.7), "hole": (1, 0, 0), "scratch": (0, 1, 0)}
        return np.array([vectors.get(meant[prompt], (-1, -1, -1)) for prompt in prompts], dtype=np.float32)


class Asker:
    """A way to a model that is given its answers; it counts what it is asked."""

    price_share = 1.0

    def __init__(
        self, said: str = '{"reason": "r", "labels": ["hole"], "confidence": 1, "text_in_image": false}'
    ) -> None:
        self.said = said
        self.questions: list[Question] = []
        self.notes: list[str] = []
        self.model: Any = type("Model", (), {"name": "fake@00000000"})()

    def ask(self, questions: Iterable[tuple[str, Question]]) -> Iterable[tuple[str, Reply]]:
        for name, question in questions:
            self.questions.append(question)
            answer = Completion(text=self.said, model="fake", finish="stop", tokens_in=1, tokens_out=1, seconds=0)
            yield name, Reply(call_id=call_id("fake", question), answer=answer, error="", cached=False)

    def estimate(self, questions: Iterable[Question]) -> Any:
        return len(list(questions))

    def note(self, text: str) -> None:
        self.notes.append(text)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Wood with red holes and green scratches."""
    root = toy_mvtec_ad(tmp_path_factory.mktemp("wood"), {"wood": WOOD}, train=30, good=6, each=6)
    for name in WOOD:
        for path in (root / f"wood/test/{name}").glob("*.png"):
            mask = np.asarray(Image.open(root / f"wood/ground_truth/{name}/{path.stem}_mask.png")) > 0
            pixels = np.array(Image.open(path))
            pixels[mask] = COLOURS[name]
            Image.fromarray(pixels).save(path)
    return root


def label_of(item: Item) -> Label:
    return Label(
        item_id=item.item_id,
        image=item.image,
        labels=item.source_labels,
        status="accepted",
        decided_by="people",
        policy="p",
        agreement=None,
        confidence=None,
        reason="r",
        licence=item.licence,
        schema_version="1",
    )


def setup(root: Path, *, of: schema.Schema = MVTEC_AC, **options: Any) -> BaselineSetup:
    items = ingest(sources.get("mvtec_ad"), root).items
    labels = [label_of(item) for item in items if item.split == "test"]
    return BaselineSetup(
        schema=in_view(of, "published"),
        images=ImageReader(root),
        models=FakeModels(embedder=MeanColour(), patch_model=Patches(), clip_model=Colours(), client=Asker()),
        vectors=MemoryVectors(),
        items=items,
        truth=truth_of_labels(labels, MVTEC_AC),
        options=BaselineOptions(**options),
    )


def scored_items(given: BaselineSetup) -> list[Item]:
    return [item for item in given.items if item.split == "test"]


def answers(name: str, given: BaselineSetup) -> dict[str, Prediction]:
    """Image → prediction."""
    images = {item.item_id: item.image for item in given.items}
    return {images[each.item_id]: each for each in build_baseline(name, given).predict(scored_items(given), quiet)}


def accuracy(name: str, given: BaselineSetup) -> float:
    assert given.truth is not None
    system = build_baseline(name, given)
    rows = [dataclasses.asdict(each) for each in system.predict(scored_items(given), quiet)]
    truth: Truth = given.truth.without(system.references, "references")
    matched = match(((str(n), row) for n, row in enumerate(rows)), truth)
    options = ScoringOptions(bootstrap=Bootstrap(resamples=0))
    value = score_answers(truth, matched, Provenance(system=name), options).value("accuracy")
    assert value is not None
    return value


def test_no_detector_learns_from_defects_that_are_for_training(root: Path) -> None:
    given = setup(root, detector="patchcore")
    defects = [dataclasses.replace(item, split="train") for item in given.items if item.anomalous][:4]
    items = [*defects, *(item for item in given.items if item.item_id not in {each.item_id for each in defects})]
    more = dataclasses.replace(given, items=items)
    assert {item.split for item in defects} == {"train"}
    assert Localiser(more).key == Localiser(given).key
    assert not [item for item in build_baseline("velm", more).context(scored_items(given)) if item.anomalous]
    tested = [item for item in scored_items(given) if not item.anomalous]
    before, after = ([seen.place.score for seen in Localiser(each).localise(tested, quiet)] for each in (given, more))
    assert before == after


@pytest.mark.parametrize("name", baseline_names())
@pytest.mark.parametrize("detector", ["patchcore", "oracle", "none"])
class TestContract:
    def test_every_item_but_its_references_is_answered_once(self, root: Path, name: str, detector: str) -> None:
        given = setup(root, detector=detector)
        system = build_baseline(name, given)
        said = list(system.predict(scored_items(given), quiet))
        expected = {item.item_id for item in scored_items(given)} - set(system.references)
        assert Counter(each.item_id for each in said) == Counter(expected)
        assert {each.system for each in said} == {system.name}
        assert system.unasked == 0
        assert system.localisation[0] in LOCALISATIONS

    def test_the_same_again_whatever_the_order(self, root: Path, name: str, detector: str) -> None:
        given = setup(root, detector=detector)
        first = sorted(build_baseline(name, given).predict(scored_items(given), quiet), key=lambda each: each.item_id)
        again = build_baseline(name, given).predict(scored_items(given)[::-1], quiet)
        assert sorted(again, key=lambda each: each.item_id) == first

    def test_a_name_tells_what_decides_its_answers(self, root: Path, name: str, detector: str) -> None:
        names = [build_baseline(name, setup(root, detector=each)).name for each in (detector, detector, "none")]
        assert names[0] == names[1]
        assert names[0].partition("@")[0] == name
        assert (names[2] == names[0]) == (detector == "none" or name == "majority")

    def test_an_image_that_cannot_be_read_is_a_row(self, root: Path, tmp_path: Path, name: str, detector: str) -> None:
        import shutil

        broken = Path(shutil.copytree(root, tmp_path / "broken"))
        given = setup(broken, detector=detector)
        path = broken / "wood/test/hole/003.png"
        path.write_bytes(path.read_bytes()[:200])
        said = {each.item_id: each for each in build_baseline(name, given).predict(scored_items(given), quiet)}
        (item,) = [item for item in scored_items(given) if item.image.endswith("hole/003.png")]
        if item.item_id in said and name != "majority":
            assert said[item.item_id].parse == "error" and "cut off" in said[item.item_id].raw


class TestRegistry:
    def test_the_bundled_ones_are_found(self) -> None:
        assert {"clip", "few_shot", "majority", "velm"} <= set(baseline_names())

    def test_an_unknown_one_is_refused_with_those_there_are(self, root: Path) -> None:
        with pytest.raises(AcbenchError, match=r"no baseline 'oracle'(?s:.)*majority"):
            build_baseline("oracle", setup(root))

    def test_another_package_can_add_one(self, tmp_path: Path, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (tmp_path / "plug-1.dist-info").mkdir()
        (tmp_path / "plug-1.dist-info/METADATA").write_text("Metadata-Version: 2.1\nName: plug\nVersion: 1\n")
        (tmp_path / "plug-1.dist-info/entry_points.txt").write_text("[acbench.baselines]\nmine = mine_b\n")
        (tmp_path / "mine_b.py").write_text("def build(setup): return 'built'")
        monkeypatch.syspath_prepend(tmp_path)
        assert "mine" in baseline_names()
        assert build_baseline("mine", setup(root)) == "built"  # type: ignore[comparison-overlap]


class TestFigures:
    def test_majority_is_the_floor(self, root: Path) -> None:
        given = setup(root)
        assert given.truth is not None
        found = accuracy("majority", given)
        assert found == pytest.approx(6 / 18)

    @pytest.mark.parametrize("name", ["few_shot", "clip"])
    def test_colours_tell_holes_from_scratches(self, root: Path, name: str) -> None:
        assert accuracy(name, setup(root)) > 0.8 > accuracy("majority", setup(root))


class TestFewShot:
    def test_shots_are_drawn_by_the_seed_and_left_out(self, root: Path) -> None:
        one, same, other = (build_baseline("few_shot", setup(root, shots=2, seed=seed)) for seed in (1, 1, 2))
        assert one.references == same.references != other.references
        assert len(one.references) == 4 and one.name != other.name

    def test_one_of_each_class_stays_to_be_scored(self, root: Path) -> None:
        assert len(build_baseline("few_shot", setup(root, shots=50)).references) == 2 * 5


class TestGate:
    def test_it_knows_nothing_of_test_images(self, root: Path) -> None:
        """The same threshold with anomalies in the test split and without."""
        given = setup(root)
        levels = []
        for items in (scored_items(given), [item for item in scored_items(given) if not item.anomalous]):
            levels.append({place.threshold for _, place in Localiser(given).localise(items, quiet)})
        assert levels[0] == levels[1] and len(levels[0]) == 1

    def test_the_detector_finds_the_spots_where_they_are(self, root: Path) -> None:
        given = setup(root)
        hits = []
        for item, place in Localiser(given).localise([item for item in scored_items(given) if item.anomalous], quiet):
            assert place.anomalous
            assert item.mask is not None
            mask = ImageReader(root).mask(item.mask, (48, 48))
            hits.append((marked_region(place, (48, 48)) & mask).any())
        assert all(hits)

    @pytest.mark.parametrize(("size", "edge"), [(24, 48), (48, 48), (96, 48)])
    def test_a_larger_input_is_for_larger_images(self, root: Path, size: int, edge: int) -> None:
        """Images of 48 pixels, and a model made for 48: nothing is blown up."""
        given = setup(root, input_size=size)
        detector = chosen_detector(given)
        assert isinstance(detector, PatchCoreDetector)
        assert detector._edge([item for item in given.items if item.split == "train"]) == edge
        large = [dataclasses.replace(item, width=960) for item in given.items]
        assert detector._edge(large) == max(size, 48)

    @pytest.mark.parametrize("option", [{"input_size": 96}, {"gate": (10.0, 1.0)}, {"false_alarms": 0.1}])
    def test_what_decides_it_is_in_the_key(self, root: Path, option: dict[str, Any]) -> None:
        assert Localiser(setup(root)).key != Localiser(setup(root, **option)).key

    def test_no_normal_image_is_scored_by_a_bank_with_it(self, root: Path) -> None:
        """By a bank with them, they look much more normal."""
        given = setup(root)
        train = [item for item in given.items if item.split == "train"]
        detector = chosen_detector(given)
        assert detector is not None
        maps = {each.item.item_id: each.map for each in detector.normal_maps(train)}
        assert maps.keys() == {item.item_id for item in train}
        own = {each.item.item_id: each.map for each in detector.maps(train, train)}
        assert all(map_ is not None and map_.max() > 0 for map_ in maps.values())
        assert sum(float(map_.max()) for map_ in own.values() if map_ is not None) < 0.5 * sum(
            float(map_.max()) for map_ in maps.values() if map_ is not None
        )

    def test_what_it_was_is_told(self, root: Path) -> None:
        localiser = Localiser(setup(root, false_alarms=0.1))
        list(localiser.localise(scored_items(localiser.setup), quiet))
        assert localiser.provenance[0] == "detector"
        assert "false-alarm rate 10.0% on 30 normal training images, which may be" in localiser.provenance[1]
        assert Localiser(setup(root, detector="oracle")).provenance == ("ground_truth", "")

    def test_normal_images_that_went_away_are_an_error_of_each_item(self, root: Path, tmp_path: Path) -> None:
        import shutil

        there = Path(shutil.copytree(root, tmp_path / "wood"))
        given = setup(there)
        for item in given.items:
            if item.split == "train":
                (there / item.image).unlink()
        said = answers("velm", given)
        assert {each.parse for each in said.values()} == {"error"}
        assert {each.raw for each in said.values()} == {"no normal training image of wood can be read"}

    def test_too_few_normal_images_are_an_error_of_each_item(self, tmp_path: Path) -> None:
        root = toy_mvtec_ad(tmp_path, {"wood": WOOD}, train=MIN_NORMAL - 1)
        said = answers("few_shot", setup(root))
        assert {each.parse for each in said.values()} == {"error"}
        assert "4 normal training images, patchcore needs 5" in next(iter(said.values())).raw

    def test_maps_are_computed_once(self, root: Path) -> None:
        given = setup(root)
        patches: Any = given.models.patches()
        list(Localiser(given).localise(scored_items(given), quiet))
        seen_once = patches.seen
        list(Localiser(given).localise(scored_items(given), quiet))
        assert patches.seen == seen_once == 2 * 30 + 18


class TestHeatmaps:
    """Maps that somebody else computed."""

    @staticmethod
    def write(folder: Path, given: BaselineSetup, suffix: str) -> None:
        """The masks, blurred a little by noise, as maps."""
        random = np.random.default_rng(0)
        for item in given.items:
            values = random.uniform(0, 0.2, (48, 48)).astype(np.float32)
            if item.mask:
                values[given.images.mask(item.mask, (48, 48))] = 0.9
            path = (folder / item.image).with_suffix(suffix)
            path.parent.mkdir(parents=True, exist_ok=True)
            if suffix == ".npy":
                np.save(path, values)
            else:
                Image.fromarray(values if suffix == ".tiff" else (values * 255).astype(np.uint8)).save(path)

    @pytest.mark.parametrize("suffix", [".npy", ".tiff", ".png"])
    def test_they_are_paired_by_path(self, root: Path, tmp_path: Path, suffix: str) -> None:
        self.write(tmp_path, setup(root), suffix)
        given = setup(root, detector=f"heatmaps:{tmp_path}")
        for item, place in Localiser(given).localise(scored_items(given), quiet):
            if item.anomalous:
                assert place.anomalous and item.mask is not None
                assert (marked_region(place, (48, 48)) == ImageReader(root).mask(item.mask, (48, 48))).all()
        assert accuracy("few_shot", given) > 0.8

    def test_a_missing_one_is_an_error_of_its_item(self, root: Path, tmp_path: Path) -> None:
        self.write(tmp_path, setup(root), ".npy")
        (tmp_path / "wood/test/hole/000.npy").unlink()
        said = answers("velm", setup(root, detector=f"heatmaps:{tmp_path}"))["wood/test/hole/000.png"]
        assert said.parse == "error" and "has no map of wood/test/hole/000.png" in said.raw

    def test_without_maps_of_training_there_is_no_threshold(self, root: Path, tmp_path: Path) -> None:
        import shutil

        self.write(tmp_path, setup(root), ".npy")
        shutil.rmtree(tmp_path / "wood/train")
        said = answers("velm", setup(root, detector=f"heatmaps:{tmp_path}"))
        assert all("maps of 0 normal training images of wood, 5 are needed" in each.raw for each in said.values())

    @pytest.mark.parametrize(
        ("name", "content", "why"),
        [
            ("a.npy", np.array([[1.0, np.nan]]), "not finite"),
            ("a.npy", np.zeros((3, 4, 5)), "the shape"),
            ("a.npy", np.array([["x"]]), "the shape"),
            ("a.npy", np.array([[object()]]), "no readable map"),
            ("a.npy", b"\x93NUMPY", "no readable map"),
            ("a.png", b"GIF89a", "no readable map"),
            ("a.tiff", b"", "empty"),
        ],
    )
    def test_what_is_no_map_is_refused(self, tmp_path: Path, name: str, content: Any, why: str) -> None:
        if isinstance(content, bytes):
            (tmp_path / name).write_bytes(content)
        else:
            np.save(tmp_path / name, content)
        with pytest.raises(ImageError, match=f"{name}(?s:.)*{why}"):
            read_map(name, tmp_path)


class TestVelm:
    def asked(self, root: Path, **options: Any) -> list[Question]:
        given = setup(root, **options)
        answers("velm", given)
        asker: Any = given.models.llm_client()
        return list(asker.questions)

    @staticmethod
    def text(question: Question) -> str:
        return "\n".join(part for part in question.parts if isinstance(part, str))

    @staticmethod
    def pictures(question: Question) -> list[Image.Image]:
        return [Image.open(io.BytesIO(part.data)) for part in question.parts if isinstance(part, Picture)]

    def test_what_the_gate_stops_is_good_and_costs_nothing(self, root: Path) -> None:
        said = answers("velm", setup(root))
        called = {image: each for image, each in said.items() if not each.calls}
        assert called and all(each.labels == (GOOD,) and each.detector_score is not None for each in called.values())
        assert all("/good/" in image for image in called)
        assert all(each.calls and each.labels == ("hole",) for image, each in said.items() if image not in called)

    def test_a_question_shows_a_normal_picture_and_the_contour_and_no_name(self, root: Path) -> None:
        question = self.asked(root)[0]
        reference, query = self.pictures(question)
        assert max(*reference.size, *query.size) <= EDGE
        pixels = np.asarray(query.convert("RGB")).astype(int)
        assert ((pixels[..., 0] > 180) & (pixels[..., 1] < 90) & (pixels[..., 2] < 90)).sum() > 10
        for word in ("test/", "000.png", "ground_truth", "wood/", str(root)):
            assert word not in self.text(question)

    @pytest.mark.parametrize(
        ("switch", "gone"),
        [
            ("descriptions", MVTEC_AC.categories["wood"].classes[0].definition[:40]),
            ("strategy", "How to decide"),
            ("reference", "a normal product, to compare with"),
            ("contour", "a red line"),
        ],
    )
    def test_each_part_can_be_left_out(self, root: Path, switch: str, gone: str) -> None:
        whole, part = self.asked(root)[0], self.asked(root, **{switch: False})[0]
        assert gone in self.text(whole) and gone not in self.text(part)
        assert len(self.pictures(part)) == (1 if switch == "reference" else 2)

    def test_references_are_of_the_training_split(self, root: Path) -> None:
        given = setup(root)
        only_test = dataclasses.replace(given, items=scored_items(given), options=BaselineOptions(detector="oracle"))
        answers("velm", only_test)
        asker: Any = only_test.models.llm_client()
        assert asker.questions and all(len(self.pictures(each)) == 1 for each in asker.questions)

    @pytest.mark.parametrize(
        ("said", "parse"),
        [
            ("hole", "unknown"),
            ('{"reason": "r", "labels": ["hol"], "confidence": 1, "text_in_image": false}', "unknown"),
            ('{"reason": "r", "labels": [], "confidence": 0, "text_in_image": false}', "empty"),
        ],
    )
    def test_an_answer_that_names_no_class_is_kept_as_it_came(self, root: Path, said: str, parse: str) -> None:
        asker = Asker(said)
        given = dataclasses.replace(
            setup(root), models=FakeModels(embedder=MeanColour(), patch_model=Patches(), client=asker)
        )
        rows = [each for each in answers("velm", given).values() if each.calls]
        assert rows and {(each.parse, each.raw, each.labels) for each in rows} == {(parse, said, ())}

    def test_classes_are_those_of_the_view(self, root: Path) -> None:
        (enum,) = {json.dumps(dict(each.schema)["properties"]["labels"]["items"]["enum"]) for each in self.asked(root)}
        assert json.loads(enum) == [GOOD, *(one.id for one in MVTEC_AC.categories["wood"].published)]

    def test_the_paper_s_question_keeps_its_name(self, root: Path, tmp_path: Path) -> None:
        """Its answers are paid for: whatever is added for the other question changes nothing here."""
        file = tmp_path / "toy.yaml"
        file.write_text(TOY.replace("source: toy", "source: mvtec_ad"))
        given = dataclasses.replace(setup(root, detector="oracle"), schema=schema.load(str(file)), items=[])
        assert build_baseline("velm", given).name == "velm@2151125f"

    def test_without_a_detector_none_is_said_to_have_found_anything(self, root: Path) -> None:
        said = [self.text(each) for each in self.asked(root, detector="none")]
        assert said and all("Nobody has looked at it before" in each and "detector" not in each for each in said)
        assert all("A detector" in self.text(each) for each in self.asked(root))


class TestAcbenchQuestion:
    """`--question acbench`."""

    def given(self, root: Path, shown: QuestionOptions | None = None, **options: Any) -> BaselineSetup:
        models = FakeModels(embedder=MeanColour(), patch_model=Patches(), client=Asker(), question=shown)
        return dataclasses.replace(setup(root, question="acbench", **options), models=models)

    def asked(self, given: BaselineSetup) -> list[str]:
        answers("velm", given)
        asker: Any = given.models.llm_client()
        return [TestVelm.text(each) for each in asker.questions]

    def test_it_asks_for_one_class_and_says_who_marked(self, root: Path) -> None:
        said = self.asked(self.given(root))
        assert said and all("Which one defect does the product to judge show?" in each for each in said)
        assert all("what a detector marks as anomalous" in each and "Measured by a program" in each for each in said)
        assert "what the data set marks" in self.asked(self.given(root, detector="oracle"))[0]
        assert "look everywhere" in self.asked(self.given(root, detector="none"))[0]

    def test_it_has_a_name_of_its_own(self, root: Path) -> None:
        names = {
            build_baseline("velm", given).name
            for given in (setup(root), self.given(root), self.given(root, QuestionOptions(edge=512)))
        }
        assert len(names) == 3

    def test_no_image_is_an_example(self, root: Path) -> None:
        """Every labelled image may be a scored one, so options and known labels change nothing, and that is said."""
        plain, given = self.given(root), self.given(root, QuestionOptions(examples=3, votes=5))
        labels = [
            KnownLabel(item=item, labels=item.source_labels, by_people=True, from_source=False)
            for item in scored_items(given)
        ]
        given = dataclasses.replace(given, known_labels=lambda: labels)
        assert self.asked(given) == self.asked(plain)
        assert build_baseline("velm", given).name == build_baseline("velm", plain).name
        asker: Any = given.models.llm_client()
        assert asker.notes[0] == "velm --question acbench does not use --llm-votes, --llm-examples"

    def test_what_the_paper_s_question_does_not_use_is_said_too(self, root: Path) -> None:
        given = dataclasses.replace(self.given(root, QuestionOptions(edge=512)), options=BaselineOptions())
        build_baseline("velm", given)
        asker: Any = given.models.llm_client()
        assert asker.notes == ["velm does not use --llm-edge"]

    @pytest.mark.parametrize("switch", ["descriptions", "strategy"])
    def test_an_ablation_that_it_lacks_is_refused(self, root: Path, switch: str) -> None:
        with pytest.raises(AcbenchError, match="always asked with descriptions and strategy"):
            build_baseline("velm", self.given(root, **{switch: False}))

    @pytest.mark.parametrize(("switch", "gone"), [("reference", "a normal product, to"), ("contour", "thin red line")])
    def test_an_ablation_that_it_has_is_done(self, root: Path, switch: str, gone: str) -> None:
        whole, part = self.asked(self.given(root))[0], self.asked(self.given(root, **{switch: False}))[0]
        assert gone in whole and gone not in part
