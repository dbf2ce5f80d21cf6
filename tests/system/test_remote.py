"""Datasets that lie elsewhere: the same records as from a folder, few requests, and every way in which that fails."""

from __future__ import annotations

import functools
import http.server
import json
import os
import threading
import time
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import fsspec
import numpy as np
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from acbench import schema
from acbench.data import sources
from acbench.data.hashing import FileHasher, MemoryFileFactsCache
from acbench.data.images import ImageReader
from acbench.data.ingest import Dataset, ingest
from acbench.errors import AcbenchError, ImageError, RemoteError, SourceError
from acbench.storage import remote
from acbench.storage.files import FileRefused
from acbench.storage.roots import open_tree, parse_root
from acbench.storage.urls import Url
from acbench.testing import FakeModels, MemoryVectors, toy_mvtec_ad, toy_visa
from tests.support.commands import acbench, made, python
from tests.support.loopback_s3 import S3, cut, gone_after, status

MVTEC_AD = sources.get("mvtec_ad")
IMAGE = "bottle/test/contamination/000.png"
FILES, FOLDERS = 26, 21
"""Of the toy: pictures and masks; folders with its root."""


@pytest.fixture
def toy(tmp_path: Path) -> Path:
    return toy_mvtec_ad(tmp_path / "toy")


@pytest.fixture
def url(s3: S3, bucket: str, toy: Path) -> Url:
    """The toy, uploaded."""
    s3.upload(toy, bucket, "mvtec_ad")
    return Url(f"s3://{bucket}/mvtec_ad")


def problems(found: Dataset) -> dict[str, str]:
    return {each.image: each.problem for each in found.items if each.problem}


class TestSame:
    """What is read does not depend on where it lies."""

    def test_on_s3(self, url: Url, toy: Path) -> None:
        here, there = ingest(MVTEC_AD, toy), ingest(MVTEC_AD, url)
        assert there.root == url
        assert (there.items, there.findings) == (here.items, here.findings)
        item = next(each for each in here.items if each.mask)
        image = ImageReader(url).image(item.image)
        assert image == ImageReader(toy).image(item.image)
        assert item.mask is not None
        assert np.array_equal(
            ImageReader(url).mask(item.mask, image.size), ImageReader(toy).mask(item.mask, image.size)
        )

    def test_visa(self, s3: S3, bucket: str, tmp_path: Path) -> None:
        toy = toy_visa(tmp_path / "toy")
        s3.upload(toy, bucket, "VisA")
        visa = sources.get("visa")
        here, there = ingest(visa, toy), ingest(visa, Url(f"s3://{bucket}/VisA"))
        assert (there.items, there.findings) == (here.items, here.findings)

    def test_a_category_as_root(self, url: Url, toy: Path) -> None:
        here, there = ingest(MVTEC_AD, toy / "bottle"), ingest(MVTEC_AD, url / "bottle")
        assert there.root == url
        assert (there.items, there.findings) == (here.items, here.findings)
        place = sources.locate(MVTEC_AD, url / "bottle")
        with pytest.raises(FileRefused, match="is not in bottle"):
            place.tree.read("cable/test/good/000.png")

    def test_in_memory_in_an_archive_and_through_a_cache(self, toy: Path, url: Url, tmp_path: Path) -> None:
        expected = ingest(MVTEC_AD, toy).items
        with zipfile.ZipFile(tmp_path / "toy.zip", "w") as archive:
            for path in sorted(toy.rglob("*")):
                archive.write(path, f"mvtec_ad/{path.relative_to(toy)}")
        memory = fsspec.filesystem("memory")
        memory.put(str(toy), "/toy-in-memory", recursive=True)
        fsspec.filesystem("s3").put_file(str(tmp_path / "toy.zip"), f"{url.parent}/toy.zip")
        for place in ("memory://toy-in-memory", f"zip://mvtec_ad::{url.parent}/toy.zip", f"simplecache::{url}"):
            found = ingest(MVTEC_AD, parse_root(place))
            assert (found.items, found.findings) == (expected, []), place

    def test_over_http(self, toy: Path) -> None:
        class Quiet(http.server.SimpleHTTPRequestHandler):
            def log_message(self, *_: Any) -> None: ...

        (toy / "bottle/test/good/000.png").rename(toy / "bottle/test/good/0 ü.png")
        handler = functools.partial(Quiet, directory=str(toy.parent))  # it sends the whole file, whatever is asked for
        with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            root = Url(f"http://127.0.0.1:{server.server_port}/toy")
            cache = MemoryFileFactsCache()
            found = ingest(MVTEC_AD, root, hasher=FileHasher(cache=cache))
            assert (found.items, found.findings) == (ingest(MVTEC_AD, toy).items, [])
            assert cache.facts == {}
            with pytest.raises(FileRefused, match="at most"):
                open_tree(root).read(IMAGE, limit=10)
            server.shutdown()

    @pytest.mark.parametrize("dataset", ["sample", "real"])
    def test_a_whole_run_writes_the_same_bytes(
        self, s3: S3, bucket: str, tmp_path: Path, dataset: str, request: pytest.FixtureRequest
    ) -> None:
        if dataset == "sample":
            folder = request.getfixturevalue("sample_images")
            what = ("sample", "--category", "washer", "--limit", "10")
        else:
            folder = request.getfixturevalue("mvtec_ad_root")
            what = ("mvtec_ac", "--category", "bottle", "--limit", "10")
        part = folder / what[2]
        s3.upload(part, bucket, f"images/{what[2]}")
        one, other = (relabelled(tmp_path / name, *what, "--root", root)
                      for name, root in (("one", str(folder)), ("other", f"s3://{bucket}/images")))  # fmt: skip
        assert one.keys() == other.keys()
        assert [name for name in one if one[name] != other[name] and not name.endswith("settings.json")] == []
        assert {Path(name).suffix for name in one} >= {".parquet", ".jsonl", ".csv", ".jpg"}
        kept = next(content for name, content in other.items() if name.endswith("settings.json"))
        assert json.loads(kept)["root"] == f"s3://{bucket}/images"


