"""CLIP: open_clip's own numbers, words for every class, nothing computed twice, and no answer where there is none."""

from __future__ import annotations

import json
import pickle
import shutil
import socket
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from PIL import Image

from acbench import schema
from acbench._util import templates
from acbench.data import regions, sources
from acbench.data.images import ImageReader
from acbench.data.ingest import ingest
from acbench.errors import AcbenchError
from acbench.integrations.torch import runtime
from acbench.integrations.torch.open_clip import OpenClipModel, open_clip_model
from acbench.integrations.torch.open_clip_weights import OpenClipSource
from acbench.predictors import clip_prompts
from acbench.predictors.base import Setup
from acbench.predictors.clip_names import split_clip_name, without_folders
from acbench.predictors.proposers import clip
from acbench.predictors.registry import build_proposer, proposer_names
from acbench.records import GOOD, Item, Proposal
from acbench.testing import FakeModels, MemoryVectors, toy_mvtec_ad
from acbench.testing.endpoint import FakeEndpoint
from tests.support.commands import here, python
from tests.support.lazy import lazy_beside_torch, torch
from tests.support.records import MVTEC_AC, ask, item

open_clip = lazy_beside_torch("open_clip")

EDGE = 32
CONFIG = {
    "embed_dim": 16,
    "vision_cfg": {"image_size": EDGE, "layers": 2, "width": 32, "patch_size": 8, "head_width": 16},
    "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 2},
}
"""Tiny, with the real vocabulary. Its weights are random: what it says means nothing, but how it is asked shows."""
PREPROCESS = {"mean": [0.5, 0.4, 0.3], "std": [0.2, 0.3, 0.4], "interpolation": "bicubic", "resize_mode": "shortest"}
WOOD = ("hole", "scratch")
COLOURS = {"hole": (1, 0, 0), "scratch": (0, 1, 0), GOOD: (0, 0, 1), "color": (-1, 0, 0), "liquid": (-1, 0, 0)}
"""The last two look like nothing."""


class Colours:
    """Sees the mean colour of a crop, and reads one of COLOURS in a prompt."""

    name = "colours@00000000"
    size = 8
    scale = 8.0
    on_cpu = True

    def __init__(self) -> None:
        self.seen = 0

    def ready(self) -> None:
        pass

    def images(self, crops: Sequence[Any]) -> Any:
        self.seen += len(crops)
        means = np.array(crops, dtype=np.float32).mean((1, 2))
        return means / np.linalg.norm(means, axis=1, keepdims=True)

    def texts(self, prompts: Sequence[str]) -> Any:
        meant = {
            prompt: key for key, said in clip_prompts.prompts(MVTEC_AC.categories["wood"]).items() for prompt in said
        }
        return np.array([COLOURS[meant[prompt]] for prompt in prompts], dtype=np.float32)


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A weights file of the model `tiny`, which open_clip is told of."""
    folder = tmp_path_factory.mktemp("weights")
    (folder / "tiny.json").write_text(json.dumps(CONFIG))
    open_clip.add_model_config(folder / "tiny.json")
    torch.manual_seed(0)
    torch.save(open_clip.create_model("tiny").state_dict(), folder / "w.pt")
    return folder / "w.pt"


@pytest.fixture(scope="module")
def folder(weights: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same weights in the layout of the hub, with another normalisation."""
    return hub_layout(tmp_path_factory.mktemp("hub") / "tiny-clip", weights)


def hub_layout(folder: Path, weights: Path) -> Path:
    from safetensors.torch import save_file

    folder.mkdir(parents=True)
    save_file(torch.load(weights, weights_only=True), folder / "open_clip_model.safetensors")
    (folder / "open_clip_config.json").write_text(json.dumps({"model_cfg": CONFIG, "preprocess_cfg": PREPROCESS}))
    return folder


@pytest.fixture
def tiny(weights: Path) -> OpenClipModel:
    return open_clip_model("tiny", str(weights), note=quiet, precision="fp32")


def quiet(*_: object) -> None:
    pass


def setup(root: Path, model: Any, *, of: schema.Schema = MVTEC_AC, cache: MemoryVectors | None = None) -> Setup:
    vectors = MemoryVectors() if cache is None else cache
    return Setup(schema=of, images=ImageReader(root), models=FakeModels(clip_model=model), vectors=vectors)


def answers(using: Setup, items: Sequence[Item]) -> dict[str, Proposal]:
    """Image → answer."""
    images = {each.item_id: each.image for each in items}
    return {images[each.item_id]: each for each in ask(build_proposer("clip", using), items)}


