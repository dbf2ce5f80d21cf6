"""Asks a multimodal LLM: within a rate limit and a budget, and never the same question twice."""

from acbench.predictors.llm.batches import BatchClient, BatchModel
from acbench.predictors.llm.budget import Budget
from acbench.predictors.llm.client import LedgerClient
from acbench.predictors.llm.retry import Retrier
from acbench.predictors.llm.vision_check import check_vision

__all__ = ["BatchClient", "BatchModel", "Budget", "LedgerClient", "Retrier", "check_vision"]
