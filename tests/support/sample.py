"""The sample's images, kept from one run of the tests to the next: to render them takes longer than most tests."""

from __future__ import annotations

import hashlib
from importlib.metadata import version
from pathlib import Path

import acbench.data.sample
from acbench.data.sample import render

LIBRARIES = ("numpy", "pillow", "scipy")


def rendered(folder: Path) -> Path:
    """The images below a folder, rendered if they are not there. They depend on the code and on LIBRARIES."""
    sources = sorted(Path(acbench.data.sample.__file__).parent.glob("*.py"))
    facts = [*(path.read_bytes() for path in sources), *(version(library).encode() for library in LIBRARIES)]
    key = hashlib.sha256(b"".join(hashlib.sha256(fact).digest() for fact in facts)).hexdigest()[:12]
    return render.render(folder / key)
