"""A connection to a server that is no Label Studio, or that does not answer."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler

import pytest

from acbench._util.backoff import Backoff
from acbench.errors import AnnotationToolError, LostConnection
from acbench.integrations.label_studio import http
from acbench.integrations.label_studio.failures import Refusal
from acbench.integrations.label_studio.http import Connection
from tests.support.proxy import serving

PERSONAL = "key-a.key-b.key-c"
"""Looks like a personal access token, which is to be exchanged for another first."""
LEGACY = "0123456789abcdef"


@pytest.fixture(params=[b"[]", b"{}", b'{"access": 7}', b'{"access": null}'])
def url(request: pytest.FixtureRequest) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(request.param)

        def log_message(self, *_: object) -> None: ...

    with serving(Handler) as url:
        yield url


class Unreliable(BaseHTTPRequestHandler):
    """Gives no answer to the first requests, then refuses all others and repeats the key that it was given."""

    silent = 0
    asked = 0

    def answer(self) -> None:
        type(self).asked += 1
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.asked > self.silent:
            self.send_response(400)
            self.end_headers()
            self.wfile.write(f'{{"detail": "not with {self.headers["Authorization"]}"}}'.encode())

    do_GET = do_POST = answer

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def unreliable(monkeypatch: pytest.MonkeyPatch) -> Iterator[Connection]:
    monkeypatch.setattr(http, "BACKOFF", Backoff(first=0.01))
    monkeypatch.setattr(Unreliable, "asked", 0)
    monkeypatch.setattr(Unreliable, "silent", 2)
    with serving(Unreliable) as url, Connection(url, LEGACY) as connection:
        yield connection


def test_without_an_access_token_it_is_said_and_nothing_is_invented(url: str) -> None:
    with Connection(url, PERSONAL) as connection:
        with pytest.raises(AnnotationToolError, match="gives no access token") as refused:
            connection.get("/api/projects/")
        assert PERSONAL not in str(refused.value)


def test_only_a_request_without_side_effects_is_sent_again(unreliable: Connection) -> None:
    with pytest.raises(LostConnection):
        unreliable.sdk.projects.create(title="once")
    assert Unreliable.asked == 1
    with pytest.raises(Refusal, match="ended with 400"):
        unreliable.sdk.projects.get(1)
    assert Unreliable.asked == 3


def test_no_refusal_repeats_the_key(unreliable: Connection) -> None:
    with pytest.raises(Refusal) as refused:
        unreliable.sdk.users.whoami()
    said = "".join(traceback.format_exception(refused.value))
    assert "not with Token …" in said and LEGACY not in said


class Waking(BaseHTTPRequestHandler):
    """Gives no answer first, then that of a proxy whose server is not up, and then its page."""

    asked = 0

    def do_GET(self) -> None:
        type(self).asked += 1
        if self.asked > 1:
            self.send_response(502 if self.asked == 2 else 200)
            self.end_headers()
            self.wfile.write(b"<html>" if self.asked == 2 else b'<form action="/ls/user/login/?next=/">')

    def log_message(self, *_: object) -> None: ...


def test_the_path_of_a_server_is_not_guessed_from_an_answer_that_is_not_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(http, "BACKOFF", Backoff(first=0.01))
    with serving(Waking) as url, Connection(url, LEGACY) as connection:
        assert connection.prefix == "/ls"
    assert Waking.asked == 3
