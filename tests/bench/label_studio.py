"""What safe pushing and pulling cost beside the bare bulk calls, on a real Label Studio.

    python -m tests.bench.label_studio [--tasks 10000]

The reference of a push is one import request with the same payload into a new project; that of a pull is one export
request of the same project. Ours and theirs are taken in turns, each on a project of its own, and the medians are
compared. It takes about ten minutes.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from functools import partial
from pathlib import Path

import httpx

from acbench.integrations.label_studio import server as servers
from acbench.integrations.label_studio.tool import LabelStudio
from acbench.integrations.label_studio.validation import prediction_check
from acbench.records import Item, Proposal
from acbench.review.annotation_tool import Task, ToolProject
from acbench.review.history import ReviewLog
from acbench.review.pull import pull
from acbench.review.push import BatchNote, push
from acbench.review.queue import RankedItem
from acbench.review.tasks import DueTask, TaskContent, refuse_unfit
from acbench.schema import people
from acbench.schema.form import label_studio_form
from tests.bench.timing import Figure, figure, report, seconds
from tests.support.label_studio import wanted
from tests.support.ports import free_port
from tests.support.records import BOTTLE, MVTEC_AC
from tests.support.records import item as bottle

MINUTES = 12
TAKES = 3
PICTURES = {
    name: f"/data/local-files/?d=mvtec_ac/bottle/x.{name}.jpg" for name in ("image", "contour", "crop", "reference")
}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", type=int, default=10_000)
    report(figures(parser.parse_args().tasks))


def lacks() -> str:
    """What is missing."""
    return "" if shutil.which("label-studio") else "label-studio on the PATH"


def figures(count: int = 10_000) -> list[Figure]:
    """Of so many tasks, on a server of its own."""
    items = [
        bottle(number, image=f"bottle/test/contamination/{number:05}.png", width=900, height=900)
        for number in range(count)
    ]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        server, process = servers.start(folder, folder / "pictures", port=free_port(), password=None)
        tool = LabelStudio(server.url, server.key, served=folder / "pictures")
        try:
            with httpx.Client(
                base_url=server.url, headers={"Authorization": f"Token {server.key}"}, timeout=600
            ) as bare:
                return measured(tool, bare, items, folder)
        finally:
            tool.close()
            servers.stop(process, folder)


def measured(tool: LabelStudio, client: httpx.Client, items: list[Item], folder: Path) -> list[Figure]:
    """The rows of both comparisons."""
    pushes, pulls = [], []
    bare = [task.payload() for task in questions(items)]
    size = len(json.dumps(bare)) / 1e6
    by_id = {item.item_id: item for item in items}
    note = BatchNote(folder / "note.json")

    def push_all(project: ToolProject) -> None:
        push(tool, project, questions(items), note)  # with making the tasks and judging every prediction

    def pull_all(project: ToolProject) -> None:
        pull(project, tool.annotated_tasks(project), ReviewLog(by_id, MVTEC_AC, []))

    def bare_import(project: ToolProject) -> None:
        client.post(f"/api/projects/{project.number}/import", json=bare).raise_for_status()

    def bare_export(project: ToolProject) -> None:
        what = {"exportType": "JSON", "download_all_tasks": "true"}
        client.get(f"/api/projects/{project.number}/export", params=what).json()

    for take in range(TAKES):
        ours, theirs = tool.open(wanted(f"ours {take}")), tool.open(wanted(f"theirs {take}"))
        pushes.append((seconds(partial(push_all, ours)), seconds(partial(bare_import, theirs))))
        pulls.append((seconds(partial(pull_all, ours)), seconds(partial(bare_export, ours))))
        print(f"take {take + 1}: push {pushes[-1]}, pull {pulls[-1]}", file=sys.stderr)
    return [
        figure(f"push {len(items):,} tasks with predictions ({size:.0f} MB), against one import", pushes, goal=1.3),
        figure(f"pull {len(items):,} tasks, against one export", pulls, goal=1.3),
    ]


def questions(items: list[Item]) -> list[Task]:
    """A task with two predictions for each image."""
    check = prediction_check(label_studio_form(BOTTLE))
    tasks = []
    for number, item in enumerate(items):
        ranked = RankedItem(item_id=item.item_id, rank=1, why="disputed", label_issue_score=0.5, detail="")
        content = TaskContent(
            due=DueTask(ranked, 1),
            item=item,
            proposals=proposals(item, number),
            pictures=PICTURES,
            blind=False,
            schema_version=MVTEC_AC.version,
            names=people.names(BOTTLE),
        )
        tasks.append(content.task())
        refuse_unfit(tasks[-1], item.image, check)
    return tasks


def proposals(item: Item, number: int) -> list[Proposal]:
    """Two answers for an image, of different classes."""
    first, second = BOTTLE.class_ids[number % 3], BOTTLE.class_ids[(number + 1) % 3]
    share = 0.5 + number % 50 / 100
    return [
        Proposal(
            item_id=item.item_id, proposer="source_label@00000000", labels=(first,), rationale="the dataset says so"
        ),
        Proposal(
            item_id=item.item_id,
            proposer="neighbours@00000000",
            labels=(second,),
            scores={first: 1 - share, second: share},
            rationale=f"its 5 nearest are {number % 5} {second}",
        ),
    ]


if __name__ == "__main__":
    main()
