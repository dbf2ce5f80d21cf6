"""On a real Ray cluster on this machine: the same bytes as without it, whoever is killed, and nothing paid twice."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import pytest

from acbench.integrations.torch.runtime import import_torch
from acbench.records import Prediction, Proposal
from acbench.storage import tables as store
from acbench.testing import toy_mvtec_ad
from acbench.testing.endpoint import PRICE_IN, PRICE_OUT, FakeEndpoint, last_class, question_text, refusal
from tests.support.bottles import few_bottles
from tests.support.commands import acbench, command, environment, finish, made, start
from tests.support.loopback_s3 import S3
from tests.support.sample import project_with_images
from tests.support.tiny_vlms import llava

RAY = ("--engine", "ray", "--workers", "3")
FEW = ("relabel", "sample", "--limit", "24")
"""Images enough for several parts of each worker."""
NICE = {"RAY_worker_niceness": "0"}
"""Else other tests that run beside them would keep the workers from running at all."""
LLM = ".acbench/mvtec_ac/proposals/llm.parquet"
VELM = ".acbench/mvtec_ac/predictions/velm.parquet"


@pytest.fixture
def endpoint() -> Iterator[FakeEndpoint]:
    with FakeEndpoint() as here:
        here.answer = last_class
        yield here


@pytest.fixture(scope="module")
def wood(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """24 defects."""
    return toy_mvtec_ad(tmp_path_factory.mktemp("wood"), {"wood": ("hole", "scratch")}, train=8, good=4, each=12)


def asks(root: Path, endpoint: FakeEndpoint, *more: str) -> list[str]:
    """The command that has `llm` asked, without its engine."""
    price = f"{PRICE_IN}/{PRICE_OUT}"
    given = ("propose", "mvtec_ac", "--proposer", "llm", "--root", str(root), "--llm", "toy")
    return [*given, "--llm-url", endpoint.url, "--llm-price", price, *more]


def questions_of(endpoint: FakeEndpoint) -> dict[str, int]:
    """Question about products → how often it was asked."""
    about = Counter(json.dumps(body["messages"]) for body in endpoint.requests)
    colours = {json.dumps(body["messages"]) for body in endpoint.requests if "Which colour" in question_text(body)}
    return {question: count for question, count in about.items() if question not in colours}


@contextmanager
def cluster(processors: int, *others: int) -> Iterator[tuple[str, Callable[[], None]]]:
    """Nodes of Ray on this machine with so many processors each, as processes of their own; gives the address, and what
    takes the last one away."""
    from ray.cluster_utils import Cluster

    with pytest.MonkeyPatch.context() as patch:
        for name, value in {**NICE, "OMP_WAIT_POLICY": "passive"}.items():
            patch.setenv(name, value)
        made = Cluster(initialize_head=True, head_node_args={"num_cpus": processors})
        try:
            nodes = [made.add_node(num_cpus=count) for count in others]
            made.wait_for_nodes()
            yield made.address, lambda: made.remove_node(nodes.pop(), allow_graceful=False)
        finally:
            made.shutdown()


@pytest.fixture(scope="module")
def shared() -> Iterator[dict[str, str]]:
    """A cluster for the commands of several tests, as variables of the environment: to start one takes longer than most
    of what is done on it."""
    with cluster(3) as (address, _):
        yield {**NICE, "RAY_ADDRESS": address}


class TestTheSameBytes:
    def test_of_the_sample(self, sample_images: Path, tmp_path: Path) -> None:
        """Ingest, vectors, everything after, and again; and the screen says the same."""
        here, there = (project_with_images(tmp_path / name, sample_images) for name in ("here", "there"))
        said = acbench(here, *FEW).said
        same = acbench(there, *FEW, *RAY, **NICE).said
        assert made(there) == made(here)
        assert (
            said.partition("Next:")[0].replace(str(here), "P").splitlines()[:8]
            == same.replace(str(there), "P").partition("Next:")[0].splitlines()[:8]
        )
        assert "Nothing had changed" in acbench(there, *FEW, *RAY, **NICE).said
        assert made(there) == made(here)

    def test_of_a_full_tree(self, full_mvtec_ad: Path, tmp_path: Path, shared: dict[str, str]) -> None:
        given = ("ingest", "mvtec_ac", "--root", full_mvtec_ad)
        here = acbench(tmp_path / "here", *given).said
        there = acbench(tmp_path / "there", *given, *RAY, **shared).said
        assert made(tmp_path / "there") == made(tmp_path / "here")
        assert "all of mvtec_ad: 5,354 of 5,354 images" in here and here.splitlines()[0] == there.splitlines()[0]

    def test_of_real_bottles(
        self, mvtec_ad_root: Path, tmp_path: Path, endpoint: FakeEndpoint, shared: dict[str, str]
    ) -> None:
        """Vectors of two models, answers, and a detector's maps."""
        root = few_bottles(mvtec_ad_root, tmp_path / "bottles", train=16, test=16)
        llm = ("--llm", "toy", "--llm-url", endpoint.url, "--llm-price", f"{PRICE_IN}/{PRICE_OUT}")
        for project, engine, env in (("here", (), {}), ("there", RAY, shared)):
            place = tmp_path / project
            acbench(place, "propose", "mvtec_ac", "--root", root, *llm, "--with", "llm", *engine, **env)
            acbench(place, "velm", "mvtec_ac", *engine, **env)
        assert made(tmp_path / "there") == made(tmp_path / "here")
        assert len(store.read(tmp_path / "there" / VELM, Prediction)) > 5
        # In the second project each question was asked once more, of another ledger, and no more than that
        assert set(questions_of(endpoint).values()) == {2}

    def test_of_images_on_s3(self, s3: S3, bucket: str, wood: Path, tmp_path: Path) -> None:
        s3.upload(wood, bucket, "mvtec_ad")
        acbench(tmp_path / "here", "relabel", "mvtec_ac", "--root", wood)
        acbench(tmp_path / "there", "relabel", "mvtec_ac", "--root", f"s3://{bucket}/mvtec_ad", *RAY, **NICE)
        here, there = made(tmp_path / "here"), made(tmp_path / "there")
        settings = ".acbench/mvtec_ac/settings.json"
        assert here.pop(settings) != there.pop(settings)
        assert there == here

    def test_of_clip(self, wood: Path, tmp_path: Path, shared: dict[str, str]) -> None:
        torch = import_torch()
        import open_clip

        config = {
            "embed_dim": 32,
            "vision_cfg": {"image_size": 32, "layers": 2, "width": 64, "patch_size": 8},
            "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 64, "heads": 2, "layers": 2},
        }
        folder = tmp_path / "tiny"
        folder.mkdir()
        torch.manual_seed(0)
        model = open_clip.CLIP(**config)
        torch.save(model.state_dict(), folder / "open_clip_pytorch_model.bin")
        normal = {"mean": [0.48, 0.46, 0.41], "std": [0.27, 0.26, 0.28]}
        (folder / "open_clip_config.json").write_text(json.dumps({"model_cfg": config, "preprocess_cfg": normal}))
        given = ("propose", "mvtec_ac", "--proposer", "clip", "--root", wood, "--clip-model", f"local-dir:{folder}")
        acbench(tmp_path / "here", *given)
        acbench(tmp_path / "there", *given, "--engine", "ray", "--workers", "2", **shared)
        assert made(tmp_path / "there") == made(tmp_path / "here")

    def test_of_a_local_llm(self, wood: Path, tmp_path: Path, shared: dict[str, str]) -> None:
        import_torch().manual_seed(0)
        llava(tmp_path / "tiny")
        given = ("propose", "mvtec_ac", "--proposer", "llm", "--root", wood, "--llm", f"local:{tmp_path / 'tiny'}")
        few = ("--limit", "16", "--no-canary", "--llm-max-tokens", "24")  # 8 questions: each is thousands of tokens
        acbench(tmp_path / "here", *given, *few, status=3)
        acbench(tmp_path / "there", *given, *few, "--engine", "ray", "--workers", "2", status=3, **shared)
        assert made(tmp_path / "there") == made(tmp_path / "here")
        rows = store.read(tmp_path / "there" / LLM, Proposal)
        (said,) = {each.reason for each in rows}
        assert len(rows) == 8
        assert said.startswith("unparsable: not one JSON object")  # gibberish, and nothing of it is guessed


