"""Lists, reads and writes folders of any fsspec file system with few requests.

No other module knows fsspec, which is imported when a URL is used.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterable
from functools import lru_cache
from typing import Any
from urllib.parse import unquote

from acbench._util.text import printable
from acbench.errors import RemoteError
from acbench.storage.files import (
    MAX_BYTES,
    MAX_ENTRIES,
    FileRefused,
    FileTree,
    FolderEntry,
    LocatedFile,
    empty,
    too_large,
    too_many,
)
from acbench.storage.urls import Url

_CONTENT = ("ETag", "etag", "checksum", "md5Hash", "md5", "crc32c", "CRC", "sha", "sha256", "blob_id", "generation")
_TIME = ("LastModified", "last_modified", "mtime", "modified", "updated", "modificationTime", "date_time")
"""What file systems call the facts about a file that change with its content."""
_CONNECTION_ERRORS = frozenset(
    {"ClientConnectionError", "ConnectionError", "HTTPClientError", "SSHException", "TimeoutError"}
)
"""Names of errors, or of their base classes, that concern the connection and not one file."""
_CREDENTIALS = re.compile(r"access key|credential|expired|signature", re.IGNORECASE)
"""Words of drivers when credentials are wrong, which does not concern one file either."""
_TEMPORARY = frozenset({"changed", "unreadable"})
"""Kinds of refusals that the next try may not meet."""
_BUCKETS = frozenset({"abfs", "abfss", "adl", "az", "gcs", "gs", "oss", "s3", "s3a"})
"""Protocols without folders: to make one would make the bucket."""
_CACHES = frozenset({"blockcache", "cached", "filecache", "simplecache"})
_SECRET = re.compile(r"(KEY|KEY_ID|PASSWORD|SECRET|TOKEN)$")
_LOGIN = "see that your credentials are where the driver looks for them, such as AWS_ACCESS_KEY_ID or ~/.config/fsspec"


class RemoteFileTree(FileTree):
    """The files below a URL, as safe as a `FileTree`.

    Each folder is listed once, which gives the sizes and stamps of its files. Reading a file takes one request of
    bounded size. The stamp is empty, and nothing is kept about a file, where a listing says nothing that changes with
    its content (HTTP), and where the content may be older than the listing (`filecache::` and other caches). A folder
    with too many entries is refused after it is listed, since fsspec always lists all of it.

    Raises FileRefused for a fault of one file or folder, and RemoteError if the server does not answer.
    """

    readers = 16

    def __init__(self, url: Url, fence: str = "") -> None:
        """`fence`: name of the one folder in `url` that nothing may leave; empty for `url` itself."""
        self.url = url
        self.root = str(url)
        self.fence = fence
        self._listings: dict[str, list[FolderEntry]] = {}
        self._known: dict[str, LocatedFile] = {}

    def __reduce__(self) -> tuple[Any, ...]:
        return RemoteFileTree, (self.url, self.fence)

    def entries(self, folder: str = ".") -> list[FolderEntry]:
        """The entries of a folder, sorted by name; empty if there is no such folder."""
        folder = "" if folder == "." else folder.removeprefix("./")
        if folder not in self._listings:
            self._listings[folder] = self._list(folder)
        return self._listings[folder]

    def real(self, folder: str) -> str:
        """The folder itself: there are no links at a URL."""
        return folder

    def looked_into(self, files: Iterable[str] = ()) -> None:
        """None: a listing tells no more than asking for each file."""

    def locate(self, path: str) -> LocatedFile:
        """Where a file is; lists its folder."""
        for entry in self.entries(path.rpartition("/")[0]):
            if entry.path == path and entry.refused is not None:
                raise entry.refused
        if path not in self._known:
            raise FileRefused("missing", "there is no such file")
        return self._known[path]

    def read(self, path: str, limit: int = MAX_BYTES) -> bytes:
        """All bytes of a file of at most `limit` bytes; lists nothing.

        A temporary failure is a RemoteError here. As a FileRefused, it would become the record of a broken image.
        """
        known = self._known.get(path)
        try:
            return self._bytes(path, known.size if known else None, limit)
        except FileRefused as refused:
            if refused.kind in _TEMPORARY:
                raise RemoteError(f"{self.url.address_of(path)}: {refused.message}", refused.hint) from None
            raise

    def fetch(self, path: str, located: LocatedFile) -> bytes:
        """All bytes of a located file. Raises FileRefused if it has another size than when it was located."""
        return self._bytes(path, located.size, MAX_BYTES)

    def _list(self, folder: str) -> list[FolderEntry]:
        system, place = self._place(folder)
        where = self.url.address_of(folder) if folder else self.root
        try:
            system.invalidate_cache(place)  # another user of the file system may have listed it long ago
            listed = system.ls(place, detail=True)
            system.invalidate_cache(place)
        except (FileNotFoundError, NotADirectoryError):
            return []
        except Exception as error:
            refused = _refused(error, where)
            if refused.kind == "missing":
                return []
            if refused.kind == "no_permission":
                raise refused from None
            # A part of a dataset must not pass for all of it.
            raise RemoteError(f"{where} cannot be listed: {_safe_text(error)}", _AGAIN) from None
        if len(listed) > MAX_ENTRIES:
            raise too_many(folder or ".")
        entries = [entry for info in listed if (entry := self._listed(folder, place, info, _protocols(system)))]
        return sorted(entries, key=lambda entry: (entry.name, entry.kind))

    def _listed(self, folder: str, place: str, info: dict[str, Any], protocols: Collection[str]) -> FolderEntry | None:
        """One entry of a listing; None for the folder itself."""
        kind, full = info.get("type"), str(info["name"]).lstrip("/")
        above = place.strip("/")
        inside = full.removeprefix(f"{above}/") if above else full
        if kind == "directory":
            inside = inside.removesuffix("/")
        if "http" in protocols:
            inside = unquote(inside)
            if inside.startswith("?"):  # a link on the page that sorts the list
                return None
        if full == above or (not inside and kind == "file"):
            return None
        shown = printable(inside) or "(empty)"
        path = f"{folder}/{shown}" if folder else shown
        if not _is_name(inside) or (above and not full.startswith(f"{above}/")):
            refused = FileRefused(
                "bad_name", f"its name cannot be the name of a file: {shown}", "under another name it would be read"
            )
            return FolderEntry(shown, path, "refused", refused)
        if kind == "directory" and not info.get("islink"):
            return FolderEntry(inside, path, "folder")
        if kind != "file" or info.get("islink"):
            what = "a link" if info.get("islink") else f"a {kind}"
            return FolderEntry(
                inside, path, "refused", FileRefused("not_a_file", f"it is {what}, not a file", "put the file there")
            )
        size = info.get("size")
        words = (*_CONTENT, *_TIME) if _CACHES.isdisjoint(protocols) else ()
        facts = [f"{name}={info[name]}" for name in words if info.get(name)]
        self._known[path] = LocatedFile(self.url.address_of(path), size, f"{size}:{';'.join(facts)}" if facts else "")
        return FolderEntry(inside, path, "file")

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
            raise _refused(error, self.url.address_of(path)) from None
        if size is not None and len(data) != size:
            came = f"{len(data):,}" if len(data) < size else f"more than {size:,}"
            raise FileRefused(
                "changed", f"{size:,} bytes were listed and {came} came: it was cut off, or replaced meanwhile", _AGAIN
            )
        if len(data) > limit:
            raise too_large(len(data), limit)
        if not data:
            raise empty()
        return data

    def _place(self, path: str) -> tuple[Any, str]:
        """The file system, and the place of a path in it. Raises FileRefused for a path that may lead elsewhere."""
        steps = path.split("/") if path else []
        if not all(map(_is_name, steps)):
            raise FileRefused(
                "bad_name", f"it cannot be the path of a file: {printable(path)}", "under another name it would be read"
            )
        if self.fence and steps and steps[0] != self.fence:
            raise FileRefused("link_outside", f"it is not in {self.fence}, the dataset's folder")
        system, base = _file_system(self.root, os.getpid())
        return system, "/".join(part for part in (base.rstrip("/"), path) if part)


class RemoteFolder:
    """A folder at a URL, to write into. Raises RemoteError."""

    def __init__(self, url: Url) -> None:
        self.url = url

    def read(self, name: str) -> bytes | None:
        """All bytes of a file; None if there is no such file, or it is empty."""
        try:
            return RemoteFileTree(self.url).read(name)
        except FileRefused as refused:
            if refused.kind in {"empty_file", "missing"}:
                return None
            raise RemoteError(f"{self.url.address_of(name)}: {refused.message}", refused.hint) from None

    def write(self, name: str, data: bytes) -> None:
        """Write a file, in place of the one that is there."""
        system, base = _file_system(str(self.url), os.getpid())
        place = "/".join(part for part in (base.rstrip("/"), name) if part)
        try:
            if _BUCKETS.isdisjoint(_protocols(system)):
                system.makedirs(place.rpartition("/")[0], exist_ok=True)
            system.pipe_file(place, data)
        except Exception as error:
            raise RemoteError(
                f"{self.url.address_of(name)} cannot be written: {_safe_text(error)}", f"{_AGAIN}; {_LOGIN}"
            ) from None


_AGAIN = "run the same command again: what was done is kept"


@lru_cache(maxsize=64)
def _file_system(url: str, process: int) -> tuple[Any, str]:
    """The file system of a URL, and the path in it. Each process has its own: connections do not survive a fork."""
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
            raise RemoteError(f"{url} does not exist: {_safe_text(error)}", "see that the address is right") from None
        raise RemoteError(f"{url} cannot be opened: {_safe_text(error)}", _LOGIN) from None
    return system, str(path)


def _content(system: Any, place: str, most: int) -> bytes:
    """The first `most` bytes of a file, in one request."""
    if not _is_http(system):
        return bytes(system.cat_file(place, start=0, end=most))
    parts, missing = [], most  # a server may send the whole file, whatever part is asked for
    with system.open(place, "rb", block_size=0, size=1) as file:  # with a size given, fsspec does not ask for it
        while missing > 0 and (part := file.read(missing)):
            parts.append(part)
            missing -= len(part)
    return b"".join(parts)


def _refused(error: Exception, where: str) -> FileRefused:
    """An error of a driver as the refusal of one file or folder. Raises RemoteError if it concerns all of them."""
    status = getattr(error, "status", None)
    text = _safe_text(error)
    if isinstance(error, FileNotFoundError) or status in {404, 410}:
        return FileRefused("missing", "there is no such file")
    if _CREDENTIALS.search(text):
        raise RemoteError(f"{where} cannot be read: {text}", _LOGIN) from None
    if _CONNECTION_ERRORS & {base.__name__ for base in type(error).__mro__}:
        raise RemoteError(f"{where} cannot be reached: {text}", f"see that the address is right; {_AGAIN}") from None
    if isinstance(error, PermissionError) or status in {401, 403}:
        return FileRefused("no_permission", f"you are not allowed to read it: {text}", _LOGIN)
    if "satisfiable" in text or status == 416:  # not even the first byte is there
        return empty()
    return FileRefused("unreadable", f"the file system cannot read it: {text}", _AGAIN)


def _safe_text(error: Exception) -> str:
    """The message of an error on one short line, without the secrets that addresses and servers may put into it."""
    text = " ".join(str(error).encode("utf-8", "replace").decode().split()) or type(error).__name__
    secrets = {value for name, value in os.environ.items() if _SECRET.search(name) and len(value) > 5}
    for secret in sorted(secrets, key=len, reverse=True):  # one may be the beginning of another
        text = text.replace(secret, "•••")
    text = re.sub(r"//[^@/\s]*@", "//•••@", re.sub(r"\?[^\s'\"]+", "?•••", text))
    return printable(text)[:200]


def _is_name(name: str) -> bool:
    """Whether a name means one file in this folder, also in an address: it holds no query, no version and no way up."""
    return name not in {"", ".", ".."} and "/" not in name and printable(name) == name and not {"?", "#"} & set(name)


def _protocols(system: Any) -> tuple[str, ...]:
    return (system.protocol,) if isinstance(system.protocol, str) else tuple(system.protocol)


def _is_http(system: Any) -> bool:
    return "http" in _protocols(system)
