"""Ranks what people should look at, and writes the queue with evidence pictures of the images in it."""

from __future__ import annotations

import itertools
import shlex
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from acbench.records import PEOPLE, one_defect
from acbench.review import csv_queue, former, rechecks
from acbench.review import queue as ranking
from acbench.review.audit import AuditSample, AuditSize
from acbench.review.doubt import Doubts, doubts
from acbench.review.history import current_reviews
from acbench.review.outlook import Outlook
from acbench.review.plan import AutoLabels, Commitment, Standing, commit
from acbench.review.queue import RankedItem
from acbench.review.resolve import POLICY
from acbench.review.weighed import TEACHABLE, WeighedItem, taught, weighed_items
from acbench.review.weighing import shared_scalings
from acbench.storage.atomic import write_bytes
from acbench.storage.digests import digest
from acbench.storage.kept_table import KeptTable
from acbench.storage.part_table import PartTable
from acbench.storage.stored_rows import StoredRows, grouped, some
from acbench.storage.typed_json import read_if_there, to_json
from acbench.workflows.evidence import csv_key, draw_queue, drawn, picture_name, soon, undrawn
from acbench.workflows.label import Labelled
from acbench.workflows.plan_report import PlanReport, PlanState, plan_report
from acbench.workflows.propose import VERSION, proposer_setup
from acbench.workflows.run import Run

ERROR = 0.01
"""Share of the accepted labels that may be wrong, unless a plan says otherwise."""
RANKING = f"{VERSION}, one list, plain words"
"""Part of the key of the ranking, which has had other columns and another order."""


@dataclass(frozen=True, kw_only=True)
class Queue:
    """Which images people should look at, and in what order. The ranking is read when it is needed."""

    labelled: Labelled
    table: KeptTable[RankedItem]
    ranking_key: str
    """A hash of everything that decides the ranking."""
    plan: Commitment | None
    """The plan of the benchmark, if one was ever made."""
    seed: int
    """Seed of the audit of a plan that is not made yet."""

    @property
    def key(self) -> str:
        """A hash of everything that decides the queue."""
        return digest(VERSION, self.ranking_key, self.labelled.key, "plan", self.plan and to_json(self.plan))

    @property
    def ranked(self) -> Sequence[RankedItem]:
        """Every image that can be used, ranked."""
        return self.table.rows

    @cached_property
    def waiting(self) -> list[RankedItem]:
        """The images that people should look at and have not decided."""
        decided = self.labelled.decided
        if self.plan_state == "followed":
            undecided = self.outlook.rows
        else:
            whole = itertools.takewhile(lambda row: row.why != "settled", self.ranked)  # these come last
            undecided = [
                row for row in whole if not (row.item_id in decided and decided[row.item_id].decided_by == PEOPLE)
            ]
        requests = rechecks.recheck_requests(self.labelled.reviews)
        flags = {item_id: rechecks.request_words(review) for item_id, review in requests.items() if item_id in decided}
        flags |= {lost.review.item_id: former.flag_words(lost) for lost in self.labelled.lost_classes}
        ranked_open = {row.item_id for row in undecided}
        for item_id, history in self.labelled.reviews_by_item.items():  # also of images that machines had settled
            is_open = item_id in decided and decided[item_id].status == "pending" and bool(current_reviews(history))
            if is_open and item_id not in ranked_open:
                flags.setdefault(item_id, "people have looked at it and not settled it")
        return rechecks.flagged_first(undecided, self.ranked, flags)

    @cached_property
    def audit(self) -> Sequence[str]:
        """The random sample of the auto-accepted labels: that of the plan, or else a share of those nobody doubts."""
        if self.plan_state == "followed":
            return self.outlook.rest[: self.outlook.draws]
        return [row.item_id for row in self.by_why.get("audit", ())]

    @cached_property
    def by_why(self) -> Mapping[str, Sequence[RankedItem]]:
        """The ranked images by why, each by rank."""
        return grouped(self.ranked, "why")

    @property
    def drawn_from(self) -> int:
        """How many labels would be accepted without a look: those that the audit is drawn from, if there is no plan."""
        if self.plan_state == "followed":
            return 0
        return int((~self.standing.questioned).sum())

    # What a plan has to say

    @cached_property
    def standing(self) -> Standing:
        """Where the labels stand."""
        proposed = self.labelled.proposed
        return Standing(
            labels=AutoLabels.of(StoredRows(proposed.files.weighed_items, WeighedItem)),
            ranked=self.ranked,
            items=self.labelled.looked_at,
            final=self.labelled.decided,
        )

    @cached_property
    def doubts(self) -> Doubts:
        """How likely each label that witnesses alone accept is wrong."""
        proposed, standing = self.labelled.proposed, self.standing
        return doubts(
            standing.auto,
            proposed.dataset.items,
            proposed.by_item,
            proposed.machine_labels,
            standing.final,
            proposed.schema,
        )

    @cached_property
    def plan_state(self) -> PlanState:
        """Whether the queue follows a plan, and if not, why."""
        if self.plan is None:
            return "draft"
        if self.plan.dropped:
            return "dropped"
        return "followed" if self.standing.fits(self.plan) else "stale"

    @cached_property
    def outlook(self) -> Outlook:
        """What the plan takes; without one that is followed, what one would take that were made now."""
        plan = self.plan if self.plan and self.plan_state == "followed" else self._new_plan()
        return Outlook(standing=self.standing, commitment=plan, doubt=self.doubts.of_label)

    def plan_report(self) -> PlanReport:
        """What there is to say about the plan."""
        anew = None
        if self.plan_state == "followed" and self.outlook.audited and not self.outlook.holds:
            plan = self._new_plan(anew=True)
            anew = Outlook(standing=self.standing, commitment=plan, doubt=self.doubts.of_label).to_see
        return plan_report(
            self.outlook,
            self.plan_state,
            scored=self.doubts.scored,
            cheaper=anew if anew is not None and anew < self.outlook.to_see else None,
            reviews=self.labelled.reviews,
        )

    def _new_plan(self, *, anew: bool = False) -> Commitment:
        return commit(
            self.standing,
            self.doubts.of_label,
            error=self.plan.error if self.plan else ERROR,
            seed=self.plan.seed if self.plan else self.seed,
            before=self.plan,
            anew=anew,
        )


