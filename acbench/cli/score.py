"""`acbench score`: what a system answered, against the labels."""

from __future__ import annotations

import dataclasses
import json
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from acbench.cli.options import (
    Command,
    json_option,
    of_proposers,
    opened,
    option,
    project_option,
    root_option,
    together,
)
from acbench.cli.publish import place_of
from acbench.errors import AcbenchError
from acbench.storage.project import existing_project

if TYPE_CHECKING:
    from acbench.evaluation.predictions import Answers
    from acbench.evaluation.result import Provenance, Scored
    from acbench.evaluation.truth import Truth
    from acbench.predictors.base import BaselineOptions
    from acbench.schema.views import View
    from acbench.workflows.run import Run


BACKBONE = "Image model of the detector and of `few_shot`: efficientnet-lite0, timm:MODEL[@FILE].  [default: bundled]"


def _detector(ctx: click.Context, param: click.Parameter, value: str) -> str:
    kind, _, folder = value.partition(":")
    if kind == "heatmaps" and folder:
        return f"{kind}:{Path(folder).resolve()}"
    if value in {"patchcore", "oracle", "none"}:
        return value
    raise click.BadParameter("patchcore, heatmaps:FOLDER, oracle or none", ctx, param)


detector_options = together(
    option(
        "--detector",
        default="patchcore",
        show_default=True,
        callback=_detector,
        metavar="DETECTOR",
        help="patchcore, heatmaps:FOLDER (maps of your own, by the images' paths), oracle (ground truth), none.",
    ),
    option(
        "--false-alarms",
        type=click.FloatRange(0, 0.5),
        default=0.05,
        show_default=True,
        help="Share of normal training images that the detector's threshold lets through as anomalous.",
    ),
    of_proposers("--backbone", metavar="MODEL", help=BACKBONE),
)
"""Who says what is anomalous, and where."""


def answered(run: Run, name: str, view: View, options: BaselineOptions) -> None:
    """Have a baseline answer for every test image, unless it has."""
    from acbench.workflows.baselines import baseline_setup, predict
    from acbench.workflows.ingest import ingest
    from acbench.workflows.truth import labelled

    truth = labelled(run.files, run.schema).truth(run.schema, view=view, categories=run.settings.categories)
    dataset = ingest(run)
    predict(run, dataset, name, baseline_setup(run, dataset, view=view, truth=truth, options=options))


def predictions_of(bench: Any, benchmark: str, name: str) -> Path:
    """The table of a system that has answered. Raises AcbenchError if it has not."""
    from acbench.predictors.registry import baseline_names

    path: Path = bench.predictions(name)
    if name not in baseline_names():
        raise AcbenchError(
            f"there is no file {name}, and no system of that name", f"systems: {', '.join(baseline_names())}"
        )
    if not path.exists():
        which = shlex.quote(benchmark)
        command = f"acbench velm {which}" if name == "velm" else f"acbench score {which} --system {name}"
        raise AcbenchError(f"{name} has not answered yet", command)
    return path


EPILOG = """\b
Examples:
  acbench score visa_ac --predictions answers.csv
  acbench score visa_ac --compare mine.csv theirs.csv
  acbench score mvtec_ac --system few_shot --root ~/data/mvtec_ad
  acbench score --truth my-org/visa-ac@v1.0.0 --predictions answers.csv
  acbench score --truth labels.csv --predictions answers.csv
"""


