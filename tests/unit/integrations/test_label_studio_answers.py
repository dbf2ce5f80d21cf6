"""What stands at the address of a Label Studio and answers oddly: each is told for what it is."""

from __future__ import annotations

import json
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest

from acbench._util.backoff import Backoff
from acbench.errors import AnnotationToolError, LostConnection
from acbench.integrations.label_studio import http
from acbench.integrations.label_studio.tool import LabelStudio
from acbench.review.annotation_tool import ProjectSpec, Task
from tests.support.proxy import serving

MARK = "acbench finds it by this line: [acbench toy/cup form 00000000]"
PROJECT = {
    "id": 1,
    "title": "cup",
    "description": MARK,
    "label_config": "<View/>",
    "created_at": "2026-01-01T00:00:00Z",
}
TASK = {"id": 5, "data": {"item_id": "a", "round": 1}, "total_annotations": 0, "drafts": []}
EXPORTED = {"id": 5, "data": {}, "annotations": [{"id": 9, "completed_by": 3, "result": [], "lead_time": 1.5}]}
GOOD: dict[str, Any] = {
    "/api/version": {"release": "1.23.2"},
    "/api/current-user/whoami": {"id": 3, "email": "ada@example.org"},
    "/api/users": [{"id": 3, "email": "ada@example.org"}],
    "/api/projects": {"results": [PROJECT], "next": None},
    "/api/tasks": {"tasks": [TASK], "total": 1},
    "/api/projects/1/export": [EXPORTED],
    "/api/storages/localfiles": [{"path": "/shown/a"}],
    "/api/projects/1/import": {"task_count": 1},
}
"""Path → what a Label Studio answers."""
HOSTILE: list[tuple[str, Any]] = [
    ("/api/version", []),
    ("/api/version", {}),
    ("/api/version", {"release": 7}),
    ("/api/version", b""),
    ("/api/version", b'{"release": "1.23.2"'),
    ("/api/version", b"\xff\xfe"),
    ("/api/version", b"<!DOCTYPE html><title>Sign in</title>"),
    ("/api/version", b"[" * 100_000),
    ("/api/version", {"release": "9" * 5000 + ".1"}),
    ("/api/current-user/whoami", []),
    ("/api/current-user/whoami", {"id": "3"}),
    ("/api/current-user/whoami", b"null"),
    ("/api/users", {}),
    ("/api/users", [None]),
    ("/api/users", [{"id": "x"}]),
    ("/api/users", [{"id": 3, "email": 7}]),
    ("/api/projects", []),
    ("/api/projects", {"results": None}),
    ("/api/projects", {"results": [[]]}),
    ("/api/projects", {"results": [{"id": 10**400}]}),
    ("/api/projects", {"results": [PROJECT | {"created_at": 7}]}),
    ("/api/projects", {"results": [PROJECT | {"created_at": "yesterday"}]}),
    ("/api/projects", {"results": [PROJECT | {"label_config": []}]}),
    ("/api/projects", {"results": [PROJECT | {"maximum_annotations": "two"}]}),
    ("/api/tasks", {"tasks": None, "total": 1}),
    ("/api/tasks", {"tasks": [{"id": 5, "data": "text"}], "total": 1}),
    ("/api/tasks", {"tasks": [TASK | {"total_annotations": -1}], "total": 1}),
    ("/api/tasks", {"tasks": [TASK | {"drafts": 3}], "total": 1}),
    ("/api/projects/1/export", {}),
    ("/api/projects/1/export", [[]]),
    ("/api/projects/1/export", [EXPORTED | {"id": None}]),
    ("/api/projects/1/export", [EXPORTED | {"annotations": [7]}]),
    ("/api/projects/1/export", [EXPORTED | {"annotations": [{"id": 9, "completed_by": []}]}]),
    ("/api/projects/1/export", b'[{"id": 5, "data": {"note": "\\ud800"}}]'),
    ("/api/projects/1/export", b'[{"id": 5, "data": {"x": NaN}}]'),
    ("/api/storages/localfiles", {"path": "/x"}),
    ("/api/projects/1/import", b""),
    ("/api/projects/1/import", {"task_count": "many"}),
]


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "BACKOFF", Backoff(first=0.001))


def label_studio(
    status: int = 200, headers: dict[str, str] | None = None, tls: ssl.SSLContext | None = None, **changed: Any
) -> Iterator[str]:
    """The address of what answers like a Label Studio, but for some paths; any other status is of all answers."""
    answers = GOOD | changed

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            answer = answers.get(self.path.partition("?")[0].rstrip("/"), {})
            body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
            self.send_response(status)
            for name, value in (headers or {}).items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_GET

        def log_message(self, *_: object) -> None: ...

    with serving(Handler, tls) as url:
        yield url


