"""The records that every step reads and writes: an image, and what proposers, people and systems say about it.

A label is a *set* of class ids, held as a sorted tuple. The reserved id `good` stands for a normal image.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Literal

GOOD = "good"
"""The class id of a normal image, in every category."""
JOIN = " + "
"""Between the class ids of a set, wherever people read it."""
MASKS = "|"
"""Between the paths of the masks of one image. No system that acbench reads from is likely to have it in a name."""
PEOPLE = "people"
"""Stands in `Label.decided_by` if people decided, and in `Proposal.saw` if people made a proposer's answers."""

Split = Literal["train", "test"]
Reading = Mapping[str, str | tuple[str, ...]]
"""Options of a source: how a dataset lies on disk."""
ProposalStatus = Literal["ok", "abstained", "error"]
LabelStatus = Literal["accepted", "excluded", "pending"]
Box = tuple[int, int, int, int]
"""A rectangle in pixels of an image: left, top, right, bottom; the last two are the first column and row after it."""
SPARSE: Mapping[str, Any] = {"sparse": True}
"""Metadata of a field that few records have: where it is empty, tables and keys are what they are without the field."""
Verdict = Literal["label", "unsure", "bad_image", "bad_mask", "withdrawn"]
"""`withdrawn` takes back an earlier decision of the same reviewer at the same `desk`."""
Sight = Literal["", "seen", "available", "earlier", "blind", "none"]
"""What a reviewer could know of proposals. `seen`: they stood beside the picture. `available`: they lay folded there,
and whether anybody unfolded them is not known. `earlier`: they were hidden, and in reach when the same person decided
about the image before. `blind`: hidden, and never in reach. `none`: nothing was proposed. Empty: a row of an earlier
version, which kept only `shown`."""


MADE_ID = re.compile(r"(.+)-[0-9a-f]{12}")
"""An id that `item_id` made."""


def item_id(dataset: str, category: str, image: str) -> str:
    """The id of an image: `<dataset>-<category>-<12 hex of blake2b(image)>`. It does not tell the label.

    `image` is the path relative to the dataset's root, with forward slashes.
    """
    digest = hashlib.blake2b(image.encode(), digest_size=6).hexdigest()
    return f"{dataset}-{category}-{digest}"


def short_name(proposer: str) -> str:
    """The name of a proposer, `NAME@HASH`, without its hash."""
    return proposer.rpartition("@")[0] or proposer


def shown_names(proposers: Iterable[str]) -> dict[str, str]:
    """Full name of a proposer → how it is called beside the others: without its hash, unless two would be the same."""
    names = sorted(set(proposers))
    counts = Counter(map(short_name, names))
    return {name: short_name(name) if counts[short_name(name)] == 1 else name for name in names}


def label_set(labels: Iterable[str]) -> tuple[str, ...]:
    """A set of class ids as records hold it: sorted, each once."""
    return tuple(sorted(set(labels)))


def one_defect(labels: Sequence[str]) -> str:
    """The class of defect that labels name, if they name exactly one and not `good`; else empty."""
    return labels[0] if len(labels) == 1 and labels[0] != GOOD else ""


def is_contradictory(labels: Collection[str]) -> bool:
    """Whether `good` stands beside another class: it excludes all others."""
    return GOOD in labels and len(set(labels)) > 1


def category_of(item_id: str, image: str, categories: Collection[str] = ()) -> str:
    """The category of an item, of which only its id and its path are known.

    It is the one of `categories` that the id names, as the path of an image need not begin with it. Failing that, it is
    the first folder of the path, unless the id, made by `item_id()`, names another.
    """
    first = image.partition("/")[0]
    made = MADE_ID.fullmatch(item_id)
    if made is None:
        return first
    named = [each for each in (*categories, first) if made[1].endswith(f"-{each}")]
    return max(named, key=len) if named else made[1].partition("-")[2] or first  # one name may end as another does


def united(masks: Iterable[str]) -> str:
    """The paths of the masks of one image as one text, for `Item.mask`."""
    return MASKS.join(masks)


def mask_files(mask: str) -> tuple[str, ...]:
    """The paths of the files that `Item.mask` names."""
    return tuple(mask.split(MASKS))


