"""A server that is no Label Studio, though it answers."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from acbench.errors import AnnotationToolError
from acbench.integrations.label_studio.http import Http

PERSONAL = "key-a.key-b.key-c"
"""Looks like a personal access token, which is to be exchanged for another first."""


@pytest.fixture(params=[b"[]", b"{}", b'{"access": 7}', b'{"access": null}'])
def url(request: pytest.FixtureRequest) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(request.param)

        def log_message(self, *_: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_without_an_access_token_it_is_said_and_nothing_is_invented(url: str) -> None:
    door = Http(url, PERSONAL)
    with pytest.raises(AnnotationToolError, match="gives no access token") as refused:
        door.get("/api/projects/")
    assert PERSONAL not in str(refused.value)
    door.close()
