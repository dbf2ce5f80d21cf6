"""Builds these pages: `sphinx-build -W docs site`. Nothing is fetched, and no page asks another host for anything."""

import posixpath
import re

from sphinx.application import Sphinx
from sphinx.util import logging

from acbench import __version__

project, author, release = "acbench", "The acbench authors", __version__
html_title = "acbench"
copyright = "The acbench authors, Apache-2.0"

extensions = ["myst_parser", "sphinx.ext.autodoc"]
exclude_patterns = ["_build"]
myst_heading_anchors = 3  # headings are linked to as on GitHub
suppress_warnings = ["myst.header"]  # the README begins its sections one level down

default_role = "code"  # docstrings have names in single backticks
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_preserve_defaults = True
python_maximum_signature_line_length = 90

html_theme = "pydata_sphinx_theme"
html_static_path = ["_static"]
html_css_files = ["acbench.css"]
html_show_sourcelink = False
html_copy_source = False
html_theme_options = {
    "show_toc_level": 2,
    "navigation_with_keys": False,
    "navbar_align": "left",
    "navbar_persistent": ["search-button"],
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["copyright"],
    "footer_end": [],
    "icon_links": [
        {"name": "Repository", "url": "https://github.com/acbench/acbench", "icon": "fa-brands fa-github"}
    ],
}  # fmt: skip
html_sidebars = {name: [] for name in ("index", "getting_started", "enter_a_method", "contributing", "architecture")}

REPOSITORY = "https://github.com/acbench/acbench"
SHOWN = {"index": "README.md", "contributing": "CONTRIBUTING.md", "architecture": "ARCHITECTURE.md"}
"""Page → the file above this folder that it shows."""
PAGES = {file: f"docs/{page}.md" for page, file in SHOWN.items()}
_LINK = re.compile(r"(!?)\[((?:[^\[\]]|`[^`]*`)*)\]\((?!https?:)([^)#\s]*)(#[^)\s]*)?\)")


def _with_links(app: Sphinx, page: str, source: list[str]) -> None:
    """Put in the file that a page shows, and turn links out of this folder into pages of the site, or of the
    repository: here they are written as GitHub reads them."""
    file = SHOWN.get(page, f"docs/{page}.md")
    text = source[0]
    if page in SHOWN:
        text = (app.srcdir.parent / file).read_text(encoding="utf-8") + "\n" + text
    here = posixpath.dirname(file)

    def link(match: re.Match[str]) -> str:
        picture, words, path, anchor = match[1], match[2], match[3], match[4] or ""
        if not path:
            return match[0]
        target = posixpath.normpath(posixpath.join(here, path))
        target = PAGES.get(target, target)
        if not (app.srcdir.parent / target).exists():
            logging.getLogger(__name__).warning("%s links to %s, which is not there", file, target)
        if not picture and not target.startswith("docs/"):
            kind = "tree" if (app.srcdir.parent / target).is_dir() else "blob"
            return f"[{words}]({REPOSITORY}/{kind}/main/{target}{anchor})"
        path = posixpath.relpath(target, posixpath.dirname(f"docs/{page}"))
        return f"{picture}[{words}]({path}{anchor})"

    source[0] = _LINK.sub(link, text)


def setup(app: Sphinx) -> None:
    """Have Sphinx call `_with_links` for each page."""
    app.connect("source-read", _with_links)
