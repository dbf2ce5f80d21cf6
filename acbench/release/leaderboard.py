"""Entries of a leaderboard, as they lie in the repository of a release: a score and the answers that it is of.

`leaderboard/v1.0.0/my-system/0123456789abcdef/` holds `score.json` and `answers.csv`; the last folder is the beginning
of the sha256 of the answers. So nothing is ever overwritten: other answers, or another version, have another folder.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from acbench._util.text import tidy
from acbench.errors import ReleaseError, StorageError
from acbench.release.bounds import MAX_ROWS
from acbench.release.standings import ENTRY, HASHES, MAX_NAME, METRICS, Figure, Standing
from acbench.storage.typed_json import decode

FOLDER = "leaderboard/"
SCORE, ANSWERS = "score.json", "answers.csv"
FORMAT = 1
MAX_SCORE = 8 << 20
MAX_ANSWERS = 64 << 20
"""Bytes of the largest files that are read."""
MAX_ENTRIES = 1_000
"""Entries of one repository that are read, at most."""
MEAN = "mean"
"""The scope of the figures that a card shows."""
COLUMNS = ("item_id", "prediction")
"""Columns of the answers: a class id, several joined by ` + `, or the answer as it was, if it names no class."""
MAX_CELL = 1_000
"""Characters of the longest answer, or item_id."""
_MADE_BY = "an entry is made by acbench score … --publish"
_FILE = re.compile(rf"({ENTRY.pattern})/({re.escape(SCORE)}|{re.escape(ANSWERS)})")


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What an untrusted `score.json` says of an entry, as far as it is compared."""

    format: int
    version: str
    """Version of the release that it was scored by."""
    answers: str
    """sha256 of `answers.csv`."""
    benchmark: str
    system: str
    view: str
    localisation: str
    localisation_detail: str
    acbench: str
    """Version that scored it."""
    items: int
    hashes: Mapping[str, str]
    counts: Mapping[str, Mapping[str, int]]
    scores: Mapping[str, Mapping[str, Mapping[str, float | str | None]]]
    """Metric → scope → `value`, `low`, `high`, `n` and, where there is no interval, why."""


def is_entry(path: str) -> bool:
    """Whether a path in a repository is a file of an entry."""
    return _FILE.fullmatch(path) is not None


def entries_in(paths: Iterable[str]) -> list[str]:
    """List the folders of all entries, sorted; half an entry is one, too."""
    return sorted({found[1] for path in paths if (found := _FILE.fullmatch(path))})


def folder_of(version: str, system: str, answers: bytes) -> str:
    """Name the folder of an entry. `answers`: the content of its file of answers."""
    name = re.sub(r"[^a-z0-9._]+", "-", system.lower()).strip("-._")[:64].rstrip("-._")
    return f"{FOLDER}v{version}/{name or 'system'}/{hashlib.sha256(answers).hexdigest()[:16]}"


def answers_csv(rows: Iterable[tuple[str, str]]) -> bytes:
    """Write answers as UTF-8 CSV. `rows`: item_id and answer, in the order of the file."""
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(rows)
    return out.getvalue().encode()


def score_json(version: str, answers: bytes, facts: Mapping[str, Any]) -> bytes:
    """Write `score.json`. `facts`: what `acbench score --json` prints of these answers."""
    head = {"format": FORMAT, "version": version, "answers": hashlib.sha256(answers).hexdigest()}
    return (json.dumps({**head, **facts}, indent=1, ensure_ascii=False) + "\n").encode()


def parse(data: bytes, where: str) -> Entry:
    """Read an untrusted `score.json`. Raises ReleaseError, which names the place."""
    try:
        entry = decode(data, Entry, where, allow_unknown=True)
    except StorageError as error:
        raise ReleaseError(tidy(error.message, 300), _MADE_BY) from None
    if entry.format > FORMAT:
        raise ReleaseError(f"{where} was written by a newer acbench", "update acbench")
    if not (0 < len(entry.system) <= MAX_NAME and entry.system.isprintable()):
        raise ReleaseError(f"{where}: the name of the system is no name", f"up to {MAX_NAME} printable characters")
    return entry


def parse_answers(data: bytes, where: str) -> list[tuple[str, dict[str, str]]]:
    """Read an untrusted file of answers: where each row stands, and the row. Raises ReleaseError, naming the line."""
    rows: list[tuple[str, dict[str, str]]] = []
    try:
        reader = csv.reader(io.StringIO(data.decode(), newline=""), strict=True)
        if tuple(next(reader, ())) != COLUMNS:
            raise ReleaseError(f"{where}: its columns are not {', '.join(COLUMNS)}", _MADE_BY)
        for cells in reader:
            if len(cells) != len(COLUMNS) or any(len(cell) > MAX_CELL for cell in cells) or len(rows) >= MAX_ROWS:
                raise ReleaseError(f"{where}, line {reader.line_num}: it is no row of answers", _MADE_BY)
            rows.append((f"{where}, line {reader.line_num}", dict(zip(COLUMNS, cells, strict=True))))
    except (csv.Error, ValueError) as error:
        raise ReleaseError(f"{where}: it is no table of answers: {tidy(str(error), 200)}", _MADE_BY) from None
    return rows


def standing_of(entry: Entry, path: str) -> Standing:
    """Give what a card says of an entry, which is what its score says. Raises ReleaseError for a score of another form.

    `path`: the folder of the entry.
    """
    figures = {}
    for name in METRICS:
        found = entry.scores.get(name, {}).get(MEAN, {})
        value, low, high = (found.get(key) for key in ("value", "low", "high"))
        if isinstance(value, float | int):
            figures[name] = Figure(value=round(float(value), 6), low=_share(low), high=_share(high))
    hashes = {name: entry.hashes.get(name, "") for name in (*HASHES, "predictions")}
    standing = Standing(
        system=entry.system,
        version=entry.version,
        localisation=entry.localisation,
        items=entry.items,
        figures=figures,
        hashes=hashes,
        path=path,
    )
    if standing.odd():
        raise ReleaseError(f"{path}/{SCORE}: its system, figures or hashes cannot be", "do not take it over")
    return standing


def _share(value: object) -> float | None:
    return round(float(value), 6) if isinstance(value, float | int) else None
