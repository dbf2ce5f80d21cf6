"""Writes what a dataset card says to those who use it: what scores there are, how to report an error, how to cite."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from acbench._util import markdown as md
from acbench._util.templates import Texts
from acbench.release.card_facts import CardFacts
from acbench.release.card_sections import table
from acbench.release.standings import HASHES, METRICS, Standing

TOLD = {
    "none": "nobody",
    "detector": "a detector",
    "ground_truth": "the ground truth",
    "not_stated": "not stated",
}
"""Who told a system where the defect is, in words."""
_MAIL = re.compile(r"[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9.-]{1,190}\.[A-Za-z]{2,24}")
_BIBTEX_MARKS = str.maketrans("", "", '{}\\@%#~^$`"')


def scores(facts: CardFacts, texts: Texts) -> Iterable[str]:
    """What baselines score on these labels, and the entries of the leaderboard."""
    manifest = facts.manifest
    baselines = ""
    if facts.scores:
        hashes = facts.scores[0].hashes
        told = {one.system: one.about for one in facts.scores}
        baselines = texts.fill(
            "baselines",
            images=f"{facts.scores[0].items:,}",
            version=manifest.version,
            hashes=", ".join(f"{name} `{hashes[name]}`" for name in HASHES),
            table=standings(facts.scores),
            about="\n".join(f"- `{system}`: {about}" for system, about in told.items()),
        )
    entered = [*manifest.leaderboard]
    entries = standings(entered, linked=True) if entered else "Nobody has entered an answer yet."
    yield texts.fill(
        "leaderboard", baselines=baselines, entries=entries, repo=facts.repo, tag=manifest.tag
    )  # fmt: skip


def standings(shown: Sequence[Standing], *, linked: bool = False) -> str:
    """A table of scores. `linked`: whether each names its version and its file of answers."""
    head = ["system", *METRICS.values(), "told where", *(("scored by", "answers") if linked else ())]
    rows = []
    for one in shown:
        figures = (str(one.figures[name]) if name in one.figures else "–" for name in METRICS)
        more = (one.version, f"[`{one.hashes['predictions'][:8]}`]({one.path}/answers.csv)") if linked else ()
        rows.append([md.escaped(one.system), *figures, TOLD[one.localisation], *more])
    return table(head, rows)


def reporting(facts: CardFacts, texts: Texts) -> Iterable[str]:
    """How to report a wrong label."""
    example = next((each for each in facts.tally.samples if each.anomalous and each.labels), facts.tally.first)
    other = next((name for category, name in sorted(facts.several()) if category == example.category
                  and name not in example.labels), "unsure")  # fmt: skip
    yield texts.fill(
        "reporting",
        repo=facts.repo,
        tag=facts.manifest.tag,
        item=example.item_id,
        label=other,
        benchmark=facts.manifest.benchmark,
        where=where(facts.schema.publisher.contact, facts.repo),
    )


def where(contact: str, repo: str) -> str:
    """An address to report to, as Markdown: the publisher's or, without one, the repository's own discussions."""
    if not contact:
        return f"[the discussions of this repository](https://huggingface.co/datasets/{repo}/discussions)"
    return f"<{contact}>" if _MAIL.fullmatch(contact) else md.linked(contact)


def citing(facts: CardFacts, texts: Texts) -> Iterable[str]:
    """BibTeX of the release, of its source and of the paper that introduced the task."""
    manifest, own = facts.manifest, facts.schema.publisher.citation
    organisation, _, name = facts.repo.rpartition("/")
    entries = [
        texts.fill(
            "cite_release",
            key=f"{manifest.benchmark}_{manifest.version.replace('.', '_')}",
            author=organisation,
            title=manifest.title.translate(_BIBTEX_MARKS),
            version=manifest.version,
            year=f"\n  year         = {{{facts.date[:4]}}}," if facts.date else "",
            url=f"https://huggingface.co/datasets/{organisation}/{name}",
        )
    ]
    source, sentence = f"cite_{manifest.source}", ""
    if own.lstrip().startswith("@"):
        entries.append(own.strip())
    elif own:
        sentence = f"\n\nOf the source: {md.escaped(' '.join(own.split()))}"
    elif source in texts.sections:
        entries.append(texts.fill(source))
    entries.append(texts.fill("cite_velm"))
    bibtex = "\n\n".join(entries)
    fence = "`" * max(3, 1 + max((len(run) for run in re.findall("`+", bibtex)), default=0))
    sentence = (
        f"\n\nOf the source: {md.escaped(' '.join(own.split()))}" if own and not own.lstrip().startswith("@") else ""
    )
    known = own or source in texts.sections
    what = "this release, its source dataset" if known else "this release"
    yield texts.fill(
        "cite", what=f"{what} and, for the task, the paper that introduced it",
        bibtex=f"{fence}bibtex\n{bibtex}\n{fence}", sentence=sentence,
    )  # fmt: skip
