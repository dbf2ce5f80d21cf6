"""Runs the VELM baseline over the test images: a detector finds the defect, a multimodal LLM names it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from acbench.data.ingest import Dataset
from acbench.predictors.base import BaselineOptions, BaselineSetup
from acbench.predictors.registry import build_baseline
from acbench.records import GOOD, Prediction
from acbench.schema.views import View
from acbench.storage import tables
from acbench.storage.shard import Shard
from acbench.workflows import shards
from acbench.workflows.baselines import baseline_setup, check_models, predict, provenance, tested
from acbench.workflows.dry_run import DryRunReport, keep_examples
from acbench.workflows.ingest import ingest
from acbench.workflows.run import Run
from acbench.workflows.shards import ShardResult

NAME = "velm"


@dataclass(frozen=True, slots=True, kw_only=True)
class VelmReport:
    """What VELM answered for the images of the test split."""

    images: int
    """Images with a prediction."""
    called_normal: int
    """Images that the detector called normal, so that no question was asked."""
    asked: int
    """Images that a question was asked about."""
    unknown: int
    """Answers that name no class."""
    empty: int
    """Answers that abstain."""
    error: int
    """Questions that failed."""
    not_asked_yet: int
    """Images left for the next run, as the budget was spent or the endpoint did not answer."""
    dollars: float
    """What the kept answers cost, upper bound."""
    marked_by: str
    """What marked the defects and called images normal, and how sure its false-alarm rate is."""
    predictions: Path
    """The table of the predictions."""


def velm(run: Run, view: View, options: BaselineOptions) -> VelmReport:
    """Have VELM answer for every test image that has no answer yet. Raises AcbenchError."""
    dataset, setup = _set_up(run, view, options)
    path = run.files.predictions(NAME)
    if run.retry_errors and any(answer.parse == "error" for answer in tables.read(path, Prediction)):
        path.unlink()  # the ledger has all good answers
    not_asked_yet = predict(run, dataset, NAME, setup)
    answers = tables.read(path, Prediction)
    outcomes = Counter(answer.parse for answer in answers)
    return VelmReport(
        images=len(answers),
        called_normal=sum(answer.labels == (GOOD,) and not answer.calls for answer in answers),
        asked=sum(bool(answer.calls) for answer in answers),
        unknown=outcomes["unknown"],
        empty=outcomes["empty"],
        error=outcomes["error"],
        not_asked_yet=not_asked_yet,
        dollars=run.ledger.calls.dollars(call for answer in answers for call in answer.calls),
        marked_by=provenance(path).detail,
        predictions=path,
    )


def velm_shard(run: Run, shard: Shard, view: View, options: BaselineOptions) -> ShardResult:
    """Have VELM answer for the test images of one shard."""
    dataset, setup = _set_up(run, view, options)
    return shards.predict(run, shard, build_baseline(NAME, setup), NAME, tested(run, dataset))


def velm_dry_run(run: Run, view: View, options: BaselineOptions) -> dict[str, DryRunReport]:
    """What VELM would ask. Asks nothing, but the detector runs, since it decides how many questions there are."""
    from acbench.predictors.baselines import velm as baseline

    dataset, setup = _set_up(run, view, options)
    system = baseline.build(setup)
    with run.console.stage("detect") as progress:
        dry_run = system.dry_run(tested(run, dataset), progress)
    return keep_examples(run.files, {NAME: dry_run})


def _set_up(run: Run, view: View, options: BaselineOptions) -> tuple[Dataset, BaselineSetup]:
    check_models(run, NAME)
    dataset = ingest(run)
    return dataset, baseline_setup(run, dataset, view=view, truth=None, options=options)
