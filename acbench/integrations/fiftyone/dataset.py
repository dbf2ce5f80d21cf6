"""Shows a benchmark as a FiftyOne dataset: it is updated in place, and what people mark in it comes back.

Tags, views, fields and brain runs that people add to the dataset stay as they are. The fields that acbench writes are
named in `acbench.review.app_records`.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict, cast

from acbench._util.console import Progress
from acbench.data.regions import Mask
from acbench.errors import AcbenchError
from acbench.integrations.fiftyone import embeddings, layout, outlines, stored
from acbench.integrations.fiftyone.database import connect, database_errors, first_line
from acbench.integrations.fiftyone.embeddings import Vectors
from acbench.integrations.fiftyone.stored import Changes, StoredSample
from acbench.records import Box
from acbench.review.app_records import FORMAT, RETIRED_FIELDS, AppLabel, AppMark, AppSample, FieldValue
from acbench.storage.atomic import write_bytes
from acbench.storage.typed_json import any_json

if TYPE_CHECKING:
    import fiftyone as fo

BATCH = 500
"""Samples written at a time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AppContents:
    """What a dataset is to show."""

    samples: Sequence[AppSample]
    key: str
    """A hash of all inputs, kept for `AppDataset.key`."""
    outlined: Callable[[str], Mask | None] = lambda item_id: None
    """item_id → what is marked on its image, bool[H, W], to be outlined; None for nothing."""
    classes: Sequence[str]
    """Names of classes that Annotate offers for the label; none to offer nothing there."""
    vectors: Vectors
    """For FiftyOne Brain."""
    model: str
    """Name of the model that made the vectors."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Updated:
    """What an update did, in samples."""

    added: int = 0
    changed: int = 0
    removed: int = 0
    left: int = 0
    """Not touched, as they hold what somebody marked and nobody has collected."""
    older: bool = False
    """The dataset was of an older format: everything was written anew."""
    views: tuple[str, ...] = ()
    """Views that somebody saved, and that look for labels which are called otherwise now."""

    def __str__(self) -> str:
        parts = {"added": self.added, "changed": self.changed, "removed": self.removed}
        done = ", ".join(f"{count:,} {word}" for word, count in parts.items() if count)
        return done or "nothing had changed"


class About(TypedDict, total=False):
    """What acbench keeps with a dataset, in its `info`."""

    format: int
    """`app_records.FORMAT` of the acbench that wrote it."""
    key: str
    """`AppContents.key`; empty while an update is under way, and if samples were left."""
    samples: int
    """How many there were after the last update."""
    labels: int
    """How many of them had a label."""
    look: str
    """`layout.digest` of the layout."""
    vectors: str
    """`embeddings.digest` of the vectors that FiftyOne Brain has seen."""
    model: str
    """Name of the model that made them."""


def dataset_name(benchmark: str, project: Path) -> str:
    """The name of the dataset that a benchmark has in a project folder."""
    mark = hashlib.blake2b(str(project).encode(), digest_size=3).hexdigest()
    return f"acbench-{re.sub(r'[^A-Za-z0-9_-]', '-', benchmark)}-{mark}"


def dataset_of(benchmark: str, project: Path, kept: Path) -> tuple[str, str]:
    """(name of the dataset of a benchmark in a project, what there is to tell). `kept`: a file that remembers the name.

    A project that was moved keeps its dataset, with all that was marked there. A copy of a project, whose original is
    still where it was, gets a dataset of its own.
    """
    own = dataset_name(benchmark, project)
    try:
        before = any_json(kept.read_bytes())
        name, place = str(before["dataset"]), str(before["project"])
    except (OSError, ValueError, KeyError, TypeError):
        name, place = own, str(project)
    told = ""
    if place != str(project) and Path(place).is_dir():
        name, told = own, f"this is a copy of {place}: what is marked in the App for that project stays there"
    elif find_dataset(name) is None:
        if name != own:
            told = f"the App has no dataset {name} any more, which showed this project when it was in {place}"
        name = own
    write_bytes(kept, json.dumps({"dataset": name, "project": str(project)}).encode())
    return name, told


def open_dataset(name: str) -> AppDataset:
    """The dataset of that name, made if there is none. Raises AcbenchError."""
    known = find_dataset(name)
    if known is not None:
        return known
    import fiftyone as fo

    with database_errors():
        return AppDataset(fo.Dataset(name, persistent=True))


def find_dataset(name: str) -> AppDataset | None:
    """The dataset of that name, or None. Raises AcbenchError."""
    connect()
    import fiftyone as fo

    with database_errors():
        try:
            return AppDataset(fo.load_dataset(name)) if fo.dataset_exists(name) else None
        except (OSError, ValueError) as error:  # FiftyOne's way to say that a newer one wrote it
            raise AcbenchError(
                f"FiftyOne cannot read its dataset {name}: {first_line(error)}",
                f"update FiftyOne, or remove the dataset; it is made anew: fiftyone datasets delete {name}",
            ) from None


@dataclass(frozen=True, slots=True)
class AppDataset:
    """The dataset of one benchmark."""

    data: fo.Dataset

    @property
    def key(self) -> str:
        """The `AppContents.key` of what the dataset shows; empty if it may show something else."""
        about = self._about()
        if about.get("format") != FORMAT or layout.missing_fields(self.data):
            return ""
        is_whole = about.get("samples") == len(self.data) and about.get("labels") == self.data.count("label.label")
        return about.get("key", "") if is_whole else ""

    def update(self, contents: AppContents, progress: Progress) -> Updated:
        """Make the dataset show `contents`, joined by item_id. Only samples that have changed are written.

        Raises AcbenchError if a newer acbench made the dataset.
        """
        samples = contents.samples
        before = self._about().get("format")
        if before is not None and before > FORMAT:
            raise AcbenchError(
                f"the FiftyOne dataset {self.data.name} was written by a newer acbench",
                f"update acbench, or remove it; it is made anew: fiftyone datasets delete {self.data.name}",
            )
        self._keep({"key": ""})
        layout.refuse_other_fields(self.data)
        anew = before is not None and bool(layout.missing_fields(self.data))  # somebody renamed or deleted some
        self._remove_retired_fields(before)
        layout.add_fields(self.data, layout.extra_fields(samples), boxed=any(sample.boxes for sample in samples))
        stored.name_again(self.data, {sample.image: sample.item_id for sample in samples})
        changes = Changes.between(self._stored(), samples, anew=anew)
        called = stored.label_texts(self.data) if before is not None and before != FORMAT else set()
        self.data.delete_samples(changes.removed)
        self._rewrite(changes.rewritten, contents, progress)
        self._add(changes.new, contents, progress)
        self._lay_out(samples, contents.classes)
        self._update_brain(contents.vectors, contents.model)
        counts: About = {"samples": len(self.data), "labels": self.data.count("label.label")}
        self._keep({**counts, "format": FORMAT, "key": "" if changes.left else contents.key})
        return Updated(
            added=len(changes.new),
            changed=len(changes.rewritten),
            removed=len(changes.removed),
            left=changes.left,
            older=before is not None and before != FORMAT,
            views=layout.views_on(self.data, called - stored.label_texts(self.data)) if called else (),
        )

    def marks(self) -> list[AppMark]:
        """What people have marked: every sample with a tag, or with another label than acbench wrote."""
        return [
            AppMark(
                item_id=item_id,
                tags=sample.tags,
                label_before=sample.written_label,
                new_label=sample.changed_label,
                sample=f"{self.data.name}/{sample.sample_id}",
            )
            for item_id, sample in self._stored().items()
            if sample.is_marked
        ]

    def remove_marks(self, marks: Sequence[AppMark]) -> None:
        """Take marks that were collected off the samples, so that they are collected once."""
        collected = {mark.sample.rpartition("/")[2]: mark for mark in marks}
        self._keep({"key": ""})
        for sample in self.data.select(list(collected)).iter_samples(autosave=True):
            mark = collected[sample.id]
            sample.tags = [tag for tag in sample.tags if tag not in mark.tags]
            for label in stored.labels(sample):
                label.tags = [tag for tag in label.tags if tag not in mark.tags]
            if mark.new_label is not None:
                sample["given"], sample["content"] = mark.new_label, ""

    def queue(self) -> list[tuple[int, str, str]]:
        """(place, item_id, sample id) of each image that waits for people, in order."""
        waiting = self.data.exists("queue").values(["queue", "item_id", "id"])
        return sorted(zip(*waiting, strict=True))

    def item_of(self, sample_id: str) -> tuple[str, int | None]:
        """The item_id of a sample, empty for one that somebody else added, and its place in the queue."""
        items, places = self.data.select(sample_id).values(["item_id", "queue"])
        return (items[0] or "", places[0]) if items else ("", None)

    def show_decision(self, item_id: str, fields: Mapping[str, FieldValue]) -> None:
        """Show what has just been decided about one image. The next update writes its sample anew."""
        self._keep({"key": ""})
        for sample in self.data.match({"item_id": item_id}).iter_samples(autosave=True):
            for name, value in fields.items():
                stored.put(sample, name, _document(value))
            sample["content"] = ""

    def show_places(self, places: Mapping[str, Mapping[str, FieldValue]]) -> None:
        """Show the queue as it is now, of the samples where it has changed. `places`: item_id → fields."""
        names = sorted({name for fields in places.values() for name in fields})
        items, *columns = self.data.values(["item_id", *names])
        for name, column in zip(names, columns, strict=True):
            shown = dict(zip(items, column, strict=True))
            values = {item: places[item].get(name) for item in items if item in places}
            if changed := {item: value for item, value in values.items() if value != shown[item]}:
                self._keep({"key": ""})
                self.data.set_values(name, changed, key_field="item_id")

    def _remove_retired_fields(self, before: int | None) -> None:
        """Remove what earlier formats had and this one has not. A person's own field of such a name came later."""
        if before is None:
            return
        retired = {name for format, names in RETIRED_FIELDS.items() if before <= format for name in names}
        if fields := sorted(retired & self.data.get_field_schema().keys()):
            self.data.delete_sample_fields(fields)

    def _stored(self) -> Mapping[str, StoredSample]:
        """item_id → what the dataset holds of it."""
        return stored.read(self.data)

    def _rewrite(self, by_id: Mapping[str, AppSample], contents: AppContents, progress: Progress) -> None:
        documents = self.data.select(list(by_id)).iter_samples(autosave=True, batch_size=BATCH)
        for done, document in enumerate(documents, start=1):
            progress(done, len(by_id))
            sample = by_id[document.id]
            document.filepath = sample.image
            for name, value in self._values(sample, contents).items():
                stored.put(document, name, value)

    def _add(self, samples: Sequence[AppSample], contents: AppContents, progress: Progress) -> None:
        import fiftyone as fo

        for start in range(0, len(samples), BATCH):
            progress(start, len(samples))
            batch = [
                fo.Sample(filepath=sample.image, **self._values(sample, contents))
                for sample in samples[start : start + BATCH]
            ]
            self.data.add_samples(batch, dynamic=False)

    def _values(self, sample: AppSample, contents: AppContents) -> dict[str, Any]:
        """Every field of acbench's own, the empty ones too."""
        import fiftyone as fo

        width, height = sample.size
        return {
            **dict.fromkeys(name for name in self.data.get_field_schema() if layout.is_ours(name)),
            embeddings.MISTAKENNESS: None,  # that of the label that is replaced
            "metadata": fo.ImageMetadata(width=width, height=height) if width and height else None,
            "mask": fo.Segmentation(mask_path=sample.mask) if sample.mask else None,
            layout.OUTLINE: outlines.around(contents.outlined(sample.item_id)) if sample.mask else None,
            **({layout.BOXES: _detections(sample.boxes, sample.size)} if sample.boxes else {}),
            **{name: _document(value) for name, value in sample.fields.items()},
        }

    def _lay_out(self, samples: Sequence[AppSample], classes: Sequence[str]) -> None:
        """Give the dataset its layout, unless it has it."""
        digest = layout.digest(self.data, samples, classes)
        if self._about().get("look") != digest:
            layout.apply(self.data, samples, classes)
            self._keep({"look": digest})

    def _update_brain(self, vectors: Vectors, model: str) -> None:
        """Let FiftyOne Brain see the vectors, unless it has, and the labels that are new."""
        digest = embeddings.digest(vectors, model)
        if self._about().get("vectors") != digest:
            embeddings.add_map_and_duplicates(self.data, vectors)
            self._keep({"vectors": digest, "model": model})
        embeddings.add_mistakenness(self.data)
        layout.apply_brain_views(self.data)

    def _about(self) -> About:
        return cast(About, dict(self.data.info.get("acbench", {})))

    def _keep(self, about: About) -> None:
        self.data.info["acbench"] = {**self._about(), **about}
        self.data.save()


def _detections(boxes: Sequence[Box], size: tuple[int, int]) -> fo.Detections:
    """Boxes as FiftyOne has them: shares of an image of that (width, height)."""
    import fiftyone as fo

    width, height = size
    return fo.Detections(
        detections=[
            fo.Detection(
                label=outlines.ANOMALY,
                bounding_box=[left / width, top / height, (right - left) / width, (bottom - top) / height],
            )
            for left, top, right, bottom in boxes
        ]
    )


def _document(value: FieldValue) -> fo.Classification | str | float | list[str] | None:
    """A value as FiftyOne stores it."""
    import fiftyone as fo

    if isinstance(value, AppLabel):
        return fo.Classification(label=value.label, confidence=value.confidence, **value.facts)
    return list(value) if isinstance(value, tuple) else value
