"""What one run does, counted by the calls that it makes: each step once, and none for a key alone."""

from __future__ import annotations

import csv
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from acbench.testing import toy_mvtec_ad
from tests.support.commands import ROOT, here_in

STEPS = (
    "data/ingest.py:ingest",
    "review/queue.py:rank",
    "review/resolve.py:machine_labels",
    "review/resolve.py:resolve",
)
MAP = "schema/model.py:Category.map"
IMAGES = 18


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return toy_mvtec_ad(tmp_path / "toy")


@pytest.fixture
def relabel(root: Path, tmp_path: Path) -> Callable[..., Counter[str]]:
    """Runs relabel in one project; counts the calls of acbench's functions, as `path:name`."""

    def run(*arguments: object) -> Counter[str]:
        calls: Counter[str] = Counter()

        def count(frame: FrameType, event: str, argument: Any) -> None:
            path = Path(frame.f_code.co_filename)
            if event == "call" and path.is_relative_to(ROOT / "acbench"):
                calls[f"{path.relative_to(ROOT / 'acbench').as_posix()}:{frame.f_code.co_qualname}"] += 1

        sys.setprofile(count)
        try:
            here_in(tmp_path / "project", "relabel", "mvtec_ac", "--root", root, "--without", "neighbours", *arguments)
        finally:
            sys.setprofile(None)
        return calls

    return run


def test_a_first_run_does_each_step_once(relabel: Callable[..., Counter[str]]) -> None:
    calls = relabel()
    assert {step: calls[step] for step in STEPS} == dict.fromkeys(STEPS, 1)
    assert calls[MAP] == 2 * IMAGES, "the proposer source_label, and the policy, which excludes"


def test_a_run_with_nothing_to_do_asks_for_keys_and_does_no_step(relabel: Callable[..., Counter[str]]) -> None:
    relabel()
    calls = relabel()
    assert {step: calls[step] for step in (*STEPS, MAP)} == dict.fromkeys((*STEPS, MAP), 0) | {STEPS[0]: 1}
    assert calls["storage/tables.py:read"] == 1, "the reviews"
    assert calls["storage/tables.py:write"] == 0


def test_new_decisions_are_resolved_once_and_rank_nothing_anew(
    relabel: Callable[..., Counter[str]], tmp_path: Path
) -> None:
    relabel()
    queue = tmp_path / "project/.acbench/mvtec_ac/queue.csv"
    with queue.open(encoding="utf-8-sig", newline="") as file:
        rows = [{**row, "label": "unsure"} for row in csv.DictReader(file)]
    with queue.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    calls = relabel("--reviews", queue, "--reviewer", "ada")
    assert {step: calls[step] for step in STEPS} == dict.fromkeys(STEPS, 1) | {"review/queue.py:rank": 0}
    assert calls[MAP] <= IMAGES
