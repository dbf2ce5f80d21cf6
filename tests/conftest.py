"""Fixtures that unit tests and system tests share."""

from __future__ import annotations

import os
import shutil
import signal
from pathlib import Path

import pytest

from acbench.testing import full_tree, write_image_anno
from tests.support import sample
from tests.support.listings import listing, paths
from tests.support.once import made_once

SYSTEM = Path(__file__).parent / "system"


def pytest_configure(config: pytest.Config) -> None:
    """Take Ctrl-C as Python does. A shell that starts pytest in the background has it ignored, and tests send it.

    Of several processes none is to be left alone at the end with a long file: `tests/system` comes first, as the files
    are collected. pytest-xdist would begin with the files of most tests, and end with the longest.
    """
    signal.signal(signal.SIGINT, signal.default_int_handler)
    config.option.loadscopereorder = False


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave out with `-m "not system"` what that would deselect: importing it takes long."""
    return True if config.option.markexpr == "not system" and collection_path == SYSTEM else None


@pytest.fixture
def mvtec_ad_root() -> Path:
    """Real images, if there are any."""
    root = os.environ.get("ACBENCH_MVTEC_AD_ROOT")
    if not root:
        pytest.skip("ACBENCH_MVTEC_AD_ROOT is not set: it names a folder with MVTec-AD or a part of it")
    return Path(root)


@pytest.fixture(scope="session")
def full_mvtec_ad(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All of MVTec-AD by name, with tiny images. Not to be changed."""
    return made_once(tmp_path_factory, "full_mvtec_ad", lambda root: full_tree(root, paths("mvtec_ad")))


@pytest.fixture(scope="session")
def full_visa(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All of VisA by name, with tiny images and a label for each. Not to be changed."""

    def make(root: Path) -> None:
        full_tree(root, paths("visa"))
        write_image_anno(root, {row["image"]: row["label"] for row in listing("visa")})

    return made_once(tmp_path_factory, "full_visa", make)


@pytest.fixture(scope="session")
def sample_images(pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample's images, rendered once and kept in pytest's cache. Not to be changed.

    Each process of the tests has a copy: projects link to them, which changes the times of a file, and acbench would
    take that for a change while the test of another process runs.
    """
    assert pytestconfig.cache is not None
    kept = sample.rendered(pytestconfig.cache.mkdir("sample"))
    return Path(shutil.copytree(kept, tmp_path_factory.mktemp("sample") / "images"))
