"""What a card says to those who use a release, and in which words of the Hub."""

from __future__ import annotations

import dataclasses
from types import SimpleNamespace
from typing import Any, cast

import pytest

from acbench._util import markdown as md
from acbench._util import templates
from acbench.release.card_facts import CardFacts
from acbench.release.card_front import SIZES, creators, size
from acbench.release.card_use import citing, standings, where
from acbench.release.standings import Figure, Standing

STANDING = Standing(
    system="mine", version="1.0.0", localisation="none", items=80,
    figures={"accuracy": Figure(value=0.275, low=0.1894, high=0.3811), "macro_f1": Figure(value=0.1)},
    hashes=dict.fromkeys(("labels", "split", "schema", "predictions"), "0123456789abcdef"),
    path="leaderboard/v1.0.0/mine/0123456789abcdef",
)  # fmt: skip


@pytest.mark.parametrize(
    ("rows", "word"),
    [(0, "n<1K"), (999, "n<1K"), (1_000, "1K<n<10K"), (100_000, "100K<n<1M"), (999_999, "100K<n<1M"),
     (1_000_000, "1M<n<10M"), (10**9, "1B<n<10B"), (10**12 - 1, "100B<n<1T"), (10**12, "n>1T")],
)  # fmt: skip
def test_any_number_of_rows_has_its_word(rows: int, word: str) -> None:
    assert size(rows) == word
    assert len(SIZES) == 11


def facts(*labels: tuple[str, str, list[tuple[str, str]]], **more: Any) -> CardFacts:
    """Facts of anomalous images: status, who decided, and what kind of witness said what."""
    kinds = [
        SimpleNamespace(
            anomalous=True, status=status, decided_by=decided_by, labels=("chip",),
            votes=[SimpleNamespace(kind=kind, said="label", labels=(said,)) for kind, said in votes],
        )
        for status, decided_by, votes in labels
    ]  # fmt: skip
    return cast(CardFacts, SimpleNamespace(kinds=kinds, **more))


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ([("accepted", "people", [("dataset", "chip")])], ["expert-generated"]),
        ([("accepted", "source_label", [("dataset", "chip")])], ["found"]),
        ([("accepted", "a + b", [("dataset", "chip"), ("model", "chip")])], ["found"]),
        ([("accepted", "llm", [("dataset", "dent"), ("model", "chip")])], ["machine-generated"]),
        ([("accepted", "table", [("table", "chip")]), ("accepted", "people", [])], ["expert-generated", "found"]),
        ([("pending", "nobody", [("model", "chip")])], ["no-annotation"]),
    ],
)
def test_the_creators_are_those_who_made_the_labels(labels: list[Any], expected: list[str]) -> None:
    assert creators(facts(*labels)) == expected


@pytest.mark.parametrize(
    ("contact", "shown"),
    [
        ("labels@example.org", "<labels@example.org>"),
        ("https://example.org/labels?to=ada", "https://example.org/labels?to=ada"),
        ("", "[the discussions of this repository](https://huggingface.co/datasets/my-org/x/discussions)"),
        ("write to *Ada* <script>", md.escaped("write to *Ada* <script>")),
        ("https://example.org/)[x](javascript:", md.escaped("https://example.org/)[x](javascript:")),
    ],
)
def test_where_to_report_is_an_address_or_plain_text(contact: str, shown: str) -> None:
    assert where(contact, "my-org/x") == shown


def cited(citation: str, source: str = "folders", title: str = "T", date: str = "") -> str:
    manifest = SimpleNamespace(benchmark="x", version="1.2.0", title=title, source=source)
    schema = SimpleNamespace(publisher=SimpleNamespace(citation=citation))
    given = SimpleNamespace(manifest=manifest, schema=schema, repo="my-org/x", date=date)
    return "\n\n".join(citing(cast(CardFacts, given), templates.read("card")))


def test_the_release_is_cited_before_its_source_and_the_task() -> None:
    text = cited("", "mvtec_ad")
    assert text.index("@misc{x_1_2_0,") < text.index("@inproceedings{mvtec_ad,") < text.index("@inproceedings{velm,")
    for line in ("  title        = {{T}},", "  author       = {{my-org}},", "  version      = {1.2.0},"):
        assert line in text
    assert "\\url{https://huggingface.co/datasets/my-org/x}" in text
    assert "  year         = {2026},\n" in cited("", date="2026-11-29") and "year         =" not in text
    assert "this release, its source dataset and, for the task" in text
    assert "this release and, for the task" in cited("")


def test_a_title_cannot_leave_its_braces_nor_a_citation_its_fence() -> None:
    assert "title        = {{a b}}" in cited("", title="a} b\\")
    text = cited("@misc{mine,\n  note = {````},\n}\n```\n# Not a heading")
    fence = text.splitlines()[next(n for n, line in enumerate(text.splitlines()) if line.endswith("bibtex"))]
    assert fence == "`````bibtex"
    assert "@misc{mine," in text
    sentence = cited("Ada, *Tiles*, 2026.")
    assert "Of the source: Ada, \\*Tiles\\*, 2026." in sentence
    assert "Tiles" not in sentence.partition("```\n")[0]


def test_figures_have_their_intervals_where_there_are_some() -> None:
    table = standings([STANDING], linked=True)
    assert "| mine | 27.5 (18.9–38.1) | – | 10.0 | – | – | nobody | 1.0.0 |" in table
    assert "[`01234567`](leaderboard/v1.0.0/mine/0123456789abcdef/answers.csv)" in table
    odd = dataclasses.replace(STANDING, system="a | [b](javascript:x)")
    assert "[b](" not in standings([odd])
    assert standings([odd]).splitlines()[-1].count(" | ") == standings([STANDING]).splitlines()[-1].count(" | ")


@pytest.mark.parametrize(
    "change",
    [
        {"system": ""}, {"system": "x" * 101}, {"system": "a\nb"}, {"localisation": "elsewhere"}, {"items": 0},
        {"figures": {"other": Figure(value=0.1)}}, {"figures": {"accuracy": Figure(value=1.5)}},
        {"hashes": {"labels": "0" * 16}}, {"hashes": {**STANDING.hashes, "split": "x)" * 8}},
        {"path": "leaderboard/../../x"}, {"path": "leaderboard/v1.0.0/mine/0123456789abcdef/"},
    ],
)  # fmt: skip
def test_a_standing_that_cannot_be_one_is_odd(change: dict[str, Any]) -> None:
    assert not STANDING.odd()
    assert dataclasses.replace(STANDING, **change).odd()
