"""One test for each rule of the policy, and for what must hold whatever the rules are."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from acbench import schema
from acbench.records import GOOD, Item, Label, Proposal, Review
from acbench.review.crowdlab import LikelyClass
from acbench.review.history import current_reviews
from acbench.review.resolve import POLICY, machine_labels, resolve_item
from acbench.review.witnesses import witnesses
from tests.support.records import MVTEC_AC, decides, item, says

BOTTLE = item()
MIXED = item(label="combined", category="wood")
SOURCE = says(BOTTLE, "source_label", "contamination")
MACHINE = says(BOTTLE, "neighbours", "broken_small", scores={"broken_small": 0.9, "contamination": 0.1})
PEOPLE = ("image", "mask", "people")


def label(
    proposals: list[Proposal] | None = None, reviews: list[Review] | None = None, of: Item = BOTTLE, **more: Any
) -> Label:
    return resolve_item(of, proposals or [], reviews or [], MVTEC_AC, **more)


class TestRule1Unreadable:
    def test_an_image_that_cannot_be_read_is_excluded_whatever_people_say(self) -> None:
        found = label([SOURCE], [decides("ann", BOTTLE, "contamination")], of=item(problem="cut off"))
        assert (found.status, found.labels, found.decided_by) == ("excluded", (), "nobody")
        assert "cut off" in found.reason


class TestRule2People:
    def test_one_decision_is_accepted(self) -> None:
        found = label([], [decides("ann", BOTTLE, "broken_large")])
        assert (found.status, found.labels, found.decided_by) == ("accepted", ("broken_large",), "people")
        assert found.agreement is None

    def test_people_override_every_machine(self) -> None:
        found = label([SOURCE, says(BOTTLE, "clip", "contamination")], [decides("ann", BOTTLE, GOOD)])
        assert (found.status, found.labels, found.decided_by) == ("accepted", (GOOD,), "people")

    def test_people_override_what_the_schema_leaves_out(self) -> None:
        brush = item(label="defective", category="toothbrush")
        found = label([], [decides("ann", brush, "defective")], of=brush)
        assert (found.status, found.decided_by) == ("accepted", "people")

    def test_agreeing_reviewers_are_counted(self) -> None:
        reviews = [decides("ann", BOTTLE, "contamination", note="a thread"), decides("bob", BOTTLE, "contamination")]
        found = label([], reviews)
        assert (found.status, found.agreement) == ("accepted", 1.0)
        assert found.reason == "decided by ann (blind), bob (blind): a thread"

    def test_two_who_differ_leave_it_open(self) -> None:
        reviews = [decides("ann", BOTTLE, "contamination"), decides("bob", BOTTLE, "contamination", "broken_small")]
        found = label([SOURCE], reviews)
        assert (found.status, found.labels, found.decided_by) == ("pending", (), "nobody")
        assert found.agreement == 0.5
        assert "bob (blind): contamination + broken_small" in found.reason

    def test_two_thirds_decide_against_the_rest(self) -> None:
        shown = decides("cem", BOTTLE, "contamination", shown=("clip@00000000",))
        reviews = [decides("ann", BOTTLE, "contamination"), shown, decides("bob", BOTTLE, "broken_small", note="no")]
        found = label([SOURCE], reviews)
        assert (found.status, found.labels, found.decided_by) == ("accepted", ("contamination",), "people")
        assert found.agreement == pytest.approx(2 / 3, abs=1e-4)
        assert found.reason == "decided by ann (blind), cem (saw proposals), 2 of 3"

    def test_three_of_five_are_no_such_majority(self) -> None:
        names = ("ann", "bob", "cem", "dot", "eve")
        said = ("contamination",) * 3 + ("broken_small",) * 2
        found = label([], [decides(name, BOTTLE, each) for name, each in zip(names, said, strict=True)])
        assert (found.status, found.agreement) == ("pending", 0.6)

    def test_what_was_withdrawn_counts_no_more(self) -> None:
        said = decides("ann", BOTTLE, "broken_small", desk="label-studio:00000000/1/1")
        back = decides("ann", BOTTLE, verdict="withdrawn", round=2, desk=said.desk)
        bob = decides("bob", BOTTLE, "contamination")
        assert label([], [said, back, bob]).labels == ("contamination",)
        assert label([SOURCE], [said, back]).decided_by == "source_label"

    def test_withdrawing_at_one_desk_leaves_what_was_said_at_another(self) -> None:
        said = decides("ann", BOTTLE, "broken_small", desk="label-studio:00000000/1/1")
        table = decides("ann", BOTTLE, "contamination", round=2, desk="csv")
        back = decides("ann", BOTTLE, verdict="withdrawn", round=3, desk=said.desk)
        assert label([], [said, table, back]).labels == ("contamination",)

    @pytest.mark.parametrize("verdict", ["bad_image", "bad_mask"])
    def test_a_bad_picture_is_excluded(self, verdict: str) -> None:
        found = label([SOURCE], [decides("ann", BOTTLE, verdict=verdict)])
        assert (found.status, found.labels, found.decided_by) == ("excluded", (), "people")

    def test_a_bad_picture_and_a_label_do_not_agree(self) -> None:
        found = label([], [decides("ann", BOTTLE, verdict="bad_image"), decides("bob", BOTTLE, "contamination")])
        assert found.status == "pending"

    def test_unsure_alone_leaves_it_open_even_if_machines_agree(self) -> None:
        found = label([SOURCE, says(BOTTLE, "clip", "contamination")], [decides("ann", BOTTLE, verdict="unsure")])
        assert (found.status, found.decided_by) == ("pending", "nobody")

    def test_unsure_does_not_stand_against_a_decision(self) -> None:
        found = label([], [decides("ann", BOTTLE, verdict="unsure"), decides("bob", BOTTLE, "contamination")])
        assert (found.status, found.reason) == ("accepted", "decided by bob (blind)")

    def test_the_latest_round_counts(self) -> None:
        rounds = [decides("ann", BOTTLE, each, round=n) for n, each in enumerate(("broken_small", "contamination"), 9)]
        assert label([], rounds[::-1]).labels == ("contamination",)

    def test_two_branches_with_the_same_round_give_the_later_in_any_order(self) -> None:
        one = decides("ann", BOTTLE, "contamination", when="2025-01-02T00:00:00+00:00")
        other = decides("ann", BOTTLE, "broken_small", when="2025-01-01T00:00:00+00:00")
        assert current_reviews([one, other]) == current_reviews([other, one]) == [one]

    def test_a_class_that_the_schema_no_longer_has_is_not_accepted(self) -> None:
        found = label([SOURCE], [decides("ann", BOTTLE, "dust")])
        assert (found.status, found.labels) == ("pending", ())
        assert "dust, no class of schema" in found.reason

    @pytest.mark.parametrize("labels", [(), (GOOD, "contamination")])
    def test_a_decision_that_means_nothing_is_not_accepted(self, labels: tuple[str, ...]) -> None:
        assert label([], [decides("ann", BOTTLE, *labels)]).status == "pending"

    def test_the_order_of_classes_in_a_decision_means_nothing(self) -> None:
        both = ("broken_small", "contamination")
        found = label([], [decides("ann", BOTTLE, *both), decides("bob", BOTTLE, *both[::-1])])
        assert (found.status, found.labels) == ("accepted", both)


class TestRule3LeftOut:
    def test_what_the_schema_leaves_out_is_excluded_and_keeps_its_label(self) -> None:
        brush = item(label="defective", category="toothbrush")
        found = label([says(brush, "source_label", "defective")], of=brush)
        assert (found.status, found.labels, found.decided_by) == ("excluded", ("defective",), "source_label")

    def test_a_category_that_the_schema_does_not_have_is_open(self) -> None:
        found = label([], of=item(category="teapot"))
        assert (found.status, found.reason) == ("pending", "the schema has no category teapot")


class TestRule4Witnesses:
    def test_agreeing_witnesses_are_accepted_by_name(self) -> None:
        machine = says(BOTTLE, "neighbours", "contamination", scores={"contamination": 0.8, "broken_small": 0.2})
        found = label([machine, SOURCE])
        assert (found.status, found.labels) == ("accepted", ("contamination",))
        assert (found.decided_by, found.agreement, found.confidence) == ("source_label + neighbours", 1.0, 0.8)

    def test_differing_witnesses_leave_it_open_with_the_label_of_the_dataset(self) -> None:
        found = label([MACHINE, SOURCE])
        assert (found.status, found.labels, found.decided_by) == ("pending", ("contamination",), "nobody")
        assert found.agreement == 0.5
        assert "source_label says contamination; neighbours says broken_small (0.90)" in found.reason

    def test_differing_witnesses_get_the_class_that_weighing_finds_likeliest(self) -> None:
        likely = LikelyClass(item_id=BOTTLE.item_id, label="broken_small", probability=0.7, decisions=30)
        found = label([MACHINE, SOURCE], likely=likely)
        assert (found.status, found.labels, found.confidence) == ("pending", ("broken_small",), 0.7)

    def test_who_started_from_the_source_label_is_no_second_witness(self) -> None:
        copy = says(BOTTLE, "table", "contamination", saw=("source_label", "people"))
        found = label([SOURCE, copy])
        assert (len(witnesses([SOURCE, copy])), found.agreement) == (1, None)
        assert (found.status, found.decided_by) == ("accepted", "source_label + table")

    def test_who_started_from_the_source_label_and_left_it_differs(self) -> None:
        found = label([SOURCE, says(BOTTLE, "table", "broken_small", saw=("source_label", "people"))])
        assert found.status == "pending"

    def test_a_published_class_of_several_sets_is_one_answer_of_the_dataset(self) -> None:
        visa = schema.load("visa_ac").categories["capsules"]
        one, other = next(each.sets[:2] for each in visa.published if len(each.sets) > 1)
        copies = [says(BOTTLE, "source_label", *one), says(BOTTLE, "table", *other, saw=("source_label",))]
        assert len(witnesses(copies, visa)) == 1
        assert len(witnesses(copies)) == 2

    def test_who_abstains_or_fails_is_no_witness(self) -> None:
        failed = says(BOTTLE, "clip", status="error", reason="out of memory")
        found = label([SOURCE, says(BOTTLE, "neighbours"), failed])
        assert (found.status, found.decided_by) == ("accepted", "source_label")

    def test_if_nobody_answers_it_is_open_and_everybodys_reason_is_told(self) -> None:
        found = label([says(BOTTLE, "neighbours"), says(BOTTLE, "source_label", reason="mixed")])
        assert (found.status, found.labels) == ("pending", ())
        assert "source_label: mixed; neighbours: cannot tell" in found.reason


class TestRule4Families:
    """Models of one family are one witness as long as they name the same set."""

    @staticmethod
    def model(name: str, family: str, *labels: str) -> Proposal:
        return says(BOTTLE, name, *labels, model=f"{name}-v1", family=family)

    def test_two_of_one_family_are_no_second_witness(self) -> None:
        both = [self.model(name, "openai", "contamination") for name in ("llm:a", "llm:b")]
        assert len(witnesses(both)) == 1
        found = label(both)
        assert (found.status, found.agreement) == ("pending", None), "a machine alone decides nothing"
        assert "llm:a (llm:a-v1) + llm:b (llm:b-v1) [one witness: family openai]" in found.reason
        with_dataset = label([SOURCE, *both])
        assert with_dataset.reason.startswith("2 independent witnesses agree")
        assert with_dataset.decided_by == "source_label + llm:a + llm:b"

    def test_two_of_different_families_are_two(self) -> None:
        both = [self.model("llm:a", "openai", "contamination"), self.model("llm:b", "qwen", "contamination")]
        found = label(both)
        assert (found.status, found.agreement) == ("accepted", 1.0)
        assert found.reason == "2 independent witnesses agree: llm:a (llm:a-v1) + llm:b (llm:b-v1)"

    def test_two_of_one_family_that_differ_are_disputed(self) -> None:
        both = [self.model("llm:a", "openai", "contamination"), self.model("llm:b", "openai", "broken_small")]
        found = label([SOURCE, *both])
        assert found.status == "pending" and "witnesses differ" in found.reason
        assert found.agreement == pytest.approx(2 / 3, abs=1e-4)

    def test_proposers_of_no_family_are_not_of_one(self) -> None:
        assert len(witnesses([says(BOTTLE, "a", "contamination"), says(BOTTLE, "b", "contamination")])) == 2

    def test_a_copy_of_what_saw_the_dataset_s_label_joins_both(self) -> None:
        """Whoever speaks with two voices makes them one."""
        copy = says(BOTTLE, "file:x", "contamination", saw=("source_label",), family="openai")
        assert len(witnesses([SOURCE, copy, self.model("llm:a", "openai", "contamination")])) == 1


class TestRule5TheDatasetAlone:
    def test_it_is_accepted_and_said_to_stand_alone(self) -> None:
        found = label([SOURCE])
        assert (found.status, found.agreement) == ("accepted", None)
        assert found.reason == "the dataset's own label; no second witness"

    def test_a_normal_image_is_normal(self) -> None:
        normal = item(label=None)
        found = label([says(normal, "source_label", GOOD)], of=normal)
        assert (found.status, found.labels, found.reason) == (
            "accepted",
            (GOOD,),
            "normal by the dataset; no second witness",
        )


class TestRule6NoClassInTheDataset:
    def test_a_machine_alone_leaves_it_open_with_what_it_says(self) -> None:
        found = label([says(MIXED, "source_label"), says(MIXED, "neighbours", "hole", "scratch")], of=MIXED)
        assert (found.status, found.labels, found.decided_by) == ("pending", ("hole", "scratch"), "nobody")

    def test_people_who_name_several_classes_are_enough(self) -> None:
        found = label([says(MIXED, "table", "hole", "scratch", saw=PEOPLE)], of=MIXED)
        assert (found.status, found.labels, found.decided_by) == ("accepted", ("hole", "scratch"), "table")

    def test_people_who_name_only_one_are_not(self) -> None:
        found = label([says(MIXED, "table", "hole", saw=PEOPLE)], of=MIXED)
        assert (found.status, found.labels) == ("pending", ("hole",))

    def test_two_independent_witnesses_are_enough(self) -> None:
        found = label([says(MIXED, name, "hole", "scratch") for name in ("neighbours", "clip")], of=MIXED)
        assert (found.status, found.agreement) == ("accepted", 1.0)


SETS = st.sets(st.sampled_from(["broken_large", "broken_small", "contamination"]), max_size=2).map(sorted)
PROPOSALS = st.lists(
    st.builds(
        lambda name, labels, family: says(BOTTLE, name, *labels, family=family),
        st.sampled_from(["source_label", *"abc"]),
        SETS,
        st.sampled_from(["", "x", "y"]),
    ),
    unique_by=lambda each: each.proposer,
)
REVIEWS = st.lists(
    st.builds(
        lambda who, said, number: decides(who, BOTTLE, *said, round=number, verdict="label" if said else "unsure"),
        st.sampled_from("xyz"),
        SETS,
        st.integers(1, 2),
    )
)


class TestAlways:
    @given(PROPOSALS, REVIEWS, st.randoms())
    def test_the_order_of_what_is_said_does_not_matter(self, proposals: Any, reviews: Any, random: Any) -> None:
        first = label(proposals, reviews)
        random.shuffle(proposals)
        random.shuffle(reviews)
        assert label(proposals, reviews) == first

    @given(PROPOSALS, REVIEWS)
    def test_there_is_a_reason_and_machines_change_nothing_that_people_decided(
        self, proposals: Any, reviews: Any
    ) -> None:
        found = label(proposals, reviews)
        assert found.reason and found.policy == POLICY
        assert found.labels or found.status != "accepted"
        if reviews:
            assert found == label([], reviews)

    def test_every_item_has_a_label_in_the_order_of_the_items(self) -> None:
        items = [item(number) for number in range(5)]
        proposals = {each.item_id: [says(each, "source_label", "contamination")] for each in items[:3]}
        labels = machine_labels(items, proposals, MVTEC_AC)
        assert list(labels) == [each.item_id for each in items]
        assert [each.status for each in labels.values()] == ["accepted"] * 3 + ["pending"] * 2
