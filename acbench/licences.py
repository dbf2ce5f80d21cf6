"""What a licence lets us do: pass images on, and under which licence what is made from them may stand.

Facts about well-known licences, not legal advice. Of a licence that is not listed nothing is assumed.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from acbench.errors import AcbenchError


@dataclass(frozen=True, slots=True, kw_only=True)
class Licence:
    """One licence."""

    spdx: str
    hub: str
    """As the Hub's dataset cards spell it."""
    name: str
    url: str
    conditions: frozenset[str] = frozenset()
    """Of `by`, `nc`, `sa`: what whoever passes it on has to keep to."""

    @property
    def passes_on(self) -> bool:
        """Whether a release holds the images unless told otherwise.

        Only where the licence asks for attribution at most: with `nc` and `sa`, passing on is allowed, but binds
        whoever does it, so that a person has to ask for it.
        """
        return self.conditions <= {"by"}


def _creative_commons(*conditions: str) -> Licence:
    short = "-".join(conditions)
    return Licence(
        spdx=f"CC-{short.upper()}-4.0",
        hub=f"cc-{short}-4.0",
        name=f"CC {short.upper()} 4.0",
        url=f"https://creativecommons.org/licenses/{short}/4.0/",
        conditions=frozenset(conditions),
    )


CC0 = Licence(spdx="CC0-1.0", hub="cc0-1.0", name="CC0 1.0", url="https://creativecommons.org/publicdomain/zero/1.0/")
KNOWN = {
    each.spdx: each
    for each in (
        CC0,
        _creative_commons("by"),
        _creative_commons("by", "sa"),
        _creative_commons("by", "nc"),
        _creative_commons("by", "nc", "sa"),
    )
}


def get(spdx: str) -> Licence | None:
    """A licence by its SPDX id; None if it is not listed."""
    return KNOWN.get(spdx)


def laxer(made: str, source: str) -> bool:
    """Whether `made` lets people do what `source` does not: SPDX ids of labels and of what they were made from.

    Share-alike binds to the very licence; one that is not listed binds to itself.
    """
    if made == source:
        return False
    one, other = KNOWN.get(made), KNOWN.get(source)
    if one is None or other is None:
        return True
    return "sa" in other.conditions or not one.conditions >= other.conditions


def one_for_all(labels: str, sources: Iterable[str]) -> None:
    """See that a release can stand under the licence of its labels. Raises AcbenchError, naming both licences."""
    found = sorted(set(sources))
    if len(found) > 1:
        raise AcbenchError(
            f"the images are under {len(found)} licences: {', '.join(found)}",
            "one repository per licence: publish a benchmark for each",
        )
    for source in found:
        if source.startswith("LicenseRef-"):
            continue  # a dataset of one's own: what its labels stand under is for its owner to say
        if laxer(labels, source):
            raise AcbenchError(
                f"the labels' licence {labels} is laxer than {source} of the images that they were made from",
                f"write `licence: {source}` into the label schema",
            )
