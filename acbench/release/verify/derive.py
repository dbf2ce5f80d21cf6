"""Derives from a row's votes and the label schema what the row has to say, and tells where it says something else."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import product
from typing import Any, get_args

from acbench.records import GOOD, PEOPLE, Item, Label, Proposal, Review, Sight, Verdict
from acbench.release.card_facts import named_images
from acbench.release.entries import ReleaseEntry
from acbench.release.manifest import Manifest
from acbench.release.rows import single_class
from acbench.release.tally import RowKind
from acbench.release.verify import history
from acbench.review.resolve import NOBODY, POLICY, resolve_item
from acbench.schema import Schema

MOST_VOTES = 8
"""Witnesses of an image whose votes are still tried out: what a model saw besides is not in the row."""
UNUSABLE = "the image cannot be used"
_SHA256 = re.compile(r"[0-9a-f]{64}")
_FILE = re.compile(r"\bfile@[0-9a-f]+")
_UNKNOWN = "\0"
"""Stands for what a witness gave as its reason, which is not in the row."""


@dataclass
class Derivation:
    """Checks rows against what can be derived from them. `schema`: None if it is not known here."""

    manifest: Manifest
    schema: Schema | None
    undecided: int = 0
    """Rows whose votes could not be resolved anew."""
    _right: set[object] = field(default_factory=set)
    """What was right of a row, and so is of all others that say the same."""

    def problems(self, row: Mapping[str, Any], entry: ReleaseEntry, kind: RowKind) -> Iterator[tuple[str, str]]:
        """Give what a row says and cannot be, by kind and in words."""
        if why := _wrong_hash(row, entry):
            yield "hash", why
        if row["schema_version"] != self.manifest.schema_version:
            said = str(row["schema_version"])[:40]
            yield "schema_version", f"it is of schema version {said!a}, the release of {self.manifest.schema_version}"
        category = self.schema.category(entry.category) if self.schema else None
        if self.manifest.format > 2:  # before, there were numbers alone, and no history
            yield from _names(row, entry)
            if why := _wrong_size(row):
                yield "size", why
            yield from (("history", why) for why in history.problems(row, category))
        votes = row["votes"] or []
        for vote in votes:
            named = (vote["kind"], vote["said"]) == ("dataset", "label")
            if named and (GOOD in (vote["labels"] or ())) == entry.anomalous:
                state = "anomalous" if entry.anomalous else "normal"
                yield "anomalous", f"it is {state}, and the dataset's own vote is {', '.join(vote['labels'])}"
        if self.schema is None:
            return
        if category is None:
            yield "label", f"the schema has no category {entry.category}"
            return
        if strange := sorted(set(entry.labels) - {GOOD, *category.class_ids}):
            yield "label", f"{', '.join(strange)} is no class of {entry.category}"
        elif entry.status == "accepted":
            wanted = self._single_class(entry.category, entry.labels)
            if wanted != entry.label:
                yield "label", f"`label` is {entry.label}, by `labels` it is {wanted}"
        alike = (kind, entry.agreement, entry.reason, entry.image if entry.image in self._named else "")
        if self.manifest.policy != POLICY or alike in self._right:
            return
        before, found = self.undecided, list(self._by_policy(row, entry, votes))
        yield from found
        if not found and self.undecided == before:
            self._right.add(alike)

    @cached_property
    def _single_class(self) -> Callable[[str, tuple[str, ...]], str | None]:
        assert self.schema is not None
        return single_class(self.schema)

    @cached_property
    def _named(self) -> set[str]:
        """Images that the schema settles one by one."""
        return named_images(self.schema) if self.schema else set()

    def _by_policy(
        self, row: Mapping[str, Any], entry: ReleaseEntry, votes: Sequence[Mapping[str, Any]]
    ) -> Iterator[tuple[str, str]]:
        """Resolve the votes anew. What a witness saw besides may be unknown: then any way that fits is right."""
        assert self.schema is not None
        if entry.status == "excluded" and entry.reason.startswith(UNUSABLE) and entry.decided_by == NOBODY:
            self.undecided += 1
            return
        machines = [vote for vote in votes if vote["kind"] != "person"]
        open_ones = [place for place, vote in enumerate(machines) if vote["kind"] != "dataset"]
        if len(open_ones) > MOST_VOTES:
            self.undecided += 1
            return
        item = _item(row, entry)
        try:
            reviews = [_review(vote, entry) for vote in votes if vote["kind"] == "person"]
            first: list[tuple[str, str]] = []
            for from_source in product((False, True), repeat=len(open_ones)):
                started = {place for place, yes in zip(open_ones, from_source, strict=True) if yes}
                proposals = [_proposal(vote, entry, place in started) for place, vote in enumerate(machines)]
                found = list(_differences(entry, resolve_item(item, proposals, reviews, self.schema)))
                if not found:
                    return
                first = first or found
        except (ValueError, KeyError, TypeError, IndexError) as error:
            yield "votes", f"its votes are none that the policy knows: {type(error).__name__}"
            return
        yield from first


def _names(row: Mapping[str, Any], entry: ReleaseEntry) -> Iterator[tuple[str, str]]:
    """Tell where the names beside the numbers are others."""
    pairs = (
        ("category_name", row["category_name"], entry.category),
        ("label_name", row["label_name"], entry.label),
        ("label_names", tuple(row["label_names"] or ()), entry.labels),
    )
    for column, said, wanted in pairs:
        if said != wanted:
            yield "names", f"`{column}` is {str(said)[:80]!a}, by the number beside it {wanted!a}"


def _wrong_size(row: Mapping[str, Any]) -> str:
    for name in ("image", "mask"):
        size = row[f"{name}_size"]
        if size is not None and (size <= 0 or not row[f"{name}_sha256"]):
            return f"the file of its {name} is said to have {size:,} bytes" + ("" if size <= 0 else ", and has no hash")
    return ""


def _wrong_hash(row: Mapping[str, Any], entry: ReleaseEntry) -> str:
    readable = row["width"] and row["height"]
    if (entry.sha256 or readable) and not _SHA256.fullmatch(entry.sha256 or ""):
        return f"its image_sha256 is {entry.sha256[:80]!a}, no hash" if entry.sha256 else "its image has no hash"
    mask, path = row["mask_sha256"], row["mask_path"]
    if bool(mask) != bool(path):
        return "its mask has no hash" if path else "it has the hash of a mask and no mask"
    return f"its mask_sha256 is {mask[:80]!a}, no hash" if mask and not _SHA256.fullmatch(mask) else ""


def _differences(entry: ReleaseEntry, label: Label) -> Iterator[tuple[str, str]]:
    """What differs between a row and the label that its votes give."""
    if entry.status != label.status:
        yield "status", f"it is {entry.status[:40]!a}; by its votes and {POLICY} it is {label.status}"
        return
    labels = () if label.status == "pending" else label.labels
    if entry.labels != labels:
        said, wanted = (", ".join(each) or "none" for each in (entry.labels, labels))
        yield "labels", f"`labels` are {said}; by its votes and {POLICY} they are {wanted}"
    elif _without_files(entry.decided_by) != label.decided_by:
        yield "decided_by", f"it is decided by {entry.decided_by[:80]!a}; by its votes it is {label.decided_by}"
    elif (entry.agreement is None) != (label.agreement is None) or (
        entry.agreement is not None and label.agreement is not None and abs(entry.agreement - label.agreement) > 1e-4
    ):
        yield "agreement", f"its agreement is {entry.agreement}; by its votes it is {label.agreement}"
    elif _UNKNOWN not in label.reason and _opening(entry.reason) != _opening(label.reason):
        yield "reason", f"its reason begins {_opening(entry.reason)[:80]!a}; by its votes {_opening(label.reason)!a}"


def _opening(reason: str) -> str:
    """The first words of a reason, which the policy chooses; what follows are notes, models and probabilities."""
    return re.split(r"[(:;,]", _without_files(reason))[0].strip()


def _without_files(text: str) -> str:
    return _FILE.sub("file", text)


def _item(row: Mapping[str, Any], entry: ReleaseEntry) -> Item:
    return Item(
        item_id=entry.item_id,
        dataset="",
        category=entry.category,
        split="train" if entry.split == "train" else "test",
        image=entry.image,
        sha256=entry.sha256,
        width=row["width"],
        height=row["height"],
        mode="",
        mask=row["mask_path"],
        mask_sha256=row["mask_sha256"],
        anomalous=entry.anomalous,
        source_labels=entry.source_labels,
        licence="",
    )


def _proposal(vote: Mapping[str, Any], entry: ReleaseEntry, from_source: bool) -> Proposal:
    said = vote["said"]
    if said not in ("label", "abstained", "error"):
        raise ValueError(said)
    kinds: dict[str, tuple[str, ...]] = {"dataset": ("source_label",), "table": (PEOPLE,), "file": (), "model": ()}
    return Proposal(
        item_id=entry.item_id,
        proposer=vote["who"],
        labels=tuple(vote["labels"]),
        status="ok" if said == "label" else said,
        rationale=_UNKNOWN,
        reason=_UNKNOWN,
        saw=(*kinds[vote["kind"]], *(("source_label",) if from_source else ())),
        model=vote["model"] or "",
        family=vote["family"] or "",
    )


def _review(vote: Mapping[str, Any], entry: ReleaseEntry) -> Review:
    if vote["said"] not in get_args(Verdict):
        raise ValueError(vote["said"])
    sight: Sight = "none" if vote["blind"] is None else "blind" if vote["blind"] else "seen"
    return Review(
        item_id=entry.item_id, reviewer=vote["who"], round=1, verdict=vote["said"], labels=tuple(vote["labels"]),
        sight=sight,
    )  # fmt: skip
