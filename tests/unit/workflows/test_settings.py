"""Settings as they are kept: every value that no command wrote is refused by file and field, with the way out."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from acbench.errors import AcbenchError, StorageError
from acbench.predictors.llm.messages import QuestionOptions, RequestOptions
from acbench.workflows import settings as kept
from acbench.workflows.llm_models import LlmModel
from acbench.workflows.settings import SettingChanges, Settings
from tests.support.commands import here

FIELDS = [field.name for field in dataclasses.fields(Settings)]
FULL = Settings(
    schema="sample",
    root="/data",
    categories=("washer",),
    limit=3,
    with_=("clip",),
    without=("llm",),
    clip_model="ViT-L-14",
    clip_weights="openai",
    llm=LlmModel(
        model="gpt-4o",
        url="http://localhost/v1",
        key_env="KEY",
        price=(2.5, 10),
        request=RequestOptions(max_tokens=9, effort="low", logprobs=True, extra={"a": [1, None, {"b": "c"}]}),
        question=QuestionOptions(edge=1024, votes=3, examples=2),
    ),
    audit=0.5,
    seed=-7,
)
VALUES = {
    "boolean": "true",
    "number": "1.5",
    "integer": "7",
    "text": '"seven"',
    "list of texts": '["washer"]',
    "list of lists": "[[]]",
    "list of nothing": "[null]",
    "object": '{"a": 1}',
    "null": "null",
}
"""One of every type that JSON has."""
TEXT, TEXTS = {"text"}, {"list of texts"}
ALLOWED: dict[str, set[str]] = {
    "schema": TEXT,
    "root": TEXT | {"null"},
    "categories": TEXTS,
    "limit": {"integer", "null"},
    "backbone": TEXT,
    "with_": TEXTS,
    "without": TEXTS,
    "clip_model": TEXT,
    "clip_weights": TEXT,
    "reading": set(),
    "llm": TEXT | {"object"},
    "audit": set(),
    "seed": {"integer"},
}
"""Field → which of `VALUES` it may have."""
BROKEN = {
    "NaN": "NaN",
    "infinity": "-Infinity",
    "a number that overflows": "1e999",
    "an integer of 30 digits": "9" * 30,
    "an integer of 5,000 digits": "9" * 5_000,
    "half a character": '"\\ud800"',
    "lists in lists": "[" * 100_000,
    "lists in lists that end": "[" * 5_000 + "]" * 5_000,
    "objects in objects": '{"a":' * 100_000,
    "half a character in a list": '["\\udfff"]',
    "a name of half a character": '{"\\udfff": 1}',
}


def write(path: Path, name: str, value: str | bytes) -> None:
    """Settings in which one field has the value."""
    head = b"{" if name == "schema" else b'{"schema": "sample", '
    path.write_bytes(head + f'"{name}": '.encode() + (value.encode() if isinstance(value, str) else value) + b"}")


def refused(path: Path, name: str) -> StorageError:
    with pytest.raises(StorageError) as caught:
        kept.read(path)
    assert str(path) in caught.value.message
    assert f"field {name}" in caught.value.message
    assert caught.value.hint == f"correct it in {path}; or remove the file and give --root again: rm {path}"
    return caught.value


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "settings.json"


@pytest.mark.parametrize("name", FIELDS)
@pytest.mark.parametrize("kind", VALUES)
def test_a_value_of_the_wrong_type_is_refused_and_of_the_right_one_is_taken(path: Path, name: str, kind: str) -> None:
    write(path, name, VALUES[kind])
    if kind in ALLOWED[name]:
        assert kept.read(path) is not None
    else:
        assert "expected" in refused(path, name).message


@pytest.mark.parametrize("name", [*FIELDS, "field_of_a_newer_version"])
@pytest.mark.parametrize("value", BROKEN.values(), ids=BROKEN)
def test_what_is_no_value_at_all_is_refused_wherever_it_stands(path: Path, name: str, value: str) -> None:
    write(path, name, value)
    refused(path, name)


@pytest.mark.parametrize("name", [*FIELDS, "field_of_a_newer_version"])
def test_bytes_that_are_not_utf8_are_refused(path: Path, name: str) -> None:
    write(path, name, b'"\xff"')
    assert "not Unicode text" in refused(path, name).message


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("limit", "0"),
        ("limit", "-1"),
        ("audit", "-0.1"),
        ("audit", "1.1"),
        ("llm", '{"price": [1]}'),
        ("llm", '{"price": [1, 2, 3, 4]}'),
        ("llm", '{"price": [1, -2]}'),
        ("llm", '{"price": [1, 1e7]}'),
        ("llm", '{"price": [1, "2"]}'),
        ("llm", '{"key_env": "sk-1234"}'),
        ("llm", '{"question": {"edge": 7}}'),
        ("llm", '{"question": {"votes": 0}}'),
        ("llm", '{"request": {"max_tokens": 0}}'),
        ("llm", '{"request": {"extra": {"model": "x"}}}'),
    ],
)
def test_a_value_that_no_option_takes_is_refused(path: Path, name: str, value: str) -> None:
    write(path, name, value)
    refused(path, name)


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "3", "<<<<<<< HEAD", '{"schema": "a"} {}', "\ufeff{}"])
def test_what_is_no_object_is_refused_by_file(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")
    with pytest.raises(StorageError, match=str(path)) as caught:
        kept.read(path)
    assert f"rm {path}" in caught.value.hint


def test_a_folder_in_its_place_is_refused(path: Path) -> None:
    path.mkdir()
    with pytest.raises(StorageError, match="directory"):
        kept.read(path)


def test_a_field_that_is_missing_has_its_default_unless_it_has_none(path: Path) -> None:
    path.write_text('{"schema": "sample"}')
    assert kept.read(path) == Settings(schema="sample")
    path.write_text("{}")
    assert "field schema is missing" in refused(path, "schema").message


def test_what_a_newer_version_added_is_ignored(path: Path) -> None:
    path.write_text('{"schema": "sample", "field_of_a_newer_version": {"a": [1.5, null]}}')
    assert kept.read(path) == Settings(schema="sample")


@pytest.mark.parametrize("settings", [FULL, Settings(schema="sample")], ids=["full", "default"])
def test_settings_come_back_as_they_were_kept(path: Path, settings: Settings) -> None:
    assert kept.read(path) is None
    kept.write(path, settings)
    assert kept.read(path) == settings


def test_what_an_older_version_kept_of_a_model_is_read(path: Path) -> None:
    path.write_text('{"schema": "sample", "llm": "gpt-4o", "llm_url": "http://localhost/v1", "llm_price": [2.5, 10]}')
    found = kept.read(path)
    assert found and found.llm == LlmModel(model="gpt-4o", url="http://localhost/v1", price=(2.5, 10))
    path.write_text('{"schema": "sample", "llm": "gpt-4o", "llm_url": null, "llm_price": [1]}')
    assert "field price: expected two or three prices" in refused(path, "llm").message


@pytest.mark.parametrize("change", [{"limit": 2**63}, {"seed": -(2**63) - 1}, {"seed": 10**400}])
def test_a_number_that_could_not_be_read_back_is_not_taken(change: dict[str, Any]) -> None:
    with pytest.raises(AcbenchError, match=r"64 bits(?s:.)*smaller"):
        SettingChanges(**change).applied_to(FULL)


@pytest.mark.parametrize(
    "command", ["relabel sample", "publish sample --dry-run", "score sample --system velm", "velm sample"]
)
def test_commands_say_it_and_exit_with_1(tmp_path: Path, command: str) -> None:
    path = tmp_path / ".acbench/sample/settings.json"
    path.parent.mkdir(parents=True)
    write(path, "limit", '"7"')
    done = here(*command.split(), "--project", tmp_path)
    assert done.status == 1
    assert f"{path}: field limit: expected int or null, got str" in done.err
    assert f"rm {path}" in done.err
