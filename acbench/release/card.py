"""The dataset card: written from the release itself, so that it cannot say anything else."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from acbench import licences
from acbench._util import templates
from acbench._util.templates import Texts
from acbench.records import short_name
from acbench.release import columns
from acbench.release.card_facts import CardFacts, Decided
from acbench.release.card_sections import agreement, classes, made, previous_changes, source_changes
from acbench.release.markdown import count, table


def card(facts: CardFacts, data: Mapping[str, Any]) -> str:
    """`README.md`. `data`: `configs` and `dataset_info` of its YAML."""
    import yaml

    texts = templates.read("card")
    front = yaml.safe_dump(
        {**_front(facts), **data}, sort_keys=False, allow_unicode=True, default_flow_style=False, width=1_000
    )
    parts = [part for write in _SECTIONS for part in write(facts, texts)]
    return f"---\n{front}---\n\n" + "\n\n".join(parts) + "\n"


def _front(facts: CardFacts) -> dict[str, Any]:
    manifest = facts.manifest
    licence = licences.get(manifest.licence)
    terms = {"license": licence.hub} if licence else {"license": "other", "license_name": manifest.licence.lower()}
    return {
        **terms,
        "pretty_name": manifest.title,
        "task_categories": ["image-classification"],
        "task_ids": ["multi-class-image-classification", "multi-label-image-classification"],
        "annotations_creators": _creators(facts.decided()),
        "source_datasets": ["original" if manifest.source in ("sample", "folders") else "extended"],
        "size_categories": [_size(manifest.rows)],
        "tags": ["anomaly-detection", "anomaly-classification", "industrial-inspection", "acbench"],
    }


def _creators(decided: Decided) -> list[str]:
    """Who made the labels, in the Hub's words: people are named once they have decided most of them."""
    if decided.labels and decided.by_people == decided.labels:
        return ["expert-generated"]
    if 2 * decided.by_people > decided.labels:
        return ["expert-generated", "machine-generated"]
    return ["machine-generated"]


def _size(rows: int) -> str:
    steps = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"))
    return next((name for most, name in steps if rows < most), "100K<n<1M")


Section = Callable[[CardFacts, Texts], Iterable[str]]


def _head(facts: CardFacts, texts: Texts) -> Iterable[str]:
    manifest = facts.manifest
    licence = licences.get(manifest.licence)
    categories = {each.category for each in facts.entries}
    single = facts.single()
    summary = " · ".join(
        (
            f"version {manifest.version}",
            count(manifest.rows, "image"),
            count(len(categories), "category", "categories"),
            f"{count(len(single), 'class', 'classes')} of defect to predict in {count(single.total(), 'image')}",
            "with the images" if manifest.images else "labels only",
            licence.name if licence else manifest.licence,
        )
    )
    yield texts.fill("head", title=manifest.title, about=" ".join(facts.schema.about.split()), summary=summary)
    if not facts.whole:
        yield texts.fill("part", what=facts.dataset[0].upper() + facts.dataset[1:])
    checked = facts.decided()
    if not facts.people():
        yield texts.fill("nobody")
    elif checked.by_people < checked.labels:
        yield texts.fill("some", decided=checked)


def _use(facts: CardFacts, texts: Texts) -> Iterable[str]:
    manifest = facts.manifest
    tested = [each.category for each in facts.entries if each.split == "test"] or [facts.entries[0].category]
    yield texts.fill(
        "load_images" if manifest.images else "load_labels",
        repo=facts.repo,
        category=tested[0],
        tag=manifest.tag,
        all="all",
        home=facts.source.home,
        source=manifest.source,
    )
    yield texts.fill("score", repo=facts.repo, tag=manifest.tag)


