"""Several systems: the ranks that the differences support, and the tables of a paper."""

from __future__ import annotations

import csv
import dataclasses
import io
import itertools

import pytest

from acbench.evaluation import paper_tables, plots
from acbench.evaluation.answer_parsing import Outcome
from acbench.evaluation.answer_table import ParsedAnswer
from acbench.evaluation.predictions import Answers
from acbench.evaluation.ranking import Pair, Ranking, rank
from acbench.evaluation.result import Bootstrap, Provenance
from acbench.evaluation.scoring import ScoringOptions, score_answers
from acbench.evaluation.significance import McNemarTest
from acbench.evaluation.truth import Truth, TruthOptions, TruthRow, truth_of_rows
from acbench.stats import Estimate


def truth() -> Truth:
    """Two categories of 60 images, a third of them normal."""
    names = ("good", "chip", "crack_1")
    rows = (TruthRow("", f"{key}{n}", key, names[n % 3]) for key in ("cup", "jar") for n in range(60))
    return truth_of_rows("made", rows, TruthOptions())


def ranking(**wrong: int) -> Ranking:
    """Systems that call the first so many images of each category by no class."""
    items, options = truth(), ScoringOptions(bootstrap=Bootstrap(resamples=200))
    scored = []
    for name, count in wrong.items():
        answers = Answers(
            {
                target.item_id: ParsedAnswer("", Outcome("ok", target.wanted))
                for target in items.targets
                if int(target.item_id[3:]) >= count
            },
            0,
        )
        scored.append((score_answers(items, answers, Provenance(system=name), options), answers))
    return rank(items, scored, resamples=200)


def test_systems_that_are_not_told_apart_share_their_ranks() -> None:
    found = ranking(worst=30, second=7, best=6)
    assert [score.system for score in found.scores] == ["best", "second", "worst"]
    assert found.ranks == {"best": (1, 2), "second": (1, 2), "worst": (3, 3)}
    differs = {(pair.first, pair.second): pair.differs for pair in found.pairs}
    assert differs == {("best", "second"): False, ("best", "worst"): True, ("second", "worst"): True}
    assert all(pair.p <= pair.p_holm <= 1 for pair in found.pairs)
    (pair, *_) = found.pairs
    assert pair.difference.value == pytest.approx(1 / 60) and pair.difference.low is None
    assert (pair.mcnemar.only_first_right, pair.mcnemar.only_second_right) == (2, 0)


def test_the_latex_of_three_systems() -> None:
    tables = paper_tables.of_ranking(ranking(a_1=6, b=7, c=30))
    shown = paper_tables.latex(tables)
    systems = shown.split("% Systems\n")[1].split("\n\n")[0].splitlines()
    assert systems[:2] == [r"\begin{tabular}{llrrrrrrr}", r"\toprule"]
    assert systems[-2:] == [r"\bottomrule", r"\end{tabular}"]
    assert systems[4].startswith(r"1--2 & a\_1 & 90.0 (") and systems[6].startswith("3 & c & 50.0 (")
    assert all(line.endswith(r" \\") and line.count("&") == 8 for line in systems[4:7])
    assert r"a\_1 minus c & +40.0 (" in shown and "$<$0.001 & differs" in shown


def test_the_markdown_has_the_same_cells() -> None:
    shown = paper_tables.markdown(paper_tables.of_ranking(ranking(a=6, b=30)))
    assert "| 1 | a | 90.0 " in shown and "## Differences" in shown


def test_the_csv_holds_every_figure() -> None:
    found = ranking(a=6, b=30)
    rows = list(csv.DictReader(io.StringIO(paper_tables.csv_text(found.scores))))
    values = {(row["system"], row["scope"], row["class"], row["metric"]): row for row in rows}
    assert float(values["a", "mean", "", "accuracy"]["value"]) == pytest.approx(0.9)
    assert float(values["b", "cup", "chip", "recall"]["value"]) == pytest.approx(0.5)
    differs = list(csv.DictReader(io.StringIO(paper_tables.csv_text(found.scores, found.pairs))))[len(rows) :]
    assert [(row["system"], row["metric"]) for row in differs] == [
        ("a minus b", name) for name in ("accuracy_difference", "p", "p_holm")
    ]
    assert float(differs[0]["value"]) == pytest.approx(0.4) and float(differs[2]["value"]) < 0.001
    assert (
        values["b", "cup", "chip", "precision"]["value"] == "1.0" and values["b", "cup", "chip", "recall"]["n"] == "20"
    )


class TestGroups:
    """Systems that are not told apart, in words, in JSON and in the picture, all from the same pairs."""

    @staticmethod
    def of_pairs(names: str, *differ: str) -> Ranking:
        """A ranking of made pairs: those that differ, such as `ac`."""
        pairs = [
            Pair(
                first=one,
                second=other,
                difference=Estimate(0.1, None, None, 9),
                p=0.001 if one + other in differ else 0.9,
                p_holm=0.001 if one + other in differ else 0.9,
                mcnemar=McNemarTest(only_first_right=1, only_second_right=0, p=1.0),
            )
            for one, other in itertools.combinations(names, 2)
        ]
        found = ranking(**{name: 3 * place for place, name in enumerate(names)})
        return dataclasses.replace(found, pairs=pairs)

    @pytest.mark.parametrize(
        ("differ", "groups"),
        [
            ((), ["abcd"]),
            (("ad",), ["abc", "bcd"]),
            (("ab", "cd"), ["ac", "ad", "bc", "bd"]),
            (("ac",), ["abd", "bcd"]),  # a and d are not told apart, though b and c lie between them
            (("ab", "ac", "ad", "bc", "bd", "cd"), []),
            (("ab", "ac", "ad"), ["bcd"]),
        ],
    )
    def test_they_are_the_largest_ones(self, differ: tuple[str, ...], groups: list[str]) -> None:
        found = self.of_pairs("abcd", *differ)
        assert ["".join(group) for group in found.groups] == groups
        assert found.to_json()["groups"] == [list(group) for group in groups]
        words = "; ".join(", ".join(group) for group in groups)
        assert (f"Not told apart: {words}" if groups else "All are told apart") in paper_tables.text(found)

    def test_the_picture_has_a_bar_for_each_and_a_dot_for_each_of_its_systems(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        found = self.of_pairs("abcd", "ac")
        drawn = []
        monkeypatch.setattr(plots, "_png", lambda figure: drawn.append(figure) or b"")
        plots.ranks(found)
        (axes,) = drawn[0].axes
        shares = {score.system: score.value("accuracy") for score in found.scores}
        dots = [sorted(line.get_xdata()) for line in axes.lines if line.get_marker() == "o"]
        assert dots == [sorted(shares[name] for name in group) for group in ("abd", "bcd")]
        words = [text.get_text() for text in axes.texts]
        for name, share in shares.items():
            assert any(
                text.startswith(f"{name} ")
                and f"{100 * share:.1f} %" in text
                and text.endswith(f" {paper_tables.ranks(found, name)}")
                for text in words
            )
