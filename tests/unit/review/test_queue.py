"""The queue: the doubtful first, an honest sample last, the same every time."""

from __future__ import annotations

import dataclasses
import math
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from acbench.records import GOOD, Item, Proposal
from acbench.review.audit import AuditSample, AuditSize
from acbench.review.queue import auto_accept_error, is_label_wrong, unsettled
from acbench.stats import rate
from tests.support.records import MVTEC_AC, decides, item, labels_of, rank, ranked_by, says

CLASSES = ("broken_large", "broken_small", "contamination")
Said = dict[str, list[Proposal]]


def agreed(of: Item) -> list[Proposal]:
    return [says(of, name, *of.source_labels) for name in ("source_label", "clip")]


def settled(count: int) -> tuple[list[Item], Said]:
    items = [item(number) for number in range(count)]
    return items, {each.item_id: agreed(each) for each in items}


def sample(items: list[Item], proposals: Said, **how: Any) -> list[str]:
    return [each.item_id for each in ranked_by(items, proposals, MVTEC_AC, **how) if each.why == "audit"]


def mixed() -> tuple[list[Item], Said]:
    """One item of each kind, and one that nobody can use."""
    disputed, unnamed, uncertain, sure, broken = (item(number) for number in range(5))
    broken = dataclasses.replace(broken, problem="cut off")
    proposals = {
        disputed.item_id: [says(disputed, "source_label", CLASSES[2]), says(disputed, "clip", CLASSES[0])],
        unnamed.item_id: [says(unnamed, "source_label")],
        uncertain.item_id: [
            says(uncertain, "source_label", CLASSES[2]),
            says(uncertain, "neighbours", scores={CLASSES[2]: 0.51, CLASSES[0]: 0.49}),
        ],
        sure.item_id: agreed(sure),
    }
    return [sure, broken, uncertain, unnamed, disputed], proposals


class TestOrder:
    def test_the_doubtful_are_one_list_by_their_score_before_the_sample(self) -> None:
        ranked = ranked_by(*mixed(), MVTEC_AC, audit=1)
        assert {each.why for each in ranked[:3]} == {"disputed", "unnamed", "uncertain"}
        assert [each.why for each in ranked[3:]] == ["audit"]
        assert [each.label_issue_score for each in ranked[:3]] == sorted(
            (each.label_issue_score for each in ranked[:3]), reverse=True
        )
        assert all(each.detail for each in ranked)

    def test_the_most_suspect_of_the_disputed_comes_first(self) -> None:
        items = [item(number) for number in range(9)]
        proposals = {}
        for number, each in enumerate(items):
            doubt = (number * 4 % 9 + 1) / 20
            scores = {CLASSES[2]: 0.5 - doubt, CLASSES[0]: 0.5 + doubt}
            against = says(each, "neighbours", CLASSES[0], scores=scores)
            proposals[each.item_id] = [says(each, "source_label", CLASSES[2]), against]
        ranked = ranked_by(items, proposals, MVTEC_AC)
        scores = [each.label_issue_score for each in ranked]
        assert scores == sorted(scores, reverse=True)
        assert len({each.label_issue_score for each in ranked}) == 9

    def test_a_label_that_confident_learning_suspects_is_seen_though_its_witness_abstains(self) -> None:
        unnamed = item(50)
        items = [item(number, label) for label in CLASSES[:2] for number in range(12)]
        proposals = {}
        for each in items:
            (label,) = each.source_labels
            other = CLASSES[1 - CLASSES.index(label)]
            share = 0.03 if each == items[0] else 0.95
            scores = {label: share, other: 1 - share}
            answer = says(each, "neighbours", *([] if each == items[0] else [label]), scores=scores)
            proposals[each.item_id] = [says(each, "source_label", label), answer]
        ranked = ranked_by([unnamed, *items], proposals, MVTEC_AC, audit=0)
        doubtful = [(each.item_id, each.why) for each in ranked if each.why != "settled"]
        assert doubtful == [(items[0].item_id, "suspect"), (unnamed.item_id, "unnamed")]

    def test_what_was_learned_changes_the_order_and_nothing_else(self) -> None:
        items = [item(number, label) for label in CLASSES[:2] for number in range(20)]
        proposals = {}
        for number, each in enumerate(items):
            (label,) = each.source_labels
            other = CLASSES[1 - CLASSES.index(label)]
            share = 0.2 + number / 100 if number % 10 == 0 else 0.9
            scores = {label: share, other: 1 - share}
            answer = says(each, "neighbours", max(scores, key=lambda key: scores[key]), scores=scores)
            proposals[each.item_id] = [says(each, "source_label", label), answer]
        machine = labels_of(items, proposals, [], MVTEC_AC)
        sample = AuditSample(size=AuditSize("share", 0.2))
        last = [each for each in rank(items, proposals, machine, MVTEC_AC, sample) if each.why == "disputed"][-1]
        (answer,) = (each for each in proposals[last.item_id] if each.scores)
        learned = {last.item_id: {label: 0.999 if label in answer.labels else 0.001 for label in answer.scores}}
        before, after = (rank(items, proposals, machine, MVTEC_AC, sample, learned=each) for each in ({}, learned))
        assert after[0].item_id == last.item_id != before[0].item_id
        assert {each.item_id: each.why for each in before} == {each.item_id: each.why for each in after}
        audits = [[each.item_id for each in ranked if each.why == "audit"] for ranked in (before, after)]
        assert audits[0] == audits[1] != []

    @given(st.randoms())
    def test_ranks_are_a_permutation_that_the_order_of_items_does_not_change(self, random: Any) -> None:
        items, proposals = mixed()
        more, others = settled(12)
        items, proposals = [*items, *more[5:]], others | proposals
        first = ranked_by(items, proposals, MVTEC_AC, audit=0.5)
        assert [each.rank for each in first] == list(range(1, len(items)))
        random.shuffle(items)
        assert ranked_by(items, proposals, MVTEC_AC, audit=0.5) == first

    def test_what_cannot_be_used_or_is_left_out_is_not_ranked(self) -> None:
        brush = item(label="defective", category="toothbrush")
        assert ranked_by([brush, item(problem="cut off")], {}, MVTEC_AC) == []

    def test_nothing_to_rank_is_no_error(self) -> None:
        assert ranked_by([], {}, MVTEC_AC) == []