def found(root: Path) -> list[Item]:
    return ingest(sources.get("mvtec_ad"), root).items


def by_hand(model: str, weights: str | None, root: Path, items: Iterable[Item]) -> dict[str, dict[str, float]]:
    """Image → scores as open_clip's own functions give them; images are square."""
    net, _, preprocess = open_clip.create_model_and_transforms(model, pretrained=weights)
    net.eval()
    tokenizer = open_clip.get_tokenizer(model)
    scores = {}
    with torch.inference_mode():
        for each in items:
            said = clip_prompts.prompts(MVTEC_AC.categories[each.category])
            texts = [net.encode_text(tokenizer(prompts), normalize=True).mean(0) for prompts in said.values()]
            classes = torch.stack([text / text.norm() for text in texts])
            with Image.open(root / each.image) as file:
                image = file.convert("RGB")
            views = [image]
            if each.mask:
                mask = ImageReader(root).mask(each.mask, image.size)
                views.append(image.crop(regions.square(mask)))
            seen = net.encode_image(torch.stack([preprocess(view) for view in views]), normalize=True)
            likely = (net.logit_scale.exp() * seen @ classes.T).mean(0).softmax(0)
            scores[each.image] = dict(zip(said, likely.tolist(), strict=True))
    return scores


def agree(said: dict[str, Proposal], wanted: dict[str, dict[str, float]]) -> None:
    for image, scores in wanted.items():
        assert said[image].scores == pytest.approx(scores, abs=1e-5)


@pytest.fixture
def toy(tmp_path: Path) -> Path:
    return toy_mvtec_ad(tmp_path / "toy", {"wood": WOOD}, train=1, each=5)


