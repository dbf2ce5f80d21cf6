"""An S3 server on loopback that keeps everything in memory, counts what it is asked, and fails when told to."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import fsspec
import pytest
import s3fs
from moto.s3.models import s3_backends
from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import WSGIRequestHandler, make_server

KEYS = {"AWS_ACCESS_KEY_ID": "loopback", "AWS_SECRET_ACCESS_KEY": "loopback-secret", "AWS_DEFAULT_REGION": "us-east-1"}

QUICK = {"config_kwargs": {"read_timeout": 1, "connect_timeout": 1, "retries": {"max_attempts": 0}}}
"""A client that does not wait long."""

Answer = Iterable[bytes]
Fault = Callable[[dict[str, Any], Callable[..., Any]], Answer | None]
"""Answers a request in place of the server, or gives None to leave it alone."""


class _Silent(WSGIRequestHandler):
    def log(self, *_: Any) -> None: ...


class S3:
    """The server. Objects are put in directly, so that every key is possible."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, str]] = []
        """Method, and path with query, of every request."""
        self.fault: Fault | None = None
        self._app = DomainDispatcherApplication(create_backend_app)
        self._store = s3_backends["123456789012"]["aws"]
        self._server = make_server("127.0.0.1", 0, self._answer, threaded=True, request_handler=_Silent)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def bucket(self, name: str) -> None:
        self._store.create_bucket(name, "us-east-1")

    def put(self, bucket: str, key: str, data: bytes) -> None:
        self._store.put_object(bucket, key, data)

    def upload(self, folder: Path, bucket: str, prefix: str) -> None:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                self.put(bucket, f"{prefix}/{path.relative_to(folder).as_posix()}", path.read_bytes())

    def objects(self, bucket: str, prefix: str = "") -> dict[str, bytes]:
        keys = self._store.buckets[bucket].keys
        return {name: key.value for name, key in keys.items() if name.startswith(prefix)}

    def counts(self) -> tuple[int, int, int]:
        """Listings, reads, and all other requests since the last time."""
        listings = sum("list-type=2" in path for _, path in self.seen)
        reads = sum(method == "GET" and "list-type=2" not in path for method, path in self.seen)
        other = len(self.seen) - listings - reads
        self.seen.clear()
        return listings, reads, other

    @contextmanager
    def failing(self, fault: Fault) -> Iterator[None]:
        self.fault = fault
        try:
            yield
        finally:
            self.fault = None

    def _answer(self, environ: dict[str, Any], start: Callable[..., Any]) -> Answer:
        self.seen.append((environ["REQUEST_METHOD"], f"{environ['PATH_INFO']}?{environ['QUERY_STRING']}"))
        answer = self.fault(environ, start) if self.fault else None
        return self._app(environ, start) if answer is None else answer


def status(code: int, part: str) -> Fault:
    """Answer with an error whatever concerns paths that hold `part`."""

    def fault(environ: dict[str, Any], start: Callable[..., Any]) -> Answer | None:
        if part not in f"{environ['PATH_INFO']}?{environ['QUERY_STRING']}":
            return None
        start(f"{code} No", [("Content-Length", "0")])
        return [b""]

    return fault


def cut(part: str) -> Fault:
    """Send half of what was promised."""

    def fault(environ: dict[str, Any], start: Callable[..., Any]) -> Answer | None:
        if part not in environ["PATH_INFO"]:
            return None
        start("206 Partial Content", [("Content-Length", "1000"), ("Content-Range", "bytes 0-999/1000")])
        return [b"\x89PNG\r\n\x1a\n"]

    return fault


def gone_after(requests: int) -> Fault:
    """Close every connection without an answer, after so many requests."""
    left = requests

    def fault(environ: dict[str, Any], _start: Callable[..., Any]) -> Answer | None:
        nonlocal left
        left -= 1
        if left >= 0:
            return None
        environ["werkzeug.socket"].shutdown(2)
        raise ConnectionAbortedError

    return fault


@contextmanager
def serving_s3() -> Iterator[S3]:
    """A server, and a client of this process that finds it and does not wait long."""
    server = S3()
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {**KEYS, "AWS_ENDPOINT_URL": server.url}.items():
            patch.setenv(name, value)
        patch.setitem(fsspec.config.conf, "s3", QUICK)
        patch.setattr(s3fs.S3FileSystem, "retries", 2)
        yield server
    server.close()
