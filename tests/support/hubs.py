"""Machines that publish to a loopback hub and read from it, with the real clients in processes of their own."""

from __future__ import annotations

import hashlib
import json
import os
import random
import select
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

from acbench.records import item_id
from tests.support.commands import Done, acbench, environment, finish, python, start
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

FORKS = """
import json, os, sys, traceback
import huggingface_hub, huggingface_hub.file_download
import acbench.integrations.huggingface.hub, acbench.release.upload

for line in sys.stdin:
    arguments = json.loads(line)
    child = os.fork()
    if child == 0:
        file = os.open(sys.argv[2], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        for stream in (1, 2):
            os.dup2(file, stream)
        sys.argv, code = ["-c", *arguments], sys.argv[1]
        try:
            exec(code)
        except BaseException:
            traceback.print_exc()
            sys.stdout.flush()
            os._exit(1)
        sys.stdout.flush()
        os._exit(0)
    print(child, flush=True)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""
"""Runs a program again and again, in forks of a process that has imported what it needs."""


class ForkedUploads:
    """Uploads by LFS from one machine, each in a process of its own, that can be killed. A context manager."""

    def __init__(self, hub: LoopbackHub, output: Path) -> None:
        self._hub, self._output, pipe = hub, output, subprocess.PIPE
        self.moments = 0
        """How many moments the last upload has come to."""
        whole, command = environment(**machine(hub)), [sys.executable, "-c", FORKS, UPLOADER, str(output)]
        self._server = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, env=whole)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._server.communicate(timeout=600)

    def run(self, project: Path, at: int = 0, meanwhile: Callable[[], object] | None = None) -> int:
        """Upload a release, and kill that at a moment of a request, or stop it `meanwhile` something else happens.

        Each request has two moments: before it is carried out, and before its answer is sent. `at`: the nth of all,
        from 1; 0 to let it come to its end. Gives the exit status.
        """
        assert self._server.stdin is not None and self._server.stdout is not None
        self.moments, process = 0, 0
        started, reached = threading.Event(), threading.Event()

        def watch(*moment: str) -> None:
            started.wait(60)  # no request is served before the process is known
            if reached.is_set():
                return  # what happens meanwhile is not counted
            self.moments += 1
            if self.moments == at:
                os.kill(process, signal.SIGSTOP if meanwhile else signal.SIGKILL)
                reached.set()

        arguments = (REPO, str(project / ".acbench/visa_ac/release"), json.dumps(REPO in self._hub.repos))
        self._hub.watch = watch
        self._server.stdin.write(json.dumps(arguments) + "\n")
        self._server.stdin.flush()
        process = int(self._server.stdout.readline())
        started.set()
        try:
            while meanwhile and not reached.wait(0.02):
                if select.select([self._server.stdout], [], [], 0)[0]:
                    break  # it has come to its end
            if meanwhile and reached.is_set():
                self._hub.watch = lambda *_: None
                meanwhile()
                os.kill(process, signal.SIGCONT)
            return int(self._server.stdout.readline())
        finally:
            self._hub.watch = lambda *_: None

    @property
    def said(self) -> str:
        """What the last upload printed."""
        return self._output.read_text(encoding="utf-8")


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
