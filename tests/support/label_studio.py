"""A real Label Studio for tests: its database is made once a session and copied for whoever wants a server."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from acbench.integrations.label_studio import server as servers
from acbench.integrations.label_studio.tool import LabelStudio
from acbench.review.annotation_tool import ProjectSpec, ResultPart, Task
from acbench.schema.form import label_studio_form
from acbench.schema.guide import instructions
from tests.support.ports import free_port
from tests.support.records import BOTTLE

PASSWORD = "a-password-for-tests"
ADA = "ada@example.org"
"""Who decides, unless a test says otherwise."""


@dataclass
class RealDesk:
    """A server at work, which can be killed and started again."""

    folder: Path
    """As `.acbench/desk` of a project."""
    port: int
    server: servers.Server
    process: subprocess.Popen[bytes]
    doors: list[LabelStudio] = field(default_factory=list)

    @property
    def url(self) -> str:
        return self.server.url

    @property
    def key(self) -> str:
        return self.server.key

    @property
    def pictures(self) -> Path:
        return self.folder / "pictures"

    def client(self) -> httpx.Client:
        """As the server's own account, without acbench."""
        return httpx.Client(base_url=self.url, headers={"Authorization": f"Token {self.key}"}, timeout=120)

    def desk(self, url: str | None = None, *, key: str | None = None, served: bool = True) -> LabelStudio:
        """The door, straight or through a proxy, with another key, or as to a server that cannot see our disk."""
        folder = self.pictures if served else None
        self.doors.append(LabelStudio(url or self.url, key or self.key, served=folder))
        return self.doors[-1]

    def close(self) -> None:
        """Close the doors."""
        for each in self.doors:
            each.close()

    def kill(self) -> None:
        """SIGKILL."""
        self.process.kill()
        self.process.wait()

    def restart(self) -> None:
        """Start again what was killed, on the same data and port."""
        self.server, self.process = servers.start(self.folder, self.pictures, port=self.port)


def require_label_studio() -> None:
    """Skip the test where the program is missing."""
    if shutil.which(servers.PROGRAM) is None:
        pytest.skip(f"no label-studio on the PATH: {servers.INSTALL}")


def first_start(folder: Path) -> Path:
    """Make the database of a Label Studio in a new folder, which takes a while; gives the folder, to be copied."""
    require_label_studio()
    folder.mkdir()
    server, process = servers.start(folder, folder / "pictures", port=free_port(), password=PASSWORD)
    tool = LabelStudio(server.url, server.key, served=None)
    tool.people.add(ADA, PASSWORD)
    tool.close()
    servers.stop(process, folder)
    return folder


@contextmanager
def desk_at(new_desk: Path, folder: Path, *, public: str = "") -> Iterator[RealDesk]:
    """A server of its own, on a copy of the new desk at `folder`. `public`: the address of a proxy before it."""
    shutil.copytree(new_desk, folder)
    port = free_port()
    server, process = servers.start(folder, folder / "pictures", port=port, public=public)
    found = RealDesk(folder, port, server, process)
    try:
        yield found
    finally:
        found.close()
        servers.stop(found.process, folder)


def wanted(name: str, **more: Any) -> ProjectSpec:
    """A project for bottles."""
    values = {"title": f"Test: {name}", "form": label_studio_form(BOTTLE), "instructions": instructions(BOTTLE)}
    return ProjectSpec(benchmark="test", category=name, **values | more)


def tasks(count: int, turn: int = 1) -> list[Task]:
    """Tasks for bottles; every tenth is blind, the others have a prediction."""
    choice: ResultPart = {
        "from_name": "labels",
        "to_name": "image",
        "type": "choices",
        "value": {"choices": ["contamination"]},
    }
    blank = dict.fromkeys(("image", "contour", "crop", "reference", "proposals"), "")
    return [
        Task(
            item_id=f"item-{number:06}",
            round=turn,
            data={"item_id": f"item-{number:06}", "round": turn, "blind": not number % 10, **blank},
            predictions=[{"model_version": "clip@00000000", "score": 0.5, "result": [choice]}] if number % 10 else [],
        )
        for number in range(count)
    ]


def user_of(client: httpx.Client, address: str) -> int:
    """The number of an account."""
    return next(int(row["id"]) for row in client.get("/api/users/").json() if row["email"] == address)


@contextmanager
def signed_in(desk: RealDesk, address: str = ADA, password: str = PASSWORD) -> Iterator[httpx.Client]:
    """The server as a person's browser sees it."""
    with httpx.Client(base_url=desk.url, timeout=120) as browser:
        page = browser.get("/user/login").text
        (token,) = re.findall(r'name="csrfmiddlewaretoken" value="(\w+)"', page)[:1]
        form = {"csrfmiddlewaretoken": token, "email": address, "password": password}
        answer = browser.post("/user/login/", data=form, headers={"Referer": desk.url})
        assert answer.status_code == 302, f"{address} cannot sign in"
        browser.headers["X-CSRFToken"] = browser.cookies["csrftoken"]
        yield browser


def annotate(client: httpx.Client, task: int, *choices: str, by: str | None = ADA, **more: Any) -> dict[str, Any]:
    """A decision through the API, as the form would send it. `by`: the address of who decides; None for the client."""
    result = [{"from_name": "labels", "to_name": "image", "type": "choices", "value": {"choices": list(choices)}}]
    person = {"completed_by": user_of(client, by)} if by else {}
    content = {"result": result if choices else [], "lead_time": 7.25, **person, **more}
    answer = client.post(f"/api/tasks/{task}/annotations/", json=content)
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found
