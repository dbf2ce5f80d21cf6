"""Gives the App a folder of plugins: that of acbench beside the user's own."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PLUGIN = Path(__file__).parent / "plugin"
"""The folder of acbench's own."""
VARIABLE = "FIFTYONE_PLUGINS_DIR"


@contextmanager
def plugins() -> Iterator[Path]:
    """Have the processes that are started meanwhile find a folder of links: acbench's plugin, and the user's own."""
    import fiftyone as fo

    before, own = os.environ.get(VARIABLE), fo.config.plugins_dir
    with tempfile.TemporaryDirectory(prefix="acbench-plugins-") as folder:
        links = Path(folder)
        (links / "acbench").symlink_to(PLUGIN)
        if own and Path(own).is_dir():
            (links / "own").symlink_to(Path(own).resolve())
        os.environ[VARIABLE] = folder
        try:
            yield links
        finally:
            if before is None:
                os.environ.pop(VARIABLE, None)
            else:
                os.environ[VARIABLE] = before
