"""What models cost on an accelerator, with drawing ahead of them, beside their bare forward pass: a quarter of an hour.

    python -m tests.bench.accelerator [--small] [--without-ray]

CLIP (ViT-L-14), the backbone of `neighbours` and the detector read images of 900 pixels from files, which were read
once before; threads decode and cut while the model computes. The references are loops over tensors that are on the
device already. Memory is what torch has allocated there at most. Ray is the command `propose` with one worker, beside
the same command without Ray; both answer the same, or it stops. On a CPU, or with `--small`, a tiny CLIP and few small
images show that it runs, and its figures say nothing of an accelerator. CLIP's weights are random, of the real shape.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import repeat
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from acbench import schema
from acbench._util.cores import cores
from acbench.data import sources
from acbench.data.ingest import Dataset, ingest
from acbench.integrations.torch.embeddings import backbone
from acbench.integrations.torch.open_clip import open_clip_model
from acbench.integrations.torch.patch_features import BATCH, STRIDES, patch_model
from acbench.integrations.torch.runtime import device, import_torch, normalisation
from acbench.predictors.base import Setup
from acbench.predictors.detection.patchcore_maps import SIZE, PatchCoreDetector
from acbench.predictors.proposers import neighbours
from acbench.records import Item, Proposal
from acbench.storage import tables
from acbench.testing import FakeModels, MemoryVectors
from tests.bench import clip
from tests.bench.timing import Figure, figure, report, seconds

MINUTES = 10
TAKES = 3
CLASSES = ("broken_large", "broken_small", "contamination")
TINY = {
    "embed_dim": 32,
    "vision_cfg": {"image_size": 32, "layers": 2, "width": 64, "patch_size": 8},
    "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 64, "heads": 2, "layers": 2},
}
"""A CLIP that computes nothing worth waiting for."""
NORMAL = {"mean": [0.48, 0.46, 0.41], "std": [0.27, 0.26, 0.28]}
Pixels = NDArray[np.uint8]


class Sizes(NamedTuple):
    """How much is measured."""

    model: str
    """What open_clip calls the CLIP; empty for TINY."""
    images: int
    """Anomalous ones, each with a mask."""
    normal: int
    edge: int
    """Of the images, pixels."""
    input: int
    """Edge of the detector's input, pixels."""


LARGE = Sizes("ViT-L-14", 512, 64, 900, SIZE)
SMALL = Sizes("", 6, 10, 96, 64)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--small", action="store_true", help="few and small images, as on a CPU")
    parser.add_argument("--without-ray", action="store_true", help="leave Ray out")
    given = parser.parse_args()
    print(f"{where()}, {cores()} cores\n", flush=True)
    report(figures(small=given.small, ray=not given.without_ray))


def lacks() -> str:
    """What is missing."""
    return "an accelerator" if device() == "cpu" else ""


def where() -> str:
    """What the models run on."""
    torch = import_torch()
    return f"cuda, {torch.cuda.get_device_name(0)}" if device() == "cuda" else device()


def figures(*, small: bool = False, ray: bool = True) -> Iterator[Figure]:
    """Of CLIP, the backbone, the detector, and Ray with one worker."""
    sizes = SMALL if small or device() == "cpu" else LARGE
    with tempfile.TemporaryDirectory() as folder:
        root, model = made(Path(folder) / "images", sizes), clip_folder(Path(folder) / "clip", sizes.model)
        dataset = ingest(sources.get("mvtec_ad"), root)
        anomalous = [item for item in dataset.items if item.anomalous]
        yield from of_clip(sizes, model, dataset, anomalous)
        yield from of_backbone(dataset, anomalous)
        yield from of_detector(dataset, anomalous, sizes.input)
        if ray:
            yield from of_ray(Path(folder), root, model)


