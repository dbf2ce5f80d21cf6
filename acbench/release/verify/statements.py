"""Checks what a release says as a whole: its card and Croissant metadata made anew, licences, names and versions."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from acbench import licences
from acbench.data.sources import Source
from acbench.errors import AcbenchError, ReleaseError
from acbench.records import Finding
from acbench.release import manifest as manifests
from acbench.release import pictures
from acbench.release.card import card
from acbench.release.card_facts import facts_of
from acbench.release.folder import ReleaseFolder
from acbench.release.libraries import CroissantLibrary, DatasetsLibrary
from acbench.release.manifest import Manifest
from acbench.release.pictures import Examples
from acbench.release.rows import numbering_of
from acbench.release.schema_file import released_schema
from acbench.release.standings import Standing
from acbench.release.tally import Tally
from acbench.release.verify.files import CARD_BYTES
from acbench.release.verify.findings import fault, unchecked
from acbench.release.version_list import advice, problems
from acbench.review.resolve import POLICY
from acbench.schema import Schema

PUBLISH_AGAIN = "do not use it; whoever made it can publish it again"
SCHEMA_MAY_DIFFER = "give the schema as it was: its attribution, home and citation are in the card; else do not use it"
_PART = "> **A part of the source dataset.**"
"""Begins the line about what is not in the tables: which images of the source are missing."""
ScoresOf = Callable[[Manifest, Tally, Schema], Sequence[Standing]]
"""Scores the baselines whose answers a release holds."""


@dataclass(frozen=True, slots=True)
class Known:
    """What acbench knows here of a release besides what the release says."""

    schema: Schema | None = None
    """The label schema that its labels were made with."""
    source: Source | None = None
    """Its dataset, with what the schema says of it."""
    own: bool = False
    """Whether the dataset is the publisher's own."""
    held: bool = False
    """Whether the schema is the one that the release holds, and nothing else is known of it here."""
    why_not: str = ""
    """Why the schema is not known."""
    acbench: str = ""
    """Version of the acbench that checks."""
    scores: ScoresOf | None = None
    """Scores the baselines that the card shows; None if nobody can."""


def check_names(manifest: Manifest, known: Known) -> Iterator[Finding]:
    """Report where the manifest differs from the schema and from what is known of the source."""
    schema, source = known.schema, known.source
    if schema is None:
        what = f"labels against schema and votes, and the card: {known.why_not}"
        yield unchecked(manifests.NAME, what, "acbench verify … --schema FILE, with the schema of the benchmark")
    elif known.held:
        what = "whether its label schema is the publisher's: the release was checked by the one that it holds"
        yield unchecked(manifests.SCHEMA, what, "acbench verify … --schema FILE, with the schema of the benchmark")
    if manifest.policy != POLICY:
        what = f"status and reason by the policy {manifest.policy[:80]}: this acbench has {POLICY}"
        yield unchecked(manifests.NAME, what, "use the version of acbench that made the release")
    pairs: list[tuple[str, object, object]] = []
    if source is not None and source.licence != licences.UNKNOWN:
        pairs.append(("licence of the images", manifest.source_licence, source.licence))
    if schema is not None:
        numbering = numbering_of(schema)
        pairs += [
            ("licence", manifest.licence, schema.licence),
            ("title", manifest.title, schema.title),
            ("schema version", manifest.schema_version, schema.version),
            ("source", manifest.source, schema.source),
            ("categories", manifest.categories, numbering.categories),
            ("classes", manifest.classes, numbering.classes),
        ]
    for problem in problems(manifest):
        yield fault(manifests.NAME, "versions", problem, PUBLISH_AGAIN)
    if deprecated := advice(manifest.version, manifest):
        yield Finding(path=manifests.NAME, kind="deprecated", detail=deprecated)
    for what, said, true in pairs:
        if said != true:
            said, true = (f"{len(each)}" if isinstance(each, tuple) else f"{each}" for each in (said, true))
            kind = "licence" if "licence" in what else "statement"
            yield fault(manifests.NAME, kind, f"it says {what} {said}, and it is {true}", PUBLISH_AGAIN)


def check_schema(folder: ReleaseFolder, manifest: Manifest, known: Known) -> Iterator[Finding]:
    """Report a label schema that is missing, or is not the one that the labels were made with."""
    if manifest.format > 2 and manifests.SCHEMA not in manifest.files:
        yield fault(manifests.SCHEMA, "label_schema", "the release does not hold it", PUBLISH_AGAIN)
        return
    try:
        held = released_schema(folder, manifest)
    except ReleaseError as error:
        yield fault(manifests.SCHEMA, "label_schema", error.message, error.hint)
        return
    mine = known.schema
    if held is not None and mine is not None and (held, held.publisher) != (mine, mine.publisher):
        what = "it says something else than the schema of that name here, although their digests are the same"
        yield fault(manifests.SCHEMA, "label_schema", what, PUBLISH_AGAIN)


