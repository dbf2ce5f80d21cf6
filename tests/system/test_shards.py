"""A benchmark in parts on machines that share a folder: merged, it is as if one had done all."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from acbench.testing import toy_mvtec_ad
from acbench.testing.endpoint import PRICE_IN, PRICE_OUT, FakeEndpoint
from tests.support.commands import acbench, killed_at_request, made, start
from tests.support.sample import project_with_images

LLM = ("--llm-price", f"{PRICE_IN}/{PRICE_OUT}", "--no-canary")


@pytest.fixture
def endpoint() -> Iterator[FakeEndpoint]:
    with FakeEndpoint() as here:
        yield here


@pytest.fixture(scope="module")
def wood(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """24 defects, three of them one picture."""
    root = toy_mvtec_ad(tmp_path_factory.mktemp("wood"), {"wood": ("hole", "scratch")}, train=8, good=4, each=12)
    for number in (1, 2):
        for name in ("test/hole/{:03}.png", "ground_truth/hole/{:03}_mask.png"):
            (root / "wood" / name.format(number)).write_bytes((root / "wood" / name.format(0)).read_bytes())
    return root


def in_shards(project: Path, *arguments: str | Path, of: int = 3, status: int = 0) -> list[str]:
    """Each shard in a process of its own, all at once."""
    project.mkdir(exist_ok=True)
    with ThreadPoolExecutor() as pool:
        shards = [("--shard", f"{number}/{of}") for number in range(1, of + 1)]
        return list(pool.map(lambda shard: acbench(project, *arguments, *shard, status=status).said, shards))


def vectors(project: Path) -> int:
    """How many are kept."""
    with closing(sqlite3.connect(project / ".acbench/ledger.sqlite")) as ledger:
        return int(ledger.execute("SELECT COUNT(*) FROM embeddings").fetchone()[0])


class TestMerged:
    def test_the_sample_is_the_same(self, sample_images: Path, tmp_path: Path) -> None:
        here, there = (project_with_images(tmp_path / name, sample_images) for name in ("here", "there"))
        acbench(here, "relabel", "sample", "--limit", "24")
        for stage in ("ingest", "propose"):
            in_shards(there, stage, "sample", "--limit", "24")
            assert "Next: acbench relabel sample" in acbench(there, "merge", "sample").said
        assert not list((there / ".acbench/sample/shards").iterdir())
        assert not list(there.rglob("neighbours*")), "shards write no tables"
        assert vectors(there) == vectors(here) == 34
        acbench(there, "relabel", "sample", "--limit", "24")
        assert made(there) == made(here)

    def test_of_a_full_tree(self, full_visa: Path, tmp_path: Path) -> None:
        acbench(tmp_path / "here", "ingest", "visa_ac", "--root", full_visa)
        said = in_shards(tmp_path / "there", "ingest", "visa_ac", "--root", full_visa)
        took = [int(each.split(": ")[1].split(" files")[0].replace(",", "")) for each in said]
        assert min(took) > 3_000 and sum(took) == 10_821 + 1_200
        acbench(tmp_path / "there", "merge", "visa_ac")
        acbench(tmp_path / "there", "ingest", "visa_ac", "--root", full_visa)
        assert made(tmp_path / "there") == made(tmp_path / "here")

    def test_answers_are_paid_once(self, wood: Path, tmp_path: Path, endpoint: FakeEndpoint) -> None:
        """Equal images too, though they lie in different places; within the budget; and a second time nothing."""
        asks = ("propose", "mvtec_ac", "--proposer", "llm", "--llm", "toy", "--llm-url", endpoint.url, *LLM)
        acbench(tmp_path / "here", *asks, "--root", wood)
        first = endpoint.dollars
        assert len(endpoint.requests) == 22
        there = tmp_path / "there"
        in_shards(there, "ingest", "mvtec_ac", "--root", wood)
        acbench(there, "merge", "mvtec_ac")
        said = in_shards(there, *asks, "--budget", "0.12", status=3)
        assert any("questions were not asked" in each for each in said)
        assert 0 < endpoint.dollars - first <= 0.12
        acbench(there, "merge", "mvtec_ac")
        in_shards(there, *asks, of=2)  # another division of what is left
        table = acbench(there, "merge", "mvtec_ac", "--json").facts
        assert [row["shard"] for row in table] == ["1/2", "2/2"] and sum(row["answers"] for row in table) > 0
        acbench(there, *asks)
        assert len(endpoint.requests) == 44
        name = ".acbench/mvtec_ac/proposals/llm.parquet"
        assert (there / name).read_bytes() == (tmp_path / "here" / name).read_bytes()

    def test_velm(self, wood: Path, tmp_path: Path, endpoint: FakeEndpoint) -> None:
        data = ("--root", wood, "--limit", "20")  # 10 defects; detectors take their time
        runs = ("velm", "mvtec_ac", *data, "--llm", "toy", "--llm-url", endpoint.url, *LLM)
        acbench(tmp_path / "here", *runs)
        asked = len(endpoint.requests)
        assert asked > 5
        in_shards(tmp_path / "there", *runs, of=2)
        acbench(tmp_path / "there", "merge", "mvtec_ac")
        acbench(tmp_path / "there", *runs)
        assert made(tmp_path / "there") == made(tmp_path / "here")
        assert len(endpoint.requests) == 2 * asked


class TestTrouble:
    def test_a_killed_shard_goes_on_and_pays_no_answer_twice(
        self, wood: Path, tmp_path: Path, endpoint: FakeEndpoint
    ) -> None:
        asks = ("propose", "mvtec_ac", "--proposer", "llm", "--llm", "toy", "--llm-url", endpoint.url, *LLM)
        whole = ("--root", wood, "--concurrency", "2", "--shard", "1/1")
        for kill, number in enumerate((1, 4, 6, 3)):
            killed_at_request(number, start(tmp_path / "p", *asks, *whole), endpoint)
            if kill == 1:
                acbench(tmp_path / "p", "merge", "mvtec_ac")
        acbench(tmp_path / "p", *asks, *whole)
        acbench(tmp_path / "p", "merge", "mvtec_ac")
        acbench(tmp_path / "p", *asks, "--root", wood)
        assert 22 < len(endpoint.requests) <= 22 + 2 * 4, "two questions at most were under way at each kill"

    def test_nobody_else_while_a_shard_is_at_work(self, wood: Path, tmp_path: Path, endpoint: FakeEndpoint) -> None:
        asks = ("propose", "mvtec_ac", "--proposer", "llm", "--llm", "toy", "--llm-url", endpoint.url, *LLM)
        endpoint.latency = 600
        process = start(tmp_path / "p", *asks, "--root", wood, "--shard", "1/2", "--concurrency", "1")
        while not endpoint.requests:
            assert process.poll() is None
            time.sleep(0.05)
        same = acbench(tmp_path / "p", *asks, "--root", wood, "--shard", "1/2", status=1)
        assert "shard 1/2 of mvtec_ac is being worked at (process " in same.err
        for other in (("merge", "mvtec_ac"), ("relabel", "mvtec_ac", "--root", wood)):
            assert "another acbench is at work" in acbench(tmp_path / "p", *other, status=1).err
        process.kill()
        process.communicate()

    def test_missing_ones_are_named(self, wood: Path, tmp_path: Path) -> None:
        acbench(tmp_path, "ingest", "mvtec_ac", "--root", wood, "--shard", "2/3")
        assert "of 3 shards, 2 brought nothing: 1, 3" in acbench(tmp_path, "merge", "mvtec_ac").said
        assert "No shard has brought anything" in acbench(tmp_path, "merge", "mvtec_ac").said

    def test_what_does_not_go_together(self, wood: Path, tmp_path: Path, endpoint: FakeEndpoint) -> None:
        llm = ("--llm", "toy", "--llm-url", endpoint.url)
        asks = ("propose", "mvtec_ac", "--root", wood, "--proposer", "llm", *llm, "--shard", "1/2")
        assert "leave --batch or --shard out" in acbench(tmp_path, *asks, "--batch", status=1).err
        assert "take one of them" in acbench(tmp_path, *asks, "--engine", "ray", status=1).err
        assert "3/8" in acbench(tmp_path, "ingest", "mvtec_ac", "--root", wood, "--shard", "9/8", status=1).err
        assert "give --out to a command after the merge" in acbench(tmp_path, *asks, "--out", "x", status=1).err
        assert not endpoint.requests
