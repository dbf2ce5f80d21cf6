"""Turns what a person said about an image, typed or chosen from a list, into one decision.

The readers of a queue file, of Label Studio and of the FiftyOne App take apart their own format and ask here what the
words mean. Nothing is guessed: what is not a decision is a DecisionError.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from acbench._util.text import plain, tidy
from acbench.errors import ReviewError
from acbench.records import GOOD, Review, Verdict, is_contradictory, label_set
from acbench.schema import Category, fold
from acbench.schema.form import VERDICTS
from acbench.storage.csv_files import names_in

MAX_LISTED = 20
"""How many problems an error lists."""
MAX_NOTE = 10_000
"""Characters of a note; the rest is cut off, and the note says so."""
MAX_NAME = 200
"""Characters of a reviewer's name."""
CUT = f" … (cut at {MAX_NOTE:,} characters)"
"""The end of a note that was cut off."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What one person decided about one image."""

    verdict: Verdict
    labels: tuple[str, ...] = ()
    """Class ids; empty unless the verdict is `label`."""
    note: str = ""
    """As `clean_note` gives it."""

    @classmethod
    def of(cls, review: Review) -> Decision:
        """The decision that a review holds."""
        return cls(verdict=review.verdict, labels=review.labels, note=clean_note(review.note))


class DecisionError(Exception):
    """What a person said is not a decision.

    `kind` is a stable word, such as `unknown_class`; `reason` says what is wrong, for a person.
    """

    def __init__(self, kind: str, reason: str) -> None:
        super().__init__(reason)
        self.kind = kind
        self.reason = reason


def clean_note(text: str) -> str:
    """A note as it may be kept: without control characters. If it is cut off, its end says so."""
    note = plain(text).strip()
    # An earlier version cut at the same length without a word: what it kept is the same note as one that says so.
    return note if len(note) < MAX_NOTE else note[: MAX_NOTE - len(CUT)] + CUT


def reviewer_name(text: str) -> str:
    """A person's name as it may be kept. Raises DecisionError for one that cannot be."""
    name = text.strip()
    if not name or tidy(name, MAX_NAME) != name:
        said = tidy(name, 40)
        raise DecisionError("no_name", f"{said!r} is no name: it takes 1 to {MAX_NAME} characters that can be printed")
    return name


def decide(verdicts: Iterable[Verdict], class_ids: Iterable[str], note: str = "") -> Decision:
    """The one decision in all that a person said. Raises DecisionError if it is none, or more than one."""
    verdict_words, labels = sorted(set(verdicts)), label_set(class_ids)
    said = [*verdict_words, *labels]
    if not said:
        raise DecisionError("empty", "nothing is chosen")
    if len(verdict_words) > 1 or (verdict_words and labels) or is_contradictory(labels):
        raise DecisionError("contradictory", f"{' and '.join(said)} do not go together")
    return Decision(verdict=verdict_words[0] if verdict_words else "label", labels=labels, note=clean_note(note))


def read_typed(text: str, category: Category | None) -> Decision:
    """A decision that somebody typed: a verdict, or names of classes. Raises DecisionError."""
    verdict = verdict_named(text)
    return decide([verdict], ()) if verdict else decide((), classes_named(text, category))


def read_chosen(ids: Collection[str], category: Category, note: str = "", *, former: Collection[str] = ()) -> Decision:
    """A decision that somebody chose from a list of verdicts and class ids. Raises DecisionError.

    `former`: class ids that the list offered and the schema may no longer have. They are kept as they were chosen: see
    `acbench.review.former`.
    """
    verdicts = [verdict for verdict in VERDICTS if verdict in ids]
    class_ids = set(ids) - set(verdicts)
    if unknown := sorted(class_ids - set(choices(category)) - set(former)):
        raise _unknown(unknown, category)
    return decide(verdicts, class_ids, note)


def verdict_named(text: str) -> Verdict | None:
    """The verdict that a text names, without regard to case and punctuation; None if it names none.

    `bad_box` is `bad_mask`: what is wrong is the marked place.
    """
    named = "badmask" if fold(text) == "badbox" else fold(text)
    return next((verdict for verdict in VERDICTS if fold(verdict) == named), None)


def classes_named(text: str, category: Category | None) -> tuple[str, ...]:
    """The class ids that a typed text names by ids, names or aliases, or by ids of former classes that the schema says
    the present name of. Raises DecisionError if a part names none."""
    if category is None:
        raise DecisionError("unknown_class", "its category is not in the schema")
    parsed = {name: _named(name, category) for name in names_in(text, typed=True)}
    unknown = [name for name, class_ids in parsed.items() if not class_ids]
    if unknown or not parsed:
        raise _unknown(unknown or [text], category)
    return label_set(class_id for class_ids in parsed.values() for class_id in class_ids)


def class_names(category: Category | None) -> dict[str, str]:
    """Class id → the name that people read, and by which `classes_named` finds the same class; else its id."""
    if category is None:
        return {}
    names = {defect.id: defect.name for defect in category.classes}
    return {
        class_id: name
        if names_in(name, typed=True) == [name] and _named(name, category) == (class_id,) and not verdict_named(name)
        else class_id
        for class_id, name in names.items()
    }


def _named(name: str, category: Category) -> tuple[str, ...]:
    class_id = category.parse(name)
    return category.present(name) if class_id is None else (class_id,)


def choices(category: Category | None) -> list[str]:
    """The class ids that an image of a category can have."""
    return [GOOD] if category is None else list(category.answers)


def refusal(subject: str, problems: Sequence[str], hint: str) -> ReviewError:
    """The error that says why nothing was taken. `subject`: what cannot be taken, such as `3 rows`."""
    lines = [f"  {problem}" for problem in problems[:MAX_LISTED]]
    if len(problems) > MAX_LISTED:
        lines.append(f"  and {len(problems) - MAX_LISTED} more")
    return ReviewError("\n".join([f"{subject} cannot be taken, so none was:", *lines]), hint)


def _unknown(names: Sequence[str], category: Category) -> DecisionError:
    named = ", ".join(map(repr, names))[:200]
    return DecisionError("unknown_class", f"{named} is no class of {category.key} ({', '.join(choices(category))})")
