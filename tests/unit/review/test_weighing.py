"""How likely a label is wrong: by all that witnesses say, and by what they are worth."""

from __future__ import annotations

import tracemalloc
from collections.abc import Sequence

import pytest

from acbench._util.computed import Computed
from acbench.records import Item, Label, Proposal
from acbench.review.resolve import resolve_item
from acbench.review.weighed import UNKNOWN_SCORE, weighed_items
from tests.support.records import MVTEC_AC, decides, item, says, weighed_by

RIGHT, WRONG = "contamination", "broken_small"
Said = dict[str, list[Proposal]]


def issues(items: list[Item], said: Said, decided: dict[Item, str] | None = None) -> dict[str, float]:
    reviews = [decides("ann", of, label) for of, label in (decided or {}).items()]
    return {row.item_id: row.issue for row in weighed_by(items, said, MVTEC_AC, reviews)}


def dataset(count: int) -> tuple[list[Item], Said]:
    """Images whose label `neighbours` confirms, and a table too."""
    items = [item(number, RIGHT) for number in range(count)]
    return items, {each.item_id: [*by_dataset(each, 0.9), says(each, "table", RIGHT)] for each in items}


def by_dataset(of: Item, share: float) -> list[Proposal]:
    """The dataset's label, and `neighbours`, which gives it that share."""
    answer = says(of, "neighbours", RIGHT if share > 0.5 else WRONG, scores={RIGHT: share, WRONG: 1 - share})
    return [says(of, "source_label", RIGHT), answer]


def test_with_the_dataset_and_one_proposer_the_order_is_that_of_self_confidence() -> None:
    shares = [0.99999, 0.9, 0.5, 0.2, 0.001, 0.00001]
    items = [item(number, RIGHT) for number in range(len(shares))]
    found = issues(items, {each.item_id: by_dataset(each, share) for each, share in zip(items, shares, strict=True)})
    values = [found[each.item_id] for each in items]
    assert values == sorted(values) and len(set(values)) == len(values)


def test_a_label_that_a_table_shares_comes_after_one_that_both_contradict() -> None:
    items, said = dataset(20)
    shared, alone = item(50, RIGHT), item(51, RIGHT)
    said[shared.item_id] = [*by_dataset(shared, 0.05), says(shared, "table", RIGHT)]
    said[alone.item_id] = [*by_dataset(alone, 0.2), says(alone, "table", WRONG)]
    found = issues([*items, shared, alone], said)
    assert found[items[0].item_id] < found[shared.item_id] < found[alone.item_id]


def test_a_witness_that_people_find_wrong_weighs_less() -> None:
    items, said = dataset(20)
    against = [item(number, RIGHT) for number in range(50, 80)]
    for each in against:
        said[each.item_id] = [says(each, "source_label", RIGHT), says(each, "table", WRONG)]
    everything, last = [*items, *against], against[-1]
    before = issues(everything, said)[last.item_id]
    table_wrong = issues(everything, said, dict.fromkeys(against[:20], RIGHT))[last.item_id]
    table_right = issues(everything, said, dict.fromkeys(against[:20], WRONG))[last.item_id]
    assert table_wrong < before < table_right


def test_what_people_decided_of_an_image_does_not_count_for_itself() -> None:
    items, said = dataset(10)
    said[items[0].item_id] = [says(items[0], "source_label", RIGHT), says(items[0], "table", WRONG)]
    before = issues(items, said)[items[0].item_id]
    after = issues(items, said, {items[0]: WRONG})[items[0].item_id]
    assert before == pytest.approx(after, abs=0.2)
    assert after < 1


def test_only_labels_of_one_class_of_defect_are_weighed() -> None:
    several, normal, unnamed = item(1, "broken_small"), item(2, None), item(3, "dust")
    said = {
        several.item_id: [says(several, "source_label", RIGHT, WRONG)],
        normal.item_id: [says(normal, "source_label", "good")],
        unnamed.item_id: [says(unnamed, "source_label")],
    }
    assert issues([several, normal, unnamed], said) == dict.fromkeys(said, UNKNOWN_SCORE)


def test_the_order_of_the_images_does_not_matter() -> None:
    items, said = dataset(12)
    assert issues(items, said) == issues(items[::-1], said)


class Made(Sequence[Item]):
    """Images that are made when they are looked at."""

    def __init__(self, count: int) -> None:
        self._numbers = range(count)

    def __len__(self) -> int:
        return len(self._numbers)

    def __getitem__(self, number: int) -> Item:  # type: ignore[override]
        return item(self._numbers[number], RIGHT)


def held(count: int) -> int:
    """Bytes that are in memory at most while so many images of one category are weighed."""
    items, last = Made(count), item(0, RIGHT)

    def answers(key: str) -> list[Proposal]:
        return [*by_dataset(last, 0.6 + int(key[-3:], 16) / 20_000), says(last, "table", RIGHT)]

    def label(key: str) -> Label:
        return resolve_item(last, answers(key), (), MVTEC_AC)

    keys: Sequence[str] = []
    said, machine = (Computed(keys, value, lambda _: {}) for value in (answers, label))
    tracemalloc.start()
    weighed = weighed_items(items, MVTEC_AC.category("bottle"), said, machine, {}, final={}, said=said)
    assert sum(1 for _ in weighed) == count
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return most


def test_an_image_of_a_category_takes_numbers_and_no_records() -> None:
    held(10)  # what is imported now is not imported later
    few, many = held(1_000), held(3_000)
    assert 0 < (many - few) / 2_000 < 300
