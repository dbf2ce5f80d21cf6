"""A hub on this machine, enough for the real clients of the Hugging Face Hub, with faults on demand.

Large files go by LFS or, for clients with hf_xet, by Xet (`loopback_xet`). The API is served as 127.0.0.1 and file
contents as localhost: clients drop their token, and stop following, where the host changes, as they do on the real Hub.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import socket
import threading
import time
import traceback
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Self
from urllib.parse import parse_qs, quote, unquote

import uvicorn
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from tests.support.loopback_xet import Cas, Xorbs, flipped, unpacked

TOKEN = "hf_loopback"
Send = Callable[[dict[str, Any]], Awaitable[None]]
Scope = dict[str, Any]


@dataclass(frozen=True)
class Blob:
    """A file's content."""

    data: bytes
    lfs: bool

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.data).hexdigest()

    @property
    def oid(self) -> str:
        """Of git."""
        return hashlib.sha1(b"blob %d\0" % len(self.data) + self.data).hexdigest()

    def entry(self, path: str) -> dict[str, Any]:
        """As the API lists it."""
        lfs = {"lfs": {"oid": self.sha256, "size": len(self.data), "pointerSize": 134}} if self.lfs else {}
        return {"type": "file", "path": path, "size": len(self.data), "oid": self.oid, **lfs}


@dataclass(frozen=True)
class Commit:
    """A tree with a name."""

    oid: str
    title: str
    files: dict[str, Blob]


@dataclass
class Pull:
    """A pull request, numbered by its place in the list."""

    title: str
    description: str
    commit: Commit
    status: str = "open"


@dataclass
class Repo:
    """A dataset repository: one branch, `main`."""

    commits: list[Commit] = field(default_factory=list)
    pulls: list[Pull] = field(default_factory=list)
    tags: dict[str, str] = field(default_factory=dict)
    private: bool = False

    @property
    def head(self) -> Commit:
        return self.commits[-1]

    def at(self, revision: str) -> Commit | None:
        """By branch, tag or id."""
        if revision in ("main", "refs/heads/main"):
            return self.head
        if (found := re.fullmatch(r"refs/pr/(\d+)", revision)) and 0 < int(found[1]) <= len(self.pulls):
            return self.pulls[int(found[1]) - 1].commit
        wanted = self.tags.get(revision, revision)
        return next((each for each in self.commits if each.oid == wanted), None)

    def made(self, title: str, files: dict[str, Blob]) -> Commit:
        """A commit that is on no branch yet."""
        seed = f"{len(self.commits)} {title} {sorted((path, blob.oid) for path, blob in files.items())}"
        return Commit(hashlib.sha1(seed.encode()).hexdigest(), title, files)

    def add(self, title: str, files: dict[str, Blob]) -> Commit:
        """A commit on top of the head."""
        commit = self.made(title, files)
        self.commits.append(commit)
        return commit

    def merge(self, number: int) -> Commit:
        """Take a pull request's files onto the head, as an owner does."""
        pull = self.pulls[number - 1]
        pull.status = "merged"
        return self.add(pull.title, {**self.head.files, **pull.commit.files})


@dataclass
class Fault:
    """What becomes of the next requests of a kind."""

    method: str
    path: str
    """A regular expression that the path has to match somewhere."""
    status: int = 0
    """Answer with this instead; 0 to do what was asked."""
    headers: dict[str, str] = field(default_factory=dict)
    lost: bool = False
    """Do it, and let the connection break before the answer."""
    flip: bool = False
    """Change one byte of the answer's body, such that nothing in its format tells."""
    before: Callable[[], object] | None = None
    """Happens first."""
    times: int = 1


class Refusal(Exception):
    """An answer that is an error."""

    def __init__(self, status: int, code: str = "", message: str = "", **body: Any) -> None:
        self.response = JSONResponse(
            {"error": message or code or "no", **body},
            status,
            {"X-Error-Code": code, "X-Error-Message": message or code} if code or message else {},
        )


