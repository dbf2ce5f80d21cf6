"""A schema in minutes: short forms, defaults, names that fit anywhere, texts that are still to be written."""

from __future__ import annotations

from pathlib import Path

import pytest

from acbench import licences, schema
from acbench.errors import SchemaError
from acbench.schema import Schema, lint
from acbench.schema.class_names import category_key, readable, slug
from acbench.schema.form import label_studio_form
from acbench.schema.guide import instructions
from acbench.schema.read import parse
from acbench.schema.render import prompt_text
from tests.support.records import TOY

MINIMAL = "categories:\n  tile:\n    classes: [blowhole, Blow-out (edge)]\n"


def read(text: str, name: str = "magnetic tile") -> Schema:
    found, problems = parse(text, name)
    assert found is not None, problems
    assert lint.check(text, None, name) == []
    return found


class TestMinimal:
    @pytest.mark.parametrize(
        "text",
        [
            MINIMAL,
            "categories: {tile: [blowhole, Blow-out (edge)]}",
            "categories: {tile: {classes: {blowhole: TODO, Blow-out (edge): TODO later}}}",
            "categories: {tile: {classes: [{id: blowhole}, {name: Blow-out (edge)}]}}",
        ],
    )
    def test_categories_and_class_names_are_enough(self, text: str) -> None:
        found = read(text)
        tile = found.categories["tile"]
        assert (found.benchmark, found.source, found.version, found.title) == (
            "magnetic_tile", "folders", "1", "Magnetic tile",
        )  # fmt: skip
        assert (found.licence, found.attribution, tile.name) == (licences.UNKNOWN, "", "Tile")
        assert [(each.id, each.name, each.source) for each in tile.classes] == [
            ("blowhole", "Blowhole", ("blowhole",)),
            ("blow_out_edge", "Blow-out (edge)", ("Blow-out (edge)",)),
        ]
        assert tile.map(["Blow_out EDGE"], "").labels == ("blow_out_edge",)

    def test_what_is_left_out_is_nowhere_shown(self) -> None:
        tile = read(MINIMAL).categories["tile"]
        assert prompt_text(tile) == "Classes:\n- blowhole (Blowhole)\n- blow_out_edge (Blow-out (edge))"
        assert "<small>.</small>" not in label_studio_form(tile) and 'hint=""' not in label_studio_form(tile)
        assert "What you see" not in instructions(tile)

    def test_a_name_that_says_it_all_needs_no_schema_of_its_own(self) -> None:
        assert read(MINIMAL, "3d parts").benchmark == "set_3d_parts"

    @pytest.mark.parametrize(
        ("text", "shape"),
        [
            ("classes: [blowhole, crack]", "categories:\n  CATEGORY: [blowhole, crack]"),
            ("classes: {blowhole: x}", "categories:\n  CATEGORY: [blowhole]"),
            ("categories: [tile, nut]", "categories:\n  tile: [CLASS, CLASS]\n  nut: [CLASS, CLASS]"),
            ("categories: {tile: blowhole}", "  tile: [blowhole]"),
            ("categories: {tile: {classes: 'blowhole, crack'}}", "  classes: [blowhole, crack]"),
            ("categories: {tile: [good, crack]}", "leave 'good' out"),
            ("categories: {tile: [Normal, crack]}", "leave 'Normal' out"),
            ("categories: {tile: ['?', crack]}", "'?' has no letter or digit"),
            ("categories: {tile: {clases: [crack]}}", "unknown key `clases`; did you mean `classes`?"),
        ],
    )
    def test_another_first_try_is_shown_the_shape_with_its_own_words(self, text: str, shape: str) -> None:
        found, problems = parse(text)
        assert found is None
        assert shape in "\n".join(problem.message for problem in problems)


