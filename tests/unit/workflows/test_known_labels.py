"""Which labels may be shown to a model: decisions of people, and agreement in which it has no part."""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from acbench.data.images import ImageReader
from acbench.errors import AcbenchError
from acbench.predictors.base import KnownLabel
from acbench.records import GOOD, Item, Proposal, Review
from acbench.storage.project import labels_in, reviews_in
from acbench.storage.shard import Shard
from acbench.testing import MemoryVectors
from acbench.workflows.distributed import Recipe
from acbench.workflows.known_labels import is_shown_labels, known_labels, read_known_labels
from acbench.workflows.llm_models import LlmTable
from acbench.workflows.models import CallOptions
from acbench.workflows.settings import Settings
from tests.support.records import MVTEC_AC, decides, item, says

BOTTLE = item()


def found(proposals: Sequence[Proposal], reviews: Sequence[Review] = (), of: Item = BOTTLE) -> KnownLabel | None:
    labels = known_labels([of], {of.item_id: proposals}, {of.item_id: reviews} if reviews else {}, MVTEC_AC)
    assert len(labels) < 2
    return labels[0] if labels else None


def test_a_decision_of_people_is_known_and_independent() -> None:
    known = found([says(BOTTLE, "source_label", "contamination")], [decides("ann", BOTTLE, "broken_small")])
    assert known == KnownLabel(item=BOTTLE, labels=("broken_small",), by_people=True, from_source=False)


def test_agreeing_witnesses_are_known_with_where_they_come_from() -> None:
    known = found([says(BOTTLE, "source_label", "contamination"), says(BOTTLE, "neighbours", "contamination")])
    assert known is not None and not known.by_people and known.from_source
    others = [says(BOTTLE, "clip", "contamination"), says(BOTTLE, "neighbours", "contamination")]
    known = found(others, of=item(label="unheard_of"))
    assert known is None or not known.from_source


def test_one_witness_alone_is_not_enough() -> None:
    assert found([says(BOTTLE, "source_label", "contamination")]) is None
    same = [
        says(BOTTLE, "source_label", "contamination"),
        says(BOTTLE, "table:x", "contamination", saw=("source_label",)),
    ]
    assert found(same) is None


def test_where_witnesses_or_people_differ_nothing_is_known() -> None:
    differ = [says(BOTTLE, "source_label", "contamination"), says(BOTTLE, "neighbours", "broken_small")]
    assert found(differ) is None
    people = [decides("ann", BOTTLE, "contamination"), decides("bob", BOTTLE, "broken_small")]
    assert found([says(BOTTLE, "source_label", "contamination")], people) is None


def test_what_cannot_be_used_is_not_known() -> None:
    agree = [says(BOTTLE, "source_label", "contamination"), says(BOTTLE, "neighbours", "contamination")]
    assert found(agree, of=item(problem="cut off")) is None
    assert found([], [decides("ann", BOTTLE, verdict="bad_image")]) is None
    normal = item(label=None)
    assert found([says(normal, "source_label", GOOD)], of=normal) is None


def test_those_who_are_shown_labels_are_known_by_name() -> None:
    assert [is_shown_labels(name) for name in ("llm", "llm:big", "llmx", "neighbours")] == [True, True, False, False]


class TestRead:
    """What a run says of proposers that have not answered yet."""

    def read(self, tmp_path: Path, shard: Shard | None = None) -> tuple[list[KnownLabel], list[str]]:
        notes: list[str] = []
        (tmp_path / "source_label").touch()
        run: Any = SimpleNamespace(
            files=SimpleNamespace(
                proposals=lambda name: tmp_path / name,
                reviews_copies=[],
                reviews=reviews_in(tmp_path),
                labels=labels_in(tmp_path),
            ),
            build=SimpleNamespace(is_untouched=lambda _: True),
            shard=shard,
            schema=MVTEC_AC,
            console=SimpleNamespace(note=notes.append),
            reviews=SimpleNamespace(rows=[decides("ann", BOTTLE, "contamination")]),
        )
        dataset: Any = SimpleNamespace(items=[BOTTLE])
        return read_known_labels(run, dataset, ["source_label", "neighbours"], {}), notes

    def test_what_is_missing_is_said(self, tmp_path: Path) -> None:
        known, notes = self.read(tmp_path)
        assert [each.labels for each in known] == [("contamination",)]
        assert notes == ["examples are chosen without neighbours, which have not answered yet"]

    def test_shards_have_to_show_the_same(self, tmp_path: Path) -> None:
        with pytest.raises(AcbenchError, match="answers of neighbours") as caught:
            self.read(tmp_path, Shard(1, 2))
        assert caught.value.hint == "first, on one machine: acbench propose mvtec_ac --proposer neighbours"


def test_a_worker_is_given_what_is_shown() -> None:
    shown = KnownLabel(item=BOTTLE, labels=("contamination",), by_people=True, from_source=False)
    recipe = Recipe(
        schema=MVTEC_AC, settings=Settings(schema="mvtec_ac"), calls=CallOptions(), llms=LlmTable(),
        images=ImageReader(Path("/")), threads=None, shown_labels=(shown,),
    )  # fmt: skip
    home: Any = SimpleNamespace(workers=1, open_log=None, budget=None, run_once=None, vectors=MemoryVectors())
    assert list(pickle.loads(pickle.dumps(recipe)).setup(home).known_labels()) == [shown]
