"""Image models: loaded without a network, faithful, and the same for an image whatever else is asked."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from acbench.errors import AcbenchError
from acbench.integrations.torch.embeddings import DEFAULT, Backbone, backbone
from acbench.integrations.torch.runtime import device, import_torch
from tests.support.lazy import torch

SIZE = 224
TIMM = ("test_efficientnet", "test_mambaout", "test_vit3")
"""Tiny models: with a feature map, with one whose channels come last, with tokens and an input size of their own."""


def crops(count: int) -> list[Any]:
    random = np.random.default_rng(0)
    return [random.integers(0, 256, (SIZE, SIZE, 3), dtype=np.uint8) for _ in range(count)]


def areas(*corners: int) -> list[Any]:
    """Where the defect is: in the upper left, so many pixels wide and high; nowhere marked for 0."""
    found = np.zeros((len(corners), SIZE, SIZE), dtype=np.float32)
    for area, corner in zip(found, corners, strict=True):
        area[:corner, :corner] = 1
    return list(found)


@pytest.fixture(scope="module")
def lite() -> Backbone:
    return backbone()


@pytest.fixture(scope="module", params=[DEFAULT, *(f"timm:{name}" for name in TIMM), "open_clip:tiny"])
def any_model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Backbone:
    """Each kind of model, with random weights from a file except for the default."""
    spec, folder = request.param, tmp_path_factory.mktemp("weights")
    family, _, name = spec.partition(":")
    if family == DEFAULT:
        return backbone()
    torch.manual_seed(0)
    if family == "timm":
        import timm

        net = timm.create_model(name)
    else:
        import open_clip

        vision = {"image_size": 32, "layers": 1, "width": 32, "patch_size": 16, "head_width": 16}
        text = {"context_length": 8, "vocab_size": 64, "width": 16, "heads": 1, "layers": 1}
        config = {"embed_dim": 16, "vision_cfg": vision, "text_cfg": text}
        (folder / f"{name}.json").write_text(json.dumps(config))
        open_clip.add_model_config(folder / f"{name}.json")
        net = open_clip.create_model(name)
    torch.save(net.state_dict(), folder / "weights.pt")
    return backbone(f"{spec}@{folder / 'weights.pt'}")


class TestDefault:
    def test_it_is_the_model_that_its_weights_were_made_for(self, lite: Backbone) -> None:
        """The package of another implementation, with the same file, gives the same features."""
        from efficientnet_lite_pytorch import EfficientNet

        from acbench.integrations.torch.embeddings import _bundled_weights

        net = EfficientNet.from_pretrained(DEFAULT, weights_path=str(_bundled_weights())).eval()
        with torch.inference_mode():
            images = torch.from_numpy(np.stack(crops(2))).permute(0, 3, 1, 2).float() / 255
            wanted = net.extract_features((images - 0.5) / 0.5).mean((2, 3)).numpy()
        assert np.abs(lite.embed(crops(2), areas(SIZE, SIZE)) - wanted).max() < 1e-4

    def test_its_name_tells_its_weights(self, lite: Backbone) -> None:
        assert lite.name == backbone("efficientnet-lite0").name
        assert lite.name.startswith("efficientnet-lite0@")

    def test_nothing_is_loaded_before_it_is_needed(self) -> None:
        assert backbone()._forward is None


class TestEveryKind:
    def test_an_image_has_one_vector_alone_and_among_others(self, any_model: Backbone) -> None:
        together = any_model.embed(crops(3), areas(SIZE, 50, 0))
        alone = [any_model.embed([crop], [area])[0] for crop, area in zip(crops(3), areas(SIZE, 50, 0), strict=True)]
        assert together.dtype == np.float32 and together.shape[0] == 3
        assert np.isfinite(together).all()
        assert np.array_equal(together, np.stack(alone))

    def test_other_images_have_other_vectors(self, any_model: Backbone) -> None:
        one, other = any_model.embed(crops(2), areas(SIZE, SIZE))
        assert not np.allclose(one, other)

    def test_without_a_mark_the_whole_crop_counts(self, any_model: Backbone) -> None:
        whole, nowhere = (any_model.embed(crops(1), areas(corner)) for corner in (SIZE, 0))
        assert np.allclose(whole, nowhere, atol=1e-5)

    def test_a_defect_within_one_patch_has_that_patch_s_token(self, tmp_path: Path) -> None:
        import timm

        net = timm.create_model("test_vit3").eval()
        torch.save(net.state_dict(), tmp_path / "w.pt")
        (found,) = backbone(f"timm:test_vit3@{tmp_path / 'w.pt'}").embed(crops(1), areas(SIZE // 10))
        pixels = torch.from_numpy(crops(1)[0]).permute(2, 0, 1)[None].float() / 255
        small = torch.nn.functional.interpolate(pixels, size=(160, 160), mode="bicubic", antialias=True)
        mean, std = (torch.tensor(net.default_cfg[key]).view(3, 1, 1) for key in ("mean", "std"))
        with torch.inference_mode():
            tokens = net.forward_features((small - mean) / std)[0]
        assert np.allclose(found, tokens[1], atol=1e-5)  # 0 is the class token

    def test_where_the_defect_is_matters_to_a_model_with_a_map(self, any_model: Backbone) -> None:
        whole, corner = (any_model.embed(crops(1), areas(corner)) for corner in (SIZE, 60))
        assert np.allclose(whole, corner) == any_model.name.startswith("open_clip")


class TestLevels:
    def test_the_first_is_the_vector(self, any_model: Backbone) -> None:
        first, *_ = any_model.levels(crops(2), areas(SIZE, 50))
        assert np.array_equal(first, any_model.embed(crops(2), areas(SIZE, 50)))

    def test_a_convolutional_model_has_a_finer_one(self, lite: Backbone) -> None:
        assert [level.shape for level in lite.levels(crops(2), areas(SIZE, 50))] == [(2, 1280), (2, 1280), (2, 112)]

    def test_all_are_finite_and_do_not_depend_on_other_crops(self, any_model: Backbone) -> None:
        together = any_model.levels(crops(3), areas(SIZE, 3, 0))
        for number, (crop, area) in enumerate(zip(crops(3), areas(SIZE, 3, 0), strict=True)):
            alone = any_model.levels([crop], [area])
            assert all(np.array_equal(one[0], all_of[number]) for one, all_of in zip(alone, together, strict=True))
        assert all(np.isfinite(level).all() for level in together)


class TestNames:
    @pytest.mark.parametrize("spec", ["", "resnet50", "timm:", "open_clip:ViT-B-32", "timm", ":x"])
    def test_what_is_no_backbone_is_refused_with_the_forms_there_are(self, spec: str) -> None:
        with pytest.raises(AcbenchError, match=r"there is no backbone(?s:.)*timm:MODEL@FILE"):
            backbone(spec)

    def test_a_file_that_is_not_there_is_refused_at_once(self) -> None:
        with pytest.raises(AcbenchError, match=r"there is no file nowhere\.pt"):
            backbone("timm:test_vit@nowhere.pt")

    def test_a_file_that_holds_something_else_is_refused_when_loaded(self, tmp_path: Path) -> None:
        (tmp_path / "w.pt").write_bytes(b"something else")
        with pytest.raises(AcbenchError, match="does not hold weights of test_vit"):
            backbone(f"timm:test_vit@{tmp_path / 'w.pt'}").embed(crops(1), areas(SIZE))

    def test_the_weights_of_another_model_are_refused_when_loaded(self, tmp_path: Path) -> None:
        torch.save({"conv": torch.zeros(1)}, tmp_path / "w.pt")
        with pytest.raises(AcbenchError, match="does not hold weights of test_vit"):
            backbone(f"timm:test_vit@{tmp_path / 'w.pt'}").embed(crops(1), areas(SIZE))

    @pytest.mark.parametrize("family", ["timm", "open_clip"])
    def test_a_model_that_nobody_knows_is_refused_when_loaded(self, tmp_path: Path, family: str) -> None:
        torch.save({}, tmp_path / "w.pt")
        with pytest.raises(AcbenchError, match=r"cannot make no_such_model(?s:.)*leave --backbone out"):
            backbone(f"{family}:no_such_model@{tmp_path / 'w.pt'}").embed(crops(1), areas(SIZE))

    def test_other_weights_give_another_name(self, tmp_path: Path) -> None:
        names = set()
        for number in range(2):
            (tmp_path / "w.pt").write_bytes(bytes([number]))
            names.add(backbone(f"timm:test_vit@{tmp_path / 'w.pt'}").name)
        assert len(names) == 2


def test_there_is_a_device() -> None:
    assert torch.zeros(1, device=device()).sum() == 0


@pytest.mark.parametrize(("before", "after"), [(None, "PASSIVE"), ("ACTIVE", "ACTIVE")])
def test_threads_of_a_model_sleep_while_they_wait_unless_the_environment_says_otherwise(
    monkeypatch: pytest.MonkeyPatch, before: str | None, after: str
) -> None:
    monkeypatch.delenv("OMP_WAIT_POLICY", raising=False)
    if before is not None:
        monkeypatch.setenv("OMP_WAIT_POLICY", before)
    import_torch()
    assert os.environ["OMP_WAIT_POLICY"] == after
    monkeypatch.setenv("OMP_WAIT_POLICY", after)  # so that what was set here is taken back
