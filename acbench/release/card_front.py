"""Writes the YAML of a dataset card, which the Hub reads: https://huggingface.co/docs/hub/datasets-cards."""

from __future__ import annotations

from acbench import licences
from acbench.records import PEOPLE
from acbench.release.card_facts import CardFacts

SIZES = ("n<1K", "1K<n<10K", "10K<n<100K", "100K<n<1M", "1M<n<10M", "10M<n<100M", "100M<n<1B", "1B<n<10B", "10B<n<100B",
         "100B<n<1T", "n>1T")  # fmt: skip
"""The Hub's words for how many rows there are, each ten times the one before: https://huggingface.co/datasets."""


def front_matter(facts: CardFacts) -> dict[str, object]:
    """Give the keys of the YAML but those of the tables."""
    manifest = facts.manifest
    hub = licences.hub_name(manifest.licence)
    terms = {"license": hub}
    if hub == "other":
        link = licences.url(manifest.licence) or facts.schema.publisher.licence_link
        terms |= {"license_name": manifest.licence.lower()} | ({"license_link": link} if link else {})
    return {
        **terms,
        "pretty_name": manifest.title,
        "task_categories": ["image-classification"],
        "task_ids": ["multi-class-image-classification", "multi-label-image-classification"],
        "annotations_creators": creators(facts),
        "source_datasets": ["original" if facts.own or manifest.source == "sample" else "extended"],
        "size_categories": [size(manifest.rows)],
        "tags": ["anomaly-detection", "anomaly-classification", "industrial-inspection", "acbench"],
    }


def size(rows: int) -> str:
    """Name a number of rows in the Hub's words."""
    return next((name for power, name in enumerate(SIZES[:-1], start=3) if rows < 10**power), SIZES[-1])


def creators(facts: CardFacts) -> list[str]:
    """Say in the Hub's words who made the labels of the anomalous images.

    `expert-generated` where people decided; `found` where a label stands on what the dataset, a table or a file of
    others says; `machine-generated` where only models gave it. All that apply; `no-annotation` if nothing is labelled.
    """
    made: set[str] = set()
    for kind in facts.kinds:
        if not kind.anomalous or kind.status != "accepted":
            continue
        votes = (vote for vote in kind.votes if vote.said == "label" and set(vote.labels) == set(kind.labels))
        kinds = {vote.kind for vote in votes}
        if kind.decided_by == PEOPLE:
            made.add("expert-generated")
        elif kinds == {"model"}:
            made.add("machine-generated")
        else:
            made.add("found")
    return sorted(made) or ["no-annotation"]
