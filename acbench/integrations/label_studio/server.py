"""Runs a Label Studio server for one project: its data lie in the project, and it shows only our pictures."""

from __future__ import annotations

import errno
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
from urllib.parse import urlsplit

import httpx

from acbench._util.processes import is_running
from acbench.errors import AnnotationToolError
from acbench.integrations.label_studio.people import SERVICE_ADDRESS
from acbench.storage.atomic import write_bytes
from acbench.storage.typed_json import any_json

PROGRAM = "label-studio"
RELEASE = "1.23.2"
"""The version that acbench is tested with."""
INSTALL = (
    f"python3 -m venv ~/label-studio && ~/label-studio/bin/pip install label-studio=={RELEASE} setuptools"
    ' && export PATH="$PATH:$HOME/label-studio/bin"'
)
HOST = "127.0.0.1"
START = 600.0
"""Seconds that a start may take; the first one makes a database."""

ANY = ("0.0.0.0", "")  # noqa: S104  (every address of this machine; nothing is bound here)
"""Where a server listens at every address of this machine."""

_LOG = "label-studio.log"
_DATABASE = "label_studio.sqlite3"
_PASSED_ON = ("PATH", "LANG", "LC_ALL", "TMPDIR", "SYSTEMROOT", "OPENBLAS_CORETYPE")
"""The part of our environment that the server gets: it holds nobody's key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A server that was started."""

    url: str
    key: str
    """A legacy API token of its own account, `SERVICE_ADDRESS`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """How to reach a server."""

    url: str
    key: str
    """A legacy API token of its own account."""
    public: str
    """The address at which people find it, if it is another one; or empty."""


def running(folder: Path) -> Access | None:
    """How to reach the server whose data is in `folder`; None if it does not run."""
    server, key = _last_started(folder), _key(folder)
    return None if server is None or key is None else Access(url=server[0], key=key, public=server[2])


def start(
    folder: Path, pictures: Path, *, port: int, host: str = HOST, public: str = "", password: str | None = None
) -> tuple[Server, subprocess.Popen[bytes]]:
    """Start a server and wait until it answers.

    `folder` holds its database and log, which nobody else on this machine can read. The server shows no files of this
    machine but those in `pictures`. `host`: the address that it listens at. `public`: the address under which a proxy
    shows it to people, as in `https://labels.example.org/ls`. `password` is for its own account in a new database; one
    is made up if it is None. Raises AnnotationToolError.
    """
    program = installed()
    if server := _last_started(folder):
        raise AnnotationToolError(
            f"the Label Studio of this project runs already: {server[0]} (process {server[1]})", "use it, or end it"
        )
    _check_free(host, port)
    data, home = folder / "label-studio", folder / "home"
    for path in (data, home, pictures):
        path.mkdir(parents=True, exist_ok=True)
    _hide(folder)
    key = _key(folder)
    chosen = (password or secrets.token_urlsafe(9)) if key is None else None
    key = key or secrets.token_hex(20)
    command = [program, "start", "--no-browser", "--data-dir", str(data), "--port", str(port), "--internal-host", host,
               "--enable-legacy-api-token"]  # fmt: skip
    with os.fdopen(os.open(folder / _LOG, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "ab") as log:
        process = subprocess.Popen(  # noqa: S603
            command,
            env=_environment(home) | _showing(pictures, public) | (_first_user(chosen, key) if chosen else {}),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C reaches us alone, and we end the server
            umask=0o077,
        )
    url = f"http://{HOST if host in ANY else host}:{port}"
    try:
        _wait_until_up(url, process, folder / _LOG)
        state = json.dumps({"url": url, "pid": process.pid, "public": public}).encode()
        write_bytes(_state(folder), state, mode=0o600)
        return Server(url=url, key=_key(folder) or key), process
    except BaseException:
        stop(process, folder)
        raise


def installed() -> str:
    """The program. Raises AnnotationToolError if it is not installed."""
    program = shutil.which(PROGRAM)
    if program is None:
        raise AnnotationToolError("Label Studio is not installed", INSTALL)
    return program


def set_password(folder: Path, address: str, password: str) -> None:
    """Give an account of the server whose data is in `folder` another password. Raises AnnotationToolError."""
    data = folder / "label-studio"
    if not (data / _DATABASE).exists():
        raise AnnotationToolError("this project has no Label Studio of its own", "acbench review serve")
    done = subprocess.run(  # noqa: S603
        [installed(), "reset_password", "--data-dir", str(data), "--username", address],
        env=_environment(folder / "home"),
        input=f"{password}\n",  # and not as an argument, which everybody on this machine could read
        text=True,
        capture_output=True,
        start_new_session=True,  # so that it asks its input and not the screen
        check=False,
    )
    if "Password successfully changed" not in done.stdout:
        said = (done.stdout.strip().splitlines() or done.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise AnnotationToolError(
            f"the password of {address} was not changed: {said[:200]}", "see who has an account: acbench review people"
        )


def wait(process: subprocess.Popen[bytes], folder: Path) -> None:
    """Wait for the end of a server. Raises AnnotationToolError then: it ends by itself only if something is wrong."""
    while process.poll() is None:
        time.sleep(0.2)
    raise AnnotationToolError(f"Label Studio ended ({process.returncode})", f"see why: tail {folder / _LOG}")


def stop(process: subprocess.Popen[bytes], folder: Path) -> None:
    """End a server."""
    process.terminate()
    try:
        process.wait(timeout=10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    _state(folder).unlink(missing_ok=True)


def _environment(home: Path) -> dict[str, str]:
    """The server's environment: nothing of ours that it does not need."""
    ours: Mapping[str, str] = os.environ
    return {name: ours[name] for name in _PASSED_ON if name in ours} | {
        "HOME": str(home),
        "COLLECT_ANALYTICS": "false",
        "LATEST_VERSION_CHECK": "false",
        "SENTRY_DSN": "",
        "FRONTEND_SENTRY_DSN": "",
        "LABEL_STUDIO_DISABLE_SIGNUP_WITHOUT_LINK": "true",  # whoever is in can delete every project
    }


