"""The suite of benches: one table of all, beside what was kept; whatever a bench does, the others are told of."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import acbench
from acbench import schema
from acbench.integrations.torch.runtime import device
from acbench.testing import toy_mvtec_ad
from tests.bench import __main__ as suite
from tests.bench import accelerator, kept
from tests.bench.evidence import figures as evidence_figures
from tests.bench.score import accuracies_and_f1, made
from tests.bench.score import figures as score_figures
from tests.bench.timing import Figure, figure

QUICK = """
from tests.bench.timing import Figure
MINUTES = 0.1
def figures():
    print("a library says something")
    yield Figure("a loop, against a bare one", {ours}, 2.0, "s", 2)
    yield Figure("rows, against rows", 9.0, 10.0, "/s", 0.95, more_is_better=True)
"""
BENCHES = {
    "quick": QUICK.format(ours=3.0),
    "long": "MINUTES = 60\ndef figures():\n    raise SystemExit(7)\n",
    "lacking": "MINUTES = 1\ndef lacks():\n    return 'a robot'\ndef figures():\n    return []\n",
    "elsewhere": "import no_such_library\n",
    "apart": "def main():\n    pass\n",
    "timing": "",
}


@pytest.fixture
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where figures are kept; a package `made_up` has some benches."""
    folder = tmp_path / "packages" / "made_up"
    folder.mkdir(parents=True)
    for name, source in {"__init__": "", **BENCHES}.items():
        (folder / f"{name}.py").write_text(source, encoding="utf-8")
    root = str(Path(__file__).parents[2])
    monkeypatch.syspath_prepend(str(folder.parent))
    monkeypatch.setenv("PYTHONPATH", f"{folder.parent}:{root}")
    return tmp_path / "results"


def run(results: Path, *arguments: str) -> int:
    return suite.main([*arguments, "--package", "made_up", "--results", str(results)])


def line(out: str, start: str) -> list[str]:
    """The cells of the line of a table that begins so."""
    (found,) = (row for row in out.splitlines() if row.strip().startswith(start))
    return [cell for cell in found.strip().removeprefix(start).split("  ") if cell]


