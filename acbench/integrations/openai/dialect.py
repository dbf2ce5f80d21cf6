"""Says how a model behind an endpoint has to be asked: the parts of the protocol that it takes, found out by asking.

Endpoints call themselves OpenAI-compatible and differ: some refuse keywords of a JSON Schema, some a temperature, some
the role `system`. A refusal says which part to leave out; where it does not, the form of the answer is made simpler
step by step. A model that thinks before it answers needs a higher limit of tokens than the answer itself.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal, Self

from acbench.errors import StorageError
from acbench.predictors.llm.messages import Picture, Question, RequestOptions, schema_as_text
from acbench.storage.typed_json import decode

SEED = 0
THINKING_LIMIT = 16_384
"""Tokens of an answer of a model that thinks first: hundreds to thousands of hidden ones. What is not used is not
paid."""

AnswerFormat = Literal["json_schema", "plain_schema", "bare_schema", "json_object", "none"]
_SIMPLER: Mapping[AnswerFormat, AnswerFormat] = {
    "json_schema": "json_object",
    "plain_schema": "bare_schema",
    "bare_schema": "json_object",
    "json_object": "none",
}
"""What to try next where a refusal does not say what is wrong."""
_PLAIN = frozenset({"maxLength", "minLength", "maxItems", "minItems", "minimum", "maximum", "pattern"})
"""Keywords that many strict modes refuse."""
_BARE = _PLAIN | {"additionalProperties"}
_OF_SCHEMA = re.compile(
    r"(?i:\bschema\b|too many states|\bgrammar\b)|maxLength|minLength|maxItems|minItems|additionalProperties"
    r"|['\"`](?:minimum|maximum|pattern)['\"`]"
)
_OF_DIALECT = re.compile(
    _OF_SCHEMA.pattern + r"|(?i:response_format|json_schema|json_object|structured output|temperature|\bseed\b"
    r"|max_(completion_)?tokens|\bsystem\b|unsupported|not supported|unknown (field|parameter)|extra inputs"
    r"|unrecognized)"
)
"""What a refusal speaks of that another form of the request may avoid."""
_OF_CONTENT = re.compile(
    r"image|picture|context (length|window)|too (large|long)|content policy|content management", re.I
)
"""What a refusal speaks of that no other form of the request avoids."""
_HIGHEST = re.compile(r"(?:at most|less than or equal to|<=|maximum(?: value)?(?: of| is|:)?|up to)\s*(\d{2,7})", re.I)


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """How to ask one model. Begins with everything that the protocol offers."""

    answer_format: AnswerFormat = "json_schema"
    """How an answer is held to the schema: wholly, without bounds, without `strict`, as any JSON, or by words alone."""
    temperature: bool = True
    seed: bool = True
    system: bool = True
    """Whether there may be a system message; else its text goes before the user's."""
    limit_name: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    limit: int = 0
    """Tokens that an answer needs, hidden reasoning included; 0 if those of the question are enough."""
    highest: int = 0
    """The highest limit that the endpoint takes; 0 if it has named none."""
    answers_as: str = ""
    """The model's name in its first answer."""

    @classmethod
    def from_json(cls, text: str) -> Self:
        """The dialect that `to_json` gave. One that cannot be read, as of another version, is forgotten."""
        try:
            return decode(text.encode("utf-8", "replace"), cls, "the ledger")
        except StorageError:
            return cls()

    def to_json(self) -> str:
        """Text for the ledger."""
        return json.dumps(asdict(self))

    def tokens(self, question: Question, options: RequestOptions) -> int:
        """The limit of the answer to a question, tokens."""
        limit = options.max_tokens or max(question.max_tokens, self.limit)
        return min(limit, self.highest) if self.highest else limit

    def without(self, refused: str) -> Self | None:
        """A simpler dialect, after a refusal with this text; None if nothing simpler can help."""
        if "max_completion_tokens" in refused and self.limit_name == "max_tokens":
            return replace(self, limit_name="max_completion_tokens")
        if re.search("max_(completion_)?tokens", refused) and (number := _HIGHEST.search(refused)):
            highest = int(number[1])
            if not self.highest or highest < self.highest:
                return replace(self, highest=highest)
        if "temperature" in refused and self.temperature:
            return replace(self, temperature=False)
        if re.search(r"\bseed\b", refused) and self.seed:
            return replace(self, seed=False)
        if re.search(r"\bsystem\b|developer", refused, re.I) and "role" in refused.lower() and self.system:
            return replace(self, system=False)
        return self._with_simpler_answer(refused)

    def _with_simpler_answer(self, refused: str) -> Self | None:
        if self.answer_format in {"json_schema", "plain_schema"} and "additionalProperties" in refused:
            return replace(self, answer_format="bare_schema")
        if self.answer_format == "json_schema" and _OF_SCHEMA.search(refused):
            return replace(self, answer_format="plain_schema")
        if _OF_CONTENT.search(refused) and not _OF_DIALECT.search(refused):
            return None
        simpler = _SIMPLER.get(self.answer_format)
        return replace(self, answer_format=simpler) if simpler else None

    def request(self, model: str, question: Question, options: RequestOptions) -> dict[str, Any]:
        """The JSON of a request for a chat completion."""
        has_schema = self.answer_format.endswith("schema")
        system = question.system if has_schema else f"{question.system}\n\n{schema_as_text(question.schema)}"
        parts = [_part(part) for part in question.parts]
        messages: list[dict[str, Any]] = [{"role": "user", "content": parts}]
        if self.system:
            messages.insert(0, {"role": "system", "content": system})
        else:
            parts.insert(0, _part(system))
        body: dict[str, Any] = {"model": model, "messages": messages, self.limit_name: self.tokens(question, options)}
        if self.temperature:
            body["temperature"] = 0 if question.draw == 0 else 1
        if self.seed:
            body["seed"] = SEED + question.draw
        if has_schema:
            body["response_format"] = {"type": "json_schema", "json_schema": self._schema(question)}
        elif self.answer_format == "json_object":
            body["response_format"] = {"type": "json_object"}
        if options.effort:
            body["reasoning_effort"] = options.effort
        if options.logprobs:
            body["logprobs"] = True
        return {**body, **options.extra}

    def _schema(self, question: Question) -> dict[str, Any]:
        if self.answer_format == "bare_schema":
            return {"name": "answer", "schema": _without_keywords(question.schema, _BARE)}
        schema = question.schema if self.answer_format == "json_schema" else _without_keywords(question.schema, _PLAIN)
        return {"name": "answer", "strict": True, "schema": dict(schema)}


