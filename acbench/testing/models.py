"""Fake models and an in-memory vector cache, for the `Setup` of a proposer under test."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, TypeVar

from acbench.errors import AcbenchError

if TYPE_CHECKING:
    from acbench.predictors.llm.messages import LlmClient, QuestionOptions
    from acbench.predictors.models import ClipModel, Embedder, PatchModel

Model = TypeVar("Model")


class FakeModels:
    """The `models` of a `Setup`, chosen by a test. Asking for a model that was not chosen raises AcbenchError."""

    def __init__(
        self,
        *,
        embedder: Embedder | None = None,
        patch_model: PatchModel | None = None,
        clip_model: ClipModel | None = None,
        client: LlmClient | None = None,
        question: QuestionOptions | None = None,
    ) -> None:
        self._embedder = embedder
        self._patch_model = patch_model
        self._clip_model = clip_model
        self._client = client
        self._question = question

    @property
    def embedder(self) -> Embedder:
        return _chosen(self._embedder, "embedder")

    def patches(self) -> PatchModel:
        return _chosen(self._patch_model, "patch_model")

    def clip(self, name: str = "") -> ClipModel:
        return _chosen(self._clip_model, "clip_model")

    def llm_client(self, name: str = "") -> LlmClient:
        return _chosen(self._client, "client")

    def question_options(self, name: str = "") -> QuestionOptions:
        from acbench.predictors.llm.messages import QuestionOptions

        return self._question or QuestionOptions()

    def llm_family(self, name: str = "") -> str:
        return ""


class MemoryVectors(dict[str, bytes]):
    """The `vectors` of a `Setup`, kept in memory: key → vector as bytes."""

    def load(self, keys: Sequence[str]) -> dict[str, bytes]:
        """The vectors of those keys that are known."""
        return {key: self[key] for key in keys if key in self}

    def save(self, rows: Iterable[tuple[str, bytes]]) -> None:
        """Keep vectors."""
        self.update(rows)


def _chosen(model: Model | None, name: str) -> Model:
    if model is None:
        raise AcbenchError(f"no {name} was chosen", f"FakeModels({name}=…)")
    return model
