"""A plan keeps its promise, whoever looks whenever, and whatever the scores are worth."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Iterable, Mapping

import pytest

from acbench.records import Item, Label, Proposal, Review
from acbench.review.outlook import Outlook
from acbench.review.plan import AutoLabels, Commitment, Standing, alpha_of, choose_cut, commit, is_begun
from tests.support.lazy import lazy
from tests.support.records import MVTEC_AC, decides, item, labels_of, ranked_by, says, weighed_by

np = lazy("numpy")

RIGHT, OTHER = "broken_large", "contamination"
ITEMS = [item(number, RIGHT) for number in range(300)]
SAID = {of.item_id: [says(of, name, RIGHT) for name in ("source_label", "clip")] for of in ITEMS}
IDS = [of.item_id for of in ITEMS]
WRONG = frozenset(random.Random(0).sample(IDS, 15))
DOUBT = {item_id: 0.4 if item_id in WRONG else 0.001 for item_id in IDS}
"""Doubts that know the wrong labels."""
BLIND = dict.fromkeys(IDS, 0.01)
"""Doubts that do not."""


def standing(
    reviews: Iterable[Review] = (), items: list[Item] = ITEMS, said: Mapping[str, list[Proposal]] = SAID
) -> Standing:
    """Where the labels stand after some reviews."""
    return Standing(
        labels=AutoLabels.of(weighed_by(items, said, MVTEC_AC)),
        ranked=ranked_by(items, said, MVTEC_AC),
        items={of.item_id: of for of in items},
        final=labels_of(items, said, list(reviews), MVTEC_AC),
    )


def truly(item_ids: Iterable[str], wrong: Iterable[str] = WRONG) -> list[Review]:
    """What a person decides who is right."""
    by_id = dict(zip(IDS, ITEMS, strict=True))
    known = frozenset(wrong)
    return [decides("ann", by_id[key], OTHER if key in known else RIGHT) for key in item_ids]


def outlook(
    plan: Commitment, reviews: Iterable[Review] = (), doubt: Mapping[str, float] = DOUBT, now: Standing | None = None
) -> Outlook:
    return Outlook(standing=now or standing(reviews), commitment=plan, doubt=doubt)


def planned(error: float = 0.02, doubt: Mapping[str, float] = DOUBT, **how: int) -> Commitment:
    return commit(standing(), doubt, error=error, seed=how.get("seed", 0))


START = standing()


class TestCut:
    def test_what_is_likely_wrong_is_seen_and_the_rest_is_drawn_from(self) -> None:
        doubt = np.array([0.5] * 20 + [0.001] * 980)
        cut = choose_cut(doubt, 10, 0.04)
        assert 10 <= cut.doubtful <= 40
        assert cut.doubtful + cut.audit < 400

    def test_scores_that_tell_nothing_have_nobody_see_the_doubtful_first(self) -> None:
        cut = choose_cut(np.full(1000, 0.003), 10, 0.04)
        assert cut.doubtful == 0 and cut.audit < 600

    def test_where_hardly_any_error_is_allowed_all_are_seen(self) -> None:
        cut = choose_cut(np.full(50, 0.01), 0.5, 0.04)
        assert cut.doubtful + cut.audit == 50

    def test_nothing_is_cut_of_nothing(self) -> None:
        assert choose_cut(np.empty(0), 0, 0.04).doubtful == 0


def test_all_plans_together_fail_at_most_as_often_as_is_said() -> None:
    assert sum(alpha_of(number) for number in range(1, 200)) == pytest.approx(0.05)


@pytest.mark.parametrize("doubt", [DOUBT, BLIND], ids=["good scores", "useless scores"])
@pytest.mark.parametrize("seed", range(3))
def test_people_who_follow_the_queue_end_with_what_was_promised(doubt: Mapping[str, float], seed: int) -> None:
    plan, reviews, now = planned(doubt=doubt, seed=seed), list[Review](), START
    for _ in range(60):
        view = outlook(plan, doubt=doubt, now=now)
        if not view.rows:
            break
        reviews += truly(row.item_id for row in view.rows[:25])
        now = dataclasses.replace(now, final=labels_of(ITEMS, SAID, reviews, MVTEC_AC))
    assert view.holds and view.at_most <= 0.02 * len(ITEMS)
    assert len(WRONG - {review.item_id for review in reviews}) <= view.at_most
    assert len(reviews) < (230 if doubt is DOUBT else 301)


def test_the_queue_is_the_doubtful_then_the_draw_then_nothing() -> None:
    view = outlook(planned())
    whys = [row.why for row in view.rows]
    assert whys == ["doubtful"] * len(view.doubtful) + ["audit"] * len(view.audit)
    assert set(view.doubtful) >= WRONG
    assert [row.rank for row in view.rows] == list(range(1, len(whys) + 1))
    assert view.everything == 300 > len(whys)
    assert view.expected_errors == pytest.approx(sum(DOUBT[row.item_id] for row in view.rows))


def test_a_label_that_nobody_looked_at_may_be_wrong() -> None:
    view = outlook(planned())
    assert not view.holds and view.at_most == 300


def test_nothing_changes_a_plan_whose_audit_was_looked_at_but_the_error() -> None:
    plan = planned()
    now = standing(truly(outlook(plan).rest[:1]))
    assert is_begun(now, plan)
    assert commit(now, BLIND, error=0.02, seed=7, before=plan) == plan
    assert commit(now, BLIND, error=0.05, seed=7, before=plan) == dataclasses.replace(plan, error=0.05)


def test_before_that_it_learns_and_costs_nothing() -> None:
    plan = planned(doubt=BLIND)
    assert commit(START, DOUBT, error=0.02, seed=0, before=plan) == planned()


def test_a_new_plan_begins_its_audit_anew_with_less_that_may_go_wrong() -> None:
    plan = planned()
    seen = [*outlook(plan).doubtful, *outlook(plan).rest[:40]]
    now = standing(truly(seen))
    again = commit(now, DOUBT, error=0.02, seed=0, before=plan, anew=True)
    assert again.number == 2 and again.alpha < plan.alpha
    assert set(again.people) >= set(seen)
    assert outlook(again, now=now).audited == []


def test_a_plan_for_other_labels_promises_nothing_about_these() -> None:
    plan = planned()
    said = dict(SAID)
    changed = outlook(plan).rest[0]
    of = ITEMS[IDS.index(changed)]
    said[changed] = [says(of, name, OTHER) for name in ("source_label", "clip")]
    assert standing().fits(plan)
    assert not standing(said=said).fits(plan)
    assert not standing(items=ITEMS[:-50]).fits(plan)


def test_behind_a_gap_of_the_draw_nothing_counts_but_that_it_is_right_now() -> None:
    plan = planned()
    rest = outlook(plan).rest
    view = outlook(plan, truly(rest[1:80]))
    assert (view.audited, len(view.beyond)) == ([], 79)
    assert view.at_most == 300 - 79
    assert view.audit[0] == rest[0]
    assert len(outlook(plan, truly(rest[:80])).audited) == 80


def test_a_bad_image_is_no_error_and_doubt_of_people_is_one() -> None:
    plan = planned()
    first, second, third = (ITEMS[IDS.index(key)] for key in outlook(plan).rest[:3])
    reviews = [
        decides("ann", first, verdict="bad_mask"),
        decides("ann", second, verdict="unsure"),
        decides("ann", third, RIGHT),
    ]
    view = outlook(plan, reviews)
    assert (len(view.audited), view.found) == (3, 1)
    assert (view.rows[0].why, view.rows[0].detail) == ("audit", "unsure: ann")
    assert view.rows[0].item_id == second.item_id, "it has no label now, and only people can give one"


def test_an_audit_that_began_before_the_plan_counts() -> None:
    audit = [row.item_id for row in START.ranked if row.why == "audit"]
    now = standing(truly(audit, wrong=()))
    plan = commit(now, DOUBT, error=0.02, seed=0)
    assert outlook(plan, now=now).audited == audit
    assert commit(now, BLIND, error=0.02, seed=0) == plan, "the cut is not chosen by what may be known from the audit"
    assert outlook(commit(now, DOUBT, error=0.02, seed=0, anew=True), now=now).audited == []


def test_the_curve_falls_from_now_to_nothing() -> None:
    view = outlook(planned())
    assert view.curve[0].images == 0 and view.curve[-1].images == view.everything
    assert view.curve[-1].expected == view.curve[-1].bound == 0
    for one, other in zip(view.curve, view.curve[1:], strict=False):
        assert one.images < other.images and one.expected >= other.expected and one.bound >= other.bound
    end = next(point for point in view.curve if point.images >= len(view.rows))
    assert end.bound <= 0.02


def test_images_without_a_label_come_first_and_stay_when_the_promise_holds() -> None:
    silent = [item(number + 900, RIGHT) for number in range(3)]
    said = SAID | {of.item_id: [says(of, "source_label")] for of in silent}
    now = standing(items=[*ITEMS, *silent], said=said)
    plan = commit(now, DOUBT, error=0.02, seed=0)
    view = outlook(plan, now=now)
    assert [row.why for row in view.rows][:4] == ["unnamed"] * 3 + ["doubtful"]
    seen = [*view.doubtful, *view.audit]
    after = dataclasses.replace(
        now, final=labels_of([*ITEMS, *silent], said, truly(seen, wrong=WRONG & set(view.doubtful)), MVTEC_AC)
    )
    done = outlook(plan, now=after)
    assert done.holds and [row.why for row in done.rows] == ["unnamed"] * 3


def test_no_label_at_all_is_no_error() -> None:
    none = Standing(labels=AutoLabels.of([]), ranked=[], items={}, final=dict[str, Label]())
    view = outlook(commit(none, {}, error=0.01, seed=0), doubt={}, now=none)
    assert view.holds and view.rows == []
    assert [point.images for point in view.curve] == [0]