def mask_hash(hashes: Sequence[str]) -> str:
    """The hash of a mask, or of several masks of one image, of which each has one: see `Item.mask_sha256`."""
    return hashes[0] if len(hashes) == 1 else hashlib.sha256("".join(hashes).encode()).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One image of a dataset, as found on disk."""

    item_id: str
    """Made by `item_id()`."""
    dataset: str
    """Name of the dataset's source, such as `mvtec_ad`."""
    category: str
    """The object or texture shown, such as `bottle`."""
    split: Split
    """A detector learns from the normal images of `train`; classes may be there too."""
    image: str
    """Path relative to the dataset's root, with forward slashes."""
    sha256: str
    """SHA-256 of the file, 64 hex digits; empty if the file could not be read."""
    width: int
    """Pixels; 0 if the header could not be read."""
    height: int
    """Pixels; 0 if the header could not be read."""
    mode: str
    """Pillow's name of the pixel format, such as `RGB`; empty if the header could not be read."""
    mask: str | None
    """Path of the anomaly mask relative to the root, or None. Several are joined by `MASKS`, and mark what any of them
    marks."""
    mask_sha256: str | None
    """SHA-256 of the mask file, 64 hex digits, or None. Of several masks: of their hashes in hex, one after the other.
    """
    anomalous: bool
    """False if the dataset calls the image normal."""
    source_labels: tuple[str, ...]
    """The dataset's own label texts, unchanged and in its order; empty if it gives none."""
    licence: str
    """SPDX id of the licence of the image."""
    problem: str = ""
    """Why the image cannot be used, or empty."""
    boxes: tuple[Box, ...] = field(default=(), metadata=SPARSE)
    """Boxes around what is anomalous, in the dataset's order. They count where there is no mask."""

    @property
    def marking(self) -> Literal["", "mask", "boxes"]:
        """What marks the places of the anomaly; empty if nothing does."""
        return "mask" if self.mask is not None else "boxes" if self.boxes else ""

    @property
    def marks(self) -> str | None:
        """What decides which places are marked, for keys: the mask's hash, or the boxes; None if nothing does."""
        return str(self.boxes) if self.marking == "boxes" else self.mask_sha256

    @property
    def is_at_stake(self) -> bool:
        """Whether its label can be wrong in a way that matters: a normal image for training is normal by its use."""
        return self.split == "test" or self.anomalous


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something about a dataset on disk that a person should know."""

    path: str
    """Path relative to the dataset's root; `.` for the root itself."""
    kind: str
    """A stable word, such as `missing_mask` or `duplicate`."""
    detail: str
    """What is wrong, in one sentence."""
    hint: str = ""
    """What to do about it."""
    failed: bool = False
    """Whether a file cannot be used because of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """What one proposer says about one item."""

    item_id: str
    proposer: str
    """Its name, `@`, and 8 hex digits that hash everything that decides its answers."""
    labels: tuple[str, ...]
    """Class ids; empty if it gave no answer."""
    scores: Mapping[str, float] = field(default_factory=dict)
    """Class id → probability, if the proposer gives any; they sum to 1."""
    rationale: str = ""
    """One sentence for a person."""
    status: ProposalStatus = "ok"
    reason: str = ""
    """Why it abstained or failed; empty if `ok`."""
    saw: tuple[str, ...] = ()
    """The evidence it used, such as `source_label`, `image`, `mask`, `examples`, `people`. Proposers that saw
    `source_label` are together one witness."""
    calls: tuple[str, ...] = ()
    """Ids of the LLM calls that it took, the one that answered last."""
    schema_version: str = ""
    model: str = ""
    """The model that answered, with its version, as whoever runs it calls it; empty if no model did."""
    family: str = ""
    """The family of that model, in lower case. Proposers of one family are not independent witnesses; empty: of none.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class Review:
    """What one person decided about one item, once."""

    item_id: str
    reviewer: str
    round: int
    """1 for a reviewer's first decision on the item. A later one has a higher round and replaces the earlier ones; how
    far people agree is measured by the first."""
    verdict: Verdict
    labels: tuple[str, ...]
    """Class ids; empty unless the verdict is `label`."""
    note: str = ""
    shown: tuple[str, ...] = ()
    """Proposers whose answers the reviewer could see, here or at an earlier task: see `sight`."""
    sight: Sight = ""
    seconds: float | None = None
    """Time that the decision took, if known."""
    when: str = ""
    """UTC, ISO 8601, to the second."""
    desk: str = ""
    """Where it was decided: `csv`, or an annotation as `label-studio:<project>/<round of the task>/<annotation>`.
    Of a reviewer's rows with the same desk, the last one counts."""
    settles: bool = False
    """Whether the image was put to the reviewer because people had decided about it without a clear outcome."""
    schema_version: str = ""
    """Version of the label schema under which the classes were chosen."""

    @property
    def day(self) -> str:
        """The day of `when`, as `2026-01-31`; empty where it names none: rows written by hand may hold anything."""
        try:
            return date.fromisoformat(self.when[:10]).isoformat()
        except ValueError:
            return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """The current label of one item, and why it is that."""

    item_id: str
    image: str
    """Path relative to the dataset's root, for people who read the file."""
    labels: tuple[str, ...]
    """Class ids; may be empty while `pending`."""
    status: LabelStatus
    decided_by: str
    """`people`; or the names of the proposers that agreed, joined by ` + `; or `nobody`."""
    policy: str
    """Name of the rule that decided."""
    agreement: float | None
    """Share of the witnesses, or of the people, that gave exactly this label set; None if there was only one."""
    confidence: float | None
    """Probability of this label set by the witnesses' own scores; None if there are none."""
    reason: str
    """Why the label is this one, in one sentence."""
    licence: str
    """SPDX id of the licence of this row."""
    schema_version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """What one system answered for one item."""

    item_id: str
    system: str
    raw: str
    """The answer, unchanged."""
    labels: tuple[str, ...]
    """Class ids; empty if the answer could not be parsed."""
    parse: Literal["ok", "unknown", "empty", "error"]
    detector_score: float | None = None
    calls: tuple[str, ...] = ()
    """As in `Proposal`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """The value of one metric for one system."""

    system: str
    scope: str
    """A category; or `pooled`, all categories as one; or `mean`, the mean over the categories."""
    metric: str
    """One of `acbench.evaluation.metrics.METRICS`."""
    value: float
    low: float | None
    high: float | None
    """`low` and `high` are the ends of the 95 % interval; None without one."""
    n: int
    """Number of items that the value is a share of."""
    n_unparsed: int
    """Number of answers in the scope that name no class."""
