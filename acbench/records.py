"""The records that every stage reads and writes.

Plain frozen dataclasses of the standard library. A class label is a *set* of class ids, held as a sorted tuple; the
reserved id `good` stands for a normal image.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

GOOD = "good"
"""The class id of a normal image, in every category."""
JOIN = " + "
"""Between the class ids of a set, wherever people read it."""
PEOPLE = "people"
"""Who decided a label, if people did; and what a proposer saw, if people made its answers."""

Split = Literal["train", "test"]
ProposalStatus = Literal["ok", "abstained", "error"]
LabelStatus = Literal["accepted", "excluded", "pending"]
Verdict = Literal["label", "unsure", "bad_image", "bad_mask", "withdrawn"]
"""`withdrawn` takes back what the same reviewer said at the same `desk` before."""


def item_id(dataset: str, category: str, image: str) -> str:
    """`<dataset>-<category>-<12 hex of blake2b(image)>`: stable, unique, and silent about the label.

    `image` is the path relative to the dataset's root, with forward slashes.
    """
    digest = hashlib.blake2b(image.encode(), digest_size=6).hexdigest()
    return f"{dataset}-{category}-{digest}"


def short_name(proposer: str) -> str:
    """The name of a proposer, `NAME@HASH`, without its hash."""
    return proposer.rpartition("@")[0] or proposer


def label_set(labels: Iterable[str]) -> tuple[str, ...]:
    """The one way to write a set of class ids: sorted, each once."""
    return tuple(sorted(set(labels)))


def is_contradictory(labels: Collection[str]) -> bool:
    """Whether `good` stands beside another class: it excludes all others."""
    return GOOD in labels and len(set(labels)) > 1


def category_of(image: str) -> str:
    """The category of an image by its path relative to the dataset's root: the first folder of it."""
    return image.partition("/")[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One image of a dataset, as found on disk."""

    item_id: str
    """See `item_id()`."""
    dataset: str
    """Name of the source that read it, such as `mvtec_ad`."""
    category: str
    """The object or texture shown, such as `bottle`."""
    split: Split
    """`train` holds normal images only."""
    image: str
    """Path relative to the dataset's root, forward slashes."""
    sha256: str
    """Of the file's bytes, 64 hex digits; empty if the file could not be read."""
    width: int
    """Pixels; 0 if the header could not be read."""
    height: int
    """Pixels; 0 if the header could not be read."""
    mode: str
    """Pillow's name of the pixel format, such as `RGB`; empty if the header could not be read."""
    mask: str | None
    """Path of the anomaly mask relative to the root, or None."""
    mask_sha256: str | None
    """Of the mask file's bytes, or None."""
    anomalous: bool
    """What the dataset says: False for a normal image."""
    source_labels: tuple[str, ...]
    """The dataset's own label strings, untouched, in its order. Empty if the dataset gives none."""
    licence: str
    """SPDX id of the licence of the image."""
    problem: str = ""
    """Why the image cannot be used, or empty."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something about a dataset on disk that a person should know."""

    path: str
    """Relative to the dataset's root; `.` for the root itself."""
    kind: str
    """A stable word, such as `missing_mask` or `duplicate`."""
    detail: str
    """What is wrong, in one sentence."""
    hint: str = ""
    """What to do about it."""
    failed: bool = False
    """True if a file could not be used because of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """What one proposer says about one item."""

    item_id: str
    proposer: str
    """Name, `@`, and 8 hex of everything that decides its answers."""
    labels: tuple[str, ...]
    """Class ids, or empty if it gave no answer."""
    scores: Mapping[str, float] = field(default_factory=dict)
    """Probability per class id, if it has any; they sum to 1."""
    rationale: str = ""
    """One sentence for a person."""
    status: ProposalStatus = "ok"
    reason: str = ""
    """Why it abstained or failed; empty if `ok`."""
    saw: tuple[str, ...] = ()
    """The evidence it used, such as `source_label`, `image`, `mask`, `people`. Proposers that share `source_label`
    are one witness."""
    calls: tuple[str, ...] = ()
    """The calls in the ledger that it took, the one that answered last."""
    schema_version: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Review:
    """What one person decided about one item, once."""

    item_id: str
    reviewer: str
    round: int
    """1 for a reviewer's first decision on the item; a later decision has a higher round and replaces it."""
    verdict: Verdict
    labels: tuple[str, ...]
    """Class ids; empty unless the verdict is `label`."""
    note: str = ""
    shown: tuple[str, ...] = ()
    """Proposers whose answers were in sight; empty if the decision was blind."""
    seconds: float | None = None
    """Time spent, if known."""
    when: str = ""
    """UTC, ISO 8601, to the second."""
    desk: str = ""
    """Where it was decided: `csv`, or an annotation as `label-studio:<project>/<round of the task>/<annotation>`. A
    later row of a reviewer at one desk replaces the earlier one."""
    schema_version: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """The current label of one item, and why it is that."""

    item_id: str
    image: str
    """Path relative to the dataset's root: for people who read the file."""
    labels: tuple[str, ...]
    """Class ids; may be empty while `pending`."""
    status: LabelStatus
    decided_by: str
    """`people`, the names of the proposers that agreed joined by ` + `, or `nobody`."""
    policy: str
    """Name of the rule that decided."""
    agreement: float | None
    """Share of the independent witnesses (or people) that gave exactly this label set; None if there was only one."""
    confidence: float | None
    """Probability that the witnesses' own scores give this label set; None if there are none."""
    reason: str
    """One sentence."""
    licence: str
    """SPDX id of the licence of this row."""
    schema_version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """What one scored system answered for one item."""

    item_id: str
    system: str
    raw: str
    """The answer as it came."""
    labels: tuple[str, ...]
    """Class ids, or empty if it could not be parsed."""
    parse: Literal["ok", "unknown", "empty", "error"]
    detector_score: float | None = None
    calls: tuple[str, ...] = ()
    """As in Proposal."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """One figure of one system."""

    system: str
    scope: str
    """A category, `pooled` (all of them as one) or `mean` (over the categories)."""
    metric: str
    """See `acbench.evaluation.metrics`."""
    value: float
    low: float
    high: float
    """Ends of the 95 % interval."""
    n: int
    """Items that it is a share of."""
    n_unparsed: int
    """Answers in the scope that name no class."""