def of_clip(sizes: Sizes, folder: Path, dataset: Dataset, items: Sequence[Item]) -> Iterator[Figure]:
    """CLIP as the proposer uses it."""
    model = open_clip_model(f"local-dir:{folder}", note=lambda text: None)
    model.ready()
    setup = Setup(schema=schema.load("mvtec_ac"), images=dataset.images, models=FakeModels(), vectors=MemoryVectors())
    yield from clip.measured(sizes.model or "tiny", model, setup, items)
    views = clip.cut_views(setup, items, model)
    yield from memory("clip", lambda: model.images(views), clip.bare_loop(model, views))


@dataclass
class Watcher:
    """Stands for the backbone: computes nothing, and keeps the crops that it is given."""

    size: int
    name: str = "watcher"
    crops: list[Pixels] = field(default_factory=list)
    areas: list[NDArray[np.float32]] = field(default_factory=list)

    def embed(self, crops: Sequence[Pixels], weights: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
        """Keep the crops; gives zeros."""
        self.crops += crops
        self.areas += weights
        return np.zeros((len(crops), 1), dtype=np.float32)


def of_backbone(dataset: Dataset, items: Sequence[Item]) -> Iterator[Figure]:
    """The default backbone as `neighbours` uses it."""
    torch, model = import_torch(), backbone()
    watcher, batch = Watcher(model.size), 1 if device() == "cpu" else 32

    def embed(embedder: Any) -> None:
        using = Setup(
            schema=schema.load("mvtec_ac"),
            images=dataset.images,
            models=FakeModels(embedder=embedder),
            vectors=MemoryVectors(),
        )
        problems = neighbours.build(using).embed(items, clip.quiet)
        assert not problems, problems

    embed(watcher)
    forward = model.load()
    pixels = torch.from_numpy(np.stack(watcher.crops)).to(device()).permute(0, 3, 1, 2).float() / 255
    areas = torch.from_numpy(np.stack(watcher.areas)).to(device())

    def bare() -> None:
        with torch.inference_mode():
            for start in range(0, len(pixels), batch):
                for level in forward(pixels[start : start + batch], areas[start : start + batch]):
                    level.float().cpu()

    yield from against(
        "neighbours: crops of images on disk, against the bare forward", lambda: embed(model), bare, len(pixels)
    )
    yield from memory("neighbours", lambda: model.levels(watcher.crops, watcher.areas), bare)


def of_detector(dataset: Dataset, items: Sequence[Item], edge: int) -> Iterator[Figure]:
    """The detector, once its bank of normal patches is made."""
    torch, model, cache = import_torch(), patch_model(), MemoryVectors()
    detector = PatchCoreDetector(dataset.images, model, cache, edge)
    train = [item for item in dataset.items if item.split == "train"]
    list(detector.maps(train[:1], train))
    bank = dict(cache)

    def maps() -> None:
        cache.clear()
        cache.update(bank)
        found = list(detector.maps(items, train))
        assert all(each.map is not None for each in found), found

    net = model.load()
    mean, deviation = normalisation(net.default_cfg["mean"], net.default_cfg["std"])
    strides = [info["reduction"] for info in net.feature_info]
    levels = [max(level for level, stride in enumerate(strides) if stride == wanted) for wanted in STRIDES]
    used = max(edge, model.size) if 2 * sum(item.width >= edge for item in train) > len(train) else model.size
    pictures = [np.asarray(dataset.images.image(item.image).resize((used, used))) for item in items]
    pixels = torch.from_numpy(np.stack(pictures)).to(device()).permute(0, 3, 1, 2)

    def bare() -> None:
        with torch.inference_mode():
            for start in range(0, len(pixels), BATCH):
                images = (pixels[start : start + BATCH].float() / 255 - mean) / deviation
                for level in net.forward_intermediates(images, indices=levels, intermediates_only=True):
                    level.float().cpu()

    yield from against("patchcore: maps of images on disk, against the bare forward", maps, bare, len(items))
    yield from memory("patchcore", lambda: model.features(pictures), bare)


def of_ray(place: Path, root: Path, model: Path) -> Iterator[Figure]:
    """The command with one worker on Ray, beside the command alone."""
    given = ["propose", "mvtec_ac", "--proposer", "clip", "--root", str(root), "--clip-model", f"local-dir:{model}"]

    def propose(name: str, *engine: str) -> float:
        command = [sys.executable, "-m", "acbench", *given, *engine, "--project", str(place / name)]
        (place / name).mkdir()
        return seconds(lambda: subprocess.run(command, check=True, stdout=subprocess.DEVNULL))

    alone, with_ray = propose("alone"), propose("ray", "--engine", "ray", "--workers", "1")
    said, also_said = (
        tables.read(place / name / ".acbench/mvtec_ac/proposals/clip.parquet", Proposal) for name in ("alone", "ray")
    )
    assert said and said == also_said, "Ray changed an answer"
    yield Figure("propose clip with one worker on Ray, against the command alone", with_ray, alone)


def against(name: str, ours: Callable[[], object], bare: Callable[[], object], amount: int) -> Iterator[Figure]:
    """Rates of both, in turns."""
    ours(), bare()
    takes = [(seconds(ours), seconds(bare)) for _ in range(TAKES)]
    yield figure(f"{name}, on {device()}", takes, unit="/s", amount=amount, goal=0.9)


def memory(name: str, ours: Callable[[], object], bare: Callable[[], object]) -> Iterator[Figure]:
    """The most that torch has allocated on a CUDA device; nothing of another, where nobody counts it."""
    if device() == "cuda":
        yield Figure(f"{name}: memory on the device, against the bare forward", allocated(ours), allocated(bare), "MB")


def allocated(work: Callable[[], object]) -> float:
    """The most that torch has allocated on the device while it does some work, MB."""
    cuda = import_torch().cuda
    cuda.reset_peak_memory_stats()
    work()
    return float(cuda.max_memory_allocated()) / 1e6


def clip_folder(folder: Path, name: str) -> Path:
    """A CLIP with random weights in the layout of the hub. Gives `folder`."""
    torch = import_torch()
    import open_clip

    config = open_clip.get_model_config(name) if name else TINY
    torch.manual_seed(0)
    folder.mkdir()
    torch.save(open_clip.CLIP(**config).state_dict(), folder / "open_clip_pytorch_model.bin")
    (folder / "open_clip_config.json").write_text(json.dumps({"model_cfg": config, "preprocess_cfg": NORMAL}))
    return folder


def made(root: Path, sizes: Sizes) -> Path:
    """Images in the layout of MVTec-AD: clouds with a spot of another colour in those that are anomalous."""
    paths = [root / f"bottle/train/good/{number:04}.png" for number in range(sizes.normal)]
    paths += [root / f"bottle/test/{CLASSES[n % len(CLASSES)]}/{n:04}.png" for n in range(sizes.images)]
    with ThreadPoolExecutor(cores()) as pool:
        list(pool.map(draw, range(len(paths)), paths, repeat(sizes.edge)))
    return root


def draw(seed: int, path: Path, edge: int) -> None:
    """One image, and its mask if it is anomalous."""
    random = np.random.default_rng(seed)
    clouds = Image.fromarray(random.integers(60, 200, (8, 8, 3), dtype=np.uint8)).resize(
        (edge, edge), Image.Resampling.BICUBIC
    )
    pixels = np.asarray(clouds) + random.integers(0, 8, (edge, edge, 3), dtype=np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.parent.name != "good":
        mask = np.zeros((edge, edge), dtype=np.uint8)
        x, y = random.integers(edge // 8, edge // 2, 2)
        mask[y : y + edge // 6, x : x + edge // 5] = 255
        pixels[mask > 0] //= 2
        masks = path.parents[2] / "ground_truth" / path.parent.name
        masks.mkdir(parents=True, exist_ok=True)
        Image.fromarray(mask).save(masks / f"{path.stem}_mask.png")
    Image.fromarray(pixels).save(path, compress_level=1)


if __name__ == "__main__":
    main()