class TestAsOpenClip:
    """The numbers are those of open_clip, through each way to load it."""

    def test_a_weights_file(self, toy: Path, weights: Path, tiny: OpenClipModel) -> None:
        items = [each for each in found(toy) if each.anomalous]
        said = answers(setup(toy, tiny), items)
        assert len(said) == 10
        assert len({tuple(each.scores.values()) for each in said.values()}) > 5  # the model tells images apart
        agree(said, by_hand("tiny", str(weights), toy, items))

    def test_a_folder_in_the_layout_of_the_hub(self, toy: Path, folder: Path) -> None:
        model = open_clip_model(f"local-dir:{folder}", note=quiet, precision="fp32")
        items = [each for each in found(toy) if each.anomalous]
        agree(answers(setup(toy, model), items), by_hand(f"local-dir:{folder}", None, toy, items))

    def test_real_bottles(self, mvtec_ad_root: Path, weights: Path, tiny: OpenClipModel) -> None:
        bottles = ingest(sources.get("mvtec_ad"), mvtec_ad_root, categories=["bottle"]).items
        items = [each for each in bottles if each.anomalous][:: clip.LEAST // 5][: clip.LEAST - 1]
        assert items
        said = answers(setup(mvtec_ad_root, tiny), items)
        assert {each.saw for each in said.values()} == {("image", "mask")}
        agree(said, by_hand("tiny", str(weights), mvtec_ad_root, items))

    def test_weights_that_are_in_the_hub_s_cache_need_no_network(
        self, tmp_path: Path, weights: Path, closed: None, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """What HF_HOME points to holds them in this layout."""
        place, commit = tmp_path / "models--toy--clip", "0" * 40
        hub_layout(place / "snapshots" / commit, weights)
        (place / "refs").mkdir()
        (place / "refs/main").write_text(commit)
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
        model = open_clip_model("hf-hub:toy/clip", note=quiet, precision="fp32")
        model.ready()
        assert model.size == EDGE and model.name.startswith("hf-hub:toy/clip:fp32@")


class TestModel:
    def test_an_image_and_a_prompt_have_one_vector_alone_and_among_others(self, weights: Path) -> None:
        random = np.random.default_rng(0)
        crops = list(random.integers(0, 256, (11, EDGE, EDGE, 3), dtype=np.uint8))
        prompts = [f"a photo of {number} bottles" for number in range(11)]
        for precision in ("fp32", "bf16"):
            model = open_clip_model("tiny", str(weights), note=quiet, precision=precision)  # type: ignore[arg-type]
            images, texts = model.images(crops), model.texts(prompts)
            assert np.array_equal(images, np.concatenate([model.images([crop]) for crop in crops]))
            assert np.array_equal(texts, np.concatenate([model.texts([prompt]) for prompt in prompts]))
            assert images.dtype == texts.dtype == np.float32 and images.shape == texts.shape == (11, 16)
            assert np.allclose(np.linalg.norm(images, axis=1), 1, atol=1e-2)

    def test_bf16_is_about_the_same(self, weights: Path, tiny: OpenClipModel) -> None:
        crops = list(np.random.default_rng(0).integers(0, 256, (3, EDGE, EDGE, 3), dtype=np.uint8))
        short = open_clip_model("tiny", str(weights), note=quiet, precision="bf16")
        assert 0 < np.abs(short.images(crops) - tiny.images(crops)).max() < 0.05
        assert 0 < np.abs(short.texts(["a bottle"]) - tiny.texts(["a bottle"])).max() < 0.05

    def test_what_runs_where_is_told_once_it_is_loaded(self, weights: Path) -> None:
        told: list[str] = []
        model = open_clip_model("tiny", str(weights), note=told.append, precision="fp32")
        assert (model.name, told) == (model.name, [])
        model.ready()
        model.texts(["a bottle"])
        (line,) = told
        assert line.startswith("clip: tiny:w on ") and line.endswith(", fp32")

    def test_its_name_tells_weights_and_precision_and_no_folder(self, tmp_path: Path, folder: Path) -> None:
        names = set()
        for number in range(2):
            (tmp_path / "w.pt").write_bytes(bytes([number]))
            for precision in ("fp32", "bf16"):
                model = open_clip_model("tiny", str(tmp_path / "w.pt"), note=quiet, precision=precision)  # type: ignore[arg-type]
                names.add(model.name)
        names.add(open_clip_model(f"local-dir:{folder}", note=quiet).name)
        names.add(open_clip_model("ViT-B/32", "openai", note=quiet, precision="fp32").name)
        assert len(names) == 6
        told = {name.partition("@")[0].rpartition(":")[0] for name in names}
        assert told == {"tiny:w", "tiny-clip", "ViT-B/32:openai"}

    def test_its_name_costs_no_import_of_torch(self, folder: Path) -> None:
        python(
            "import sys; from acbench.integrations.torch.open_clip import open_clip_model\n"
            f"print(open_clip_model({f'local-dir:{folder}'!r}, note=print).name)\n"
            "assert not {'torch', 'open_clip', 'huggingface_hub'} & set(sys.modules)"
        )

    def test_vectors_that_are_no_numbers_are_not_kept(self, tmp_path: Path, weights: Path) -> None:
        state = torch.load(weights, weights_only=True)
        state["visual.proj"].fill_(float("nan"))
        torch.save(state, tmp_path / "nan.pt")
        model = open_clip_model("tiny", str(tmp_path / "nan.pt"), note=quiet)
        with pytest.raises(AcbenchError, match="not finite"):
            model.images([np.zeros((EDGE, EDGE, 3), dtype=np.uint8)])


@pytest.fixture
def closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A hub that refuses connections, and an empty cache."""
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def mute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A hub that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", f"http://127.0.0.1:{server.getsockname()[1]}")
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
        monkeypatch.setattr(runtime, "PATIENCE", 0.5)
        yield
        server.setblocking(False)
        server.accept()[0].close()
        with pytest.raises(BlockingIOError):  # it was asked once, and never again
            server.accept()


class TestWeightsFile:
    def test_it_is_normalised_as_its_model(
        self, weights: Path, tiny: OpenClipModel, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        crops = [np.full((EDGE, EDGE, 3), 90, np.uint8)]
        usual = tiny.images(crops)
        half = {"mean": (0.5, 0.5, 0.5), "std": (0.5, 0.5, 0.5)}
        tags = {"webli": half, "webli2": half, "other": {"mean": (0, 0, 0), "std": (1, 1, 1)}}
        monkeypatch.setitem(open_clip.pretrained._PRETRAINED, "tiny", tags)
        model = open_clip_model("tiny", str(weights), note=quiet, precision="fp32")
        assert not np.allclose(model.images(crops), usual)
        loaded = model.source.load(hint="")
        assert {float(value) for part in (loaded.mean, loaded.deviation) for value in part.flatten()} == {0.5}

    @pytest.mark.parametrize(
        ("model", "mean"), [("ViT-B-16-SigLIP", 0.5), ("ViT-L-14", 0.48145466), ("ViT-B-32", 0.48145466)]
    )
    def test_models_of_open_clip_say_how(self, weights: Path, model: str, mean: float) -> None:
        found = OpenClipSource(model, str(weights))._normalisation()
        assert found is not None and found.mean[0] == mean
        assert OpenClipSource(model, "openai")._normalisation() is None, "a tag says it itself"

    @pytest.fixture
    def siglip(self, weights: Path, tmp_path: Path) -> Path:
        """Weights of a model whose tokenizer is another's, on the hub, and which open_clip is told of."""
        text = {**CONFIG["text_cfg"], "hf_tokenizer_name": "toy/tokenizer", "tokenizer_kwargs": {"clean": "lower"}}
        (tmp_path / "tiny-siglip.json").write_text(json.dumps({**CONFIG, "text_cfg": text}))
        open_clip.add_model_config(tmp_path / "tiny-siglip.json")
        return Path(shutil.copy(weights, tmp_path / "w.pt"))

    def test_without_its_tokenizer_it_says_which_is_missing(self, siglip: Path, closed: None) -> None:
        with pytest.raises(AcbenchError, match=r"its tokenizer, toy/tokenizer, (?s:.)*tokenizer\.json (?s:.)*beside"):
            open_clip_model("tiny-siglip", str(siglip), note=quiet).ready()

    def test_a_tokenizer_beside_it_is_taken_and_is_part_of_the_name(self, siglip: Path, closed: None) -> None:
        from tokenizers import Tokenizer, models, pre_tokenizers

        before = open_clip_model("tiny-siglip", str(siglip), note=quiet).name
        made = Tokenizer(models.WordLevel({"[PAD]": 0, "[UNK]": 1, "hole": 2, "scratch": 3}, unk_token="[UNK]"))
        made.pre_tokenizer = pre_tokenizers.Whitespace()
        made.save(str(siglip.parent / "tokenizer.json"))
        facts = {"tokenizer_class": "PreTrainedTokenizerFast", "pad_token": "[PAD]", "unk_token": "[UNK]"}
        (siglip.parent / "tokenizer_config.json").write_text(json.dumps(facts))
        model = open_clip_model("tiny-siglip", str(siglip), note=quiet, precision="fp32")
        assert model.name != before
        assert model.source.tokenizer(hint="")(["Hole scratch"])[0, :3].tolist() == [2, 3, 0]
        assert model.texts(["hole"]).shape == (1, 16)

    def test_a_tokenizer_that_is_none_is_named(self, siglip: Path, closed: None) -> None:
        (siglip.parent / "tokenizer.json").write_text("{")
        with pytest.raises(AcbenchError, match=r"the tokenizer in \S+ cannot be used"):
            open_clip_model("tiny-siglip", str(siglip), note=quiet).ready()


class TestNames:
    @pytest.mark.parametrize(
        ("name", "model", "weights", "shown"),
        [
            ("ViT-L-14/openai", "ViT-L-14", "openai", "ViT-L-14/openai"),
            ("ViT-L-14//data/w.pt", "ViT-L-14", "/data/w.pt", "ViT-L-14/w.pt"),
            ("hf-hub:ORG/NAME", "hf-hub:ORG/NAME", "", "hf-hub:ORG/NAME"),
            ("local-dir:/data/x", "local-dir:/data/x", "", "local-dir:x"),
            ("ViT-L-14", "ViT-L-14", "", "ViT-L-14"),
        ],
    )
    def test_a_name_is_a_model_and_its_weights(self, name: str, model: str, weights: str, shown: str) -> None:
        assert split_clip_name(name) == (model, weights)
        assert without_folders(name) == shown

    def test_several_models_are_asked_and_are_one_family(self, toy: Path, weights: Path, tmp_path: Path) -> None:
        project = tmp_path / "project"
        project.mkdir()
        other = tmp_path / "other.pt"
        torch.manual_seed(1)
        torch.save(open_clip.create_model("tiny").state_dict(), other)
        names = [f"clip:tiny/{weights}", f"clip:tiny/{other}"]
        asked = [word for name in names for word in ("--with", name)]
        done = here("relabel", "mvtec_ac", "--root", toy, "--without", "neighbours", *asked, "--project", project)
        assert done.status == 0, done.err
        assert "clip:tiny/w.pt (tiny:w:" in done.out and "clip:tiny/other.pt (tiny:other:" in done.out
        assert "one family, clip: what they agree on counts once" in done.out
        assert str(tmp_path) not in (project / "annotations/mvtec_ac/labels.jsonl").read_text()


class TestNotToBeHad:
    """Said before any work, soon, and with what to do."""

    WAYS_OUT = r"cannot be had from the local cache or from the hub(?s:.)*--clip-weights FILE(?s:.)*HF_HOME"

    @pytest.mark.parametrize("network", ["closed", "mute"])
    @pytest.mark.parametrize(("model", "tag"), [("ViT-L-14", "openai"), ("hf-hub:toy/clip", "")])
    def test_no_weights_and_no_network(
        self, request: pytest.FixtureRequest, network: str, model: str, tag: str
    ) -> None:
        request.getfixturevalue(network)
        with pytest.raises(AcbenchError, match=self.WAYS_OUT):
            open_clip_model(model, tag, note=quiet).ready()

    @pytest.mark.parametrize(
        ("model", "weights", "told"),
        [
            ("ViT-B-32", "", r"no ViT-B-32 without weights(?s:.)*tag that it knows: openai, "),
            ("ViT-B-32", "latest", r"no weights 'latest' of ViT-B-32(?s:.)*tag that it knows: openai, "),
            ("ViT-B-32", "openia", r"no weights 'openia' of ViT-B-32; did you mean openai"),
            ("ViT-B32", "openai", r"cannot make ViT-B32: it knows no model of that name; did you mean ViT-B-32"),
            ("vit-l-14", "openai", r"cannot make vit-l-14: it knows no model of that name; did you mean ViT-L-14"),
            ("nothing like it", "openai", r"cannot make nothing like it: it knows no model of that name\n"),
            ("ViT-B-32", "nowhere.pt", r"there is no weights file nowhere\.pt"),
            ("local-dir:nowhere", "", r"nowhere is not a folder of open_clip(?s:.)*open_clip_config\.json"),
        ],
    )
    def test_a_name_that_means_nothing(self, model: str, weights: str, told: str, closed: None) -> None:
        with pytest.raises(AcbenchError, match=told):
            open_clip_model(model, weights, note=quiet).ready()

    def test_a_file_that_holds_no_weights_or_those_of_another_model(self, tmp_path: Path, weights: Path) -> None:
        (tmp_path / "w.pt").write_bytes(b"something else")
        for model, file in (("tiny", tmp_path / "w.pt"), ("RN50", weights)):
            with pytest.raises(AcbenchError, match=rf"cannot make {model}:w: (?s:.)*weights of that model"):
                open_clip_model(model, str(file), note=quiet).ready()

    def test_a_file_with_code_in_it_is_refused_and_the_code_not_run(self, tmp_path: Path, weights: Path) -> None:
        class Evil:
            def __reduce__(self) -> Any:
                return Path.touch, (tmp_path / "touched",)

        (tmp_path / "w.pt").write_bytes(pickle.dumps(Evil()))
        torch.save({"visual.proj": Evil()}, tmp_path / "v.pt")
        for name in ("w.pt", "v.pt"):
            with pytest.raises(AcbenchError, match="cannot make tiny"):
                open_clip_model("tiny", str(tmp_path / name), note=quiet).ready()
        assert not (tmp_path / "touched").exists()


class TestWords:
    BUNDLED: ClassVar = [
        (name, key) for name in ("mvtec_ac", "visa_ac", "sample") for key in schema.load(name).categories
    ]

    @pytest.mark.parametrize(("name", "key"), BUNDLED)
    def test_a_clip_reads_every_prompt_to_its_end(self, name: str, key: str) -> None:
        tokenizer = open_clip.tokenizer.SimpleTokenizer()
        category = schema.load(name).categories[key]
        for prompts in clip_prompts.prompts(category).values():
            assert max(len(tokenizer.encode(prompt)) for prompt in prompts) + 2 <= tokenizer.context_length
            assert len(set(prompts)) == len(prompts) >= 9
            assert not any("$" in prompt for prompt in prompts)

    def test_classes_are_told_by_names_aliases_and_definitions(self) -> None:
        said = clip_prompts.prompts(MVTEC_AC.categories["cable"])
        assert list(said) == [GOOD, *MVTEC_AC.categories["cable"].class_ids]
        assert "a photo of a cable with bent wire." in said["bent_wire"]
        assert "a photo of a cable with copper strand fraying." in said["bent_wire"]
        assert "bent wire on a cable: Copper strands of a core are bent out of the bundle." in said["bent_wire"]
        assert "a close-up photo of a flawless cable." in said[GOOD]

    def test_a_number_that_the_dataset_gave_an_object_is_left_out(self) -> None:
        said = clip_prompts.prompts(schema.load("visa_ac").categories["macaroni2"])
        assert "a photo of a flawless macaroni." in said[GOOD]


def passes(model: OpenClipModel) -> dict[str, int]:
    """Counts the forward passes of the image tower and of the whole text tower as they happen."""
    counts = {"images": 0, "texts": 0}

    def count(what: str) -> Any:
        def hook(*_: object) -> None:
            counts[what] += 1

        return hook

    net: Any = model._ready().model.net
    net.visual.register_forward_hook(count("images"))
    net.transformer.register_forward_hook(count("texts"))
    return counts


class TestOnce:
    """Nothing is computed twice."""

    def test_a_second_run_computes_nothing_and_does_not_load_the_model(self, toy: Path, weights: Path) -> None:
        models = [open_clip_model("tiny", str(weights), note=quiet, precision="fp32") for _ in range(2)]
        counts, cache = passes(models[0]), MemoryVectors()
        first = answers(setup(toy, models[0], cache=cache), found(toy))
        words = len({each for said in clip_prompts.prompts(MVTEC_AC.categories["wood"]).values() for each in said})
        batches = {"images": -(-10 * 2 // 8), "texts": -(-words // 8)}
        assert counts == batches  # of 10 defective images, each whole and close up
        assert answers(setup(toy, models[1], cache=cache), found(toy)) == first
        assert counts == batches and models[1]._loaded is None

    def test_other_words_cost_no_look_at_an_image(
        self, toy: Path, tiny: OpenClipModel, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        counts, cache = passes(tiny), MemoryVectors()
        first = answers(setup(toy, tiny, cache=cache), found(toy))
        seen = counts["images"]
        wood = MVTEC_AC.categories["wood"]
        renamed = replace(wood, classes=tuple(replace(one, name=f"old {one.name}") for one in wood.classes))
        other = replace(MVTEC_AC, digest="00000000", categories={"wood": renamed})
        after = counts["texts"]
        second = answers(setup(toy, tiny, of=other, cache=cache), found(toy))
        assert counts["texts"] > after and counts["images"] == seen
        sections = clip_prompts.TEXTS.sections | {"picture": "an old photo of $state."}  # type: ignore[operator]
        monkeypatch.setattr(clip_prompts, "TEXTS", templates.Texts("other words", sections))
        third = answers(setup(toy, tiny, cache=cache), found(toy))
        assert counts["images"] == seen
        names = {next(iter(each.values())).proposer for each in (first, second, third)}
        assert len(names) == 3

    def test_another_mask_costs_one_look_at_what_it_marks(self, wood: Path) -> None:
        model, cache = Colours(), MemoryVectors()
        answers(setup(wood, model, cache=cache), found(wood))
        assert model.seen == 2 * 32
        Image.fromarray(np.eye(48, dtype=np.uint8)).save(wood / "wood/ground_truth/hole/003_mask.png")
        answers(setup(wood, model, cache=cache), found(wood))
        assert model.seen == 2 * 32 + 1

    def test_a_stopped_run_goes_on_from_the_last_batch(self, wood: Path) -> None:
        class Stopped(Colours):
            def images(self, crops: Sequence[Any]) -> Any:
                if self.seen:
                    raise KeyboardInterrupt
                return super().images(crops)

        cache, model = MemoryVectors(), Colours()
        with pytest.raises(KeyboardInterrupt):
            answers(setup(wood, Stopped(), cache=cache), found(wood))
        answers(setup(wood, model, cache=cache), found(wood))
        assert model.seen == 2 * (32 - clip.BATCH)


def paint(path: Path, colour: Sequence[int]) -> None:
    """A picture in one colour, with a mask of its middle."""
    Image.new("RGB", (48, 48), tuple(colour)).save(path)
    mask = np.zeros((48, 48), dtype=np.uint8)
    mask[20:28, 20:28] = 255
    Image.fromarray(mask).save(path.parents[2] / "ground_truth" / path.parent.name / f"{path.stem}_mask.png")


@pytest.fixture
def wood(tmp_path: Path) -> Path:
    """Holes are more red than green, scratches the other way round, but for the last two of each."""
    root = toy_mvtec_ad(tmp_path / "wood", {"wood": WOOD}, train=1, each=16)
    for number in range(16):
        paint(root / f"wood/test/hole/{number:03}.png", (200, 20 + 13 * number, 10))
        paint(root / f"wood/test/scratch/{number:03}.png", (20 + 13 * number, 200, 10))
    return root


class TestAnswers:
    HOLE = "wood/test/hole/000.png"

    def test_it_names_the_class_that_looks_most_like_it(self, wood: Path) -> None:
        said = answers(setup(wood, Colours()), found(wood))
        assert len(said) == 32  # normal images are not its business
        one = said[self.HOLE]
        assert (one.status, one.labels, one.saw) == ("ok", ("hole",), ("image", "mask"))
        assert one.scores.keys() == {GOOD, *MVTEC_AC.categories["wood"].class_ids}
        assert sum(one.scores.values()) == pytest.approx(1, abs=1e-5)
        assert one.rationale.startswith("looks most like hole 0.") and "calibrated on 32 images" in one.rationale
        assert one.schema_version == MVTEC_AC.version

    def test_a_narrow_lead_is_no_answer(self, wood: Path) -> None:
        paint(wood / self.HOLE, (150, 148, 10))
        said = answers(setup(wood, Colours()), found(wood))
        assert (said[self.HOLE].status, said[self.HOLE].labels) == ("abstained", ())
        assert said[self.HOLE].reason.startswith("too close to call: hole 0.") and said[self.HOLE].scores
        for each in said.values():
            second, first = sorted(each.scores.values())[-2:]
            assert (each.status == "ok") == (first - second >= clip.MARGIN)

    def test_an_image_that_looks_normal_is_said_to_be(self, wood: Path) -> None:
        paint(wood / self.HOLE, (10, 10, 200))
        assert answers(setup(wood, Colours()), found(wood))[self.HOLE].labels == (GOOD,)

    def test_without_a_mask_it_sees_the_whole_image_and_says_so(self, wood: Path) -> None:
        (wood / "wood/ground_truth/hole/000_mask.png").unlink()
        assert answers(setup(wood, Colours()), found(wood))[self.HOLE].saw == ("image",)

    def test_a_wide_image_is_seen_to_its_ends(self, wood: Path) -> None:
        """The left fifth is blue, and would be cut off by a crop of the middle."""
        model, path = Colours(), wood / self.HOLE
        (wood / "wood/ground_truth/hole/000_mask.png").unlink()
        Image.new("RGB", (100, 40), (0, 200, 0)).save(path)
        plain = answers(setup(wood, model), found(wood))[self.HOLE]
        picture = Image.open(path)
        picture.paste((0, 0, 200), (0, 0, 20, 40))
        picture.save(path)
        assert answers(setup(wood, model), found(wood))[self.HOLE].scores[GOOD] > 2 * plain.scores[GOOD]

    def test_an_image_that_cannot_be_read_is_an_error_and_the_others_are_judged(self, wood: Path) -> None:
        items = found(wood)
        path = wood / self.HOLE
        path.write_bytes(path.read_bytes()[:60])
        broken = answers(setup(wood, Colours()), items)
        assert (broken[self.HOLE].status, broken[self.HOLE].labels) == ("error", ())
        assert "hole/000.png" in broken[self.HOLE].reason
        known = answers(setup(wood, Colours()), found(wood))  # ingest has seen the damage
        assert known[self.HOLE].status == "error" and len(known) == 32
        assert known["wood/test/hole/001.png"].labels == broken["wood/test/hole/001.png"].labels == ("hole",)

    def test_an_unknown_category_is_no_answer(self, wood: Path) -> None:
        stranger = item(category="teapot")
        said = answers(setup(wood, Colours()), [stranger])
        assert said[stranger.image].reason == "the schema has no category teapot"

    @pytest.mark.parametrize("on_cpu", [True, False])
    def test_pictures_are_drawn_ahead_unless_the_model_needs_the_cores(
        self, wood: Path, monkeypatch: pytest.MonkeyPatch, on_cpu: bool
    ) -> None:
        opened: list[object] = []
        drawn_before: list[int] = []

        class Watched(Colours):
            def images(self, crops: Sequence[Any]) -> Any:
                drawn_before.append(len(opened))
                return super().images(crops)

        class CountingReader(ImageReader):
            def image(self, path: str) -> Any:
                opened.append(path)
                return super().image(path)

        model = Watched()
        model.on_cpu = on_cpu
        using = replace(setup(wood, model), images=CountingReader(wood))
        said = answers(using, found(wood))
        assert (drawn_before == [16, 32]) is on_cpu
        assert len(opened) == 32 and said == answers(setup(wood, Colours()), found(wood))

    def test_the_order_of_the_images_does_not_matter(self, toy: Path, tiny: OpenClipModel) -> None:
        items = found(toy)
        assert answers(setup(toy, tiny), items) == answers(setup(toy, tiny), items[::-1])

    def test_it_is_asked_only_if_a_model_was_chosen(self) -> None:
        assert "clip" in proposer_names()
        with pytest.raises(AcbenchError, match="no clip_model was chosen"):
            build_proposer("clip", setup(Path(), None))

    def test_its_name_tells_what_decides_its_answers(self) -> None:
        other = Colours()
        other.name = "colours@11111111"
        changed = replace(MVTEC_AC, digest="00000000")
        names = [
            build_proposer("clip", setup(Path(), model, of=of)).name
            for model, of in ((Colours(), MVTEC_AC), (Colours(), MVTEC_AC), (other, MVTEC_AC), (Colours(), changed))
        ]
        assert len(set(names)) == 3 and names[0] == names[1]
        assert names[0].startswith("clip@")


class TestCalibration:
    @staticmethod
    def raw(image: Path) -> Any:
        """Logits of `good` and the classes by hand."""
        with Image.open(image) as picture:
            seen = np.array(picture.getpixel((0, 0)), dtype=float)
        return Colours.scale * np.array([COLOURS[key] for key in (GOOD, *ids())]) @ seen / np.linalg.norm(seen)

    def test_few_labels_leave_the_model_s_own_scale(self, wood: Path) -> None:
        few = [each for each in found(wood) if each.anomalous][: clip.LEAST - 1]
        for image, each in answers(setup(wood, Colours()), few).items():
            wanted = np.exp(self.raw(wood / image))
            assert list(each.scores.values()) == pytest.approx(list(wanted / wanted.sum()), abs=5e-3)
            assert each.rationale.endswith("(uncalibrated: too few labelled images)")

    def test_one_temperature_makes_the_labels_likeliest(self, wood: Path) -> None:
        said = answers(setup(wood, Colours()), found(wood))
        right = [(self.raw(wood / image), [GOOD, *ids()].index(image.split("/")[2])) for image in said]

        def surprise(temperature: float) -> float:
            total = 0.0
            for logits, number in right:
                shares = np.exp((logits - logits.max()) / temperature)
                likely = np.log(shares / shares.sum())
                total -= likely[number] * 33 / 34 + np.delete(likely, number).mean() / 34
            return total

        best = min(np.geomspace(0.05, 20, 2_001), key=surprise)
        assert best != pytest.approx(1, abs=0.1)
        for (logits, _), each in zip(right, said.values(), strict=True):
            wanted = np.exp(logits / best)
            assert list(each.scores.values()) == pytest.approx(list(wanted / wanted.sum()), abs=5e-3)

    def test_labels_that_all_come_first_leave_doubt(self, wood: Path) -> None:
        items = [each for each in found(wood) if each.image[-7:-4] < "014"]
        labelled = [each for each in items * 2 if each.anomalous][: clip.LEAST - 2]
        twice = [replace(each, item_id=f"{number}", image=each.image) for number, each in enumerate(labelled * 2)]
        said = list(ask(build_proposer("clip", setup(wood, Colours())), twice))
        assert 0.5 < max(said[0].scores.values()) < 1

    def test_labels_never_change_which_class_comes_first(self, wood: Path) -> None:
        items = found(wood)
        swapped = {"hole": "scratch", "scratch": "hole", "good": "good"}
        lies = [replace(each, source_labels=(swapped[each.source_labels[0]],)) for each in items]
        honest, misled = (answers(setup(wood, Colours()), each) for each in (items, lies))
        for image in honest:
            assert order(honest[image]) == order(misled[image])
        counts = [sum(each.status == "ok" for each in said.values()) for said in (honest, misled)]
        assert counts[0] > counts[1]  # leads count for less where the labels contradict


def ids() -> tuple[str, ...]:
    return MVTEC_AC.categories["wood"].class_ids


def order(of: Proposal) -> str:
    return max(of.scores, key=lambda each: of.scores[each])


STATUSES = ("ok", "abstained", "error")


def test_from_the_command_line_beside_an_llm(toy: Path, folder: Path, tmp_path: Path) -> None:
    """Both look, the labels come of all witnesses, and `compare` shows who said what at which price."""
    project = tmp_path / "project"
    project.mkdir()

    def acbench(command: str, *arguments: object) -> Any:
        done = here(command, "mvtec_ac", "--project", project, "--json", *arguments)
        assert done.status == 0
        return done.facts

    with FakeEndpoint() as server:
        looks = ["--with", "clip", "--clip-model", f"local-dir:{folder}", "--with", "llm", "--llm", "m"]
        facts = acbench(
            "relabel", "--root", toy, "--without", "neighbours", *looks, "--llm-url", server.url, "--no-canary"
        )
        assert acbench("relabel", "--no-canary") == facts
        assert len(server.requests) == 10
    asked = {
        name.partition("@")[0]: sum(tally[status] for status in STATUSES) for name, tally in facts["witnesses"].items()
    }
    assert asked["clip"] == asked["llm"] == 10
    compared = acbench("compare", "--truth", "labels")
    assert compared["proposers"]["llm"]["calls"] == 10 and compared["proposers"]["clip"]["calls"] == 0
    assert ("clip", "llm") in {(each["one"], each["other"]) for each in compared["agreement"]}
    with Image.open(project / ".acbench/mvtec_ac/compare.png") as picture:
        assert picture.width > 1_000
