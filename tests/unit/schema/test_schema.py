"""Label schemas: the bundled ones are sound, every fault has a line, and nothing is ever guessed."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from xml.etree import ElementTree as Xml

import pytest
from hypothesis import given
from hypothesis import strategies as st

from acbench import schema
from acbench.data import sources
from acbench.errors import SchemaError
from acbench.records import GOOD
from acbench.schema import Boundary, Category, form, form_style, guide, lint, people, render
from acbench.schema.read import MAX_BYTES, parse, source_text
from acbench.schema.reasons import reasons
from tests.support.lazy import lazy
from tests.support.records import BOTTLE, CHIP, CRACK, HEAD, MVTEC_AC, TOY

label_interface = lazy("label_studio_sdk.label_interface")
BUNDLED = {name: schema.load(name) for name in schema.names()}
CATEGORIES = [
    pytest.param(category, id=f"{name}-{key}")
    for name, one in BUNDLED.items()
    for key, category in one.categories.items()
]
PUBLISHED = """
    published:
      - chip
      - {id: both, name: Both, definition: two, reason: rare, sets: [[chip, crack]]}
"""


BOUNDARY = "      - {kind: boundary, between: [good, chip], reason: a nick is normal}\n"
"""An entry of `changes` of the toy."""
KEPT_DIGEST = "b98f92f3"
"""Of the toy. Scores of one digest are comparable, so it stays the same from version to version."""


def toy(text: str = TOY) -> Category:
    found, problems = parse(text)
    assert found is not None, problems
    return found.categories["cup"]


class TestBundled:
    def test_these_are_there(self) -> None:
        assert schema.names() == ["mvtec_ac", "sample", "visa_ac"]

    @pytest.mark.parametrize("name", BUNDLED)
    def test_it_is_sound_and_maps_every_label_of_its_dataset(self, name: str) -> None:
        known = sources.get(BUNDLED[name].source).known_labels()
        assert lint.check(source_text(name).text, known) == []

    @pytest.mark.parametrize(
        ("name", "categories", "view", "classes"), [("mvtec_ac", 15, 14, 64), ("visa_ac", 12, 12, 50)]
    )
    def test_it_has_the_published_structure(self, name: str, categories: int, view: int, classes: int) -> None:
        published = [len(each.published) for each in BUNDLED[name].categories.values()]
        assert (len(published), sum(map(bool, published)), sum(published)) == (categories, view, classes)

    @pytest.mark.parametrize("category", CATEGORIES)
    def test_every_way_to_name_a_class_is_understood(self, category: Category) -> None:
        for one in category.classes:
            for name in (one.id, one.name, *one.aliases):
                assert category.parse(name) == one.id


class TestRules:
    """Each breaks one rule in a sound schema; the problem is on the line that holds `at`."""

    def test_the_toy_is_sound(self) -> None:
        assert lint.check(TOY, {"cup": ["chip", "crack,fissure", "combined"]}) == []
        assert lint.check(TOY + PUBLISHED) == []
        assert lint.check(TOY + BOUNDARY) == []

    @pytest.mark.parametrize(
        "text", ["two defects combined", 'a "chip" of a label', "a fissure", "labels of paper", "a `chip` or `good`"]
    )
    def test_plain_words_are_no_talk_of_folders(self, text: str) -> None:
        assert lint.check(TOY.replace("look at it", text)) == []

    def test_the_texts_of_published_classes_are_read_as_well(self) -> None:
        problems = lint.check(TOY + PUBLISHED.replace("definition: two", "definition: two in a directory"))
        assert [problem.message[:21] for problem in problems] == ["talks of 'directory',"]

    @pytest.mark.parametrize(
        ("old", "new", "at", "message"),
        [
            # what the reader finds
            ("title: Toy", "license: MIT", "license", "unknown key `license`"),
            ("licence: CC0-1.0", "licence: cc by 4.0", "licence", "did you mean CC-BY-4.0?"),
            ("title: Toy", "title: Toy\nshare_images: maybe", "share_images", "'maybe' is neither yes nor no"),
            ("title: Toy", "title: Toy\ncolour: red", "colour", "unknown key `colour`"),
            ("title: Toy", "title: Toy\ntitle: Toys", "title: Toys", "given twice"),
            ("title: Toy", "title:", "title:", "is empty"),
            ("title: Toy", "title: [Toy]", "title: [Toy]", "expected text"),
            ("title: Toy", r'title: "T\x07oy"', "title:", "holds a control character"),
            ("source: [chip]", "source: chip", "source: chip", "expected a list"),
            ("source: [chip]", "source: &a [chip]\n        aliases: *a", "*a", "YAML aliases are not allowed"),
            ("guide: look at it", "guide: look: at it", "guide:", "not YAML: mapping values are not allowed"),
            ("kind: mixed", "kind: muddle", "kind: muddle", "kind is 'muddle', not one of merge"),
            ("into: crack, ", "", "fissure, r", "`into` is missing for kind merge"),
            ("source: combined", "source: combined, into: chip", "combined", "`into` does not go with kind mixed"),
            ("source: combined", "source: combined, image: a.png", "combined", "`image` goes with kind correct"),
            ("source: combined", "source: combined, between: [chip, crack]", "combined", "`between` goes with kind b"),
            ("source: combined, ", "", "kind: mixed", "`source` is missing"),
            ("mixed, source: combined", "boundary", "boundary", "`between` goes with kind boundary"),
            ("mixed, source: combined", "boundary, between: [chip, dent]", "between", "'dent' is no class"),
            ("mixed, source: combined", "boundary, between: [chip, chip]", "between", "between two classes or more"),
            ("mixed,", "boundary, between: [chip, crack],", "between", "`source` does not go with kind boundary"),
            # what the linter finds
            ("benchmark: toy", "benchmark: Toy", "benchmark", "'Toy' is not lower case"),
            ("id: chip", "id: Chip", "id: Chip", "'Chip' is reserved or not made of"),
            ("id: chip", "id: good", "id: good", "'good' is reserved"),
            ("name: Chip", "name: Normal", "name: Normal", "names the reserved class of normal images"),
            ("name: Chip", "name: Bad image", "name: Bad image", "names a reserved verdict"),
            ("name: Crack", "name: FLAKE!", "name: FLAKE!", "'FLAKE!' already names class chip"),
            ("[flake]", "[flake, Flake]", "[flake, Flake]", "'Flake' says nothing new"),
            ("[flake]", "['?!']", "['?!']", "has no letter or digit"),
            ("name: Chip", "name: Chip + crack", "name: Chip +", "'Chip + crack' has no letter or digit, or one of +"),
            ("a piece of the rim has broken off and is gone", "gone", "definition: gone", "too short"),
            ("not a crack, from which nothing is missing at all", "no", "not: no", "too short"),
            ("source: [chip]", "source: []", "source: []", "no source label maps to this class"),
            ("source: [chip]", "source: [chip, crack]", "source: [crack, f", "'crack' maps to chip already"),
            ("source: [chip]", "source: [chip, dent]", "source: [chip, d", "'dent' needs a merge or rename"),
            ("into: crack", "into: [crack, dent]", "into:", "'dent' is no class"),
            ("source: fissure", "source: dent", "source: dent", "no class lists 'dent'"),
            ("source: combined", "source: chip", "{kind: mixed", "'chip' is mixed and yet the source of a class"),
            ("kind: mixed", "kind: exclude", "{kind: exclude", "so there is no label to keep"),
            (CHIP + CRACK, " []", "cup:", "has no classes"),
            # what neither a model nor an annotator sees
            ("guide: look at it", "guide: see the folder", "guide:", "talks of 'folder'"),
            ("guide: look at it", 'guide: two in "combined"', "guide:", "talks of 'combined'"),
            ("normal: a whole cup", "normal: whole in every Data Set", "normal:", "talks of 'Data Set'"),
            ("object: a cup", "object: see source labels", "object:", "talks of 'source labels'"),
            ("has broken off and is gone", "is gone; ground truth", "definition: a piece", "talks of 'ground truth'"),
            ("not a crack, from", "not `fissure`, from", "not: not `fissure`", "talks of 'fissure'"),
            ("guide: look at it", "guide: is it a `chp`?", "guide:", "`chp` is no class of this category"),
        ],
    )
    def test_a_broken_rule_is_named_with_its_line(self, old: str, new: str, at: str, message: str) -> None:
        assert TOY.count(old) == 1
        text = TOY.replace(old, new)
        lines = [number for number, line in enumerate(text.splitlines(), start=1) if at in line]
        assert [each.line for each in lint.check(text) if message in each.message] == lines[:1]

    @pytest.mark.parametrize(
        ("published", "message"),
        [
            ("[dent]", "'dent' is no class"),
            ("[chip, chip]", "'chip' already names chip of the published classes"),
            ("[{id: a, name: A, definition: d, reason: r, sets: []}]", "holds no label set"),
            ("[{id: a, name: A, definition: d, reason: r, sets: [[]]}]", "an empty label set is no class"),
            ("[{id: a, name: A, definition: d, reason: r, sets: [[chip, dent]]}]", "dent: no class of this category"),
            ("[chip, {id: a, name: A, definition: d, reason: r, sets: [[chip]]}]", "{chip} is in chip already"),
        ],
    )
    def test_the_published_classes_are_checked(self, published: str, message: str) -> None:
        problems = lint.check(f"{TOY}    published: {published}\n")
        assert {each.line for each in problems} == {TOY.count("\n") + 1}
        assert message in "\n".join(each.message for each in problems)

    @pytest.mark.parametrize(
        ("known", "message"),
        [
            ({"cup": ["chip", "crack", "fissure"], "pot": ["chip"]}, "the dataset's category 'pot' is missing"),
            ({"cup": ["chip", "crack", "fissure,dent"]}, "label 'dent' maps to no class"),
            ({"cup": ["chip", "crack"]}, "the dataset has no label 'fissure'"),
            ({"pot": ["chip"]}, "the dataset has no such category"),
        ],
    )
    def test_it_has_to_cover_the_dataset_and_no_more(self, known: dict[str, list[str]], message: str) -> None:
        assert message in "\n".join(map(str, lint.check(TOY, known)))

    @pytest.mark.parametrize("categories", ["{}", "[]", "1", "{cup: }"])
    def test_a_schema_without_categories_is_refused(self, categories: str) -> None:
        assert lint.check(HEAD.partition("categories:")[0] + f"categories: {categories}")

    def test_all_problems_are_told_in_the_order_of_lines(self) -> None:
        problems = lint.check(
            TOY.replace("title: Toy\n", "t: Toy\n").replace("kind: mixed", "kind: x").replace("[chip]", "1")
        )
        assert [each.line for each in problems] == sorted(each.line for each in problems)
        assert len(problems) == 3


class TestHostileFiles:
    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("", "expected a mapping"),
            ("- a", "expected a mapping"),
            ("a: [", "not YAML"),
            ("a\0b", "not YAML"),
            ("a: 1\n---\nb: 2", "not YAML: but found another document"),
            ("[" * 100_000, "nested too deeply"),
            ("- " * 100_000, "nested too deeply"),
            ("{a: " * 100_000, "nested too deeply"),
            ("a: &a [x]\nb: [*a, *a]", "YAML aliases are not allowed"),
            ("&a [*a]", "YAML aliases are not allowed"),
            ("? [a, b]\n: c", "a key has to be text"),
            ("!!python/object/apply:os.system {a: b}", "unknown key"),
        ],
        ids=lambda text: text[:20],
    )
    def test_it_is_a_problem_and_not_a_crash(self, text: str, message: str) -> None:
        found, problems = parse(text)
        assert found is None
        assert message in "\n".join(map(str, problems))

    @given(st.text(st.characters(exclude_categories=["Cs"])))
    def test_any_text_is_read_or_refused(self, text: str) -> None:
        found, problems = parse(text)
        assert found is None and problems

    @pytest.mark.parametrize(
        ("content", "message"),
        [
            (b"\xff\xfe\0", "cannot read"),
            (b"#" * (MAX_BYTES + 1), "larger than 4 MiB"),
            (b"a: 1", "`categories` is mis"),
        ],
    )
    def test_loading_it_says_what_is_wrong(self, tmp_path: Path, content: bytes, message: str) -> None:
        (tmp_path / "own.yaml").write_bytes(content)
        with pytest.raises(SchemaError, match=message):
            schema.load(str(tmp_path / "own.yaml"))

    @pytest.mark.parametrize("name", ["nothing.yaml", ".", "mvtec", "../mvtec_ac", ""])
    def test_a_name_that_is_none_is_refused_with_a_hint(self, name: str) -> None:
        with pytest.raises(SchemaError) as caught:
            schema.load(name)
        assert caught.value.hint

    def test_a_file_of_ones_own_is_read(self, tmp_path: Path) -> None:
        (tmp_path / "own.yaml").write_text(TOY)
        own = schema.load(path := str(tmp_path / "own.yaml"))
        assert own.categories["cup"].class_ids == ("chip", "crack")
        assert (own.argument, schema.load("visa_ac").argument) == (path, "visa_ac")

    def test_the_digest_changes_with_the_content_only(self) -> None:
        def digest(text: str) -> str:
            found, _ = parse(text)
            assert found is not None
            return found.digest

        assert digest(TOY) == digest("# a comment\n" + TOY) != digest(TOY.replace("look at it", "look twice"))
        assert digest(TOY + BOUNDARY) != digest(TOY) == KEPT_DIGEST


class TestMap:
    CUP = toy(
        TOY
        + "      - {kind: exclude, source: chip, reason: too few}\n"
        + "      - {kind: correct, source: chip, into: crack, image: cup/test/chip/1.png, reason: seen}\n"
    )

    @pytest.mark.parametrize(
        ("source", "labels", "reason"),
        [
            (["crack"], ("crack",), ""),
            (["fissure"], ("crack",), "`fissure` merged: one kind under two names"),
            (["fissure", "crack"], ("crack",), "`fissure` merged: one kind under two names"),
            (["chip", "crack"], ("chip", "crack"), "`chip` excluded: too few"),
            (["good"], (GOOD,), ""),
            (["normal"], (GOOD,), ""),
            (["good", "crack"], (), "`good` is not in the schema"),
            (["combined"], (), "`combined` names no class: several kinds in one folder"),
            (["crack", "combined"], (), "`combined` names no class: several kinds in one folder"),
            (["Crack"], ("crack",), ""),
            (["cracks"], (), "`cracks` is not in the schema; did you mean `crack`?"),
            (["crack", "dent"], (), "`dent` is not in the schema"),
            ([], (), "the dataset gives no label"),
        ],
    )
    def test_labels_become_classes_with_a_reason(self, source: list[str], labels: tuple[str, ...], reason: str) -> None:
        mapped = self.CUP.map(source, "cup/test/other/0.png")
        assert (mapped.labels, mapped.reason) == (labels, reason)
        assert mapped.excluded == ("chip" in source)

    def test_a_correction_is_for_its_image_alone(self) -> None:
        assert self.CUP.map(["chip"], "cup/test/chip/1.png").labels == ("crack",)
        assert self.CUP.map(["chip"], "cup/test/chip/2.png").labels == ("chip",)


class TestParse:
    @pytest.mark.parametrize("text", ["broken_large", "Large breakage", " BROKEN large. ", "Broken-Large"])
    def test_case_and_punctuation_do_not_matter(self, text: str) -> None:
        assert BOTTLE.parse(text) == "broken_large"

    @pytest.mark.parametrize("text", ["broken", "broken_larg", "broken_large_1", "broken_large broken_small", "", "?"])
    def test_the_nearest_class_is_never_guessed(self, text: str) -> None:
        assert BOTTLE.parse(text) is None

    @pytest.mark.parametrize("text", ["good", "Good", "normal", "NORMAL."])
    def test_normal_images_have_one_name_everywhere(self, text: str) -> None:
        assert BOTTLE.parse(text) == BOTTLE.parse_published(text) == GOOD
        assert schema.is_normal(text) and BOTTLE.map([text], "bottle/test/good/000.png").labels == (GOOD,)

    def test_of_two_classes_with_one_name_the_first_has_it_and_no_published_one(self) -> None:
        chip, crack = toy().classes
        cup = dataclasses.replace(toy(), classes=(chip, dataclasses.replace(crack, aliases=("Flake",))))
        assert cup.parse("flake") == "chip"
        published = tuple(dataclasses.replace(each, aliases=("flake",)) for each in cup.published)
        assert dataclasses.replace(cup, published=published).parse_published("flake") is None

    def test_a_changed_copy_of_a_category_answers_by_its_own_classes(self) -> None:
        cup = toy()
        assert (cup.parse("chip"), cup.class_ids, cup.answers) == ("chip", ("chip", "crack"), (GOOD, "chip", "crack"))
        copy = dataclasses.replace(cup, classes=cup.classes[1:])
        assert (copy.parse("chip"), copy.class_ids, copy.map(["chip"], "a").labels) == (None, ("crack",), ())
        assert copy.map(["crack"], "a").labels == ("crack",)


class TestPublishedClass:
    def test_a_label_set_has_its_class_or_none(self) -> None:
        cup = toy(TOY + PUBLISHED)
        assert cup.published_class(["crack", "chip", "chip"]) == "both"
        assert cup.published_class(["chip"]) == "chip"
        assert cup.published_class(["crack"]) is None
        assert cup.published_class([]) is None

    def test_without_a_list_every_class_is_published(self) -> None:
        assert [one.id for one in toy().published] == ["chip", "crack"]


class TestRender:
    @pytest.mark.parametrize("category", CATEGORIES)
    def test_label_studio_accepts_the_form(self, category: Category) -> None:
        found = label_interface.LabelInterface(form.label_studio_form(category))
        found.validate()
        choices = [each.attr["alias"] for each in found.get_control(form.CONTROL).labels_attrs.values()]
        assert choices == [GOOD, *category.class_ids, *form.VERDICTS]

    @pytest.mark.parametrize("category", CATEGORIES)
    def test_every_class_has_a_key_of_its_own(self, category: Category) -> None:
        choices = list(Xml.fromstring(form.label_studio_form(category)).iter("Choice"))
        keys = [choice.get("hotkey") for choice in choices]
        assert None not in keys
        assert len(set(keys)) == len(keys)

    def test_the_form_offers_every_class_even_without_a_key_for_each(self) -> None:
        classes = tuple(dataclasses.replace(BOTTLE.classes[0], id=f"c{n}", name=f"Class {n}") for n in range(60))
        found = form.label_studio_form(dataclasses.replace(BOTTLE, classes=classes))
        assert all(f'alias="{one.id}"' in found for one in classes)
        assert 0 < found.count("hotkey=") < 60

    def test_many_choices_stand_in_two_columns_that_the_style_knows(self) -> None:
        few, many = schema.load("mvtec_ac").categories["bottle"], schema.load("visa_ac").categories["candle"]
        assert "acb-many" not in form.label_studio_form(few).partition("</Style>")[2]
        assert 'className="acb-side acb-many acb-lines-3 acb-rows-6"' in form.label_studio_form(many)
        for rows in range(4, form_style.MOST_ROWS + 1):
            assert f".acb-rows-{rows} " in form_style.STYLE
        assert not set("<>&") & set(form_style.STYLE)

    def test_the_form_tells_how_far_the_round_is_where_that_is_known(self) -> None:
        few = schema.load("mvtec_ac").categories["bottle"]
        assert "<Table" not in form.label_studio_form(few)
        assert f'value="{form.PROGRESS}"' in form.label_studio_form(few, progress=form.PROGRESS)

    def test_no_text_breaks_out_of_the_form(self) -> None:
        evil = '"/></View><Text name="x" value="$secret"/><script>'
        category = dataclasses.replace(BOTTLE, name=evil, normal=f"{evil}. More.")
        found = form.label_studio_form(category)
        label_interface.LabelInterface(found).validate()
        assert "<Text " not in found
        assert "<script" not in Xml.fromstring(found).findall(".//Choice")[0].attrib["html"]
        assert "<script" not in guide.instructions(category)

    @pytest.mark.parametrize("category", CATEGORIES)
    def test_what_does_not_go_together_brings_up_a_field_that_nobody_can_fill_in(self, category: Category) -> None:
        found = Xml.fromstring(form.label_studio_form(category))
        clashes = set()
        for outer in found.iterfind(".//View[@whenChoiceValue]"):
            for inner in outer.iterfind("./View[@whenChoiceValue]"):
                (field,) = inner.iterfind("TextArea")
                assert (field.get("required"), bool(field.get("requiredMessage"))) == ("true", True)
                assert {outer.get("whenTagName"), inner.get("whenTagName")} == {form.CONTROL}
                others = (inner.get("whenChoiceValue") or "").split(",")
                clashes |= {frozenset((outer.get("whenChoiceValue"), other)) for other in others}
        alone = (GOOD, *form.VERDICTS)
        everything = (*alone, *category.class_ids)
        assert clashes == {frozenset((one, other)) for one in alone for other in everything if one != other}
        assert len(list(found.iter("Choices"))) == 1, "a second one would get keys"

    def test_the_looks_survive_the_way_into_the_page(self) -> None:
        (style,) = Xml.fromstring(form.label_studio_form(BOTTLE)).iter("Style")
        assert style.text and not set("<>&") & set(style.text)

    def test_what_a_task_may_lack_is_shown_by_headers_alone(self) -> None:
        """A header of a field that is not there is empty; any other tag shows an error."""
        for each in Xml.fromstring(form.label_studio_form(BOTTLE)).iter():
            if each.get("value") in {f"${name}" for name in form.OPTIONAL}:
                assert each.tag == "Header"

    @pytest.mark.parametrize("category", CATEGORIES)
    def test_the_guide_lists_questions_and_choices(self, category: Category) -> None:
        page = Xml.fromstring(guide.instructions(category).replace("<br>", "<br/>"))
        text = " ".join("".join(page.itertext()).split())
        for one in category.classes:
            assert people.by_name(one.definition, category, mark=str) in text
            assert people.by_name(one.not_this, category, mark=str) in text
        assert guide.MARKED in text
        heads = ["".join(each.itertext()) for each in page.iter("b")]
        chosen = [f"{one.name} [{form.keys(category)[one.id]}]" for one in category.classes]
        assert [each for each in heads if each in chosen] == chosen
        asked = [each for each in heads if each.rstrip(".").isdigit()]
        assert asked == [f"{n}." for n in range(1, len(asked) + 1)] and len(asked) > 1

    @pytest.mark.parametrize(
        ("text", "before", "steps"),
        [
            ("look at it", "look at it", []),
            ("1. only one question", "1. only one question", []),
            (
                "First. 1. Is it? Else to 2. 2. 1.5 wide? Then 3. 3. No.",
                "First.",
                ["Is it? Else to 2.", "1.5 wide? Then 3.", "No."],
            ),
            ("1. a. 3. b. 2. c.", "", ["a. 3. b.", "c."]),
        ],
    )
    def test_questions_are_told_by_their_numbers(self, text: str, before: str, steps: list[str]) -> None:
        assert guide._steps(text) == (before, steps)

    @pytest.mark.parametrize("category", CATEGORIES)
    def test_the_json_schema_is_one_and_takes_these_classes_only(self, category: Category) -> None:
        jsonschema = pytest.importorskip("jsonschema")
        answer = render.json_schema(category)
        jsonschema.Draft202012Validator.check_schema(answer)
        takes = jsonschema.Draft202012Validator(json.loads(json.dumps(answer))).is_valid
        rest = {"confidence": 0.5, "reason": "", "text_in_image": False}
        assert takes({"labels": list(category.class_ids), **rest})
        assert not takes({"labels": ["something else"], **rest})
        assert not takes({"labels": [GOOD], **rest, "more": 1})
        assert list(answer["properties"]) == answer["required"]

    @pytest.mark.parametrize("category", CATEGORIES)
    def test_the_prompt_tells_every_class(self, category: Category) -> None:
        text = render.prompt_text(category)
        assert all(f"- {one.id} ({one.name}): {one.definition}" in text for one in category.classes)


class TestPeople:
    """A text names classes by id for models, and by name for people."""

    @pytest.mark.parametrize(
        ("text", "shown"),
        [
            ("Not `broken_small`: it", "Not [Small breakage]: it"),
            ("Not broken_small or broken_large.", "Not [Small breakage] or [Large breakage]."),
            ("Then `contamination`.", "Then [Contamination]."),
            ("a contamination, a good part", "a contamination, a good part"),  # may be meant as words
            ("`good`, not good", "[Normal], not good"),
            ("broken_larger, x-broken_large, broken_large-x", "broken_larger, x-broken_large, broken_large-x"),
            ("broken_large", "[Large breakage]"),
            ("`dent` and `", "`dent` and `"),
            ("", ""),
        ],
    )
    def test_ids_become_names_on_whole_words(self, text: str, shown: str) -> None:
        assert people.by_name(text, BOTTLE, mark="[{}]".format) == shown

    def test_neither_names_nor_the_text_between_can_break_out_of_the_page(self) -> None:
        evil = dataclasses.replace(BOTTLE.classes[0], name="<i>Large", definition="<u> `broken_large` & </u> enough")
        page = guide.instructions(dataclasses.replace(BOTTLE, classes=(evil,)))
        assert "&lt;u&gt; <b>&lt;i&gt;Large</b> &amp; &lt;/u&gt; enough" in page

    @pytest.mark.parametrize("category", CATEGORIES)
    def test_no_page_of_people_shows_an_id(self, category: Category) -> None:
        hints = [each.get("hint") or "" for each in Xml.fromstring(form.label_studio_form(category)).iter("Choice")]
        for text in (guide.instructions(category), *hints):
            assert "`" not in text
            words = {word.strip(".,:;()<>") for word in text.split()}
            assert not words & {class_id for class_id in category.class_ids if not class_id.isalpha()}

    def test_a_hint_calls_classes_by_name(self) -> None:
        choices = Xml.fromstring(form.label_studio_form(BOTTLE)).iter("Choice")
        (hint,) = (choice.get("hint") or "" for choice in choices if choice.get("alias") == "broken_large")
        assert 'Not "Small breakage":' in hint

    def test_a_model_reads_ids(self) -> None:
        assert "Not `broken_small`:" in render.prompt_text(BOTTLE)


class TestReasons:
    CUP = toy(TOY + BOUNDARY + "      - {kind: correct, source: chip, into: crack, image: a.png, reason: seen}\n")

    def test_changes_come_first_and_then_boundaries(self) -> None:
        assert reasons(self.CUP) == [
            "`fissure` is merged into `crack`. one kind under two names",
            "`combined` names no class. several kinds in one folder",
            "`chip` of `a.png` becomes `crack`. seen",
            "`good` / `chip`: a nick is normal",
        ]

    def test_corrections_of_other_images_can_be_left_out(self) -> None:
        assert len(reasons(self.CUP, {"b.png"})) == 3
        assert len(reasons(self.CUP, {"a.png"})) == 4

    def test_a_boundary_maps_no_label_and_is_in_no_prompt(self) -> None:
        assert self.CUP.boundaries == (Boundary(classes=("good", "chip"), reason="a nick is normal"),)
        assert self.CUP.map(["good"], "b.png").labels == (GOOD,)
        assert self.CUP.map(["chip"], "b.png").reason == ""
        for text in (render.prompt_text(self.CUP), guide.instructions(self.CUP), form.label_studio_form(self.CUP)):
            assert "nick" not in text


def test_a_category_that_is_not_there_is_none() -> None:
    assert MVTEC_AC.category("teapot") is None
