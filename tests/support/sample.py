"""The sample's images, kept from one run of the tests to the next: to render them takes longer than most tests."""

from __future__ import annotations

import hashlib
import os
import shutil
from importlib.metadata import version
from pathlib import Path

import acbench.data.sample
from acbench.data.sample import render

IMAGES = Path(".acbench/sample/images")
"""In a project."""
LIBRARIES = ("numpy", "pillow", "scipy")


def rendered(folder: Path) -> Path:
    """The images below a folder, rendered if they are not there. They depend on the code and on LIBRARIES."""
    sources = sorted(Path(acbench.data.sample.__file__).parent.glob("*.py"))
    facts = [*(path.read_bytes() for path in sources), *(version(library).encode() for library in LIBRARIES)]
    key = hashlib.sha256(b"".join(hashlib.sha256(fact).digest() for fact in facts)).hexdigest()[:12]
    return render.render(folder / key)


def link(source: str, target: str) -> str:
    """Link a file, or copy it where the file systems differ."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)
    return target


def project_with_images(project: Path, images: Path) -> Path:
    """A new project that has the sample's images already. They are links: delete one before you write it."""
    shutil.copytree(images, project / IMAGES, copy_function=link)
    return project


def copied(project: Path, target: Path) -> Path:
    """A copy of a project of the sample, with links to its images."""
    shutil.copytree(project, target, ignore=lambda folder, names: ["images"] if folder.endswith("/sample") else [])
    return project_with_images(target, project / IMAGES)