def workers_of(process: subprocess.Popen[str]) -> list[int]:
    """Process ids of those that work for a run on a cluster of its own."""
    found = []
    for each in psutil.Process(process.pid).children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            if "MapWorker" in " ".join(each.cmdline()):
                found.append(each.pid)
    return found


@pytest.fixture(scope="module")
def asked(wood: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[FakeEndpoint, bytes]]:
    """One endpoint for those who are killed, since its URL is part of what it answers, and the table without Ray."""
    project = tmp_path_factory.mktemp("asked")
    with FakeEndpoint() as here:
        here.answer = last_class
        acbench(project, *asks(wood, here))
        assert len(questions_of(here)) == 24
        yield here, (project / LLM).read_bytes()


class TestKilled:
    @pytest.fixture
    def endpoint(self, asked: tuple[FakeEndpoint, bytes]) -> FakeEndpoint:
        """Nothing has been asked of it."""
        here, _ = asked
        here.requests.clear()
        here.latency = 0.0
        return here

    @pytest.fixture
    def answered(self, asked: tuple[FakeEndpoint, bytes]) -> bytes:
        return asked[1]

    def test_workers(self, wood: Path, tmp_path: Path, endpoint: FakeEndpoint, answered: bytes) -> None:
        """The others take over; what was answered is not asked again."""
        endpoint.latency = 0.6
        project, kills = tmp_path / "there", 0
        process = start(project, *asks(wood, endpoint, *RAY, "--concurrency", "3"), **NICE)
        while process.poll() is None and kills < 2:
            if len(endpoint.requests) > 4 + 5 * kills:
                os.kill(random.Random(kills).choice(workers_of(process)), signal.SIGKILL)
                kills += 1
            time.sleep(0.05)
        out = finish(process).out
        assert kills == 2
        assert "raylet" not in out and out.count("\n") == 2, "what became of workers is no result"
        assert (project / LLM).read_bytes() == answered
        counts = sorted(questions_of(endpoint).values())
        assert len(counts) == 24 and sum(counts) <= 24 + kills, "one question was under way at each kill, at most"

    def test_the_driver(
        self, wood: Path, tmp_path: Path, endpoint: FakeEndpoint, answered: bytes, shared: dict[str, str]
    ) -> None:
        """The next run finishes, and leaves nobody behind."""
        endpoint.latency = 0.4
        project = tmp_path / "there"
        project.mkdir()
        for wanted in (5, 12):
            process = subprocess.Popen(
                command(project, *asks(wood, endpoint, *RAY, "--concurrency", "3")),
                stdout=-3, stderr=-3, env=environment(**NICE),
            )  # fmt: skip
            while len(endpoint.requests) < wanted:
                assert process.poll() is None
                time.sleep(0.05)
            working = [psutil.Process(pid) for pid in workers_of(process)]
            process.kill()
            process.communicate()
            _, left = psutil.wait_procs(working, timeout=120)
            assert working and not left, "those who worked for it notice"
        endpoint.latency = 0
        acbench(project, *asks(wood, endpoint, *RAY), **shared)
        assert (project / LLM).read_bytes() == answered
        sent = [body for body in endpoint.requests if "Which colour" not in question_text(body)]
        assert 24 <= len(sent) <= 24 + 3 * 2

    def test_a_node(self, wood: Path, tmp_path: Path, endpoint: FakeEndpoint, answered: bytes) -> None:
        """A cluster of three nodes loses one with all its workers."""
        endpoint.latency = 0.6
        with cluster(1, 2, 2) as (address, lose):
            project = tmp_path / "there"
            process = start(project, *asks(wood, endpoint, *RAY, "--concurrency", "3"), **NICE, RAY_ADDRESS=address)
            while process.poll() is None and len(endpoint.requests) < 6:
                time.sleep(0.05)
            assert process.poll() is None
            lose()
            finish(process)
        assert (project / LLM).read_bytes() == answered

    def test_stopped_by_ctrl_c_it_ends_soon_and_goes_on_later(
        self, wood: Path, tmp_path: Path, endpoint: FakeEndpoint, shared: dict[str, str]
    ) -> None:
        endpoint.latency = 0.5
        process = start(tmp_path / "p", *asks(wood, endpoint, *RAY, "--concurrency", "3"), **NICE)
        while len(endpoint.requests) < 6:
            assert process.poll() is None
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        assert "run the same command again" in finish(process, 130, seconds=60).err
        endpoint.latency = 0
        acbench(tmp_path / "p", *asks(wood, endpoint, *RAY), **shared)
        assert {each.status for each in store.read(tmp_path / "p" / LLM, Proposal)} == {"ok"}


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system has no affinity")
class TestCores:
    """A cluster of its own has a worker for each core that the command was given."""

    def begin(self, cores: list[int], project: Path, asked: list[str]) -> subprocess.Popen[str]:
        """The command, held to some cores as `taskset` does it."""
        held = ("-c", f"import os, runpy; os.sched_setaffinity(0, {cores}); runpy.run_module('acbench')")
        return start(project, *asked, "--engine", "ray", "--concurrency", "3", program=held, **NICE)

    def test_one(self, wood: Path, tmp_path: Path, endpoint: FakeEndpoint) -> None:
        endpoint.latency = 0.3
        core = min(os.sched_getaffinity(0))
        process = self.begin([core], tmp_path / "p", asks(wood, endpoint))
        most, cores = 0, set()
        while process.poll() is None:
            most = max(most, len(workers_of(process)))
            for each in psutil.Process(process.pid).children(recursive=True):
                with suppress(psutil.NoSuchProcess):
                    cores.add(tuple(each.cpu_affinity() or ()))
            time.sleep(0.05)
        finish(process)
        assert most == 1 and cores == {(core,)}, "Ray's own processes too"

    def test_two(self, wood: Path, tmp_path: Path, endpoint: FakeEndpoint) -> None:
        endpoint.latency = 3
        given = sorted(os.sched_getaffinity(0))[:2]
        process = self.begin(given, tmp_path / "p", asks(wood, endpoint))
        while len(workers_of(process)) < len(given):
            assert process.poll() is None
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        finish(process, 130)


