"""What the promises of the review desk cost: pushing and pulling beside the bare bulk calls, on a real Label Studio.

    python -m tests.bench.label_studio [--tasks 10000]

The reference of a push is one import request with the same payload into a new project; that of a pull is one export
request of the same project. Ours and theirs are taken in turns, each on a project of its own, and the medians are
compared. It takes about ten minutes.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path
from statistics import median

import httpx

from acbench import schema
from acbench.integrations.label_studio import server as servers
from acbench.integrations.label_studio.tool import LabelStudio
from acbench.integrations.label_studio.validation import prediction_check
from acbench.records import Item, Proposal, item_id
from acbench.review.annotation_tool import ProjectSpec, Task
from acbench.review.history import ReviewLog
from acbench.review.pull import pull
from acbench.review.push import BatchNote, push
from acbench.review.queue import RankedItem
from acbench.review.tasks import DueTask, TaskContent, refuse_unfit
from acbench.schema.form import label_studio_form
from acbench.schema.guide import instructions
from tests.bench.commands import seconds, table

TAKES = 3
PORT = 18099
SCHEMA = schema.load("mvtec_ac")
BOTTLE = SCHEMA.categories["bottle"]
FORM = label_studio_form(BOTTLE)
PICTURES = {
    name: f"/data/local-files/?d=mvtec_ac/bottle/x.{name}.jpg" for name in ("image", "contour", "crop", "reference")
}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", type=int, default=10_000)
    count = parser.parse_args().tasks
    items = [an_item(number) for number in range(count)]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        server, process = servers.start(folder, folder / "pictures", port=PORT, password=None)
        desk = LabelStudio(server.url, server.key, served=folder / "pictures")
        try:
            with httpx.Client(
                base_url=server.url, headers={"Authorization": f"Token {server.key}"}, timeout=600
            ) as bare:
                rows = measured(desk, bare, items, folder)
        finally:
            desk.close()
            servers.stop(process, folder)
    print(table([("", "acbench", "reference", "ratio (goal)"), *rows]))


def measured(
    desk: LabelStudio, client: httpx.Client, items: list[Item], folder: Path
) -> list[tuple[str, str, str, str]]:
    """Both comparisons."""
    pushes, pulls = [], []
    bare = [each.payload() for each in questions(items)]
    size = len(json.dumps(bare)) / 1e6
    by_id = {item.item_id: item for item in items}
    for take in range(TAKES):
        ours, theirs = desk.open(wanted(f"ours {take}")), desk.open(wanted(f"theirs {take}"))
        note = BatchNote(folder / "note.json")
        place = f"/api/projects/{theirs.number}/import"
        # Ours includes making the tasks and judging every prediction.
        pushes.append(
            (
                seconds(lambda ours=ours, note=note: push(desk, ours, questions(items), note)),
                seconds(lambda place=place: client.post(place, json=bare).raise_for_status()),
            )
        )
        export = f"/api/projects/{ours.number}/export"
        pulls.append(
            (
                seconds(lambda ours=ours: pull(ours, desk.annotated_tasks(ours), ReviewLog(by_id, SCHEMA, []))),
                seconds(
                    lambda export=export: client.get(
                        export, params={"exportType": "JSON", "download_all_tasks": "true"}
                    ).json()
                ),
            )
        )
        print(f"take {take + 1}: push {pushes[-1]}, pull {pulls[-1]}", file=sys.stderr)
    return [
        row(f"push {len(items):,} tasks with predictions ({size:.0f} MB), against one import", pushes),
        row(f"pull {len(items):,} tasks, against one export", pulls),
    ]


def row(what: str, takes: list[tuple[float, float]]) -> tuple[str, str, str, str]:
    ours, theirs = median(one for one, _ in takes), median(other for _, other in takes)
    return what, f"{ours:.1f} s", f"{theirs:.1f} s", f"{ours / theirs:.2f}x (1.3x)"


def wanted(name: str) -> ProjectSpec:
    return ProjectSpec(
        benchmark="bench", category=name, title=f"Bench {name}", form=FORM, instructions=instructions(BOTTLE)
    )


def questions(items: list[Item]) -> list[Task]:
    """A task with two predictions for each image."""
    judge = prediction_check(FORM)
    made = []
    for number, item in enumerate(items):
        ranked = RankedItem(item_id=item.item_id, rank=1, why="disputed", label_issue_score=0.5, detail="")
        content = TaskContent(
            due=DueTask(ranked, 1),
            item=item,
            proposals=proposals(item, number),
            pictures=PICTURES,
            blind=False,
            schema_version=SCHEMA.version,
        )
        made.append(content.task())
        refuse_unfit(made[-1], item.image, judge)
    return made


def proposals(item: Item, number: int) -> list[Proposal]:
    one, other = BOTTLE.class_ids[number % 3], BOTTLE.class_ids[(number + 1) % 3]
    share = 0.5 + number % 50 / 100
    return [
        Proposal(
            item_id=item.item_id, proposer="source_label@00000000", labels=(one,), rationale="the dataset says so"
        ),
        Proposal(
            item_id=item.item_id,
            proposer="neighbours@00000000",
            labels=(other,),
            scores={one: 1 - share, other: share},
            rationale=f"its 5 nearest are {number % 5} {other}",
        ),
    ]


def an_item(number: int) -> Item:
    image = f"bottle/test/contamination/{number:05}.png"
    return Item(
        item_id=item_id("mvtec_ad", "bottle", image), dataset="mvtec_ad", category="bottle", split="test", image=image,
        sha256=f"{number:064x}", width=900, height=900, mode="RGB", mask=None, mask_sha256=None, anomalous=True,
        source_labels=("contamination",), licence="CC-BY-NC-SA-4.0",
    )  # fmt: skip


if __name__ == "__main__":
    main()
