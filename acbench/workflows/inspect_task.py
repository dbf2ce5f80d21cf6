"""Offers benchmarks to Inspect: `inspect eval acbench/classify -T benchmark=visa_ac -T root=FOLDER --model MODEL`.

Inspect finds this module by the entry point `inspect_ai` of acbench. It reads the dataset, makes the question of each
test image (`predictors.llm.class_question`), and keeps the pictures in the workspace, under their hash: Inspect reads
nothing of the dataset itself.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from acbench._util.console import Progress
from acbench._util.text import plain
from acbench.evaluation.targets import Target
from acbench.evaluation.truth import TruthOptions
from acbench.integrations.inspect.task import NAME, AskedBenchmark, AskedImage, TaskOptions, registered
from acbench.predictors.base import BaselineOptions
from acbench.predictors.detection.localise import Localiser
from acbench.predictors.llm.class_question import ClassQuestions, ours
from acbench.predictors.llm.messages import Picture, Question, QuestionOptions, schema_as_text
from acbench.records import GOOD, Item
from acbench.storage.atomic import write_bytes
from acbench.workflows.baselines import baseline_setup
from acbench.workflows.ingest import ingest
from acbench.workflows.run import Options, Run, open_run
from acbench.workflows.settings import SettingChanges
from acbench.workflows.truth import project_labels


class _Quiet:
    """Shows notes alone: Inspect has the screen."""

    @contextmanager
    def stage(self, title: str) -> Iterator[Progress]:
        yield lambda done, of: None

    def note(self, text: str) -> None:
        print(f"Note: {plain(text)}", file=sys.stderr, flush=True)


def asked_benchmark(options: TaskOptions) -> AskedBenchmark:
    """What is asked about each scored image, in the order of the ids. Raises AcbenchError."""
    changes = SettingChanges(root=options.root or None)
    opening = Options(changes=changes, keeps=False, asks=False, command=f"inspect eval acbench/{NAME}")
    with open_run(options.project, options.benchmark, console=_Quiet(), options=opening) as run:
        schema = run.schema
        chosen = tuple(map(schema.key_of, options.categories or run.settings.categories))
        truth_options = TruthOptions(view=options.view, categories=chosen)
        truth = project_labels(run.files, schema).truth(schema, truth_options)
        dataset = ingest(run)
        baseline = BaselineOptions(detector=options.detector, question=options.question)
        setup = baseline_setup(run, dataset, view=options.view, truth=None, options=baseline)
        edge = QuestionOptions().edge
        localiser = Localiser(setup)
        made = ClassQuestions(setup, localiser, ours(setup, edge) if options.question == "acbench" else None)
        targets = {target.item_id: target for target in truth.targets}
        images = _images(run, made, targets, [item for item in dataset.items if item.item_id in targets])
        localisation, detail = localiser.provenance
        return AskedBenchmark(
            images=images,
            facts={"localisation": localisation, "localisation_detail": detail, "hashes": truth.hashes},
        )


def _images(run: Run, made: ClassQuestions, targets: Mapping[str, Target], items: list[Item]) -> list[AskedImage]:
    images = {
        item_id: _image(target, problem="this copy of the dataset does not have it")
        for item_id, target in targets.items()
    }
    asked: list[Item] = []
    for item, place in made.localiser.localise(items, lambda done, of: None):
        if problem := item.problem or place.problem:
            images[item.item_id] = _image(targets[item.item_id], problem=problem)
        elif place.anomalous is False:
            images[item.item_id] = _image(targets[item.item_id], answer=(GOOD,))
        else:
            asked.append(item)
    folder = run.files.workspace / "inspect"
    for draft in made.drafts(asked):
        target = targets[draft.item.item_id]
        question = draft.question
        images[draft.item.item_id] = (
            _image(target, problem=draft.problem) if question is None else _image(target, question, folder)
        )
    return [images[item_id] for item_id in sorted(images)]


def _image(
    target: Target,
    question: Question | None = None,
    folder: Path = Path(),
    *,
    answer: tuple[str, ...] = (),
    problem: str = "",
) -> AskedImage:
    parts: list[str | Path] = []
    if question is not None:
        shown = (part if isinstance(part, str) else _kept(part, folder) for part in question.parts)
        # Not every model can be made to answer in a form, so the form is said, as it is to models on this machine.
        parts = [*shown, schema_as_text(question.schema)]
    return AskedImage(
        item_id=target.item_id,
        image=target.image,
        category=target.category,
        wanted=target.wanted,
        system=question.system if question is not None else "",
        parts=parts,
        answer=answer,
        problem=problem,
    )


def _kept(picture: Picture, folder: Path) -> Path:
    """The file of a picture, which is written unless it is there."""
    ending = picture.media_type.removeprefix("image/").replace("jpeg", "jpg")
    path = folder.resolve() / f"{hashlib.sha256(picture.data).hexdigest()[:32]}.{ending}"
    if not path.exists():
        write_bytes(path, picture.data)
    return path


classify = registered(asked_benchmark)
