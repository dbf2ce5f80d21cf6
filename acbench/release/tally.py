"""Counts what a release holds while its rows go by: rows that say the same of different images are of one kind.

Of a million images there are a few hundred kinds. Cards, pictures and scores are made of these and of how many images
are of each; of a single image no more is kept than its id and the number of its kind.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Container, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from acbench.release.entries import ReleaseEntry
from acbench.release.repeats import Repeats

if TYPE_CHECKING:
    import pyarrow as pa

TOGETHER = 5_000
"""Ids that become one array."""


class Said(NamedTuple):
    """A vote: see `columns.VOTE`."""

    who: str
    kind: str
    said: str
    labels: tuple[str, ...]
    blind: bool | None
    model: str | None
    family: str | None


class RowKind(NamedTuple):
    """What a row says that it can have in common with those of other images: see `ReleaseEntry`."""

    category: str
    split: str
    anomalous: bool
    label: str | None
    labels: tuple[str, ...]
    source_labels: tuple[str, ...]
    status: str
    decided_by: str
    alone: bool
    """Whether it has no agreement: no second voice."""
    votes: tuple[Said, ...]

    @property
    def tested(self) -> bool:
        """Whether its images are accepted ones of the test split."""
        return self.split == "test" and self.status == "accepted"


def kind_of(entry: ReleaseEntry, votes: Iterable[Mapping[str, Any]]) -> RowKind:
    """Give the kind of an image by its entry and the votes of its row. Raises KeyError or TypeError for no votes."""
    return RowKind(
        entry.category, entry.split, entry.anomalous, entry.label, entry.labels, entry.source_labels, entry.status,
        entry.decided_by, entry.agreement is None,
        tuple(
            Said(vote["who"], vote["kind"], vote["said"], tuple(vote["labels"] or ()), vote["blind"], vote["model"],
                 vote["family"])
            for vote in votes
        ),
    )  # fmt: skip


class Tally:
    """What a release holds. `named`: paths of images that somebody wants to know the presence of."""

    def __init__(self, named: Container[str] = ()) -> None:
        self.kinds: Counter[RowKind] = Counter()
        """Kind → images, in the order in which they came first."""
        self.samples: list[ReleaseEntry] = []
        """The first image of each kind, in the same order."""
        self.images: set[str] = set()
        """Those of the named images that are there."""
        self.files = Repeats()
        """The hashes of the image files."""
        self._named = named
        self._numbers: dict[RowKind, int] = {}
        self._number_of = array("i")
        self._ids: list[pa.Array] = []
        self._newest: list[str] = []

    def __len__(self) -> int:
        """How many images there are."""
        return len(self._number_of)

    def add(self, entry: ReleaseEntry, kind: RowKind) -> None:
        """Count an image."""
        number = self._numbers.setdefault(kind, len(self._numbers))
        if number == len(self.samples):
            self.samples.append(entry)
        self.kinds[kind] += 1
        self._number_of.append(number)
        self._newest.append(entry.item_id)
        if len(self._newest) == TOGETHER:
            self._put_away()
        if entry.sha256:
            self.files.add(entry.sha256)
        if entry.image in self._named:
            self.images.add(entry.image)

    @property
    def first(self) -> ReleaseEntry:
        """The first image."""
        return self.samples[0]

    @property
    def categories(self) -> list[str]:
        """The categories that have an image, sorted."""
        return sorted({kind.category for kind in self.kinds})

    def by_id(self, kinds: Container[int]) -> Iterator[tuple[str, int]]:
        """Each id, sorted, with the number of its kind, as far as that is one of `kinds`."""
        import numpy as np
        import pyarrow as pa
        import pyarrow.compute as pc

        self._put_away()
        numbers = np.frombuffer(self._number_of, dtype=np.int32)
        wanted = [number for number in range(len(self.samples)) if number in kinds]
        places = np.flatnonzero(np.isin(numbers, wanted))
        ids = pa.chunked_array(self._ids, type=pa.string()).take(pa.array(places))
        order = pc.sort_indices(ids).to_numpy()
        for begin in range(0, len(order), TOGETHER):
            part = order[begin : begin + TOGETHER]
            yield from zip(ids.take(pa.array(part)).to_pylist(), numbers[places[part]].tolist(), strict=True)

    def _put_away(self) -> None:
        import pyarrow as pa

        if self._newest:
            self._ids.append(pa.array(self._newest, type=pa.string()))
            self._newest = []