def relabelled(project: Path, *arguments: str) -> dict[str, bytes]:
    """What a run leaves behind."""
    acbench(project, "relabel", *arguments)
    return made(project)


class TestRequests:
    def test_a_listing_a_folder_and_a_read_a_file(self, s3: S3, url: Url) -> None:
        cache = MemoryFileFactsCache()
        first = ingest(MVTEC_AD, url, hasher=FileHasher(cache=cache))
        assert s3.counts() == (FOLDERS, FILES, 0)
        assert set(cache.facts) == {str(url / each.image) for each in first.items} | {
            str(url / each.mask) for each in first.items if each.mask
        }
        assert ingest(MVTEC_AD, url, hasher=FileHasher(cache=cache)) == first
        assert s3.counts() == (FOLDERS, 0, 0)
        ImageReader(url).image(IMAGE)
        assert s3.counts() == (0, 1, 0)

    def test_only_what_changed_is_read_again(self, s3: S3, url: Url, toy: Path) -> None:
        cache = MemoryFileFactsCache()
        first = ingest(MVTEC_AD, url, hasher=FileHasher(cache=cache))
        s3.counts()
        data = bytearray((toy / IMAGE).read_bytes())
        data[-20] ^= 1  # as many bytes as before
        s3.put(str(url.parent)[5:], f"mvtec_ad/{IMAGE}", bytes(data))
        second = ingest(MVTEC_AD, url, hasher=FileHasher(cache=cache))
        assert s3.counts()[1] == 1
        assert [a.image for a, b in zip(first.items, second.items, strict=True) if a != b] == [IMAGE]

    def test_where_nothing_tells_of_changes_nothing_is_kept(self, toy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        calls: list[str] = []
        for name in ("ls", "info", "cat_file"):
            monkeypatch.setattr(MemoryFileSystem, name, _noted(getattr(MemoryFileSystem, name), calls))
        fsspec.filesystem("memory").put(str(toy), "/counted", recursive=True)
        cache = MemoryFileFactsCache()
        for _ in range(2):
            calls.clear()
            ingest(MVTEC_AD, Url("memory://counted"), hasher=FileHasher(cache=cache))
            assert (calls.count("ls"), calls.count("cat_file"), calls.count("info")) == (FOLDERS, FILES, 0)
        assert cache.facts == {}

    def test_another_process_after_a_fork(self, url: Url) -> None:
        assert open_tree(url).read(IMAGE)
        child = os.fork()
        if not child:
            os._exit(0 if open_tree(url).read(IMAGE) else 1)
        until = time.monotonic() + 60
        while (done := os.waitpid(child, os.WNOHANG)) == (0, 0):
            assert time.monotonic() < until
            time.sleep(0.05)
        assert done == (child, 0)


def _noted(work: Callable[..., Any], calls: list[str]) -> Callable[..., Any]:
    """A method that also writes its name down."""

    def noted(self: Any, *arguments: Any, **options: Any) -> Any:
        calls.append(work.__name__)
        return work(self, *arguments, **options)

    return noted


class TestFaults:
    @pytest.mark.parametrize(
        ("code", "said"),
        [(403, "not allowed"), (404, "no such file"), (500, "cannot read it"), (503, "cannot read it")],
    )
    def test_one_file_that_is_refused(self, s3: S3, url: Url, code: int, said: str) -> None:
        cache = MemoryFileFactsCache()
        with s3.failing(status(code, IMAGE)):
            found = ingest(MVTEC_AD, url, hasher=FileHasher(cache=cache))
        assert list(problems(found)) == [IMAGE]
        assert said in problems(found)[IMAGE]
        assert problems(ingest(MVTEC_AD, url, hasher=FileHasher(cache=cache))) == {}, "it is tried again"

    def test_a_folder_that_is_forbidden(self, s3: S3, url: Url) -> None:
        with s3.failing(status(403, "contamination%2F")):
            found = ingest(MVTEC_AD, url)
        assert ("bottle/test/contamination", "no_permission", True) in [
            (each.path, each.kind, each.failed) for each in found.findings
        ]

    @pytest.mark.parametrize("code", [500, 503])
    def test_half_a_data_set_does_not_pass_for_the_whole(self, s3: S3, url: Url, code: int) -> None:
        with s3.failing(status(code, "contamination%2F")), pytest.raises(RemoteError, match="cannot be listed"):
            ingest(MVTEC_AD, url)

    def test_a_file_that_is_cut_off(self, s3: S3, url: Url) -> None:
        with s3.failing(cut(IMAGE)):
            found = ingest(MVTEC_AD, url)
            assert list(problems(found)) == [IMAGE]
            with pytest.raises(RemoteError, match="run the same command again"):
                ImageReader(url).image(IMAGE)

    @pytest.mark.parametrize("data", [b"short", b"long" * 5000])
    def test_a_file_that_is_replaced_after_it_was_listed(self, s3: S3, url: Url, data: bytes) -> None:
        tree = open_tree(url)
        located = tree.locate(IMAGE)
        s3.put(str(url.parent)[5:], f"mvtec_ad/{IMAGE}", data)
        with pytest.raises(FileRefused, match="cut off, or replaced"):
            tree.fetch(IMAGE, located)
        with pytest.raises(RemoteError, match="replaced"):
            tree.read(IMAGE)

    @pytest.mark.parametrize("requests", [0, 10, FOLDERS + 5])
    def test_a_server_that_goes_away(self, s3: S3, url: Url, requests: int) -> None:
        cache = MemoryFileFactsCache()
        with s3.failing(gone_after(requests)), pytest.raises((RemoteError, SourceError), match="cannot be"):
            ingest(MVTEC_AD, url, hasher=FileHasher(cache=cache))
        s3.counts()
        kept = len(cache.facts)
        assert problems(ingest(MVTEC_AD, url, hasher=FileHasher(cache=cache))) == {}
        assert s3.counts()[1] == FILES - kept

    def test_a_lost_connection_is_no_fault_of_an_image(self, s3: S3, url: Url, toy: Path) -> None:
        from acbench.predictors.base import Setup
        from acbench.predictors.proposers import neighbours
        from acbench.schema import load

        class Blind:
            name, size = "blind", 8

            def features(self, crops: Any, areas: Any) -> Any:
                return np.zeros((len(crops), 4), dtype=np.float32)

        items = ingest(MVTEC_AD, url).items
        models = FakeModels(embedder=Blind())
        setup = Setup(schema=load("mvtec_ac"), images=ImageReader(url), models=models, vectors=MemoryVectors())
        with s3.failing(gone_after(0)), pytest.raises(RemoteError):
            list(neighbours.build(setup).propose(items, lambda *_: None))

    def test_a_server_that_is_slow(self, s3: S3, url: Url) -> None:
        def slow(environ: dict[str, Any], _: Callable[..., Any]) -> Iterable[bytes] | None:
            if IMAGE in environ["PATH_INFO"]:
                time.sleep(1.5)
            return None

        with s3.failing(slow), pytest.raises(RemoteError, match="cannot be reached"):
            ingest(MVTEC_AD, url)
        assert 1 < sum(IMAGE in path for _, path in s3.seen) < 10, "tried again, and not for ever"

    def test_a_server_that_does_not_answer_is_no_fault_of_an_image(self) -> None:
        """What goes on after a broken image catches AcbenchError."""
        assert not issubclass(RemoteError, AcbenchError)

    def test_wrong_keys_are_no_fault_of_an_image(self, url: Url) -> None:
        for said in ("Unable to locate credentials", "The provided token has expired."):
            with pytest.raises(RemoteError, match="cannot be read"):
                remote._refused(PermissionError(said), str(url))

    @pytest.mark.parametrize(
        ("text", "said", "hint"),
        [
            ("s3://BUCKET/nothing", "there is nothing below", "--root"),
            ("s3://no-such-bucket/x", "there is nothing below", "bucket"),
            ("s3://BUCKET/a.zip", "there is nothing below", "--root zip://::s3://BUCKET/a.zip"),
            ("gs://b/x", "needs gcsfs, which is not installed", "pip install gcsfs"),
            ("nonsense://b/x", "no file system of fsspec is called nonsense://", "s3://"),
        ],
    )
    def test_wrong_roots(self, bucket: str, text: str, said: str, hint: str) -> None:
        with pytest.raises(SourceError) as caught:
            sources.locate(MVTEC_AD, parse_root(text.replace("BUCKET", bucket)))
        assert said in caught.value.message
        assert hint.replace("BUCKET", bucket) in caught.value.hint

    def test_a_folder_too_high(self, url: Url) -> None:
        with pytest.raises(SourceError) as caught:
            sources.locate(MVTEC_AD, url.parent)
        assert caught.value.hint == f"did you mean --root {url}?"


class TestHostile:
    def test_keys_that_lead_elsewhere(self, s3: S3, url: Url) -> None:
        bucket = str(url.parent)[5:]
        folder = "mvtec_ad/bottle/test/contamination"
        clean = ingest(MVTEC_AD, url).items
        for name in ("../000.png", "/000.png", "a\\b.png", "a\nb.png", "\u202e.png", "a?versionId=1.png", "a#b.png"):
            s3.put(bucket, f"{folder}/{name}", b"secret")
        s3.put(bucket, f"{folder}/", b"")  # as consoles mark a folder
        found = ingest(MVTEC_AD, url)
        assert [each for each in found.items if not each.problem] == clean
        assert {each.kind for each in found.findings if each.failed} == {"bad_name"}
        assert all(each.path.isprintable() for each in found.findings)

    @pytest.mark.parametrize("path", ["../x", "a//b", "/a", "a/", "a\\b", "a/./b", "x?versionId=1", "", "a\0b"])
    def test_paths_never_leave_the_root(self, url: Url, path: str) -> None:
        with pytest.raises(ImageError):
            ImageReader(url).image(path or "..")
        with pytest.raises(FileRefused):
            open_tree(url).read(path or ".")

    def test_a_huge_file_is_not_asked_for(self, s3: S3, url: Url, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("acbench.storage.remote.MAX_BYTES", 20)
        assert all("at most" in each for each in problems(ingest(MVTEC_AD, url)).values())
        assert s3.counts() == (FOLDERS, 0, 0)
        with pytest.raises(FileRefused, match="at most"):
            open_tree(url).read(IMAGE, limit=20)

    def test_an_empty_file(self, s3: S3, url: Url) -> None:
        s3.put(str(url.parent)[5:], f"mvtec_ad/{IMAGE}", b"")
        assert problems(ingest(MVTEC_AD, url)) == {IMAGE: "the file is empty"}
        with pytest.raises(ImageError, match="empty"):
            ImageReader(url).image(IMAGE)

    def test_a_folder_without_end(self, url: Url, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("acbench.storage.remote.MAX_ENTRIES", 1)
        with pytest.raises(SourceError, match="more than"):
            ingest(MVTEC_AD, url)

    def test_links_are_not_followed(self, tmp_path: Path, toy: Path) -> None:
        (toy / "bottle/test/contamination/link.png").symlink_to(toy / IMAGE)
        found = ingest(MVTEC_AD, Url(f"simplecache::file://{toy}"))
        assert {each.path: each.kind for each in found.findings if each.failed} == {
            "bottle/test/contamination/link.png": "not_a_file"
        }

    def test_messages_hold_no_secret(self, s3: S3) -> None:
        error = OSError("GET https://me:pw@host/x?X-Amz-Signature=abc with loopback-secret failed\nat once")
        assert remote._safe_text(error) == "GET https://•••@host/x?••• with ••• failed at once"


class TestElsewhere:
    """What else is done with pictures."""

    def test_tables_of_a_release_with_images(self, url: Url, toy: Path) -> None:
        from acbench.release import parquet

        items = ingest(MVTEC_AD, toy).items
        categories = sorted({item.category for item in items})
        one, other = (parquet.plan_shards(items, categories, open_tree(root), most=2000) for root in (toy, url))
        assert one == other and len(one) > 2
        for item in items[:3]:
            row: Any = {"item_id": item.item_id, "image_path": item.image, "image_sha256": item.sha256,
                        "mask_path": item.mask, "mask_sha256": item.mask_sha256}  # fmt: skip
            assert parquet.with_images(row, open_tree(toy)) == parquet.with_images(row, open_tree(url))

    def test_pictures_of_the_desk(self, url: Url, toy: Path, tmp_path: Path) -> None:
        from acbench.review import queue_pictures as pictures
        from acbench.review import task_pictures as desk_pictures

        items = ingest(MVTEC_AD, toy).items
        for name, root in (("one", toy), ("other", url)):
            desk_pictures.draw(items[::4], pictures.References(items), ImageReader(root), tmp_path / name)
        one, other = (
            {path.name: path.read_bytes() for path in (tmp_path / name).iterdir()} for name in ("one", "other")
        )
        assert one == other and one

    def test_attached_pictures(self, s3: S3, url: Url, toy: Path) -> None:
        import datasets

        from acbench import attach_images

        item = next(each for each in ingest(MVTEC_AD, toy).items if each.mask)
        row = {"image_path": item.image, "image_sha256": item.sha256, "mask_path": item.mask,
               "mask_sha256": item.mask_sha256}  # fmt: skip
        found = attach_images(datasets.Dataset.from_list([row]), str(url))
        assert found[0]["image"].size == (item.width, item.height)
        with s3.failing(gone_after(0)), pytest.raises(AcbenchError):
            attach_images(datasets.Dataset.from_list([row]), str(url))


def test_the_app_says_how_to_copy(s3: S3, url: Url, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from acbench.workflows.app import refuse_remote
    from acbench.workflows.settings import Settings

    run: Any = SimpleNamespace(settings=Settings(schema="mvtec_ac", root=str(url)), schema=schema.load("mvtec_ac"))
    with pytest.raises(AcbenchError) as caught:
        refuse_remote(run)
    command = next(each for each in caught.value.hint.splitlines() if "python -c" in each).strip()
    monkeypatch.chdir(tmp_path)
    python(command.partition('"')[2].rpartition('"')[0])
    assert ingest(MVTEC_AD, tmp_path / "COPY").items == ingest(MVTEC_AD, url).items


def test_a_url_with_a_password_is_refused_before_it_is_kept(tmp_path: Path) -> None:
    for option in ("--root", "--out"):
        refused = acbench(tmp_path, "ingest", "mvtec_ac", option, "s3://k:hunter2@b/x", status=1)
        assert "hunter2" not in refused.said
        assert list(tmp_path.iterdir()) == []
