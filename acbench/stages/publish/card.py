"""The dataset card: written from the release itself, so that it cannot say anything else."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from acbench import licences, templates
from acbench.metrics import kappa
from acbench.records import GOOD, JOIN, PEOPLE, short_name
from acbench.release import columns
from acbench.release.entries import Entry
from acbench.release.manifest import Manifest
from acbench.schema import Schema
from acbench.schema.model import fold
from acbench.sources import Source
from acbench.stages.diff import Change, said
from acbench.stages.diff import summary as summarised
from acbench.stages.publish.rows import Row

SHOWN = 50
"""So many changes against the previous release are listed in the card; `acbench diff` gives them all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """All that a card speaks about."""

    manifest: Manifest
    entries: Sequence[Entry]
    rows: Sequence[Row]
    """As the entries, in the same order: for their votes."""
    schema: Schema
    source: Source
    dataset: str
    """One line: the whole source dataset, or which part of it."""
    whole: bool
    """Whether it is the whole source dataset."""
    changes: Sequence[Change] | None
    """Against the previous release; None if there is none."""
    repo: str
    """ORG/NAME."""


def card(facts: Facts, data: Mapping[str, Any]) -> str:
    """`README.md`. `data`: `configs` and `dataset_info` of its YAML."""
    import yaml

    texts = templates.read("card")
    front = yaml.safe_dump(
        {**_front(facts), **data}, sort_keys=False, allow_unicode=True, default_flow_style=False, width=1_000
    )
    parts = [part for write in _SECTIONS for part in write(facts, texts)]
    return f"---\n{front}---\n\n" + "\n\n".join(parts) + "\n"


def _front(facts: Facts) -> dict[str, Any]:
    manifest = facts.manifest
    licence = licences.get(manifest.licence)
    terms = {"license": licence.hub} if licence else {"license": "other", "license_name": manifest.licence.lower()}
    return {
        **terms,
        "pretty_name": manifest.title,
        "task_categories": ["image-classification"],
        "task_ids": ["multi-class-image-classification", "multi-label-image-classification"],
        "annotations_creators": _creators(_checked(facts)),
        "source_datasets": ["original" if manifest.source in ("sample", "folders") else "extended"],
        "size_categories": [_size(manifest.rows)],
        "tags": ["anomaly-detection", "anomaly-classification", "industrial-inspection", "acbench"],
    }


def _creators(checked: _Checked) -> list[str]:
    """Who made the labels, in the Hub's words: people are named once they have decided most of them."""
    if checked.labels and checked.by_people == checked.labels:
        return ["expert-generated"]
    if 2 * checked.by_people > checked.labels:
        return ["expert-generated", "machine-generated"]
    return ["machine-generated"]


def _size(rows: int) -> str:
    steps = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"))
    return next((name for most, name in steps if rows < most), "100K<n<1M")


Texts = templates.Texts
Section = Callable[[Facts, Texts], Iterable[str]]


def _head(facts: Facts, texts: Texts) -> Iterable[str]:
    manifest = facts.manifest
    licence = licences.get(manifest.licence)
    categories = {each.category for each in facts.entries}
    single = _single(facts)
    summary = " · ".join(
        (
            f"version {manifest.version}",
            _count(manifest.rows, "image"),
            _count(len(categories), "category", "categories"),
            f"{_count(len(single), 'class', 'classes')} of defect to predict in {_count(single.total(), 'image')}",
            "with the images" if manifest.images else "labels only",
            licence.name if licence else manifest.licence,
        )
    )
    yield texts.fill("head", title=manifest.title, about=" ".join(facts.schema.about.split()), summary=summary)
    if not facts.whole:
        yield texts.fill("part", what=facts.dataset[0].upper() + facts.dataset[1:])
    checked = _checked(facts)
    if not _people(facts):
        yield texts.fill("nobody")
    elif checked.by_people < checked.labels:
        yield texts.fill("some", decided=checked)


def _use(facts: Facts, texts: Texts) -> Iterable[str]:
    manifest = facts.manifest
    tested = [each.category for each in facts.entries if each.split == "test"] or [facts.entries[0].category]
    yield texts.fill(
        "load_images" if manifest.images else "load_labels",
        repo=facts.repo,
        category=tested[0],
        tag=manifest.tag,
        all="all",
        home=facts.source.HOME,
        source=manifest.source,
    )
    yield texts.fill("score", repo=facts.repo)


