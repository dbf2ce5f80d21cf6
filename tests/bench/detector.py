"""Our PatchCore beside anomalib's, on the same pictures and the same backbone, each in a process of its own.

    pip install anomalib && python -m tests.bench.detector [--category screw] [--size 448] [--ratio 0.025]

Categories of MVTec-AD that lie in the folder ACBENCH_MVTEC_AD_ROOT, on EfficientNet-Lite0 with its ImageNet weights,
middle levels of strides 8 and 16, on one thread. Decoding is not timed, and times are of the processor, so that a busy
machine does not matter. Of ours it also measures the gate: what it misses and what it alarms for on test images, which
play no part in the threshold. `--ratio` is the share of patches that anomalib keeps (its own default is 0.1); ours
keeps 2,000. Peak memory is that of the whole process, libraries and pictures included.

Area under the ROC curve of images and of pixels, and under the curve of the overlap of each marked place (AUPRO,
Bergmann et al. 2021, up to 30 % of normal pixels), at 256 pixels.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from acbench.integrations.torch.patch_features import BATCH, patch_model
from acbench.integrations.torch.runtime import import_torch
from acbench.predictors.detection.patchcore_maps import SIZE
from tests.bench.timing import Figure, table

LAYERS = ("blocks.2", "blocks.4")
"""What timm calls the levels of strides 8 and 16."""
MINUTES = 10
EDGE = 256
"""Edge of the maps that are compared with masks, pixels."""
MAX_FPR = 0.3
Picture = NDArray[np.uint8]
Map = NDArray[np.float32]
Fit = Callable[[Sequence[Picture]], int]
"""Fits to normal images; gives how many patches are kept."""
Predict = Callable[[Sequence[Picture]], list[tuple[float, Map]]]
"""Score and map of each image."""
NAMES = ("acbench", "anomalib")


def main() -> None:
    """Measure and print; called with a name, measure one of them in this process."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--category", action="append", help="default: bottle and screw")
    parser.add_argument("--size", type=int, default=SIZE)
    parser.add_argument("--ratio", type=float, default=0.025)
    parser.add_argument("--only", choices=NAMES, help=argparse.SUPPRESS)
    given = parser.parse_args()
    categories = given.category or ["bottle", "screw"]
    root = Path(os.environ["ACBENCH_MVTEC_AD_ROOT"])
    if given.only:
        print(json.dumps(measured(given.only, root / categories[0], given.size, given.ratio)))
        return
    heads = ("image AUROC", "pixel AUROC", "AUPRO", "missed", "alarms", "fit, CPU s", "CPU ms an image", "kept", "MB")
    rows = [("", "", *heads)]
    for category in categories:
        for name in NAMES:
            facts, peak = apart(name, category, given.size, given.ratio)
            if facts is None:
                rows.append((category, name, "did not run: is it installed?", *[""] * (len(heads) - 1)))
                continue
            shares = [f"{facts[key]:.3f}" for key in ("image", "pixel", "pro")]
            gate = [facts["missed"], facts["alarms"]]
            times = (f"{facts['fit']:.1f}", f"{1e3 * facts['predict']:.0f}", f"{facts['kept']:,}", f"{peak:.0f}")
            rows.append((category, name, *shares, *gate, *times))
    print(table(rows))


def lacks() -> str:
    """What is missing."""
    if not os.environ.get("ACBENCH_MVTEC_AD_ROOT"):
        return "MVTec-AD in the folder ACBENCH_MVTEC_AD_ROOT"
    return "" if find_spec("anomalib") else "anomalib"


def figures(categories: Sequence[str] = ("bottle", "screw")) -> Iterator[Figure]:
    """Ours beside anomalib's."""
    for category in categories:
        (ours, _), (theirs, _) = (apart(name, category, SIZE, 0.025) for name in NAMES)
        assert ours is not None and theirs is not None, "both ran before"
        for key, shown in (("image", "image AUROC"), ("pixel", "pixel AUROC"), ("pro", "AUPRO")):
            yield Figure(f"{category}: {shown}, against anomalib", ours[key], theirs[key], "", None, True)
        yield Figure(f"{category}: processor time of fitting, against anomalib", ours["fit"], theirs["fit"])
        yield Figure(f"{category}: processor time of an image, against anomalib", ours["predict"], theirs["predict"])


