"""What comes with acbench besides its code: the folders `label_schemas` and `annotations`.

Once installed they are packages of acbench. Python that is started in a checkout takes acbench from there instead, and
then they lie beside it.
"""

from __future__ import annotations

from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path


def bundled(name: str) -> Traversable:
    """One of the folders."""
    try:
        return resources.files(f"acbench.{name}")
    except ModuleNotFoundError:
        return Path(__file__).resolve().parents[1] / name
