"""Draws app.png: the sample in the FiftyOne App, its queue beside the map.

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
        command = [*acbench, "app", "sample", "--project", project, "--remote", "--port", str(port)]
        app = subprocess.Popen(command)
        try:
            wait_for(port, 240)
            with open_page(width=1500, height=900) as tab:
                shot = take(tab, f"http://127.0.0.1:{port}")
        finally:
            app.terminate()
            app.wait()
    picture = Image.open(io.BytesIO(shot)).convert("RGB")
    picture.quantize(COLOURS, dither=Image.Dither.NONE).save(HERE / "app.png", optimize=True)
    print(f"{(HERE / 'app.png').stat().st_size / 1000:.0f} kB")


def take(tab: Any, url: str) -> bytes:
    """The queue on the left; on the right the map, coloured by label."""
    tab.goto(url)
    tab.wait_for_selector("[data-cy=looker] canvas[canvas-loaded=true]", timeout=120_000)
    tab.locator(".MuiPopover-root").get_by_text("Dismiss").click()  # of an advertisement
    tab.locator("[data-cy=new-panel-btn]").first.click()
    tab.get_by_text("Embeddings", exact=True).click()
    tab.get_by_text("map", exact=True).click()
    tab.get_by_text("104 points", exact=True).wait_for(timeout=60_000)
    tab.get_by_text("Color by").click()
    tab.wait_for_timeout(1000)
    tab.get_by_text("label.label", exact=True).click()
    tab.wait_for_timeout(3000)
    return bytes(tab.screenshot())


if __name__ == "__main__":
    main()
