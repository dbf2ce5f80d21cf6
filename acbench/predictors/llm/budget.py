"""Keeps calls that run side by side within a budget of dollars."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class _Reservation:
    amount: float
    """Dollars."""
    excess: float
    """The factor by which the estimate was raised."""


@dataclass(kw_only=True)
class Budget:
    """Dollars to spend. Each call reserves its estimate first, and gives the rest back when its cost is known.

    Threads may share it; `acbench._util.execution.SharedBudget` is what workers elsewhere see of one.
    """

    limit: float | None = None
    """Dollars; None for no limit."""
    spent: float = field(init=False, default=0.0)
    """Dollars, upper bound: a call that may have been charged counts in full."""
    _reservations: list[_Reservation] = field(init=False, default_factory=list)
    _excess: float = field(init=False, default=1.0)
    """The largest ratio of a call's cost to its estimate so far, at least 1."""
    _changed: threading.Condition = field(init=False, default_factory=threading.Condition, repr=False)

    @property
    def under_way(self) -> bool:
        """Whether calls under way may still give a part of their reservation back."""
        return bool(self._reservations)

    def reserve(self, estimate: float, *, wait: bool = True) -> float | None:
        """Reserve an upper estimate, in dollars. Gives the reserved amount, or None if the budget is too small.

        While calls under way may give something back, it waits, unless `wait` is false.
        """
        with self._changed:
            while True:
                amount = estimate * self._excess
                if self.limit is None or self._committed() + amount <= self.limit:
                    self._reservations.append(_Reservation(amount, self._excess))
                    return amount
                if not wait or not self._reservations:
                    return None
                self._changed.wait()

    def settle(self, amount: float, actual: float) -> None:
        """End the reservation of `amount` with its actual cost. If that is larger, later estimates are raised too."""
        with self._changed:
            reservation = next(held for held in self._reservations if held.amount == amount)
            self._reservations.remove(reservation)
            self.spent += actual
            if amount > 0:
                self._excess = max(self._excess, reservation.excess * actual / amount)
            self._changed.notify_all()

    def _committed(self) -> float:
        # A call under way will not be cheaper than the dearest so far, so reservations follow what was seen.
        held = sum(reservation.amount / reservation.excess for reservation in self._reservations)
        return self.spent + held * self._excess