def use(url: str) -> None:
    """Everything that a push and a pull ask of a server."""
    tool = LabelStudio(url, "0123456789abcdef", served=Path("/shown"))
    try:
        project = tool.find("toy/cup")
        assert project is not None
        tool.later("toy/cup")
        tool.existing_tasks(project)
        tool.annotated_tasks(project)
        tool.pictures(project, [Path("/shown/a/x.jpg")])
        tool.send(project, [Task(item_id="a", round=1, data={})])
    finally:
        tool.close()


def test_what_a_label_studio_answers_is_taken() -> None:
    for url in label_studio():
        use(url)


@pytest.mark.parametrize(("path", "answer"), HOSTILE, ids=[f"{path} {str(answer)[:30]}" for path, answer in HOSTILE])
def test_a_hostile_answer_is_told_and_no_fault_of_ours(path: str, answer: Any) -> None:
    for url in label_studio(**{path: answer}):
        with pytest.raises(AnnotationToolError) as caught:
            use(url)
        assert caught.value.hint and len(caught.value.message) < 600


def test_pages_without_an_end_end() -> None:
    endless = {"results": [PROJECT], "next": "page 2"}
    for url in label_studio(**{"/api/projects": endless, "/api/tasks": {"tasks": [TASK], "total": 10}}):
        use(url)


@pytest.mark.parametrize(
    ("status", "headers", "body", "message", "hint"),
    [
        (
            301,
            {"Location": "https://host/api/version"},
            b"",
            "sends us to https://host",
            "LABEL_STUDIO_URL=https://host",
        ),
        (302, {"Location": "/user/login?next=/"}, b"", "sends us to a sign-in page (302)", "let them through"),
        (302, {}, b"", "does not say where", "LABEL_STUDIO_URL"),
        (302, {"Location": "http://[::1"}, b"", "did not answer (RemoteProtocolError)", "server is up"),
        (413, {}, b"<html>", "are too much for what stands before the server", "client_max_body_size"),
        (429, {"Retry-After": "3600"}, b"", "takes no more requests for now", "wait 3600 s"),
        (429, {"Retry-After": "0"}, b"", "takes no more requests for now", "wait a while"),
        (429, {"Retry-After": "soon"}, b"", "takes no more requests for now", "wait a while"),
        (500, {}, b'{"detail": "database or disk is full"}', "the disk of the server", "make space where it runs"),
        (507, {}, b"", "the disk of the server", "make space"),
        (503, {}, b"", "is not ready (503)", "wait"),
    ],
)
def test_each_refusal_says_the_true_reason_and_the_next_step(
    status: int, headers: dict[str, str], body: bytes, message: str, hint: str
) -> None:
    for url in label_studio(status, headers, **{"/api/version": body}):
        with pytest.raises(AnnotationToolError) as caught:
            use(url)
        assert message in caught.value.message and hint in caught.value.hint


def test_what_is_put_off_is_asked_again() -> None:
    asked: list[str] = []

    class Busy(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked.append(self.path)
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(429 if len(asked) == 1 else 201)
            self.send_header("Retry-After", "0")
            self.end_headers()
            self.wfile.write(json.dumps(PROJECT).encode())

        def log_message(self, *_: object) -> None: ...

    with serving(Busy) as url, http.Connection(url, "0123456789abcdef") as connection:
        connection.sdk.projects.create(title="cup")
    assert len(asked) == 2, "also what has side effects: nothing was done"


def test_http_where_https_is_spoken() -> None:
    for url in label_studio():
        with pytest.raises(LostConnection, match="does not speak https"):
            use(url.replace("http:", "https:"))


def test_a_project_is_not_made_of_what_is_none() -> None:
    spec = ProjectSpec(benchmark="toy", category="jug", title="jug", form="<View/>", instructions="")
    for url in label_studio():
        tool = LabelStudio(url, "0123456789abcdef", served=None)
        with pytest.raises(AnnotationToolError):
            tool.open(spec)
        tool.close()


def test_a_certificate_of_ones_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not trusted until it is named; that is said, and then it works."""
    certificate = self_signed(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    for url in label_studio(tls=context):
        with pytest.raises(LostConnection, match="is not trusted: self-signed certificate") as caught:
            use(url)
        assert "SSL_CERT_FILE" in caught.value.hint
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        use(url)
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "none.pem"))
        with pytest.raises(AnnotationToolError, match="SSL_CERT_FILE"):
            use(url)


def self_signed(folder: Path) -> Path:
    """A certificate of 127.0.0.1 with its key, in one file."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "labels")])
    now = datetime.now(UTC)
    address = x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))])
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(now - timedelta(1)).not_valid_after(now + timedelta(1))
    made = builder.add_extension(address, critical=False).sign(key, hashes.SHA256())
    encoding = serialization.Encoding.PEM
    secret = key.private_bytes(encoding, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path = folder / "labels.pem"
    path.write_bytes(secret + made.public_bytes(encoding))
    return path
