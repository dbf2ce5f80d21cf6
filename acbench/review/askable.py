"""Says whom a task may ask: nobody who decided its image before, and never the account that a server runs under.

Label Studio's free edition hands any task to anybody. So images of a later round lie in projects of their own, one for
each set of people who decided them before and are not to be asked again; and an answer that should not have been given
is not taken, but named and kept.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from acbench.records import Review
from acbench.review.annotation_tool import AnnotatedTask, Annotation
from acbench.review.history import current_reviews
from acbench.storage.atomic import write_bytes

SERVICE = "acbench"
"""The reviewer's name under the account that `review serve` itself uses, `acbench@localhost`. It is no person."""
NOT_FOR = "not_for"
"""Field of a task's data: the people whom it does not ask."""


def deciders(reviews: Iterable[Review]) -> tuple[str, ...]:
    """Who has decided one image, also who was unsure, by name."""
    return tuple(review.reviewer for review in current_reviews(reviews))


def claimed(tasks: Iterable[AnnotatedTask], name: str | None) -> Iterator[AnnotatedTask]:
    """The tasks, with what was decided under the server's own account in the name of the person who claims it."""
    for task in tasks:
        if name and any(annotation.author == SERVICE for annotation in task.annotations):
            own = [
                replace(annotation, author=name) if annotation.author == SERVICE else annotation
                for annotation in task.annotations
            ]
            task = replace(task, annotations=own)
        yield task


@dataclass(frozen=True, slots=True)
class RefusedAnswer:
    """An answer that is not taken, and why."""

    kind: Literal["nobody", "asked_before"]
    """`nobody`: made under the account of the server itself. `asked_before`: its author decided the image before."""
    task: AnnotatedTask
    annotation: Annotation

    def __str__(self) -> str:
        where = f"task {self.task.number}, annotation {self.annotation.number}"
        if self.kind == "nobody":
            return (
                f"{where}: made under the server's own account, which is no person; sign in as yourself"
                " (acbench review people add ADDRESS), and take over what is there: acbench review pull … --claim NAME"
            )
        author = self.annotation.author
        return f"{where}: {author} decided this image before, and a later round asks somebody else; {_STANDS}"

    def to_json(self) -> dict[str, object]:
        """The answer as JSON-ready values."""
        task, annotation = self.task, self.annotation
        return {
            "why": self.kind,
            "author": annotation.author,
            "item_id": task.data.get("item_id"),
            "round": task.data.get("round"),
            "task": task.number,
            "annotation": annotation.number,
            "when": annotation.when,
            "result": list(annotation.result),
        }


def refused(
    task: AnnotatedTask, annotation: Annotation, round_asked: int, earlier: Iterable[Review]
) -> RefusedAnswer | None:
    """The answer, if it should not have been given. `earlier`: what its author said of the image elsewhere, by desk."""
    if annotation.author == SERVICE:
        return RefusedAnswer("nobody", task, annotation)
    excluded = task.data.get(NOT_FOR)
    is_named = isinstance(excluded, list) and annotation.author in excluded
    if (is_named or round_asked > 1) and current_reviews(earlier):
        return RefusedAnswer("asked_before", task, annotation)
    return None


def keep_refused(path: Path, answers: Sequence[RefusedAnswer]) -> None:
    """Write down the answers that were not taken (JSON). They also stay where they were given."""
    if answers or path.exists():
        write_bytes(path, json.dumps([answer.to_json() for answer in answers], indent=1, ensure_ascii=False).encode())


_STANDS = "the first answer stands, and this one is kept beside it"
