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
    _held: list[float] = field(init=False, default_factory=list)
    _excess: float = field(init=False, default=1.0)
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
                if self.limit is None or self.spent + sum(self._held) + amount <= self.limit:
                    self._held.append(amount)
                    return amount
                if not wait or not self._held:
                    return None
                self._change.wait()

    def settle(self, amount: float, actual: float) -> None:
        """End a reservation. An estimate that was too low makes all later ones larger by as much."""
        with self._change:
            self._held.remove(amount)
            self.spent += actual
            if amount > 0 and actual > amount:
                self._excess *= actual / amount
            self._change.notify_all()
