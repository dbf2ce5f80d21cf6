"""Asks a multimodal language model which defects an image shows.

What a question shows and says is up to `acbench.predictors.llm.defect_question`. The model thinks aloud, and answers
with a set of classes, a confidence and a reason, or abstains (`acbench.predictors.llm.parse`). If an answer cannot be
used, the model is asked a second time and told what is wrong.

A question holds pixels, figures measured on the mask, and the schema's words. File names, folders, source labels and
metadata never enter it, so that the model is an independent witness. Text inside a picture is part of the scene, and
the model reports it. With `QuestionOptions.examples` it is shown labels of *other* images: those that people decided
leave it independent; where the dataset's own labels stand behind one, `saw` holds `source_label`, and it is no second
witness.

The confidence is, as far as it is there: the share of several draws (`acbench.predictors.llm.votes`), the probability
of the label's tokens (`acbench.predictors.llm.label_probability`), or the model's own number. None of them is
calibrated. If an answer names one class, `scores` give that class the confidence, at least 1/K, and spread the rest
evenly over the other of the K answers, `good` included, since nobody says how it is spread. An abstention is even over
all K. `acbench compare` shows how good they are.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from typing import NamedTuple

from acbench._util.console import Progress
from acbench.errors import AcbenchError
from acbench.predictors.base import DryRun, KnownLabel, Proposer, Setup
from acbench.predictors.llm import examples, questions
from acbench.predictors.llm.defect_question import DefectQuestions, Subject, Unusable
from acbench.predictors.llm.examples import ShownExample
from acbench.predictors.llm.family import family_of, without_folders
from acbench.predictors.llm.label_probability import label_probability
from acbench.predictors.llm.messages import CostEstimate, LlmClient, Question, QuestionOptions, Reply
from acbench.predictors.llm.parse import READER, Parsed, parse
from acbench.predictors.llm.questions import Draft, Reference
from acbench.predictors.llm.votes import Draw, combine
from acbench.records import Item, Proposal
from acbench.schema import Category
from acbench.storage.digests import digest

SAMPLES = 3
"""Questions of each category that an estimate makes; the longest stands for all."""


class _Context(NamedTuple):
    """What the questions of a run show beside the images to judge, by category."""

    references: Mapping[str, Reference]
    examples: Mapping[str, Sequence[ShownExample]]


@dataclass
class Llm:
    """The proposer `llm`."""

    setup: Setup
    llm_client: LlmClient
    model: str = ""
    """The name of the model in the user's table of models; empty for the one of the settings."""
    options: QuestionOptions = field(default_factory=QuestionOptions)
    family: str = ""
    """The family that the user says the model is of; empty to tell by its name."""
    unasked: int = field(init=False, default=0)

    @cached_property
    def name(self) -> str:
        shown = [(known.item.sha256, known.item.marks, known.labels, known.from_source) for known in self.shown_labels]
        key = self._questions.key(self.setup.schema)
        decides = (self.llm_client.model.name, key, self.options.votes, shown, self.family, READER)
        return f"{self._short_name}@{digest(*decides, length=8)}"

    @cached_property
    def shown_labels(self) -> Sequence[KnownLabel]:
        """The labels of the examples that questions show."""
        count = self.options.examples
        return examples.choose(self.setup.known_labels(), count, self.setup.schema) if count else ()

    def propose(self, items: Sequence[Item], progress: Progress) -> Iterator[Proposal]:
        """One proposal for each anomalous item, in the order in which answers come. Normal items are not covered."""
        self.unasked = 0
        covered = self.covers(items)
        self._note_examples(covered)
        for done, proposal in enumerate(self._proposals(covered, self._context(items)), start=1):
            progress(done, len(covered))
            yield proposal

    def estimate(self, items: Sequence[Item]) -> CostEstimate:
        """What asking takes, at most: of each category, the longest of SAMPLES questions stands for all of them."""
        nothing = self.llm_client.estimate(())  # of no questions; from here on the model's limits are those it needs
        covered = self.covers(items)
        by_category: defaultdict[str, list[Item]] = defaultdict(list)
        for item in covered:
            by_category[item.category].append(item)
        samples = [item for same in by_category.values() for item in same[:: -(-len(same) // SAMPLES)]]
        longest: Counter[str] = Counter()
        answers: Counter[str] = Counter()
        for draft in self._drafts(samples, self._context(items)):
            if draft.question is not None:
                category, tokens = draft.item.category, self.llm_client.model.tokens(draft.question)
                longest[category] = max(longest[category], tokens)
                answers[category] = max(answers[category], self.llm_client.model.limit(draft.question))
        calls = {category: self._draws * len(same) for category, same in by_category.items()}
        tokens_in = sum(calls[category] * tokens for category, tokens in longest.items())
        tokens_out = sum(calls[category] * tokens for category, tokens in answers.items())
        cost = self.llm_client.price_share * self.llm_client.model.price.of(tokens_in, tokens_out)
        return replace(nothing, calls=self._draws * len(covered), tokens_in=tokens_in, tokens_out=tokens_out, cost=cost)

    def dry_run(self, items: Sequence[Item]) -> DryRun:
        """What `propose` would ask about the same items. Makes all pictures, and sends nothing."""
        drafts = self._drafts(self.covers(items), self._context(items))
        return questions.dry_run(self.llm_client, questions.drawn(drafts, self._draws))

    def covers(self, items: Iterable[Item]) -> list[Item]:
        """The anomalous items, category by category: endpoints cache what questions have in common."""
        return sorted((item for item in items if item.anomalous), key=lambda item: (item.category, item.image))

    def context(self, items: Sequence[Item]) -> list[Item]:
        """The normal items that questions show."""
        return [reference.item for reference in self._references(items).values()]

    # Questions

    @property
    def _draws(self) -> int:
        return max(1, self.options.votes)

    @property
    def _short_name(self) -> str:
        return ":".join(filter(None, ("llm", self.model)))

    @cached_property
    def _questions(self) -> DefectQuestions:
        return DefectQuestions(edge=self.options.edge, boxed=self.setup.images.boxed)

    def _context(self, items: Sequence[Item]) -> _Context:
        shown = examples.shown(self.shown_labels, self.setup.images, self.options.edge)
        return _Context(self._references(items), shown)

    def _references(self, items: Sequence[Item]) -> dict[str, Reference]:
        categories = {item.category for item in items if item.anomalous}
        return questions.references(items, categories, self.setup.images, self.options.edge)

    def _drafts(self, items: Iterable[Item], context: _Context) -> Iterator[Draft]:
        """The first questions about items, in their order."""
        return questions.make_questions((item, partial(self._question, item, context, None, 0)) for item in items)

    def _question(self, item: Item, context: _Context, unusable: Unusable | None, draw: int) -> Question:
        """Raises AcbenchError if the image or its mask cannot be read, or the schema lacks the category."""
        category = self.setup.schema.category(item.category)
        if item.problem or category is None:
            raise AcbenchError(item.problem or f"the schema has no category {item.category}")
        image = self.setup.images.image(item.image)
        subject = Subject(
            category=category,
            image=image,
            mask=self.setup.images.marked(item, image.size),
            boxed=item.marking == "boxes",
            reference=context.references.get(item.category),
            examples=examples.beside(item, context.examples),
            unusable=unusable,
        )
        return replace(self._questions.question(subject), draw=draw)

    def _note_examples(self, covered: Sequence[Item]) -> None:
        """Say which examples are missing, and where they make the model a dependent witness."""
        if not self.options.examples:
            return
        asked = {item.category for item in covered} & set(self.setup.schema.categories)
        wanted = {(key, class_id) for key in asked for class_id in self.setup.schema.categories[key].class_ids}
        found = {(known.item.category, known.labels[0]) for known in self.shown_labels}
        if missing := sorted(wanted - found):
            first = ", ".join(f"{key} {class_id}" for key, class_id in missing[:3]) + (" …" if missing[3:] else "")
            count = "1 class" if len(missing) == 1 else f"{len(missing)} classes"
            self.llm_client.note(f"{self._short_name}: no example is known of {count}: {first}")
        bound = sorted({known.item.category for known in self.shown_labels if known.from_source} & asked)
        if bound:
            self.llm_client.note(
                f"{self._short_name}: no independent witness of {', '.join(bound)}: examples rest on the dataset's own"
                f" labels where people have not decided {self.options.examples} images of each class"
            )

    # Answers

    def _proposals(self, items: Sequence[Item], context: _Context) -> Iterator[Proposal]:
        draws: defaultdict[str, dict[int, Draw]] = defaultdict(dict)
        failures: list[Proposal] = []
        unusable: dict[tuple[str, int], Unusable] = {}

        def settle(item: Item, number: int, draw: Draw) -> Iterator[Proposal]:
            of_item = draws[item.item_id]
            of_item[number] = draw
            if len(of_item) == self._draws:
                del draws[item.item_id]
                yield self._proposal(item, [of_item[each] for each in sorted(of_item)], context)

        for asked in questions.ask(self.llm_client, questions.drawn(self._drafts(items, context), self._draws)):
            item, reply = asked.item, asked.reply
            if reply is None:
                failures.append(self._failure(item, asked.problem))
                continue
            parsed = self._parsed(item, reply)
            if reply.answer is not None and parsed.status == "error":
                unusable[item.item_id, asked.draw] = Unusable(reply.call_id, reply.answer.text, parsed.problem)
            else:
                yield from settle(item, asked.draw, _draw(parsed, reply, (reply.call_id,)))
        # All second questions come after all first ones: a budget that runs out leaves second questions unasked.
        by_id = {item.item_id: item for item in items}
        second = questions.make_questions(
            (by_id[item_id], partial(self._question, by_id[item_id], context, first, number))
            for (item_id, number), first in unusable.items()
        )
        for asked in questions.ask(self.llm_client, second):
            item, reply = asked.item, asked.reply
            if reply is None:  # the image could be read a moment ago
                if all(row.item_id != item.item_id for row in failures):
                    failures.append(self._failure(item, asked.problem))
            else:
                first = unusable[item.item_id, asked.draw]
                note = f" (second answer; the first: {first.problem})"
                calls = (first.call_id, reply.call_id)
                yield from settle(item, asked.draw, _draw(self._parsed(item, reply), reply, calls, note))
        yield from failures

    def _parsed(self, item: Item, reply: Reply) -> Parsed:
        self.unasked += reply.unasked
        if reply.answer is None:
            return Parsed(status="error", problem=reply.error)
        parsed = parse(reply.answer.text, self._category(item))
        if parsed.liberty:
            self.llm_client.note(f"{self.llm_client.model.name}: {parsed.liberty}")
        if parsed.status == "error" and reply.answer.finish == "length":
            return replace(parsed, problem=f"{parsed.problem} (cut off: it was too long)")
        probability = label_probability(reply.answer.token_logprobs)
        if parsed.status == "ok" and probability is not None:
            return replace(parsed, confidence=probability)
        return parsed

    def _proposal(self, item: Item, draws: Sequence[Draw], context: _Context) -> Proposal:
        """The proposal that the draws of one item give."""
        answer = combine(draws)
        parsed, note = answer.parsed, answer.note
        reason = f"{parsed.reason} (text in the image)".lstrip() if parsed.text_in_image else parsed.reason
        why = {"ok": "", "abstained": reason or "gave no reason", "error": parsed.problem}[parsed.status]
        return Proposal(
            item_id=item.item_id,
            proposer=self.name,
            labels=parsed.labels,
            scores=_scores(parsed, self._category(item)),
            rationale=reason + note if parsed.status == "ok" else "",
            status=parsed.status,
            reason=why + note if why else "",
            saw=_saw(item, examples.beside(item, context.examples)),
            calls=answer.calls,
            schema_version=self.setup.schema.version,
            model=without_folders(answer.model),
            family=self._family(answer.model),
        )

    def _family(self, answering: str) -> str:
        asked = self.llm_client.model.name.rpartition("@")[0]
        return family_of(answering, asked, said=self.family) if answering else ""

    def _failure(self, item: Item, problem: str) -> Proposal:
        """The proposal for an item that there is no question about."""
        return Proposal(
            item_id=item.item_id,
            proposer=self.name,
            labels=(),
            status="error",
            reason=problem,
            schema_version=self.setup.schema.version,
        )

    def _category(self, item: Item) -> Category:
        category = self.setup.schema.category(item.category)
        assert category is not None, "only items of known categories are asked about"
        return category


def _draw(parsed: Parsed, reply: Reply, calls: tuple[str, ...], note: str = "") -> Draw:
    return Draw(parsed=parsed, calls=calls, note=note, model=reply.answer.model if reply.answer else "")


def _saw(item: Item, shown: Sequence[ShownExample]) -> tuple[str, ...]:
    """The evidence that a question about an item held."""
    saw = ["image"]
    if item.marking:
        saw.append(item.marking)
    if shown:
        saw.append("examples")
    if any(example.known.from_source for example in shown):
        saw.append("source_label")
    return tuple(saw)


def _scores(parsed: Parsed, category: Category) -> dict[str, float]:
    """Class id → score, as the module's docstring says."""
    class_ids = category.answers
    even = 1 / len(class_ids)
    if parsed.status == "abstained":
        return dict.fromkeys(class_ids, even)
    if parsed.confidence is None or len(parsed.labels) != 1:
        return {}
    best = max(parsed.confidence, even)
    others = (1 - best) / (len(class_ids) - 1)
    return {class_id: best if class_id in parsed.labels else others for class_id in class_ids}


def build(setup: Setup, argument: str = "") -> Proposer:
    """The proposer with the LLM that the user chose. Raises AcbenchError if the user chose none."""
    models = setup.models
    options, family = models.question_options(argument), models.llm_family(argument)
    return Llm(setup, models.llm_client(argument), argument, options, family)
