"""Calls that cost money or time: asked once, kept before they are used, and never beyond the budget."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from acbench.errors import AcbenchError


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """An image in a question: the bytes of a PNG or JPEG file."""

    data: bytes
    media_type: Literal["image/png", "image/jpeg"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One request to a multimodal model, whole."""

    system: str
    parts: tuple[str | Picture, ...]
    """The user's message, in order."""
    schema: Mapping[str, Any]
    """JSON Schema of the answer."""
    max_tokens: int = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class Completion:
    """What the model said, once."""

    text: str
    model: str
    """As the endpoint names itself."""
    finish: str
    """Why it ended: `stop`, `length`, …"""
    tokens_in: int
    tokens_out: int
    seconds: float


Kind = Literal["rate_limit", "timeout", "server", "connection", "auth", "refused", "budget"]


class LlmError(AcbenchError):
    """A call that gave no answer."""

    def __init__(
        self,
        kind: Kind,
        message: str,
        hint: str = "",
        *,
        retry_after: float | None = None,
        may_cost: bool = False,
    ) -> None:
        super().__init__(message, hint)
        self.kind = kind
        self.retry_after = retry_after
        """Seconds the endpoint asks to wait, if it said so."""
        self.may_cost = may_cost
        """Whether the endpoint may charge for it all the same, as for an answer that came too late."""

    @property
    def retryable(self) -> bool:
        """Whether asking again may help."""
        return self.kind in {"rate_limit", "timeout", "server", "connection"}


@dataclass(frozen=True, slots=True)
class Price:
    """In dollars per million tokens."""

    tokens_in: float = 0.0
    tokens_out: float = 0.0

    def of(self, tokens_in: int, tokens_out: int) -> float:
        """Dollars for so many tokens."""
        return (tokens_in * self.tokens_in + tokens_out * self.tokens_out) / 1e6


class ChatModel(Protocol):
    """A multimodal model behind some door."""

    @property
    def name(self) -> str:
        """Model, where it runs and how it decodes, `@`, 8 hex; no secrets, and nothing is loaded or called for it."""

    @property
    def price(self) -> Price: ...
    def tokens(self, question: Question) -> int:
        """An upper estimate of the tokens that a question takes, pictures included."""

    def ask(self, question: Question) -> Completion:
        """One attempt; blocks; safe to call from several threads. Raises CallError."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What became of one question."""

    call_id: str
    """The ledger's key: hash of the model's name and the whole question, image bytes included."""
    answer: Completion | None
    error: str
    """Why there is no answer; empty if there is one."""
    cached: bool
    """True if nothing was sent for it in this run."""
    unasked: bool = False
    """True if the budget was spent, or the endpoint gone, before it could be asked: the next run asks it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CostEstimate:
    """What asking would take."""

    calls: int
    cached: int
    """Of these, answered already."""
    tokens_in: int
    tokens_out: int
    """Upper bounds, for those not answered yet."""
    cost: float
    """Dollars, upper bound."""
    lost: int = 0
    """Of those not answered yet, sent by a run that ended before the answer came: perhaps paid for already."""

    def __str__(self) -> str:
        kept = f", {self.cached:,} of them answered already" if self.cached else ""
        lost = f" ({self.lost:,} were sent before and may be paid for twice)" if self.lost else ""
        free = "free, or its price is not known (--llm-price)" if self.tokens_in else "nothing to pay"
        cost = f"at most ${self.cost:,.4f}" if self.cost else free
        return (
            f"{self.calls:,} calls{kept}{lost}, up to {self.tokens_in:,} tokens in and {self.tokens_out:,} out, {cost}"
        )


class LlmClient(Protocol):
    """What a proposer needs of whoever makes the calls."""

    @property
    def model(self) -> ChatModel: ...
    @property
    def share(self) -> float:
        """Of the model's price that is to be paid: batches are cheaper."""

    def estimate(self, questions: Iterable[Question]) -> CostEstimate: ...
    def ask(self, questions: Iterable[tuple[str, Question]]) -> Iterator[tuple[str, Reply]]:
        """Every question, by a name of the caller's choice, in the order in which answers come."""


def call_id(model: str, question: Question) -> str:
    """32 hex of everything that decides the answer: the model's name and the whole question, image bytes included."""
    parts = [
        part if isinstance(part, str) else [part.media_type, hashlib.sha256(part.data).hexdigest()]
        for part in question.parts
    ]
    whole = [model, question.system, parts, dict(question.schema), question.max_tokens]
    # Keys are not sorted: the order of a schema's properties is the order in which a model writes them.
    return hashlib.sha256(json.dumps(whole).encode()).hexdigest()[:32]


def in_words(schema: Mapping[str, Any]) -> str:
    """A JSON Schema as it is told to a model that cannot be held to it."""
    return f"Answer with one JSON object of this JSON Schema, and nothing else:\n{json.dumps(dict(schema))}"
