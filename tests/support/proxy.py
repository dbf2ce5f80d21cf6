"""A proxy on loopback that lets requests through and loses answers."""

from __future__ import annotations

import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx

CUT, DROP, LATE, BEGUN = "cut", "drop", "late", "begun"
"""What can be done to a request whose connection is lost: let it never arrive; carry it out first; carry it out later;
let the server begin with it."""
LATER = 1.5
"""Seconds until what is late is carried out."""
BEGINNING = 0.05
"""Seconds for the server to begin."""


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
def serving(handler: type[BaseHTTPRequestHandler], tls: ssl.SSLContext | None = None) -> Iterator[str]:
    """The address of a server on loopback while it is at work."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"{'http' if tls is None else 'https'}://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


@contextmanager
def lossy_proxy(
    url: str, fate: Callable[[str, str], str | None], *, after: Callable[[], object] = lambda: None
) -> Iterator[str]:
    """The address of a proxy before `url`. `fate` says of a method and path what is done to it, if anything; `after` is
    called when that was done, before the connection is lost."""
    client = httpx.Client(base_url=url, timeout=120)
    threads: list[threading.Thread] = []

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

            def begin(seconds: float) -> None:
                def carry_out() -> None:
                    time.sleep(seconds)
                    with suppress(httpx.HTTPError):  # the server may be killed meanwhile
                        forward()

                threads.append(threading.Thread(target=carry_out))
                threads[-1].start()

            if what is not None:
                if what == DROP:
                    forward()
                elif what == LATE:
                    begin(LATER)
                elif what == BEGUN:
                    begin(0)
                    time.sleep(BEGINNING)
                after()
                self.hang_up()
                return
            try:
                answer = forward()
            except httpx.HTTPError:  # the server is gone
                self.hang_up()
                return
            self.send_response(answer.status_code)
            self.send_header("Content-Type", answer.headers.get("Content-Type", ""))
            self.send_header("Content-Length", str(len(answer.content)))
            self.end_headers()
            self.wfile.write(answer.content)

        def hang_up(self) -> None:
            self.close_connection = True
            self.connection.close()

        do_GET = do_POST = do_PATCH = do_DELETE = handle_any

        def log_message(self, format: str, *args: Any) -> None:
            """Nothing."""

        def finish(self) -> None:
            """The socket may be closed already."""
            if not self.wfile.closed and self.connection.fileno() != -1:
                super().finish()

    with serving(Handler) as address:
        yield address
        for thread in threads:
            thread.join()
    client.close()


@contextmanager
def prefix_proxy(prefix: str) -> Iterator[tuple[str, Callable[[str], None]]]:
    """A reverse proxy that shows a server under a path of its host: its address, and what tells it the server's.

    It takes the path away on the way in, and passes on everything else as it is, as nginx does with
    `location /ls/ { proxy_pass http://server/; proxy_set_header Host $http_host; }`.
    """
    upstream: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_any(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if not self.path.startswith(f"{prefix}/"):
                self.answer(404, [], b"nothing here")
                return
            passed = {k: v for k, v in self.headers.items() if k.lower() not in {"connection", "accept-encoding"}}
            with httpx.Client(timeout=120) as client:
                url = f"{upstream[0]}{self.path.removeprefix(prefix)}"
                found = client.request(self.command, url, content=body, headers=passed)
            skipped = {"content-length", "content-encoding", "transfer-encoding", "connection", "date", "server"}
            headers = [(k, v) for k, v in found.headers.multi_items() if k.lower() not in skipped]
            self.answer(found.status_code, headers, found.content)

        def answer(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
            self.send_response(status)
            for name, value in headers:
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = do_PATCH = do_DELETE = do_PUT = do_HEAD = handle_any

        def log_message(self, format: str, *args: Any) -> None:
            """Nothing."""

    with serving(Handler) as url:
        yield f"{url}{prefix}", upstream.append
