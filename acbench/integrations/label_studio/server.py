"""A Label Studio of one's own: started on loopback, with its data in the project, showing nothing but our pictures."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import socket
import sqlite3
import subprocess
import time
from collections.abc import Mapping
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx

from acbench._util.processes import is_running
from acbench.errors import AnnotationToolError
from acbench.storage.atomic import write_bytes

PROGRAM = "label-studio"
RELEASE = "1.23.2"
"""The one that acbench is tested with."""
INSTALL = (
    f"python3 -m venv ~/label-studio && ~/label-studio/bin/pip install label-studio=={RELEASE} setuptools"
    ' && export PATH="$PATH:$HOME/label-studio/bin"'
)
USER = "acbench@localhost"
HOST = "127.0.0.1"
START = 600.0
"""Seconds that a start may take; the first one makes a database."""

_PASSED_ON = ("PATH", "LANG", "LC_ALL", "TMPDIR", "SYSTEMROOT", "OPENBLAS_CORETYPE")
"""What the server is told of our environment: no key of anybody."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A server at work."""

    url: str
    pid: int
    key: str
    """A legacy API token of its first user."""
    password: str | None
    """Of its first user, if this start chose it."""


def running(folder: Path) -> tuple[str, str] | None:
    """Address and key of the server of that desk, if one is at work."""
    found = _known(folder)
    key = _key(folder)
    return None if found is None or key is None else (found[0], key)


def start(folder: Path, pictures: Path, *, port: int, password: str | None) -> tuple[Server, subprocess.Popen[bytes]]:
    """Start a server and wait until it answers.

    `folder` holds its database and log; `pictures` is all that it shows of this machine's files. `password` is that of
    the first user of a new desk; one is made up if there is none.
    """
    program = shutil.which(PROGRAM)
    if program is None:
        raise AnnotationToolError("Label Studio is not installed", INSTALL)
    if found := _known(folder):
        raise AnnotationToolError(
            f"the desk of this project is up already: {found[0]} (process {found[1]})", "use it, or end it"
        )
    _check_free(port)
    data, home = folder / "label-studio", folder / "home"
    for each in (data, home, pictures):
        each.mkdir(parents=True, exist_ok=True)
    key = _key(folder)
    fresh = key is None
    chosen = (password or secrets.token_urlsafe(9)) if fresh else None
    key = key or secrets.token_hex(20)
    command = [program, "start", "--no-browser", "--data-dir", str(data), "--port", str(port), "--internal-host", HOST,
               "--enable-legacy-api-token"]  # fmt: skip
    with (folder / "label-studio.log").open("ab") as log:
        process = subprocess.Popen(  # noqa: S603
            command,
            env=_environment(home, pictures, user=(chosen, key) if chosen else None),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C is ours to pass on
        )
    url = f"http://{HOST}:{port}"
    try:
        _wait(url, process, folder / "label-studio.log")
        write_bytes(_place(folder), json.dumps({"url": url, "pid": process.pid}).encode())
        return Server(url=url, pid=process.pid, key=_key(folder) or key, password=chosen), process
    except BaseException:
        stop(process, folder)
        raise


def stop(process: subprocess.Popen[bytes], folder: Path) -> None:
    """End a server."""
    process.terminate()
    try:
        process.wait(timeout=10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    _place(folder).unlink(missing_ok=True)


def _environment(home: Path, pictures: Path, *, user: tuple[str, str] | None) -> dict[str, str]:
    """`user`: password and key of the user to be made."""
    ours: Mapping[str, str] = os.environ
    settings = {name: ours[name] for name in _PASSED_ON if name in ours} | {
        "HOME": str(home),
        "COLLECT_ANALYTICS": "false",
        "LATEST_VERSION_CHECK": "false",
        "SENTRY_DSN": "",
        "FRONTEND_SENTRY_DSN": "",
        "LABEL_STUDIO_LOCAL_FILES_SERVING_ENABLED": "true",
        "LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT": str(pictures),
    }
    if user is None:
        return settings
    names = ("LABEL_STUDIO_USERNAME", "LABEL_STUDIO_PASSWORD", "LABEL_STUDIO_USER_TOKEN")
    return settings | dict(zip(names, (USER, *user), strict=True))


def _check_free(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            raise AnnotationToolError(f"port {port} is in use", "give another: acbench review serve --port N") from None


def _wait(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + START
    while time.monotonic() < until:
        if process.poll() is not None:
            raise AnnotationToolError(f"Label Studio ended at once ({process.returncode})", f"see why: tail {log}")
        with suppress(httpx.TransportError):
            if httpx.get(f"{url}/api/version", timeout=5, trust_env=False).status_code == 200:
                return
        time.sleep(0.2)
    raise AnnotationToolError(f"Label Studio did not come up in {START:.0f} s", f"see why: tail {log}")


def _place(folder: Path) -> Path:
    return folder / "server.json"


def _known(folder: Path) -> tuple[str, int] | None:
    """Address and process of the server that was started last, if it is alive."""
    try:
        found = json.loads(_place(folder).read_bytes())
        url, pid = str(found["url"]), int(found["pid"])
        return (
            (url, pid)
            if is_running(pid) and httpx.get(f"{url}/api/version", timeout=5, trust_env=False).status_code == 200
            else None
        )
    except (OSError, ValueError, TypeError, KeyError, httpx.TransportError):
        return None


def _key(folder: Path) -> str | None:
    """The first user's token, as the server's own database has it; None before there is one."""
    path = folder / "label-studio" / "label_studio.sqlite3"
    if not path.exists():
        return None
    question = "SELECT t.key FROM authtoken_token t JOIN htx_user u ON u.id = t.user_id WHERE u.email = ?"
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=10)) as database:
            row = database.execute(question, (USER,)).fetchone()
    except sqlite3.DatabaseError:
        return None
    return None if row is None else str(row[0])
