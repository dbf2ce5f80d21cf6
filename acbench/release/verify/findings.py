"""Makes the findings of a check that are faults of a release."""

from __future__ import annotations

from acbench.records import Finding

UNCHECKED = "unchecked"
"""The kind of what could not be checked: no fault, but nobody may take it for checked."""
DOWNLOAD_AGAIN = "download it again; if it stays so, do not use it"


def fault(path: str, kind: str, detail: str, hint: str = DOWNLOAD_AGAIN) -> Finding:
    """A finding because of which the release cannot be trusted."""
    return Finding(path=path, kind=kind, detail=detail, hint=hint, failed=True)


def unchecked(path: str, what: str, hint: str) -> Finding:
    """A finding that something could not be checked here."""
    return Finding(path=path, kind=UNCHECKED, detail=f"not checked: {what}", hint=hint)
