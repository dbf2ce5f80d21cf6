"""An OpenAI-compatible endpoint on this machine with faults on demand. It counts what it would charge.

python tests/support/loopback_llm.py --latency 0.25        prints its URL and serves until it is ended
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import io
import json
import re
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

from PIL import Image

PRICE_IN, PRICE_OUT = 2.0, 8.0
"""Dollars per million tokens."""
ANSWER = {"reason": "nothing to see", "labels": ["good"], "confidence": 0.9, "text_in_image": False}


@dataclass(frozen=True, kw_only=True)
class Fault:
    """How a response differs from a good one. What says 200 is charged for."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | Callable[[dict[str, Any]], bytes] | None = None
    """In place of the good completion, or made from it."""
    wait: float = 0.0
    """Seconds before anything is sent."""
    keep: int | None = None
    """So many bytes of the body are sent, then the connection ends."""
    reset: bool = False
    """End with a reset: before the answer, or after `keep` bytes."""
    rate_limit: float = 0.0
    """Seconds between bytes."""


def refusal(status: int, message: str = "no", **more: Any) -> Fault:
    """An error in the form of OpenAI."""
    headers = more.pop("headers", {})
    return Fault(
        status=status, headers=headers, body=json.dumps({"error": {"message": message, "type": "x", **more}}).encode()
    )


def choice(**change: Any) -> Fault:
    """A completion whose only choice is changed."""

    def body(good: dict[str, Any]) -> bytes:
        message = {**good["choices"][0]["message"], **change.pop("message", {})}
        return json.dumps({**good, "choices": [{**good["choices"][0], **change, "message": message}]}).encode()

    return Fault(body=lambda good: body(good))


Plan = Callable[[int, str], Fault | None]
"""What becomes of the nth request (from 0), given the text of its question."""


class Loopback:
    """A running endpoint, as a context."""

    def __init__(self, plan: Plan = lambda number, text: None, *, latency: float = 0.0, port: int = 0) -> None:
        self.plan = plan
        self.latency = latency
        self.answer: Callable[[dict[str, Any]], str] = lambda body: json.dumps(ANSWER)
        """The text of a good answer."""
        self.refuses: Callable[[dict[str, Any]], Fault | None] = lambda body: None
        """What the endpoint does not understand of a request."""
        self.requests: list[dict[str, Any]] = []
        self.seen_headers: list[dict[str, str]] = []
        self.paid: Counter[str] = Counter()
        """Charged answers, by the text of the question."""
        self.charged: Counter[str] = Counter()
        """Charged answers, by `mark_of` the question."""
        self.dollars = 0.0
        self.busy = self.peak = 0
        self.lock = threading.Lock()
        self.files: dict[str, bytes] = {}
        self.batches: dict[str, dict[str, Any]] = {}
        self.batch_polls = 1
        """So often a batch is looked at before it is done."""
        self._server = _Server(("127.0.0.1", port), _Handler)
        self._server.owner = self
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/v1"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    def complete(self, body: dict[str, Any]) -> dict[str, Any]:
        """A good completion, not yet charged."""
        text = text_of(body)
        images = sum(part.get("type") == "image_url" for part in body["messages"][-1]["content"])
        return {
            "id": "chatcmpl-1",
            "object": "chat.completion",
            "model": body["model"] + "-2026-01-01",
            "choices": [{"index": 0, "finish_reason": "stop",
                         "message": {"role": "assistant", "content": self.answer(body)}}],
            "usage": {"prompt_tokens": len(text) // 4 + 255 * images, "completion_tokens": 30},
        }  # fmt: skip

    def charge(self, body: dict[str, Any], share: float = 1.0) -> None:
        usage = self.complete(body)["usage"]
        with self.lock:
            self.paid[text_of(body)] += 1
            self.charged[mark_of(body)] += 1
            self.dollars += share * (usage["prompt_tokens"] * PRICE_IN + usage["completion_tokens"] * PRICE_OUT) / 1e6


def text_of(body: dict[str, Any]) -> str:
    """The text of a question."""
    content = body["messages"][-1]["content"]
    return "".join(part.get("text", "") for part in content)


def mark_of(body: dict[str, Any]) -> str:
    """Of the whole question, pictures included: 12 hex digits."""
    return hashlib.sha256(json.dumps(body["messages"]).encode()).hexdigest()[:12]


def pictures(body: dict[str, Any]) -> list[Image.Image]:
    """Those of a question."""
    urls = [part["image_url"]["url"] for part in body["messages"][-1]["content"] if part["type"] == "image_url"]
    return [Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2]))).convert("RGB") for url in urls]


def colour_of(picture: Image.Image) -> str:
    """What there is to say to the question whether a model sees."""
    red, _, blue = picture.getpixel((9, 9))  # type: ignore[misc]
    return "red" if red > blue else "blue"


