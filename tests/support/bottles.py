"""Real bottles, and few of them: what is done to each takes long."""

from __future__ import annotations

from pathlib import Path


def few_bottles(root: Path, target: Path, *, train: int = 8, test: int = 6) -> Path:
    """A copy of some of the bottles of MVTec-AD, with their masks, in a new folder: every nth of those to train on, and
    of the others."""
    for path in root.glob("bottle/*/*/*.png"):
        if int(path.stem[:3]) % (train if "train" in path.parts else test) == 0:
            copy = target / path.relative_to(root)
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(path.read_bytes())
    return target
