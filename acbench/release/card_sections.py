"""Writes what a dataset card says of the labels: their origin, their agreement, what changed, and what classes mean."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from itertools import combinations

from acbench._util import markdown as md
from acbench._util.plural import counted, is_or_are
from acbench._util.templates import Texts
from acbench.records import GOOD, JOIN, PEOPLE, shown_names
from acbench.release.card_facts import CardFacts
from acbench.release.diff import label_text
from acbench.release.diff import summary as summary_of
from acbench.release.rows import Row
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
    for row in facts.rows:
        for vote in row["votes"]:
            if vote["kind"] != "person":
                answers[vote["who"], vote["kind"]][vote["said"]] += 1
                if vote["model"]:
                    models[vote["who"]].add(md.escaped(f"{vote['model']}, {vote['family'] or 'no family'}"))
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
    decided_by = Counter(entry.decided_by for entry in facts.entries if entry.anomalous)
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
    reviewers = {vote["who"] for vote in votes}
    blind = sum(vote["blind"] is True for vote in votes)
    return (
        f"People: {counted(len(reviewers), 'reviewer')} gave {counted(len(votes), 'decision')},"
        f" {blind:,} of them blind, that is with proposals hidden that had never been in reach. {facts.progress()}."
    )


def agreement(facts: CardFacts, texts: Texts) -> Iterable[str]:
    """How many labels rest on more than one voice, and how far each pair of voices agrees."""
    anomalous = [entry for entry in facts.entries if entry.anomalous]
    alone = sum(entry.status == "accepted" and entry.agreement is None for entry in anomalous)
    agreed = sum(entry.status == "accepted" and entry.agreement is not None for entry in anomalous)
    pending = sum(entry.status == "pending" for entry in anomalous)
    summary = (
        f"Of {counted(len(anomalous), 'anomalous image')}, {agreed:,} have a label on which at least two independent"
        f" witnesses or people agree, {alone:,} a label with one voice behind it, and {pending:,}"
        f" {is_or_are(pending)} pending."
    )
    voices = _voices(facts.rows)
    pairs = []
    for one, other in combinations(sorted(voices), 2):
        both = sorted(voices[one].keys() & voices[other].keys())
        if both:
            first, second = ([voices[name][item_id] for item_id in both] for name in (one, other))
            same = sum(a == b for a, b in zip(first, second, strict=True)) / len(both)
            value = kappa(first, second)
            shown = f"– ({why_no_coefficient(len(both))})" if value is None else f"{value:.3f}"
            pairs.append([md.escaped(one), md.escaped(other), f"{len(both):,}", f"{same:.1%}", shown])
    head = ["", "and", "images", "same", "kappa"]
    yield texts.fill(
        "agreement", summary=summary, pairs=table(head, pairs) if pairs else "No two named the same images."
    )


def _voices(rows: Iterable[Row]) -> dict[str, dict[str, str]]:
    """What each witness, and all people together where they agree, said of anomalous images: name → item_id → label."""
    voices: defaultdict[str, dict[str, str]] = defaultdict(dict)
    rows = list(rows)
    names = shown_names(vote["who"] for row in rows for vote in row["votes"] if vote["kind"] != "person")
    for row in rows:
        if not row["anomalous"]:
            continue
        labelled = [vote for vote in row["votes"] if vote["said"] == "label"]
        people = {JOIN.join(sorted(vote["labels"])) for vote in labelled if vote["kind"] == "person"}
        if len(people) == 1:
            voices[PEOPLE][row["item_id"]] = people.pop()
        for vote in labelled:
            if vote["kind"] != "person":
                voices[names[vote["who"]]][row["item_id"]] = JOIN.join(sorted(vote["labels"]))
    return voices


def source_changes(facts: CardFacts, texts: Texts) -> Iterable[str]:
    """Which labels are not what the source says, and why."""
    moves: Counter[tuple[str, str, str]] = Counter()
    changed_anomalous = changed_normal = 0
    for entry in facts.entries:
        if entry.status == "excluded" or not same_names(entry.source_labels, entry.labels):
            changed_anomalous += entry.anomalous
            changed_normal += not entry.anomalous
            now = entry.status if entry.status == "excluded" else label_text(entry)
            moves[entry.category, ", ".join(entry.source_labels) or "none", now] += 1
    unchanged = sum(entry.anomalous for entry in facts.entries) - changed_anomalous
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
    categories, images = {entry.category for entry in facts.entries}, {entry.image for entry in facts.entries}
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
    for entry in facts.entries:
        if entry.split == "test":
            in_labels.update((entry.category, label) for label in entry.labels if entry.status == "accepted")
            in_label.update([(entry.category, entry.label)] if entry.label else [])
    parts = []
    for key in sorted({entry.category for entry in facts.entries}):
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