def read_plan(path: Path) -> Commitment | None:
    """The plan that is kept in a file; None if there is none. Raises StorageError for one that is damaged."""
    back = f"git checkout -- {shlex.quote(str(path))}"
    hint = f"take it from git again: {back}; a plan that is lost cannot be made again"
    return read_if_there(path, Commitment, hint=hint)


def rank(run: Run, labelled: Labelled) -> Queue:
    """Rank the images, unless that was done. What people decided changes the order, never who is in the queue."""
    proposed, settings = labelled.proposed, run.settings
    queue = Queue(
        labelled=labelled,
        table=KeptTable(run.files.ranked_items, RankedItem),
        ranking_key=digest(
            RANKING, proposed.keys, proposed.dataset.key, settings.audit, settings.seed, run.schema.digest, labelled.key
        ),
        plan=read_plan(run.files.plan),
        seed=settings.seed,
    )
    is_ranked = run.build.is_fresh(run.files.ranked_items, queue.ranking_key)
    if not is_ranked:  # whenever it is killed, the ranking of before does not stand beside what was weighed anew
        run.ledger.artifacts.forget(run.files.project.relative(run.files.ranked_items))
    if not is_ranked or not run.build.is_untouched(run.files.weighed_items):
        _weigh(run, labelled)
    run.build.ensure(run.files.ranked_items, queue.ranking_key, lambda _: _write_ranking(run, queue))
    return queue


def write_queue(run: Run, queue: Queue, *, every_picture: bool = False) -> None:
    """Write the queue and the pictures of what is looked at next, or every picture, unless they are there.

    A file that holds answers which are not taken in stays as it is.
    """
    note_stale_plan(run, queue)
    draw_queue(run, queue.labelled.proposed, queue.waiting, every=every_picture)
    if unsaved := _unsaved_answers(run, queue):
        run.console.note(
            f"{run.files.queue} holds {unsaved:,} answers that are not taken in, so it stays as it is."
            f" Take them in: acbench relabel {run.schema.argument} --reviews {run.files.queue}"
        )
        return
    there = drawn(run.files)
    key = csv_key(queue.key, [picture_name(row.item_id) for row in queue.waiting], there)
    run.build.ensure(run.files.queue, key, lambda path: _write_csv(run, queue, path, there))


