"""Folders of any fsspec file system: listed, read and written with few requests.

The only module that knows fsspec; it is imported when a URL is used, no sooner.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection
from functools import lru_cache
from typing import Any
from urllib.parse import unquote

from acbench._util.text import printable
from acbench.errors import RemoteError
from acbench.storage.files import (
    MAX_BYTES,
    MAX_ENTRIES,
    Entry,
    Located,
    Refused,
    Tree,
    empty,
    too_large,
    too_many,
)
from acbench.storage.urls import Url

_CONTENT = ("ETag", "etag", "checksum", "md5Hash", "md5", "crc32c", "CRC", "sha", "sha256", "blob_id", "generation")
_TIME = ("LastModified", "last_modified", "mtime", "modified", "updated", "modificationTime", "date_time")
"""Words by which file systems tell of a file what changes with its content."""
_GONE = frozenset({"ClientConnectionError", "ConnectionError", "HTTPClientError", "SSHException", "TimeoutError"})
"""Names of errors, or of what they derive from, that are about the connection and not about one file."""
_STRANGER = re.compile(r"access key|credential|expired|signature", re.IGNORECASE)
"""What drivers say when it is about who asks, which is not about one file either."""
_PASSING = frozenset({"changed", "unreadable"})
_BUCKETS = frozenset({"abfs", "abfss", "adl", "az", "gcs", "gs", "oss", "s3", "s3a"})
"""Protocols that have no folders: making one would make the bucket."""
_CACHES = frozenset({"blockcache", "cached", "filecache", "simplecache"})
_SECRET = re.compile(r"(KEY|KEY_ID|PASSWORD|SECRET|TOKEN)$")
_LOGIN = "see that your credentials are where the driver looks for them, such as AWS_ACCESS_KEY_ID or ~/.config/fsspec"


class RemoteTree(Tree):
    """The files below a URL, under the promises of `Tree`.

    A folder is listed once. The listing tells sizes and stamps, so that no file is asked about, and reading one takes
    one request of bounded size. Where a listing tells nothing that changes with a file's content (HTTP), or where what
    is read may be older than what is listed (`filecache::` and its kin), the stamp is empty and nothing is kept. A
    folder with too many entries is refused once it is listed: fsspec lists all of it.

    Raises `Refused` for what is wrong with one file or folder, and RemoteError if there is no answer.
    """

    readers = 16

    def __init__(self, url: Url, fence: str = "") -> None:
        """`fence`: the one folder of `url` that nothing may leave; without it, `url` itself."""
        self.url = url
        self.root = str(url)
        self.fence = fence
        self._listings: dict[str, list[Entry]] = {}
        self._known: dict[str, Located] = {}

    def __reduce__(self) -> tuple[Any, ...]:
        return RemoteTree, (self.url, self.fence)

    def entries(self, folder: str = ".") -> list[Entry]:
        """What is in a folder, sorted by name; empty if there is no such folder."""
        folder = "" if folder == "." else folder.removeprefix("./")
        if folder not in self._listings:
            self._listings[folder] = self._list(folder)
        return self._listings[folder]

    def locate(self, path: str) -> Located:
        """Where a file is; lists the folder that holds it."""
        listed = self.entries(path.rpartition("/")[0])
        for each in listed:
            if each.path == path and each.refused is not None:
                raise each.refused
        if path not in self._known:
            raise Refused("missing", "there is no such file")
        return self._known[path]

    def read(self, path: str, limit: int = MAX_BYTES) -> bytes:
        """All bytes of a file of at most `limit` bytes; lists nothing.

        A failure that may pass is a RemoteError here: what reads pictures again would take it for a broken picture.
        """
        known = self._known.get(path)
        try:
            return self._bytes(path, known.size if known else None, limit)
        except Refused as why:
            if why.kind in _PASSING:
                raise RemoteError(f"{self.url.of(path)}: {why.message}", why.hint) from None
            raise

    def fetch(self, path: str, located: Located) -> bytes:
        """The same of a file that was located before; `Refused` if it has not as many bytes as it had then."""
        return self._bytes(path, located.size, MAX_BYTES)

    def _list(self, folder: str) -> list[Entry]:
        system, place = self._place(folder)
        where = self.url.of(folder) if folder else self.root
        try:
            system.invalidate_cache(place)  # what another user of the file system has seen may be old
            listed = system.ls(place, detail=True)
            system.invalidate_cache(place)
        except (FileNotFoundError, NotADirectoryError):
            return []
        except Exception as error:
            why = _told(error, where)
            if why.kind == "missing":
                return []
            if why.kind == "no_permission":
                raise why from None
            # Half a data set must not pass for the whole.
            raise RemoteError(f"{where} cannot be listed: {_said(error)}", _AGAIN) from None
        if len(listed) > MAX_ENTRIES:
            raise too_many(folder or ".")
        entries = [entry for each in listed if (entry := self._named(folder, place, each, _protocols(system)))]
        return sorted(entries, key=lambda each: (each.name, each.kind))

    def _named(self, folder: str, place: str, info: dict[str, Any], protocols: Collection[str]) -> Entry | None:
        """One name of a listing; None for the folder itself."""
        kind, full = info.get("type"), str(info["name"]).lstrip("/")
        above = place.strip("/")
        inside = full.removeprefix(f"{above}/") if above else full
        if kind == "directory":
            inside = inside.removesuffix("/")
        if "http" in protocols:
            inside = unquote(inside)
            if inside.startswith("?"):  # a list's links that sort it
                return None
        if full == above or (not inside and kind == "file"):
            return None
        shown = printable(inside) or "(empty)"
        path = f"{folder}/{shown}" if folder else shown
        if not _is_name(inside) or (above and not full.startswith(f"{above}/")):
            why = Refused("bad_name", f"its name cannot be the name of a file: {shown}", "rename it")
            return Entry(shown, path, "refused", why)
        if kind == "directory" and not info.get("islink"):
            return Entry(inside, path, "folder")
        if kind != "file" or info.get("islink"):
            what = "a link" if info.get("islink") else f"a {kind}"
            return Entry(
                inside, path, "refused", Refused("not_a_file", f"it is {what}, not a file", "put the file there")
            )
        size = info.get("size")
        words = (*_CONTENT, *_TIME) if _CACHES.isdisjoint(protocols) else ()
        told = [f"{name}={info[name]}" for name in words if info.get(name)]
        self._known[path] = Located(self.url.of(path), size, f"{size}:{';'.join(told)}" if told else "")
        return Entry(inside, path, "file")

    def _bytes(self, path: str, size: int | None, limit: int) -> bytes:
        if size is not None and size > limit:
            raise too_large(size, limit)
        if size == 0:
            raise empty()
        system, place = self._place(path)
        try:
            data = _content(system, place, (limit if size is None else size) + 1)
        except MemoryError:
            raise
        except Exception as error:
            raise _told(error, self.url.of(path)) from None
        if size is not None and len(data) != size:
            came = f"{len(data):,}" if len(data) < size else f"more than {size:,}"
            raise Refused(
                "changed", f"{size:,} bytes were listed and {came} came: it was cut off, or replaced meanwhile", _AGAIN
            )
        if len(data) > limit:
            raise too_large(len(data), limit)
        if not data:
            raise empty()
        return data

    def _place(self, path: str) -> tuple[Any, str]:
        """The file system, and where in it a path is. Raises `Refused` if that could be elsewhere."""
        steps = path.split("/") if path else []
        if not all(map(_is_name, steps)):
            raise Refused("bad_name", f"it cannot be the path of a file: {printable(path)}", "rename it")
        if self.fence and steps and steps[0] != self.fence:
            raise Refused("link_outside", f"it is not in {self.fence}, the data set's folder")
        system, base = _file_system(self.root, os.getpid())
        return system, "/".join(part for part in (base.rstrip("/"), path) if part)


class RemoteFolder:
    """A folder at a URL, to write into. Raises RemoteError."""

    def __init__(self, url: Url) -> None:
        self.url = url

    def read(self, name: str) -> bytes | None:
        """All bytes of a file; None if there is no such file."""
        try:
            return RemoteTree(self.url).read(name)
        except Refused as why:
            if why.kind in {"empty_file", "missing"}:
                return None
            raise RemoteError(f"{self.url.of(name)}: {why.message}", why.hint) from None

    def write(self, name: str, data: bytes) -> None:
        """Put a file there, in place of another if there is one."""
        system, base = _file_system(str(self.url), os.getpid())
        place = "/".join(part for part in (base.rstrip("/"), name) if part)
        try:
            if _BUCKETS.isdisjoint(_protocols(system)):
                system.makedirs(place.rpartition("/")[0], exist_ok=True)
            system.pipe_file(place, data)
        except Exception as error:
            raise RemoteError(f"{self.url.of(name)} cannot be written: {_said(error)}", f"{_AGAIN}; {_LOGIN}") from None


_AGAIN = "run the same command again: what was done is kept"


@lru_cache(maxsize=64)
def _file_system(url: str, process: int) -> tuple[Any, str]:
    """The file system of a URL and the path in it, one for each process: connections do not survive a fork."""
    protocol = url.partition("://")[0]
    try:
        from fsspec.core import url_to_fs

        system, path = url_to_fs(url)
    except ImportError as error:
        package = getattr(error.__cause__, "name", None) or error.name or protocol
        raise RemoteError(f"{protocol}:// needs {package}, which is not installed", f"pip install {package}") from None
    except Exception as error:
        if "Protocol not known" in str(error):
            raise RemoteError(
                f"no file system of fsspec is called {protocol}://",
                "use s3://, gs://, abfs://, sftp://, https:// or the like; or install the package that brings it",
            ) from None
        if isinstance(error, FileNotFoundError):
            raise RemoteError(f"{url} does not exist: {_said(error)}", "see that the address is right") from None
        raise RemoteError(f"{url} cannot be opened: {_said(error)}", _LOGIN) from None
    return system, str(path)


def _content(system: Any, place: str, most: int) -> bytes:
    """The first `most` bytes of a file, in one request."""
    if not _is_http(system):
        return bytes(system.cat_file(place, start=0, end=most))
    parts, missing = [], most  # a server may send the whole file, whatever part it is asked for
    with system.open(place, "rb", block_size=0, size=1) as file:  # with a size, none is asked for
        while missing > 0 and (part := file.read(missing)):
            parts.append(part)
            missing -= len(part)
    return b"".join(parts)


def _told(error: Exception, where: str) -> Refused:
    """What an error of a driver says of one file or folder. Raises RemoteError if it is about all of them."""
    status = getattr(error, "status", None)
    said = _said(error)
    if isinstance(error, FileNotFoundError) or status in {404, 410}:
        return Refused("missing", "there is no such file")
    if _STRANGER.search(said):
        raise RemoteError(f"{where} cannot be read: {said}", _LOGIN) from None
    if _GONE & {each.__name__ for each in type(error).__mro__}:
        raise RemoteError(f"{where} cannot be reached: {said}", f"see that the address is right; {_AGAIN}") from None
    if isinstance(error, PermissionError) or status in {401, 403}:
        return Refused("no_permission", f"you are not allowed to read it: {said}", _LOGIN)
    if "satisfiable" in said or status == 416:  # not even the first byte is there
        return empty()
    return Refused("unreadable", f"the file system cannot read it: {said}", _AGAIN)


def _said(error: Exception) -> str:
    """One short line without secrets, which addresses and messages of servers can hold."""
    text = " ".join(str(error).encode("utf-8", "replace").decode().split()) or type(error).__name__
    secrets = {value for name, value in os.environ.items() if _SECRET.search(name) and len(value) > 5}
    for secret in sorted(secrets, key=len, reverse=True):  # one may be the beginning of another
        text = text.replace(secret, "•••")
    text = re.sub(r"//[^@/\s]*@", "//•••@", re.sub(r"\?[^\s'\"]+", "?•••", text))
    return printable(text)[:200]


def _is_name(name: str) -> bool:
    """Whether a name is that of one file, here and in every address: no query, no version, no way up."""
    return name not in {"", ".", ".."} and "/" not in name and printable(name) == name and not {"?", "#"} & set(name)


def _protocols(system: Any) -> tuple[str, ...]:
    return (system.protocol,) if isinstance(system.protocol, str) else tuple(system.protocol)


def _is_http(system: Any) -> bool:
    return "http" in _protocols(system)
