"""Our PatchCore beside anomalib's, on the same pictures and the same backbone, each in a process of its own.

    pip install anomalib && python -m tests.bench.detector [--ratio 0.01]

Bottles of MVTec-AD, where ACBENCH_MVTEC_AD_ROOT names a folder with them, at 224 pixels on EfficientNet-Lite0 with its
ImageNet weights, middle levels of strides 8 and 16, on one thread. Decoding is not timed, and times are of the
processor, so that a busy machine does not matter. `--ratio` is the share of patches that anomalib keeps; ours keeps
1 %. Peak memory is that of the whole process, libraries and pictures included.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from acbench.integrations.torch.patch_features import BATCH, patch_model
from acbench.integrations.torch.runtime import import_torch
from tests.bench.timing import table

SIZE = 224
LAYERS = ("blocks.2", "blocks.4")
"""What timm calls the levels of strides 8 and 16."""
Picture = NDArray[np.uint8]
Fit = Callable[[Sequence[Picture]], int]
"""Fits to normal images; gives how many patches are kept."""
Predict = Callable[[Sequence[Picture]], list[float]]
"""Scores images."""


def main() -> None:
    """Measure and print; called with a name, measure one of them in this process."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ratio", type=float, default=0.01)
    parser.add_argument("--only", choices=["acbench", "anomalib"], help=argparse.SUPPRESS)
    given = parser.parse_args()
    root = Path(os.environ["ACBENCH_MVTEC_AD_ROOT"]) / "bottle"
    if given.only:
        print(json.dumps(measured(given.only, root, given.ratio)))
        return
    rows = [("", "image AUROC", "fit, CPU s", "predict, CPU ms an image", "patches kept", "peak memory, MB")]
    for name in ("acbench", "anomalib"):
        facts, peak = apart(name, given.ratio)
        times = (f"{facts['auroc']:.4f}", f"{facts['fit']:.1f}", f"{1e3 * facts['predict']:.0f}", f"{facts['kept']:,}")
        rows.append((name, *times, f"{peak:.0f}"))
    print(table(rows))


def apart(name: str, ratio: float) -> tuple[dict[str, Any], float]:
    """Measure one of them in a process of its own; gives what it measured, and its peak memory in MB."""
    command = [sys.executable, "-m", "tests.bench.detector", "--only", name, "--ratio", str(ratio)]
    one_thread = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=one_thread)
    assert process.stdout is not None
    out = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{name} ended with {process.returncode}: is it installed?")
    return json.loads(out.splitlines()[-1]), usage.ru_maxrss / (1e6 if sys.platform == "darwin" else 1e3)


def measured(name: str, root: Path, ratio: float) -> dict[str, Any]:
    """What one of them takes in this process, and how well it tells normal images from others."""
    from sklearn.metrics import roc_auc_score

    train = [decoded(path) for path in sorted(root.glob("train/good/*.png"))]
    paths = sorted(root.glob("test/*/*.png"))
    test = [decoded(path) for path in paths]
    fit, predict = ours() if name == "acbench" else theirs(ratio)
    fit(train[:2])  # loads the model
    started = time.process_time()
    kept = fit(train)
    fitted = time.process_time()
    scores = predict(test)
    done = time.process_time()
    truth = [path.parent.name != "good" for path in paths]
    auroc = float(roc_auc_score(truth, scores))
    return {"auroc": auroc, "fit": fitted - started, "predict": (done - fitted) / len(test), "kept": kept}


def decoded(path: Path) -> Picture:
    """An image at the size of the model."""
    return np.asarray(Image.open(path).convert("RGB").resize((SIZE, SIZE), Image.Resampling.BICUBIC))


def ours() -> tuple[Fit, Predict]:
    """The detector of acbench."""
    from acbench.predictors.detection import patchcore

    model = patch_model()
    banks: list[patchcore.Bank] = []

    def fit(pictures: Sequence[Picture]) -> int:
        banks[:] = [patchcore.fit(model.features(pictures))]
        return len(banks[0].patches)

    def predict(pictures: Sequence[Picture]) -> list[float]:
        return [float(banks[0].heatmap(features).max()) for features in model.features(pictures)]

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

    def predict(pictures: Sequence[Picture]) -> list[float]:
        model.eval()
        with torch.inference_mode():
            return [float(score) for images in batches(pictures) for score in model(images).pred_score.ravel()]

    return fit, predict


if __name__ == "__main__":
    main()
