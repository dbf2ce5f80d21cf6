"""Proposers and baselines by name.

A proposer is a module of `acbench.predictors.proposers` whose name is its name, with a function
`build(setup: Setup, argument: str) -> Proposer`; the argument is what follows a colon, as in `table:mvtec_fs`. A
baseline is a module of `acbench.predictors.baselines` with a function `build(setup: BaselineSetup) -> Baseline`.
Other packages add theirs under the entry-point groups `acbench.proposers` and `acbench.baselines`.
"""

from __future__ import annotations

from acbench._util.plugins import Plugins
from acbench.predictors.base import Baseline, BaselineSetup, Proposer, Setup

_PROPOSERS = Plugins("acbench.predictors.proposers", "acbench.proposers", "proposer")
_BASELINES = Plugins("acbench.predictors.baselines", "acbench.baselines", "baseline")


def proposer_names() -> list[str]:
    """Every proposer there is, found without importing any."""
    return _PROPOSERS.names()


def build_proposer(name: str, setup: Setup) -> Proposer:
    """A proposer by name, such as `neighbours` or `table:mvtec_fs`. Raises AcbenchError listing the known ones."""
    module, _, argument = name.partition(":")
    proposer: Proposer = _PROPOSERS.load(module).build(setup, argument)
    return proposer


def baseline_names() -> list[str]:
    """Every baseline there is, found without importing any."""
    return _BASELINES.names()


def build_baseline(name: str, setup: BaselineSetup) -> Baseline:
    """A baseline by name. Raises AcbenchError listing the known ones."""
    baseline: Baseline = _BASELINES.load(name).build(setup)
    return baseline