def test_all_of_a_few_minutes_are_run_and_the_others_are_named(
    results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(results) == 0
    out = capsys.readouterr().out
    assert [cell.strip() for cell in line(out, "a loop, against a bare one")] == ["3 s", "2 s", "1.5", "≤ 2"]
    assert [cell.strip() for cell in line(out, "rows, against rows")] == [
        "9 /s",
        "10 /s",
        "0.9",
        "≥ 0.95",
        "goal missed",
    ]
    assert "not run: long, about 60 min: python -m tests.bench long" in out
    assert "not run: lacking, which lacks a robot" in out
    assert "not run: elsewhere, which lacks no_such_library" in out
    assert "not run: apart, which lacks figures: it is a command of its own" in out
    assert not results.exists(), "nothing is kept unless somebody asks"


def test_a_bench_that_fails_is_told_and_the_others_go_on(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(results, "long", "quick") == 1
    out = capsys.readouterr().out
    assert "failed: long: ended with 7" in out and "a loop, against a bare one" in out


def test_a_name_that_is_none_is_refused_with_those_that_are(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        run(results, "quik")
    assert "quick" in capsys.readouterr().err


def test_what_was_kept_stands_beside_and_what_got_slower_is_said(
    results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(results, "quick", "--keep") == 0
    path = results / f"{acbench.__version__}.json"
    first = path.read_bytes()
    assert run(results, "quick", "--keep") == 0
    strip = {"machine": ""}
    assert json.loads(path.read_bytes())["quick"] | strip == json.loads(first)["quick"] | strip
    capsys.readouterr()
    package = results.parent / "packages/made_up/quick.py"
    package.write_text(QUICK.format(ours=4.5), encoding="utf-8")
    assert run(results, "quick") == 0
    out = capsys.readouterr().out
    cells = [cell.strip() for cell in line(out, "a loop, against a bare one")]
    assert cells == ["4.5 s", "2 s", "2.25", "≤ 2", "1.5", "worse"]
    assert "worse by 50% (noise: 15%): quick, a loop, against a bare one" in out
    assert f"ratio in {acbench.__version__}" in out


def test_a_release_is_compared_with_the_one_before_and_keeps_what_others_kept(results: Path) -> None:
    old = [Figure("a", 1.0, 1.0)]
    for version in ("0.0.9", "0.0.10"):
        kept.keep(results / f"{version}.json", version, "a machine", old)
    kept.keep(results / "0.0.10.json", "another", "a machine", [Figure("b", 1.0, 3.0, "MB", 2.0)])
    version, found = kept.newest(results)
    assert version == "0.0.10" and set(found) == {"0.0.10", "another"}
    assert kept.newest(results, but="0.0.10")[0] == "0.0.9" and kept.newest(results / "none") == ("", {})
    assert kept.from_json("b", found["another"]["figures"]["b"]) == Figure("b", 1.0, 3.0, "MB", 2.0)
    text = (results / "0.0.10.json").read_text(encoding="utf-8")
    assert text.index('"0.0.10"') < text.index('"another"'), "sorted"


@pytest.mark.parametrize(
    ("now", "before", "more", "verdict"),
    [
        (1.0, 1.1, False, ""),
        (1.3, 1.0, False, "worse"),
        (0.7, 1.0, False, "better"),
        (0.7, 1.0, True, "worse"),
        (1.3, 1.0, True, "better"),
        (1.3, 1.0, None, ""),
    ],
)
def test_noise_is_no_change(now: float, before: float, more: bool | None, verdict: str) -> None:
    spread = 0.2 if more is None else 0.0
    found = kept.change(
        Figure("x", now, 1.0, more_is_better=bool(more), spread=spread), {"ratio": before, "spread": 0.0}
    )
    assert found is not None and found.verdict == verdict
    assert kept.change(Figure("x", now, 1.0), None) is None


def test_a_figure_is_of_medians_and_knows_how_far_its_takes_were_apart() -> None:
    found = figure("x", [(2.0, 1.0), (4.0, 2.0), (30.0, 10.0)], goal=3)
    assert (found.measured, found.reference, found.ratio, found.spread) == (4.0, 2.0, 2.0, 0.5)
    rates = figure("x", [(2.0, 1.0)], amount=10, unit="/s")
    assert (rates.measured, rates.reference, rates.ratio, rates.more_is_better) == (5.0, 10.0, 0.5, True)


def test_real_benches_measure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACBENCH_MVTEC_AD_ROOT", str(toy_mvtec_ad(tmp_path / "images")))
    found = [*score_figures(items=60, resamples=50, takes=1), *evidence_figures(pictures=2, takes=1)]
    assert len(found) == 11 and len({each.name for each in found}) == 11
    assert all(each.measured > 0 and each.reference > 0 for each in found)


def test_what_a_score_is_compared_with_gives_the_same_figures() -> None:
    visa = schema.load("visa_ac")
    labels, answers = made(visa, 600)
    ours = acbench.score(labels, answers, schema=visa, resamples=50).figures.estimates
    theirs = accuracies_and_f1(labels, answers, resamples=50)
    for (accuracy, macro, *ends), key in zip(theirs, sorted(visa.categories), strict=True):
        found = [each.value for name in ("accuracy", "macro_f1") if (each := ours[name][key])]
        assert found == pytest.approx([accuracy, macro])
        assert all(low <= value <= high for value, (low, high) in zip((accuracy, macro), ends, strict=True))


def test_the_script_for_an_accelerator_runs_on_a_cpu_and_says_so() -> None:
    assert accelerator.where().startswith(device())
    found = list(accelerator.figures(small=True, ray=False))
    shown = {each.name.partition(":")[0].split(",")[0] for each in found}
    assert {"clip tiny", "neighbours", "patchcore"} == shown
    assert all(each.measured > 0 and each.reference > 0 for each in found)


def test_every_bench_has_figures_or_says_why_not() -> None:
    names = {path.stem for path in Path(suite.__file__).parent.glob("*.py")} - {"__init__", *suite.NOT_BENCHES}
    found = {each.name: each for each in suite.benches(suite.PACKAGE)}
    assert set(found) == names
    assert all(each.minutes > 0 or each.missing for each in found.values())
