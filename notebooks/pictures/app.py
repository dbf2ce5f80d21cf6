"""Draws app.png: the sample in the FiftyOne App, its queue beside the panel Decide.

    python notebooks/pictures/app.py

Needs Chromium, and a MongoDB: FiftyOne's own, or the one that FIFTYONE_DATABASE_URI names.
"""

from __future__ import annotations

import io
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from PIL import Image

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parents[1]))  # for the helpers of the tests

from tests.support.browser import open_page  # noqa: E402
from tests.support.mongo import wait_for  # noqa: E402
from tests.support.ports import free_port  # noqa: E402

COLOURS = 224


def main() -> None:
    """Relabel the sample, open the App, and take its picture."""
    with tempfile.TemporaryDirectory() as folder:
        project = os.environ.get("ACBENCH_PROJECT", folder)
        acbench = [sys.executable, "-m", "acbench"]
        subprocess.run([*acbench, "relabel", "sample", "--project", project], check=True)
        port = free_port()
        command = [
            *acbench,
            "app",
            "sample",
            "--project",
            project,
            "--reviewer",
            "ada",
            "--remote",
            "--port",
            str(port),
        ]
        app = subprocess.Popen([*command, "--port", str(port)])
        try:
            wait_for(port, 240)
            with open_page(width=1800, height=950) as tab:
                shot = take(tab, f"http://127.0.0.1:{port}")
        finally:
            app.terminate()
            app.wait()
    picture = Image.open(io.BytesIO(shot)).convert("RGB")
    picture.quantize(COLOURS, dither=Image.Dither.NONE).save(HERE / "app.png", optimize=True)
    print(f"{(HERE / 'app.png').stat().st_size / 1000:.0f} kB")


def take(tab: Any, url: str) -> bytes:
    """The queue on the left; on the right the first image of it, to decide about."""
    tab.goto(url)
    tab.wait_for_selector("[data-cy=looker] canvas[canvas-loaded=true]", timeout=120_000)
    tab.locator(".MuiPopover-root").get_by_text("Dismiss").click()  # of an advertisement
    picture = tab.get_by_alt_text("The place in the whole image, a close-up, and a normal image")
    picture.wait_for(timeout=120_000)
    tab.wait_for_function("image => image.complete && image.naturalWidth", arg=picture.element_handle())
    tab.wait_for_timeout(3000)
    return bytes(tab.screenshot())


if __name__ == "__main__":
    main()
