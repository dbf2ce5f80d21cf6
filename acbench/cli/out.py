"""`--out`: the records that a command is about, in another place too."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from acbench.cli.options import option, place

if TYPE_CHECKING:
    from acbench.pipeline import Pipeline

out_option = option(
    "--out",
    metavar="FOLDER_OR_URL",
    callback=place,
    help="Put the records there too, with a manifest, records.json; not remembered.",
)


def send(
    line: Pipeline, out: str | None, *, proposers: Iterable[str] = (), system: str = "", labels: bool = False
) -> None:
    """Send the dataset's records and those named, if somebody wants them, and say so."""
    if not out:
        return
    from acbench import outbox

    bench = line.bench
    records = [*outbox.of_dataset(bench), *outbox.of_proposers(bench, proposers)]
    records += outbox.of_system(bench, system) if system else []
    records += outbox.of_labels(bench) if labels else []
    sent, total = outbox.send(out, bench.benchmark, records)
    line.console.note(f"{sent:,} of {total:,} files sent to {out}" if sent else f"{out} holds the records as they are")
