"""Any OpenAI-compatible endpoint: hosted services, vLLM, Ollama, llama.cpp."""

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
from acbench.predictors.llm.messages import Completion, LlmError, Picture, Price, Question, schema_as_text

if TYPE_CHECKING:
    import openai

VERSION = 1
"""Part of every name: to be raised when the same question is put in other words."""
MAX_TEXT = 20_000
"""Characters of an answer that are kept."""
SEED = 0


@dataclass(frozen=True, slots=True)
class Dialect:
    """What an endpoint understands of the protocol; found out by asking, from the strictest down."""

    form: Literal["json_schema", "json_object", "none"] = "json_schema"
    temperature: bool = True
    seed: bool = True
    limit: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"

    def without(self, complaint: str) -> Self | None:
        """A simpler one after a refusal that says so much; None if nothing is left to leave out."""
        if "max_completion_tokens" in complaint and self.limit == "max_tokens":
            return replace(self, limit="max_completion_tokens")
        if "temperature" in complaint and self.temperature:
            return replace(self, temperature=False)
        if "seed" in complaint and self.seed:
            return replace(self, seed=False)
        if self.form == "json_schema":
            return replace(self, form="json_object")
        return replace(self, form="none") if self.form == "json_object" else None

    def body(self, model: str, question: Question) -> dict[str, Any]:
        """The request."""
        strict = self.form == "json_schema"
        system = question.system if strict else f"{question.system}\n\n{schema_as_text(question.schema)}"
        body: dict[str, Any] = {
            "model": model,
            "messages": [
                {"role": "system", "content": system},
                {"role": "user", "content": [_part(part) for part in question.parts]},
            ],
            self.limit: question.max_tokens,
        }
        if self.temperature:
            body["temperature"] = 0
        if self.seed:
            body["seed"] = SEED
        if strict:
            form = {"name": "answer", "strict": True, "schema": dict(question.schema)}
            body["response_format"] = {"type": "json_schema", "json_schema": form}
        elif self.form == "json_object":
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
    """Kept open."""
    dialect: Dialect = Dialect()
    _settled: bool = field(init=False, default=False)

    @property
    def name(self) -> str:
        """See `ChatModel`."""
        seen = json.dumps([VERSION, self.id, self.endpoint.url, "temperature 0", SEED])
        return f"{self.id}/{self.endpoint.host}@{hashlib.blake2b(seen.encode(), digest_size=4).hexdigest()}"

    @cached_property
    def client(self) -> openai.OpenAI:
        """Made when first needed, closed with this object. Raises CallError without a key."""
        from acbench.integrations.openai.client import connect

        client = connect(self.endpoint, self.timeout, self.connections)
        weakref.finalize(self, client.close)
        return client

    def tokens(self, question: Question) -> int:
        """See `question_tokens`."""
        return question_tokens(question, self.id)

    def ask(self, question: Question) -> Completion:
        """One attempt; blocks; safe to call from several threads. Raises CallError."""
        import openai  # slow; a run with nothing to ask does not need it

        from acbench.integrations.openai.client import meaning

        dialect, first = self.dialect, None
        while True:
            started = time.monotonic()
            try:
                body = self._post(dialect.body(self.id, question))
            except (openai.BadRequestError, openai.UnprocessableEntityError) as error:
                first = first or meaning(self.endpoint, error)
                simpler = self.dialect if self._settled else dialect.without(f"{error.body or error}")
                if simpler in (None, dialect):  # it is the question that is refused
                    raise first from None
                dialect = simpler
            except openai.OpenAIError as error:
                raise meaning(self.endpoint, error) from None
            else:
                if not self._settled:
                    self.dialect, self._settled = dialect, True
                return self.read(body, time.monotonic() - started, question)

    def _post(self, body: dict[str, Any]) -> bytes:
        # The raw response: the client takes whatever JSON comes for a completion.
        raw = self.client.chat.completions.with_raw_response.create(**body)
        return raw.http_response.content

    def read(self, body: bytes, seconds: float, question: Question | None = None) -> Completion:
        """The answer in a response that says 200. Raises CallError if there is none; it may have been charged for.

        An answer that is much too long is cut, and counts as ended by its length. Without a usage it counts as the
        upper estimate for `question`.
        """
        try:
            found = json.loads(body)
        except (ValueError, RecursionError):
            raise self._fault("server", f"not JSON: {body[:80]!r}") from None
        choices = found.get("choices") if isinstance(found, dict) else None
        if not (isinstance(choices, list) and choices and isinstance(choices[0], dict)):
            said = found.get("error") if isinstance(found, dict) else None
            raise self._fault("server", f"no choices; {said or 'no reason'}")
        message = choices[0].get("message")
        message = message if isinstance(message, dict) else {}
        finish, text = str(choices[0].get("finish_reason"))[:40], message.get("content")
        if message.get("refusal"):
            raise self._fault("refused", f"the model refuses: {message['refusal']}")
        if finish == "content_filter":
            raise self._fault("refused", "stopped by the content filter")
        if finish == "length" and not text:
            raise self._fault("refused", "all its tokens were used before it said anything")
        if not isinstance(text, str) or not text.strip():
            raise self._fault("refused", f"an empty answer, finish {finish}")
        if len(text) > MAX_TEXT:
            text, finish = text[:MAX_TEXT], "length"
        usage = found.get("usage")
        usage = usage if isinstance(usage, dict) else {}
        return Completion(
            text=text.encode("utf-8", "replace").decode(),  # half a surrogate pair cannot be stored
            model=str(found.get("model") or self.id)[:200],
            finish=finish,
            tokens_in=_count(usage.get("prompt_tokens"), self.tokens(question) if question else 0),
            tokens_out=_count(usage.get("completion_tokens"), question.max_tokens if question else 0),
            seconds=seconds,
        )

    def _fault(self, kind: Literal["server", "refused"], why: str) -> LlmError:
        return LlmError(kind, f"{self.endpoint.host}: {self.endpoint.scrub(why)}", may_cost=True)


def chat_openai(
    model: str, base_url: str | None = None, *, price: Price | None = None, timeout: float = 120.0, connections: int = 8
) -> OpenAIChat:
    """A model at an endpoint, api.openai.com if none is given. Nothing is sent. Raises AcbenchError on a bad URL."""
    endpoint = Endpoint.at(base_url)
    return OpenAIChat(id=model, endpoint=endpoint, price=price or Price(), timeout=timeout, connections=connections)


def _part(part: str | Picture) -> dict[str, Any]:
    if isinstance(part, str):
        return {"type": "text", "text": part}
    data = base64.b64encode(part.data).decode()
    return {"type": "image_url", "image_url": {"url": f"data:{part.media_type};base64,{data}"}}


def _count(given: object, estimate: int) -> int:
    return given if isinstance(given, int) and given >= 0 else estimate
