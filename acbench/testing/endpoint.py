"""A fake OpenAI-compatible endpoint on loopback that fails on demand and counts what it would charge.

`python -m acbench.testing` serves one.
"""

from __future__ import annotations

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
Json = dict[str, Any]
"""The body of a request or of an answer, as the API of OpenAI describes it."""


@dataclass(frozen=True, kw_only=True)
class Fault:
    """How an answer differs from a good one."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | Callable[[Json], bytes] | None = None
    """Replaces the good completion, or is made from it."""
    wait: float = 0.0
    """Seconds before anything is sent."""
    cut_after: int | None = None
    """The connection ends after this many bytes of the body."""
    reset: bool = False
    """Reset the connection: before the answer, or after `cut_after` bytes."""
    seconds_per_byte: float = 0.0
    free: bool = False
    """Whether it is not charged for; without it, whatever has status 200 is."""


Plan = Callable[[int, str], Fault | None]
"""Number of the request (from 0) and text of its question → what goes wrong, if anything."""


def refusal(status: int, message: str = "no", *, headers: Mapping[str, str] | None = None, **fields: Any) -> Fault:
    """An error in the form of OpenAI; `fields` are further keys of its `error` object."""
    error = {"message": message, "type": "x", **fields}
    return Fault(status=status, headers=headers or {}, body=json.dumps({"error": error}).encode())


def changed_choice(*, message: Mapping[str, Any] | None = None, **fields: Any) -> Fault:
    """A completion whose only choice has other `fields` or another `message`."""

    def body(good: Json) -> bytes:
        choice = good["choices"][0]
        new_message = {**choice["message"], **(message or {})}
        return json.dumps({**good, "choices": [{**choice, **fields, "message": new_message}]}).encode()

    return Fault(body=body)


def no_fault(number: int, text: str) -> None:
    """Plan that nothing goes wrong."""


class FakeEndpoint:
    """A running endpoint, as a context manager. It takes chat completions, files and batches."""

    def __init__(self, plan: Plan = no_fault, *, latency: float = 0.0, port: int = 0) -> None:
        self.plan = plan
        self.latency = latency
        """Seconds before each answer."""
        self.answer: Callable[[Json], str] = lambda body: json.dumps(ANSWER)
        """The text of a good answer to a request."""
        self.refuses: Callable[[Json], Fault | None] = lambda body: None
        """What the endpoint does not accept in a request; comes before `plan`."""
        self.shape: Callable[[Json, Json], Json] = lambda body, good: good
        """Makes the completion that is sent, and whose usage is charged, from a request and a good completion."""
        self.requests: list[Json] = []
        """Bodies of all requests for a completion, in order."""
        self.headers: list[dict[str, str]] = []
        """Their headers, with names in lower case."""
        self.paths: list[str] = []
        """Their paths, with queries."""
        self.paid_by_text: Counter[str] = Counter()
        """Text of the question → answers that were charged."""
        self.paid_by_question: Counter[str] = Counter()
        """`question_hash` → answers that were charged."""
        self.dollars = 0.0
        self.busy = self.peak = 0
        """Requests under way now, and at most."""
        self.lock = threading.Lock()
        self.files: dict[str, bytes] = {}
        self.batches: dict[str, Json] = {}
        self.batch_polls = 1
        """How often a batch is polled before it is done."""
        self._server = _Server(("127.0.0.1", port), _Handler)
        self._server.endpoint = self
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/v1"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    def complete(self, body: Json) -> Json:
        """A good completion, not charged."""
        text = question_text(body)
        images = sum(part["type"] == "image_url" for part in body["messages"][-1]["content"])
        message = {"role": "assistant", "content": self.answer(body)}
        good = {
            "id": "chatcmpl-1",
            "object": "chat.completion",
            "model": body["model"] + "-2026-01-01",
            "choices": [{"index": 0, "finish_reason": "stop", "message": message}],
            "usage": {"prompt_tokens": len(text) // 4 + 255 * images, "completion_tokens": 30},
        }
        return self.shape(body, good)

    def charge(self, body: Json, share: float = 1.0) -> None:
        """Count an answer, at this share of its price."""
        usage = self.complete(body)["usage"]
        with self.lock:
            self.paid_by_text[question_text(body)] += 1
            self.paid_by_question[question_hash(body)] += 1
            price = usage["prompt_tokens"] * PRICE_IN + usage["completion_tokens"] * PRICE_OUT
            self.dollars += usage.get("cost", share * price / 1e6)


def question_text(body: Json) -> str:
    """The text of a question, without its pictures."""
    return "".join(part.get("text", "") for part in body["messages"][-1]["content"])


def question_hash(body: Json) -> str:
    """12 hex digits of the whole question, pictures included."""
    return hashlib.sha256(json.dumps(body["messages"]).encode()).hexdigest()[:12]


def question_pictures(body: Json) -> list[Image.Image]:
    """The pictures of a question, in order, as RGB."""
    urls = [part["image_url"]["url"] for part in body["messages"][-1]["content"] if part["type"] == "image_url"]
    return [Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2]))).convert("RGB") for url in urls]


def colour_of(picture: Image.Image) -> str:
    """The right answer to the vision check: `red` or `blue`."""
    red, _, blue = picture.getpixel((9, 9))  # type: ignore[misc]
    return "red" if red > blue else "blue"


def classes_of(body: Json) -> list[str]:
    """The class ids that a question offers, in whatever form it tells them; none in the vision check."""
    told = re.search(r'\\?"labels\\?": *\{.*?\\?"enum\\?": *\[(.*?)\]', json.dumps(body))
    return re.findall(r"[\w-]+", told[1]) if told else []


def any_form(body: Json) -> str:
    """As `last_class`, for a request in any dialect."""
    classes = classes_of(body)
    if not classes:
        return json.dumps({"colour": colour_of(question_pictures(body)[0])})
    return json.dumps({**ANSWER, "labels": classes[-1:]})


def last_class(body: Json) -> str:
    """A good answer that names the last class; to the vision check, the right colour."""
    properties = body["response_format"]["json_schema"]["schema"]["properties"]
    if "colour" in properties:
        return json.dumps({"colour": colour_of(question_pictures(body)[0])})
    return json.dumps({**ANSWER, "labels": [properties["labels"]["items"]["enum"][-1]]})


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256
    endpoint: FakeEndpoint

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Print nothing: clients hang up on purpose."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def log_message(self, format: str, *args: Any) -> None:
        """Print nothing."""

    def do_POST(self) -> None:
        endpoint = self.server.endpoint
        data = self.rfile.read(int(self.headers.get("content-length", 0)))
        if self.path.partition("?")[0].endswith("/chat/completions"):
            endpoint.paths.append(self.path)
            self.complete(endpoint, json.loads(data))
        elif self.path.endswith("/files"):
            file_id = f"file-{hashlib.sha256(data).hexdigest()[:8]}"
            endpoint.files[file_id] = _uploaded_file(data, self.headers["content-type"])
            self.json({"id": file_id, "object": "file", "bytes": 1, "filename": "x", "purpose": "batch"})
        elif self.path.endswith("/batches"):
            self.json(_new_batch(endpoint, json.loads(data)))

    def do_GET(self) -> None:
        endpoint = self.server.endpoint
        parts = self.path.partition("?")[0].rstrip("/").split("/")
        if parts[-1] == "content":
            self.send(200, endpoint.files[parts[-2]], {"content-type": "application/octet-stream"})
        elif parts[-1] == "batches":
            self.json({"object": "list", "data": list(endpoint.batches.values()), "has_more": False})
        else:
            batch = endpoint.batches[parts[-1]]
            _poll(endpoint, batch)
            self.json(batch)

    def complete(self, endpoint: FakeEndpoint, body: Json) -> None:
        with endpoint.lock:
            number = len(endpoint.requests)
            endpoint.requests.append(body)
            endpoint.headers.append({name.lower(): value for name, value in self.headers.items()})
            endpoint.busy += 1
            endpoint.peak = max(endpoint.peak, endpoint.busy)
        try:
            fault = endpoint.refuses(body) or endpoint.plan(number, question_text(body)) or Fault()
            no_answer = fault.reset and fault.cut_after is None
            if fault.status == 200 and not no_answer and not fault.free:
                endpoint.charge(body)
            time.sleep(endpoint.latency + fault.wait)
            data = _body(fault, endpoint.complete(body))
        finally:
            with endpoint.lock:
                endpoint.busy -= 1
        if no_answer:
            self.reset()
        else:
            self.send(fault.status, data, {"content-type": "application/json", **fault.headers}, fault)

    def json(self, value: object) -> None:
        self.send(200, json.dumps(value).encode(), {"content-type": "application/json"})

    def send(self, status: int, data: bytes, headers: Mapping[str, str], fault: Fault | None = None) -> None:
        fault = fault or Fault()
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        if fault.seconds_per_byte:
            for byte in data:
                self.wfile.write(bytes([byte]))
                time.sleep(fault.seconds_per_byte)
        elif fault.cut_after is not None:
            self.wfile.write(data[: fault.cut_after])
            time.sleep(0.02)  # so that the reset does not overtake the bytes
            if fault.reset:
                self.reset()
            else:
                self.shut_down()
        else:
            self.wfile.write(data)

    def reset(self) -> None:
        """Drop the connection at once: the client sees a reset."""
        self.close_connection = True
        with suppress(OSError):
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()

    def shut_down(self) -> None:
        """End the connection in order: the client sees its end."""
        self.close_connection = True
        with suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)


def _body(fault: Fault, good: Json) -> bytes:
    if fault.body is None:
        return json.dumps(good).encode()
    return fault.body(good) if callable(fault.body) else fault.body


def _uploaded_file(data: bytes, content_type: str) -> bytes:
    """The field `file` of a multipart form."""
    match = re.search("boundary=(.*)", content_type)
    assert match is not None, "a file is sent as a multipart form"
    boundary = match[1].strip('"').encode()
    part = next(part for part in data.split(b"--" + boundary) if b'name="file"' in part)
    return part.split(b"\r\n\r\n", 1)[1].removesuffix(b"\r\n")


def _new_batch(endpoint: FakeEndpoint, request: Json) -> Json:
    batch_id = f"batch_{len(endpoint.batches)}"
    batch = {**request, "id": batch_id, "object": "batch", "status": "in_progress", "polls": 0}
    endpoint.batches[batch_id] = batch
    return batch


def _poll(endpoint: FakeEndpoint, batch: Json) -> None:
    """Bring a batch one poll nearer to its end; at its end, answer all its rows."""
    batch["polls"] += 1
    if batch["status"] != "in_progress" or batch["polls"] < endpoint.batch_polls:
        return
    answered: dict[str, list[str]] = {"output_file_id": [], "error_file_id": []}
    for number, line in enumerate(endpoint.files[batch["input_file_id"]].splitlines()):
        row = json.loads(line)
        fault = endpoint.refuses(row["body"]) or endpoint.plan(number, question_text(row["body"])) or Fault()
        body = json.loads(_body(fault, endpoint.complete(row["body"])))
        result = {"custom_id": row["custom_id"], "response": {"status_code": fault.status, "body": body}, "error": None}
        if fault.status == 200 and not fault.free:
            endpoint.charge(row["body"], 0.5)
        if not fault.reset:  # else the row is lost
            answered["output_file_id" if fault.status == 200 else "error_file_id"].append(json.dumps(result))
    for name, rows in answered.items():
        if rows:
            batch[name] = f"{batch['id']}-{name}"
            endpoint.files[batch[name]] = "\n".join(rows).encode()
    batch["status"] = "completed"
