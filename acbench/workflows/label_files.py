"""Writes the files of the labels; where each category has its own, only those of categories that have changed."""

from __future__ import annotations

import hashlib
import heapq
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from acbench.records import Label
from acbench.review.resolve import POLICY
from acbench.storage.atomic import write_bytes
from acbench.storage.build import write_json
from acbench.storage.digests import digest, sha256_file
from acbench.storage.git_table import GitTable, part_name
from acbench.storage.stored_rows import fields, grouped, is_large
from acbench.storage.typed_json import any_json, to_json
from acbench.workflows.label_counts import LabelTally
from acbench.workflows.propose import VERSION
from acbench.workflows.run import Run

if TYPE_CHECKING:
    from acbench.workflows.label import Labelled

REASONS = "in plain words"
"""Part of the key of the labels, whose reasons have had other words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelFile:
    """One file of labels as a run left it."""

    key: str
    """A hash of everything that decides its labels."""
    sha256: str
    others: int
    """How many of its labels are of images that the dataset does not hold."""
    tally: Mapping[str, Any]
    """What its labels come to: see `LabelTally.to_json`."""


def write_labels(run: Run, labelled: Labelled, tally: LabelTally) -> list[Path]:
    """Write the labels, and count them; gives the files that have changed."""
    table, labels = labelled.table, labelled.resolved
    keys = _keys(labelled) if is_large(labelled.proposed.dataset.items) else {}
    kept = _kept(run, table, keys)
    made: dict[str, LabelTally] = {}
    with run.console.stage("resolve") as progress:
        paths, others = _others(table, labels, kept)
        if any(part_name(label.item_id) in kept for label in others):  # a merge has put it into another file
            kept = {}
            paths, others = _others(table, labels, kept)
        if count := len(others) + sum(file.others for file in kept.values()):
            run.console.note(f"{count:,} labels of images that are not in this folder stay as they were")
        for path in paths:
            if not run.build.is_untouched(path):
                _save_hand_edits(run, table, path, labels)
        beside: defaultdict[str, list[Label]] = defaultdict(list)
        for label in others:
            beside[part_name(label.item_id)].append(label)
        parts = _parts(labelled, beside, {*kept}, made)
        changed = table.write_parts(parts, kept=[table.part_called(name) for name in kept])
        progress(1, 1)
    for own in (*made.values(), *(LabelTally.from_json(file.tally, run.schema) for file in kept.values())):
        tally.add_all(own)
    files = {
        name: LabelFile(
            key=keys[name],
            sha256=sha256_file(path),
            others=len(beside[name]),
            tally=made[name].to_json(),
        )
        for name in made.keys() & keys.keys()
        if (path := table.part_called(name)).exists()
    }
    write_json(run.files.label_files, {name: to_json(file) for name, file in sorted({**kept, **files}.items())})
    return changed


def _others(
    table: GitTable[Label], labels: Mapping[str, Label], kept: Collection[str]
) -> tuple[list[Path], list[Label]]:
    """The files that are not kept, and the labels in them of images that this folder does not hold.

    These stay: a part of a dataset says nothing about the rest.
    """
    paths = [path for path in table.paths if path.stem not in kept]
    return paths, table.one_of_each(
        label for path in paths for label in table.each_of(path) if label.item_id not in labels
    )


def _keys(labelled: Labelled) -> dict[str, str]:
    """Name of a file → a hash of everything that decides its labels, but for those of images that are not at hand."""
    proposed = labelled.proposed
    dataset = proposed.dataset
    categories: defaultdict[str, set[str]] = defaultdict(set)
    for item_id, category in fields(dataset.items, "item_id", "category"):
        categories[part_name(item_id)].add(category)
    common = digest(VERSION, POLICY, REASONS, proposed.schema.digest)
    of_category = {
        category: (key, proposed.key_of(category), labelled.reviews_keys.get(category, ""))
        for category, key in dataset.keys.items()
    }
    return {name: digest(common, [of_category[each] for each in sorted(own)]) for name, own in categories.items()}


def _kept(run: Run, table: GitTable[Label], keys: Mapping[str, str]) -> dict[str, LabelFile]:
    """The files that stay as they are, by name."""
    found: dict[str, LabelFile] = {}
    before = any_json(run.files.label_files.read_bytes()) if keys and run.files.label_files.exists() else None
    for name, value in before.items() if isinstance(before, dict) else ():
        try:
            file = LabelFile(**value)
            LabelTally.from_json(file.tally, run.schema)
        except (TypeError, ValueError, KeyError, AttributeError):  # of another version, or damaged
            continue
        path = table.part_called(name)
        if keys.get(name) == file.key and run.build.is_untouched(path) and sha256_file(path) == file.sha256:
            found[name] = file
    return found if table.may_keep([table.part_called(name) for name in found]) else {}


def _parts(
    labelled: Labelled, beside: Mapping[str, list[Label]], kept: set[str], made: dict[str, LabelTally]
) -> Iterator[tuple[Path, Iterable[Label]]]:
    """The labels by the file of their category, in the order of the file, with those `beside` of images that are not at
    hand; without files that are kept. `made` counts them."""
    table, labels = labelled.table, labelled.resolved
    items = grouped(labelled.proposed.dataset.items, "item_id", part_name)
    for name in sorted({*items, *beside} - kept):
        own = (labels[item.item_id] for item in items.get(name, ()))
        rows = heapq.merge(own, sorted(beside.get(name, ()), key=table.order), key=table.order)
        made[name] = LabelTally(labelled.proposed.schema)
        yield table.part_called(name), _counted(rows, made[name])


def _counted(labels: Iterable[Label], tally: LabelTally) -> Iterator[Label]:
    for label in labels:
        tally.add(label)
        yield label


def _save_hand_edits(run: Run, table: GitTable[Label], path: Path, labels: Mapping[str, Label]) -> None:
    if all(labels.get(row.item_id, row) == row for row in table.each_of(path)):
        return  # a run that was killed may have written them just before
    name = run.files.project.relative(path)
    data = path.read_bytes()
    copy = run.files.workspace / f"labels-before-{hashlib.sha256(data).hexdigest()[:8]}.jsonl"
    write_bytes(copy, data)
    run.console.note(
        f"{name} is not as the last run here left it; a copy is in {run.files.project.relative(copy)}."
        " To decide a label, give a review: edits of this file are not kept"
    )
