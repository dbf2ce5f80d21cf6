"""acbench turns anomaly-detection datasets into anomaly-classification benchmarks whose labels have reasons."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

__all__ = [
    "AcbenchError",
    "Item",
    "Label",
    "Prediction",
    "Proposal",
    "Review",
    "Schema",
    "Score",
    "Scored",
    "attach_images",
    "compare",
    "load_schema",
    "score",
]

if TYPE_CHECKING:
    from acbench.errors import AcbenchError
    from acbench.evaluation import Scored, compare, score
    from acbench.integrations.huggingface.attach import attach_images
    from acbench.records import Item, Label, Prediction, Proposal, Review, Score
    from acbench.schema import Schema
    from acbench.workflows.releases import load_schema

_MODULES = {
    "AcbenchError": "errors",
    "Schema": "schema.model",
    "Scored": "evaluation",
    "attach_images": "integrations.huggingface.attach",
    "compare": "evaluation",
    "load_schema": "workflows.releases",
    "score": "evaluation",
}
"""The module of each public name that is not in `records`, imported on first use: the command line must be quick."""


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = importlib.import_module(f"{__name__}.{_MODULES.get(name, 'records')}")
    return getattr(module, name)
