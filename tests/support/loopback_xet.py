"""The content-addressed store behind a hub's large files, enough for hf_xet: xorbs, shards, reconstructions.

Formats as in the Xet protocol specification (https://huggingface.co/docs/xet): a xorb is a row of chunks, each with a
header of eight bytes; a shard says of which ranges of chunks a file consists.
"""

from __future__ import annotations

import hashlib
import re
import struct
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from starlette.responses import JSONResponse, Response

HEADER = 48
"""Bytes of every entry of a shard."""
END = b"\xff" * 32
VERIFIED, WITH_SHA256 = 1 << 31, 1 << 30
"""Flags of a file in a shard."""


def name_of(digest: bytes) -> str:
    """A Xet hash as text: four little-endian words of eight bytes."""
    return "".join(digest[start : start + 8][::-1].hex() for start in range(0, 32, 8))


@dataclass(frozen=True)
class Term:
    """A range of chunks of one xorb."""

    xorb: str
    start: int
    end: int
    size: int
    """Bytes once unpacked."""


@dataclass(frozen=True)
class XetFile:
    """What a file consists of."""

    name: str
    terms: tuple[Term, ...]


@dataclass
class Xorbs:
    """Xorbs by name."""

    data: dict[str, bytes] = field(default_factory=dict)
    offsets: dict[str, list[int]] = field(default_factory=dict)
    """Where each chunk begins, and where the last one ends."""

    def add(self, name: str, data: bytes) -> None:
        """Take in a xorb: its chunks, up to the footer or the end."""
        offsets, at = [0], 0
        while at + 8 <= len(data) and data[at : at + 7] != b"XETBLOB":
            at += 8 + int.from_bytes(data[at + 1 : at + 4], "little")
            offsets.append(at)
        self.data[name], self.offsets[name] = data, offsets

    def unpacked(self, term: Term) -> bytes:
        """The bytes of a range of chunks."""
        where = self.offsets[term.xorb]
        return unpacked(self.data[term.xorb][where[term.start] : where[term.end]])


def unpacked(chunks: bytes) -> bytes:
    """The bytes of chunks in a row. Raises RuntimeError if they cannot be unpacked."""
    at, parts = 0, []
    while at < len(chunks):
        head = chunks[at : at + 8]
        size = int.from_bytes(head[1:4], "little")
        parts.append(_unpack(chunks[at + 8 : at + 8 + size], head[4]))
        if len(parts[-1]) != int.from_bytes(head[5:8], "little"):
            raise RuntimeError("a chunk is not as long as its header says")
        at += 8 + size
    return b"".join(parts)


def flipped(data: bytes, check: Callable[[bytes], bytes]) -> bytes:
    """The data with one bit changed near the middle, in which `check` finds as many bytes as before, but others.

    LZ4 tells of some changes, and hf_xet then fetches again; this one is a change that it does not tell of.
    """
    true = check(data)
    for place in range(len(data) // 2, len(data)):
        changed = data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]
        with suppress(RuntimeError):
            found = check(changed)
            if len(found) == len(true) and found != true:
                return changed
    raise AssertionError("every change would be seen")


def _unpack(data: bytes, scheme: int) -> bytes:
    if scheme == 0:
        return data
    import lz4.frame

    plain: bytes = lz4.frame.decompress(data)
    if scheme == 1:
        return plain
    whole = bytearray(len(plain))  # bytes at places 0, 4, 8 … first, then 1, 5, 9 …
    at = 0
    for place in range(4):
        part = plain[at : at + len(range(place, len(plain), 4))]
        whole[place::4] = part
        at += len(part)
    return bytes(whole)


@dataclass
class Cas:
    """The store."""

    xorbs: Xorbs
    files: dict[str, XetFile] = field(default_factory=dict)
    """By the sha256 of their bytes."""

    def content(self, sha256: str) -> bytes:
        """A file's bytes. Raises KeyError."""
        return b"".join(self.xorbs.unpacked(term) for term in self.files[sha256].terms)

    def answer(self, method: str, parts: list[str], span: str | None, body: bytes, cdn: str) -> Response:
        """A request of hf_xet."""
        match [method, *parts]:
            case ["POST", "v1", "xorbs", _, name]:
                self.xorbs.add(name, body)
                return JSONResponse({"was_inserted": True})
            case ["POST", "v1", "shards"]:
                for sha256, file in _files(body):
                    self.files[sha256] = file
                    if hashlib.sha256(self.content(sha256)).hexdigest() != sha256:
                        del self.files[sha256]
                        return JSONResponse({"error": "the sha256 is not that of the chunks"}, 400)
                return JSONResponse({"result": 1})
            case ["GET", "v1", "reconstructions", name]:
                found = next((file for file in self.files.values() if file.name == name), None)
                return self._reconstruction(found, span, cdn) if found else JSONResponse({}, 404)
        return JSONResponse({}, 404)

    def _reconstruction(self, file: XetFile, span: str | None, cdn: str) -> Response:
        total = sum(term.size for term in file.terms)
        match = re.fullmatch(r"bytes=(\d+)-(\d*)", span or "")
        first, last = (int(match[1]), int(match[2] or total - 1)) if match else (0, total - 1)
        if first >= total:
            return JSONResponse({}, 416)
        terms: list[dict[str, Any]] = []
        fetch: dict[str, list[dict[str, Any]]] = {}
        offset, at = 0, 0
        for term in file.terms:
            if at + term.size > first and at <= last:
                if not terms:
                    offset = first - at
                chunks = {"start": term.start, "end": term.end}
                terms.append({"hash": term.xorb, "unpacked_length": term.size, "range": chunks})
                where = self.xorbs.offsets[term.xorb]
                part = {"start": where[term.start], "end": where[term.end] - 1}
                found = {"range": chunks, "url": f"{cdn}/xorb/{term.xorb}", "url_range": part}
                if found not in fetch.setdefault(term.xorb, []):
                    fetch[term.xorb].append(found)
            at += term.size
        return JSONResponse({"offset_into_first_range": offset, "terms": terms, "fetch_info": fetch})


def _files(shard: bytes) -> list[tuple[str, XetFile]]:
    """sha256 and parts of every file that a shard speaks of."""
    at, found = HEADER, []
    while shard[at : at + 32] != END:
        name = name_of(shard[at : at + 32])
        flags, count = struct.unpack_from("<II", shard, at + 32)
        at += HEADER
        terms = []
        for _ in range(count):
            _, size, start, end = struct.unpack_from("<IIII", shard, at + 32)
            terms.append(Term(name_of(shard[at : at + 32]), start, end, size))
            at += HEADER
        if flags & VERIFIED:
            at += HEADER * count
        if flags & WITH_SHA256:
            # hf_xet keeps the sha256 in the form of its own hashes: words of eight bytes, reversed
            found.append((name_of(shard[at : at + 32]), XetFile(name, tuple(terms))))
            at += HEADER
    return found
