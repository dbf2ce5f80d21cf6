"""What a dataset card says of the labels: who made them, how far they agree, what changed, and what the classes are."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from itertools import combinations
from typing import Any

from acbench._util.templates import Texts
from acbench.records import GOOD, JOIN, PEOPLE, short_name
from acbench.release.card_facts import CardFacts
from acbench.release.diff import said
from acbench.release.diff import summary as summarised
from acbench.release.markdown import are, count, folded, table
from acbench.schema import fold
from acbench.stats import kappa

SHOWN = 50
"""So many changes against the previous release are listed in the card; `acbench diff` gives them all."""


def made(facts: CardFacts, texts: Texts) -> Iterable[str]:
    """Who said what, by whose rule the labels were decided, and how far people have come."""
    tally: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for row in facts.rows:
        for vote in row["votes"]:
            if vote["kind"] != "person":
                tally[vote["who"], vote["kind"]][vote["said"]] += 1
    head = ["witness", "kind", "answered", "abstained", "failed"]
    rows = [
        [f"`{who}`", kind, *(f"{said_so[name]:,}" for name in ("label", "abstained", "error"))]
        for (who, kind), said_so in sorted(tally.items())
    ]
    votes = facts.people()
    if votes:
        blind = sum(vote["blind"] for vote in votes)
        people = (
            f"People: {count(len({vote['who'] for vote in votes}), 'reviewer')} gave {count(len(votes), 'decision')},"
            f" {blind:,} of them blind, that is with no proposal in sight. {facts.decided()}."
        )
    else:
        people = "People: none has looked yet."
    decided_by = Counter(each.decided_by for each in facts.entries if each.anomalous)
    deciders = [[name, f"{number:,}"] for name, number in sorted(decided_by.items())]
    yield texts.fill(
        "made",
        source_title=facts.source.title,
        attribution=facts.source.attribution,
        policy=facts.manifest.policy,
        schema_version=facts.manifest.schema_version,
        schema_digest=facts.manifest.schema_digest,
        benchmark=facts.manifest.benchmark,
        witnesses=table(head, rows),
        people=people,
    )
    yield table(["anomalous images decided by", "labels"], deciders)


def agreement(facts: CardFacts, texts: Texts) -> Iterable[str]:
    """How many labels have more than one voice behind them, and how far each two agree."""
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
        f"Of {count(len(anomalous), 'anomalous image')}, {agreed:,} have a label on which at least two independent"
        f" witnesses or people agree, {alone:,} a label with one voice behind it, and {pending:,} {are(pending)}"
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
        "agreement", summary=summary, pairs=table(head, pairs) if pairs else "No two named the same images."
    )


def source_changes(facts: CardFacts, texts: Texts) -> Iterable[str]:
    """Which labels are not what the source says, and why."""
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
        summary += (
            f" Of the images that the source calls normal, {changed[False]:,} {are(changed[False])} not `{GOOD}` here."
        )
    rows = [[key, f"`{old}`", f"`{new}`", f"{number:,}"] for (key, old, new), number in sorted(moved.items())]
    moves = table(["category", "source label", "label here", "images"], rows)
    yield texts.fill(
        "changes_source", summary=summary, table=folded(f"All {len(rows):,} kinds of change", moves) if rows else ""
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


def previous_changes(facts: CardFacts, texts: Texts) -> Iterable[str]:
    """Which labels are not what the previous release says."""
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
        table=table(["image", "before", "now", "reason"], rows),
    )


def classes(facts: CardFacts, texts: Texts) -> Iterable[str]:
    """Each category's classes: number, name, images, definition."""
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
        listed = table(["number", "class", "name", "in `labels`", "in `label`", "definition"], rows)
        parts.append(folded(f"{category.name}: {count(len(rows) - 1, 'class', 'classes')} and normal", listed))
    yield texts.fill(
        "classes",
        count=f"{len(numbers):,}",
        single=count(len(facts.single()), "class of defect", "classes of defect"),
        several=f"{len(facts.several()):,}",
        table="\n\n".join(parts),
    )
