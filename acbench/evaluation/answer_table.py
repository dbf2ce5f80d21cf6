"""The answers of one system in columns, with a row for each item that is scored."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from acbench.evaluation.answer_parsing import MISSING, Outcome
from acbench.evaluation.targets import Targets
from acbench.schema.views import ClassSet


class ParsedAnswer(NamedTuple):
    """The answer of a system about one item."""

    raw: str
    outcome: Outcome
    probabilities: Mapping[ClassSet, float] | None = None
    """Class → probability, where the answer gives them."""
    confidence: float | None = None
    """How sure the answer is, 0…1, where a column says so."""
    dollars: float | None = None
    """What the answer cost; None if it is not known."""


class AnswerTable(Mapping[str, ParsedAnswer]):
    """item_id → answer, of the items that have one."""

    def __init__(self, targets: Targets, answers: Iterable[tuple[int, ParsedAnswer]] = ()) -> None:
        """`answers`: the place of an item in `targets`, and the answer about it."""
        self.targets = targets
        self.outcomes = [MISSING]
        """Each once, but for the first, which those have that have no answer."""
        self._codes: dict[Outcome, int] = {}
        self._raws: dict[str, int] = {}
        self._outcome, self._raw = (array("i", bytes(4 * len(targets))) for _ in range(2))
        self._sure, self._dollars = (array("d", [np.nan]) * len(targets) for _ in range(2))
        self.probabilities: dict[int, Mapping[ClassSet, float]] = {}
        """Place → class → probability, of the answers that give them."""
        for place, answer in answers:
            self.add(place, answer)

    def add(self, place: int, answer: ParsedAnswer) -> None:
        """Add the answer about an item that has none yet."""
        raw, outcome, probabilities, sure, dollars = answer
        code = self._codes.get(outcome)
        if code is None:
            code = self._codes[outcome] = len(self.outcomes)
            self.outcomes.append(outcome)
        self._outcome[place] = code
        self._raw[place] = self._raws.setdefault(raw, len(self._raws))
        if probabilities:
            self.probabilities[place] = probabilities
        if sure is not None:
            self._sure[place] = sure
        if dollars is not None:
            self._dollars[place] = dollars

    @property
    def outcome(self) -> NDArray[np.int32]:
        """The place in `outcomes` of what became of each item."""
        return np.frombuffer(self._outcome, dtype=np.int32)

    @property
    def confidence(self) -> NDArray[np.float64]:
        """How sure each answer is, nan where no column says so."""
        return np.frombuffer(self._sure)

    @property
    def dollars(self) -> NDArray[np.float64]:
        """What each answer cost, nan where it is not known."""
        return np.frombuffer(self._dollars)

    @property
    def right(self) -> NDArray[np.bool_]:
        """Whether each item has the right answer."""
        table = [[outcome.labels == wanted for outcome in self.outcomes] for _, wanted in self.targets.kinds]
        right: NDArray[np.bool_] = np.array(table, dtype=bool)[self.targets.kind, self.outcome]
        return right

    def having(self, *statuses: str) -> NDArray[np.int64]:
        """The places of the items of which something with one of these statuses became."""
        return np.flatnonzero(np.array([outcome.status in statuses for outcome in self.outcomes])[self.outcome])

    @property
    def answered(self) -> NDArray[np.int64]:
        """The places of the items that have an answer."""
        return np.flatnonzero(self.outcome)

    @property
    def labels(self) -> list[ClassSet]:
        """The classes of each answer; none where there is none."""
        return [self.outcomes[code].labels for code in self._outcome]

    def raw(self, place: int) -> str:
        """What was answered about an item, as it came; empty if it has no answer."""
        return self._texts[self._raw[place]] if self._outcome[place] else ""

    @cached_property
    def _texts(self) -> list[str]:
        """The answers as they came, each once."""
        return list(self._raws)

    def at(self, place: int) -> ParsedAnswer:
        """The answer about an item that has one."""
        return ParsedAnswer(
            self.raw(place),
            self.outcomes[self._outcome[place]],
            self.probabilities.get(place),
            *(None if np.isnan(column[place]) else column[place] for column in (self._sure, self._dollars)),
        )

    def __len__(self) -> int:
        return int(np.count_nonzero(self.outcome))

    def __iter__(self) -> Iterator[str]:
        return (self.targets[place].item_id for place in self.answered.tolist())

    def __getitem__(self, item_id: str) -> ParsedAnswer:
        place = self.targets.place(item_id)
        if place is None or not self._outcome[place]:
            raise KeyError(item_id)
        return self.at(place)
