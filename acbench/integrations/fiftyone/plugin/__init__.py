"""The plugin of acbench in the FiftyOne App. FiftyOne finds this folder, and calls `register` in its server."""

from __future__ import annotations

from typing import Any


def register(plugin: Any) -> None:
    """Offer the panels to the App. `plugin`: a `fiftyone.plugins.context.PluginContext`."""
    from acbench.integrations.fiftyone.plugin.benchmark import Benchmark
    from acbench.integrations.fiftyone.plugin.decide import Decide

    for panel in (Decide, Benchmark):
        plugin.register(panel)