@click.command(cls=Command, epilog=EPILOG)
@click.argument("benchmark", required=False)
@option(
    "--predictions",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="CSV, JSONL or parquet with `item_id` or `image`, and `label`, `labels` or `answer`.",
)
@option(
    "--system",
    metavar="NAME",
    help="In place of a file: majority, clip, few_shot, velm, or another package's; run first if it has not been.",
)
@option(
    "--truth",
    metavar="RELEASE_OR_FILE",
    help="In place of the project's labels: a release (folder or ORG/NAME[@REVISION]), or anybody's table, CSV with"
    " `category`, `image` and `label`.",
)
@option(
    "--name",
    metavar="NAME",
    help="What the system is called, and the folder of its score.  [default: the file's name, or the system's]",
)
@option(
    "--compare",
    "pair",
    nargs=2,
    metavar="A B",
    help="Two files or systems on the same images: is the difference chance?",
)
@option(
    "--view",
    type=click.Choice(["published", "sets"]),
    default="published",
    show_default=True,
    help="The published benchmark's classes, one an image, or label sets as they are.",
)
@option("--category", "categories", multiple=True, help="Score only this category; can be repeated; `all` for all.")
@option(
    "--aliases",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="A method's own names of classes: CSV with `category`, `name` and `class`.",
)
@option(
    "--localisation",
    type=click.Choice(["none", "detector", "ground_truth"]),
    help="Who told the system where the defect is.",
)
@option(
    "--leaderboard", is_flag=True, help="Refuse what is no fair entry: ground-truth masks, an unstated localisation."
)
@option("--negligible", multiple=True, metavar="CATEGORY/CLASS", help="An anomaly that is no defect; can be repeated.")
@option("--severity", type=click.IntRange(1), metavar="DRAWS", help="Draw negligible classes so many times instead.")
@option("--resamples", type=click.IntRange(0, 100_000), default=1000, show_default=True, help="Of the bootstrap.")
@option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Of the bootstrap, and of `few_shot`.")
@option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="FOLDER",
    help="For score.json, score.md and pictures.  [default: in .acbench/, for a benchmark]",
)
@option("--shots", type=click.IntRange(1), default=3, show_default=True, help="Images of each class for `few_shot`.")
@of_proposers("--clip-model", metavar="MODEL", help="Model of `clip`, as for relabel.")
@of_proposers("--clip-weights", metavar="TAG_OR_FILE", help="Its weights, if MODEL is a name of open_clip.")
@detector_options
@root_option("The dataset's folder or URL, where a system needs it and no earlier command was told.")
@option("--markdown", is_flag=True, help="Print Markdown.")
@json_option
@project_option
def score(
    benchmark: str | None,
    predictions: Path | None,
    system: str | None,
    truth: str | None,
    name: str | None,
    pair: tuple[str, str] | None,
    out: Path | None,
    markdown: bool,
    as_json: bool,
    project: Path,
    **options: Any,
) -> int:
    """What a system answered, against the labels: figures with intervals, confusion matrices, and who may compare.

    Every image of the test split counts. An answer that is missing, empty or names no class is wrong, and shown; an
    unknown image, or one that is answered twice, is an error.
    """
    from acbench.evaluation import predictions as reading
    from acbench.evaluation.result import Provenance

    _check(benchmark, predictions, system, truth, pair, name)
    if benchmark and system and system != "velm":
        _run(benchmark, system, project, options)
    options["categories"] = _categories(options["categories"], benchmark if system else None, project)
    target, where = _truth(benchmark, truth, project, options)
    if pair:
        return _compare(target, pair, benchmark, project, as_json, options)
    if predictions:
        made_by = Provenance(system=predictions.stem, localisation=options["localisation"] or "not_stated")
    else:
        assert system is not None and benchmark is not None, "checked before"
        predictions, made_by = _answers_of(system, benchmark, project)
    target = target.without(made_by.references, REFERENCES)
    answers = reading.match(reading.read(predictions), target)
    if out is None and benchmark is not None and truth is None:
        out = _bench(project, benchmark).score(name or system or predictions.stem)
    if name:
        made_by = dataclasses.replace(made_by, system=name)
    return _show(target, answers, made_by, where, out, options, as_json=as_json, markdown=markdown)


REFERENCES = "references of the system"


def _check(
    benchmark: str | None,
    predictions: Path | None,
    system: str | None,
    truth: str | None,
    pair: tuple[str, str] | None,
    name: str | None,
) -> None:
    if benchmark is None and truth is None:
        raise click.UsageError("give a benchmark, or --truth RELEASE_OR_FILE")
    if sum(map(bool, (predictions, system, pair))) != 1:
        raise click.UsageError("give --predictions FILE, --system NAME, or --compare A B")
    if truth and system:
        raise click.UsageError("--system goes with a project's labels, not with --truth, which has no images")
    if benchmark and truth and _is_table(truth):
        raise click.UsageError("a table has classes of its own: give either the benchmark or --truth FILE")
    if name is not None and (pair or not name.strip()):
        raise click.UsageError("--name goes with one system, and is not empty")
    if system == "velm":
        _refuse_given("detector", "false_alarms")


def _refuse_given(*options: str) -> None:
    """BaselineOptions that the kept answers of velm do not heed."""
    told = (ParameterSource.COMMANDLINE, ParameterSource.ENVIRONMENT)
    for each in options:
        if click.get_current_context().get_parameter_source(each) in told:
            flag = f"--{each.replace('_', '-')}"
            raise click.UsageError(f"the answers of velm are kept: {flag} goes with `acbench velm`, which asks anew")


def _is_table(truth: str) -> bool:
    """Whether it is a file, or was meant as one, and no release."""
    return Path(truth).is_file() or Path(truth).suffix.lower() in {".csv", ".tsv"}


def _run(benchmark: str, system: str, project: Path, options: dict[str, Any]) -> None:
    from acbench.predictors.base import BaselineOptions

    # What is scored is no part of it: a project is not narrowed by asking for one category's figures.
    kept = {name: options[name] for name in ("root", "backbone", "clip_model", "clip_weights")}
    choices = {name: options[name] for name in ("detector", "false_alarms", "shots", "seed")}
    with opened(project, benchmark, **kept) as run:
        answered(run, system, options["view"], BaselineOptions(**choices))


