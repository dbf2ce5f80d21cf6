"""Asks a multimodal model of transformers on this machine: nothing is sent, and nothing is paid.

Each thread asks one question at a time. One thread owns the model and answers questions of the same shape together.
Decoding is greedy, but for further draws of a question. The JSON Schema of the answer is part of the text, as nothing
holds the model to it.
"""

from __future__ import annotations

import importlib
import io
import re
import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

from PIL import Image

from acbench._util.waiting import result_of
from acbench.errors import AcbenchError
from acbench.integrations.openai.tokens import question_tokens
from acbench.integrations.torch.runtime import device, first_line, import_torch, model_on_hub
from acbench.predictors.llm.messages import (
    Completion,
    LlmError,
    Picture,
    Price,
    Question,
    RequestOptions,
    schema_as_text,
)
from acbench.storage.digests import digest, sha256_file

VERSION = 1
"""Part of every model's name. Raise it when the same question is put in other words."""
LINGER = 0.05
"""Seconds to wait for more questions before a batch that is not full; an answer takes much longer."""
_WAYS_OUT = (
    "give a folder, --llm local:FOLDER, or fetch it once on a machine with network (hf download ORG/NAME) and set"
    " HF_HOME to the cache that holds it"
)
_HUB_ID = re.compile(r"[\w.-]+(/[\w.-]+)?")
_OTHER = "choose a model of transformers that takes pictures and text and is tuned to follow instructions"
_SAMPLING = ("temperature", "top_p", "top_k", "min_p", "typical_p")
"""Settings that only matter when answers are drawn at random; transformers warns of them otherwise."""


@dataclass(frozen=True, slots=True)
class ModelSource:
    """Where a model comes from; nothing is loaded."""

    title: str
    """Its name, without folders."""
    content: str
    """A digest of all files, or the hub's commit."""
    place: str
    """A folder, or the hub's id of a model that is not in the cache."""
    revision: str | None = None
    """The hub's commit of such a model."""

    @classmethod
    def at(cls, place: str) -> ModelSource:
        """The model in a folder, or on the hub by its id.

        Raises AcbenchError, soon even without a network, if there is none.
        """
        folder = Path(place)
        if folder.is_dir():
            files = sorted(path for path in folder.iterdir() if path.is_file() and not path.name.startswith("."))
            if not (folder / "config.json").is_file():
                raise AcbenchError(f"{folder} is not a model's folder: it has no config.json", _WAYS_OUT)
            content = digest(*((path.name, sha256_file(path)) for path in files))
            return cls(folder.resolve().name, content, str(folder))
        if not _HUB_ID.fullmatch(place):
            raise AcbenchError(f"there is no folder {place}", _WAYS_OUT)
        from huggingface_hub import snapshot_download

        try:
            cached = Path(snapshot_download(place, local_files_only=True))
            return cls(place, cached.name, str(cached))
        except Exception:  # not in the cache
            try:
                commit = model_on_hub(place)
                return cls(place, commit, place, revision=commit)
            except Exception as error:
                message = f"{place} is no folder, and cannot be had from the local cache or from the hub"
                raise AcbenchError(f"{message}: {first_line(error)}", _WAYS_OUT) from None


@dataclass(frozen=True, slots=True, eq=False)
class _Job:
    question: Question
    pictures: tuple[Image.Image, ...]
    answer: Future[Completion] = field(default_factory=Future)

    @property
    def shape(self) -> object:
        """Equal for questions that can be answered together without padding their pictures."""
        return self.question.max_tokens, self.question.draw, [picture.size for picture in self.pictures]


@dataclass(frozen=True, slots=True)
class _Loaded:
    """A model that is ready. transformers has no types for what is used of `net` and `processor`."""

    net: Any
    processor: Any
    device: str
    end_tokens: frozenset[int]
    """Tokens that end an answer."""


@dataclass(kw_only=True)
class TransformersChat:
    """A model on this machine, loaded when first asked."""

    source: ModelSource
    batch: int
    """Questions answered together, at most."""
    max_tokens: int | None = None
    """The longest answer; None for that of the question."""
    _jobs: SimpleQueue[_Job] = field(init=False, default_factory=SimpleQueue)
    _thread: threading.Thread | None = field(init=False, default=None)
    _lock: threading.Lock = field(init=False, default_factory=threading.Lock)

    @property
    def name(self) -> str:
        decides = (VERSION, self.source.content, "greedy", *([self.max_tokens] if self.max_tokens else []))
        return f"{self.source.title}/transformers@{digest(*decides, length=8)}"

    @property
    def price(self) -> Price:
        """Nothing is paid."""
        return Price()

    def tokens(self, question: Question) -> int:
        return question_tokens(question, self.source.title)

    def limit(self, question: Question) -> int:
        return self.max_tokens or question.max_tokens

    @property
    def dialect(self) -> str:
        """There is nothing to find out."""
        return ""

    def use_dialect(self, dialect: str) -> None:
        """Do nothing."""

    def ask(self, question: Question) -> Completion:
        """Wait for the answer; safe to call from several threads.

        Raises LlmError if this question cannot be answered, AcbenchError if the model cannot be loaded.
        """
        try:
            pictures = tuple(
                Image.open(io.BytesIO(part.data)).convert("RGB") for part in question.parts if isinstance(part, Picture)
            )
        except (OSError, ValueError, Image.DecompressionBombError) as error:
            raise LlmError("refused", f"a picture cannot be read: {first_line(error)}") from None
        job = _Job(question, pictures)
        self._jobs.put(job)
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._serve, name="acbench model", daemon=True)
                self._thread.start()
        return result_of(job.answer)

    def _serve(self) -> None:
        waiting: list[_Job] = []
        loaded: _Loaded | Exception | None = None
        while True:
            self._gather(waiting)
            jobs = [job for job in waiting if job.shape == waiting[0].shape][: self.batch]
            waiting = [job for job in waiting if job not in jobs]
            if loaded is None:
                try:
                    loaded = _load(self.source)
                except Exception as error:  # the waiting threads raise it, whatever it is
                    loaded = error
            if isinstance(loaded, Exception):
                for job in jobs:
                    job.answer.set_exception(loaded)
            else:
                _answer(loaded, jobs, self.limit(jobs[0].question))

    def _gather(self, waiting: list[_Job]) -> None:
        """Wait for a question, then collect more until the batch is full or none comes soon."""
        if not waiting:
            waiting.append(self._jobs.get())
        while len(waiting) < self.batch:
            try:
                waiting.append(self._jobs.get(timeout=LINGER))
            except Empty:
                return


