"""Compares proposers with each other and with people, from what is kept in the project."""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from pathlib import Path

from acbench.errors import AcbenchError
from acbench.evaluation import plots, proposers
from acbench.evaluation.agreement import AgreementReport, agreement
from acbench.evaluation.proposers import LabelledDataset, ProposerComparison
from acbench.records import PEOPLE
from acbench.review.former import all_as_read
from acbench.review.history import by_item
from acbench.storage.atomic import write_bytes
from acbench.workflows.kept_reviews import kept_reviews
from acbench.workflows.label import Labelled, label, prepare
from acbench.workflows.propose import former_proposals
from acbench.workflows.run import Run


def labelled_dataset(run: Run, labelled: Labelled) -> LabelledDataset:
    """The dataset of a run with its proposals and labels."""
    proposed = labelled.proposed
    return LabelledDataset(
        items=proposed.dataset.items,
        proposals=proposed.by_item,
        labels=labelled.labels,
        schema=run.schema,
        former=former_proposals(run.files, proposed.keys),
    )


def compare(run: Run, labelled: Labelled | None = None, *, people_only: bool | None = None) -> ProposerComparison:
    """Compare the proposers.

    `people_only`: judge by people's decisions only; None to do so if people decided anything, else by all labels.
    """
    labelled = labelled or label(run, prepare(run))
    dataset = labelled_dataset(run, labelled)
    if people_only is None:
        people_only = any(own.decided_by == PEOPLE for own in labelled.decided.values())
    cost = run.ledger.calls.dollars
    return proposers.compare(dataset, people_only=people_only, cost=cost, is_free=partial(_is_free, run))


def _is_free(run: Run, proposer: str) -> bool:
    """Whether the model of a proposer, by its short name, costs nothing; false if the project knows it no more."""
    with suppress(AcbenchError):
        return run.models.llm(proposer.partition(":")[2]).is_free
    return False


def measure_agreement(run: Run) -> AgreementReport:
    """Measure how far people agree with each other and with the proposers."""
    proposed = prepare(run)
    dataset = proposed.dataset
    reviews = all_as_read(kept_reviews(run), dataset.by_id, run.schema)
    return agreement(dataset.items, proposed.by_item, by_item(reviews), run.schema.benchmark)


def draw_comparison(run: Run, compared: ProposerComparison) -> Path:
    """Draw the comparison; gives the path of the picture."""
    picture = run.files.workspace / "compare.png"
    write_bytes(picture, plots.proposer_comparison(compared))
    return picture


def draw_agreement(run: Run, report: AgreementReport) -> Path:
    """Draw the agreement; gives the path of the picture."""
    picture = run.files.workspace / "agreement.png"
    write_bytes(picture, plots.agreement(report))
    return picture
