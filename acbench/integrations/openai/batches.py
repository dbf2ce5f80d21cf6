"""Sends files of questions to the batch endpoint of OpenAI, or of others that offer the same, at half the price."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeVar

from acbench.integrations.openai.bodies import error_in
from acbench.integrations.openai.chat import OpenAIChat
from acbench.integrations.openai.failures import error_of_status
from acbench.predictors.llm.batches import BatchEnd
from acbench.predictors.llm.messages import Completion, LlmError, Question

if TYPE_CHECKING:
    import openai

T = TypeVar("T")
PATH: Final = "/v1/chat/completions"


@dataclass(frozen=True, slots=True)
class OpenAIBatches:
    """The batches of one model. See `acbench.predictors.llm.batches.BatchModel`."""

    chat: OpenAIChat

    def line(self, call_id: str, question: Question) -> bytes:
        """A line of a batch's file: the request that would be sent by itself, under the call's id."""
        body = self.chat.form.request(self.chat.id, question, self.chat.options)
        return json.dumps({"custom_id": call_id, "method": "POST", "url": PATH, "body": body}).encode() + b"\n"

    def submit(self, name: str, file: bytes) -> str:
        """Upload a file and make a batch of it, with the name in its metadata; gives the batch's id."""

        def work(client: openai.OpenAI) -> str:
            stored = client.files.create(file=(f"{name}.jsonl", file), purpose="batch")
            batch = client.batches.create(
                input_file_id=stored.id, endpoint=PATH, completion_window="24h", metadata={"name": name}
            )
            return batch.id

        return self._try(work)

    def find(self, name: str) -> str | None:
        """The id of the batch with a name; looks through all batches of the account, newest first."""

        def work(client: openai.OpenAI) -> str | None:
            batches = client.batches.list(limit=100)
            return next((batch.id for batch in batches if (batch.metadata or {}).get("name") == name), None)

        return self._try(work)

    def end(self, batch_id: str) -> BatchEnd | None:
        """What is in both files of results once the batch is over; None before."""

        def work(client: openai.OpenAI) -> BatchEnd | None:
            batch = client.batches.retrieve(batch_id)
            if batch.status in {"validating", "in_progress", "finalizing", "cancelling"}:
                return None
            rows: dict[str, Completion | LlmError] = {}
            for file in filter(None, (batch.output_file_id, batch.error_file_id)):
                rows.update(self._rows(client.files.content(file).content))
            reasons = [error.message or "" for error in (batch.errors.data or [])] if batch.errors else []
            why = self.chat.endpoint.scrub(f"{batch.status} {' '.join(reasons)}")
            return BatchEnd(results=list(rows.items()), why=why, ran=batch.status == "completed")

        return self._try(work)

    def _rows(self, file: bytes) -> Iterator[tuple[str, Completion | LlmError]]:
        for line in file.splitlines():
            try:
                row = json.loads(line)
                yield row["custom_id"], self._result(row)
            except (ValueError, KeyError, TypeError, AttributeError):
                continue  # the batch then lacks the result of a call, and `BatchClient` says why

    def _result(self, row: dict[str, Any]) -> Completion | LlmError:
        response, error = row.get("response") or {}, row.get("error") or {}
        body = response.get("body")
        if response.get("status_code") == 200:
            try:
                return self.chat.read(json.dumps(body).encode(), seconds=0.0)
            except LlmError as failure:
                return failure
        status = response.get("status_code")
        found = error_in(body) or (error if isinstance(error, dict) else {"message": str(error or body)})
        return error_of_status(self.chat.endpoint, status if isinstance(status, int) else 400, found, came_as=200)

    def _try(self, work: Callable[[openai.OpenAI], T]) -> T:
        import openai

        from acbench.integrations.openai.client import llm_error

        try:
            return work(self.chat.client)
        except openai.OpenAIError as error:
            raise llm_error(self.chat.endpoint, error) from None
