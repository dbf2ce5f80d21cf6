"""A proxy on loopback that lets requests through and loses answers."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx

DROP, LATE = "drop", "late"
"""What can be done to a request: carry it out and lose the answer; or lose the connection and carry it out later."""
LATER = 1.5
"""Seconds."""


@contextmanager
def answering(body: bytes) -> Iterator[str]:
    """The address of a server that says the same to everybody."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            """Nothing."""

    with serving(Handler) as url:
        yield url


@contextmanager
def serving(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    """The address of a server on loopback while it is at work."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


@contextmanager
def lossy_proxy(url: str, fate: Callable[[str, str], str | None]) -> Iterator[str]:
    """The address of a proxy before `url`. `fate` says of a method and path what is done to it, if anything."""
    client = httpx.Client(base_url=url, timeout=120)
    late: list[threading.Thread] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_any(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            headers = {
                k: v for k, v in self.headers.items() if k.lower() not in {"host", "connection", "content-length"}
            }
            what = fate(self.command, self.path)

            def forward() -> httpx.Response:
                return client.request(self.command, self.path, content=body, headers=headers)

            if what == LATE:
                late.append(threading.Thread(target=lambda: (time.sleep(LATER), forward())))
                late[-1].start()
            if what is not None:
                if what == DROP:
                    forward()
                self.close_connection = True
                self.connection.close()
                return
            answer = forward()
            self.send_response(answer.status_code)
            self.send_header("Content-Type", answer.headers.get("Content-Type", ""))
            self.send_header("Content-Length", str(len(answer.content)))
            self.end_headers()
            self.wfile.write(answer.content)

        do_GET = do_POST = do_PATCH = do_DELETE = handle_any

        def log_message(self, format: str, *args: Any) -> None:
            """Nothing."""

        def finish(self) -> None:
            """The socket may be closed already."""
            if not self.wfile.closed and self.connection.fileno() != -1:
                super().finish()

    with serving(Handler) as address:
        yield address
        for each in late:
            each.join()
    client.close()
