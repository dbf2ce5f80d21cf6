"""Asks a model behind any OpenAI-compatible endpoint: hosted services, vLLM, Ollama, llama.cpp."""

from __future__ import annotations

import hashlib
import json
import re
import threading
import time
import weakref
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING

from acbench.integrations.openai.bodies import Body, read_body
from acbench.integrations.openai.dialect import (
    SEED,
    THINKING_LIMIT,
    Dialect,
    is_about_dialect,
    option_refused,
)
from acbench.integrations.openai.endpoint import Endpoint
from acbench.integrations.openai.failures import error_in_body
from acbench.integrations.openai.tokens import fewest_tokens, question_tokens
from acbench.predictors.llm.messages import Completion, LlmError, LlmErrorKind, Price, Question, RequestOptions
from acbench.predictors.llm.parse import without_thoughts

if TYPE_CHECKING:
    import openai

VERSION = 1
"""Part of every model's name. Raise it when the same question is sent in other words."""
MAX_TEXT = 20_000
"""Characters of an answer that are kept."""
MOST_FORMS = 10
"""In how many forms one question is sent, at most."""


@dataclass(kw_only=True)
class OpenAIChat:
    """A model behind an endpoint. How it has to be asked is found out by the first questions, and kept."""

    id: str
    """The model, as the endpoint calls it."""
    endpoint: Endpoint
    price: Price
    timeout: float
    """Seconds for one attempt."""
    connections: int
    """How many connections stay open."""
    options: RequestOptions = field(default_factory=RequestOptions)
    form: Dialect = field(default_factory=Dialect)
    settled: bool = False
    """Whether a real question was answered in this form."""
    _may_step_down: bool = field(init=False, default=True)
    """Whether a settled form may become simpler once more."""
    _last: tuple[Dialect, bool] = field(init=False, default=(Dialect(), False))
    """The form, and whether it is settled, to go back to if no simpler one helps."""
    _lock: threading.Lock = field(init=False, default_factory=threading.Lock, repr=False)

    @property
    def name(self) -> str:
        decisive = [VERSION, self.id, self.endpoint.url, "temperature 0", SEED]
        if self.options != RequestOptions():  # whoever sets nothing keeps the answers of earlier versions
            options = self.options
            decisive.append([options.max_tokens, options.effort, options.logprobs, dict(options.extra)])
        digest = hashlib.blake2b(json.dumps(decisive).encode(), digest_size=4).hexdigest()
        return f"{self.id}/{self.endpoint.host}@{digest}"

    @property
    def dialect(self) -> str:
        return self.form.to_json() if self.settled else ""

    def use_dialect(self, dialect: str) -> None:
        if dialect and not self.settled:
            self.form, self.settled = Dialect.from_json(dialect), True
            self._last = self.form, True

    @cached_property
    def client(self) -> openai.OpenAI:
        """The client, made when first needed, closed with this object. Raises LlmError without a key."""
        from acbench.integrations.openai.client import connect

        client = connect(self.endpoint, self.timeout, self.connections)
        weakref.finalize(self, client.close)
        return client

    def tokens(self, question: Question) -> int:
        return question_tokens(question, self.id)

    def limit(self, question: Question) -> int:
        return self.form.tokens(question, self.options)

    def ask(self, question: Question) -> Completion:
        """One attempt; blocks; safe to call from several threads. Raises LlmError.

        A request that is refused for its form is sent again in a simpler one: a refusal costs nothing.
        """
        import openai  # slow; a run with nothing to ask does not need it

        from acbench.integrations.openai.client import llm_error

        refused: LlmError | None = None
        for _ in range(MOST_FORMS):
            form, started = self.form, time.monotonic()
            try:
                body = self._post(form, question)
            except (openai.BadRequestError, openai.UnprocessableEntityError) as error:
                failure = llm_error(self.endpoint, error)
                refused = refused or failure
                if failure.kind != "refused" or not self._step_down(form, f"{error.body or error}"):
                    break
            except openai.OpenAIError as error:
                raise llm_error(self.endpoint, error) from None
            else:
                answer = self.read(body, time.monotonic() - started, question, form)
                self._settle(form, answer, question)
                return answer
        assert refused is not None, "only a refusal ends the loop"
        raise refused from None

    def _post(self, form: Dialect, question: Question) -> bytes:
        # The raw response: the client takes whatever JSON comes for a completion. The body is sent as it is, since
        # the client knows only the parameters of OpenAI.
        request = form.request(self.id, question, self.options)
        known = {key: request.pop(key) for key in ("model", "messages")}
        raw = self.client.chat.completions.with_raw_response.create(**known, extra_body=request)
        return raw.http_response.content

    def _step_down(self, form: Dialect, refused: str) -> bool:
        """Make the form simpler after a refusal of a request in `form`; gives whether to send it again."""
        if option := option_refused(refused, self.options):
            hint = f"leave {option} out, or give it another value"
            raise LlmError("account", f"{self.endpoint.host} refuses {option}: {self.endpoint.scrub(refused)}", hint)
        with self._lock:
            if self.form != form:
                return True  # another thread was faster
            if self.settled and not (self._may_step_down and is_about_dialect(refused)):
                return False
            simpler = form.without(refused)
            if simpler is None:
                last, self.settled = self._last
                self.form = replace(last, limit=form.limit, highest=form.highest)
                return False
            if self.settled:
                self.settled = self._may_step_down = False
            self.form = simpler
            return True

    def _settle(self, form: Dialect, answer: Completion, question: Question) -> None:
        with self._lock:
            if question.is_trial:
                return
            if self.form == form and not form.answers_as:
                self.form = replace(form, answers_as=answer.model)
            self.settled = True
            self._last = self.form, True

    def read(
        self, data: bytes, seconds: float, question: Question | None = None, form: Dialect | None = None
    ) -> Completion:
        """The answer in the body of a response with status 200.

        Raises LlmError if there is none; it may have been charged for. An answer that is much too long is cut, and
        counts as ended by its length. Without a usage it counts as the upper estimate for `question`.
        """
        try:
            body = read_body(data)
        except ValueError as error:
            raise self._error("server", str(error)) from None
        if body.error is not None:
            raise error_in_body(self.endpoint, body.error, body.usage, said=body.text)
        if not body.has_choice:
            raise self._error("server", "no choices, and no reason", body, may_cost=False)
        text = self._said(body, question, form)
        finish = body.finish
        if len(text) > MAX_TEXT:
            text, finish = text[:MAX_TEXT], "length"
        usage, limit = body.usage, self.limit(question) if question else 0
        return Completion(
            text=text,
            model=body.model or self.id[:200],
            finish=finish,
            tokens_in=usage.tokens_in if usage.tokens_in is not None else self.tokens(question) if question else 0,
            tokens_out=usage.tokens_out if usage.tokens_out is not None else limit,
            seconds=seconds,
            tokens_cached=usage.tokens_cached,
            dollars=usage.dollars,
            token_logprobs=body.token_logprobs,
            warning=self._warning(body, question),
        )

    def _said(self, body: Body, question: Question | None, form: Dialect | None) -> str:
        """The text of an answer. Raises LlmError if it says nothing."""
        if body.refusal:
            raise self._error("filtered", f"the model refuses: {body.refusal}", body)
        if body.finish == "content_filter":
            raise self._error("filtered", "the answer was stopped by the content filter", body)
        text = body.text if body.text.strip() else body.thoughts
        if body.finish == "length" and "{" not in without_thoughts(body.text):
            raise self._too_short(body, question, form)
        if not text.strip():
            raise self._error("refused", f"an empty answer, finish {body.finish}", body)
        return text

    def _too_short(self, body: Body, question: Question | None, form: Dialect | None) -> LlmError:
        """The failure of a model that said nothing within its limit, which is raised once, if the user set none."""
        used = (form or self.form).tokens(question, self.options) if question else 0
        error = self._error("length", f"all {used:,} tokens were used before it said anything", body)
        error.hint = f"--llm-max-tokens {max(4 * used, THINKING_LIMIT)}, or a lower --llm-effort"
        if question is None or self.options.max_tokens:
            return error
        with self._lock:
            if self.form.limit < THINKING_LIMIT:
                self.form = replace(self.form, limit=THINKING_LIMIT)
            error.again = self.form.tokens(question, self.options) > used
        return error

    def _warning(self, body: Body, question: Question | None) -> str:
        """What is odd about an answer: another model, missing log-probabilities, or a cut prompt."""
        known = self.form.answers_as
        if body.model and known and body.model != known:
            return f"{body.model} answers now; {known} answered before"
        if body.model and not known and not _is_version_of(body.model, self.id):
            return f"{self.id} was asked for, and {body.model} answers"
        if self.options.logprobs and not body.token_logprobs:
            return f"{self.endpoint.host} gives no log-probabilities: --llm-logprobs changes nothing"
        counted = body.usage.tokens_in
        if question and counted is not None and counted + body.usage.tokens_cached < fewest_tokens(question):
            # without figures, which differ from question to question: it is to be said once
            return (
                f"{self.endpoint.host} counts fewer tokens than its questions can have: it may have cut them;"
                " raise its context length (Ollama: num_ctx)"
            )
        return ""

    def _error(self, kind: LlmErrorKind, why: str, body: Body | None = None, *, may_cost: bool = True) -> LlmError:
        usage = body.usage if body else None
        return LlmError(kind, f"{self.endpoint.host}: {self.endpoint.scrub(why)}", may_cost=may_cost, usage=usage)


def chat_openai(
    model: str,
    base_url: str | None = None,
    *,
    key_env: str | None = None,
    options: RequestOptions | None = None,
    price: Price | None = None,
    timeout: float = 120.0,
    connections: int = 8,
) -> OpenAIChat:
    """A model at an endpoint, by default api.openai.com. Nothing is sent. Raises AcbenchError for a bad URL.

    `key_env`: the variable that holds the key; None for OPENAI_API_KEY at api.openai.com, and for no key elsewhere.
    """
    return OpenAIChat(
        id=model,
        endpoint=Endpoint.at(base_url, key_env),
        options=options or RequestOptions(),
        price=price or Price(),
        timeout=timeout,
        connections=connections,
    )


def _is_version_of(answering: str, asked: str) -> bool:
    """Whether a model's name in an answer is the one that was asked for, or a dated version of it."""
    one, other = (re.sub(r"[^a-z0-9]", "", name.lower().rpartition("/")[2]) for name in (answering, asked))
    return one.startswith(other) or other.startswith(one)
