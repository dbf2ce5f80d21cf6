"""A benchmark in Inspect, with its own mock model: the same question, and the same figures as `acbench score`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from acbench.testing import toy_mvtec_ad
from tests.support.commands import acbench, environment
from tests.support.inspect_mock import PRICE


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Labels of a toy; one of its images is damaged afterwards."""
    folder = tmp_path_factory.mktemp("project")
    root = toy_mvtec_ad(folder / "toy", each=4, good=4)
    acbench(folder, "relabel", "mvtec_ac", "--root", root, "--without", "neighbours")
    (root / "bottle/test/contamination/001.png").write_bytes(b"\x89PNG\r\n\x1a\n damaged")
    return folder


def inspect(folder: Path, *arguments: object, **env: str) -> str:
    """What a program of Inspect prints."""
    command = [sys.executable, "-m", *map(str, arguments)]
    done = subprocess.run(
        command, cwd=folder, env=environment(**env), capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def evaluated(project: Path, folder: Path, **options: str) -> Any:
    """What came of an evaluation by the mock model."""
    given = json.dumps({"benchmark": "mvtec_ac", **options})
    env = {"PYTHONPATH": os.environ.get("PYTHONPATH", "") or str(Path(__file__).parents[2])}
    facts = json.loads(inspect(folder, "tests.support.inspect_mock", project, folder / "logs", given, **env))
    assert facts["status"] == "success" and facts["task"] in ("classify", "acbench/classify") and facts["seen"]
    return facts


def test_its_figures_are_those_of_score(project: Path, tmp_path: Path) -> None:
    made = evaluated(project, tmp_path)
    acbench(None, "export", "answers", made["log"], "--out", tmp_path / "answers.csv")
    facts = acbench(project, "score", "mvtec_ac", tmp_path / "answers.csv", "--json", status=3).facts
    counts = facts["counts"]["pooled"]
    assert counts["items"] == 24 and counts["failed"] == 2, "a question that could not be made, and one that failed"
    assert min(counts[each] for each in ("right", "unparsed", "abstained")) > 0 and counts["missing"] == 0
    for name, scopes in facts["scores"].items():
        for end, mark in (("value", ""), ("low", "_low"), ("high", "_high")):
            assert made["figures"].get(f"{name}{mark}") == scopes["mean"][end], (name, end)
    assert made["figures"]["accuracy_pooled"] == facts["scores"]["accuracy"]["pooled"]["value"]
    assert made["facts"]["hashes"] == {name: facts["hashes"][name] for name in ("labels", "split", "schema")}
    assert facts["cost"]["dollars"] == pytest.approx(PRICE * 22), "one was not asked, and one failed"


def test_the_model_is_asked_the_question_of_the_baseline(project: Path, tmp_path: Path) -> None:
    """In the words of the schema, with pictures that acbench has drawn, and without anything that tells the label."""
    made = evaluated(project, tmp_path, detector="oracle", category="screw")
    assert {sample["category"] for sample in made["samples"]} == {"screw"} and len(made["samples"]) == 12
    assert len(made["seen"]) == 8, "the masks call the others normal"
    for system, user in made["seen"]:
        assert (system["role"], user["role"]) == ("system", "user") and "inspect" in system["text"].lower()
        assert "Which one defect" in user["text"] and "`scratch_head`" in user["text"] and "JSON Schema" in user["text"]
        assert "test/" not in user["text"] and "mvtec_ad-" not in user["text"]
        assert user["pictures"] and all(
            line.startswith("data:image/jpeg") or Path(line).parent.name == "inspect"
            for line in user["pictures"].splitlines()
        )
    normal = [sample for sample in made["samples"] if sample["target"] == "good"]
    assert len(normal) == 4 and all(sample["value"] == 1 for sample in normal)
    assert made["facts"]["localisation"] == "ground_truth"


def test_it_is_found_by_its_name(project: Path, tmp_path: Path) -> None:
    """By the entry point that setup.cfg states."""
    import configparser

    config = configparser.ConfigParser()
    config.read(Path(__file__).parents[2] / "setup.cfg")
    points = config["options.entry_points"]["inspect_ai"].strip()
    installed = tmp_path / "site" / "acbench_of_this_test-1.dist-info"
    installed.mkdir(parents=True)
    (installed / "METADATA").write_text("Metadata-Version: 2.1\nName: acbench-of-this-test\nVersion: 1\n")
    (installed / "entry_points.txt").write_text(f"[inspect_ai]\n{points}\n")
    path = os.pathsep.join(filter(None, (str(tmp_path / "site"), os.environ.get("PYTHONPATH"))))
    shown = inspect(
        tmp_path,
        *("inspect_ai", "eval", "acbench/classify", "--model", "mockllm/model", "--display", "plain"),
        *("-T", "benchmark=mvtec_ac", "-T", "detector=oracle", "-T", f"project={project}", "--no-fail-on-error"),
        *("--log-dir", tmp_path / "logs"),
        PYTHONPATH=path,
    )
    assert "classify (24 samples)" in shown and "accuracy" in shown
    assert list((tmp_path / "logs").glob("*.eval"))


def test_without_inspect_it_is_said_how_to_get_it(tmp_path: Path) -> None:
    (tmp_path / "inspect_ai.py").write_text("raise ImportError('no such library')\n")
    path = os.pathsep.join(filter(None, (str(tmp_path), os.environ.get("PYTHONPATH"))))
    done = acbench(None, "export", "answers", tmp_path / "x.eval", status=1, PYTHONPATH=path)
    assert "no such library" in done.err and "pip install 'acbench[inspect]'" in done.err


def test_another_log_is_refused(tmp_path: Path) -> None:
    other = tmp_path / "x.eval"
    other.write_bytes(b"no log")
    for path, why in ((other, "is no log of Inspect"), (tmp_path / "none.eval", "is not there")):
        assert why in acbench(None, "export", "answers", path, status=1).err
