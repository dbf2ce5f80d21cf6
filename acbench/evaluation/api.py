"""`acbench.score` and `acbench.compare`: scoring in notebooks and programs, from records or from tables."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from numbers import Integral
from typing import Any

from acbench.errors import AcbenchError
from acbench.evaluation import predictions as reading
from acbench.evaluation import table_forms
from acbench.evaluation.answer_files import Row
from acbench.evaluation.predictions import Answers
from acbench.evaluation.result import Bootstrap, Provenance, Scored
from acbench.evaluation.scoring import REFERENCES, ScoringOptions, score_answers
from acbench.evaluation.significance import compare_answers
from acbench.evaluation.truth import (
    NO_ALIASES,
    Aliases,
    OtherItems,
    Truth,
    TruthOptions,
    TruthRow,
    table_item_id,
    truth_of_labels,
    truth_of_rows,
)
from acbench.records import GOOD, Label, category_of
from acbench.schema import Schema
from acbench.schema import load as load_schema
from acbench.schema.views import View


def score(
    labels: Any,
    predictions: Any,
    *,
    schema: Schema | str | None = None,
    view: View = "published",
    aliases: Aliases = NO_ALIASES,
    column: str | None = None,
    system: str = "",
    localisation: str = "not_stated",
    references: Sequence[str] = (),
    resamples: int = 1_000,
    seed: int = 0,
    negligible: Sequence[str] = (),
    severity_seeds: int = 0,
) -> Scored:
    """Score what a system answered.

    `labels`: `Label` records, rows (mappings), columns (a mapping of lists), a `datasets.Dataset` or a
    `pandas.DataFrame`. Every label that is accepted is scored, unless its `split` is `train`. Rows have `item_id` (or
    `image` or `image_path`), `category`, and `label` or `labels`. A Dataset knows the names of its ClassLabels; other
    tables of a release hold numbers, which `label_name` and alike beside them name.

    `predictions`: `Prediction` records; any of these forms with `item_id` and an answer; or a mapping from item_id to
    answer. An answer is a class, a list of them, or a mapping from class to probability. `column` names the column of
    the answers; without it, one that is called `prediction` or alike goes before `labels` and `label`.

    `schema`: the label schema, its name or path. Without one the classes are those that occur in `labels`.

    `resamples`, `seed`: of the bootstrap. `negligible`, `severity_seeds`: classes that are no defects, or how often to
    draw them; without either, those that the schema says are; see `evaluation.severity`.

    Raises AcbenchError for an unknown item, a second row about an item, or a label outside the schema, and names it; or
    if no answer can be used.
    """
    truth = truth_from(labels, schema, TruthOptions(view=view, aliases=aliases)).without(references, REFERENCES)
    answers, named = _answers(predictions, truth, column)
    provenance = Provenance(
        system=system or named or "unnamed", localisation=localisation, references=tuple(sorted(references))
    )
    options = ScoringOptions(
        bootstrap=Bootstrap(resamples=resamples, seed=seed), negligible=negligible, severity_draws=severity_seeds
    )
    return score_answers(truth, answers, provenance, options)


def compare(
    labels: Any,
    one: Any,
    other: Any,
    *,
    schema: Schema | str | None = None,
    view: View = "published",
    aliases: Aliases = NO_ALIASES,
    resamples: int = 1_000,
    seed: int = 0,
) -> dict[str, Any]:
    """Compare two systems on the same items. Arguments are those of `score`.

    Gives `items`, `difference` (metric → `mean` or `pooled` → `value`, `low` and `high` of first minus second) and
    `mcnemar` (`only_first_right`, `only_second_right`, `p`).
    """
    truth = truth_from(labels, schema, TruthOptions(view=view, aliases=aliases))
    first, second = (_answers(predictions, truth, None)[0] for predictions in (one, other))
    return compare_answers(truth, first, second, resamples=resamples, seed=seed).to_json()


def truth_from(labels: object, schema: Schema | str | None, options: TruthOptions) -> Truth:
    """Make the truth from labels in any of their forms."""
    rows = list(table_forms.rows(labels))
    trained = [number for number, row in enumerate(rows) if not isinstance(row, Label) and row.get("split") == "train"]
    if trained and len(trained) == len(rows):
        raise AcbenchError("all labels are of the split train, which is not scored", table_forms.GIVE_TEST_SPLIT)
    if isinstance(schema, str):
        schema = load_schema(schema)
    truth = _truth_without_schema(rows, options) if schema is None else _truth_with_schema(rows, schema, options)
    if any(isinstance(row, table_forms.NamedRow) for row in rows):
        truth = dataclasses.replace(truth, note="the labels hold class numbers; `label_name` beside them names these")
    if not trained:
        return truth
    return truth.without({_category_and_id(rows[number], number)[1] for number in trained}, "of the training split")


def _truth_with_schema(rows: Iterable[Row | Label], schema: Schema, options: TruthOptions) -> Truth:
    return truth_of_labels((_label(row, number, schema) for number, row in enumerate(rows)), schema, options)


def _truth_without_schema(rows: Iterable[Row | Label], options: TruthOptions) -> Truth:
    true_rows: list[TruthRow] = []
    why_not: dict[str, str] = {}
    images: dict[str, str] = {}
    for number, label in enumerate(rows):
        row, where = table_forms.as_row(label), f"row {number} of the labels"
        category, item_id = _category_and_id(label, number)
        if image := reading.image_of(row):
            images[item_id] = table_item_id(category, image)
        status = row.get("status") or "accepted"
        if status != "accepted":
            why_not[item_id] = str(status)
            continue
        if options.view == "published" and "label" in row:  # a release gives the published class beside the set
            if row["label"] is None:
                why_not[item_id] = "outside the published view"
                continue
            names = _class_names(row["label"])[:1]
        else:
            names = _class_names(row.get("labels", row.get("label")))
        if len(names) != 1:
            raise AcbenchError(f"{where} has {len(names)} classes", "sets of classes need a schema: schema=…")
        true_rows.append(TruthRow(where, item_id, category, names[0]))
    if not true_rows:
        raise AcbenchError("there are no labels", "give one row an item")
    return truth_of_rows("labels", true_rows, options, OtherItems(why_not=why_not, images=images))


def _answers(predictions: object, truth: Truth, column: str | None) -> tuple[Answers, str]:
    """The answers, and the name of the system if the predictions hold it."""
    rows: Iterable[Row | Label]
    if (
        isinstance(predictions, Mapping)
        and not table_forms.is_columns(predictions)
        and not table_forms.is_splits(predictions)
    ):
        rows = ({"item_id": item_id, "answer": answer} for item_id, answer in predictions.items())
        column = "answer"
    else:
        rows = table_forms.rows(predictions, column)
    read = [table_forms.as_row(row) for row in rows]
    systems = sorted({str(row["system"]) for row in read if row.get("system")})
    if len(systems) > 1:
        raise AcbenchError(
            f"the predictions are of {len(systems)} systems: {', '.join(systems)}", "score one at a time"
        )
    located = ((f"prediction {number}", row) for number, row in enumerate(read))
    return reading.match(located, truth, column), systems[0] if systems else ""


def _label(row: Row | Label, number: int, schema: Schema) -> Label:
    if isinstance(row, Label):
        return row
    category, item_id = _category_and_id(row, number)
    image = reading.image_of(row)
    category = schema.key_of(category)
    if schema.key_of(category_of(item_id, image, schema.categories)) != category:
        image = f"{category}/{item_id}"
    return Label(
        item_id=item_id,
        image=image,
        labels=tuple(sorted(_class_names(row.get("labels", row.get("label"))))),
        status=row.get("status") or "accepted",
        decided_by="",
        policy="",
        agreement=None,
        confidence=None,
        reason="",
        licence="",
        schema_version=schema.version,
    )


def _category_and_id(label: Row | Label, number: int) -> tuple[str, str]:
    """Category and id of a row of labels. Raises AcbenchError for class numbers, or if the row names no item."""
    row = table_forms.as_row(label)
    for name in ("category", "label", "labels"):
        values = row.get(name)
        if any(isinstance(value, Integral) for value in (values if isinstance(values, list | tuple) else (values,))):
            raise AcbenchError(
                f"row {number} of the labels: `{name}` is the number {values}, and numbers are no names",
                "give the Dataset itself, which knows their names, or a column `label_name` beside it",
            )
    image = reading.image_of(row)
    known_id = row.get("item_id")
    category = str(row.get("category") or category_of(str(known_id or ""), image))
    item_id = known_id or (table_item_id(category, image) if image else None)
    if not isinstance(item_id, str):
        raise AcbenchError(f"row {number} of the labels has no item_id", "name the item in `item_id` or `image`")
    return category, item_id


def _class_names(labels: Any) -> list[str]:
    names = [labels] if isinstance(labels, str) else [str(name) for name in labels or ()]
    return [GOOD if name.lower() in {"good", "normal"} else name for name in names]