def _task(facts: CardFacts, texts: Texts) -> Iterable[str]:
    view = any(category.published for category in facts.schema.categories.values())
    yield texts.fill("task", single=texts.fill("single_view" if view else "single_plain"))
    counted: dict[str, Counter[str]] = defaultdict(Counter)
    for each in facts.entries:
        kind = "single" if each.label is not None and each.anomalous else ""
        state = each.status if each.status != "accepted" else "anomalous" if each.anomalous else f"normal {each.split}"
        counted[each.category].update([state, kind, "all"])
    names = ("normal train", "normal test", "anomalous", "single", "pending", "excluded")
    rows = [[key, *(f"{counted[key][name]:,}" for name in names)] for key in sorted(counted)]
    total = [f"{sum(count[name] for count in counted.values()):,}" for name in names]
    head = ["category", "normal, train", "normal, test", "anomalous", "of them in `label`", "pending", "excluded"]
    yield table(head, [*rows, ["**all**", *total]])


def _columns(facts: CardFacts, texts: Texts) -> Iterable[str]:
    def described(found: Iterable[columns.Column]) -> str:
        return table(["column", "what"], [[f"`{each.name}`", each.about] for each in found])

    yield texts.fill(
        "votes", columns=described(columns.columns(images=facts.manifest.images)), vote=described(columns.VOTE)
    )


def _limits(facts: CardFacts, texts: Texts) -> Iterable[str]:
    several, checked = facts.several(), facts.decided()
    small = sum(number < 10 for number in several.values())
    lines = [
        "Anomalous images are all in the split `test`, as in the source: the benchmark is for methods that have not"
        " been trained on its defects.",
    ]
    if small:
        lines.insert(0, f"{small:,} of the {count(len(several), 'class', 'classes')} in `labels`"
                        f" {'has' if small == 1 else 'have'} fewer than 10 test images:"
                        " intervals of such classes are wide.")  # fmt: skip
    if not facts.people():
        lines.insert(0, "No person has checked a label. Errors of the source's labels are still in it.")
    elif checked.by_people < checked.labels:
        lines.insert(0, f"{checked}. Errors of the source's labels can still be in the other"
                        f" {checked.labels - checked.by_people:,}.")  # fmt: skip
    duplicates = Counter(each.sha256 for each in facts.entries if each.sha256)
    if repeated := sum(number - 1 for number in duplicates.values() if number > 1):
        lines.append(
            f"{count(repeated, 'image')} {'repeats' if repeated == 1 else 'repeat'} another one byte for byte."
        )
    yield texts.fill("limits", limits="\n".join(f"- {line}" for line in lines))


def _licence(facts: CardFacts, texts: Texts) -> Iterable[str]:
    licence = licences.get(facts.manifest.licence)
    source = licences.get(facts.manifest.source_licence)
    images = "The images in it are" if facts.manifest.images else "It holds no images. Those are"
    terms = f"{images} under {source.name if source else facts.manifest.source_licence}: {facts.source.attribution}"
    if licence and "nc" in licence.conditions:
        terms += " No commercial use."
    if licence and "sa" in licence.conditions:
        terms += " What you make from it stands under the same licence."
    if licence and "by" in licence.conditions:
        terms += " Changed here: labels were mapped, checked and regrouped as described above."
    name = licence.name if licence else facts.manifest.licence
    yield texts.fill("licence", name=name, url=licence.url if licence else "#licence", terms=terms)
    asked = sorted({short_name(vote["who"]) for row in facts.rows for vote in row["votes"]})
    if credits := [texts.fill(f"credit_{name}") for name in asked if f"credit_{name}" in texts.sections]:
        yield "\n".join(f"- {each}" for each in credits)


def _cite(facts: CardFacts, texts: Texts) -> Iterable[str]:
    name = f"cite_{facts.manifest.source}"
    if name in texts.sections:
        yield texts.fill("cite", bibtex=f"{texts.fill(name)}\n\n{texts.fill('cite_velm')}")


_SECTIONS: tuple[Section, ...] = (
    _head, _use, _task, made, agreement, source_changes, previous_changes, classes, _columns, _limits, _licence, _cite,
)  # fmt: skip
