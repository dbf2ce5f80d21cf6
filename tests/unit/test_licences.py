"""No card is laxer than what its labels were made from."""

from __future__ import annotations

import pytest

from acbench import licences
from acbench.errors import AcbenchError

NC_SA, BY, CC0 = "CC-BY-NC-SA-4.0", "CC-BY-4.0", "CC0-1.0"


@pytest.mark.parametrize(
    ("made", "source", "laxer"),
    [
        (NC_SA, NC_SA, False),
        (BY, NC_SA, True),
        (CC0, NC_SA, True),
        ("CC-BY-NC-4.0", NC_SA, True),
        (BY, BY, False),
        (NC_SA, BY, False),
        (CC0, BY, True),
        (BY, CC0, False),
        ("CC-BY-SA-4.0", "CC-BY-NC-4.0", True),
        ("MIT", BY, True),
        (BY, "MIT", True),
        ("MIT", "MIT", False),
    ],
)
def test_laxer(made: str, source: str, laxer: bool) -> None:
    assert licences.is_laxer(made, source) is laxer


def test_images_are_passed_on_where_credit_is_all_that_is_asked() -> None:
    passed = {spdx for spdx, each in licences.KNOWN.items() if each.passes_on}
    assert passed == {CC0, BY}


def test_one_repository_one_licence() -> None:
    licences.check_labels_licence(NC_SA, [NC_SA, NC_SA])
    licences.check_labels_licence("CC-BY-4.0", ["LicenseRef-unknown"])
    with pytest.raises(AcbenchError, match="under 2 licences"):
        licences.check_labels_licence(NC_SA, [NC_SA, BY])
    with pytest.raises(AcbenchError, match="laxer than CC-BY-NC-SA"):
        licences.check_labels_licence(BY, [NC_SA])


@pytest.mark.parametrize(
    ("text", "spdx", "hub"),
    [
        ("CC-BY-4.0", "CC-BY-4.0", "cc-by-4.0"),
        ("cc-by-4.0", "CC-BY-4.0", "cc-by-4.0"),
        ("Apache-2.0", "Apache-2.0", "apache-2.0"),
        ("mit", "MIT", "mit"),
        ("odbl", "ODbL-1.0", "odbl"),
        ("other", "LicenseRef-other", "other"),
        ("unknown", licences.UNKNOWN, "other"),
        ("LicenseRef-proprietary", "LicenseRef-proprietary", "other"),
    ],
)
def test_spdx_and_the_hub_name_the_same_licences(text: str, spdx: str, hub: str) -> None:
    assert licences.spdx(text) == spdx
    assert licences.hub_name(spdx) == hub
    assert bool(licences.url(spdx)) is not spdx.startswith("LicenseRef-")


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("CC BY 4.0", "did you mean CC-BY-4.0?"),
        ("CC-BY-4", "did you mean CC-BY-4.0?"),
        ("cc by-nc", "did you mean CC-BY-NC-4.0?"),
        ("all rights reserved", "write LicenseRef-all-rights-reserved"),
    ],
)
def test_a_licence_that_is_none_is_refused_with_the_way_to_write_it(text: str, hint: str) -> None:
    with pytest.raises(AcbenchError) as caught:
        licences.spdx(text)
    assert hint in caught.value.hint
