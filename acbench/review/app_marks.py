"""What people mark in a viewer, as review rows: by tags on an image, or by another class in its label.

A tag that is a class of the image's category decides its label, several decide a set. `good`, `bad_image`, `bad_mask`
and `unsure` decide as in the queue. `recheck`, or `recheck: why`, asks for another look: the image is in the next
queue, before all others, until somebody decides it. `undo` takes back what the reviewer decided about the image in the
viewer. Other tags are people's own business.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from acbench.errors import ReviewError
from acbench.records import GOOD, JOIN, Item, Review, Verdict, is_contradictory, label_set
from acbench.review.csv_queue import VERDICTS
from acbench.review.history import by_item, current_reviews
from acbench.review.queue import UNKNOWN, RankedItem
from acbench.schema import Category, Schema, fold
from acbench.storage.csv_files import names_in

if TYPE_CHECKING:
    from acbench.review.app_records import AppMark

RECHECK, UNDO = "recheck", "undo"
DESK = "fiftyone"
"""How the desk of a review from the viewer begins."""
MANY = 20
"""More images with one mark in one go are taken for a slip: the App tags all in sight if nothing is selected."""
MAX_NOTE = 1000
"""Characters of a note; the rest of a tag is cut off."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectResult:
    """What flags become."""

    reviews: list[Review]
    """New rows only: none for what the reviewer said before."""
    taken: tuple[AppMark, ...]
    """The flags that said something, with only those tags that did."""
    counts: dict[str, int]
    """`decided`, `recheck`, `undone`, and `same`: known already."""
    other_tags: tuple[str, ...]
    """Tags that are neither a class nor a word of ours."""


@dataclass(frozen=True, slots=True)
class _Said:
    verdict: Verdict
    labels: tuple[str, ...] = ()
    note: str = ""
    counts_as: str = "decided"


def collect(
    flags: Iterable[AppMark],
    items: Mapping[str, Item],
    schema: Schema,
    earlier: Sequence[Review],
    *,
    reviewer: str,
    when: str,
    shown: Mapping[str, tuple[str, ...]],
) -> CollectResult:
    """All flags as reviews of one person, or a ReviewError that lists what cannot be taken.

    `when`: UTC, ISO 8601. `shown`: item_id → proposers whose answers were in sight.
    """
    history = by_item(each for each in earlier if each.reviewer == reviewer)
    reviews: list[Review] = []
    taken: list[AppMark] = []
    others: set[str] = set()
    counts = {"decided": 0, RECHECK: 0, "undone": 0, "same": 0}
    problems: list[str] = []
    for flag in sorted(flags, key=lambda each: each.item_id):
        item = items.get(flag.item_id)
        if item is None:
            problems.append(f"{flag.item_id}: there is no such image in this benchmark any more")
            continue
        category = schema.category(item.category)
        ours = tuple(tag for tag in flag.tags if _is_ours(tag, category))
        others |= set(flag.tags) - set(ours)
        if not ours and flag.changed is None:
            continue
        said = _said(replace(flag, tags=ours), category)
        if isinstance(said, str):
            problems.append(f"{item.image}: {said}")
            continue
        earlier_ones = history.get(item.item_id, ())
        desks = [f"{DESK}:{flag.place}"]
        if said.verdict == "withdrawn":
            desks = _standing(earlier_ones)
            if not any(each.desk.startswith(DESK) for each in earlier_ones):
                problems.append(f"{item.image}: {reviewer} has decided nothing about it in the App")
                continue
        taken.append(replace(flag, tags=ours))
        last = next(iter(current_reviews(earlier_ones)), None)
        known = last is not None and (last.verdict, last.labels, last.note) == (said.verdict, said.labels, said.note)
        if known or not desks:
            counts["same"] += 1
            continue
        counts[said.counts_as] += 1
        turn = max((each.round for each in earlier_ones), default=0) + 1
        reviews += (
            Review(
                item_id=item.item_id,
                reviewer=reviewer,
                round=turn,
                verdict=said.verdict,
                labels=said.labels,
                note=said.note,
                shown=shown.get(item.item_id, ()),
                when=when,
                desk=desk,
                schema_version=schema.version,
            )
            for desk in desks
        )
    if problems:
        listed = "\n".join(f"  {each}" for each in problems[:20])
        more = f"\n  and {len(problems) - 20} more" if len(problems) > 20 else ""
        raise ReviewError(
            f"{len(problems)} marks cannot be taken, so none was:\n{listed}{more}",
            "mend them in the App, then collect again",
        )
    return CollectResult(reviews=reviews, taken=tuple(taken), counts=counts, other_tags=tuple(sorted(others)))


def _standing(reviews: Iterable[Review]) -> list[str]:
    """The places in the viewer where a person's decision stands."""
    rows: defaultdict[str, list[Review]] = defaultdict(list)
    for each in reviews:
        if each.desk.startswith(DESK):
            rows[each.desk].append(each)
    return sorted(desk for desk, found in rows.items() if current_reviews(found))