def _task(facts: Facts, texts: Texts) -> Iterable[str]:
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
    yield _table(head, [*rows, ["**all**", *total]])


def _made(facts: Facts, texts: Texts) -> Iterable[str]:
    tally: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for row in facts.rows:
        for vote in row["votes"]:
            if vote["kind"] != "person":
                tally[vote["who"], vote["kind"]][vote["said"]] += 1
    head = ["witness", "kind", "answered", "abstained", "failed"]
    rows = [
        [f"`{who}`", kind, *(f"{count[name]:,}" for name in ("label", "abstained", "error"))]
        for (who, kind), count in sorted(tally.items())
    ]
    votes = _people(facts)
    if votes:
        blind = sum(vote["blind"] for vote in votes)
        people = (
            f"People: {_count(len({vote['who'] for vote in votes}), 'reviewer')} gave {_count(len(votes), 'decision')},"
            f" {blind:,} of them blind, that is with no proposal in sight. {_checked(facts)}."
        )
    else:
        people = "People: none has looked yet."
    decided_by = Counter(each.decided_by for each in facts.entries if each.anomalous)
    deciders = [[name, f"{number:,}"] for name, number in sorted(decided_by.items())]
    yield texts.fill(
        "made",
        source_title=facts.source.TITLE,
        attribution=facts.source.ATTRIBUTION,
        policy=facts.manifest.policy,
        schema_version=facts.manifest.schema_version,
        schema_digest=facts.manifest.schema_digest,
        benchmark=facts.manifest.benchmark,
        witnesses=_table(head, rows),
        people=people,
    )
    yield _table(["anomalous images decided by", "labels"], deciders)


def _agreement(facts: Facts, texts: Texts) -> Iterable[str]:
    voices: dict[str, dict[str, str]] = defaultdict(dict)
    for row in facts.rows:
        if not row["anomalous"]:
            continue
        people = {JOIN.join(sorted(vote["labels"])) for vote in row["votes"]
                  if vote["kind"] == "person" and vote["said"] == "label"}  # fmt: skip
        if len(people) == 1:
            voices[PEOPLE][row["item_id"]] = people.pop()
        for vote in row["votes"]:
            if vote["kind"] != "person" and vote["said"] == "label":
                voices[short_name(vote["who"])][row["item_id"]] = JOIN.join(sorted(vote["labels"]))
    anomalous = [each for each in facts.entries if each.anomalous]
    alone = sum(each.status == "accepted" and each.agreement is None for each in anomalous)
    agreed = sum(each.status == "accepted" and each.agreement is not None for each in anomalous)
    pending = sum(each.status == "pending" for each in anomalous)
    summary = (
        f"Of {_count(len(anomalous), 'anomalous image')}, {agreed:,} have a label on which at least two independent"
        f" witnesses or people agree, {alone:,} a label with one voice behind it, and {pending:,} {_are(pending)}"
        " pending."
    )
    pairs = []
    for one, other in combinations(sorted(voices), 2):
        both = sorted(voices[one].keys() & voices[other].keys())
        if both:
            first, second = ([voices[name][item] for item in both] for name in (one, other))
            same = sum(a == b for a, b in zip(first, second, strict=True)) / len(both)
            value = kappa(first, second)
            pairs.append([one, other, f"{len(both):,}", f"{same:.1%}", "–" if value is None else f"{value:.3f}"])
    head = ["", "and", "images", "same", "kappa"]
    yield texts.fill(
        "agreement", summary=summary, pairs=_table(head, pairs) if pairs else "No two named the same images."
    )