class TestMoney:
    def test_a_budget_holds_for_all_workers_together(
        self, wood: Path, tmp_path: Path, endpoint: FakeEndpoint, shared: dict[str, str]
    ) -> None:
        limit = 0.06
        endpoint.latency = 0.1
        said = acbench(tmp_path, *asks(wood, endpoint, *RAY, "--budget", f"{limit}"), status=3, **shared).said
        assert 0 < endpoint.dollars <= limit
        assert "questions were not asked; run again to go on" in said and "× budget:" in said
        part = len(questions_of(endpoint))
        assert 0 < part < 24
        acbench(tmp_path, *asks(wood, endpoint, *RAY), **shared)
        counts = questions_of(endpoint)
        assert len(counts) == 24 and set(counts.values()) == {1}

    def test_equal_images_are_asked_about_once(
        self, tmp_path: Path, endpoint: FakeEndpoint, shared: dict[str, str]
    ) -> None:
        root = toy_mvtec_ad(tmp_path / "twins", {"wood": ("hole",)}, train=2, good=1, each=6)
        for number in range(6, 12):  # the same picture, the same mask, under another name
            for folder, name in (("test/hole", "{:03}.png"), ("ground_truth/hole", "{:03}_mask.png")):
                there = root / "wood" / folder
                shutil.copy(there / name.format(0), there / name.format(number))
        endpoint.latency = 0.3
        acbench(tmp_path / "p", *asks(root, endpoint, *RAY), **shared)
        rows = store.read(tmp_path / "p" / LLM, Proposal)
        assert len(rows) == 12 and {each.status for each in rows} == {"ok"}
        counts = questions_of(endpoint)
        assert len(counts) == 6 and set(counts.values()) == {1}

    def test_a_key_that_is_refused_stops_all(self, wood: Path, tmp_path: Path, endpoint: FakeEndpoint) -> None:
        endpoint.plan = lambda number, text: refusal(401, "no such key")
        asked = (*asks(wood, endpoint, *RAY), "--llm-key-env", "MY_KEY")
        said = acbench(tmp_path, *asked, status=1, MY_KEY="sk-secret-key", **NICE).said
        assert "no such key" in said and "sk-secret-key" not in said
        assert len(endpoint.requests) <= 6