def apart(name: str, category: str, size: int, ratio: float) -> tuple[dict[str, Any] | None, float]:
    """Measure one of them in a process of its own; gives what it measured, and its peak memory in MB."""
    command = [sys.executable, "-m", "tests.bench.detector", "--only", name, "--category", category]
    command += ["--size", str(size), "--ratio", str(ratio)]
    one_thread = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=one_thread)
    assert process.stdout is not None
    out = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        return None, 0.0
    return json.loads(out.splitlines()[-1]), usage.ru_maxrss / (1e6 if sys.platform == "darwin" else 1e3)


def measured(name: str, root: Path, size: int, ratio: float) -> dict[str, Any]:
    """What one of them takes in this process, and how well it tells normal images and pixels from others."""
    from sklearn.metrics import roc_auc_score

    train = [decoded(path, size) for path in sorted(root.glob("train/good/*.png"))]
    paths = sorted(root.glob("test/*/*.png"))
    test = [decoded(path, size) for path in paths]
    thresholds: list[float] = []
    fit, predict = ours(thresholds) if name == "acbench" else theirs(ratio)
    predict_some = train[:2]
    fit(predict_some)  # loads the model
    started = time.process_time()
    kept = fit(train)
    fitted = time.process_time()
    answers = predict(test)
    done = time.process_time()
    truth = np.array([path.parent.name != "good" for path in paths])
    scores = np.array([score for score, _ in answers])
    maps = np.array([resized(heatmap) for _, heatmap in answers])
    masks = np.array([mask_of(path) for path in paths])
    facts = {
        "image": float(roc_auc_score(truth, scores)),
        "pixel": float(roc_auc_score(masks.ravel(), maps.ravel())),
        "pro": aupro(maps, masks),
        "fit": fitted - started,
        "predict": (done - fitted) / len(test),
        "kept": kept,
        "missed": "",
        "alarms": "",
    }
    if thresholds:
        above = scores > thresholds[-1]
        facts["missed"] = f"{np.count_nonzero(~above & truth)} of {np.count_nonzero(truth)}"
        facts["alarms"] = f"{np.count_nonzero(above & ~truth)} of {np.count_nonzero(~truth)}"
    return facts


def decoded(path: Path, size: int) -> Picture:
    """An image at the size of the model."""
    return np.asarray(Image.open(path).convert("RGB").resize((size, size), Image.Resampling.BICUBIC))


def mask_of(image: Path) -> NDArray[np.bool_]:
    """What is anomalous in an image, (EDGE, EDGE)."""
    mask = image.parents[2] / "ground_truth" / image.parent.name / f"{image.stem}_mask.png"
    if not mask.exists():
        return np.zeros((EDGE, EDGE), dtype=np.bool_)
    return np.asarray(Image.open(mask).convert("L").resize((EDGE, EDGE), Image.Resampling.BOX)) > 127


def resized(heatmap: Map) -> Map:
    """A map (EDGE, EDGE)."""
    return np.asarray(Image.fromarray(heatmap).resize((EDGE, EDGE), Image.Resampling.BILINEAR))


def aupro(maps: NDArray[np.float32], masks: NDArray[np.bool_], steps: int = 200) -> float:
    """The area under the mean overlap of each marked place, over the share of normal pixels above, up to MAX_FPR."""
    from scipy import ndimage

    normal = np.sort(maps[~masks])
    shares = np.linspace(0, MAX_FPR, steps)
    levels = normal[np.clip(len(normal) - 1 - (shares * len(normal)).astype(int), 0, None)]
    overlaps = []
    for heatmap, mask in zip(maps, masks, strict=True):
        places, count = ndimage.label(mask, structure=np.ones((3, 3)))
        for place in range(1, count + 1):
            inside = np.sort(heatmap[places == place])
            overlaps.append(1 - np.searchsorted(inside, levels, side="right") / len(inside))
    return float(np.trapezoid(np.mean(overlaps, axis=0), shares) / MAX_FPR)


