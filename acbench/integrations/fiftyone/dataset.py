"""Cards as a FiftyOne dataset on a MongoDB: updated in place, and what people mark in it comes back.

The database is the one that FIFTYONE_DATABASE_URI names, or else FiftyOne's own. Tags, views, fields and brain runs
that people add to the dataset stay as they are; what acbench writes is named in `acbench.review.app_records`.
"""

from __future__ import annotations

import hashlib
import logging
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from acbench._util.console import Progress
from acbench.errors import AcbenchError
from acbench.integrations.fiftyone import _stdout
from acbench.integrations.fiftyone import embeddings as brain
from acbench.integrations.fiftyone import layout as look
from acbench.review.app_records import FIELDS, FORMAT, AppLabel, AppMark, AppSample

BATCH = 500
"""Samples written at a time."""
WAIT = 5
"""Seconds that a database has to answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Updated:
    """What an update did, in samples."""

    added: int = 0
    changed: int = 0
    removed: int = 0
    left: int = 0
    """Not touched, as they hold what somebody marked and nobody has collected."""
    older: bool = False
    """The dataset was of an older version: everything was written anew."""

    def __str__(self) -> str:
        parts = {"added": self.added, "changed": self.changed, "removed": self.removed}
        done = ", ".join(f"{count:,} {word}" for word, count in parts.items() if count)
        return done or "nothing had changed"


@dataclass(frozen=True, slots=True)
class _There:
    """What the dataset holds of one item."""

    sample_id: str
    content: str
    given: str
    label: str
    tags: tuple[str, ...]

    @property
    def changed(self) -> str | None:
        """The label that somebody put in the place of ours, or None."""
        return self.label if self.label != self.given else None

    @property
    def marked(self) -> bool:
        return bool(self.tags) or self.changed is not None


def connect() -> Any:
    """The module `fiftyone`, with a database that answers. Raises AcbenchError if there is none.

    FiftyOne logs to stdout by default; imported here first, it logs to stderr.
    """
    os.environ.setdefault("FIFTYONE_DO_NOT_TRACK", "true")
    if uri := os.environ.get("FIFTYONE_DATABASE_URI"):
        _ping(uri)
    try:
        with _stdout.for_results():
            import fiftyone as fo
            import fiftyone.core.odm as odm

            fo.config.show_progress_bars = False
            logging.getLogger("fiftyone").setLevel(logging.WARNING)
            odm.get_db_conn()
    except Exception as error:
        raise AcbenchError(
            f"FiftyOne has no database: {_first_line(error)}",
            "pip install --force-reinstall fiftyone-db   or let FIFTYONE_DATABASE_URI name a running MongoDB",
        ) from None
    return fo


def _ping(uri: str) -> None:
    from pymongo import MongoClient
    from pymongo.errors import PyMongoError

    try:
        with MongoClient[Any](uri, serverSelectionTimeoutMS=WAIT * 1000) as client:
            client.admin.command("ping")
    except (PyMongoError, ValueError) as error:
        raise AcbenchError(
            f"no MongoDB answers where FIFTYONE_DATABASE_URI points: {_first_line(error)}",
            "start it, or unset FIFTYONE_DATABASE_URI to use FiftyOne's own database",
        ) from None


@contextmanager
def database_errors() -> Iterator[None]:
    """A database that goes away, or a dataset that this FiftyOne cannot read, becomes an AcbenchError."""
    from pymongo.errors import PyMongoError

    try:
        yield
    except PyMongoError as error:
        raise AcbenchError(
            f"the FiftyOne database failed: {_first_line(error)}",
            "see that MongoDB runs and has space, then run the same command again: it goes on where it was",
        ) from None


def _first_line(error: Exception) -> str:
    """Of its message, without the user and password that a URI may hold."""
    text = (str(error).strip().splitlines() or [type(error).__name__])[0]
    return re.sub(r"//[^@/\s]*@", "//…@", text)[:300]


def dataset_name(benchmark: str, project: Path) -> str:
    """One dataset a benchmark and project folder."""
    mark = hashlib.blake2b(str(project).encode(), digest_size=3).hexdigest()
    return f"acbench-{re.sub(r'[^A-Za-z0-9_-]', '-', benchmark)}-{mark}"


def shelf(name: str, *, make: bool = True) -> Shelf | None:
    """The dataset of that name, or a new one; None if there is none and `make` is False. Raises AcbenchError."""
    fo = connect()
    with database_errors():
        try:
            if fo.dataset_exists(name):
                return Shelf(fo, fo.load_dataset(name))
        except (OSError, ValueError) as error:  # FiftyOne's way to say that a newer one wrote it
            raise AcbenchError(
                f"FiftyOne cannot read its dataset {name}: {_first_line(error)}",
                f"update FiftyOne, or remove the dataset; it is made anew: fiftyone datasets delete {name}",
            ) from None
        return Shelf(fo, fo.Dataset(name, persistent=True)) if make else None


@dataclass(frozen=True, slots=True)
class Shelf:
    """The dataset of one benchmark."""

    fo: Any
    """The module `fiftyone`."""
    data: Any
    """A `fiftyone.Dataset`."""

    @property
    def key(self) -> str:
        """Of the inputs that the dataset shows; empty if it may show others."""
        about = self._about()
        whole = about.get("format") == FORMAT and about.get("samples") == len(self.data)
        return str(about.get("key", "")) if whole else ""

    def update(
        self,
        cards: Sequence[AppSample],
        *,
        key: str,
        classes: Sequence[str],
        vectors: brain.Vectors,
        model: str,
        progress: Progress,
    ) -> Updated:
        """Make the dataset show `cards`, joined by item_id; only samples whose card has changed are written.

        `key` is kept for `Shelf.key`. `classes` can be chosen in the App. `vectors`, made by `model`, are what FiftyOne
        Brain is given. Raises AcbenchError if a newer acbench made the dataset.
        """
        before = self._about().get("format")
        if before is not None and before > FORMAT:
            raise AcbenchError(
                f"the FiftyOne dataset {self.data.name} was written by a newer acbench",
                f"update acbench, or remove it; it is made anew: fiftyone datasets delete {self.data.name}",
            )
        self._tell(key="")
        look.declare(self.fo, self.data, {name for card in cards for name in card.fields} - set(FIELDS))
        there = self._there()
        shown = {card.item_id for card in cards}
        gone = {item_id: found for item_id, found in there.items() if item_id not in shown}
        orphans = sum(found.marked for found in gone.values())
        self.data.delete_samples([found.sample_id for found in gone.values() if not found.marked])
        new = [card for card in cards if card.item_id not in there]
        stale = [card for card in cards if card.item_id in there and there[card.item_id].content != card.content]
        free = [card for card in stale if there[card.item_id].changed is None]
        self._rewrite({there[card.item_id].sample_id: card for card in free}, progress)
        for start in range(0, len(new), BATCH):
            progress(start, len(new))
            self.data.add_samples([self._sample(card) for card in new[start : start + BATCH]], dynamic=False)
        if self._about().get("look") != (dressed := look.digest(self.data, cards, classes)):
            look.dress(self.fo, self.data, cards, classes)
            self._tell(look=dressed)
        self._think(vectors, model)
        left = len(stale) - len(free) + orphans
        self._tell(format=FORMAT, samples=len(self.data), key="" if left else key)
        return Updated(
            added=len(new),
            changed=len(free),
            removed=len(gone) - orphans,
            left=left,
            older=before is not None and before != FORMAT,
        )

    def flags(self) -> list[AppMark]:
        """What people have marked: every sample with a tag, or with another label than acbench wrote."""
        return [
            AppMark(
                item_id=item_id,
                tags=found.tags,
                label_before=found.given,
                new_label=found.changed,
                sample=f"{self.data.name}/{found.sample_id}",
            )
            for item_id, found in self._there().items()
            if found.marked
        ]

    def settle(self, flags: Sequence[AppMark]) -> None:
        """Take marks that were collected off the samples, so that they are collected once."""
        taken = {flag.sample.rpartition("/")[2]: flag for flag in flags}
        self._tell(key="")
        for sample in self.data.select(list(taken)).iter_samples(autosave=True):
            flag = taken[sample.id]
            sample.tags = [tag for tag in sample.tags if tag not in flag.tags]
            if flag.new_label is not None:
                sample["given"], sample["content"] = flag.new_label, ""

    def _think(self, vectors: brain.Vectors, model: str) -> None:
        """Let FiftyOne Brain see the vectors, unless it has, and the labels that are new."""
        mark = brain.digest(vectors, model)
        if self._about().get("vectors") != mark:
            brain.place(self.data, vectors)
            self._tell(vectors=mark, model=model)
        brain.doubt(self.fo, self.data)
        look.dress_brain(self.fo, self.data)

    def _there(self) -> dict[str, _There]:
        if "item_id" not in self.data.get_field_schema():
            return {}
        columns = self.data.values(["item_id", "id", "content", "given", "label.label", "tags"])
        return {
            item_id: _There(sample_id, content or "", given or "", label or "", tuple(tags or ()))
            for item_id, sample_id, content, given, label, tags in zip(*columns, strict=True)
            if item_id is not None  # a sample that somebody added
        }

    def _rewrite(self, cards: dict[str, AppSample], progress: Progress) -> None:
        samples = self.data.select(list(cards)).iter_samples(autosave=True, batch_size=BATCH)
        for done, sample in enumerate(samples, start=1):
            progress(done, len(cards))
            card = cards[sample.id]
            sample.filepath = card.image
            for name, value in self._values(card).items():
                sample[name] = value

    def _sample(self, card: AppSample) -> Any:
        return self.fo.Sample(filepath=card.image, **self._values(card))

    def _values(self, card: AppSample) -> dict[str, Any]:
        """Every field of acbench's own, the empty ones too."""
        width, height = card.size
        return {
            **dict.fromkeys(name for name in self.data.get_field_schema() if look.is_ours(name)),
            brain.MISTAKENNESS: None,  # of the label that is replaced
            "metadata": self.fo.ImageMetadata(width=width, height=height) if width and height else None,
            "mask": self.fo.Segmentation(mask_path=card.mask) if card.mask else None,
            **{name: self._value(value) for name, value in card.fields.items()},
        }

    def _value(self, value: Any) -> Any:
        if isinstance(value, AppLabel):
            return self.fo.Classification(label=value.label, confidence=value.confidence, **value.facts)
        return list(value) if isinstance(value, tuple) else value

    def _about(self) -> dict[str, Any]:
        return dict(self.data.info.get("acbench", {}))

    def _tell(self, **about: Any) -> None:
        self.data.info["acbench"] = {**self._about(), **about}
        self.data.save()
