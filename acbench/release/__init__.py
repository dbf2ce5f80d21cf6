"""A release: what it consists of, how it is built, uploaded, checked and compared."""

from __future__ import annotations

"""What a release consists of, as those who make, upload, check and compare it agree on it."""


"""From labels to a release: its tables, its card, and the one commit that makes it public."""
