"""What a dataset of the App holds, and what has to change in it. Nothing that people may have touched is trusted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from acbench.integrations.fiftyone import layout
from acbench.review.app_records import AppSample

if TYPE_CHECKING:
    import fiftyone as fo


@dataclass(frozen=True, slots=True)
class StoredSample:
    """What the dataset holds of one item."""

    sample_id: str
    content: str
    written_label: str
    label: str
    """Empty if there is none, also where somebody has deleted it."""
    tags: tuple[str, ...]
    """Tags of the sample, and of the labels on it."""

    @property
    def changed_label(self) -> str | None:
        """The label that somebody put in the place of ours, or None. One that was deleted says nothing."""
        return self.label if self.label and self.label != self.written_label else None

    @property
    def is_marked(self) -> bool:
        return bool(self.tags) or self.changed_label is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """What has to be done to the samples of a dataset."""

    new: Sequence[AppSample]
    rewritten: Mapping[str, AppSample]
    """By the id of the stored sample."""
    removed: Sequence[str]
    """Ids of stored samples."""
    left: int
    """How many samples should be rewritten or removed, and hold what somebody marked."""

    @classmethod
    def between(
        cls, stored: Mapping[str, StoredSample], samples: Sequence[AppSample], *, anew: bool = False
    ) -> Changes:
        """The changes that make a dataset show `samples`. `stored`: by item_id. `anew`: whatever they seem to hold."""
        wanted = {sample.item_id for sample in samples}
        gone = [sample for item_id, sample in stored.items() if item_id not in wanted]
        removed = [sample.sample_id for sample in gone if not sample.is_marked]
        left = len(gone) - len(removed)
        rewritten = {}
        for sample in samples:
            known = stored.get(sample.item_id)
            if known is None or (known.content == sample.content and not anew):
                continue
            if known.changed_label is None:
                rewritten[known.sample_id] = sample
            else:
                left += 1
        new = [sample for sample in samples if sample.item_id not in stored]
        return cls(new=new, rewritten=rewritten, removed=removed, left=left)


def read(data: fo.Dataset) -> Mapping[str, StoredSample]:
    """item_id → what the dataset holds of it."""
    if "item_id" not in data.get_field_schema():
        return {}
    columns = data.values(["item_id", "id", "content", "given", "label.label", "tags", *layout.tagged(data)])
    return {
        item_id: StoredSample(
            sample_id=sample_id,
            content=(content or "") if label or not written else "",  # a label that was deleted comes back
            written_label=written or "",
            label=label or "",
            tags=tuple(dict.fromkeys(_texts(tags))),
        )
        for item_id, sample_id, content, written, label, *tags in zip(*columns, strict=True)
        if item_id is not None  # a sample that somebody added
    }


def name_again(data: fo.Dataset, by_path: Mapping[str, str]) -> None:
    """Give samples that have lost their item_id the one of their image. `by_path`: absolute path → item_id.

    A user may have renamed the field: without this, every image would be added once more.
    """
    sample_ids, paths, names = data.values(["id", "filepath", "item_id"])
    taken = set(filter(None, names))
    lost = {}
    for sample_id, path, name in zip(sample_ids, paths, names, strict=True):
        item_id = by_path.get(path)
        if name is None and item_id is not None and item_id not in taken:
            lost[sample_id] = item_id
            taken.add(item_id)
    if lost:
        data.set_values("item_id", lost, key_field="id")


def label_texts(data: fo.Dataset) -> set[str]:
    """Every text that a label of ours shows."""
    fields = [name for name in layout.labelled(data) if data.get_field(name) is not None]
    return {text for name in fields for text in data.distinct(f"{name}.label")}


def put(sample: fo.Sample, name: str, value: Any) -> None:
    """Give a sample another value in a field. Tags on the label there stay: on the new one, or else on the sample."""
    tags = dict.fromkeys(tag for label in _tagged(sample[name]) for tag in label.tags)
    sample[name] = value
    if tags and hasattr(value, "tags"):
        value.tags = [*tags]
    elif tags:
        sample.tags = [*dict.fromkeys((*sample.tags, *tags))]


def labels(sample: fo.Sample) -> Iterator[Any]:
    """Every label of a sample that can have tags."""
    for name in sample.field_names:
        yield from _tagged(sample[name])


def _tagged(value: Any) -> Iterator[Any]:
    """The labels in the value of a field that can have tags."""
    import fiftyone as fo

    if isinstance(value, fo.Label):
        holds = getattr(value, "_LABEL_LIST_FIELD", None)
        yield from (getattr(value, holds) or ()) if holds else ((value,) if hasattr(value, "tags") else ())


def _texts(value: Any) -> Iterator[str]:
    """Every text in lists of lists, in order."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list | tuple):
        for each in value:
            yield from _texts(each)
