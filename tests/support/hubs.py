"""Machines that publish to a loopback hub and read from it, with the real clients in processes of their own."""

from __future__ import annotations

import hashlib
import json
import os
import random
import shutil
import subprocess
from pathlib import Path
from typing import Any

from acbench.records import item_id
from tests.support.commands import Done, acbench, finish, python, start
from tests.support.loopback_hub import TOKEN, LoopbackHub

REPO = "my-org/visa-ac"
COMMIT = "/commit/main"
IMAGE, LABEL = "candle/Data/Images/Anomaly/000.JPG", "damaged-corner-of-packaging"
"""What somebody decides otherwise in the second release."""

READER = """
import hashlib, json, sys
import datasets

repo, config, revision, streaming = json.loads(sys.argv[1])
data = datasets.load_dataset(repo, config, split="test", revision=revision, streaming=streaming)
names = data.features["label"].names
for column in ("image", "mask"):
    if column in data.features:
        data = data.cast_column(column, datasets.Image(decode=False))
sha = lambda cell: cell and hashlib.sha256(cell["bytes"]).hexdigest()
rows = [{"id": row["item_id"], "label": row["label"], "labels": row["labels"], "status": row["status"],
         "image": sha(row.get("image")), "mask": sha(row.get("mask"))} for row in data]
print(json.dumps({"version": datasets.__version__, "names": names, "rows": rows}))
"""

UPLOADER = """
import json, sys
from pathlib import Path
from acbench.integrations.huggingface.hub import Repository
from acbench.errors import AcbenchError
from acbench.release import manifest
from acbench.release.upload import Upload

folder = Path(sys.argv[2])
found = manifest.parse((folder / manifest.NAME).read_bytes())
hub = Repository(sys.argv[1])
base = json.loads(sys.argv[3])
try:
    head = hub.at() if base else None
    base = head.manifest if head else None
    done = Upload(hub=hub, folder=folder, manifest=found, base=base, private=False, note=print).run()
except AcbenchError as error:
    sys.exit(f"Error: {error}")
print("again" if done.already_there else "published")
"""
"""The last step of `acbench publish`, of a release that was built before."""


def copied(project: Path, place: Path) -> Path:
    """A project of its own with the same images at the same place."""
    shutil.copytree(project, place, ignore=shutil.ignore_patterns("images"))
    return place


def machine(hub: LoopbackHub, mode: str = "lfs", token: str = TOKEN) -> dict[str, str]:
    """Variables of one that has never seen a hub."""
    home = Path(os.environ["PYTEST_HOMES"]) / str(random.getrandbits(64))
    env = {"HF_ENDPOINT": hub.url, "HF_HOME": str(home), "HF_HUB_DISABLE_TELEMETRY": "1"}
    env |= {"HF_TOKEN": token} if token else {}
    return env | ({"HF_HUB_DISABLE_XET": "1"} if mode == "lfs" else {})


def online(hub: LoopbackHub, project: Path | None, *arguments: str, mode: str = "lfs", status: int = 0,
           **env: str) -> Done:  # fmt: skip
    """Run a command on such a machine."""
    done = acbench(project, *arguments, status=status, **machine(hub, mode) | env)
    assert TOKEN not in done.said
    return done


def publish(hub: LoopbackHub, project: Path, *more: str, status: int = 0, **env: str) -> Done:
    return online(hub, project, "publish", "visa_ac", "--repo", REPO, *more, status=status, **env)


def uploading(hub: LoopbackHub, project: Path, mode: str = "lfs", **env: str) -> subprocess.Popen[str]:
    """An upload at work."""
    known = json.dumps(REPO in hub.repos)  # what was there when the release was built
    release = project / ".acbench/visa_ac/release"
    return start(None, REPO, release, known, program=("-c", UPLOADER), **machine(hub, mode) | env)


def upload(hub: LoopbackHub, project: Path, mode: str = "lfs", *, status: int = 0, **env: str) -> str:
    """An upload from start to end; gives what it said."""
    said = finish(uploading(hub, project, mode, **env), status, seconds=120).said
    assert TOKEN not in said
    return said


def load(hub: LoopbackHub, config: str | None = None, revision: str | None = None, *, streaming: bool = False,
         mode: str = "lfs", path: str = "") -> dict[str, Any]:  # fmt: skip
    """What `datasets` makes of it, on a machine that has never seen it."""
    env = machine(hub, mode, token="") | ({"PYTHONPATH": path} if path else {})
    found: dict[str, Any] = python(READER, json.dumps([REPO, config, revision, streaming]), **env).facts
    return found


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def files(project: Path) -> dict[str, bytes]:
    """A release that was built."""
    folder = project / ".acbench/visa_ac/release"
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def tree(hub: LoopbackHub) -> dict[str, bytes]:
    """A release that was published."""
    return {path: blob.data for path, blob in hub.repos[REPO].head.files.items() if path != ".gitattributes"}


def assert_whole(hub: LoopbackHub, project: Path) -> None:
    """One commit besides the first, which holds exactly the release, and a tag on it."""
    repo = hub.repos[REPO]
    assert tree(hub) == files(project)
    assert len(repo.commits) == 2
    assert repo.tags == {"v1.0.0": repo.head.oid}


def relabelled(project: Path) -> None:
    """Let somebody decide an image otherwise."""
    queue = project / "decisions.csv"
    queue.write_text(f"item_id,label\n{item_id('visa', 'candle', IMAGE)},{LABEL}\n", encoding="utf-8")
    acbench(project, "review", "take", "visa_ac", queue, "--reviewer", "ada")