class Folder:
    """Stands for the images of a dataset: pictures in memory, by their number."""

    key = ()

    def __init__(self, pictures: Sequence[Picture]) -> None:
        self.pictures = pictures

    def image(self, path: str) -> Image.Image:
        return Image.fromarray(self.pictures[int(path)])


def ours(thresholds: list[float]) -> tuple[Fit, Predict]:
    """The detector of acbench, as `acbench velm` uses it; the threshold of its gate is added to `thresholds`."""
    from typing import cast

    from acbench.data.images import ImageReader
    from acbench.predictors.detection import patchcore
    from acbench.predictors.detection.gate import Gate
    from acbench.predictors.detection.patchcore_maps import PatchCoreDetector
    from acbench.records import Item
    from acbench.testing import MemoryVectors
    from tests.support.records import item

    model = patch_model()
    fitted: list[tuple[PatchCoreDetector, list[Item], list[Picture]]] = []

    def items(pictures: Sequence[Picture], first: int) -> list[Item]:
        edge = pictures[0].shape[0]
        return [item(first + n, image=str(first + n), sha256=f"{first + n:064x}", width=edge, height=edge)
                for n in range(len(pictures))]  # fmt: skip

    def fit(pictures: Sequence[Picture]) -> int:
        known = list(pictures) if len(pictures) > 4 else list(pictures) * 3
        images = cast(ImageReader, Folder(known))
        detector = PatchCoreDetector(images, model, MemoryVectors(), pictures[0].shape[0])
        train = items(known, 0)
        scores = [float(each.map.max()) for each in detector.normal_maps(train) if each.map is not None]
        list(detector.maps(train[:1], train))  # the bank of all
        thresholds.append(Gate().threshold(scores))
        fitted[:] = [(detector, train, known)]
        return min(patchcore.KEPT, patchcore.SAMPLED)

    def predict(pictures: Sequence[Picture]) -> list[tuple[float, Map]]:
        detector, train, known = fitted[0]
        tested = items(pictures, len(known))
        known.extend(pictures)
        maps = [each.map for each in detector.maps(tested, train) if each.map is not None]
        return [(float(heatmap.max()), np.asarray(heatmap)) for heatmap in maps]

    return fit, predict


def theirs(ratio: float) -> tuple[Fit, Predict]:
    """The detector of anomalib, on the weights of acbench."""
    torch = import_torch()
    from anomalib.models.image.patchcore.torch_model import PatchcoreModel

    from acbench.integrations.torch.embeddings import DEFAULT, timm_network

    network = timm_network(DEFAULT)
    assert network is not None
    full: Any = network.load()
    model = PatchcoreModel(backbone=network.model, layers=LAYERS, pre_trained=False)
    features = model.feature_extractor.feature_extractor
    features.load_state_dict({name: full.state_dict()[name] for name in features.state_dict()})
    mean, std = (torch.tensor(full.default_cfg[key]).view(1, 3, 1, 1) for key in ("mean", "std"))

    def batches(pictures: Sequence[Picture]) -> Iterator[Any]:
        for start in range(0, len(pictures), BATCH):
            images = torch.from_numpy(np.stack(pictures[start : start + BATCH])).permute(0, 3, 1, 2).float() / 255
            yield (images - mean) / std

    def fit(pictures: Sequence[Picture]) -> int:
        model.train()
        model.feature_extractor.eval()
        with torch.inference_mode():
            for images in batches(pictures):
                model(images)
            model.subsample_embedding(ratio)
        return len(model.memory_bank)

    def predict(pictures: Sequence[Picture]) -> list[tuple[float, Map]]:
        model.eval()
        answers = []
        with torch.inference_mode():
            for images in batches(pictures):
                said = model(images)
                maps = np.asarray(said.anomaly_map.squeeze(1), dtype=np.float32)
                answers += list(zip(map(float, said.pred_score.ravel()), maps, strict=True))
        return answers

    return fit, predict


if __name__ == "__main__":
    main()
