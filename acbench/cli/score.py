"""`acbench score`: scores what a system answered against the labels."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from acbench._util.text import json_text
from acbench.cli import score_usage
from acbench.cli.detector_options import detector_options
from acbench.cli.model_options import proposer_option
from acbench.cli.options import Command, json_option, option, project_option, root_option

if TYPE_CHECKING:
    from acbench.workflows.score import ScoreOptions, ScoreReport
    from acbench.workflows.score_many import PairReport

EPILOG = """\b
Examples:
  acbench score visa_ac --predictions answers.csv
  acbench score visa_ac a.csv b.csv c.csv
  acbench score visa_ac a.csv b.csv c.csv --format latex
  acbench score mvtec_ac --system few_shot --root ~/data/mvtec_ad
  acbench score --truth my-org/visa-ac@v1.0.0 --predictions answers.csv
  acbench score --truth labels.csv --predictions answers.csv
  acbench score my-org/visa-ac@v1.0.0 --predictions answers.csv --name "my system" --localisation none --publish
"""


@click.command(cls=Command, epilog=EPILOG)
@click.argument("benchmark", required=False)
@click.argument("answers", nargs=-1)
@option(
    "--predictions",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="The answers: CSV, JSON, JSONL or parquet with `item_id` or `image`, and `prediction`, `answer`, `labels` or"
    " `label`; a mapping from class to probability is an answer too. `confidence` (0 to 1) and `cost` (dollars) may"
    " stand beside it.",
)
@option("--column", metavar="NAME", help="The column of the answers.  [default: as above, the first that there is]")
@option(
    "--system",
    metavar="NAME",
    help="Score a baseline in place of a file: majority, clip, few_shot or one of another package, which runs first if"
    " it has not answered yet; or velm, after `acbench velm`.",
)
@option(
    "--truth",
    metavar="RELEASE_OR_FILE",
    help="Score against a release (folder or ORG/NAME[@REVISION]) or a table (CSV with `category`, `image` and `label`)"
    " in place of the project's labels.",
)
@option(
    "--name",
    metavar="NAME",
    help="Name of the system and of the folder of its score.  [default: the name of the file or baseline]",
)
@option(
    "--compare",
    "pair",
    nargs=2,
    metavar="A B",
    help="Compare two files or baselines on the same images with McNemar's test; for more of them, name them as"
    " ANSWERS.",
)
@option(
    "--view",
    type=click.Choice(["published", "sets"]),
    default="published",
    show_default=True,
    help="Classes of the published benchmark, one for each image, or label sets as they are.",
)
@option("--category", "categories", multiple=True, help="Score only this category; can be repeated; `all` for all.")
@option(
    "--aliases",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Names that the system uses for classes: CSV with `category`, `name` and `class`.",
)
@option(
    "--localisation",
    type=click.Choice(["none", "detector", "ground_truth"]),
    help="Who told the system where the defect is.",
)
@option(
    "--leaderboard",
    is_flag=True,
    help="Refuse what is no fair leaderboard entry: ground-truth masks, an unstated localisation, a part of the"
    " categories.",
)
@option(
    "--publish",
    is_flag=True,
    help="Propose score and answers to the leaderboard of the release (--truth ORG/NAME@v1.0.0) as a pull request on"
    " the Hub; what --leaderboard refuses is refused.",
)
@option("--dry-run", is_flag=True, help="With --publish: show what would be proposed, and propose nothing.")
@option(
    "--negligible",
    multiple=True,
    metavar="CATEGORY/CLASS",
    help="Count this class as no defect; can be repeated.  [default: as the schema says, if it does]",
)
@option(
    "--severity",
    type=click.IntRange(1),
    metavar="DRAWS",
    help="Draw negligible classes this often instead; VELM's table 4 has 5.",
)
@option(
    "--resamples",
    type=click.IntRange(0, 100_000),
    metavar="N",
    default=1000,
    show_default=True,
    help="Resample this often for the intervals; 0 for no intervals.",
)
@option(
    "--seed",
    type=click.IntRange(0),
    metavar="N",
    default=0,
    show_default=True,
    help="Draw the resamples, and the examples of `few_shot`, with this seed.",
)
@option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="FOLDER",
    help="Folder for tables and pictures: of one system score.json, score.md, confusion.png and classes.png; of several"
    " ranking.json, ranking.md, ranking.tex and ranks.png.  [default: one in .acbench/, for a benchmark]",
)
@option(
    "--shots",
    type=click.IntRange(1),
    metavar="N",
    default=3,
    show_default=True,
    help="Show `few_shot` this many images of each class.",
)
@proposer_option("--clip-model", metavar="MODEL", help="Model of `clip`, as for relabel.")
@proposer_option("--clip-weights", metavar="TAG_OR_FILE", help="Its weights, if MODEL is a name of open_clip.")
@detector_options
@root_option("The dataset's folder or URL, if a baseline needs it and no earlier command named it.")
@option(
    "--format",
    "shown_as",
    type=click.Choice(["text", "latex", "markdown", "csv", "json"]),
    default="text",
    show_default=True,
    help="Print text, the tables of a paper (LaTeX with booktabs, or Markdown), or every figure (CSV, JSON).",
)
@option("--markdown", is_flag=True, help="Print Markdown, as --format markdown does.")
@json_option
@project_option
def score(shown_as: str, markdown: bool, as_json: bool, publish: bool, dry_run: bool, **given: Any) -> int:
    """Score what a system answered against the labels: figures with intervals, and confusion matrices.

    ANSWERS: the file of one system, as --predictions, or a baseline, as --system; or several of these, which are
    compared on the same images: a table with intervals, each pair with Holm's correction for many comparisons, the
    ranks that the differences support, and a critical-difference diagram of these.

    Every image of the test split counts. An answer that is missing, empty or names no class is wrong, and shown; an
    unknown image, or an image with two answers, is an error.
    """
    from acbench.cli.screen import Screen
    from acbench.workflows.score import ScoreOptions
    from acbench.workflows.score import score as run_score
    from acbench.workflows.score_many import compare_pair

    options = score_usage.named(ScoreOptions(**given))  # click gives a value for each of its fields
    if dry_run and not publish:
        raise click.UsageError("--dry-run goes with --publish")
    if publish:
        from acbench.cli.entering import enter

        return enter(options, as_json=as_json, dry_run=dry_run)
    score_usage.check(options)
    shown_as = _format(shown_as, markdown, as_json)
    if len(options.answers) > 1:
        return _ranked(options, shown_as)
    if options.pair:
        if shown_as not in ("text", "json"):
            raise click.UsageError(f"--compare prints no {shown_as}: name the two as ANSWERS")
        compared = compare_pair(options, options.pair)
        if shown_as == "json":
            click.echo(json_text(compared.to_json()))
        else:
            click.echo(_comparison_text(compared))
        for note in compared.notes:
            click.echo(f"Note: {note}", err=True)
        return 3 if compared.failed else 0
    report = run_score(options, Screen())
    click.echo(_shown(report, shown_as), nl=shown_as == "text")
    return 3 if report.failed else 0


def _format(shown_as: str, markdown: bool, as_json: bool) -> str:
    """How to print; raises UsageError for two ways at once."""
    ways = {
        way for way, is_given in (("markdown", markdown), ("json", as_json), (shown_as, shown_as != "text")) if is_given
    }
    if len(ways) > 1:
        raise click.UsageError(f"print one of {', '.join(sorted(ways))}")
    return ways.pop() if ways else "text"


def _shown(report: ScoreReport, shown_as: str) -> str:
    from acbench.evaluation import paper_tables, tables

    score = report.score
    if shown_as == "json":
        return score.json()
    if shown_as == "markdown":
        return tables.markdown(score)
    if shown_as == "csv":
        return paper_tables.csv_text([score])
    if shown_as == "latex":
        return paper_tables.latex(paper_tables.of_score(score))
    return "\n".join([tables.text(score, f"Truth: {report.truth}"), *(f"  {path}" for path in report.files)])


def _ranked(options: ScoreOptions, shown_as: str) -> int:
    from acbench.evaluation import paper_tables, tables
    from acbench.workflows.score_many import rank_systems

    report = rank_systems(options)
    ranking = report.ranking
    if shown_as == "json":
        click.echo(json_text(ranking.to_json()))
    elif shown_as == "csv":
        click.echo(paper_tables.csv_text(ranking.scores, ranking.pairs), nl=False)
    elif shown_as == "latex":
        click.echo(paper_tables.latex(paper_tables.of_ranking(ranking)), nl=False)
    elif shown_as == "markdown":
        click.echo(paper_tables.markdown(paper_tables.of_ranking(ranking)), nl=False)
    else:
        scored = ranking.scores[0]
        click.echo(f"{scored.benchmark}: {scored.items:,} images, {scored.view} view\nTruth: {report.truth}\n")
        click.echo(paper_tables.text(ranking))
        click.echo(f"Comparable with scores that have the same: {tables.hashes(scored)}")
        for path in report.files:
            click.echo(f"  {path}")
    for note in report.notes:
        click.echo(f"Note: {note}", err=True)
    return 3 if report.failed else 0


def _comparison_text(report: PairReport) -> str:
    from acbench._util.console import table
    from acbench.evaluation import tables

    test = report.comparison.mcnemar
    return (
        f"{report.benchmark}: {report.comparison.items:,} images, {report.view} view\nTruth: {report.truth}\n"
        f"Answers: {report.first}: {report.columns[0]}; {report.second}: {report.columns[1]}\n\n"
        f"{table(tables.comparison(report.comparison, report.first, report.second))}\n\n"
        f"In points; intervals of 95 %. Only {report.first} is right on {test.only_first_right:,} images,"
        f" only {report.second} on {test.only_second_right:,}: McNemar's exact p = {test.p:.2g}"
    )