def slip(reviews: Iterable[Review], items: Mapping[str, Item]) -> str:
    """Why new reviews look as if somebody had tagged all in sight by mistake; empty if they do not."""
    by_mark: defaultdict[str, list[Item]] = defaultdict(list)
    for each in reviews:
        mark = JOIN.join(each.labels) or (RECHECK if each.verdict == "unsure" else each.verdict)
        by_mark[mark].append(items[each.item_id])
    for mark, marked in by_mark.items():
        train = sum(item.split == "train" for item in marked)
        if len(marked) > MANY:
            return f"{len(marked):,} images are marked {mark}, {train:,} of them training images"
        if train and mark not in (GOOD, RECHECK, "bad_image", "withdrawn"):
            return f"training images, which are normal, are marked {mark} ({train:,} of them)"
    return ""


def asked_again(reviews: Iterable[Review]) -> dict[str, Review]:
    """item_id → the request for another look that nobody has answered by a decision since."""
    found = {}
    for item_id, rows in by_item(reviews).items():
        current = current_reviews(rows)
        decided = max((each.when for each in current if each.verdict != "unsure"), default="")
        open_ = [each for each in current if each.verdict == "unsure" and each.desk.startswith(DESK)]
        open_ = [each for each in open_ if each.when >= decided]
        if open_:
            found[item_id] = max(open_, key=lambda each: (each.when, each.reviewer))
    return found


def flagged_first(
    queue: Sequence[RankedItem], ranked: Sequence[RankedItem], again: Mapping[str, Review]
) -> list[RankedItem]:
    """The queue with all images in it that somebody wants looked at again, before the others."""
    places = {each.item_id: each for each in ranked}
    flagged = []
    for item_id, review in again.items():
        place = places.get(item_id)
        flagged.append(
            RankedItem(
                item_id=item_id,
                rank=place.rank if place else len(ranked) + 1,  # what is excluded has no rank
                why="flagged",
                label_issue_score=place.label_issue_score if place else UNKNOWN,
                detail=f"{review.reviewer} asks for another look" + (f": {review.note}" if review.note else ""),
            )
        )
    flagged.sort(key=lambda each: (each.rank, each.item_id))
    return [*flagged, *(each for each in queue if each.item_id not in again)]


def _said(flag: AppMark, category: Category | None) -> _Said | str:
    """The decision, or what is wrong with it."""
    if any(map(_is_undo, flag.tags)):
        alone = len(flag.tags) == 1 and flag.changed is None
        return _Said("withdrawn", counts_as="undone") if alone else f"it says {UNDO}, and more: collect one at a time"
    named: dict[str, tuple[str, ...]] = {}
    for tag in flag.tags:
        if not _is_recheck(tag) and not _verdict(tag):
            named[tag] = _classes(tag, category) or ()
    if flag.changed is not None:
        labels = _classes(flag.changed, category)
        if labels is None:
            known = ", ".join([GOOD, *(category.class_ids if category else ())])
            return f"its label was changed to {flag.changed[:100]!r}, which is no class of it ({known})"
        if named and label_set(one for each in named.values() for one in each) != labels:
            return f"its label says {flag.changed[:100]}, its tags say {', '.join(named)}"
        named = {flag.changed: labels}
    labels = label_set(one for each in named.values() for one in each)
    if rechecks := [tag for tag in flag.tags if _is_recheck(tag)]:
        why = "; ".join(text for tag in rechecks if (text := tag.partition(":")[2].strip()))
        maybe = f"perhaps {JOIN.join(labels)}" if labels else ""
        return _Said("unsure", note="; ".join(filter(None, (why, maybe)))[:MAX_NOTE], counts_as=RECHECK)
    verdicts = sorted({verdict for tag in flag.tags if (verdict := _verdict(tag))})
    if len(verdicts) + bool(labels) > 1:
        return f"its tags say both {' and '.join([*verdicts, *([JOIN.join(labels)] if labels else [])])}"
    if verdicts:
        return _Said(verdicts[0])
    if is_contradictory(labels):
        return f"{GOOD} does not go with a defect"
    return _Said("label", labels, f"was {flag.given}" if flag.given and flag.given != JOIN.join(labels) else "")


def _is_ours(tag: str, category: Category | None) -> bool:
    return _is_recheck(tag) or _is_undo(tag) or _verdict(tag) is not None or _classes(tag, category) is not None


def _is_recheck(tag: str) -> bool:
    return fold(tag.partition(":")[0]) == RECHECK


def _is_undo(tag: str) -> bool:
    return fold(tag) == UNDO


def _verdict(tag: str) -> Verdict | None:
    return next((verdict for verdict in VERDICTS if fold(verdict) == fold(tag)), None)


def _classes(text: str, category: Category | None) -> tuple[str, ...] | None:
    """The class ids that a text names, as `names_in` reads what people typed; None if any part is not a class."""
    found = [category.parse(part) if category else None for part in names_in(text, typed=True)]
    return label_set(one for one in found if one) if found and all(found) else None
