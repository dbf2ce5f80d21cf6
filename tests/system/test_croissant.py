"""Croissant metadata of a release, read by mlcroissant itself: from the page of the dataset, and from a clone."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from acbench.integrations.huggingface.croissant import Croissant
from acbench.release.columns import HISTORY, VOTE, columns
from acbench.release.entries import read_manifest
from acbench.release.folder import ReleaseFolder
from acbench.testing import toy_visa
from tests.support.commands import acbench, finish, python, start
from tests.support.loopback_hub import TOKEN, LoopbackHub

REPO = "my-org/visa-ac"
READER = """
import json, logging, sys
import mlcroissant as mlc

logging.getLogger("absl").setLevel(logging.ERROR)
place, record_sets, mapping = json.loads(sys.argv[1])
dataset = mlc.Dataset(place, mapping=mapping or None)
names = {row["classes/number"]: row["classes/name"] for row in dataset.records("classes")}


def plain(value):
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, list):
        return [plain(each) for each in value]
    if isinstance(value, dict):
        return {key.rpartition("/")[2]: plain(each) for key, each in value.items()}
    return value if value is None or isinstance(value, (bool, int, float, str)) else list(value.size)


try:
    found = [[plain(row) for row in dataset.records(each)] for each in record_sets]
except Exception as error:
    sys.exit(str(error.__cause__ or error))
