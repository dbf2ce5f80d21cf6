"""What there is to know of one image, for a person who decides about it in the FiftyOne App."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from acbench.errors import AcbenchError
from acbench.records import GOOD, PEOPLE, Item, Label, Review
from acbench.review import former, rechecks
from acbench.review.app_desk import Answer, Card, Choice, Decided
from acbench.review.app_records import FieldValue
from acbench.review.app_samples import label_fields, review_line
from acbench.review.decisions import Decision, class_names
from acbench.review.history import current_reviews
from acbench.review.queue import RankedItem
from acbench.review.queue_pictures import References
from acbench.review.resolve import resolve_item
from acbench.review.wording import ASKED_BECAUSE, STATUS, called, in_families, in_words
from acbench.schema import Category
from acbench.schema.people import by_name
from acbench.storage import tables
from acbench.workflows.label import prepare
from acbench.workflows.propose import Proposed
from acbench.workflows.run import Run


@dataclass(frozen=True, slots=True)
class Known:
    """What is read of a project once, and again only if a command has written it anew meanwhile."""

    stamp: object
    proposed: Proposed
    references: References
    ranked: Mapping[str, RankedItem]
    """item_id → its place as it was last ranked."""

    @classmethod
    def of(cls, run: Run) -> Known:
        """Read it."""
        proposed = prepare(run)
        ranked = tables.read(run.files.ranked_items, RankedItem) if run.files.ranked_items.exists() else []
        return cls(stamp(proposed), proposed, References(proposed.dataset.items), {row.item_id: row for row in ranked})

    @property
    def is_current(self) -> bool:
        """Whether no command has written any of it since."""
        return self.stamp == stamp(self.proposed)

    def item(self, item_id: str) -> Item:
        """An image. Raises AcbenchError if the benchmark has no such image."""
        item = self.proposed.dataset.by_id.get(item_id)
        if item is None:
            raise AcbenchError(
                f"{item_id}: there is no such image in this benchmark any more",
                f"end the App, then: acbench app {self.proposed.schema.argument}",
            )
        return item

    def category(self, item: Item) -> Category | None:
        """The category of an image; None if the schema does not have it."""
        return self.proposed.schema.category(item.category)

    def card(self, item_id: str, reviews: Sequence[Review], reviewer: str) -> Card:
        """What there is to know of an image. `reviews`: all that people decided, of any image."""
        item, files = self.item(item_id), self.proposed.files
        category, proposals = self.category(item), self.proposed.by_item.get(item_id, ())
        history = self._history(item, reviews)
        label = self._label(item, history)
        asked, detail = self._asked(label, history)
        own = next((review for review in current_reviews(history) if review.reviewer == reviewer), None)
        names = class_names(category)
        picture = files.evidence / f"{item_id}.jpg"
        return Card(
            item_id=item_id,
            image=item.image,
            category=category.name if category else item.category,
            asked=asked,
            detail=detail,
            label=f"{called(label.labels, names) or 'none'}, {STATUS[label.status]}",
            reason=label.reason,
            guide=by_name(category.guide, category) if category else "",
            choices=_choices(category) if category else (),
            answers=[
                *(Answer(said=in_words(proposal, names), why=proposal.rationale) for proposal in proposals),
                *(Answer(said=sentence) for sentence in in_families(proposals)),
            ],
            decisions=[
                f"{review.when[:16].replace('T', ' ')}  {review_line(review, names)}"
                for review in sorted(history, key=lambda review: (review.when, review.round))
            ],
            picture=str(picture) if picture.exists() else "",
            own=() if own is None else own.labels or (own.verdict,),
            problem=item.problem,
        )

    def decided(self, item_id: str, reviews: Sequence[Review], decision: Decision, *, recorded: bool) -> Decided:
        """What became of a decision. `reviews`: all that people decided, this decision included."""
        item = self.item(item_id)
        history, place = self._history(item, reviews), self.ranked.get(item_id)
        label = self._label(item, history)
        is_asked = label.decided_by != PEOPLE and place is not None and place.why != "settled"
        waits = is_asked or label.status == "pending" or item_id in rechecks.recheck_requests(history)
        fields: dict[str, FieldValue] = dict(label_fields(item, label, history, self.category(item)))
        if not waits:
            fields["queue"] = None
        elif decision.verdict == "withdrawn" and place is not None:
            fields["queue"] = place.rank  # it comes again about where it was; the next count of the queue knows exactly
        said = in_short(decision, class_names(self.category(item)))
        return Decided(said=said, recorded=recorded, fields=fields, waits=waits)

    def _history(self, item: Item, reviews: Sequence[Review]) -> list[Review]:
        """What people decided about an image, with classes as the schema calls them now."""
        own = [review for review in reviews if review.item_id == item.item_id]
        return former.all_as_read(own, self.proposed.dataset.by_id, self.proposed.schema)

    def _label(self, item: Item, history: Sequence[Review]) -> Label:
        return resolve_item(item, self.proposed.by_item.get(item.item_id, ()), history, self.proposed.schema)

    def _asked(self, label: Label, history: Sequence[Review]) -> tuple[str, str]:
        """Why people are asked about an image, and what makes it so; empty texts if they are not."""
        place = self.ranked.get(label.item_id)
        if request := rechecks.recheck_requests(history).get(label.item_id):
            return f"Asked because {ASKED_BECAUSE['flagged']}.", rechecks.request_words(request)
        if label.decided_by == PEOPLE:
            return "", ""
        if label.status == "pending" and current_reviews(history):
            return "Asked because people have not settled it yet.", ""
        if place is None or place.why not in ASKED_BECAUSE:
            return "", ""
        detail = "" if place.why == "audit" else place.detail  # that says the same once more
        return f"Asked because {ASKED_BECAUSE[place.why]}.", detail


def stamp(proposed: Proposed) -> object:
    """Changes when a command writes what `Known` holds."""
    files, schema = proposed.files, proposed.schema
    paths = [files.items, files.ranked_items, files.settings, *files.all_proposals]
    paths += [Path(schema.file)] if schema.file else []
    states = [(path, path.stat()) for path in paths if path.exists()]
    return [(str(path), state.st_mtime_ns, state.st_size) for path, state in states]


def in_short(decision: Decision, names: Mapping[str, str]) -> str:
    """A decision in a few words. `names`: see `decisions.class_names`."""
    if decision.verdict == "withdrawn":
        return "taken back"
    said = called(decision.labels, names) or decision.verdict.replace("_", " ")
    return f"{said} ({decision.note})" if decision.note else said


def _choices(category: Category) -> list[Choice]:
    return [
        Choice(class_id=GOOD, name=GOOD, definition=by_name(category.normal, category)),
        *(
            Choice(
                class_id=each.id,
                name=each.name,
                definition=by_name(each.definition, category),
                not_this=by_name(each.not_this, category),
            )
            for each in category.classes
        ),
    ]
