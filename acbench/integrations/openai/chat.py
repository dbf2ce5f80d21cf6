"""Asks a model behind any OpenAI-compatible endpoint: hosted services, vLLM, Ollama, llama.cpp."""

from __future__ import annotations

import base64
import hashlib
import json
import time
import weakref
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, Self

from acbench.integrations.openai.endpoint import Endpoint
from acbench.integrations.openai.tokens import question_tokens
from acbench.predictors.llm.messages import (
    Completion,
    LlmError,
    Picture,
    Price,
    Question,
    RequestOptions,
    schema_as_text,
)

if TYPE_CHECKING:
    import openai

VERSION = 1
"""Part of every model's name. Raise it when the same question is sent in other words."""
MAX_TEXT = 20_000
"""Characters of an answer that are kept."""
SEED = 0


@dataclass(frozen=True, slots=True)
class Capabilities:
    """The parts of the protocol that an endpoint understands. Trying finds them out, from all of them down."""

    answer_format: Literal["json_schema", "json_object", "none"] = "json_schema"
    temperature: bool = True
    seed: bool = True
    limit_name: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"

    def without(self, refused: str) -> Self | None:
        """Fewer capabilities, after a refusal with this text; None if nothing is left to leave out."""
        if "max_completion_tokens" in refused and self.limit_name == "max_tokens":
            return replace(self, limit_name="max_completion_tokens")
        if "temperature" in refused and self.temperature:
            return replace(self, temperature=False)
        if "seed" in refused and self.seed:
            return replace(self, seed=False)
        if self.answer_format == "json_schema":
            return replace(self, answer_format="json_object")
        return replace(self, answer_format="none") if self.answer_format == "json_object" else None

    def request(self, model: str, question: Question) -> dict[str, Any]:
        """The JSON of a request for a chat completion."""
        strict = self.answer_format == "json_schema"
        system = question.system if strict else f"{question.system}\n\n{schema_as_text(question.schema)}"
        body: dict[str, Any] = {
            "model": model,
            "messages": [
                {"role": "system", "content": system},
                {"role": "user", "content": [_part(part) for part in question.parts]},
            ],
            self.limit_name: question.max_tokens,
        }
        if self.temperature:
            body["temperature"] = 0
        if self.seed:
            body["seed"] = SEED
        if strict:
            answer = {"name": "answer", "strict": True, "schema": dict(question.schema)}
            body["response_format"] = {"type": "json_schema", "json_schema": answer}
        elif self.answer_format == "json_object":
            body["response_format"] = {"type": "json_object"}
        return body


