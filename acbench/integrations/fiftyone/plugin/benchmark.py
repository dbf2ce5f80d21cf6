"""The panel "Benchmark": where it stands, and a button for each saved view."""

from __future__ import annotations

from typing import Any

import fiftyone.operators as foo
from fiftyone.operators import types

from acbench._util.markdown import escaped
from acbench.integrations.fiftyone.dataset import AppDataset
from acbench.integrations.fiftyone.plugin.decide import FLOWING, PADDED, desk, telling


class Benchmark(foo.Panel):  # type: ignore[misc]
    """Counts what is decided and what is left. Its state: `facts`, `told`."""

    @property
    def config(self) -> Any:
        """How the App lists the panel."""
        return foo.PanelConfig(name="benchmark", label="Benchmark", icon="leaderboard", surfaces="grid")

    @telling
    def on_load(self, ctx: Any) -> None:
        """Count."""
        self.count(ctx)

    @telling
    def count(self, ctx: Any) -> None:
        """Count anew, and bring the queue in the grid up to date."""
        standing = desk().standing()
        ctx.panel.state.told = None
        ctx.panel.state.facts = [list(fact) for fact in standing.facts]
        AppDataset(ctx.dataset).show_places(standing.places)
        ctx.ops.reload_samples()

    def show(self, ctx: Any) -> None:
        """Choose a saved view."""
        ctx.ops.set_view(name=ctx.params["view"])

    def show_all(self, ctx: Any) -> None:
        """Leave the view."""
        ctx.ops.clear_view()

    def render(self, ctx: Any) -> Any:
        """Lay out the panel."""
        panel, state = types.Object(), ctx.panel.state
        if state.told:
            panel.md(f"⚠ {escaped(state.told)}", name="told_text")
        lines = [f"- **{escaped(name)}**: {escaped(value)}" for name, value in state.facts or ()]
        panel.md("\n".join(lines), name="facts_text")
        panel.btn("count", label="Count anew", icon="refresh", on_click=self.count, variant="outlined")
        panel.md("**Views**", name="heading")
        views = panel.grid("views", orientation="2d", gap=1)
        for number, name in enumerate(ctx.dataset.list_saved_views()):
            views.btn(
                f"view_{number}", label=name, on_click=self.show, params={"view": name}, variant="outlined", **FLOWING
            )
        views.btn("all", label="All images", on_click=self.show_all, variant="outlined", **FLOWING)
        return types.Property(panel, view=types.GridView(orientation="vertical", gap=1, **PADDED))