def _source_changes(facts: Facts, texts: Texts) -> Iterable[str]:
    moved: Counter[tuple[str, str, str]] = Counter()
    changed: Counter[bool] = Counter()
    """Anomalous as the source has it, or normal → how many have another label here."""
    for each in facts.entries:
        now = each.status if each.status == "excluded" else said(each)
        kept = {fold(label) for label in each.source_labels} == {fold(label) for label in each.labels}
        if each.status == "excluded" or not kept:
            changed[each.anomalous] += 1
            moved[each.category, ", ".join(each.source_labels) or "none", now] += 1
    same = sum(each.anomalous for each in facts.entries) - changed[True]
    summary = (
        f"{same:,} anomalous images keep the name that the source gives them; {changed[True]:,} do not."
        if changed[True]
        else "Every anomalous image keeps the name that the source gives it."
    )
    if changed[False]:
        are = _are(changed[False])
        summary += f" Of the images that the source calls normal, {changed[False]:,} {are} not `{GOOD}` here."
    rows = [[key, f"`{old}`", f"`{new}`", f"{number:,}"] for (key, old, new), number in sorted(moved.items())]
    table = _table(["category", "source label", "label here", "images"], rows)
    yield texts.fill(
        "changes_source", summary=summary, table=_folded(f"All {len(rows):,} kinds of change", table) if rows else ""
    )
    present, images = {each.category for each in facts.entries}, {each.image for each in facts.entries}
    reasons = [
        f"- {key}: `{change.source}` {_change(change)}. {' '.join(change.reason.split())}"
        for key, category in facts.schema.categories.items()
        if key in present
        for change in category.changes
        if not change.image or change.image in images
    ]
    if reasons:
        yield texts.fill("changes_reasons", reasons="\n".join(reasons))


def _change(change: Any) -> str:
    into = JOIN.join(change.into)
    return {
        "merge": f"is merged into `{into}`",
        "rename": f"is called `{into}`",
        "mixed": "names no class",
        "exclude": "is excluded",
        "correct": f"of `{change.image}` becomes `{into}`",
    }[str(change.kind)]


def _previous_changes(facts: Facts, texts: Texts) -> Iterable[str]:
    previous = facts.manifest.previous
    if previous is None or facts.changes is None:
        yield texts.fill("changes_first")
        return
    if not facts.changes:
        yield texts.fill("changes_previous", version=previous.version, summary="No label changed.", table="")
        return
    summary = summarised(facts.changes)
    shown = facts.changes[:SHOWN]
    rows = [[f"`{each.image}`", each.before or "–", each.after or "–", each.reason] for each in shown]
    if len(facts.changes) > SHOWN:
        command = f"acbench diff {facts.repo}@v{previous.version} {facts.repo}@{facts.manifest.tag}"
        summary += f". The first {SHOWN} follow; `{command}` lists all"
    yield texts.fill(
        "changes_previous",
        version=previous.version,
        summary=f"{summary}.",
        table=_table(["image", "before", "now", "reason"], rows),
    )


def _classes(facts: Facts, texts: Texts) -> Iterable[str]:
    numbers = {name: number for number, name in enumerate(facts.manifest.classes)}
    multi: Counter[tuple[str, str]] = Counter()
    single: Counter[tuple[str, str]] = Counter()
    for each in facts.entries:
        if each.split == "test":
            multi.update((each.category, label) for label in each.labels if each.status == "accepted")
            single.update([(each.category, each.label)] if each.label else [])
    parts = []
    for key in sorted({each.category for each in facts.entries}):
        category = facts.schema.categories[key]
        named = [(GOOD, "Normal", category.normal)]
        named += [(one.id, one.name, one.definition) for one in category.classes]
        own = {name for name, _, _ in named}
        for one in category.published:
            if one.id not in own:
                sets = "; ".join(JOIN.join(each) for each in one.sets)
                named.append((one.id, one.name, one.definition or f"In `label` only: {sets}."))
        rows = [
            [str(numbers[name]), f"`{name}`", title, f"{multi[key, name]:,}", f"{single[key, name]:,}", text]
            for name, title, text in named
        ]
        table = _table(["number", "class", "name", "in `labels`", "in `label`", "definition"], rows)
        parts.append(_folded(f"{category.name}: {_count(len(rows) - 1, 'class', 'classes')} and normal", table))
    yield texts.fill(
        "classes",
        count=f"{len(numbers):,}",
        single=_count(len(_single(facts)), "class of defect", "classes of defect"),
        several=f"{len(_several(facts)):,}",
        table="\n\n".join(parts),
    )


