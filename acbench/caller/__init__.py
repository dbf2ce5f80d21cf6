"""Makes calls that cost money or time: paced, within a budget, and each at most once."""

from acbench.caller.batches import BatchCaller, BatchModel
from acbench.caller.budget import Budget
from acbench.caller.canary import canary
from acbench.caller.dialer import Dialer
from acbench.caller.ledgered import LedgerCaller

__all__ = ["BatchCaller", "BatchModel", "Budget", "Dialer", "LedgerCaller", "canary"]
