"""Tells the family of a language model by its name, since models of one family are not independent witnesses.

They share data, makers and mistakes. The rule:

1. what the user says (`--family`);
2. else the first word of the answering model's name that stands in `FAMILIES`: the name of a model without its version,
   such as `gpt` in `ft:gpt-4o-2024-08-06:org`, or of a maker, as in `openai/…`;
3. else the same of the name under which it was asked;
4. else the model is a family of its own: its name without folders, versions, sizes, dates and the like.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import PurePosixPath, PureWindowsPath

from acbench._util.text import tidy

MAX_NAME = 120
"""Characters of a model's name that are kept: an endpoint may call it anything."""
FAMILIES: Mapping[str, str] = {
    word: family
    for family, words in {
        "openai": "openai gpt chatgpt codex",
        "claude": "claude anthropic",
        "google": "google gemini gemma paligemma",
        "qwen": "qwen qwq qvq",
        "llama": "llama",
        "mistral": "mistral mistralai mixtral pixtral ministral magistral",
        "deepseek": "deepseek janus",
        "grok": "grok xai",
        "internvl": "internvl intern internlm",
        "llava": "llava",
        "phi": "phi",
        "glm": "glm chatglm cogvlm",
        "kimi": "kimi moonshot",
        "minicpm": "minicpm",
        "molmo": "molmo",
        "nova": "nova",
        "huggingface": "smolvlm idefics",
    }.items()
    for word in words.split()
}
"""Word, in lower case → family. A word that is no whole family, such as the name of a host, does not stand here."""

_O_SERIES = re.compile(r"o[1-9](mini|pro)?")
_WORDS = re.compile(r"[^a-z0-9]+")
_VARIANT = re.compile(
    r"v?\d[\d.]*|\d+x\d+b|\d+(\.\d+)?[bmk]|[a-z]?\d+b|e\d+b|q\d\w*|fp\d+|bf\d+|int\d+|"
    r"latest|preview|exp|beta|instruct|it|chat|vision|mini|nano|tiny|small|medium|large|pro|flash|turbo|gguf|awq|gptq"
)
"""A word that tells a version, a size, a date or a packaging."""


def family_of(answering: str, asked: str = "", *, said: str = "") -> str:
    """The family of a model, in lower case. `said`: what the user says; empty to go by the names."""
    return said.strip().lower() or _known(answering) or _known(asked) or _bare(answering) or _bare(asked)


def without_folders(model: str) -> str:
    """A model's name as one short line that does not tell in which folder a server keeps it, as llama.cpp does."""
    model = tidy(model, MAX_NAME)
    if model.startswith(("/", "./", "../", "~")):
        return PurePosixPath(model).name or model
    return PureWindowsPath(model).name if re.match(r"[A-Za-z]:\\|\\\\", model) else model


def _known(name: str) -> str:
    for word in _WORDS.split(without_folders(name).lower()):
        letters = re.match(r"[a-z]*", word)
        assert letters is not None
        if found := "openai" if _O_SERIES.fullmatch(word) else FAMILIES.get(letters[0]):
            return found
    return ""


def _bare(name: str) -> str:
    """A name without what tells a version; the whole name if nothing is left."""
    last = PurePosixPath(without_folders(name)).name.lower()
    words = [word for word in _WORDS.split(last) if word]
    kept = [word.rstrip("0123456789") or word for word in words if not _VARIANT.fullmatch(word)]
    return "-".join(kept) or last
