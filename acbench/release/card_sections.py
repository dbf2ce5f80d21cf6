"""Writes what a dataset card says of the labels: their origin, their agreement, what changed, and what classes mean."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations

from acbench._util import markdown as md
from acbench._util.plural import counted, is_or_are
from acbench._util.templates import Texts
from acbench.records import GOOD, JOIN, PEOPLE, shown_names
from acbench.release.card_facts import CardFacts
from acbench.release.diff import label_text
from acbench.release.diff import summary as summary_of
from acbench.release.tally import RowKind
from acbench.review.resolve import POLICY_SUMMARY
from acbench.schema import Category, same_names
from acbench.schema.people import NORMAL
from acbench.schema.reasons import reasons
from acbench.stats import kappa, why_no_coefficient

SHOWN = 50
"""How many changes against the previous release are listed; `acbench diff` lists all."""


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table of our own Markdown."""
    return md.table(head, ([md.cell(cell) for cell in row] for row in rows))


def origin(facts: CardFacts, texts: Texts) -> Iterable[str]:
    """Who said what, by which rule the labels were decided, and how many labels people have decided."""
    answers: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    models: dict[str, set[str]] = defaultdict(set)
    decided_by: Counter[str] = Counter()
    for row, number in facts.kinds.items():
        for vote in row.votes:
            if vote.kind != "person":
                answers[vote.who, vote.kind][vote.said] += number
                if vote.model:
                    models[vote.who].add(md.escaped(f"{vote.model}, {vote.family or 'no family'}"))
        if row.anomalous:
            decided_by[row.decided_by] += number
    head = ["witness", "kind", "model, family", "answered", "abstained", "failed"]
    rows = [
        [
            md.code(who),
            md.escaped(kind),
            "; ".join(sorted(models[who])) or "–",
            *(f"{counts[said]:,}" for said in ("label", "abstained", "error")),
        ]
        for (who, kind), counts in sorted(answers.items())
    ]
    manifest = facts.manifest
    yield texts.fill(
        "made",
        source_title=md.escaped(facts.source.title),
        attribution=" ".join(
            filter(None, (md.escaped(facts.source.attribution), md.linked(facts.schema.publisher.home)))
        ),
        rules=md.folded(
            f"The rule by which a label is decided, {manifest.policy}",
            "\n".join(f"- {rule}" for rule in POLICY_SUMMARY),
        ),
        schema_version=manifest.schema_version,
        schema_digest=manifest.schema_digest,
        benchmark=manifest.benchmark,
        witnesses=table(head, rows),
        people=_people(facts),
    )
    deciders = [[md.escaped(name), f"{number:,}"] for name, number in sorted(decided_by.items())]
    yield table(["anomalous images decided by", "labels"], deciders)


def _people(facts: CardFacts) -> str:
    votes = facts.votes_of_people()
    if not votes:
        return "People: none has looked yet."
    reviewers = {vote.who for vote in votes}
    blind = sum(number for vote, number in votes.items() if vote.blind is True)
    return (
        f"People: {counted(len(reviewers), 'reviewer')} gave {counted(votes.total(), 'decision')},"
        f" {blind:,} of them blind, that is with proposals hidden that had never been in reach. {facts.progress()}."
    )


def agreement(facts: CardFacts, texts: Texts) -> Iterable[str]:
    """How many labels rest on more than one voice, and how far each pair of voices agrees."""
    anomalous: Counter[str] = Counter()
    for kind, number in facts.kinds.items():
        if kind.anomalous:
            anomalous[f"{kind.status}, {'alone' if kind.alone else 'agreed'}"] += number
    pending = anomalous["pending, alone"] + anomalous["pending, agreed"]
    summary = (
        f"Of {counted(anomalous.total(), 'anomalous image')}, {anomalous['accepted, agreed']:,} have a label on which"
        f" at least two independent witnesses or people agree, {anomalous['accepted, alone']:,} a label with one voice"
        f" behind it, and {pending:,} {is_or_are(pending)} pending."
    )
    pairs = []
    for (one, other), said in sorted(_said_by_pairs(facts.kinds).items()):
        both = said.total()
        same = sum(number for (a, b), number in said.items() if a == b) / both
        first, second = zip(*said, strict=True)
        value = kappa(first, second, list(said.values()))
        shown = f"– ({why_no_coefficient(both)})" if value is None else f"{value:.3f}"
        pairs.append([md.escaped(one), md.escaped(other), f"{both:,}", f"{same:.1%}", shown])
    head = ["", "and", "images", "same", "kappa"]
    yield texts.fill(
        "agreement", summary=summary, pairs=table(head, pairs) if pairs else "No two named the same images."
    )


def _said_by_pairs(kinds: Mapping[RowKind, int]) -> dict[tuple[str, str], Counter[tuple[str, str]]]:
    """What each pair of voices said of the same anomalous images: their names → their labels → images.

    A voice is a witness, or all people together where they agree.
    """
    pairs: defaultdict[tuple[str, str], Counter[tuple[str, str]]] = defaultdict(Counter)
    names = shown_names(vote.who for kind in kinds for vote in kind.votes if vote.kind != "person")
    for kind, number in kinds.items():
        voices = _voices(kind, names) if kind.anomalous else {}
        for one, other in combinations(sorted(voices), 2):
            pairs[one, other][voices[one], voices[other]] += number
    return pairs


