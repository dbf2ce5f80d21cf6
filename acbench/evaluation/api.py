"""`acbench.score` and `acbench.compare`: for notebooks and programs, on records or on columns."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from numbers import Integral
from typing import Any

from acbench.errors import AcbenchError
from acbench.evaluation import predictions as reading
from acbench.evaluation import truth as truths
from acbench.evaluation.predictions import Answers
from acbench.evaluation.result import RESAMPLES, Provenance, Scored, scored
from acbench.evaluation.significance import versus
from acbench.evaluation.truth import NONE, Aliases, Truth
from acbench.records import GOOD, Label, Prediction, category_of
from acbench.schema import Schema
from acbench.schema import load as load_schema
from acbench.schema.views import View
from acbench.storage.csv_files import ANSWERS, IMAGE

_COLUMNS = ("item_id", *IMAGE, "category", "split", *ANSWERS, "status", "parse")
"""Of rows: others, such as pictures, are not looked at."""


def score(
    labels: Any,
    predictions: Any,
    *,
    schema: Schema | str | None = None,
    view: View = "published",
    aliases: Aliases = NONE,
    system: str = "",
    localisation: str = "not_stated",
    references: Sequence[str] = (),
    resamples: int = RESAMPLES,
    seed: int = 0,
    negligible: Sequence[str] = (),
    severity_seeds: int = 0,
) -> Scored:
    """Score what a system answered.

    `labels`: `Label` records, rows (mappings), columns (a mapping of lists), a `datasets.Dataset` or a
    `pandas.DataFrame`. Every one that is accepted is scored, unless its `split` is `train`. Rows have `item_id` (or
    `image` or `image_path`), `category`, and `label` or `labels`. A Dataset knows the names of its ClassLabels.

    `predictions`: `Prediction` records; any of these with `item_id` and an answer; or a mapping, item_id → answer.

    `schema`: the label schema, its name or path. Without one the classes are those that occur in `labels`.

    Raises AcbenchError for an unknown item, a second row, or a label outside the schema, and names it; or if no answer
    can be used.
    """
    truth = truth_of(labels, schema=schema, view=view, aliases=aliases).without(references, "references of the system")
    answers, found = _answers(predictions, truth)
    provenance = Provenance(
        system=system or found or "unnamed", localisation=localisation, references=tuple(sorted(references))
    )
    return scored(
        truth,
        answers,
        provenance,
        resamples=resamples,
        seed=seed,
        negligible=negligible,
        severity_seeds=severity_seeds,
    )


def compare(
    labels: Any,
    one: Any,
    other: Any,
    *,
    schema: Schema | str | None = None,
    view: View = "published",
    aliases: Aliases = NONE,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> dict[str, Any]:
    """Two systems on the same items: see `scoring.versus`. Arguments as of `score`."""
    truth = truth_of(labels, schema=schema, view=view, aliases=aliases)
    first, second = (_answers(each, truth)[0].by_item for each in (one, other))
    return versus(truth, first, second, resamples=resamples, seed=seed)


def truth_of(labels: Any, *, schema: Schema | str | None, view: View, aliases: Aliases) -> Truth:
    """The truth that any of the forms of `labels` tells."""
    rows = list(_rows(labels))
    trained = [number for number, row in enumerate(rows) if isinstance(row, Mapping) and row.get("split") == "train"]
    if trained and len(trained) == len(rows):
        raise AcbenchError("all labels are of the split train, which is not scored", TEST)
    if isinstance(schema, str):
        schema = load_schema(schema)
    truth = _truth(rows, schema, view, aliases)
    if not trained:
        return truth
    return truth.without({_place(rows[number], number)[1] for number in trained}, "of the training split")


TEST = 'give the test split: load_dataset(…, split="test")'


def _truth(rows: Sequence[Any], schema: Schema | None, view: View, aliases: Aliases) -> Truth:
    if schema is not None:
        return truths.of_labels(
            (_label(row, number, schema) for number, row in enumerate(rows)), schema, view=view, aliases=aliases
        )
    made, others, images = [], {}, {}
    for number, row in enumerate(rows):
        found, where = _row(row), f"row {number} of the labels"
        category, key = _place(found, number)
        if image := reading.image_of(found):
            images[key] = truths.key_of(category, image)
        status = found.get("status") or "accepted"
        if status != "accepted":
            others[key] = str(status)
        elif view == "published" and "label" in found:  # a release gives the published class beside the set
            if found["label"] is None:
                others[key] = "outside the published view"
            else:
                made.append((where, key, category, _names({"label": found["label"]})[0]))
        elif len(names := _names(found)) == 1:
            made.append((where, key, category, names[0]))
        else:
            raise AcbenchError(f"{where} has {len(names)} classes", "sets of classes need a schema: schema=…")
    if not made:
        raise AcbenchError("there are no labels", "give one row an item")
    return truths.of_rows("labels", made, aliases=aliases, others=others, images=images)


def _answers(predictions: Any, truth: Truth) -> tuple[Answers, str]:
    if isinstance(predictions, Mapping) and not _is_columns(predictions) and not _is_splits(predictions):
        rows: Iterable[Any] = ({"item_id": key, "answer": said} for key, said in predictions.items())
    else:
        rows = _rows(predictions)
    found = [_row(row) for row in rows]
    systems = sorted({str(row["system"]) for row in found if row.get("system")})
    if len(systems) > 1:
        raise AcbenchError(
            f"the predictions are of {len(systems)} systems: {', '.join(systems)}", "score one at a time"
        )
    named = ((f"prediction {number}", row) for number, row in enumerate(found))
    return reading.match(named, truth), systems[0] if systems else ""


def _rows(given: Any) -> Iterator[Any]:
    if isinstance(given, Mapping) and _is_splits(given):
        raise AcbenchError(f"these are {len(given)} splits of a data set: {', '.join(map(str, given))}", TEST)
    if hasattr(given, "select_columns"):  # a Dataset: without its pictures, which would be decoded
        columns = [name for name in _COLUMNS if name in given.column_names and not _is_picture(given.features[name])]
        features = {name: given.features[name] for name in columns}
        for row in given.select_columns(columns):
            yield {name: _named(value, features[name]) for name, value in row.items()}
    elif hasattr(given, "to_dict") and hasattr(given, "columns"):  # a DataFrame
        frame = given[[name for name in given.columns if name in _COLUMNS]].astype(object)
        for row in frame.where(frame.notna(), None).to_dict("records"):
            yield {name: value.tolist() if hasattr(value, "tolist") else value for name, value in row.items()}
    elif isinstance(given, Mapping):
        columns = [name for name in given if name in _COLUMNS]
        yield from (
            dict(zip(columns, values, strict=True)) for values in zip(*(given[name] for name in columns), strict=True)
        )
    else:
        yield from given


def _is_columns(given: Mapping[str, Any]) -> bool:
    return any(name in given for name in ("item_id", *IMAGE))


def _is_splits(given: Mapping[str, Any]) -> bool:
    """Whether it is a DatasetDict."""
    return any(hasattr(part, "select_columns") for part in given.values())


def _is_picture(feature: Any) -> bool:
    return type(feature).__name__ == "Image"


def _named(value: Any, feature: Any) -> Any:
    """Numbers of a ClassLabel, alone or in a list, as names."""
    inner: Any = getattr(feature, "feature", None)
    if hasattr(feature, "int2str") and isinstance(value, int):
        return feature.int2str(value)
    return [inner.int2str(each) for each in value] if hasattr(inner, "int2str") else value


def _row(row: Any) -> Mapping[str, Any]:
    if isinstance(row, Mapping):
        return row
    if isinstance(row, Label | Prediction):
        return {name: getattr(row, name) for name in row.__slots__}
    raise AcbenchError(f"a row is {type(row).__name__}", "give records, mappings, columns, a Dataset or a DataFrame")


def _label(row: Any, number: int, schema: Schema) -> Label:
    if isinstance(row, Label):
        return row
    found = _row(row)
    category, key = _place(found, number)
    image = reading.image_of(found)
    if category_of(image) != category:
        image = f"{category}/{key}"
    return Label(
        item_id=key,
        image=image,
        labels=tuple(sorted(_names(found))),
        status=found.get("status") or "accepted",
        decided_by="",
        policy="",
        agreement=None,
        confidence=None,
        reason="",
        licence="",
        schema_version=schema.version,
    )


def _place(row: Mapping[str, Any], number: int) -> tuple[str, str]:
    """Category and id of a row."""
    for name in ("category", "label", "labels"):
        if any(isinstance(each, Integral) for each in _listed(row.get(name))):
            raise AcbenchError(
                f"row {number} of the labels: `{name}` is the number {row[name]}, and numbers are no names",
                "give the Dataset itself, which knows their names, or its features[…].int2str(number)",
            )
    image = reading.image_of(row)
    category = str(row.get("category") or category_of(image))
    key = row.get("item_id") or (truths.key_of(category, image) if image else None)
    if not isinstance(key, str):
        raise AcbenchError(f"row {number} of the labels has no item_id", "name the item in `item_id` or `image`")
    return category, key


def _listed(value: Any) -> Iterable[Any]:
    return value if isinstance(value, list | tuple) else (value,)


def _names(row: Mapping[str, Any]) -> list[str]:
    said = row.get("labels", row.get("label"))
    names = [said] if isinstance(said, str) else [str(each) for each in said or ()]
    return [GOOD if name.lower() in {"good", "normal"} else name for name in names]
