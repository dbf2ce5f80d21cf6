"""Dollars that may be spent, and are not exceeded while calls run side by side."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field


@dataclass(kw_only=True)
class Budget:
    """Money is set aside before a call is sent, and the rest comes back when its true cost is known."""

    limit: float | None = None
    """Dollars; None for no limit."""
    spent: float = field(init=False, default=0.0)
    """Dollars, upper bound: a call that may have been charged for counts in full."""
    _held: list[tuple[float, float]] = field(init=False, default_factory=list)
    """What was set aside, and the excess that was in it."""
    _excess: float = field(init=False, default=1.0)
    """How many times its estimate a call has cost at most."""
    _change: threading.Condition = field(init=False, default_factory=threading.Condition, repr=False)

    @property
    def under_way(self) -> bool:
        """Whether calls are being made that may still give some of theirs back."""
        return bool(self._held)

    def reserve(self, estimate: float, *, wait: bool = True) -> float | None:
        """Set an upper estimate aside; gives what was set aside, or None if it does not fit any more.

        Waits, unless told not to, while calls under way may still give some of theirs back.
        """
        with self._change:
            while True:
                amount = estimate * self._excess
                if self.limit is None or self.spent + sum(held for held, _ in self._held) + amount <= self.limit:
                    self._held.append((amount, self._excess))
                    return amount
                if not wait or not self._held:
                    return None
                self._change.wait()

    def settle(self, amount: float, actual: float) -> None:
        """End a reservation. An estimate that was too low makes all later ones larger by as much."""
        with self._change:
            held = next(each for each in self._held if each[0] == amount)
            self._held.remove(held)
            self.spent += actual
            if amount > 0:
                self._excess = max(self._excess, held[1] * actual / amount)
            self._change.notify_all()
