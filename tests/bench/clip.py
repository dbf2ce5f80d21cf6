"""What `clip` costs beside the bare model, in about four minutes on two cores.

    python -m tests.bench.clip

Real images are used where ACBENCH_MVTEC_AD_ROOT names a folder with MVTec-AD or a part of it, else the sample. The
models have their real sizes and random weights, loaded beforehand from a file; files are read once before, so that the
disk plays no part. Each round measures ours, the bare loop and a cached run in turn, and figures are medians of rounds.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from acbench import schema
from acbench.data import sources
from acbench.data.ingest import ingest
from acbench.data.sample import render as sample
from acbench.integrations.torch.open_clip import BATCH, CPU_BATCH, OpenClipModel, open_clip_model
from acbench.integrations.torch.runtime import import_torch
from acbench.predictors.base import Setup
from acbench.predictors.proposers import clip
from acbench.records import Item
from tests.bench.commands import Row, seconds, table
from tests.bench.flips import Vectors

TAKES = 3
MODELS = {"ViT-B-32": 63, "ViT-L-14": 16}
"""Model → images. On a CPU the small one takes hardly longer than reading and cutting, which need the same cores and
are no part of the bare loop: another row tells what is left to gain. The large one is what labels deserve."""


def main() -> None:
    """Measure and print."""
    print(table([("", "acbench", "reference", "ratio (goal)"), *rows()]))


def rows() -> list[Row]:
    """Each model from files on disk to answers, beside a bare loop over decoded images and beside a run again."""
    with tempfile.TemporaryDirectory() as folder:
        return [row for name, count in MODELS.items() for row in measure(name, count, Path(folder))]


def measure(name: str, count: int, place: Path) -> Iterator[Row]:
    """The rows of one model."""
    model = random_model(name, place / f"{name}.safetensors")
    using, items = images(place, model, count)
    proposer = clip.Clip(using, model)
    # Prompts are read once for a schema, however many images there are: they are known before the clock runs.
    for category in {item.category for item in items}:
        found = using.schema.category(category)
        assert found is not None
        proposer._texts(found)
    proposer._scale()
    words = dict(using.cache.rows)
    bare, crops = bare_loop(model, proposer, items)

    def cold() -> None:
        using.cache.rows = dict(words)
        again()

    def again() -> None:
        list(proposer.propose(items, quiet))

    def draw() -> None:
        list(proposer._drawn([(item, proposer._keys(item)) for item in items]))

    cold(), bare()
    takes = [(seconds(cold), seconds(bare), seconds(again), seconds(draw)) for _ in range(TAKES)]
    ours, reference, cached, drawing = (median(column) for column in zip(*takes, strict=True))
    shown = f"clip {name}, {model.precision} on {model._ready().device}"
    yield (
        f"{shown}: {crops} views of {len(items)} images on disk, against a bare loop over tensors",
        f"{crops / ours:.1f} /s",
        f"{crops / reference:.1f} /s",
        f"{reference / ours:.0%} (90 %)",
    )
    if model.on_cpu:
        yield (
            f"{shown}: the same, against that loop and after it reading and cutting alone",
            f"{ours:.2f} s",
            f"{reference:.2f} + {drawing:.2f} s",
            f"{(reference + drawing) / ours:.0%}",
        )
    yield f"{shown}: again, against the first run", f"{cached:.3f} s", f"{ours:.1f} s", f"{cached / ours:.2%} (2 %)"


def random_model(name: str, file: Path) -> OpenClipModel:
    """A model of the real size, loaded the way real weights are."""
    torch = import_torch()
    import open_clip
    from safetensors.torch import save_file

    torch.manual_seed(0)
    state = open_clip.create_model(name).state_dict()
    save_file({key: value.to(torch.bfloat16).contiguous() for key, value in state.items()}, file)
    model = open_clip_model(name, str(file), note=lambda text: None)
    model.ready()
    return model


def images(place: Path, model: OpenClipModel, count: int) -> tuple[Any, list[Item]]:
    """What to ask about, and what the proposer is built on."""
    named = os.environ.get("ACBENCH_MVTEC_AD_ROOT")
    root = Path(named) if named else sample.render(place / "sample")
    source, labels = ("mvtec_ad", "mvtec_ac") if named else ("sample", "sample")
    categories = ["bottle"] if named else None
    found = ingest(sources.get(source), root, categories=categories)
    items = [item for item in found.items if item.anomalous and item.mask][:count]
    nothing: Any = None
    cache = Vectors()
    return Setup(schema=schema.load(labels), root=found.root, embedder=nothing, cache=cache), items


def bare_loop(model: OpenClipModel, proposer: clip.Clip, items: Sequence[Item]) -> tuple[Callable[[], None], int]:
    """The same model over the same views, decoded and normalised before; and how many there are."""
    torch = import_torch()
    loaded = model._ready()
    batch = CPU_BATCH if loaded.device == "cpu" else BATCH
    crops: list[Any] = []
    for item in items:
        drawn = proposer._draw(item, proposer._keys(item), model.size)
        assert not isinstance(drawn, str), drawn
        crops += drawn.values()
    pixels = torch.from_numpy(np.stack(crops)).to(loaded.device).permute(0, 3, 1, 2).float() / 255
    ready = (pixels - loaded.mean) / loaded.std
    ready = ready.bfloat16() if model.precision == "bf16" else ready

    def run() -> None:
        with torch.inference_mode():
            for start in range(0, len(ready), batch):
                loaded.net.encode_image(ready[start : start + batch], normalize=True).float().cpu()

    return run, len(crops)


def quiet(done: int, total: int) -> None:
    """Nobody watches."""


if __name__ == "__main__":
    main()