class LoopbackHub:
    """A running hub, as a context."""

    def __init__(self) -> None:
        self.repos: dict[str, Repo] = {}
        self.lfs: dict[str, bytes] = {}
        self.xorbs = Xorbs()
        self.cas = Cas(self.xorbs)
        self.account: dict[str, Any] = {
            "auth": {"accessToken": {"role": "write"}},
            "orgs": [{"name": "my-org", "roleInOrg": "write"}],
        }
        """What `whoami` tells of the token."""
        self.faults: list[Fault] = []
        self.watch: Callable[[str, str], object] = lambda moment, request: None
        """Is told of each request: `before` it is served, and `after`, when its answer has not been sent."""
        self.log: list[str] = []
        """Method, path and status of every request."""
        self.broken: list[str] = []
        """What went wrong in the hub itself."""
        self._lock = threading.Lock()
        self._socket = socket.socket()
        self._socket.bind(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.cdn = f"http://localhost:{self.port}"
        config = uvicorn.Config(
            self._serve, interface="asgi3", log_level="critical", lifespan="off", timeout_graceful_shutdown=1
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, kwargs={"sockets": [self._socket]}, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        while not self._server.started:
            time.sleep(0.01)
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """End it: nothing answers any more."""
        self._server.should_exit = True
        self._thread.join(timeout=10)
        self._socket.close()

    def fault(self, method: str, path: str, **how: Any) -> Fault:
        """Order a fault."""
        fault = Fault(method, path, **how)
        self.faults.append(fault)
        return fault

    def count(self, method: str, path: str) -> int:
        """Requests of a kind that there were."""
        return sum(bool(re.match(f"{method} .*{path}", line)) for line in self.log)

    # Serving

    async def _serve(self, scope: Scope, receive: Any, send: Send) -> None:
        raw = scope["raw_path"].decode().partition("?")[0]
        self.watch("before", f"{scope['method']} {raw}")
        fault = self._fault(scope["method"], raw)
        if fault and fault.before:
            fault.before()
        if fault and fault.status:
            response: Response = JSONResponse({"error": "a fault"}, fault.status, fault.headers)
        else:
            request = Request(scope, receive)
            body = await request.body()
            try:
                with self._lock:
                    response = self._answer(request, raw, body)
            except Refusal as refusal:
                response = refusal.response
            except Exception:  # a fault of this file, not one that was ordered
                self.broken.append(traceback.format_exc())
                response = Response(status_code=500)
        self.log.append(f"{scope['method']} {raw} {response.status_code}")
        self.watch("after", f"{scope['method']} {raw}")
        if fault and fault.lost:
            await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"99")]})
            return  # uvicorn ends the connection
        if fault and fault.flip and len(response.body) > 200:
            response.body = flipped(response.body, check=unpacked if raw.startswith("/xorb/") else bytes)
        await response(scope, receive, send)

    def _fault(self, method: str, path: str) -> Fault | None:
        for fault in self.faults:
            if fault.times and fault.method == method and re.search(fault.path, path):
                fault.times -= 1
                return fault
        return None

    def _answer(self, request: Request, raw: str, body: bytes) -> Response:
        parts = [unquote(part) for part in raw.strip("/").split("/")]
        method = request.method
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        if token and token != TOKEN and parts[0] == "api":
            raise Refusal(401, message="Invalid credentials in Authorization header")
        match parts:
            case ["v1", "xorbs" | "shards" | "reconstructions", *_]:
                return self.cas.answer(method, parts, request.headers.get("range"), body, self.cdn)
            case ["xorb", name]:
                return ranged(self.xorbs.data[name], request.headers.get("range"))
            case ["cdn", sha256]:
                return ranged(self._content(sha256), request.headers.get("range"))
            case ["lfs", sha256]:
                if hashlib.sha256(body).hexdigest() != sha256:
                    raise Refusal(400, message="wrong sha256")
                self.lfs[sha256] = body
                return Response(headers={"ETag": f'"{sha256}"'})
            case ["api", "whoami-v2"]:
                if not token:
                    raise Refusal(401)
                return JSONResponse({"name": "tester", "type": "user", **self.account})
            case ["api", "validate-yaml"]:
                return JSONResponse({"errors": [], "warnings": []})
            case ["api", "repos", "create"]:
                return self._create(json.loads(body), token)
            case ["api", "datasets", org, name, *rest]:
                if method == "POST" and not token and rest[:1] != ["paths-info"]:  # that only asks
                    raise Refusal(401)
                return self._api(request, f"{org}/{name}", rest, body, bool(token))
            case ["datasets", org, name, "info", "lfs", "objects", "batch"] if name.endswith(".git"):
                return self._batch(json.loads(body))
            case ["datasets", org, name, "resolve", revision, *path]:
                return self._resolve(method, f"{org}/{name}", revision, "/".join(path))
        raise Refusal(404)

    def _repo(self, repo: str, token: bool = True) -> Repo:
        if repo not in self.repos:
            raise Refusal(404 if token else 401, "RepoNotFound", "Repository not found")
        return self.repos[repo]

    def _commit(self, repo: str, revision: str) -> Commit:
        found = self._repo(repo).at(revision)
        if found is None:
            raise Refusal(404, "RevisionNotFound", f"Invalid rev id: {revision}")
        return found

    def _content(self, sha256: str) -> bytes:
        return self.lfs[sha256] if sha256 in self.lfs else self.cas.content(sha256)

    def _create(self, wanted: dict[str, Any], token: str) -> Response:
        if not token:
            raise Refusal(401)
        repo = f"{wanted.get('organization') or 'tester'}/{wanted['name']}"
        url = f"{self.url}/datasets/{repo}"
        if repo in self.repos:
            raise Refusal(409, message="You already created this dataset repo", url=url)
        private = wanted.get("private", wanted.get("visibility") == "private")
        self.repos[repo] = Repo(private=bool(private))
        self.repos[repo].add("initial commit", {".gitattributes": Blob(b"*.parquet filter=lfs\n", False)})
        return JSONResponse({"url": url, "name": repo, "id": repo})

    def _api(self, request: Request, repo: str, rest: list[str], body: bytes, token: bool) -> Response:
        there = self._repo(repo, token)
        match [request.method, *rest]:
            case ["GET"]:
                return self._info(repo, there.head)
            case ["GET", "revision", revision]:
                return self._info(repo, self._commit(repo, revision))
            case ["GET", "refs"]:
                tags = [{"name": t, "ref": f"refs/tags/{t}", "targetCommit": oid} for t, oid in there.tags.items()]
                main = {"name": "main", "ref": "refs/heads/main", "targetCommit": there.head.oid}
                return JSONResponse({"branches": [main], "tags": tags, "converts": []})
            case ["GET", "tree", revision, *path]:
                return self._tree(self._commit(repo, revision), "/".join(path), "recursive" in str(request.url.query))
            case ["POST", "paths-info", revision]:
                as_json = body.startswith(b"{")
                wanted = json.loads(body)["paths"] if as_json else parse_qs(body.decode()).get("paths", [])
                tree = self._commit(repo, revision).files
                folders = [each for each in wanted if any(path.startswith(f"{each}/") for path in tree)]
                return JSONResponse(
                    [tree[path].entry(path) for path in wanted if path in tree]
                    + [{"type": "directory", "path": each, "oid": "0" * 40, "size": 0} for each in folders]
                )
            case ["POST", "preupload", revision]:
                return self._preupload(self._commit(repo, revision), json.loads(body))
            case ["POST", "commit", "main"]:
                return self._take(there, repo, body, proposed="create_pr" in request.query_params)
            case ["GET", "discussions"]:
                return self._pulls(there, repo, request.query_params.get("status"))
            case ["POST", "discussions", number, "status"]:
                there.pulls[int(number) - 1].status = json.loads(body)["status"]
                told = {"id": "1", "type": "status-change", "author": {"name": "tester"}, "data": json.loads(body)}
                return JSONResponse({"newStatus": {**told, "createdAt": "2026-01-01T00:00:00.000Z"}})
            case ["POST", "tag", revision]:
                name = json.loads(body)["tag"]
                if name in there.tags:
                    raise Refusal(409, message="Tag reference exists already")
                there.tags[name] = self._commit(repo, revision).oid
                return JSONResponse({})
            case ["GET", "xet-read-token" | "xet-write-token", _]:
                expires = int(time.time()) + 3600
                told = {"casUrl": self.cdn, "accessToken": "xet", "exp": expires}
                headers = {
                    "X-Xet-Cas-Url": self.cdn,
                    "X-Xet-Access-Token": "xet",
                    "X-Xet-Token-Expiration": str(expires),
                }
                return JSONResponse(told, headers=headers)
        raise Refusal(404)

    def _info(self, repo: str, commit: Commit) -> Response:
        files = [{"rfilename": path} for path in sorted(commit.files)]
        times = {"lastModified": "2026-01-01T00:00:00.000Z", "createdAt": "2026-01-01T00:00:00.000Z"}
        private = self.repos[repo].private
        return JSONResponse(
            {"id": repo, "sha": commit.oid, "siblings": files, "private": private, "gated": False, "tags": [], **times}
        )

    def _tree(self, commit: Commit, folder: str, recursive: bool) -> Response:
        prefix = f"{folder}/" if folder else ""
        inside = {path: blob for path, blob in commit.files.items() if path.startswith(prefix)}
        if folder and not inside:
            raise Refusal(404, "EntryNotFound", f"{folder} does not exist")
        folders = {path[: at + len(prefix)] for path in inside
                   for at, char in enumerate(path[len(prefix):]) if char == "/"}  # fmt: skip
        listed = [{"type": "directory", "path": path, "oid": "0" * 40, "size": 0} for path in sorted(folders)]
        listed += [blob.entry(path) for path, blob in sorted(inside.items())]
        return JSONResponse([each for each in listed if recursive or "/" not in each["path"][len(prefix) :]])

    def _preupload(self, commit: Commit, wanted: dict[str, Any]) -> Response:
        def told(each: dict[str, Any]) -> dict[str, Any]:
            lfs = each["path"].endswith(".parquet") or each["size"] > 10 << 20
            there = commit.files.get(each["path"])
            oid = {"oid": there.sha256 if there.lfs else there.oid} if there else {}
            return {"path": each["path"], "uploadMode": "lfs" if lfs else "regular", "shouldIgnore": False, **oid}

        return JSONResponse({"files": [told(each) for each in wanted["files"]]})

    def _batch(self, wanted: dict[str, Any]) -> Response:
        def told(each: dict[str, Any]) -> dict[str, Any]:
            upload = {"upload": {"href": f"{self.cdn}/lfs/{each['oid']}"}}
            return {**each, **({} if each["oid"] in self.lfs else {"actions": upload})}

        return JSONResponse({"transfer": "basic", "objects": [told(each) for each in wanted["objects"]]})

    def _pulls(self, there: Repo, repo: str, status: str | None) -> Response:
        """The newest first, on one page."""
        pulls = [
            {"title": pull.title, "num": number, "author": {"name": "tester"}, "createdAt": "2026-01-01T00:00:00.000Z",
             "status": pull.status, "repo": {"name": repo, "type": "dataset"}, "isPullRequest": True}
            for number, pull in enumerate(there.pulls, start=1)
            if status in (None, pull.status)
        ]  # fmt: skip
        return JSONResponse({"discussions": pulls[::-1], "count": len(pulls), "start": 0})

    def _take(self, there: Repo, repo: str, body: bytes, *, proposed: bool) -> Response:
        lines = [json.loads(line) for line in body.splitlines() if line.strip()]
        header = next(line["value"] for line in lines if line["key"] == "header")
        parent = header.get("parentCommit")
        if parent and parent != there.head.oid:
            raise Refusal(412, message="A commit has happened since. Please refresh and try again.")
        files = dict(there.head.files)
        for line in lines:
            value = line["value"]
            if line["key"] == "file":
                files[value["path"]] = Blob(base64.b64decode(value["content"]), False)
            elif line["key"] == "lfsFile":
                try:
                    files[value["path"]] = Blob(self._content(value["oid"]), True)
                except KeyError:
                    raise Refusal(400, message="LFS pointer pointed to a file that does not exist") from None
            elif line["key"] == "deletedFile" and files.pop(value["path"], None) is None:
                raise Refusal(404, "EntryNotFound", "A file with this name doesn't exist")
        commit = (there.made if proposed else there.add)(header["summary"], files)
        told = {"commitOid": commit.oid, "commitUrl": f"{self.url}/datasets/{repo}/commit/{commit.oid}"}
        if proposed:
            there.pulls.append(Pull(header["summary"], header.get("description", ""), commit))
            told["pullRequestUrl"] = f"{self.url}/datasets/{repo}/discussions/{len(there.pulls)}"
        return JSONResponse(told)

    def _resolve(self, method: str, repo: str, revision: str, path: str) -> Response:
        commit = self._commit(repo, revision)
        headers = {"X-Repo-Commit": commit.oid}
        blob = commit.files.get(path)
        if blob is None:
            refusal = Refusal(404, "EntryNotFound", "Entry not found")
            refusal.response.headers.update(headers)
            raise refusal
        if not blob.lfs:
            return Response(blob.data, headers={**headers, "ETag": f'"{blob.oid}"'})
        headers |= {
            "Location": f"{self.cdn}/cdn/{blob.sha256}",
            "X-Linked-Etag": f'"{blob.sha256}"',
            "X-Linked-Size": str(len(blob.data)),
        }
        if blob.sha256 in self.cas.files:
            auth = f"{self.url}/api/datasets/{quote(repo)}/xet-read-token/{commit.oid}"
            headers |= {"X-Xet-Hash": self.cas.files[blob.sha256].name, "Link": f'<{auth}>; rel="xet-auth"'}
        return Response(status_code=302, headers=headers)


def ranged(data: bytes, wanted: str | None) -> Response:
    """All of it, or the part that a Range header asks for."""
    match = re.fullmatch(r"bytes=(\d+)-(\d*)", wanted or "")
    if not match:
        return Response(data, headers={"Accept-Ranges": "bytes"})
    start, end = int(match[1]), min(int(match[2] or len(data) - 1), len(data) - 1)
    if start >= len(data):
        return Response(status_code=416, headers={"Content-Range": f"bytes */{len(data)}"})
    headers = {"Content-Range": f"bytes {start}-{end}/{len(data)}", "Accept-Ranges": "bytes"}
    return Response(data[start : end + 1], 206, headers)


if __name__ == "__main__":
    with LoopbackHub() as hub:
        print(hub.url, flush=True)
        threading.Event().wait()
