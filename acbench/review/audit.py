"""Draws the audit: labels that would be accepted unseen, chosen at random, to estimate the error of all such labels.

How many are drawn is a share, a count, or as many as rule an error out. A count is drawn from each category in
proportion, so that the estimate stays a plain share (stratified sampling with proportional allocation: Cochran,
*Sampling Techniques*, 1977, chapter 5).
"""

from __future__ import annotations

import hashlib
import itertools
import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from heapq import nsmallest
from operator import itemgetter
from typing import TYPE_CHECKING, Literal

from acbench.errors import AcbenchError
from acbench.stats.finite import draws_without_fault

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SHARE, ERROR = 0.05, 0.01
"""The usual audit is this share of the labels, and at most as many as rule this error out."""
CONFIDENCE = 0.95
USUAL = "default"
SETTING = r"^(default|[1-9][0-9]{0,8}|error=0\.[0-9]+|error=[0-9.]+e-[0-9]+)$"
"""What `AuditSize.setting` gives but for a share, which is a number."""

_NUMBER = re.compile(r"(?P<number>[0-9]*\.?[0-9]+(?:e-?[0-9]+)?)(?P<percent>\s*%)?")
_HOW = "a share (0.05 or 5%), a count from 2 on (300), the error to rule out (error=1%), or default"


@dataclass(frozen=True, slots=True)
class AuditSize:
    """How many labels an audit takes."""

    kind: Literal["usual", "share", "count", "error"] = "usual"
    value: float = 0.0

    @classmethod
    def parse(cls, text: str | float) -> AuditSize:
        """Read `5%`, `0.05`, `300`, `error=1%` or `default`. Raises AcbenchError for anything else."""
        written = str(text).strip().lower()
        if written == USUAL:
            return cls()
        name, _, number = written.rpartition("=")
        match = _NUMBER.fullmatch(number)
        if match is None or name not in ("", "error"):
            raise _no_size(text)
        value = float(match["number"]) / (100 if match["percent"] else 1)
        if name == "error":
            if not 0 < value < 1:
                raise _no_size(text)
            return cls("error", value)
        if not match["percent"] and 1 < value < 1e9 and value.is_integer():
            return cls("count", value)
        if not 0 <= value <= 1:
            raise _no_size(text)
        return cls("share", value)

    @property
    def setting(self) -> str | float:
        """As settings keep it; `parse` reads it."""
        if self.kind == "usual":
            return USUAL
        if self.kind == "share":
            return self.value
        return f"{self.value:.0f}" if self.kind == "count" else f"error={self.value:g}"

    def draws(self, size: int) -> int:
        """How many of `size` labels are drawn."""
        if self.kind == "share":
            return math.ceil(self.value * size)
        if self.kind == "count":
            return min(int(self.value), size)
        if self.kind == "error":
            return _ruling_out(self.value, size)
        return min(math.ceil(SHARE * size), _ruling_out(ERROR, size))

    def is_share(self, size: int) -> bool:
        """Whether it takes a share of `size` labels: then categories play no part in the draw."""
        return self.kind == "share" or (self.kind == "usual" and math.ceil(SHARE * size) <= _ruling_out(ERROR, size))


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditSample:
    """How the audit is drawn."""

    size: AuditSize = AuditSize()
    seed: int = 0

    def draw(self, members: Iterable[tuple[str, str]]) -> list[str]:
        """The sample of some labels, (item_id, category), as ids in the order of the draw.

        More images leave the order of the others as it is. `members` are gone through twice, and are best those of a
        category after those of another.
        """
        sizes = Counter(category for _, category in members)
        count = self.size.draws(sizes.total())
        if self.size.is_share(sizes.total()):
            return nsmallest(count, (item_id for item_id, _ in members), key=self.number)
        taken = _in_proportion(sizes, count)
        drawn: defaultdict[str, list[str]] = defaultdict(list)
        for category, own in itertools.groupby(members, key=itemgetter(1)):
            ids = (item_id for item_id, _ in own)
            drawn[category] = nsmallest(taken[category], itertools.chain(drawn[category], ids), key=self.number)
        return sorted(itertools.chain(*drawn.values()), key=self.number)

    def turns(self, item_ids: Sequence[str]) -> NDArray[np.intp]:
        """The places of labels, [N], in the order in which they are drawn."""
        import numpy as np

        numbers = (int(self.number(item_id)[:16], 16) for item_id in item_ids)
        begins = np.fromiter(numbers, dtype=np.uint64, count=len(item_ids))
        if len(np.unique(begins)) < len(begins):  # then all digits decide, which take a lot of memory
            return np.array(sorted(range(len(item_ids)), key=lambda place: self.number(item_ids[place])), dtype=np.intp)
        return np.argsort(begins)

    def number(self, item_id: str) -> str:
        """A random number that depends on the item alone."""
        return hashlib.blake2b(f"{self.seed}:{item_id}".encode()).hexdigest()


def _ruling_out(error: float, size: int) -> int:
    return draws_without_fault(size, math.floor(error * size), 1 - CONFIDENCE)


def _in_proportion(sizes: Mapping[str, int], count: int) -> dict[str, int]:
    """Category → its part of `count`, by the method of largest remainders; the name decides between equal ones."""
    total = sum(sizes.values())
    exact = {category: count * size / total for category, size in sizes.items()}
    taken = {category: math.floor(part) for category, part in exact.items()}
    by_remainder = sorted(exact, key=lambda category: (taken[category] - exact[category], category))
    for category in by_remainder[: count - sum(taken.values())]:
        taken[category] += 1
    return taken


def _no_size(text: str | float) -> AcbenchError:
    return AcbenchError(f"{text!r} is no size of an audit", f"give {_HOW}")
