"""`acbench velm` from end to end: a real detector on a real backbone, an endpoint on this machine, kills, budgets."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from acbench.records import Prediction
from acbench.storage import tables as store
from acbench.testing import toy_mvtec_ad
from acbench.testing.endpoint import PRICE_IN, PRICE_OUT, FakeEndpoint, last_class
from tests.support.bottles import few_bottles
from tests.support.commands import acbench, killed_at_request, start

PREDICTIONS = ".acbench/mvtec_ac/predictions/velm.parquet"


@pytest.fixture
def endpoint() -> Iterator[FakeEndpoint]:
    with FakeEndpoint() as here:
        here.answer = last_class
        yield here


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Wood, and maps of it that mark the masks."""
    root = toy_mvtec_ad(tmp_path_factory.mktemp("wood"), {"wood": ("hole", "scratch")}, train=6, good=4, each=6)
    maps = tmp_path_factory.mktemp("maps")
    for path in root.glob("wood/t*/*/*.png"):
        highest = 0.1 if path.parent.parent.name == "train" else 0.05
        values = np.random.default_rng(0).uniform(0, highest, (48, 48)).astype(np.float32)
        mask = root / f"wood/ground_truth/{path.parent.name}/{path.stem}_mask.png"
        if path.parent.parent.name == "test" and mask.exists():
            values[np.asarray(Image.open(mask)) > 0] = 1
        target = (maps / path.relative_to(root)).with_suffix(".npy")
        target.parent.mkdir(parents=True, exist_ok=True)
        np.save(target, values)
    return root, maps


def toy_run(toy: tuple[Path, Path], endpoint: FakeEndpoint, *more: str) -> list[str]:
    root, maps = toy
    price = f"{PRICE_IN}/{PRICE_OUT}"
    given = ("velm", "mvtec_ac", "--root", root, "--detector", f"heatmaps:{maps}", "--false-alarms", "0")
    llm = ("--llm", "toy", "--llm-url", endpoint.url, "--llm-price", price, "--concurrency", "1")
    return [*map(str, given), *llm, *more]


def questions(endpoint: FakeEndpoint) -> int:
    """Charged questions about products: those of the test for sight are not counted."""
    return sum(count for text, count in endpoint.paid_by_text.items() if "Product:" in text)


def test_real_bottles_with_a_real_detector(mvtec_ad_root: Path, tmp_path: Path, endpoint: FakeEndpoint) -> None:
    root = few_bottles(mvtec_ad_root, tmp_path / "bottles")
    project = tmp_path / "project"
    llm = ("--llm", "toy", "--llm-url", endpoint.url, "--llm-price", "1/1")
    told = acbench(project, "velm", "mvtec_ac", "--root", root, *llm, "--dry-run").out
    assert "Nothing was asked." in told and "at most $" in told and not endpoint.requests
    assert {path.suffix for path in (project / ".acbench/mvtec_ac/dry-run/velm").iterdir()} == {".txt", ".jpg"}
    facts = acbench(project, "velm", "mvtec_ac", "--json").facts
    rows = store.read(project / PREDICTIONS, Prediction)
    defects = {each.item_id for each in rows if each.calls}
    assert facts["images"] == len(rows) == facts["called_normal"] + facts["asked"]
    assert len(defects) == questions(endpoint) > 8
    assert "normal training images, which may be" in facts["marked_by"]
    assert facts["marked_by"] in acbench(project, "velm", "mvtec_ac").out
    acbench(project, "relabel", "mvtec_ac", "--without", "neighbours")
    score = acbench(project, "score", "mvtec_ac", "--system", "velm", "--json").facts
    assert score["counts"]["pooled"]["items"] == len(rows)
    assert score["scores"]["missed"]["pooled"]["value"] <= 0.2
    assert score["localisation"] == "detector" and "patchcore:efficientnet-lite0@" in score["localisation_detail"]
    with Image.open(project / ".acbench/mvtec_ac/scores/velm/confusion.png") as picture:
        assert min(picture.size) > 300
    acbench(project, "score", "mvtec_ac", "--system", "velm", "--leaderboard")


