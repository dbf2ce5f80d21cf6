"""What licences allow: whether images may be passed on, and which licence suits the labels made from them.

Facts about well-known licences, not legal advice. Nothing is assumed about a licence that is not listed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression

from acbench.errors import AcbenchError


@dataclass(frozen=True, slots=True, kw_only=True)
class Licence:
    """One licence."""

    spdx: str
    hub: str
    """Its name in the dataset cards of the Hugging Face Hub."""
    name: str
    url: str
    conditions: frozenset[str] = frozenset()
    """Conditions on those who pass the work on: `by` (credit), `nc` (not commercial), `sa` (share alike)."""

    @property
    def passes_on(self) -> bool:
        """Whether a release includes the images by default.

        It does if credit is the only condition. `nc` and `sa` also allow passing on, but bind those who do it, so a
        person has to ask for it.
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
    licence.spdx: licence
    for licence in (
        CC0,
        _creative_commons("by"),
        _creative_commons("by", "sa"),
        _creative_commons("by", "nc"),
        _creative_commons("by", "nc", "sa"),
    )
}
"""SPDX id → licence."""


UNKNOWN = "LicenseRef-unknown"
"""Stands where nobody has said under which licence something is."""

_HUB_ONLY = {
    "odbl": "ODbL-1.0",
    "odc-by": "ODC-By-1.0",
    "pddl": "PDDL-1.0",
    "c-uda": "C-UDA-1.0",
    "unknown": UNKNOWN,
    "other": "LicenseRef-other",
}
"""What the Hub calls licences whose SPDX id is another word: https://huggingface.co/docs/hub/repositories-licenses."""
_HUB_SPDX = frozenset(
    [
        "afl-3.0",
        "agpl-3.0",
        "apache-2.0",
        "artistic-2.0",
        "bsd-2-clause",
        "bsd-3-clause",
        "bsl-1.0",
        "cc-by-2.0",
        "cc-by-2.5",
        "cc-by-3.0",
        "cc-by-nc-2.0",
        "cc-by-nc-3.0",
        "cc-by-nc-nd-3.0",
        "cc-by-nc-nd-4.0",
        "cc-by-nc-sa-2.0",
        "cc-by-nc-sa-3.0",
        "cc-by-nd-4.0",
        "cc-by-sa-3.0",
        "cdla-permissive-1.0",
        "cdla-permissive-2.0",
        "cdla-sharing-1.0",
        "ecl-2.0",
        "epl-1.0",
        "epl-2.0",
        "etalab-2.0",
        "eupl-1.1",
        "eupl-1.2",
        "gpl-2.0",
        "gpl-3.0",
        "isc",
        "lgpl-2.1",
        "lgpl-3.0",
        "mit",
        "mpl-2.0",
        "ms-pl",
        "ncsa",
        "ofl-1.1",
        "osl-3.0",
        "postgresql",
        "unlicense",
        "wtfpl",
        "zlib",
    ]
)
"""Those whose name on the Hub is the SPDX id in lower case."""


def spdx(text: str) -> str:
    """The SPDX id of a licence, from that id or from its name on the Hub. Raises AcbenchError if it is neither."""
    if known := _HUB_ONLY.get(text.lower()):
        return known
    try:
        return str(canonicalize_license_expression(text))
    except InvalidLicenseExpression:
        name = re.sub(r"[^A-Za-z0-9.]+", "-", text).strip("-")
        for near in (name, f"{name}.0", f"{name}-4.0"):
            try:
                hint = f"did you mean {canonicalize_license_expression(near)}?"
                break
            except InvalidLicenseExpression:
                continue
        else:
            hint = f"see https://spdx.org/licenses; for one that is not listed write LicenseRef-{name or 'own'}"
        raise AcbenchError(f"{text!r} is no SPDX id and no licence of the Hub", hint) from None


def url(spdx_id: str) -> str:
    """Where a licence can be read; empty for one that SPDX does not list."""
    if licence := get(spdx_id):
        return licence.url
    plain = re.fullmatch(r"[A-Za-z0-9.-]+", spdx_id) and not spdx_id.startswith("LicenseRef-")
    return f"https://spdx.org/licenses/{spdx_id}.html" if plain else ""


def hub_name(spdx_id: str) -> str:
    """The name of a licence in the dataset cards of the Hub; `other` if the Hub has none."""
    if licence := get(spdx_id):
        return licence.hub
    if spdx_id.lower() in _HUB_SPDX:
        return spdx_id.lower()
    return next((hub for hub, known in _HUB_ONLY.items() if known == spdx_id and known != UNKNOWN), "other")


def get(spdx: str) -> Licence | None:
    """A licence by its SPDX id; None if it is not listed."""
    return KNOWN.get(spdx)


def is_laxer(derived: str, source: str) -> bool:
    """Whether a derived work's licence allows what the source's does not. Both are SPDX ids.

    Share-alike asks for the very same licence, and so does a licence that is not listed.
    """
    if derived == source:
        return False
    derived_licence, source_licence = get(derived), get(source)
    if derived_licence is None or source_licence is None:
        return True
    return "sa" in source_licence.conditions or not derived_licence.conditions >= source_licence.conditions


def check_labels_licence(labels: str, images: Iterable[str]) -> None:
    """Check that a release can have the licence of its labels. SPDX ids. Raises AcbenchError, naming both licences.

    `images`: the licences of the images that the labels are about; there may be one only.
    """
    sources = sorted(set(images))
    if len(sources) > 1:
        raise AcbenchError(
            f"the images are under {len(sources)} licences: {', '.join(sources)}",
            "one repository per licence: publish a benchmark for each",
        )
    for source in sources:
        if source.startswith("LicenseRef-"):
            continue  # a dataset of one's own: its owner decides the licence of the labels
        if is_laxer(labels, source):
            raise AcbenchError(
                f"the labels' licence {labels} is laxer than {source} of the images that they were made from",
                f"write `licence: {source}` into the label schema",
            )
