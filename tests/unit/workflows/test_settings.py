"""settings.json: what is written is read again, and every wrong value is an error that names file and field."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from acbench.errors import StorageError
from acbench.workflows.settings import Settings, read, write

SETTINGS = Settings(
    schema="mvtec_ac", root="/data", categories=("bottle",), limit=3, with_=("clip", "llm"), without=("neighbours",),
    clip_model="ViT-B-32", clip_weights="openai", llm="m", llm_url="http://localhost/v1", llm_price=(2.0, 8.0),
    audit=0.1, seed=7,
)  # fmt: skip
RIGHT: dict[str, tuple[type | None, ...]] = {
    "schema": (str,),
    "root": (str, None),
    "categories": (list,),
    "limit": (int, None),
    "backbone": (str,),
    "with_": (list,),
    "without": (list,),
    "clip_model": (str,),
    "clip_weights": (str,),
    "llm": (str,),
    "llm_url": (str, None),
    "llm_price": (list,),
    "audit": (int, float),
    "seed": (int,),
}
"""Field → the types that its JSON value may have."""
VALUES: tuple[Any, ...] = (
    None,
    1,
    0.5,
    True,
    "x",
    [3, 4, 5],
    ["x", 1],
    [["x"]],
    {},
    {"x": 1},
    10**30,
    -1,
    float("inf"),
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "settings.json"
    write(path, SETTINGS)
    return path


def wrong_values() -> list[tuple[str, Any]]:
    """Every field with every value of a type that it may not have."""
    return [
        (name, value)
        for name, types in RIGHT.items()
        for value in VALUES
        if (None if value is None else type(value)) not in types
    ]


def test_what_is_written_is_read(path: Path) -> None:
    assert read(path) == SETTINGS
    assert RIGHT.keys() == {field.name for field in dataclasses.fields(Settings)}


def test_a_setting_of_a_newer_acbench_is_ignored(path: Path) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), "of_tomorrow": [1]}))
    assert read(path) == SETTINGS


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *wrong_values(),
        ("schema", "\ud800"),
        ("limit", 0),
        ("limit", 10**30),
        ("seed", -(10**30)),
        ("audit", 1.5),
        ("audit", -1),
        ("audit", float("nan")),
        ("llm_price", [1]),
        ("llm_price", [1, 2, 3]),
        ("llm_price", [-1, 2]),
        ("llm_price", ["1", "2"]),
        ("categories", ["bottle", None]),
        ("with_", [["clip"]]),
    ],
)
def test_a_wrong_value_is_named(path: Path, name: str, value: Any) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), name: value}))
    with pytest.raises(StorageError) as caught:
        read(path)
    assert str(path) in caught.value.message and str(path) in caught.value.hint
    assert name in caught.value.message or "not JSON" in caught.value.message


@pytest.mark.parametrize(
    "data",
    [b"", b"{", b"[]", b"null", b'"x"', b"\xff", b"[" * 100_000, b'{"a":' * 50_000, b'{"seed": 1}'],
)
def test_a_file_that_is_something_else_is_named(path: Path, data: bytes) -> None:
    path.write_bytes(data)
    with pytest.raises(StorageError, match=r"settings\.json") as caught:
        read(path)
    assert "rm " in caught.value.hint
