"""The `acbench` command: finds the subcommand, and turns every failure into a message and an exit status."""

from __future__ import annotations

import errno
import importlib
import os
import sys
from typing import NoReturn

import click

from acbench import __version__
from acbench._util.cores import hold_libraries
from acbench._util.text import plain
from acbench.errors import HintedError

COMMANDS = {
    "relabel": ("relabel", "Turn images into labels: read, ask proposers, rank for people, decide."),
    "ingest": ("stages", "Read a dataset, and list what is wrong with it."),
    "propose": ("stages", "Ask proposers for labels."),
    "llm": ("llm", "Name multimodal LLMs, and try them."),
    "review": ("review", "Give people the queue, and take in their decisions."),
    "plan": ("plan", "Plan how many images people still have to see, and have the queue end there."),
    "merge": ("merge", "Merge the results of shards."),
    "resolve": ("stages", "Make labels from proposals and reviews."),
    "compare": ("compare", "Compare proposers: accuracy, agreement, calibration, cost."),
    "export": ("export", "Write records as files that other programs read."),
    "velm": ("velm", "Run the baseline VELM: a detector finds the defect, a multimodal LLM names it."),
    "score": ("score", "Score a system's answers: figures with intervals, confusion matrices."),
    "app": ("app", "Show images, labels and queue in the FiftyOne App; collect what people marked there."),
    "report": ("report", "Write one HTML page on a benchmark, to search, filter and pass on."),
    "publish": ("publish", "Build a release, check it, and upload it as one commit."),
    "verify": ("publish", "Check a release: hashes, labels, licence, duplicates, loading."),
    "diff": ("publish", "List what changed between two releases, image by image."),
    "correct": ("correct", "Write down a wrong label of a release, for whoever maintains it."),
    "status": ("status", "Show where a benchmark stands, and which run wrote each file."),
    "runs": ("status", "List the last commands and their outcomes."),
    "ledger": ("ledger", "Get what was paid for out of a damaged ledger."),
    "schema": ("schema", "Write a first label schema; check and show label schemas."),
}
"""Command → (its module, one line of help). A module is imported when its command is called: help must be quick."""


class _LazyGroup(click.Group):
    """Imports the module of a command when the command is called."""

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

Variables set options too: ACBENCH_RELABEL_ROOT sets `--root` of `relabel`, ACBENCH_PROJECT sets `--project` of every
command.

Exit status: 0 done, 1 error, 2 wrong usage, 3 done but some images or answers could not be used.
"""


@click.command(
    cls=_LazyGroup,
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
    """Run the command line, and turn every failure into a message and an exit status."""
    hold_libraries()
    try:
        status = cli.main(standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        sys.exit(2)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (KeyboardInterrupt, click.Abort):
        _exit("\nStopped. What was done is kept: run the same command again to go on.", 130)
    except HintedError as error:
        _exit(f"Error: {error}", 1)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # the reader has enough: no error
        sys.exit(0)
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        hint = "see that you may read and write there and that there is space; what was done is kept"
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            error.strerror = f"{error.strerror}: the disk of this machine is full, or your share of it"
            hint = "make space here, then run the same command again; what was done is kept"
        _exit(f"Error: {where}{error.strerror or error}\n  → {hint}", 1)
    except Exception as error:
        if os.environ.get("ACBENCH_DEBUG"):
            raise
        hint = "run again with ACBENCH_DEBUG=1 to see where, and report it; what was done is kept"
        _exit(f"Error: a fault of acbench itself: {type(error).__name__}: {error}\n  → {hint}", 1)
    sys.exit(status if isinstance(status, int) else 0)


def _exit(message: str, status: int) -> NoReturn:
    click.echo(plain(message), err=True)  # it may quote what a stranger wrote
    sys.exit(status)
