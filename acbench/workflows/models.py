"""Makes the models that a benchmark's settings name, for this process or a worker.

A model is loaded when it is first used, and the libraries of one that was not chosen are not imported: most commands
need no model.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from acbench._util.execution import RunOnce, SharedBudget, run_now
from acbench.errors import AcbenchError
from acbench.integrations.torch.embeddings import backbone
from acbench.predictors.clip_names import split_clip_name
from acbench.workflows.llm_models import LOCAL, LlmModel, LlmTable
from acbench.workflows.settings import Settings

if TYPE_CHECKING:
    from acbench.predictors.llm import BatchModel, LedgerClient
    from acbench.predictors.llm.cache import OpenBatchLog, OpenCallLog
    from acbench.predictors.llm.messages import ChatModel, QuestionOptions
    from acbench.predictors.models import ClipModel, Embedder, PatchModel


@dataclass(frozen=True, slots=True, kw_only=True)
class CallOptions:
    """How one run calls the LLM. The settings do not keep it."""

    budget: float | None = None
    """Dollars for all models together; None for no limit."""
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
    llms: LlmTable = field(default_factory=LlmTable)
    """The project's LLMs that have names."""
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
    _clients: dict[str, LedgerClient] = field(init=False, default_factory=dict)
    """By the name of the LLM; a client is made once, since it keeps to its rate limit."""
    _clips: dict[str, ClipModel] = field(init=False, default_factory=dict)

    @cached_property
    def embedder(self) -> Embedder:
        """The image model of `neighbours` and `few_shot`."""
        return backbone(self.settings.backbone)

    def patches(self) -> PatchModel:
        """The image model of the detector."""
        from acbench.integrations.torch.patch_features import patch_model

        return patch_model(self.settings.backbone)

    def clip(self, name: str = "") -> ClipModel:
        """The CLIP model `MODEL/WEIGHTS`, or that of the settings. Raises AcbenchError if the user chose none."""
        model, weights = split_clip_name(name) if name else (self.settings.clip_model, self.settings.clip_weights)
        if not model:
            raise AcbenchError(
                "no model was chosen for clip", "--clip-model NAME --clip-weights TAG_OR_FILE, or --with clip:NAME/TAG"
            )
        if name not in self._clips:
            from acbench.integrations.torch.open_clip import open_clip_model

            self._clips[name] = open_clip_model(model, weights, note=self.note)
        return self._clips[name]

    def llm_client(self, name: str = "") -> LedgerClient:
        """The client of an LLM. Raises AcbenchError if there is no such one, or if options contradict each other."""
        name = name or self.settings.llm.named
        if name not in self._clients:
            self._clients[name] = self._client(name)
        return self._clients[name]

    def question_options(self, name: str = "") -> QuestionOptions:
        """What the questions to an LLM show."""
        return self.llm(name).question

    def llm_family(self, name: str = "") -> str:
        """The family that the user says an LLM is of; empty to tell by the answering model's name."""
        return self.llm(name).family

    def llm_is_local(self, name: str = "") -> bool:
        """Whether an LLM runs on this machine; false if the user chose none."""
        return self._kept(name).is_local

    def llm_budget(self, name: str = "") -> SharedBudget:
        """What may be spent on an LLM: all that cost anything share one budget."""
        from acbench.predictors.llm import Budget

        return Budget() if self._kept(name).is_free else self._budget

    def llm(self, name: str = "") -> LlmModel:
        """What is kept of an LLM: of the table, or without a name that of the settings. Raises AcbenchError if none."""
        if not (kept := self._kept(name)).model:
            raise AcbenchError(
                "no multimodal LLM was chosen", "--llm NAME, and --llm-url http://HOST/v1 if it is not OpenAI's"
            )
        return kept

    def _kept(self, name: str) -> LlmModel:
        name = name or self.settings.llm.named
        return self.llms.model(name) if name else self.settings.llm

    @cached_property
    def _budget(self) -> SharedBudget:
        from acbench.predictors.llm import Budget

        return self.budget or Budget(limit=self.calls.budget)

    def _client(self, name: str) -> LedgerClient:
        from acbench.predictors.llm import BatchClient, LedgerClient, Retrier

        chosen = self.llm(name)
        if self.calls.budget is not None and not (chosen.is_free or chosen.price):
            price = f"acbench llm add {name} --price IN/OUT" if name else "--llm-price IN/OUT"
            raise AcbenchError(
                f"a budget cannot be kept without the prices of {chosen.model}",
                f"{price}, in dollars per million tokens (0/0 if it is free), or leave --budget out",
            )
        model, batch_model = _chat_model(chosen, self.calls)
        retrier = Retrier(model=model, budget=self.llm_budget(name), concurrency=self.calls.concurrency)
        if not chosen.is_local and (warning := _key_warning(chosen, name)):
            self.note(warning)
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


def _key_warning(chosen: LlmModel, name: str) -> str:
    """That a key which is there does not go to the model's address, though it did once; empty if there is no such key.

    Nothing is said of an address on this machine, where a key is rarely wanted.
    """
    from acbench.integrations.openai.endpoint import Endpoint

    endpoint = Endpoint.at(chosen.url, chosen.key_env)
    if endpoint.loopback or not endpoint.withholds_key:
        return ""
    way = f"acbench llm add {name} --key-env NAME" if name else "--llm-key-env NAME"
    return f"OPENAI_API_KEY goes to api.openai.com only: {endpoint.host} is asked without a key, unless you give {way}"


def _chat_model(chosen: LlmModel, calls: CallOptions) -> tuple[ChatModel, BatchModel | None]:
    """The model that is asked, and its batch API if that is to be used."""
    from acbench.predictors.llm.messages import Price

    if chosen.is_local:
        from acbench.integrations.torch.chat import chat_transformers

        if calls.batch:
            raise AcbenchError("--batch is for endpoints, and this model runs here", "leave --batch out")
        place = chosen.model.removeprefix(LOCAL)
        return chat_transformers(place, batch=calls.concurrency, options=chosen.request), None
    from acbench.integrations.openai.chat import chat_openai

    model = chat_openai(
        chosen.model,
        chosen.url,
        key_env=chosen.key_env,
        options=chosen.request,
        price=Price(*chosen.price) if chosen.price else Price(),
        timeout=calls.timeout,
        connections=calls.concurrency,
    )
    if not calls.batch:
        return model, None
    from acbench.integrations.openai.batches import OpenAIBatches

    return model, OpenAIBatches(model)