def last_class(body: dict[str, Any]) -> str:
    """A good answer, always the last class; to the question whether it sees, the colour."""
    properties = body["response_format"]["json_schema"]["schema"]["properties"]
    if "colour" in properties:
        return json.dumps({"colour": colour_of(pictures(body)[0])})
    return json.dumps({**ANSWER, "labels": [properties["labels"]["items"]["enum"][-1]]})


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256
    owner: Loopback

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is part of the game."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def log_message(self, format: str, *args: Any) -> None: ...

    def do_POST(self) -> None:
        here = self.server.owner
        data = self.rfile.read(int(self.headers.get("content-length", 0)))
        if self.path.endswith("/chat/completions"):
            self.complete(here, json.loads(data))
        elif self.path.endswith("/files"):
            boundary = re.search("boundary=(.*)", self.headers["content-type"]).group(1).strip('"').encode()
            part = next(part for part in data.split(b"--" + boundary) if b'name="file"' in part)
            key = f"file-{hashlib.sha256(data).hexdigest()[:8]}"
            here.files[key] = part.split(b"\r\n\r\n", 1)[1].removesuffix(b"\r\n")
            self.json({"id": key, "object": "file", "bytes": 1, "filename": "x", "purpose": "batch"})
        elif self.path.endswith("/batches"):
            self.json(make_batch(here, json.loads(data)))

    def do_GET(self) -> None:
        here = self.server.owner
        last = self.path.partition("?")[0].rstrip("/").split("/")
        if last[-1] == "content":
            self.send(200, here.files[last[-2]], {"content-type": "application/octet-stream"})
        elif last[-1] == "batches":
            self.json({"object": "list", "data": list(here.batches.values()), "has_more": False})
        else:
            batch = here.batches[last[-1]]
            advance_batch(here, batch)
            self.json(batch)

    def complete(self, here: Loopback, body: dict[str, Any]) -> None:
        with here.lock:
            number = len(here.requests)
            here.requests.append(body)
            here.seen_headers.append({name.lower(): value for name, value in self.headers.items()})
            here.busy += 1
            here.peak = max(here.peak, here.busy)
        try:
            fault = here.refuses(body) or here.plan(number, text_of(body)) or Fault()
            if fault.status == 200 and not (fault.reset and fault.keep is None):
                here.charge(body)
            time.sleep(here.latency + fault.wait)
            good = here.complete(body)
            data = fault.body(good) if callable(fault.body) else fault.body
            if data is None:
                data = json.dumps(good).encode()
        finally:
            with here.lock:
                here.busy -= 1
        if fault.reset and fault.keep is None:
            self.hang_up()
            return
        self.send(fault.status, data, {"content-type": "application/json", **fault.headers}, fault)

    def json(self, value: object) -> None:
        self.send(200, json.dumps(value).encode(), {"content-type": "application/json"})

    def send(self, status: int, data: bytes, headers: Mapping[str, str], fault: Fault | None = None) -> None:
        fault = fault or Fault()
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(data)))
        head = b"".join([*self._headers_buffer, b"\r\n"])
        self._headers_buffer = []
        if fault.rate_limit:
            self.wfile.write(head)
            for byte in data:
                self.wfile.write(bytes([byte]))
                time.sleep(fault.rate_limit)
        elif fault.keep is not None:
            self.wfile.write(head + data[: fault.keep])
            time.sleep(0.02)  # so that the reset does not overtake the bytes
            self.hang_up(politely=not fault.reset)
        else:
            self.wfile.write(head + data)

    def hang_up(self, *, politely: bool = False) -> None:
        self.close_connection = True
        if not politely:
            with suppress(OSError):
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                self.connection.close()
        else:
            with suppress(OSError):
                self.connection.shutdown(socket.SHUT_RDWR)


def make_batch(here: Loopback, given: dict[str, Any]) -> dict[str, Any]:
    batch = {**given, "id": f"batch_{len(here.batches)}", "object": "batch", "status": "in_progress", "polls": 0}
    here.batches[batch["id"]] = batch
    return batch


def advance_batch(here: Loopback, batch: dict[str, Any]) -> None:
    """One look nearer to its end."""
    batch["polls"] += 1
    if batch["status"] != "in_progress" or batch["polls"] < here.batch_polls:
        return
    good, bad = [], []
    for number, line in enumerate(here.files[batch["input_file_id"]].splitlines()):
        row = json.loads(line)
        fault = here.plan(number, text_of(row["body"])) or Fault()
        body = here.complete(row["body"]) if fault.body is None else json.loads(fault.body)  # type: ignore[arg-type]
        result = {"custom_id": row["custom_id"], "response": {"status_code": fault.status, "body": body}, "error": None}
        if fault.status == 200:
            here.charge(row["body"], 0.5)
        if not fault.reset:  # a row that is lost
            (good if fault.status == 200 else bad).append(json.dumps(result))
    for name, rows in (("output_file_id", good), ("error_file_id", bad)):
        if rows:
            batch[name] = f"{batch['id']}-{name}"
            here.files[batch[name]] = "\n".join(rows).encode()
    batch["status"] = "completed"


def main() -> None:
    """Serve until the process is ended."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--latency", type=float, default=0.0)
    latency = parser.parse_args().latency
    with Loopback(latency=latency) as here:
        print(here.url, flush=True)
        threading.Event().wait()


if __name__ == "__main__":
    main()