def check_texts(
    folder: ReleaseFolder,
    manifest: Manifest,
    tally: Tally,
    known: Known,
    libraries: tuple[DatasetsLibrary, CroissantLibrary],
) -> Iterator[Finding]:
    """Make card and Croissant metadata anew from the tables, and report where those of the release differ."""
    try:
        croissant = folder.read(manifests.CROISSANT, manifests.MAX_BYTES)
        text = folder.read(manifests.CARD, CARD_BYTES).decode("utf-8", "replace")
        said = json.loads(croissant)
    except (ReleaseError, ValueError, RecursionError):
        return  # it is reported as missing or damaged
    said = said if isinstance(said, dict) else {}
    for key, true in (("version", manifest.version), ("name", manifest.benchmark)):
        if said.get(key) != true:
            what = f"its {key} is {str(said.get(key))[:80]!a}, that of the release {true}"
            yield fault(manifests.CROISSANT, "croissant", what, PUBLISH_AGAIN)
    if f"version {manifest.version} ·" not in text:
        yield fault(manifests.CARD, "card", f"it does not say that this is version {manifest.version}", PUBLISH_AGAIN)
    if known.schema is None or known.source is None or not len(tally):
        return
    if manifest.acbench != known.acbench or manifest.format != manifests.FORMAT:
        why = f"acbench {manifest.acbench or 'of an earlier version'} wrote it, this is {known.acbench}"
        yield unchecked(manifests.CARD, f"card and Croissant metadata against the tables: {why}", "use that version")
        return
    page, repo = libraries[1].page(said)
    facts = facts_of(
        manifest, tally, known.schema, known.source, own=known.own, repo=repo or "ORG/NAME",
        changes=[] if manifest.previous else None,
    )  # fmt: skip
    try:
        if known.scores is not None:
            facts = replace(facts, scores=known.scores(manifest, tally, known.schema))
        true_card = card(facts, libraries[0].card_data(manifest))
    except (LookupError, ValueError, AcbenchError) as error:
        yield fault(manifests.CARD, "card", f"none can be made of these tables: {error}"[:300], PUBLISH_AGAIN)
        return
    again = SCHEMA_MAY_DIFFER if known.own else PUBLISH_AGAIN
    yield from _compared(text, true_card, manifest, again)
    publisher = known.schema.publisher
    try:
        true_croissant = libraries[1].describe(
            manifest, page=page, about=" ".join(known.schema.about.split()), attribution=known.source.attribution,
            citation=publisher.citation, home=publisher.web_home, licence_link=publisher.licence_link,
        )  # fmt: skip
    except ValueError as error:
        yield fault(manifests.NAME, "croissant", f"no metadata can be made of it: {error}"[:300], PUBLISH_AGAIN)
        return
    for key, value in json.loads(true_croissant).items():
        if said.get(key) != value:
            yield fault(manifests.CROISSANT, "croissant", f"its `{key}` is not what the tables give", again)


def check_picture(
    folder: ReleaseFolder, manifest: Manifest, tally: Tally, examples: Examples, known: Known
) -> Iterator[Finding]:
    """Draw the picture of all classes anew, and report one that shows something else."""
    if manifests.PICTURE not in manifest.files or known.schema is None or manifest.acbench != known.acbench:
        return  # why it is not checked is said of the card
    try:
        expected = pictures.draw(manifest, tally, known.schema, examples.tiles)
        wrong, why_not = pictures.problem(folder.read(manifests.PICTURE, pictures.MAX_BYTES), expected)
    except (LookupError, ReleaseError) as error:
        wrong, why_not = f"none can be drawn of these tables: {error}"[:300], ""
    if wrong:
        yield fault(manifests.PICTURE, "picture", wrong, PUBLISH_AGAIN)
    if why_not:
        yield unchecked(manifests.PICTURE, f"that the picture shows what the tables say: {why_not}", "use these")


def _compared(text: str, true: str, manifest: Manifest, hint: str) -> Iterator[Finding]:
    """Report the first line of a card that is not what the tables give."""
    if manifest.previous:
        what = f"what the card says of changes since {manifest.previous.version}"
        yield unchecked(manifests.CARD, what, "acbench diff shows them")
    theirs, ours = (list(_lines(each, manifest)) for each in (text, true))
    if theirs != ours:
        number = next((at for at, (one, two) in enumerate(zip(theirs, ours, strict=False)) if one != two), None)
        if number is None:
            what = "it ends before the tables do" if len(theirs) < len(ours) else "it says more than the tables give"
        else:
            what = f"it says {theirs[number][:160]!a}, and by the tables {ours[number][:160]!a}"
        yield fault(manifests.CARD, "card", what, hint)


def _lines(text: str, manifest: Manifest) -> Iterator[str]:
    """The lines of a card but those about images that are missing, and about what changed since another release."""
    skipped = False
    for line in text.splitlines():
        if line.startswith("#"):
            skipped = manifest.previous is not None and line == f"### Against {manifest.previous.version}"
        if not skipped:
            yield _PART if line.startswith(_PART) else line