def _categories(given: tuple[str, ...], run: str | None, project: Path) -> tuple[str, ...]:
    """Those to score, all if empty. A system that is run on a benchmark has seen those that the project is about."""
    from acbench.workflows import settings

    if given or run is None:
        return () if given == (settings.ALL,) else given
    kept = settings.read(_bench(project, run).settings)
    return kept.categories if kept else ()


def _answers_of(system: str, benchmark: str, project: Path) -> tuple[Path, Provenance]:
    from acbench.cli.score import predictions_of
    from acbench.workflows.baselines import provenance

    path = predictions_of(_bench(project, benchmark), benchmark, system)
    return path, provenance(path)


def _bench(project: Path, benchmark: str) -> Any:
    from acbench import schema as schemas

    return existing_project(project).benchmark(schemas.load(benchmark).benchmark)


def _truth(benchmark: str | None, given: str | None, project: Path, options: dict[str, Any]) -> tuple[Truth, str]:
    """The truth, and what it is, for people."""
    from acbench import schema as schemas
    from acbench.evaluation.truth import check_aliases, of_table, read_aliases
    from acbench.workflows.truth import labelled, of_release

    categories = options["categories"]
    aliases = read_aliases(options["aliases"]) if options["aliases"] else {}
    if given is not None and _is_table(given):
        found = of_table(Path(given), categories=categories, aliases=aliases)
        check_aliases(aliases, found)
        return found, f"the table {given}"
    schema = schemas.load(benchmark) if benchmark else None
    if given is not None:
        return of_release(place_of(given), schema, view=options["view"], categories=categories, aliases=aliases)
    assert benchmark is not None and schema is not None, "checked before"
    labels = labelled(_bench(project, benchmark), schema)
    return labels.truth(schema, view=options["view"], categories=categories, aliases=aliases), labels.where


def _show(
    truth: Truth,
    answers: Answers,
    made_by: Provenance,
    where: str,
    folder: Path | None,
    options: dict[str, Any],
    *,
    as_json: bool,
    markdown: bool,
) -> int:
    from acbench.evaluation import tables as show
    from acbench.evaluation.result import scored

    found = scored(
        truth,
        answers,
        made_by,
        resamples=options["resamples"],
        seed=options["seed"],
        negligible=options["negligible"],
        severity_seeds=options["severity"] or 0,
        leaderboard=options["leaderboard"],
    )
    written = _write(found, folder) if folder else []
    if as_json:
        click.echo(found.json(), nl=False)
    elif markdown:
        click.echo(show.markdown(found.facts), nl=False)
    else:
        _tell(found, where, written)
    return 3 if answers.failed else 0


def _write(found: Scored, folder: Path) -> list[Path]:
    from acbench.evaluation import plots
    from acbench.evaluation import tables as show
    from acbench.storage.atomic import write_bytes

    files = {
        "score.json": found.json().encode(),
        "score.md": show.markdown(found.facts).encode(),
        "confusion.png": plots.confusion(found.facts),
        "classes.png": plots.classes(found.facts),
    }
    for name, data in files.items():
        write_bytes(folder / name, data)
    return [folder / name for name in files]


def _tell(found: Scored, where: str, written: list[Path]) -> None:
    from acbench.evaluation import tables as show

    click.echo(show.text(found.facts, f"Truth: {where}"))
    for path in written:
        click.echo(f"  {path}")


def _compare(
    truth: Truth,
    pair: tuple[str, str],
    benchmark: str | None,
    project: Path,
    as_json: bool,
    options: dict[str, Any],
) -> int:
    from acbench._util.console import table
    from acbench.evaluation import predictions as reading
    from acbench.evaluation import tables as show
    from acbench.evaluation.significance import versus

    paths = []
    for name in pair:
        path = Path(name)
        if benchmark and not path.exists():
            path, made_by = _answers_of(name, benchmark, project)
            truth = truth.without(made_by.references, REFERENCES)
        paths.append(path)
    one, other = (reading.match(reading.read(path), truth) for path in paths)
    status = 3 if one.failed or other.failed else 0
    names = [path.stem for path in paths]
    facts = {
        "benchmark": truth.benchmark,
        "view": truth.view,
        "first": names[0],
        "second": names[1],
        "hashes": {**truth.hashes, "first": one.hash, "second": other.hash},
        **versus(truth, one.by_item, other.by_item, resamples=options["resamples"], seed=options["seed"]),
    }
    if as_json:
        click.echo(json.dumps(facts, indent=1, ensure_ascii=False))
        return status
    test = facts["mcnemar"]
    click.echo(f"{truth.benchmark}: {facts['items']:,} images, {truth.view} view\n")
    click.echo(table(show.versus(facts, *names)))
    click.echo(
        f"\nIn points; intervals of 95 %. Only {names[0]} is right on {test['only_first_right']:,} images,"
        f" only {names[1]} on {test['only_second_right']:,}: McNemar's exact p = {test['p']:.2g}"
    )
    return status