def _showing(pictures: Path, public: str) -> dict[str, str]:
    """What the server shows, and under which address."""
    settings = {
        "LABEL_STUDIO_LOCAL_FILES_SERVING_ENABLED": "true",
        "LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT": str(pictures),
    }
    if public:
        parts = urlsplit(public)
        settings |= {"LABEL_STUDIO_HOST": public, "CSRF_TRUSTED_ORIGINS": f"{parts.scheme}://{parts.netloc}"}
    return settings


def _first_user(password: str, key: str) -> dict[str, str]:
    """The account that the server makes for itself."""
    names = ("LABEL_STUDIO_USERNAME", "LABEL_STUDIO_PASSWORD", "LABEL_STUDIO_USER_TOKEN")
    return dict(zip(names, (SERVICE_ADDRESS, password, key), strict=True))


def _hide(folder: Path) -> None:
    """Keep database, tokens and log from others on this machine, also those that an earlier version wrote."""
    folder.chmod(0o700)
    for path in (folder / _LOG, _state(folder), *(folder / "label-studio").glob(f"{_DATABASE}*")):
        if path.exists():
            path.chmod(0o600)


def _check_free(host: str, port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            if error.errno in {errno.EADDRNOTAVAIL, None} or isinstance(error, socket.gaierror):
                raise AnnotationToolError(f"{host} is no address of this machine", "give one, or 0.0.0.0") from None
            raise AnnotationToolError(f"port {port} is in use", "give another: acbench review serve --port N") from None


def _wait_until_up(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + START
    while time.monotonic() < until:
        if process.poll() is not None:
            raise AnnotationToolError(f"Label Studio ended at once ({process.returncode})", f"see why: tail {log}")
        with suppress(httpx.TransportError):
            if _answers(url):
                return
        time.sleep(0.2)
    raise AnnotationToolError(f"Label Studio did not come up in {START:.0f} s", f"see why: tail {log}")


def _answers(url: str) -> bool:
    return httpx.get(f"{url}/api/version", timeout=5, trust_env=False).status_code == 200


def _state(folder: Path) -> Path:
    """The file that says which server was started last."""
    return folder / "server.json"


def _last_started(folder: Path) -> tuple[str, int, str] | None:
    """Address, process and public address of the server that was started last, if it is alive."""
    try:
        state = any_json(_state(folder).read_bytes())
        url, pid = str(state["url"]), int(state["pid"])
        return (url, pid, str(state.get("public", ""))) if is_running(pid) and _answers(url) else None
    except (OSError, ValueError, TypeError, KeyError, ArithmeticError, httpx.TransportError, httpx.InvalidURL):
        return None  # it has ended, or the file is damaged: whoever needs a server starts one


def _key(folder: Path) -> str | None:
    """The first user's token, as the server's own database has it; None before there is one."""
    path = folder / "label-studio" / _DATABASE
    if not path.exists():
        return None
    query = "SELECT t.key FROM authtoken_token t JOIN htx_user u ON u.id = t.user_id WHERE u.email = ?"
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=10)) as database:
            row = database.execute(query, (SERVICE_ADDRESS,)).fetchone()
    except sqlite3.DatabaseError:
        return None
    return None if row is None else str(row[0])