def chat_transformers(place: str, *, batch: int = 8, options: RequestOptions | None = None) -> TransformersChat:
    """A model in a folder, or on the hub by its id; nothing is loaded yet.

    Raises AcbenchError if there is none, and for options that only an endpoint has.
    """
    options = options or RequestOptions()
    if options != RequestOptions(max_tokens=options.max_tokens):
        message = "--llm-effort, --llm-extra and --llm-logprobs are for endpoints, and this model runs here"
        raise AcbenchError(message, "leave them out")
    return TransformersChat(source=ModelSource.at(place), batch=batch, max_tokens=options.max_tokens)


def _load(source: ModelSource) -> _Loaded:
    """Load a model on the fastest device, in its weights' own precision. Code that comes with weights is never run."""
    import_torch()
    transformers: Any = importlib.import_module("transformers")
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    where = device()
    try:
        options = {"revision": source.revision or "main", "trust_remote_code": False}
        net = transformers.AutoModelForImageTextToText.from_pretrained(source.place, dtype="auto", **options)
        net = net.to(where).eval()
        processor = transformers.AutoProcessor.from_pretrained(source.place, **options)
    except Exception as error:  # whatever untrusted files provoke
        raise AcbenchError(f"transformers cannot load {source.title}: {first_line(error)}", _OTHER) from None
    if not getattr(processor, "chat_template", None) or not hasattr(processor, "image_processor"):
        raise AcbenchError(f"{source.title} has no chat template, or takes no pictures", _OTHER)
    processor.tokenizer.padding_side = "left"  # the answer goes on where the question ends
    if processor.tokenizer.pad_token is None:
        processor.tokenizer.pad_token = processor.tokenizer.eos_token
    generation = net.generation_config
    generation.update(do_sample=False, num_beams=1, **dict.fromkeys(_SAMPLING))
    ends = generation.eos_token_id if generation.eos_token_id is not None else processor.tokenizer.eos_token_id
    return _Loaded(net, processor, where, frozenset([ends] if isinstance(ends, int) else ends or ()))


def _answer(loaded: _Loaded, jobs: Sequence[_Job], max_tokens: int) -> None:
    """Answer questions together or, if that fails, one by one, so that one that fails does not spoil the others."""
    try:
        answers = _generate(loaded, jobs, max_tokens)
    except Exception as error:  # out of memory, a template that refuses, a picture too small for the model
        if len(jobs) > 1:
            for job in jobs:
                _answer(loaded, [job], max_tokens)
        else:
            jobs[0].answer.set_exception(LlmError("refused", f"the model fails: {first_line(error)}"))
        return
    for job, answer in zip(jobs, answers, strict=True):
        job.answer.set_result(answer)


def _sampling(draw: int) -> dict[str, Any]:
    """How the tokens of a draw are chosen: the first draw is the likeliest answer."""
    if not draw:
        return {}
    import torch

    torch.manual_seed(draw)
    return {"do_sample": True, "temperature": 1.0}


def _generate(loaded: _Loaded, jobs: Sequence[_Job], max_tokens: int) -> list[Completion]:
    import torch

    started = time.monotonic()
    inputs = loaded.processor.apply_chat_template(
        [_conversation(job) for job in jobs],
        add_generation_prompt=True,
        tokenize=True,
        return_dict=True,
        return_tensors="pt",
        padding=True,
    ).to(loaded.device, dtype=loaded.net.dtype)
    with torch.inference_mode():
        rows = loaded.net.generate(**inputs, max_new_tokens=max_tokens, **_sampling(jobs[0].question.draw))
    seconds = (time.monotonic() - started) / len(jobs)
    answers = []
    for row, mask in zip(rows[:, inputs["input_ids"].shape[1] :].tolist(), inputs["attention_mask"], strict=True):
        length = next((place for place, token in enumerate(row) if token in loaded.end_tokens), None)
        answers.append(
            Completion(
                text=loaded.processor.tokenizer.decode(row[:length], skip_special_tokens=True),
                model=type(loaded.net).__name__,
                finish="length" if length is None else "stop",
                tokens_in=int(mask.sum()),
                tokens_out=len(row) if length is None else length + 1,
                seconds=seconds,
            )
        )
    return answers


def _conversation(job: _Job) -> list[dict[str, Any]]:
    """One message of the user: not every model's template has a place for a system message."""
    pictures = iter(job.pictures)
    content: list[dict[str, Any]] = [
        {"type": "text", "text": f"{job.question.system}\n\n{schema_as_text(job.question.schema)}\n\n"}
    ]
    for part in job.question.parts:
        if isinstance(part, str):
            content.append({"type": "text", "text": f"{part}\n"})
        else:
            content.append({"type": "image", "image": next(pictures)})
    return [{"role": "user", "content": content}]