def _voices(kind: RowKind, names: Mapping[str, str]) -> dict[str, str]:
    """What each voice said of an image: name → label."""
    labelled = [vote for vote in kind.votes if vote.said == "label"]
    people = {JOIN.join(sorted(vote.labels)) for vote in labelled if vote.kind == "person"}
    of_people = {PEOPLE: people.pop()} if len(people) == 1 else {}
    return of_people | {names[vote.who]: JOIN.join(sorted(vote.labels)) for vote in labelled if vote.kind != "person"}


def source_changes(facts: CardFacts, texts: Texts) -> Iterable[str]:
    """Which labels are not what the source says, and why."""
    moves: Counter[tuple[str, str, str]] = Counter()
    changed_anomalous = changed_normal = 0
    for kind, number in facts.kinds.items():
        if kind.status == "excluded" or not same_names(kind.source_labels, kind.labels):
            changed_anomalous += number * kind.anomalous
            changed_normal += number * (not kind.anomalous)
            now = kind.status if kind.status == "excluded" else label_text(kind)
            moves[kind.category, ", ".join(kind.source_labels) or "none", now] += number
    unchanged = sum(number for kind, number in facts.kinds.items() if kind.anomalous) - changed_anomalous
    summary = (
        f"{unchanged:,} anomalous images keep the name that the source gives them; {changed_anomalous:,} do not."
        if changed_anomalous
        else "Every anomalous image keeps the name that the source gives it."
    )
    if changed_normal:
        summary += (
            f" Of the images that the source calls normal, {changed_normal:,} {is_or_are(changed_normal)}"
            f" not `{GOOD}` here."
        )
    rows = [
        [category, md.code(old), md.code(new), f"{number:,}"] for (category, old, new), number in sorted(moves.items())
    ]
    listed = table(["category", "source label", "label here", "images"], rows)
    yield texts.fill(
        "changes_source",
        summary=summary,
        table=md.folded(f"All {len(rows):,} kinds of change", listed) if rows else "",
    )
    if lines := _schema_reasons(facts):
        yield texts.fill("changes_reasons", reasons="\n".join(lines))


def _schema_reasons(facts: CardFacts) -> list[str]:
    """What the schema settles and why, for the categories and images of the release."""
    categories, images = facts.tally.categories, facts.tally.images
    return [
        f"- {key}: {reason}"
        for key, category in facts.schema.categories.items()
        if key in categories
        for reason in reasons(category, images, text=md.escaped, code=md.code)
    ]


def previous_changes(facts: CardFacts, texts: Texts) -> Iterable[str]:
    """Which labels are not what the previous release says."""
    previous = facts.manifest.previous
    if previous is None or facts.changes is None:
        yield texts.fill("changes_first")
        return
    if not facts.changes:
        yield texts.fill("changes_previous", version=previous.version, summary="No label changed.", table="")
        return
    summary = summary_of(facts.changes)
    rows = [
        [md.code(change.image), *(md.escaped(each or "–") for each in (change.before, change.after, change.reason))]
        for change in facts.changes[:SHOWN]
    ]
    if len(facts.changes) > SHOWN:
        command = f"acbench diff {facts.repo}@v{previous.version} {facts.repo}@{facts.manifest.tag}"
        summary += f". The first {SHOWN} follow; `{command}` lists all"
    yield texts.fill(
        "changes_previous",
        version=previous.version,
        summary=f"{summary}.",
        table=table(["image", "before", "now", "reason"], rows),
    )


def classes(facts: CardFacts, texts: Texts) -> Iterable[str]:
    """The classes of each category: number, name, images, definition."""
    numbers = {name: number for number, name in enumerate(facts.manifest.classes)}
    in_labels: Counter[tuple[str, str]] = Counter()
    in_label: Counter[tuple[str, str]] = Counter()
    for kind, number in facts.kinds.items():
        for label in kind.labels if kind.tested else ():
            in_labels[kind.category, label] += number
        if kind.split == "test" and kind.label:
            in_label[kind.category, kind.label] += number
    parts = []
    for key in facts.tally.categories:
        category = facts.schema.categories[key]
        rows = [
            [
                str(numbers[name]),
                md.code(name),
                md.escaped(title),
                f"{in_labels[key, name]:,}",
                f"{in_label[key, name]:,}",
                md.escaped(definition),
            ]
            for name, title, definition in _definitions(category)
        ]
        listed = table(["number", "class", "name", "in `labels`", "in `label`", "definition"], rows)
        parts.append(md.folded(f"{category.name}: {counted(len(rows) - 1, 'class', 'classes')} and normal", listed))
    yield texts.fill(
        "classes",
        count=f"{len(numbers):,}",
        single=counted(len(facts.single()), "class of defect", "classes of defect"),
        several=f"{len(facts.several()):,}",
        table="\n\n".join(parts),
    )


def _definitions(category: Category) -> list[tuple[str, str, str]]:
    """(id, name, definition) of every class of a category, those of the published view included."""
    named = [(GOOD, NORMAL, category.normal)]
    named += [(defect.id, defect.name, defect.definition) for defect in category.classes]
    own = {class_id for class_id, _, _ in named}
    for published in category.published:
        if published.id not in own:
            sets = "; ".join(JOIN.join(labels) for labels in published.sets)
            named.append((published.id, published.name, published.definition or f"In label only: {sets}."))
    return named
