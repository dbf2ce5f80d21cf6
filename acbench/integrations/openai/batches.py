"""The batch endpoint of OpenAI and of those who offer the same: files of questions at half the price."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeVar

from acbench.integrations.openai.chat import OpenAIChat
from acbench.predictors.llm.batches import BatchEnd
from acbench.predictors.llm.messages import Completion, LlmError, Question

if TYPE_CHECKING:
    import openai

T = TypeVar("T")
PATH: Final = "/v1/chat/completions"


@dataclass(frozen=True, slots=True)
class OpenAIBatches:
    """See `acbench.predictors.llm.batches.BatchModel`."""

    chat: OpenAIChat

    def line(self, call_id: str, question: Question) -> bytes:
        """A line is what would be posted by itself, under the call's id."""
        body = self.chat.dialect.body(self.chat.id, question)
        return json.dumps({"custom_id": call_id, "method": "POST", "url": PATH, "body": body}).encode() + b"\n"

    def submit(self, name: str, file: bytes) -> str:
        """Upload the file, then make the batch; the name is in the batch's metadata."""

        def work(client: openai.OpenAI) -> str:
            stored = client.files.create(file=(f"{name}.jsonl", file), purpose="batch")
            batch = client.batches.create(
                input_file_id=stored.id, endpoint=PATH, completion_window="24h", metadata={"name": name}
            )
            return batch.id

        return self._try(work)

    def find(self, name: str) -> str | None:
        """Looks through all batches of the account, newest first, until it finds the name."""

        def work(client: openai.OpenAI) -> str | None:
            named = (each.id for each in client.batches.list(limit=100) if (each.metadata or {}).get("name") == name)
            return next(named, None)

        return self._try(work)

    def end(self, batch_id: str) -> BatchEnd | None:
        """Read both files of results once the batch is over."""

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
                continue  # the call that it was for is missed later, and gets its reason then

    def _result(self, row: dict[str, Any]) -> Completion | LlmError:
        response, error = row.get("response") or {}, row.get("error") or {}
        body = response.get("body")
        if response.get("status_code") == 200:
            try:
                return self.chat.read(json.dumps(body).encode(), seconds=0.0)
            except LlmError as failure:
                return failure
        said = error or (body.get("error") if isinstance(body, dict) else body)
        said = said.get("message") or said if isinstance(said, dict) else said
        status = response.get("status_code", "no status")
        return LlmError("refused", f"{self.chat.endpoint.host} says {status}: {self.chat.endpoint.scrub(str(said))}")

    def _try(self, work: Callable[[openai.OpenAI], T]) -> T:
        import openai

        from acbench.integrations.openai.client import meaning

        try:
            return work(self.chat.client)
        except openai.OpenAIError as error:
            raise meaning(self.chat.endpoint, error) from None
