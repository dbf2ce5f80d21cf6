"""The prepared script for an accelerator, whole, on whatever this machine has."""

from __future__ import annotations

import subprocess
import sys

from acbench.integrations.torch.runtime import device


def test_the_script_for_an_accelerator_runs_from_start_to_end() -> None:
    command = [sys.executable, "-m", "tests.bench.accelerator", "--small"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(device())
    for part in ("clip tiny", "neighbours: crops", "patchcore: maps", "propose clip with one worker on Ray"):
        assert part in done.stdout
