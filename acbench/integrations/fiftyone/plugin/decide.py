"""The panel "Decide": one image, why it is asked, what its classes are, and a button for each answer."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from functools import cache, wraps
from typing import Any
from urllib.parse import quote

import fiftyone.operators as foo
from fiftyone.operators import types

from acbench._util.markdown import escaped
from acbench.errors import AcbenchError, HintedError, ReviewError
from acbench.integrations.fiftyone.dataset import AppDataset
from acbench.review.app_desk import DOUBLE_CLICK, Decided, DeskAddress, ReviewDesk

VERDICTS = {"unsure": "Unsure", "bad_image": "Bad image", "bad_mask": "Bad mask"}
"""Verdict → its button."""


NOTHING_LEFT = (
    "**No image is in sight.** The queue holds none about which you have not said anything. Open or select an image, or"
    " count anew in Benchmark."
)
PICTURE = "The place in the whole image, a close-up, and a normal image"
PADDED: Mapping[str, Any] = {"componentsProps": {"container": {"sx": {"padding": "8px 12px"}}}}
"""Keeps text off the edge of a panel."""
FLOWING: Mapping[str, Any] = {"componentsProps": {"item": {"sx": {"width": "auto"}}}}
"""Lets buttons stand beside each other, in as many rows as it takes."""


LAST: dict[str, Mapping[str, str]] = {}
"""Dataset → the last decision there. It is kept here, since events of a panel overtake each other and its state."""


@cache
def desk() -> ReviewDesk:
    """The desk of this App. Raises AcbenchError if acbench did not start it."""
    return DeskAddress.left().desk()


def telling(act: Callable[[Any, Any], None]) -> Callable[[Any, Any], None]:
    """Have an event of a panel tell its reviewer what went wrong: in the state `told`, with what to do next."""

    @wraps(act)
    def told(panel: Any, ctx: Any) -> None:
        try:
            if ctx.dataset.name != DeskAddress.left().dataset:
                raise AcbenchError(
                    f"{ctx.dataset.name} is not the dataset that this App was started on", "open that one"
                )
            act(panel, ctx)
        except HintedError as error:
            ctx.panel.state.told = str(error)

    return told


class Decide(foo.Panel):  # type: ignore[misc]
    """Shows an image of the queue, and records what is decided about it at once.

    Its state: `item`, the image in sight, with `sample`, `since` and `card`; `several`,
    the classes that are chosen together, or None; `told`, a line for the reviewer.
    """

    @property
    def config(self) -> Any:
        """How the App lists the panel."""
        return foo.PanelConfig(
            name="decide", label="Decide", icon="fact_check", surfaces="grid modal", allow_multiple=False,
            help_markdown="Keys: 1 to 9 choose a class, u is unsure, b is bad image. A decision is recorded at once.",
        )  # fmt: skip

    # What the App tells

    @telling
    def on_load(self, ctx: Any) -> None:
        """Show the image that is open or selected, or the first of the queue."""
        self._show(ctx, self._in_sight(ctx))

    @telling
    def on_change_current_sample(self, ctx: Any) -> None:
        """Show the image that was opened."""
        if ctx.current_sample and ctx.current_sample != ctx.panel.state.sample:
            self._show(ctx, ctx.current_sample)

    @telling
    def on_change_selected(self, ctx: Any) -> None:
        """Show the image that was selected in the grid, if it is one."""
        if not ctx.current_sample and len(ctx.selected) == 1:
            self._show(ctx, ctx.selected[0])

    # What a person presses

    @telling
    def choose(self, ctx: Any) -> None:
        """A class, or a verdict: it is decided, or one of several."""
        said = str(ctx.params["said"])
        several = ctx.panel.state.several
        if several is not None and said not in VERDICTS:
            others = [one for one in several if one != said]
            ctx.panel.state.several = others if said in several else [*several, said]
            return
        self._decide(ctx, [said])

    def start_several(self, ctx: Any) -> None:
        """From now on class buttons add to a set."""
        ctx.panel.state.several = []

    def stop_several(self, ctx: Any) -> None:
        """From now on a class button decides."""
        ctx.panel.state.several = None

    @telling
    def save_several(self, ctx: Any) -> None:
        """The set of classes is decided."""
        self._decide(ctx, ctx.panel.state.several or [])

    def start_asking(self, ctx: Any) -> None:
        """Show a field for the reason why an image should be seen again.

        It is not there from the start, since FiftyOne puts the cursor into it, and keys would end up there.
        """
        ctx.panel.state.asking = True

    def stop_asking(self, ctx: Any) -> None:
        """Take the field away."""
        ctx.panel.state.asking = False

    @telling
    def recheck(self, ctx: Any) -> None:
        """Ask for another look, with what was typed as the reason."""
        state = ctx.panel.state
        why = str(state.get(f"again.{_field(state)}") or "").strip()
        if not why:
            raise ReviewError("nothing was recorded: say why it should be seen again", "then press Ask")
        self._decide(ctx, ["unsure"], note=why)

    @telling
    def undo(self, ctx: Any) -> None:
        """Take back a decision, and show its image again."""
        item, sample = str(ctx.params["item"]), str(ctx.params["sample"])
        decided = desk().undo(item)
        self._update(ctx, item, decided)
        LAST.pop(ctx.dataset.name, None)
        ctx.panel.state.told = f"Taken back: {ctx.params['image']}"
        self._open(ctx, sample)

    @telling
    def skip(self, ctx: Any) -> None:
        """Show the next image of the queue, without a decision."""
        ctx.panel.state.told = None
        self._open(ctx, self._next(ctx))

    # How it is done

    def _decide(self, ctx: Any, said: Sequence[str], note: str = "") -> None:
        state = ctx.panel.state
        item, sample, card = state.item, state.sample, state.card or {}
        if not item or ctx.params.get("item") != item or (ctx.current_sample and ctx.current_sample != sample):
            state.told = "Nothing was recorded: another image has come into sight meanwhile."
            self._show(ctx, ctx.current_sample or sample)
            return
        seconds = time.time() - float(state.since)
        if seconds < DOUBLE_CLICK:
            return
        where = f"{ctx.dataset.name}/{sample}"
        decided = desk().decide(item, said, where=where, note=note, seconds=round(seconds, 1))
        self._update(ctx, item, decided)
        state.told = None
        LAST[ctx.dataset.name] = {"item": item, "sample": sample, "image": card["image"], "said": decided.said}
        self._open(ctx, self._next(ctx))

    def _update(self, ctx: Any, item: str, decided: Decided) -> None:
        AppDataset(ctx.dataset).show_decision(item, decided.fields)
        ctx.ops.reload_samples()

    def _open(self, ctx: Any, sample: str) -> None:
        """Bring an image into sight: in the modal, if that is open."""
        if ctx.current_sample and sample:
            ctx.ops.open_sample(id=sample)
        self._show(ctx, sample)

    def _in_sight(self, ctx: Any) -> str:
        if ctx.current_sample:
            return str(ctx.current_sample)
        return str(ctx.selected[0]) if len(ctx.selected) == 1 else self._next(ctx)

    def _next(self, ctx: Any) -> str:
        """The sample of the queue after the one in sight, from the front at the end; empty if nothing is left."""
        queue = AppDataset(ctx.dataset).queue()
        own = next((place for place, item, _ in queue if item == ctx.panel.state.item), ctx.panel.state.place or 0)
        ahead = [row for row in queue if row[0] > own] + [row for row in queue if row[0] < own]
        for item in desk().open_items([item for _, item, _ in ahead]):
            return next(sample for _, other, sample in ahead if other == item)
        return ""

    def _show(self, ctx: Any, sample: str) -> None:
        state = ctx.panel.state
        state.several, state.asking, state.turn = None, False, (state.turn or 0) + 1
        state.sample, state.item, state.card, state.picture = sample, None, None, ""
        item, place = AppDataset(ctx.dataset).item_of(sample) if sample else ("", None)
        if not item:
            return
        card = desk().card(item)
        state.since, state.place, state.item, state.card = time.time(), place, card.item_id, asdict(card)
        state.picture = f"/media?filepath={quote(card.picture)}" if card.picture else ""

    def render(self, ctx: Any) -> Any:
        """Lay out the panel: buttons first, which stay where they are, then the picture, then what there is to read."""
        panel, state = types.Object(), ctx.panel.state
        if state.card:
            self._buttons(panel, state)
        else:
            panel.md(NOTHING_LEFT, name="nothing")
        if state.told:
            panel.md(f"⚠ {escaped(state.told)}", name="told_text")
        if last := LAST.get(ctx.dataset.name):
            row = panel.h_stack("before", align_y="center", gap=2)
            row.btn(
                "undo_last",
                label="Undo",
                icon="undo",
                on_click=self.undo,
                variant="outlined",
                params={key: last[key] for key in ("item", "sample", "image")},
            )
            row.md(f"**{escaped(last['said'])}** {escaped(last['image'])}", name="last_text")
        if state.card:
            if state.picture:
                panel.img("picture", width="100%", alt_text=PICTURE, point_on_hover=False)
            panel.md(_head(state.card), name="head")
            panel.md(_classes(state.card), name="definitions")
            panel.md(_more(state.card), name="more")
        return types.Property(panel, view=types.GridView(orientation="vertical", gap=1, **PADDED))

    def _buttons(self, panel: Any, state: Any) -> None:
        card: Mapping[str, Any] = state.card
        several, params = state.several, {"item": card["item_id"]}
        names = {choice["class_id"]: choice["name"] for choice in card["choices"]}
        row = panel.grid("classes", orientation="2d", gap=1)
        for number, choice in enumerate(card["choices"], start=1):
            chosen = choice["class_id"] in (card["own"] if several is None else several)
            row.btn(
                f"class_{number}",
                label=f"{number} {choice['name']}",
                on_click=self.choose,
                params={**params, "said": choice["class_id"]},
                variant="contained" if chosen else "outlined",
                description=choice["definition"],
                **FLOWING,
            )
        more = panel.grid("verdicts", orientation="2d", gap=1)
        for verdict, title in VERDICTS.items():
            more.btn(
                verdict,
                label=title,
                on_click=self.choose,
                params={**params, "said": verdict},
                variant="contained" if verdict in card["own"] else "outlined",
                **FLOWING,
            )
        if several is None:
            more.btn("several", label="Several classes…", on_click=self.start_several, variant="outlined", **FLOWING)
        else:
            more.btn(
                "save",
                label=f"Record {' + '.join(names[one] for one in several) or '…'}",
                on_click=self.save_several,
                params=params,
                disabled=not several,
                variant="contained",
                **FLOWING,
            )
            more.btn("one", label="Only one", on_click=self.stop_several, variant="outlined", **FLOWING)
        more.btn("skip", label="Skip", on_click=self.skip, variant="outlined", **FLOWING)
        if card["own"]:
            taken = {"item": card["item_id"], "sample": state.sample, "image": card["image"]}
            more.btn(
                "take_back", label="Take mine back", on_click=self.undo, params=taken, variant="outlined", **FLOWING
            )
        if not state.asking:
            more.btn("ask", label="See again…", on_click=self.start_asking, variant="outlined", **FLOWING)
            return
        again = panel.h_stack("again", gap=1, align_y="center")
        again.str(_field(state), view=types.TextFieldView(placeholder="Why it should be seen again", space=6))
        again.btn("recheck", label="Ask", on_click=self.recheck, params=params, variant="contained", space=3)
        again.btn("rather_not", label="Cancel", on_click=self.stop_asking, variant="outlined", space=3)


def _field(state: Any) -> str:
    """The name of the text field: another one for each image, so that it is empty at first."""
    return f"why_{state.turn or 0}"


def _head(card: Mapping[str, Any]) -> str:
    """Which image it is, and why it is asked."""
    lines = [f"**{escaped(card['image'])}**", ""]
    if card["problem"]:
        lines += [f"⚠ {escaped(card['problem'])}", ""]
    if card["asked"]:
        detail = str(card["detail"])
        lines += [f"{escaped(card['asked'])} {escaped(detail[:1].upper() + detail[1:])}", ""]
    reason = "" if card["reason"] == card["detail"] else f": {escaped(card['reason'])}"
    return "\n".join([*lines, f"Its label now is {escaped(card['label'])}{reason}"])


def _classes(card: Mapping[str, Any]) -> str:
    """What each class is."""
    lines = [f"**Classes of {escaped(card['category'])}**", ""]
    for number, choice in enumerate(card["choices"], start=1):
        apart = f" *{escaped(choice['not_this'])}*" if choice["not_this"] else ""
        lines.append(f"{number}. **{escaped(choice['name'])}** {escaped(choice['definition'])}{apart}")
    return "\n".join([*lines, *(["", escaped(card["guide"])] if card["guide"] else [])])


def _more(card: Mapping[str, Any]) -> str:
    """Who said what, and what was decided before."""
    said = [f"{one['said']}" + (f" ({one['why']})" if one["why"] else "") for one in card["answers"]]
    lines = ["**Who said what**", "", *(f"- {escaped(line)}" for line in said or ["nobody proposes anything"])]
    if card["decisions"]:
        lines += ["", "**Decided before**", "", *(f"- {escaped(line)}" for line in card["decisions"])]
    return "\n".join(lines)