def _columns(facts: Facts, texts: Texts) -> Iterable[str]:
    def described(found: Iterable[columns.Column]) -> str:
        return _table(["column", "what"], [[f"`{each.name}`", each.about] for each in found])

    yield texts.fill(
        "votes", columns=described(columns.columns(images=facts.manifest.images)), vote=described(columns.VOTE)
    )


def _limits(facts: Facts, texts: Texts) -> Iterable[str]:
    several, checked = _several(facts), _checked(facts)
    small = sum(number < 10 for number in several.values())
    lines = [
        "Anomalous images are all in the split `test`, as in the source: the benchmark is for methods that have not"
        " been trained on its defects.",
    ]
    if small:
        lines.insert(0, f"{small:,} of the {_count(len(several), 'class', 'classes')} in `labels`"
                        f" {'has' if small == 1 else 'have'} fewer than 10 test images:"
                        " intervals of such classes are wide.")  # fmt: skip
    if not _people(facts):
        lines.insert(0, "No person has checked a label. Errors of the source's labels are still in it.")
    elif checked.by_people < checked.labels:
        lines.insert(0, f"{checked}. Errors of the source's labels can still be in the other"
                        f" {checked.labels - checked.by_people:,}.")  # fmt: skip
    duplicates = Counter(each.sha256 for each in facts.entries if each.sha256)
    if repeated := sum(number - 1 for number in duplicates.values() if number > 1):
        lines.append(
            f"{_count(repeated, 'image')} {'repeats' if repeated == 1 else 'repeat'} another one byte for byte."
        )
    yield texts.fill("limits", limits="\n".join(f"- {line}" for line in lines))


def _licence(facts: Facts, texts: Texts) -> Iterable[str]:
    licence = licences.get(facts.manifest.licence)
    source = licences.get(facts.manifest.source_licence)
    images = "The images in it are" if facts.manifest.images else "It holds no images. Those are"
    terms = f"{images} under {source.name if source else facts.manifest.source_licence}: {facts.source.ATTRIBUTION}"
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


def _cite(facts: Facts, texts: Texts) -> Iterable[str]:
    name = f"cite_{facts.manifest.source}"
    if name in texts.sections:
        yield texts.fill("cite", bibtex=f"{texts.fill(name)}\n\n{texts.fill('cite_velm')}")


_SECTIONS: tuple[Section, ...] = (
    _head, _use, _task, _made, _agreement, _source_changes, _previous_changes, _classes, _columns, _limits, _licence,
    _cite,
)  # fmt: skip


def _people(facts: Facts) -> list[dict[str, Any]]:
    """Every vote of a person."""
    return [vote for row in facts.rows for vote in row["votes"] if vote["kind"] == "person"]


@dataclass(frozen=True, slots=True)
class _Checked:
    """How far people have come."""

    labels: int
    """Accepted labels of anomalous images."""
    by_people: int
    """Of them, those that people decided."""

    def __str__(self) -> str:
        return (
            f"{self.by_people:,} of {_count(self.labels, 'anomalous label')}"
            f" {'was' if self.by_people == 1 else 'were'} decided by people"
        )


def _checked(facts: Facts) -> _Checked:
    decided_by = [each.decided_by for each in facts.entries if each.anomalous and each.status == "accepted"]
    return _Checked(len(decided_by), decided_by.count(PEOPLE))


def _single(facts: Facts) -> Counter[tuple[str, str]]:
    """(category, class of defect) → anomalous images that have it in `label`."""
    return Counter((each.category, each.label) for each in facts.entries
                   if each.anomalous and each.label not in (None, GOOD))  # fmt: skip


def _several(facts: Facts) -> Counter[tuple[str, str]]:
    """(category, class of defect) → accepted test images that have it in `labels`."""
    tested = (each for each in facts.entries if each.split == "test" and each.status == "accepted")
    return Counter((each.category, label) for each in tested for label in each.labels if label != GOOD)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table; what would break it is escaped."""
    lines = [head, ["---"] * len(head), *([_cell(cell) for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")


def _folded(title: str, text: str) -> str:
    return f"<details><summary>{title}</summary>\n\n{text}\n\n</details>"


def _count(number: int, one: str, many: str = "") -> str:
    return f"{number:,} {one if number == 1 else many or f'{one}s'}"


def _are(number: int) -> str:
    return "is" if number == 1 else "are"