class TestAuditSample:
    @pytest.mark.parametrize("audit", [0, 0.05, 0.1, 0.333, 1])
    def test_its_share_is_the_one_asked_for(self, audit: float) -> None:
        assert len(sample(*settled(61), audit=audit)) == math.ceil(audit * 61)

    def test_it_is_drawn_from_test_images_that_nobody_doubts(self) -> None:
        items, proposals = settled(10)
        items = [
            dataclasses.replace(each, split="train", anomalous=False) if n < 5 else each for n, each in enumerate(items)
        ]
        proposals[items[9].item_id][1] = says(items[9], "clip", CLASSES[0])
        assert sorted(sample(items, proposals, audit=1)) == sorted(each.item_id for each in items[5:9])

    def test_defects_that_are_for_training_are_in_it(self) -> None:
        items, proposals = settled(6)
        items = [dataclasses.replace(each, split="train") for each in items]
        assert len(sample(items, proposals, audit=1)) == 6

    def test_normal_images_are_in_it(self) -> None:
        normal = item(label=None)
        assert sample([normal], {normal.item_id: [says(normal, "source_label", GOOD)]}) == [normal.item_id]

    def test_another_seed_draws_another_one(self) -> None:
        assert set(sample(*settled(60), audit=0.2)) != set(sample(*settled(60), audit=0.2, seed=1))

    def test_a_larger_share_only_adds_to_its_end(self) -> None:
        samples = [sample(*settled(60), audit=audit) for audit in (0.05, 0.1, 0.5, 1)]
        for smaller, larger in pairwise(samples):
            assert larger[: len(smaller)] == smaller

    def test_of_the_old_images_more_images_draw_in_the_same_order(self) -> None:
        old = {each.item_id for each in settled(40)[0]}
        before, after = sample(*settled(40), audit=0.2), sample(*settled(60), audit=0.2)
        kept = [each for each in after if each in old]
        assert kept == before[: len(kept)] or kept[: len(before)] == before


class TestUnseenError:
    ITEMS, SAID = settled(4)
    RANKED = ranked_by(ITEMS, SAID, MVTEC_AC, audit=1)

    def error(self, *decisions: str) -> object:
        """When people say so of the first items."""
        reviews = [decides("ann", of, label) for of, label in zip(self.ITEMS, decisions, strict=False)]
        machine, final = (labels_of(self.ITEMS, self.SAID, made, MVTEC_AC) for made in ([], reviews))
        return auto_accept_error([row.item_id for row in self.RANKED], machine, final)

    def test_it_is_the_share_of_audited_labels_that_people_changed(self) -> None:
        assert self.error("contamination", "broken_small", "contamination") == rate(1, 3)

    def test_before_anybody_looked_nothing_is_known(self) -> None:
        assert self.error() is None

    def test_only_the_sample_counts(self) -> None:
        reviews = [decides("ann", of, "broken_small") for of in self.ITEMS]
        machine, final = (labels_of(self.ITEMS, self.SAID, made, MVTEC_AC) for made in ([], reviews))
        assert auto_accept_error([self.ITEMS[0].item_id], machine, final) == rate(1, 1)

    def test_an_image_that_is_bad_does_not_count_and_one_that_is_unsettled_is_shown(self) -> None:
        verdicts = ("bad_image", "bad_mask", "unsure")
        reviews = [decides("ann", of, verdict=said) for of, said in zip(self.ITEMS, verdicts, strict=False)]
        reviews.append(decides("ann", self.ITEMS[3], "broken_small"))
        machine, final = (labels_of(self.ITEMS, self.SAID, made, MVTEC_AC) for made in ([], reviews))
        audit = [row.item_id for row in self.RANKED]
        assert auto_accept_error(audit, machine, final) == rate(1, 1)
        assert unsettled(audit, final) == 1

    @pytest.mark.parametrize(("verdict", "wrong"), [("bad_image", False), ("bad_mask", False), ("unsure", True)])
    def test_an_image_that_is_bad_is_no_wrong_label(self, verdict: str, wrong: bool) -> None:
        review = decides("ann", self.ITEMS[0], verdict=verdict)
        machine, final = (labels_of(self.ITEMS, self.SAID, made, MVTEC_AC) for made in ([], [review]))
        first, second = (item.item_id for item in self.ITEMS[:2])
        assert is_label_wrong(machine[first].labels, final[first]) is wrong
        assert is_label_wrong(machine[second].labels, final[second]) is None
