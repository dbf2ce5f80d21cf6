"""A first schema from what is on disk: sound, total, and never over somebody's words."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from acbench import schema
from acbench.data import sources
from acbench.data.listing import list_images
from acbench.schema import lint
from acbench.testing import TOY_LAYOUTS, toy_layout
from acbench.testing.endpoint import FakeEndpoint, Json, colour_of, question_pictures, question_text
from acbench.testing.trees import full_tree
from acbench.workflows import schema_init
from tests.support.commands import Done, here


@pytest.mark.parametrize("name", TOY_LAYOUTS)
def test_it_is_sound_and_every_label_of_the_data_maps(tmp_path: Path, name: str) -> None:
    root = toy_layout(tmp_path / "images of ours", name)
    sketch = schema_init.sketch(str(root))
    assert schema_init.write(sketch.schema, tmp_path / "own.yaml") == []
    found = schema.load(str(tmp_path / "own.yaml"))
    assert lint.check((tmp_path / "own.yaml").read_text(encoding="utf-8")) == []
    images = list_images(sources.get(found.source, found.reading), root).images
    assert len(images) >= 3
    for image in images:
        category = found.categories[found.key_of(image.category)]
        if image.source_labels:
            assert category.map(image.source_labels, image.image).labels, image
    assert found.todo and not found.drafts


def test_spellings_are_one_class_and_what_all_names_begin_with_goes(tmp_path: Path) -> None:
    names = ("MT_Free", "MT_Blow-hole", "MT_blow_hole", "MT_Größe + Form", "MT_unsure")
    full_tree(tmp_path / "set", [f"{name}/{number}.png" for name in names for number in range(3)])
    sketch = schema_init.sketch(str(tmp_path / "set"), reading={"normal": "MT_Free"})
    (category,) = sketch.schema.categories
    assert [(each.id, tuple(each.source)) for each in category.classes] == [
        ("blow_hole", ("MT_Blow-hole", "MT_blow_hole")),
        ("grosse_form", ("MT_Größe + Form",)),
        ("unsure_2", ("MT_unsure",)),
    ]
    assert schema_init.write(sketch.schema, tmp_path / "set.yaml") == []


def test_a_file_that_is_there_stays_and_nothing_is_asked(tmp_path: Path) -> None:
    root, out = toy_layout(tmp_path / "set", "classes"), tmp_path / "own.yaml"
    out.write_text("mine", encoding="utf-8")
    done = here("schema", "init", root, "--out", out)
    assert (done.status, out.read_text(encoding="utf-8")) == (1, "mine")
    assert "is there already" in done.err


def test_marks_of_yaml_in_names_stay_part_of_the_names(tmp_path: Path) -> None:
    names = ("good", "bent, deep", "edge] top", "no", "- {x}: y #1")
    full_tree(tmp_path / "set", [f"{name}/{number}.png" for name in names for number in range(3)])
    sketch = schema_init.sketch(str(tmp_path / "set"), reading={"normal": "fine, [whole]"})
    assert schema_init.write(sketch.schema, tmp_path / "set.yaml") == []
    found = schema.load(str(tmp_path / "set.yaml"))
    (category,) = found.categories.values()
    assert {each.source for each in category.classes} == {(name,) for name in names[1:]}
    assert found.reading["normal"] == "fine, [whole]"


def test_a_class_that_joins_others_is_named_with_what_to_write_instead(tmp_path: Path) -> None:
    names = ("good", "crack", "dent", "crack, dent", "a+b", "combined")
    full_tree(tmp_path / "set", [f"{name}/{number}.png" for name in names for number in range(3)])
    sketch = schema_init.sketch(str(tmp_path / "set"))
    told = [re.search(r"`(changes: .*)`,", note) for note in sketch.notes if "several kinds" in note]
    changes = [yaml.safe_load(found[1])["changes"][0] for found in told if found]
    assert [(each["kind"], each["source"]) for each in changes] == [("mixed", "combined"), ("mixed", "crack, dent")]


@pytest.mark.parametrize("name", ["sample", "mvtec_ac"])
def test_it_takes_the_name_of_no_bundled_benchmark(tmp_path: Path, name: str) -> None:
    assert schema_init.sketch(str(toy_layout(tmp_path / name, "classes"))).schema.benchmark == f"{name}_own"


def test_a_folder_that_nobody_knows_is_an_error_with_a_way_out(tmp_path: Path) -> None:
    done = here("schema", "init", tmp_path)
    assert done.status == 1 and f"there is no image in {tmp_path}" in done.err


class TestWithModel:
    def draft(self, body: Json) -> str:
        """An answer that drafts every text, and calls one class by a wrong id."""
        if "colour" in str(body["response_format"]):
            return json.dumps({"colour": colour_of(question_pictures(body)[0])})
        ids = re.findall(r"`(\w+)`", question_text(body).partition("Write, in plain")[0])
        texts = {key: f"What is said of {key}: it lies on a plain ground." for key in ("object", "normal", "guide")}
        said = [{"id": each, "definition": f"A place that is {each}, darker than what is around it."} for each in ids]
        return "<think>hm</think>Here: " + json.dumps({**texts, "classes": [*said, {"id": "ghost", "not": "x" * 50}]})

    @pytest.fixture
    def endpoint(self) -> Iterator[FakeEndpoint]:
        with FakeEndpoint() as running:
            running.answer = self.draft
            yield running

    def init(self, tmp_path: Path, endpoint: FakeEndpoint, *more: object) -> Done:
        root = toy_layout(tmp_path / "set", "mvtec_ad")
        (tmp_path / "project").mkdir(exist_ok=True)
        return here(
            "schema", "init", root, "--with-model", "--llm", "m", "--llm-url", endpoint.url, "--llm-price", "1/1",
            "--project", tmp_path / "project", *more,
        )  # fmt: skip

    def test_one_question_a_category_and_every_text_is_a_draft(self, tmp_path: Path, endpoint: FakeEndpoint) -> None:
        done = self.init(tmp_path, endpoint, "--out", tmp_path / "own.yaml")
        assert done.status == 0, done.said
        assert len(endpoint.requests) == 2 + 2, "two colours, two categories"
        found = schema.load(str(tmp_path / "own.yaml"))
        nut = found.categories["nut"]
        assert nut.classes[0].definition == "A place that is crack, darker than what is around it."
        assert nut.object.startswith("What is said of object") and nut.classes[0].not_this == ""
        assert len(found.drafts) == 2 * 3 + 3 == int(re.search(r"Drafted: (\d+)", done.out)[1])  # type: ignore[index]
        assert "ghost" not in (tmp_path / "own.yaml").read_text(encoding="utf-8")
        assert self.init(tmp_path, endpoint, "--out", tmp_path / "own.yaml").status == 1
        assert self.init(tmp_path, endpoint, "--out", tmp_path / "again.yaml").status == 0
        assert len(endpoint.requests) == 4, "what was paid for is kept"

    def test_beyond_the_budget_nothing_is_asked_and_the_texts_stay_open(
        self, tmp_path: Path, endpoint: FakeEndpoint
    ) -> None:
        done = self.init(tmp_path, endpoint, "--out", tmp_path / "own.yaml", "--budget", "0.000001", "--no-canary")
        assert done.status == 3 and "nothing was drafted for nut" in done.out
        found = schema.load(str(tmp_path / "own.yaml"))
        assert not found.drafts and found.todo

    def test_an_answer_that_is_no_draft_leaves_the_texts_open(self, tmp_path: Path, endpoint: FakeEndpoint) -> None:
        endpoint.answer = lambda body: self.draft(body) if "colour" in str(body["response_format"]) else "well, a nut"
        done = self.init(tmp_path, endpoint, "--out", tmp_path / "own.yaml")
        assert done.status == 3 and "holds no draft that can be read" in done.out

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            (["--budget", "1"], "goes with --with-model"),
            (["--llm", "m"], "goes with --with-model"),
            (["--with-model"], "of --llm MODEL"),
            (["--with-model", "--llm", "m", "--llm-votes", "3"], "has no use for --llm-votes"),
        ],
    )
    def test_what_would_not_be_used_is_refused(self, tmp_path: Path, options: list[str], message: str) -> None:
        done = here("schema", "init", tmp_path, *options)
        assert done.status == 2 and message in done.err
