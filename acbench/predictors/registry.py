"""Finds proposers and baselines by name.

A proposer is a module of `acbench.predictors.proposers`, under the module's name. It has a function
`build(setup: Setup, argument: str) -> Proposer`; the argument is what follows the colon, as in `table:mvtec_fs`. A
baseline is a module of `acbench.predictors.baselines` with a function `build(setup: BaselineSetup) -> Baseline`. Both
raise AcbenchError if something is missing. Other packages add such modules under the entry-point groups
`acbench.proposers` and `acbench.baselines`.
"""

from __future__ import annotations

from acbench._util.plugins import Plugins
from acbench.predictors.base import Baseline, BaselineSetup, Proposer, Setup

_PROPOSERS = Plugins("acbench.predictors.proposers", "acbench.proposers", "proposer")
_BASELINES = Plugins("acbench.predictors.baselines", "acbench.baselines", "baseline")


def proposer_names() -> list[str]:
    """The names of all proposers, found without importing any."""
    return _PROPOSERS.names()


def build_proposer(name: str, setup: Setup) -> Proposer:
    """The proposer of a name such as `neighbours` or `table:mvtec_fs`.

    Raises AcbenchError, for an unknown name with the list of those that exist.
    """
    module, _, argument = name.partition(":")
    proposer: Proposer = _PROPOSERS.load(module).build(setup, argument)
    return proposer


def baseline_names() -> list[str]:
    """The names of all baselines, found without importing any."""
    return _BASELINES.names()


def build_baseline(name: str, setup: BaselineSetup) -> Baseline:
    """The baseline of a name. Raises AcbenchError, for an unknown name with the list of those that exist."""
    baseline: Baseline = _BASELINES.load(name).build(setup)
    return baseline
