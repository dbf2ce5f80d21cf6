"""Every test of this folder is a system test. Fixtures start the servers that several modules use."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.once import made_once

if TYPE_CHECKING:
    from tests.support.label_studio import RealDesk
    from tests.support.loopback_hub import LoopbackHub
    from tests.support.loopback_s3 import S3

BUCKETS = count()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark by folder, so that nobody can forget it. The hook is given the tests of all folders."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker("system")


@pytest.fixture(scope="session")
def s3() -> Iterator[S3]:
    """An S3 server, and a client that finds it and does not wait long."""
    from tests.support.loopback_s3 import serving_s3

    with serving_s3() as server:
        yield server


@pytest.fixture
def bucket(s3: S3) -> str:
    """A new bucket, empty."""
    name = f"data-{next(BUCKETS)}"
    s3.bucket(name)
    s3.seen.clear()
    return name


@pytest.fixture(scope="session")
def new_desk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a Label Studio that was started once. Not to be changed."""
    from tests.support.label_studio import first_start

    return made_once(tmp_path_factory, "desk", first_start)


@pytest.fixture(scope="module")
def real_desk(new_desk: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealDesk]:
    """One Label Studio for the tests of a module."""
    from tests.support.label_studio import desk_at

    with desk_at(new_desk, tmp_path_factory.mktemp("desk") / "desk") as found:
        yield found


@pytest.fixture(scope="session")
def one_mongod(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """The URI of a MongoDB, and its folder: one for all modules that use FiftyOne in this process, which reads its
    settings once."""
    from tests.support.mongo import mongod, require_mongod

    require_mongod()
    place = tmp_path_factory.mktemp("database")
    with mongod(place) as uri:
        yield uri, place


@pytest.fixture(scope="module")
def fiftyone_here(one_mongod: tuple[str, Path]) -> Iterator[str]:
    """The URI of the MongoDB that FiftyOne uses in this process."""
    from acbench.integrations.fiftyone.database import connect
    from tests.support.mongo import variables

    before = dict(os.environ)
    os.environ.update(variables(*one_mongod))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        connect()
    yield one_mongod[0]
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture(scope="session")
def homes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A place for the caches of machines."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTEST_HOMES", str(tmp_path_factory.mktemp("homes")))
        yield


@pytest.fixture
def hub(homes: None) -> Iterator[LoopbackHub]:
    """A hub, which no machine has ever seen."""
    from tests.support.loopback_hub import LoopbackHub

    with LoopbackHub() as running:
        yield running
        assert not running.broken


@pytest.fixture(params=["lfs", "xet"])
def mode(request: pytest.FixtureRequest) -> str:
    """How large files go."""
    return str(request.param)


@pytest.fixture(scope="session")
def visa(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project whose labels stand, with images that may be passed on. Not to be changed."""
    from acbench.testing import toy_visa
    from tests.support.commands import acbench

    def make(project: Path) -> None:
        toy_visa(project / "images")
        acbench(project, "relabel", "visa_ac", "--root", project / "images", "--without", "neighbours")

    return made_once(tmp_path_factory, "visa", make)


@pytest.fixture(scope="session")
def built(visa: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with a release of it. Not to be changed."""
    from tests.support.commands import acbench
    from tests.support.hubs import copied

    def make(project: Path) -> None:
        copied(visa, project)
        assert "Nothing was uploaded." in acbench(project, "publish", "visa_ac", "--dry-run").out

    return made_once(tmp_path_factory, "built", make)


@pytest.fixture(scope="session")
def later(visa: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with the next release, in which somebody decided an image. Not to be changed."""
    from tests.support.commands import acbench
    from tests.support.hubs import copied, relabelled

    def make(project: Path) -> None:
        copied(visa, project)
        relabelled(project)
        acbench(project, "publish", "visa_ac", "--dry-run", "--version", "1.1.0")

    return made_once(tmp_path_factory, "later", make)