@dataclass(kw_only=True)
class OpenAIChat:
    """A model behind an endpoint. The key comes from OPENAI_API_KEY; a server on this machine needs none."""

    id: str
    """The model, as the endpoint calls it."""
    endpoint: Endpoint
    price: Price
    timeout: float
    """Seconds for one attempt."""
    connections: int
    """How many connections stay open."""
    options: RequestOptions = field(default_factory=RequestOptions)
    capabilities: Capabilities = Capabilities()
    _tried: bool = field(init=False, default=False)
    """Whether an answer has come, so that the capabilities are known."""

    @property
    def name(self) -> str:
        decisive = json.dumps([VERSION, self.id, self.endpoint.url, "temperature 0", SEED])
        return f"{self.id}/{self.endpoint.host}@{hashlib.blake2b(decisive.encode(), digest_size=4).hexdigest()}"

    @cached_property
    def client(self) -> openai.OpenAI:
        """The client, made when first needed, closed with this object. Raises LlmError without a key."""
        from acbench.integrations.openai.client import connect

        client = connect(self.endpoint, self.timeout, self.connections)
        weakref.finalize(self, client.close)
        return client

    def tokens(self, question: Question) -> int:
        return question_tokens(question, self.id)

    def ask(self, question: Question) -> Completion:
        """One attempt; blocks; safe to call from several threads. Raises LlmError."""
        import openai  # slow; a run with nothing to ask does not need it

        from acbench.integrations.openai.client import llm_error

        capabilities, first = self.capabilities, None
        while True:
            started = time.monotonic()
            try:
                body = self._post(capabilities.request(self.id, question))
            except (openai.BadRequestError, openai.UnprocessableEntityError) as error:
                first = first or llm_error(self.endpoint, error)
                fewer = self.capabilities if self._tried else capabilities.without(f"{error.body or error}")
                if fewer in (None, capabilities):  # it is the question that is refused
                    raise first from None
                capabilities = fewer
            except openai.OpenAIError as error:
                raise llm_error(self.endpoint, error) from None
            else:
                if not self._tried:
                    self.capabilities, self._tried = capabilities, True
                return self.read(body, time.monotonic() - started, question)

    def _post(self, request: dict[str, Any]) -> bytes:
        # The raw response: the client takes whatever JSON comes for a completion.
        raw = self.client.chat.completions.with_raw_response.create(**request)
        return raw.http_response.content

    def read(self, body: bytes, seconds: float, question: Question | None = None) -> Completion:
        """The answer in the body of a response with status 200.

        Raises LlmError if there is none; it may have been charged for. An answer that is much too long is cut, and
        counts as ended by its length. Without a usage it counts as the upper estimate for `question`.
        """
        choice, usage, model = self._parse(body)
        message = choice.get("message")
        message = message if isinstance(message, dict) else {}
        finish, text = str(choice.get("finish_reason"))[:40], message.get("content")
        if message.get("refusal"):
            raise self._error("refused", f"the model refuses: {message['refusal']}")
        if finish == "content_filter":
            raise self._error("refused", "stopped by the content filter")
        if finish == "length" and not text:
            raise self._error("refused", "all its tokens were used before it said anything")
        if not isinstance(text, str) or not text.strip():
            raise self._error("refused", f"an empty answer, finish {finish}")
        if len(text) > MAX_TEXT:
            text, finish = text[:MAX_TEXT], "length"
        return Completion(
            text=text.encode("utf-8", "replace").decode(),  # half a surrogate pair cannot be stored
            model=str(model or self.id)[:200],
            finish=finish,
            tokens_in=_count(usage.get("prompt_tokens"), self.tokens(question) if question else 0),
            tokens_out=_count(usage.get("completion_tokens"), question.max_tokens if question else 0),
            seconds=seconds,
        )

    def _parse(self, body: bytes) -> tuple[dict[str, Any], dict[str, Any], object]:
        """The first choice, the usage and the model's name in a response. Raises LlmError if there is no choice."""
        try:
            response = json.loads(body)
        except (ValueError, RecursionError):
            raise self._error("server", f"not JSON: {body[:80]!r}") from None
        choices = response.get("choices") if isinstance(response, dict) else None
        if not (isinstance(choices, list) and choices and isinstance(choices[0], dict)):
            reason = response.get("error") if isinstance(response, dict) else None
            raise self._error("server", f"no choices; {reason or 'no reason'}")
        usage = response.get("usage")
        return choices[0], usage if isinstance(usage, dict) else {}, response.get("model")

    def _error(self, kind: Literal["server", "refused"], why: str) -> LlmError:
        return LlmError(kind, f"{self.endpoint.host}: {self.endpoint.scrub(why)}", may_cost=True)


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


def _part(part: str | Picture) -> dict[str, Any]:
    if isinstance(part, str):
        return {"type": "text", "text": part}
    data = base64.b64encode(part.data).decode()
    return {"type": "image_url", "image_url": {"url": f"data:{part.media_type};base64,{data}"}}


def _count(tokens: object, estimate: int) -> int:
    """A number of tokens as the endpoint counts it, or else the estimate."""
    return tokens if isinstance(tokens, int) and tokens >= 0 else estimate