sets = [each.id for each in dataset.metadata.record_sets]
print(json.dumps([{"sets": sets, "names": names, "rows": rows} for rows in found]))
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project whose labels stand, some by a person. Not to be changed."""
    project = tmp_path_factory.mktemp("visa")
    toy_visa(project / "images")
    acbench(project, "relabel", "visa_ac", "--root", project / "images", "--without", "neighbours")
    built = acbench(project, "publish", "visa_ac", "--dry-run", "--json").facts
    assert not built["failed"]
    queue = project / "decisions.csv"
    queue.write_text(f"item_id,label\n{first_anomalous(project)},damaged-corner-of-packaging\n", encoding="utf-8")
    acbench(project, "review", "take", "visa_ac", queue, "--reviewer", "ada")
    return project


def first_anomalous(project: Path) -> str:
    import pyarrow.parquet as pq

    rows = pq.read_table(project / ".acbench/visa_ac/release/data/candle/test-00000-of-00001.parquet").to_pylist()
    return next(str(row["item_id"]) for row in rows if row["anomalous"])


def loaded(
    place: str, cache: Path, *record_sets: str, mapping: dict[str, str] | None = None, **env: str
) -> list[dict[str, Any]]:
    """What mlcroissant reads of each record set, on a machine that has never seen the release."""
    asked = json.dumps([place, record_sets, mapping])
    found: list[dict[str, Any]] = python(READER, asked, CROISSANT_CACHE=str(cache), **env).facts
    return found


def all_images(place: str, cache: Path, mapping: dict[str, str] | None = None, **env: str) -> dict[str, Any]:
    """The same, of all categories together."""
    (found,) = loaded(place, cache, "images", mapping=mapping, **env)
    return found


def assert_all(found: dict[str, Any], rows: int) -> None:
    """All columns, and in them what the numbers stand for."""
    assert len(found["rows"]) == rows
    row = next(row for row in found["rows"] if row["history"])
    assert list(row) == [column.name for column in columns(images=True, format=3)]
    assert list(row["votes"][0]) == [column.name for column in VOTE]
    assert list(row["history"][0]) == [column.name for column in HISTORY]
    assert row["history"][0]["labels"] == row["label_names"] == ["damaged-corner-of-packaging"]
    assert (row["image"], row["width"], row["height"]) == ([48, 48], 48, 48)
    for row in found["rows"]:
        assert row["label_name"] == (None if row["label"] is None else found["names"][str(row["label"])])
        assert row["label_names"] == [found["names"][str(number)] for number in row["labels"]]


def test_it_loads_from_the_page_and_from_a_copy(project: Path, tmp_path: Path) -> None:
    with LoopbackHub() as hub:
        env = {"HF_ENDPOINT": hub.url, "HF_HOME": str(tmp_path / "home"), "HF_HUB_DISABLE_XET": "1"}
        acbench(project, "publish", "visa_ac", "--repo", REPO, HF_TOKEN=TOKEN, **env)
        page = f"{hub.url}/datasets/{REPO}"
        place = f"{page}/resolve/v1.0.0/croissant.json"
        said = json.loads(hub.repos[REPO].head.files["croissant.json"].data)
        tables = {file["contentUrl"]: file["sha256"] for file in said["distribution"] if "sha256" in file}
        for path, blob in hub.repos[REPO].head.files.items():
            assert tables.get(f"{page}/resolve/v1.0.0/{path}") == (blob.sha256 if path.startswith("data/") else None)
        assert said["url"] == page
        parts = ["candle/test", "candle/train", "pcb4/test", "pcb4/train"]
        found = loaded(place, tmp_path / "cache", *parts)
        assert found[0]["sets"] == ["images", "categories", "classes", *parts]
        assert_all(found[0], 5)
        assert sum(len(each["rows"]) for each in found) == 16

        copy = python(
            "import huggingface_hub as h, json, sys; print(json.dumps(h.snapshot_download(sys.argv[1],"
            " repo_type='dataset', revision='v1.0.0')))",
            REPO, **env,
        ).facts  # fmt: skip
        assert_all(all_images(place, tmp_path / "other", {"repository": str(copy)}), 16)
        assert_all(all_images(f"{copy}/croissant.json", tmp_path / "other", {"repository": str(copy)}), 16)
        verified = acbench(None, "verify", REPO, **env)
        assert "Sound" in verified.out
        digest = json.loads(hub.repos[REPO].head.files["release.json"].data)["schema_digest"]
        loading = f"import acbench; print(acbench.load_schema('{REPO}@v1.0.0').digest)"
        assert python(loading, **env).out.split() == [digest]

        fault = hub.fault("GET", "/cdn/", flip=True)
        started = start(
            None, json.dumps([place, parts[:1], None]), program=("-c", READER), CROISSANT_CACHE=f"{tmp_path}/new"
        )
        assert "is not identical with the" in finish(started, status=1).err
        assert not fault.times


def test_it_loads_from_a_folder_that_was_never_published(project: Path, tmp_path: Path) -> None:
    acbench(project, "publish", "visa_ac", "--dry-run")
    folder = project / ".acbench/visa_ac/release"
    said = json.loads((folder / "croissant.json").read_bytes())
    assert "url" not in said and all("://" not in file.get("contentUrl", "") for file in said["distribution"])
    assert_all(all_images(str(folder / "croissant.json"), tmp_path), 16)


def test_mlcroissant_clones_the_tag_by_itself(project: Path, tmp_path: Path) -> None:
    """On the Hub itself; a repository of this machine stands for it, by git's own settings."""
    acbench(project, "publish", "visa_ac", "--dry-run")
    release = ReleaseFolder(project / ".acbench/visa_ac/release")
    manifest, page = read_manifest(release), f"https://huggingface.co/datasets/{REPO}"
    metadata = Croissant().describe(manifest, page=page, about="x", attribution="y")
    (tmp_path / "croissant.json").write_bytes(metadata)
    bare = tmp_path / "hub.git"
    work = ["git", f"--git-dir={bare}", f"--work-tree={release.path}", "-c", "user.name=x", "-c", "user.email=x@x.org",
            "-c", "core.bare=false"]  # fmt: skip
    subprocess.run(["git", "init", "-q", "--bare", "-b", "main", str(bare)], check=True)
    for arguments in (["add", "-A"], ["commit", "-qm", "1.0.0"], ["tag", manifest.tag],
                      ["rm", "-rq", "--cached", "data"], ["commit", "-qm", "emptied"]):  # fmt: skip
        subprocess.run([*work, *arguments], check=True)
    git = {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": f"url.{bare.as_uri()}.insteadOf", "GIT_CONFIG_VALUE_0": page}
    assert_all(all_images(str(tmp_path / "croissant.json"), tmp_path / "cache", **git), 16)
