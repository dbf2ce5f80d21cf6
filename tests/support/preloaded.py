"""Imports what commands import while they work, once for all that are forked off: see `tests.support.dying`."""

from __future__ import annotations

import importlib

MODULES = (
    *("numpy", "PIL.Image", "pyarrow.dataset", "pyarrow.parquet", "scipy.ndimage", "scipy.stats", "pandas"),
    *("acbench.cli.relabel", "acbench.cli.review", "acbench.workflows.relabel", "acbench.data.sample.render"),
    *("acbench.data.evidence", "acbench.evaluation", "acbench.review.queue_pictures"),
    *("acbench.predictors.proposers.source_label",),
)

for each in MODULES:
    importlib.import_module(each)
