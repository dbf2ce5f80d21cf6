"""The models that settings name, made in one place, whichever process uses them.

Nothing is loaded before it is used, and what was not chosen is not imported: most commands need no model.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from acbench.errors import AcbenchError
from acbench.integrations.torch.embeddings import backbone
from acbench.workflows.settings import Settings

if TYPE_CHECKING:
    from acbench._util.execution import Budget
    from acbench.integrations.openai.batches import OpenAIBatches
    from acbench.predictors.base import ClipModel, Embedder, PatchModel
    from acbench.predictors.llm import LedgerClient
    from acbench.predictors.llm.cache import OpenCallLog
    from acbench.predictors.llm.messages import ChatModel

LOCAL = "local:"
"""Marks an LLM that runs on this machine."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallOptions:
    """How one run makes calls to an LLM; not remembered."""

    budget: float | None = None
    """Dollars."""
    concurrency: int = 8
    timeout: float = 120.0
    """Seconds for one attempt."""
    batch: bool = False
    retry_errors: bool = False
    no_canary: bool = False
    """Do not check first that the endpoint looks at pictures."""


@dataclass(frozen=True, kw_only=True)
class Models:
    """What settings name, each loaded when first used."""

    settings: Settings
    calls: CallOptions
    open_log: Path | OpenCallLog
    """The ledger's file, or what opens a log of calls that is elsewhere."""
    tell: Callable[[str], None]
    """Told what a person should know of a model."""
    budget: Budget | None = None
    """One that other workers share; None for one of this run alone."""
    once: Callable[[Callable[[], None]], None] = lambda check: check()
    """Has something done by one of those who share a budget."""

    @cached_property
    def embedder(self) -> Embedder:
        """Turns crops into vectors."""
        return backbone(self.settings.backbone)

    def patches(self) -> PatchModel:
        """The model of the detector."""
        from acbench.integrations.torch.patch_features import patch_model

        return patch_model(self.settings.backbone)

    def clip(self) -> ClipModel:
        """The model of `clip`. Raises AcbenchError if none was chosen."""
        return self._clip

    def llm_client(self) -> LedgerClient:
        """The client of `llm`. Raises AcbenchError if no model was chosen or it cannot be had, or options do not
        agree."""
        return self._llm_client

    @property
    def llm_is_local(self) -> bool:
        """Whether the LLM runs on this machine."""
        return self.settings.llm.startswith(LOCAL)

    @cached_property
    def _clip(self) -> ClipModel:
        if not self.settings.clip_model:
            raise AcbenchError("no model was chosen for clip", "--clip-model NAME --clip-weights TAG_OR_FILE")
        from acbench.integrations.torch.open_clip import open_clip_model

        return open_clip_model(self.settings.clip_model, self.settings.clip_weights, note=self.tell)

    @cached_property
    def _llm_client(self) -> LedgerClient:
        from acbench.predictors.llm import BatchClient, Budget, LedgerClient, Retrier

        settings, calls = self.settings, self.calls
        if not settings.llm:
            raise AcbenchError(
                "no multimodal LLM was chosen", "--llm NAME, and --llm-url http://HOST/v1 if it is not OpenAI's"
            )
        model, batches = _chat_model(settings, calls)
        limit = None if self.llm_is_local else calls.budget  # a local model costs nothing
        retrier = Retrier(model=model, budget=self.budget or Budget(limit=limit), concurrency=calls.concurrency)
        common: dict[str, Any] = {
            "retrier": retrier,
            "ledger": self.open_log,
            "retry_errors": calls.retry_errors,
            "check_vision": not calls.no_canary,
            "once": self.once,
        }
        return BatchClient(**common, door=batches) if batches else LedgerClient(**common)


def _chat_model(settings: Settings, calls: CallOptions) -> tuple[ChatModel, OpenAIBatches | None]:
    """The model that the settings name, and its batches if they are to be used."""
    from acbench.predictors.llm.messages import Price

    if settings.llm.startswith(LOCAL):
        from acbench.integrations.torch.chat import chat_transformers

        if calls.batch:
            raise AcbenchError("--batch is for endpoints, and this model runs here", "leave --batch out")
        return chat_transformers(settings.llm.removeprefix(LOCAL), batch=calls.concurrency), None
    from acbench.integrations.openai.chat import chat_openai

    price = Price(*settings.llm_price) if settings.llm_price else Price()
    model = chat_openai(
        settings.llm, settings.llm_url, price=price, timeout=calls.timeout, connections=calls.concurrency
    )
    if not calls.batch:
        return model, None
    from acbench.integrations.openai.batches import OpenAIBatches

    return model, OpenAIBatches(model)
