"""Has a model draft the definitions of a new schema from pictures of each class, within a budget."""

from __future__ import annotations

import dataclasses
import hashlib
import shlex
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from acbench._util.console import Console
from acbench.data.images import ImageReader
from acbench.data.sources import FoundImage
from acbench.errors import AcbenchError
from acbench.predictors.llm import drafting
from acbench.predictors.llm.cache import LedgerCallLog
from acbench.predictors.llm.drafting import Drafted, Examples
from acbench.predictors.llm.messages import Picture
from acbench.predictors.llm.questions import encoded, full_view
from acbench.schema.write import NewCategory, NewSchema
from acbench.storage.ledger import Ledger
from acbench.storage.project import existing_project
from acbench.workflows.llm_models import LlmModel, changed, read_table
from acbench.workflows.models import CallOptions, Models
from acbench.workflows.run import versions
from acbench.workflows.schema_init import Sketch
from acbench.workflows.settings import Settings, absolute_model

SHOWN = 3
"""How many images of each class, and how many normal ones, a question shows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Drafting:
    """A schema with the texts that a model has drafted."""

    schema: NewSchema
    texts: int
    """How many texts it drafted."""
    problems: Sequence[str]
    """Categories for which it drafted nothing, with the reason."""


def draft(folder: Path, sketch: Sketch, llm: Mapping[str, object], calls: CallOptions, console: Console) -> Drafting:
    """Ask a model once about each category. A kept answer is used again, and costs nothing.

    `folder`: of the project, whose ledger keeps the answers. `llm`: what was said of the model, as for `relabel`.
    Raises AcbenchError if no model was chosen, or if it cannot be asked at all.
    """
    chosen = changed(LlmModel(), absolute_model(llm)).model
    project = existing_project(folder)
    command = shlex.join(["acbench", *sys.argv[1:]])
    with (
        project.locked(),
        Ledger(project.ledger) as ledger,
        ledger.runs.record(command, versions()) as run_id,
    ):
        models = Models(
            settings=Settings(schema=sketch.schema.benchmark, llm=chosen),
            llms=read_table(project.llm_table),
            calls=calls,
            open_log=lambda: LedgerCallLog(project.ledger),
            note=console.note,
        )
        drafting_done = _drafted(sketch, models, console)
        ledger.runs.summarise(run_id, f"{drafting_done.texts} texts drafted")
    return drafting_done


def _drafted(sketch: Sketch, models: Models, console: Console) -> Drafting:
    client, edge = models.llm_client(), models.question_options().edge
    reader = ImageReader(sketch.listing.location.root)
    examples = {each.folder: _examples(each, sketch, reader, edge) for each in sketch.schema.categories}
    questions = ((folder, drafting.question(shown)) for folder, shown in examples.items())
    drafts: dict[str, Drafted] = {}
    with console.stage("draft definitions") as progress:
        for folder, reply in client.ask(questions):
            if reply.answer is None:
                drafts[folder] = Drafted(problem=reply.error)
            else:
                drafts[folder] = drafting.read(reply.answer.text, examples[folder])
            progress(len(drafts), len(examples))
    categories = [_with_draft(each, drafts.get(each.folder, Drafted())) for each in sketch.schema.categories]
    return Drafting(
        schema=dataclasses.replace(sketch.schema, categories=categories),
        texts=sum(map(_count, categories)),
        problems=[f"{folder}: {one.problem}" for folder, one in sorted(drafts.items()) if one.problem],
    )


def _examples(category: NewCategory, sketch: Sketch, reader: ImageReader, edge: int) -> Examples:
    """Pictures of a category: the same ones each time, chosen by the hash of their paths."""
    class_of = {label: each.id for each in category.classes for label in each.source}
    found: defaultdict[str, list[FoundImage]] = defaultdict(list)
    for image in sketch.listing.images:
        if image.category != category.folder or image.problem:
            continue
        if image.anomalous is False:
            found[""].append(image)
        elif len(image.source_labels) == 1 and image.source_labels[0] in class_of:
            found[class_of[image.source_labels[0]]].append(image)
    chosen = {key: list(_pictures(images, reader, edge)) for key, images in found.items()}
    return Examples(
        name=category.name,
        classes={each.id: each.name for each in category.classes},
        normal=chosen.get("", []),
        pictures={each.id: chosen.get(each.id, []) for each in category.classes},
    )


def _pictures(images: Sequence[FoundImage], reader: ImageReader, edge: int) -> Iterator[Picture]:
    """Pictures of a few images that can be read, each with its anomaly outlined where a mask is there."""
    shown = 0
    for image in sorted(images, key=lambda image: hashlib.sha256(image.image.encode()).digest()):
        if shown == SHOWN:
            return
        try:
            yield _picture(image, reader, edge)
            shown += 1
        except AcbenchError:
            continue


def _picture(image: FoundImage, reader: ImageReader, edge: int) -> Picture:
    from acbench.data import evidence  # imports scipy

    pixels = reader.image(image.image)
    if image.mask and image.anomalous is not False:
        mask = reader.mask(image.mask, pixels.size)
        return encoded(evidence.contour(pixels, mask, longest=edge)).picture
    return full_view(pixels, edge).picture


def _with_draft(category: NewCategory, said: Drafted) -> NewCategory:
    classes = [
        dataclasses.replace(
            each, definition=said.definitions.get(each.id, ""), not_this=said.distinctions.get(each.id, "")
        )
        for each in category.classes
    ]
    return dataclasses.replace(category, classes=classes, object=said.object, normal=said.normal, guide=said.guide)


def _count(category: NewCategory) -> int:
    texts = [category.object, category.normal, category.guide]
    texts += [text for each in category.classes for text in (each.definition, each.not_this)]
    return sum(map(bool, texts))
