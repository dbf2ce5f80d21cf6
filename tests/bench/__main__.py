"""Runs benches one after the other, and shows their figures beside those that were kept of the last release.

    python -m tests.bench [NAME ...] [--list] [--keep]

Without names: all that take some minutes each. Those that take longer, and those that lack a program, are named and
left out; a name runs its bench however long it takes. Each runs in a process of its own, and one that fails does not
stop the others. A ratio is that of acbench to the reference in the same run. `--keep` writes the figures into
`tests/bench/results/VERSION.json`, which goes into git with a release.
"""

from __future__ import annotations

import argparse
import json
import pkgutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

import acbench
from tests.bench import kept
from tests.bench.timing import HEAD, Figure, shown, table

MINUTES = 5.0
"""A bench that takes longer is run only by name."""
NOT_BENCHES = ("kept", "timing", "__main__")
PACKAGE = "tests.bench"


class Bench(NamedTuple):
    """A module with figures."""

    name: str
    package: str
    minutes: float
    missing: str
    """What this machine lacks; empty if it can run."""
    figures: Callable[[], Iterable[Figure]]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what was asked for; gives the exit status: 1 if a bench failed."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="benches  [default: those of a few minutes]")
    parser.add_argument("--list", action="store_true", help="only name the benches, and how long they take")
    parser.add_argument("--keep", action="store_true", help="write the figures into the file of this version")
    parser.add_argument("--results", type=Path, default=kept.RESULTS, help=argparse.SUPPRESS)
    parser.add_argument("--alone", help=argparse.SUPPRESS)
    parser.add_argument("--package", default=PACKAGE, help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    if given.alone:
        print(json.dumps([(each.name, kept.as_json(each)) for each in bench(given.package, given.alone).figures()]))
        return 0
    found = {each.name: each for each in benches(given.package)}
    if unknown := sorted(set(given.names) - set(found)):
        parser.error(f"there is no bench {', '.join(unknown)}; there are {', '.join(found)}")
    if given.list:
        rows = [(each.name, shown(each.minutes), each.missing) for each in found.values()]
        print(table([("bench", "minutes", "lacks"), *rows]))
        return 0
    chosen = [found[name] for name in given.names] or [each for each in found.values() if each.minutes <= MINUTES]
    return run(chosen, list(found.values()), given.results, keep=given.keep)


def run(chosen: Sequence[Bench], known: Sequence[Bench], results: Path, *, keep: bool) -> int:
    """Run benches, print one table, and say what changed; gives the exit status."""
    version, before = kept.newest(results, but=acbench.__version__ if keep else "")
    rows: list[tuple[str, ...]] = [(*HEAD, f"ratio in {version}" if version else "", "")]
    failed, changed, here = [], [], kept.machine()
    for each in chosen:
        if each.missing:
            continue
        figures, why = figures_of(each)
        if why:
            failed.append(f"{each.name}: {why}")
            continue
        old = before.get(each.name, {})
        rows.append((each.name, *[""] * (len(rows[0]) - 1)))
        for figure in figures:
            change = kept.change(figure, old.get("figures", {}).get(figure.name))
            verdict = change.verdict if change else ""
            missed = missed_words(figure)
            rows.append(
                (
                    "  " + figure.cells()[0],
                    *figure.cells()[1:],
                    shown(change.before) if change else "",
                    verdict or missed,
                )
            )
            if change and verdict:
                changed.append(
                    f"{verdict} by {abs(change.worse):.0%} (noise: {change.noise:.0%}): {each.name}, {figure.name}"
                )
        if old and old["machine"].partition(", load")[0] != here.partition(", load")[0]:
            changed.append(f"{each.name} was measured on another machine for {version}: {old['machine']}")
        if keep:
            kept.keep(results / f"{acbench.__version__}.json", each.name, here, figures)
    print(f"{here}\n")
    print(table(rows))
    notes = [*changed, *(f"failed: {each}" for each in failed), *left_out(chosen, known)]
    if notes:
        print("\n" + "\n".join(notes))
    return 1 if failed else 0


def missed_words(figure: Figure) -> str:
    """Whether a goal is missed."""
    if figure.goal is None:
        return ""
    met = figure.ratio >= figure.goal if figure.more_is_better else figure.ratio <= figure.goal
    return "" if met else "goal missed"


def left_out(chosen: Sequence[Bench], known: Sequence[Bench]) -> list[str]:
    """What was not run, and why."""
    lines = [f"not run: {each.name}, which lacks {each.missing}" for each in known if each.missing]
    others = [each for each in known if each not in chosen and not each.missing]
    return lines + [
        f"not run: {each.name}, about {each.minutes:g} min: python -m tests.bench {each.name}" for each in others
    ]


def figures_of(each: Bench) -> tuple[list[Figure], str]:
    """The figures of a bench in a process of its own, or why there are none."""
    print(f"{each.name}, about {each.minutes:g} min …", file=sys.stderr, flush=True)
    started = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", PACKAGE, "--package", each.package, "--alone", each.name],
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    print(f"{each.name}: {time.monotonic() - started:.0f} s", file=sys.stderr, flush=True)
    if done.returncode:
        return [], f"ended with {done.returncode}; see above"
    found: list[tuple[str, dict[str, Any]]] = json.loads(done.stdout.splitlines()[-1])
    return [kept.from_json(name, value) for name, value in found], ""


def benches(package: str) -> list[Bench]:
    """All benches of a package, by name."""
    modules = pkgutil.iter_modules(import_module(package).__path__)
    return [bench(package, module.name) for module in modules if module.name not in NOT_BENCHES]


def bench(package: str, name: str) -> Bench:
    """A bench by its name."""
    try:
        module: Any = import_module(f"{package}.{name}")
    except ImportError as error:
        return Bench(name, package, 0, str(error.name), tuple)
    if not hasattr(module, "figures"):
        return Bench(name, package, 0, "figures: it is a command of its own", tuple)
    return Bench(name, package, float(module.MINUTES), getattr(module, "lacks", str)(), module.figures)


if __name__ == "__main__":
    raise SystemExit(main())