class TestKilled:
    def test_at_requests_the_next_run_brings_the_same_and_pays_for_no_answer_twice(
        self, toy: tuple[Path, Path], tmp_path: Path, endpoint: FakeEndpoint
    ) -> None:
        acbench(tmp_path / "whole", *toy_run(toy, endpoint))
        expected = (tmp_path / "whole" / PREDICTIONS).read_bytes()
        asked = questions(endpoint)
        assert asked == 12
        endpoint.paid_by_text.clear()
        project = tmp_path / "killed"
        kills = (1, 2, 5, 4)  # at the nth request of a run; two of them ask whether the model sees
        for number in kills:
            killed_at_request(number, start(project, *toy_run(toy, endpoint)), endpoint)
        acbench(project, *toy_run(toy, endpoint))
        assert (project / PREDICTIONS).read_bytes() == expected
        # Only what was under way when it was killed, one question at a time, can have been lost
        assert asked < questions(endpoint) <= asked + len(kills)
        before = questions(endpoint)
        acbench(project, *toy_run(toy, endpoint))
        assert questions(endpoint) == before


class TestMoney:
    def test_a_budget_stops_it_and_the_next_run_goes_on(
        self, toy: tuple[Path, Path], tmp_path: Path, endpoint: FakeEndpoint
    ) -> None:
        arguments = toy_run(toy, endpoint, "--no-canary")
        estimate = acbench(tmp_path, *arguments, "--dry-run", "--json").facts["velm"]
        assert estimate["calls"] == 12 and estimate["cost"] > 0
        acbench(tmp_path, *arguments, "--budget", str(estimate["cost"] / 8), status=3)
        part = questions(endpoint)
        assert 0 < part < 12 and endpoint.dollars <= estimate["cost"] / 8
        rows = store.read(tmp_path / PREDICTIONS, Prediction)
        assert len(rows) == 4 + part
        acbench(tmp_path, *arguments)
        assert questions(endpoint) == 12
        assert max(Counter(endpoint.paid_by_text).values()) <= 12  # all of a category have the same text
        assert len(store.read(tmp_path / PREDICTIONS, Prediction)) == 16


def test_an_oracle_is_recorded_and_no_leaderboard_entry(
    toy: tuple[Path, Path], tmp_path: Path, endpoint: FakeEndpoint
) -> None:
    root, _ = toy
    llm = ("--llm", "toy", "--llm-url", endpoint.url)
    acbench(tmp_path, "velm", "mvtec_ac", "--root", root, "--detector", "oracle", *llm)
    acbench(tmp_path, "relabel", "mvtec_ac", "--without", "neighbours")
    score = ("score", "mvtec_ac", "--system", "velm")
    assert acbench(tmp_path, *score, "--json").facts["localisation"] == "ground_truth"
    refused = acbench(tmp_path, *score, "--leaderboard", status=1)
    assert "that is an oracle, and no leaderboard entry" in refused.err


class TestSystems:
    """Baselines are run when they are scored."""

    def test_once_and_with_what_they_rest_on(self, toy: tuple[Path, Path], tmp_path: Path) -> None:
        root, maps = toy
        acbench(tmp_path, "relabel", "mvtec_ac", "--root", root, "--without", "neighbours", "--category", "wood")
        score = ("score", "mvtec_ac", "--json", "--system")
        majority = acbench(tmp_path, *score, "majority").facts
        assert majority["scores"]["accuracy"] == {
            **majority["scores"]["accuracy"],
            "pooled": {**majority["scores"]["accuracy"]["pooled"], "value": 6 / 16},
        }
        assert majority["scores"]["floor"]["pooled"]["value"] == 6 / 16 and majority["categories"] == ["wood"]
        few = (*score, "few_shot", "--shots", "2", "--detector", f"heatmaps:{maps}")
        first = acbench(tmp_path, *few)
        facts = first.facts
        assert facts["left_out"] == {"references of the system": 4} and facts["references"] == 4
        assert facts["localisation"] == "detector" and facts["counts"]["pooled"]["missing"] == 0
        assert acbench(tmp_path, *few).out == first.out
        assert acbench(tmp_path, "runs", "--json").facts[0]["summary"] == "nothing to do"
        pair = acbench(tmp_path, "score", "mvtec_ac", "--compare", "few_shot", "majority", "--json").facts
        assert pair["items"] == 12

    def test_one_that_has_to_be_asked_first_says_so(self, toy: tuple[Path, Path], tmp_path: Path) -> None:
        done = acbench(tmp_path, "score", "mvtec_ac", "--system", "velm", status=1)
        assert "velm has not answered yet\n  → acbench velm mvtec_ac" in done.err