def is_queue_complete(run: Run, key: str, pictures: Sequence[str]) -> bool:
    """Whether the queue with that key stands as a run left it, with the pictures of what is looked at next.

    `pictures`: the file names of those of all its images.
    """
    there = drawn(run.files)
    return run.build.is_fresh(run.files.queue, csv_key(key, pictures, there)) and there.issuperset(soon(pictures))


def note_stale_plan(run: Run, queue: Queue) -> None:
    """Tell that the queue does not follow its plan, if that is so against anybody's will."""
    if queue.plan_state == "stale":
        command = f"acbench plan {run.schema.argument}"
        run.console.note(f"images, proposals or the schema have changed: the queue follows no plan before {command}")


def _write_ranking(run: Run, queue: Queue) -> None:
    labelled, settings = queue.labelled, run.settings
    weighed = StoredRows(run.files.weighed_items, WeighedItem)
    audit = AuditSample(size=AuditSize.parse(settings.audit), seed=settings.seed)
    queue.table.write(ranking.ranked_rows(weighed, labelled.proposed.dataset.by_id, audit))


def _weigh(run: Run, labelled: Labelled) -> None:
    """Write what witnesses leave to people, of each category of which anything has changed."""
    proposed, decided = labelled.proposed, labelled.decided
    dataset, schema = proposed.dataset, run.schema
    with run.console.stage("rank") as progress:
        learned = _learned(run, labelled)
        said = taught(proposed.by_item, learned)
        scalings = shared_scalings(dataset.items, said, decided, schema)
        taught_here: defaultdict[str, list[object]] = defaultdict(list)
        for item_id, item in some(dataset.by_id, learned.keys()).items():
            taught_here[item.category].append((item_id, learned[item_id]))
        common = digest(RANKING, POLICY, schema.digest, {name: to_json(own) for name, own in scalings.items()})
        keys = {
            category: digest(
                common, key, proposed.key_of(category), labelled.reviews_keys.get(category, ""), taught_here[category]
            )
            for category, key in dataset.keys.items()
        }

        def weigh(category: str) -> Iterator[WeighedItem]:
            return weighed_items(
                dataset.by_category[category],
                schema.category(category),
                proposed.by_item,
                proposed.machine_labels,
                scalings,
                final=decided,
                said=said,
            )

        PartTable(run.files.weighed_items, WeighedItem).ensure(run.build, keys, weigh)
        progress(1, 1)


def _learned(run: Run, labelled: Labelled) -> dict[str, dict[str, float]]:
    """What `neighbours` says once people's decisions have taught it; nothing before the first one."""
    proposed = labelled.proposed
    decided = {
        item_id: one_defect(label.labels) if label.status == "accepted" else ""
        for item_id, label in labelled.decided.items()
        if label.decided_by == PEOPLE
    }
    if not decided or TEACHABLE not in proposed.keys:
        return {}
    from acbench.predictors.proposers import neighbours

    return neighbours.build(proposer_setup(run, proposed.dataset)).learned(proposed.dataset.items, decided)


def _write_csv(run: Run, queue: Queue, path: Path, there: set[str]) -> None:
    labelled, proposed = queue.labelled, queue.labelled.proposed
    missing = undrawn(run.files.benchmark, queue.waiting, there)
    ids = [row.item_id for row in queue.waiting]
    table = csv_queue.queue_csv(
        queue.waiting,
        some(proposed.dataset.by_id, ids),
        some(proposed.by_item, ids),
        some(labelled.labels, ids),
        run.schema,
        missing,
    )
    write_bytes(path, table)


def _unsaved_answers(run: Run, queue: Queue) -> int:
    path = run.files.queue
    if not path.exists() or run.build.is_untouched(path):
        return 0
    return csv_queue.unsaved(path, queue.labelled.proposed.dataset.by_id, run.schema, queue.labelled.reviews)
