"""What goes to a multimodal LLM and what comes back: questions, completions, failures, prices, and their protocols."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from acbench.errors import AcbenchError, StorageError
from acbench.storage.ledger.forgetting import KEEP, forgetting


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A picture in a question, as the bytes of a PNG or JPEG file."""

    data: bytes
    media_type: Literal["image/png", "image/jpeg"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One complete request to a multimodal model."""

    system: str
    parts: tuple[str | Picture, ...]
    """The user's message: texts and pictures in order."""
    schema: Mapping[str, Any]
    """The JSON Schema of the answer."""
    max_tokens: int = 400
    """The longest answer, without what a model thinks before it."""
    draw: int = 0
    """Which of several independent answers to the same words: 0 is the likeliest one, others are drawn at random."""
    is_trial: bool = False
    """Whether it only tries the endpoint: what works for it need not work for the questions that follow."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QuestionOptions:
    """What the questions to one model show, and how often each is asked."""

    edge: int = 768
    """The longer edge of a picture, pixels; smaller images keep their size. The tokens of a square picture, by what
    vendors publish: GPT-4o counts 765 for any edge from 513 on (four tiles; 255 up to 512), Gemini 258 up to 768 and
    1,032 up to 1,536 (Gemini 3 about 1,100 for any), Claude edge² / 750, and Qwen-VL (edge / 28)². So 448, 768 and
    1,024 pixels cost 255, 765 and 765; 258, 258 and 1,032; 268, 786 and 1,398; 256, 756 and 1,369 tokens."""
    votes: int = 1
    """Draws for each image; with more than one, the share of those that agree is the confidence."""
    examples: int = 0
    """Labelled close-ups of each class that a question shows, at most."""


OWN_KEYS = frozenset({"model", "messages", "stream", "n"})
"""Keys of a request that no option may set: a request would be another one, or its answer could not be read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestOptions:
    """What requests to one model hold besides the question. What is set is part of the model's name."""

    max_tokens: int | None = None
    """The limit of an answer, hidden reasoning included; None to find out."""
    effort: str = ""
    """How much a reasoning model thinks, such as `low`; empty for the model's default."""
    logprobs: bool = False
    """Whether to ask for the log-probability of each token, from which the confidence is computed."""
    extra: Mapping[str, Any] = field(default_factory=dict)
    """Key → JSON value of whatever else an endpoint wants in the body of a request."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What an endpoint says that one request took."""

    tokens_in: int | None = None
    """None if it does not say."""
    tokens_out: int | None = None
    """Hidden reasoning included; None if it does not say."""
    tokens_cached: int = 0
    """Those of `tokens_in` that it had in its cache."""
    dollars: float | None = None
    """None if it does not say."""

    @property
    def known(self) -> bool:
        """Whether it says anything."""
        return self != Usage()


@dataclass(frozen=True, slots=True, kw_only=True)
class Completion:
    """A model's answer to one request."""

    text: str
    model: str
    """The name that the endpoint gives the model."""
    finish: str
    """Why the text ends: `stop`, `length`, …"""
    tokens_in: int
    tokens_out: int
    seconds: float
    tokens_cached: int = 0
    """Those of `tokens_in` that the endpoint had in its cache."""
    dollars: float | None = None
    """What the endpoint says that it charged; None if it does not say."""
    token_logprobs: tuple[tuple[str, float], ...] = ()
    """(token, natural logarithm of its probability) of the text, in order; empty if the endpoint does not say."""
    warning: str = ""
    """What is odd about it, such as another model than was asked; empty for most."""

    def to_json(self) -> str:
        """The text that the ledger keeps."""
        return json.dumps(dataclasses.asdict(self))

    @classmethod
    def from_json(cls, text: str, call_id: str = "") -> Completion:
        """The completion that `to_json` gave, also in an earlier version. Raises StorageError for anything else."""
        try:
            values = json.loads(text)
            logprobs = tuple((token, number) for token, number in values.pop("token_logprobs", ()))
            return cls(**values, token_logprobs=logprobs)
        except (ValueError, TypeError, AttributeError, RecursionError) as error:
            raise StorageError(
                f"the ledger's answer to call {call_id} cannot be read: {error}",
                f"{KEEP}; to have this one asked for again: {forgetting('calls', call_id)}",
            ) from None


LlmErrorKind = Literal[
    "rate_limit", "timeout", "server", "connection", "auth", "account", "refused", "filtered", "length", "budget"
]
"""`auth`: the key is not accepted; `account`: no credit, or no such model. Both say nothing about the question.
`filtered`: the content of this question or its answer is not allowed. `length`: nothing was said within the limit.
`refused`: any other refusal, which may be about the question or about all questions."""


class LlmError(AcbenchError):
    """A request that got no answer."""

    def __init__(
        self,
        kind: LlmErrorKind,
        message: str,
        hint: str = "",
        *,
        retry_after: float | None = None,
        may_cost: bool = False,
        usage: Usage | None = None,
        again: bool = False,
    ) -> None:
        super().__init__(message, hint)
        self.kind = kind
        self.retry_after = retry_after
        """Seconds that the endpoint asks to wait; None if it does not say."""
        self.may_cost = may_cost
        """Whether the endpoint may charge for it nevertheless, as for an answer that came too late."""
        self.usage = usage or Usage()
        """What the endpoint says that it took; counts more than `may_cost`."""
        self.again = again
        """Whether it was asked wrongly and the model has put that right, so that it is to be asked again at once."""

    @property
    def is_about_account(self) -> bool:
        """Whether no question can be answered until the user has done something."""
        return self.kind in {"auth", "account"}

    @property
    def retryable(self) -> bool:
        """Whether asking again may help."""
        return self.kind in {"rate_limit", "timeout", "server", "connection"}


@dataclass(frozen=True, slots=True)
class Price:
    """The price of a model, in dollars per million tokens."""

    tokens_in: float = 0.0
    tokens_out: float = 0.0
    tokens_cached: float | None = None
    """The price of input tokens that the endpoint had in its cache; None if they cost as much as others."""

    def of(self, tokens_in: int, tokens_out: int, tokens_cached: int = 0) -> float:
        """The price of these numbers of tokens, in dollars. `tokens_cached` are a part of `tokens_in`."""
        cached = min(tokens_cached, tokens_in) if self.tokens_cached is not None else 0
        return (
            (tokens_in - cached) * self.tokens_in + cached * (self.tokens_cached or 0) + tokens_out * self.tokens_out
        ) / 1e6


class ChatModel(Protocol):
    """A multimodal model, on this machine or behind an endpoint."""

    @property
    def name(self) -> str:
        """Model, host and decoding, `@`, and 8 hex digits. Holds no secrets; asking for it loads and sends nothing."""

    @property
    def price(self) -> Price: ...
    def tokens(self, question: Question) -> int:
        """An upper estimate of the tokens of a question, pictures included."""

    def limit(self, question: Question) -> int:
        """The most tokens that an answer may take, hidden reasoning included."""

    def ask(self, question: Question) -> Completion:
        """Make one attempt, and wait for the answer. Several threads may call it at once. Raises LlmError."""

    @property
    def dialect(self) -> str:
        """What asking has shown of how the model has to be asked, as JSON; empty as long as nothing is known."""

    def use_dialect(self, dialect: str) -> None:
        """Begin with what an earlier run has found out, instead of with nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """The result of one question: an answer, or the reason why there is none."""

    call_id: str
    """The key of the call in the ledger, see `call_id`."""
    answer: Completion | None
    error: str
    """Why there is no answer; empty if there is one."""
    cached: bool
    """Whether this run sent nothing for it."""
    unasked: bool = False
    """Whether it was not sent because the budget was spent or the endpoint gone. The next run asks it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CostEstimate:
    """What asking some questions would take."""

    calls: int
    cached: int
    """Calls that the ledger has an answer for."""
    tokens_in: int
    """Upper bound, of the calls without a kept answer."""
    tokens_out: int
    """Upper bound, of the calls without a kept answer."""
    cost: float
    """Dollars, upper bound."""
    lost: int = 0
    """Calls that an earlier run sent, but that run ended before the answer came. They may have been paid for."""
    first: bool = False
    """Whether the model has not been asked before, so that nobody knows whether it thinks before it answers."""

    def __str__(self) -> str:
        kept = f", {self.cached:,} of them answered already" if self.cached else ""
        lost = f" ({self.lost:,} were sent before and may be paid for twice)" if self.lost else ""
        free = "free, or its price is not known (--llm-price)" if self.tokens_in else "nothing to pay"
        more = ", more if the model thinks before it answers" if self.first and self.cost else ""
        cost = f"at most ${self.cost:,.4f}{more}" if self.cost else free
        return (
            f"{self.calls:,} calls{kept}{lost}, up to {self.tokens_in:,} tokens in and {self.tokens_out:,} out, {cost}"
        )


class LlmClient(Protocol):
    """Asks a model many questions, and keeps every answer."""

    @property
    def model(self) -> ChatModel: ...
    @property
    def price_share(self) -> float:
        """The share of the model's price that is charged: less than 1 for batches."""

    def estimate(self, questions: Iterable[Question]) -> CostEstimate:
        """What asking would take. Sends nothing; equal questions count once."""

    def ask(self, questions: Iterable[tuple[str, Question]]) -> Iterator[tuple[str, Reply]]:
        """Ask (name, question) pairs; gives (name, reply) pairs in the order in which replies come."""

    def note(self, text: str) -> None:
        """Tell the user something about the model; the same text only once in a run."""


def call_id(model: str, question: Question) -> str:
    """32 hex digits of everything that decides the answer: the model's name and the question, picture bytes included.

    It is the key of a kept answer: if the same question gives another id, everything is paid again.
    """
    parts = [
        part if isinstance(part, str) else [part.media_type, hashlib.sha256(part.data).hexdigest()]
        for part in question.parts
    ]
    content: list[object] = [model, question.system, parts, dict(question.schema), question.max_tokens]
    if question.draw:  # a first draw keeps the key that it had before there were others
        content.append(question.draw)
    # Keys are not sorted: the order of a schema's properties is the order in which a model writes them.
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:32]


def schema_as_text(schema: Mapping[str, Any]) -> str:
    """A JSON Schema as an instruction, for a model whose output cannot be forced to match it."""
    return f"Answer with one JSON object of this JSON Schema, and nothing else:\n{json.dumps(dict(schema))}"