class TestNames:
    @pytest.mark.parametrize(
        ("name", "key"),
        [
            ("bottle", "bottle"),
            ("MT_01.a", "MT_01.a"),
            ("metal nut", "metal_nut"),
            ("Größe + Form (2)", "grosse_form_2"),
            ("all", "all_images"),
            ("ALL", "all_images"),
            (".hidden", "hidden"),
            ("-x", "x"),
            ("螺丝", category_key("螺丝")),
        ],
    )
    def test_a_category_has_a_name_that_fits_anywhere(self, name: str, key: str) -> None:
        found = read(f"categories:\n  {name!r}: [crack]")
        assert list(found.categories) == [key]
        assert key.isascii() and " " not in key
        assert found.key_of(name) == found.key_of(name.upper()) == key
        assert found.categories[key].folder == ("" if key == name else name)

    def test_no_two_categories_have_the_same_name(self) -> None:
        found = read("categories: {a b: [crack], a-b: [crack], a+b: [crack], a_b: [crack]}")
        assert list(found.categories) == ["a_b", "a-b", "a_b_2", "a_b_3"]
        assert [found.key_of(name) for name in ("a b", "a-b", "a+b", "a_b")] == list(found.categories)

    def test_a_problem_is_on_the_line_of_the_name_as_it_is_written(self) -> None:
        (problem,) = lint.check("categories:\n  tile: [crack]\n  metal nut:\n    classes:\n      - id: Crack\n")
        assert (problem.line, problem.where) == (5, "categories.metal nut.classes.0.id")

    def test_words(self) -> None:
        assert (slug("Über-Maß"), readable("metal_nut"), readable("a+b")) == ("uber_mass", "Metal nut", "A b")


class TestOpenTexts:
    def test_todo_is_as_good_as_nothing_and_a_draft_is_used_without_its_mark(self) -> None:
        text = TOY.replace("guide: look at it", "guide: 'TODO: ask Ada'").replace(
            "normal: a whole", "normal: 'DRAFT: a whole"
        )
        text = text.replace("a whole cup", "a whole cup'").replace("attribution: nobody", "attribution: TODO")
        found = read(text)
        assert (found.categories["cup"].guide, found.categories["cup"].normal) == ("", "a whole cup")
        assert found.todo == ("attribution", "categories.cup.guide")
        assert found.drafts == ("categories.cup.normal",)

    def test_each_place_counts_once_and_a_drafted_citation_keeps_its_lines_alone(self) -> None:
        text = TOY.replace("licence: CC0-1.0", "licence: TODO\ncitation: |\n  DRAFT: Ada\n   2026")
        found = read(text)
        assert (found.todo, found.drafts) == (("licence",), ("citation",))
        assert found.publisher.citation == "Ada\n 2026"
        assert len(parse(TOY.replace("licence: CC0-1.0", "licence: ''"))[1]) == 1

    def test_taking_a_draft_over_changes_no_digest(self) -> None:
        drafted = read(TOY.replace("normal: a", "normal: 'DRAFT: a").replace("whole cup", "whole cup'"))
        assert drafted.drafts and drafted.digest == read(TOY).digest

    def test_what_a_publisher_says_changes_no_digest(self) -> None:
        more = "home: https://x.org\ncitation: |\n  @misc{a,\n    title = {A}}\n"
        more += "image_licence: cc-by-4.0\nshare_images: yes\n"
        said = read(TOY.replace("title: Toy\n", f"title: Toy\n{more}"))
        assert said.digest == read(TOY).digest
        assert said.publisher.citation == "@misc{a,\n  title = {A}}"
        assert (said.publisher.image_licence, said.publisher.share_images) == ("CC-BY-4.0", True)
        assert said.publisher.given == ("home", "citation", "image_licence", "share_images")

    def test_labels_have_the_licence_of_the_images_unless_they_have_their_own(self) -> None:
        images = TOY.replace("licence: CC0-1.0", "image_licence: cc-by-sa-4.0")
        assert read(images).licence == "CC-BY-SA-4.0"
        assert read(f"licence: mit\n{images.lstrip()}").licence == "MIT"


def test_a_benchmark_of_a_project_is_known_by_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = tmp_path / "elsewhere" / "tile.yaml"
    own.parent.mkdir()
    own.write_text(MINIMAL, encoding="utf-8")
    project = tmp_path / "project"
    for benchmark, kept in (("tile", str(own)), ("older", "older.yaml"), ("sample", "sample"), ("broken", "")):
        (project / ".acbench" / benchmark).mkdir(parents=True)
        text = f'{{"schema": "{kept}"}}' if kept else "nonsense"
        (project / ".acbench" / benchmark / "settings.json").write_text(text, encoding="utf-8")
    (project / "older.yaml").write_text(MINIMAL, encoding="utf-8")
    for name, file in (("tile", own), ("older", project / "older.yaml")):
        found = schema.load(name, project)
        assert (found.benchmark, found.file, found.argument) == (name, str(file), f"{name} --project {project}")
    monkeypatch.chdir(project)
    assert schema.load("tile").argument == "tile"
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ACBENCH_PROJECT", str(project))
    assert schema.load("older").benchmark == "older"
    with pytest.raises(SchemaError, match="did you mean tile"):
        schema.load("tiles")
