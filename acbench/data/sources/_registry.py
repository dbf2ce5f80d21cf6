"""Finds sources by name, and makes a `Source` of what a module offers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, TypeVar

from acbench._util.plugins import Plugins
from acbench.data.sources._contract import Source
from acbench.errors import AcbenchError, SourceError
from acbench.records import Reading

T = TypeVar("T")

_PLUGINS = Plugins("acbench.data.sources", "acbench.sources", "source")


def names() -> list[str]:
    """Names of all sources, sorted; imports none of them."""
    return _PLUGINS.names()


def is_bundled(name: str) -> bool:
    """Whether the source of that name comes with acbench."""
    return _PLUGINS.is_own(name)


def get(name: str, reading: Reading | None = None) -> Source:
    """The source of that name, with the options `reading` that say how the dataset lies on disk.

    Raises AcbenchError if there is none, or if its module cannot be loaded or used, and SourceError for an option that
    it does not have, or that cannot have that value.
    """
    loaded = _PLUGINS.load(name)
    module = _Module(name, getattr(loaded, "SOURCE", loaded))
    options: Mapping[str, str] = module.constant("OPTIONS", dict) if module.offers("OPTIONS") else {}
    if reading:
        _check_options(name, reading, options)
        module = _Module(name, module.function("configured")(reading))
    return Source(
        name=module.constant("NAME", str),
        title=module.constant("TITLE", str),
        licence=module.constant("LICENCE", str),
        attribution=module.constant("ATTRIBUTION", str),
        home=module.constant("HOME", str),
        benchmark=module.constant("BENCHMARK", str),
        layout=module.constant("LAYOUT", str),
        extras=module.constant("EXTRAS", frozenset),
        image_counts=module.constant("IMAGE_COUNTS", dict),
        is_category=module.function("is_category"),
        scan=module.function("scan"),
        known_labels=module.function("known_labels"),
        options=options,
        reading=dict(reading or {}),
        categories=module.optional_function("categories"),
        by_category=module.optional_function("by_category"),
        recognise=module.optional_function("recognise"),
        scheme=module.constant("SCHEME", str) if module.offers("SCHEME") else "",
        masks=module.optional_function("masks"),
        split_of=module.optional_function("split_of"),
        render=module.optional_function("render"),
    )


def _check_options(source: str, reading: Reading, options: Mapping[str, str]) -> None:
    """Raise SourceError for an option that the source does not have."""
    for key in reading:
        if key in options:
            continue
        if not options:
            raise SourceError(f"the source {source!r} has no option {key!r}: it reads one layout", "leave it out")
        alike = get_close_matches(key, options, n=1)
        meant = f"did you mean {alike[0]}? " if alike else ""
        raise SourceError(f"the source {source!r} has no option {key!r}", f"{meant}It has: {', '.join(options)}")


@dataclass(frozen=True, slots=True)
class _Module:
    """A source's module, or its `SOURCE`, whose contents may come from another package and are checked."""

    source: str
    content: object

    def offers(self, name: str) -> bool:
        return hasattr(self.content, name)

    def constant(self, name: str, kind: type[T]) -> T:
        value = getattr(self.content, name, None)
        if not isinstance(value, kind):
            raise self._unusable(name, value, kind.__name__)
        return value

    def function(self, name: str) -> Callable[..., Any]:
        function = self.optional_function(name)
        if function is None:
            raise self._unusable(name, None, "function")
        return function

    def optional_function(self, name: str) -> Callable[..., Any] | None:
        value: Callable[..., Any] | None = getattr(self.content, name, None)
        if value is not None and not callable(value):
            raise self._unusable(name, value, "function")
        return value

    def _unusable(self, name: str, value: object, kind: str) -> AcbenchError:
        wrong = f"it has no {name}" if value is None else f"its {name} is no {kind}"
        return AcbenchError(
            f"the source {self.source!r} cannot be used: {wrong}",
            "acbench.data.sources.Source says what the module of a source has to offer",
        )
