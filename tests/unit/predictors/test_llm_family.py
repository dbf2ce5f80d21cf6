"""Families of language models by their names: the rule, and names as endpoints and people write them."""

from __future__ import annotations

import pytest

from acbench.predictors.llm.family import FAMILIES, family_of, without_folders


@pytest.mark.parametrize(
    ("name", "family"),
    [
        ("gpt-4o-2024-08-06", "openai"),
        ("gpt-4o-mini", "openai"),
        ("o3-mini-2025-01-31", "openai"),
        ("o4mini", "openai"),
        ("chatgpt-4o-latest", "openai"),
        ("ft:gpt-4o-2024-08-06:my-org::abc", "openai"),
        ("openai/anything", "openai"),
        ("claude-sonnet-4-20250514", "claude"),
        ("us.anthropic.claude-3-5-sonnet-20241022-v2:0", "claude"),
        ("models/gemini-2.5-flash", "google"),
        ("google/gemma-3-27b-it", "google"),
        ("Qwen/Qwen2.5-VL-7B-Instruct", "qwen"),
        ("qwen2.5vl:7b", "qwen"),
        ("QVQ-72B-Preview", "qwen"),
        ("Qwen2_5_VLForConditionalGeneration", "qwen"),
        ("meta-llama/Llama-3.2-11B-Vision-Instruct", "llama"),
        ("pixtral-12b-2409", "mistral"),
        ("ministral-8b-latest", "mistral"),
        ("OpenGVLab/InternVL2_5-8B", "internvl"),
        ("llava-onevision-qwen2-7b", "llava"),
        ("/models/Qwen2.5-VL-7B.Q4_K_M.gguf", "qwen"),
    ],
)
def test_a_family_is_told_by_the_maker_or_the_line(name: str, family: str) -> None:
    assert family_of(name) == family
    assert family_of("my-alias", name) == family, "or by the name under which it was asked"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("foo-7b", "foo-72b-instruct"),
        ("foo-2024-08-06", "foo-2025-01-31"),
        ("foo-v1.5", "foo:latest"),
        ("me/foo2", "you/Foo3-mini"),
        ("/a/foo-7b.gguf", "C:\\models\\foo-13b.gguf"),
    ],
)
def test_an_unknown_name_is_a_family_without_what_tells_a_version(one: str, other: str) -> None:
    assert family_of(one) == family_of(other) == "foo"


def test_unknown_names_that_differ_are_different_families() -> None:
    assert family_of("foo-7b") != family_of("bar-7b")
    assert family_of("7b") == "7b" and family_of("2024-01-01") != ""


def test_what_the_user_says_counts() -> None:
    assert family_of("gpt-4o", said=" Mine ") == "mine"


def test_a_family_has_one_name_and_words_of_one_kind() -> None:
    assert all(word == word.lower() and word.isalpha() for word in FAMILIES)
    assert all(FAMILIES.get(family, family) == family for family in FAMILIES.values())


def test_a_name_is_one_short_line_without_folders() -> None:
    assert without_folders("/srv/models/foo.gguf") == "foo.gguf"
    assert without_folders("~/foo.gguf") == without_folders("./x/foo.gguf") == "foo.gguf"
    assert without_folders("Qwen/Qwen2.5-VL") == "Qwen/Qwen2.5-VL", "a maker is no folder"
    assert "\n" not in without_folders("a\nb") and len(without_folders("x" * 999)) <= 120
