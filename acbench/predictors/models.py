"""The models that proposers and baselines compute with, as protocols; `acbench.integrations` implements them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from acbench.predictors.llm.messages import LlmClient, QuestionOptions


class Embedder(Protocol):
    """Turns crops of defects into vectors."""

    @property
    def name(self) -> str:
        """Everything that decides the vectors; asking for it loads nothing."""

    @property
    def size(self) -> int:
        """The edge S of a crop, pixels."""

    def embed(self, crops: Sequence[NDArray[np.uint8]], weights: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
        """A vector (D,) of each crop (S, S, 3), as an array (N, D).

        `weights` (S, S): how much each pixel counts, 0…1.
        """


@runtime_checkable
class LevelEmbedder(Protocol):
    """An `Embedder` that has more to tell of a crop than one vector; optional."""

    def levels(
        self, crops: Sequence[NDArray[np.uint8]], weights: Sequence[NDArray[np.float32]]
    ) -> list[NDArray[np.float32]]:
        """Several vectors of each crop, as arrays (N, D), where D may differ: the first one is that of `embed`."""


class PatchModel(Protocol):
    """Turns images into maps of patch features."""

    @property
    def name(self) -> str:
        """Everything that decides the features; asking for it loads nothing."""

    @property
    def size(self) -> int:
        """The edge S of an input image, pixels."""

    def features(self, pictures: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        """Features (N, h, w, D) of the patches of images (S, S, 3)."""


class ClipModel(Protocol):
    """Puts images and texts into one space of vectors (CLIP, Radford et al. 2021, arXiv 2103.00020)."""

    @property
    def name(self) -> str:
        """Model, weights, `@`, and 8 hex digits; asking for it loads nothing."""

    @property
    def size(self) -> int:
        """The edge S of an input image, pixels. Loads the model."""

    @property
    def on_cpu(self) -> bool:
        """Whether it computes on the CPU, where it competes with the threads that read images. Loads the model."""

    @property
    def scale(self) -> float:
        """The factor that turns a cosine into a logit. Loads the model."""

    def ready(self) -> None:
        """Check, before any work, that the model is available; quick even without a network. Raises AcbenchError."""

    def images(self, crops: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        """Unit vectors (N, D) of crops (S, S, 3). A vector does not depend on the other crops."""

    def texts(self, prompts: Sequence[str]) -> NDArray[np.float32]:
        """Unit vectors (N, D) of prompts. A vector does not depend on the other prompts."""


class Models(Protocol):
    """The models that the user chose. Each is loaded when it is first used."""

    @property
    def embedder(self) -> Embedder:
        """The image model of `neighbours` and `few_shot`."""

    def patches(self) -> PatchModel:
        """The image model of the detector."""

    def clip(self, name: str = "") -> ClipModel:
        """The CLIP model `MODEL/WEIGHTS`, or the one of the settings. Raises AcbenchError if the user chose none."""

    def llm_client(self, name: str = "") -> LlmClient:
        """The client of a named multimodal LLM, or of the one of the settings. Raises AcbenchError if there is none."""

    def question_options(self, name: str = "") -> QuestionOptions:
        """What questions to that LLM show. Raises AcbenchError as `llm_client` does."""

    def llm_family(self, name: str = "") -> str:
        """The family that the user says that LLM is of; empty to tell by the answering model's name."""
