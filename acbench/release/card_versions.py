"""Writes what a dataset card says of all versions: a table of them, and a warning where this one is deprecated.

Both follow from `release.json` alone, so that a mark can be set in a card without the tables that the rest is made of.
"""

from __future__ import annotations

from collections.abc import Iterable

from acbench._util import markdown as md
from acbench._util import templates
from acbench._util.templates import Texts
from acbench.release.card_facts import CardFacts
from acbench.release.diff import effects
from acbench.release.manifest import ListedVersion, Manifest
from acbench.release.version_list import reason_against

_END_OF_YAML = "\n---\n\n"


def warning(facts: CardFacts, texts: Texts) -> Iterable[str]:
    """Say that this version is deprecated, if it is."""
    return _warning(facts.manifest, texts)


def versions(facts: CardFacts, texts: Texts) -> Iterable[str]:
    """When each version was published, what changed in it, and which are deprecated."""
    return _versions(facts.manifest, texts)


def marked(card: str, old: Manifest, new: Manifest) -> str | None:
    """Give a card with the marks of another manifest of the same release; None for a card that acbench did not make."""
    texts = templates.read("card")
    front, end, body = card.partition(_END_OF_YAML)
    before, after = ("".join(f"{part}\n\n" for part in _warning(each, texts)) for each in (old, new))
    section, instead = ("".join(_versions(each, texts)) for each in (old, new))
    if not end or not section or not body.startswith(before) or body.count(section) != 1:
        return None
    return f"{front}{end}{after}{body.removeprefix(before).replace(section, instead)}"


def _warning(manifest: Manifest, texts: Texts) -> Iterable[str]:
    if reason := reason_against(manifest, manifest.version):
        yield texts.fill("deprecated", version=manifest.version, reason=md.escaped(reason))


def _versions(manifest: Manifest, texts: Texts) -> Iterable[str]:
    if not manifest.versions:
        return
    first, newest = manifest.versions[0], manifest.versions[-1]
    rows = [
        [
            f"`v{listed.version}`",
            listed.date or "–",
            "the first version" if listed is first else _changed(listed, newest),
            f"**deprecated**: {md.escaped(listed.deprecated)}" if listed.deprecated else "",
        ]
        for listed in reversed(manifest.versions)
    ]
    table = md.table(["version", "published", "labels that differ from the version before", ""], rows)
    yield texts.fill("versions", table=table, tag=f"v{first.version}")


def _changed(listed: ListedVersion, newest: ListedVersion) -> str:
    """What changed in a version. Of those before the list was kept nobody knows: they have no date."""
    known = listed.date or listed is newest
    return effects(listed.changes) if known or listed.changes else "–"