def is_about_dialect(refused: str) -> bool:
    """Whether a refusal with this text speaks of the form of the request."""
    return bool(_OF_DIALECT.search(refused))


def option_refused(refused: str, options: RequestOptions) -> str:
    """The option of the user that a refusal names, such as `--llm-effort`; empty if it names none.

    What the user asked for is not left out in silence.
    """
    if options.effort and re.search("reasoning_effort|reasoning effort", refused):
        return "--llm-effort"
    if options.logprobs and re.search("logprobs", refused):
        return "--llm-logprobs"
    if options.max_tokens and re.search("max_(completion_)?tokens", refused) and _HIGHEST.search(refused):
        return "--llm-max-tokens"
    return next((f"--llm-extra {key}" for key in options.extra if key in refused), "")


def _without_keywords(schema: Mapping[str, Any], keywords: frozenset[str]) -> dict[str, Any]:
    """A JSON Schema without some keywords. Names of properties are no keywords."""
    simple: dict[str, Any] = {}
    for key, value in schema.items():
        if key == "properties":
            simple[key] = {name: _without_keywords(part, keywords) for name, part in value.items()}
        elif key not in keywords:
            simple[key] = _without_keywords(value, keywords) if isinstance(value, Mapping) else value
    return simple


def _part(part: str | Picture) -> dict[str, Any]:
    if isinstance(part, str):
        return {"type": "text", "text": part}
    data = base64.b64encode(part.data).decode()
    return {"type": "image_url", "image_url": {"url": f"data:{part.media_type};base64,{data}"}}
