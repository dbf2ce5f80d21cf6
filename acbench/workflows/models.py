"""Makes the models that a benchmark's settings name, for this process or a worker.

A model is loaded when it is first used, and the libraries of one that was not chosen are not imported: most commands
need no model.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from acbench._util.execution import RunOnce, SharedBudget, run_now
from acbench.errors import AcbenchError
from acbench.integrations.torch.embeddings import backbone
from acbench.workflows.settings import Settings

if TYPE_CHECKING:
    from acbench.predictors.llm import BatchModel, LedgerClient
    from acbench.predictors.llm.cache import OpenBatchLog, OpenCallLog
    from acbench.predictors.llm.messages import ChatModel, QuestionOptions
    from acbench.predictors.models import ClipModel, Embedder, PatchModel

LOCAL = "local:"
"""The prefix of an LLM that runs on this machine."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallOptions:
    """How one run calls the LLM. The settings do not keep it."""

    budget: float | None = None
    """Dollars; None for no limit."""
    concurrency: int = 8
    """Calls at once, at most."""
    timeout: float = 120.0
    """Seconds for one attempt."""
    batch: bool = False
    """Ask through the endpoint's batch API."""
    retry_errors: bool = False
    """Ask again the questions that ended with an error in an earlier run."""
    no_canary: bool = False
    """Skip the vision check, which shows that the endpoint sees pictures."""


@dataclass(frozen=True, kw_only=True)
class Models:
    """The models that settings name; implements `acbench.predictors.models.Models`."""

    settings: Settings
    calls: CallOptions
    open_log: OpenCallLog
    """Opens the log of calls, once for each thread."""
    open_batch_log: OpenBatchLog | None = None
    """Opens the log of batches; None in a worker, which submits none."""
    note: Callable[[str], None]
    """Shows the user what a model runs on."""
    budget: SharedBudget | None = None
    """The budget of all workers; None if this process spends alone."""
    run_once: RunOnce = run_now
    """Runs a check in one of the workers that share the budget."""

    @cached_property
    def embedder(self) -> Embedder:
        """The image model of `neighbours` and `few_shot`."""
        return backbone(self.settings.backbone)

    def patches(self) -> PatchModel:
        """The image model of the detector."""
        from acbench.integrations.torch.patch_features import patch_model

        return patch_model(self.settings.backbone)

    def clip(self, name: str = "") -> ClipModel:
        """The CLIP model. Raises AcbenchError if the user chose none."""
        return self._clip

    def llm_client(self, name: str = "") -> LedgerClient:
        """The client of the LLM. Raises AcbenchError if the user chose none, or if options contradict each other."""
        return self._llm_client

    def question_options(self, name: str = "") -> QuestionOptions:
        """What the questions to the LLM show."""
        from acbench.predictors.llm.messages import QuestionOptions

        return QuestionOptions()

    @property
    def llm_is_local(self) -> bool:
        """Whether the LLM runs on this machine."""
        return self.settings.llm.startswith(LOCAL)

    @cached_property
    def _clip(self) -> ClipModel:
        if not self.settings.clip_model:
            raise AcbenchError("no model was chosen for clip", "--clip-model NAME --clip-weights TAG_OR_FILE")
        from acbench.integrations.torch.open_clip import open_clip_model

        return open_clip_model(self.settings.clip_model, self.settings.clip_weights, note=self.note)

    @cached_property
    def _llm_client(self) -> LedgerClient:
        from acbench.predictors.llm import BatchClient, Budget, LedgerClient, Retrier

        if not self.settings.llm:
            raise AcbenchError(
                "no multimodal LLM was chosen", "--llm NAME, and --llm-url http://HOST/v1 if it is not OpenAI's"
            )
        model, batch_model = _chat_model(self.settings, self.calls)
        limit = None if self.llm_is_local else self.calls.budget  # a local model costs nothing
        retrier = Retrier(model=model, budget=self.budget or Budget(limit=limit), concurrency=self.calls.concurrency)
        if batch_model is None:
            return LedgerClient(
                retrier=retrier,
                open_log=self.open_log,
                retry_errors=self.calls.retry_errors,
                check_vision=not self.calls.no_canary,
                run_once=self.run_once,
                say=self.note,
            )
        if self.open_batch_log is None:
            raise AcbenchError("--batch hands in questions from one machine", "leave --batch or --engine out")
        return BatchClient(
            retrier=retrier,
            open_log=self.open_log,
            open_batch_log=self.open_batch_log,
            batch_model=batch_model,
            retry_errors=self.calls.retry_errors,
            check_vision=not self.calls.no_canary,
            run_once=self.run_once,
            say=self.note,
        )


def _chat_model(settings: Settings, calls: CallOptions) -> tuple[ChatModel, BatchModel | None]:
    """The model that the settings name, and its batch API if that is to be used."""
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
