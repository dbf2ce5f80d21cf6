"""Writes the dataset card from the release itself, so that it cannot say anything else."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping

from acbench import licences
from acbench._util import markdown as md
from acbench._util import templates
from acbench._util.plural import counted
from acbench._util.templates import Texts
from acbench.records import short_name
from acbench.release import card_sections as sections
from acbench.release import card_use as use
from acbench.release import card_versions, columns
from acbench.release import manifest as manifests
from acbench.release.card_facts import CardFacts
from acbench.release.card_front import front_matter
from acbench.release.columns import Column
from acbench.release.tally import RowKind

FEW_IMAGES = 10
"""A class with fewer test images is named as a limit."""


def card(facts: CardFacts, data: Mapping[str, object]) -> str:
    """Write `README.md`. `data`: `configs` and `dataset_info` of its YAML."""
    import yaml

    texts = templates.read("card")
    front = yaml.safe_dump(
        {**front_matter(facts), **data}, sort_keys=False, allow_unicode=True, default_flow_style=False, width=1_000
    )
    parts = [part for write in _SECTIONS for part in write(facts, texts)]
    return f"---\n{front}---\n\n" + "\n\n".join(parts) + "\n"


Section = Callable[[CardFacts, Texts], Iterable[str]]


def _head(facts: CardFacts, texts: Texts) -> Iterable[str]:
    manifest = facts.manifest
    licence = licences.get(manifest.licence)
    single = facts.single()
    summary = " · ".join(
        (
            f"version {manifest.version}",
            counted(manifest.rows, "image"),
            counted(len(facts.tally.categories), "category", "categories"),
            f"{counted(len(single), 'class', 'classes')} of defect to predict in {counted(single.total(), 'image')}",
            "with the images" if manifest.images else "labels only",
            licence.name if licence else manifest.licence,
        )
    )
    yield texts.fill("head", title=md.escaped(manifest.title), about=md.escaped(facts.schema.about), summary=summary)
    if not facts.complete:
        yield texts.fill("part", what=md.escaped(facts.dataset[0].upper() + facts.dataset[1:]))
    progress = facts.progress()
    if not facts.votes_of_people():
        yield texts.fill("nobody")
    elif progress.by_people < progress.labels:
        yield texts.fill("some", decided=progress)


def _picture(facts: CardFacts, texts: Texts) -> Iterable[str]:
    if manifests.PICTURE in facts.manifest.files:
        yield texts.fill("picture_images" if facts.manifest.images else "picture_labels", path=manifests.PICTURE)


def _use(facts: CardFacts, texts: Texts) -> Iterable[str]:
    manifest = facts.manifest
    tested = [kind.category for kind in facts.kinds if kind.split == "test"] or [facts.tally.first.category]
    yield texts.fill(
        "load_images" if manifest.images else "load_labels",
        repo=facts.repo,
        category=tested[0],
        tag=manifest.tag,
        all="all",
        home=md.linked(facts.source.home),
        source=manifest.source,
    )
    yield texts.fill("score", repo=facts.repo, tag=manifest.tag)


def _task(facts: CardFacts, texts: Texts) -> Iterable[str]:
    has_view = any(category.published for category in facts.schema.categories.values())
    yield texts.fill("task", single=texts.fill("single_view" if has_view else "single_plain"))
    states: dict[str, Counter[str]] = defaultdict(Counter)
    for kind, number in facts.kinds.items():
        states[kind.category].update(dict.fromkeys(_states(kind), number))
    names = ("normal train", "normal test", "anomalous", "single", "pending", "excluded")
    rows = [[category, *(f"{states[category][name]:,}" for name in names)] for category in sorted(states)]
    total = [f"{sum(counts[name] for counts in states.values()):,}" for name in names]
    head = ["category", "normal, train", "normal, test", "anomalous", "of them in `label`", "pending", "excluded"]
    yield sections.table(head, [*rows, ["**all**", *total]])


def _states(kind: RowKind) -> list[str]:
    """The columns of the table of categories in which images count."""
    accepted = "anomalous" if kind.anomalous else f"normal {kind.split}"
    state = accepted if kind.status == "accepted" else kind.status
    return [state, "single"] if kind.label is not None and kind.anomalous else [state]


def _columns(facts: CardFacts, texts: Texts) -> Iterable[str]:
    def described(described_columns: Iterable[Column]) -> str:
        rows = [[f"`{column.name}`", column.about] for column in described_columns]
        return sections.table(["column", "what"], rows)

    manifest = facts.manifest
    every = columns.columns(images=manifest.images, boxes=manifest.boxes, format=manifest.format)
    yield texts.fill("votes", columns=described(every), vote=described(columns.VOTE))
    if "history" in {column.name for column in every}:
        yield texts.fill("history", history=described(columns.HISTORY))


def _limits(facts: CardFacts, texts: Texts) -> Iterable[str]:
    limits = []
    progress = facts.progress()
    if not facts.votes_of_people():
        limits.append("No person has checked a label. Errors of the source's labels are still in it.")
    elif progress.by_people < progress.labels:
        limits.append(
            f"{progress}. Errors of the source's labels can still be in the other"
            f" {progress.labels - progress.by_people:,}."
        )
    several = facts.several()
    if small := sum(number < FEW_IMAGES for number in several.values()):
        limits.append(
            f"{small:,} of the {counted(len(several), 'class', 'classes')} in `labels`"
            f" {'has' if small == 1 else 'have'} fewer than {FEW_IMAGES} test images:"
            " intervals of such classes are wide."
        )
    limits.append(
        "Anomalous images are all in the split `test`, as in the source: the benchmark is for methods that have not"
        " been trained on its defects."
    )
    if repeated := facts.tally.files.further:
        limits.append(
            f"{counted(repeated, 'image')} {'repeats' if repeated == 1 else 'repeat'} another one byte for byte."
        )
    yield texts.fill("limits", limits="\n".join(f"- {limit}" for limit in limits))


def _licence(facts: CardFacts, texts: Texts) -> Iterable[str]:
    licence = licences.get(facts.manifest.licence)
    source = licences.get(facts.manifest.source_licence)
    images = "The images in it are" if facts.manifest.images else "It holds no images. Those are"
    under = source.name if source else facts.manifest.source_licence
    terms = f"{images} under {under}: {md.escaped(facts.source.attribution)}"
    if licence and "nc" in licence.conditions:
        terms += " No commercial use."
    if licence and "sa" in licence.conditions:
        terms += " What you make from it stands under the same licence."
    if licence and "by" in licence.conditions:
        terms += " Changed here: labels were mapped, checked and regrouped as described above."
    name = licence.name if licence else facts.manifest.licence
    yield texts.fill(
        "licence",
        name=name,
        url=licences.url(facts.manifest.licence) or facts.schema.publisher.licence_link or "#licence",
        terms=terms,
    )
    witnesses = sorted({short_name(vote.who) for kind in facts.kinds for vote in kind.votes})
    if credits := [texts.fill(f"credit_{name}") for name in witnesses if f"credit_{name}" in texts.sections]:
        yield "\n".join(f"- {credit}" for credit in credits)


_SECTIONS: tuple[Section, ...] = (
    card_versions.warning,
    _head,
    _picture,
    _use,
    _task,
    sections.origin,
    sections.agreement,
    sections.source_changes,
    sections.previous_changes,
    card_versions.versions,
    sections.classes,
    _columns,
    _limits,
    use.scores,
    use.reporting,
    _licence,
    use.citing,
)
"""In the order in which they stand in the card."""
