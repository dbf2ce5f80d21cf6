"""The `acbench` command and what happens when something goes wrong."""

from __future__ import annotations

import importlib
import os
import sys

import click

from acbench import __version__
from acbench.errors import HintedError

COMMANDS = {
    "relabel": ("relabel", "From images to labels: read, propose, rank for people, decide."),
    "ingest": ("stages", "Read a dataset: images, masks, and what is wrong with them."),
    "propose": ("stages", "Ask proposers for labels."),
    "review": ("review", "The queue that people decide, out and in."),
    "merge": ("merge", "Bring together what shards have done."),
    "resolve": ("stages", "Make labels from proposals and reviews."),
    "compare": ("compare", "Proposers side by side: accuracy, agreement, calibration, cost."),
    "velm": ("velm", "Run the baseline: a detector finds the place, a multimodal LLM names the defect."),
    "score": ("score", "What a system answered against the labels: figures with intervals, confusion matrices."),
    "app": ("app", "See images, labels and queue in the FiftyOne App; collect what was marked there."),
    "report": ("report", "One HTML page on a benchmark, for those without the App."),
    "publish": ("publish", "Make a release, check it, upload it as one commit."),
    "verify": ("publish", "Check a release: hashes, labels, licence, duplicates, loading."),
    "diff": ("publish", "What changed between two releases, image by image."),
    "status": ("status", "Where a benchmark stands and what made it."),
    "runs": ("status", "The last commands and what became of them."),
    "schema": ("schema", "Check and show label schemas."),
}
"""Command → (module, one line). Modules are imported when their command is called: help must be quick."""


class _Lazy(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"acbench.cli.{COMMANDS[cmd_name][0]}")
        command: click.Command = getattr(module, cmd_name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in COMMANDS.items()])


EPILOG = """\b
Examples:
  acbench relabel sample
  acbench relabel mvtec_ac --root ~/data/mvtec_ad
  acbench relabel mvtec_ac --reviews .acbench/mvtec_ac/queue.csv --reviewer ada
  acbench schema show mvtec_ac --category bottle

Every option can also be set by a variable: `--root` of `relabel` by ACBENCH_RELABEL_ROOT, `--project` of all
commands by ACBENCH_PROJECT.

Exit status: 0 done, 1 error, 2 wrong usage, 3 done but some images or answers could not be used.
"""


@click.command(
    cls=_Lazy,
    context_settings={
        "auto_envvar_prefix": "ACBENCH",
        "help_option_names": ["-h", "--help"],
        "max_content_width": 110,
    },
    epilog=EPILOG,
)
@click.version_option(__version__, prog_name="acbench")
def cli() -> None:
    """Turn an anomaly-detection dataset into an anomaly-classification benchmark whose labels have reasons."""


def main() -> None:
    """Run the command line; every failure becomes a message and an exit status."""
    try:
        status = cli.main(standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        sys.exit(2)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (KeyboardInterrupt, click.Abort):
        click.echo("\nStopped. What was done is kept: run the same command again to go on.", err=True)
        sys.exit(130)
    except HintedError as error:
        click.echo(f"Error: {error}", err=True)
        sys.exit(1)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # nobody reads on: not an error
        sys.exit(0)
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        click.echo(
            f"Error: {where}{error.strerror or error}\n"
            "  → see that you may read and write there and that there is space; what was done is kept",
            err=True,
        )
        sys.exit(1)
    except Exception as error:
        if os.environ.get("ACBENCH_DEBUG"):
            raise
        click.echo(
            f"Error: a fault of acbench itself: {type(error).__name__}: {error}\n"
            "  → run again with ACBENCH_DEBUG=1 to see where, and report it; what was done is kept",
            err=True,
        )
        sys.exit(1)
    sys.exit(status if isinstance(status, int) else 0)
