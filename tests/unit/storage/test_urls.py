"""URLs of folders: their parts, and what is refused in them."""

from __future__ import annotations

from pathlib import Path

import pytest

from acbench.errors import AcbenchError
from acbench.storage.roots import parse_root, root_text
from acbench.storage.urls import Url, is_url
from acbench.testing import toy_mvtec_ad
from tests.support.commands import python


class TestUrl:
    @pytest.mark.parametrize(
        ("text", "child", "name", "parent"),
        [
            ("s3://b/a/c", "s3://b/a/c/x", "c", "s3://b/a"),
            ("s3://b/a/", "s3://b/a/x", "a", "s3://b"),
            ("s3://b", "s3://b/x", "", "s3://b"),
            ("memory:///a/b", "memory:///a/b/x", "b", "memory:///a"),
            ("abfs://box@account.dfs/a", "abfs://box@account.dfs/a/x", "a", "abfs://box@account.dfs"),
            ("sftp://me@host:22/a", "sftp://me@host:22/a/x", "a", "sftp://me@host:22"),
            ("zip://::s3://b/a.zip", "zip://x::s3://b/a.zip", "", "zip://::s3://b/a.zip"),
            ("zip://d::s3://b/a.zip", "zip://d/x::s3://b/a.zip", "d", "zip://::s3://b/a.zip"),
            ("simplecache::s3://b/a", "simplecache::s3://b/a/x", "a", "simplecache::s3://b"),
        ],
    )
    def test_its_parts(self, text: str, child: str, name: str, parent: str) -> None:
        found = Url(text)
        assert (str(found / "x"), found.name, str(found.parent)) == (child, name, parent)

    @pytest.mark.parametrize(
        "text",
        [
            "s3://key:hunter2@b/x",
            "http://h/x?sig=hunter2",
            "http://h/#hunter2",
            "zip://a::s3://k:hunter2@b/x",
            "s3://b/../hunter2",
            "s3://b//hunter2",
            "s3://[hunter2",
            "s3://b/hunter2\n",
            "s3://b\\hunter2",
        ],
    )
    def test_what_may_hold_a_secret_or_lead_elsewhere_is_refused(self, text: str) -> None:
        with pytest.raises(AcbenchError) as caught:
            parse_root(text)
        assert "hunter2" not in str(caught.value)

    def test_folders_stay_folders(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)
        for text in ("data/mvtec_ad", "a::b", "s3:/x", "~/x"):
            assert not is_url(text)
            assert parse_root(text) == Path(text)
            assert root_text(text) == str(tmp_path / text)
        assert parse_root(f"file://{tmp_path}") == tmp_path
        assert root_text(f"file://{tmp_path}") == f"file://{tmp_path}"
        with pytest.raises(AcbenchError, match="not the URL of a folder"):
            parse_root("file://data")


def test_help_and_local_runs_do_not_know_fsspec(tmp_path: Path) -> None:
    toy = toy_mvtec_ad(tmp_path / "toy")
    python(
        "import sys; from pathlib import Path; import acbench.cli.main, acbench.cli.stages, acbench.workflows.run\n"
        "from acbench.data import sources; from acbench.data.ingest import ingest\n"
        f"ingest(sources.get('mvtec_ad'), Path({str(toy)!r}))\n"
        "assert 'fsspec' not in sys.modules"
    )