class TestRefused:
    def test_without_ray(self, wood: Path, tmp_path: Path) -> None:
        (tmp_path / "ray.py").write_text("raise ImportError('there is no ray')")
        done = acbench(tmp_path / "p", "ingest", "mvtec_ac", "--root", wood, *RAY, status=1, PYTHONPATH=str(tmp_path))
        assert "pip install 'acbench[ray]'" in done.err

    def test_an_address_of_the_client(self, wood: Path, tmp_path: Path) -> None:
        address = "ray://127.0.0.1:10001"
        done = acbench(tmp_path, "ingest", "mvtec_ac", "--root", wood, *RAY, status=1, RAY_ADDRESS=address)
        assert "on a machine of the cluster" in done.err

    def test_no_cluster(self, wood: Path, tmp_path: Path) -> None:
        done = acbench(tmp_path, "ingest", "mvtec_ac", "--root", wood, *RAY, status=1, RAY_ADDRESS="127.0.0.1:1")
        assert "RAY_ADDRESS=127.0.0.1:1" in done.err and "unset RAY_ADDRESS" in done.err

    def test_batches(self, wood: Path, tmp_path: Path, endpoint: FakeEndpoint) -> None:
        done = acbench(tmp_path, *asks(wood, endpoint, *RAY, "--batch"), status=1, **NICE)
        assert "leave --batch or --engine out" in done.err and not endpoint.requests
