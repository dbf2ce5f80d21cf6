"""Draws label_studio.png: the first washer of the sample's queue, as an annotator sees it in Label Studio.

    python notebooks/pictures/label_studio.py

Needs Chromium and `label-studio` on the PATH.
"""

from __future__ import annotations

import io
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from PIL import Image

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parents[1]))  # for the helpers of the tests

from acbench.integrations.label_studio import server as servers  # noqa: E402
from acbench.integrations.label_studio.people import SERVICE_ADDRESS  # noqa: E402
from tests.support.browser import open_page  # noqa: E402
from tests.support.label_studio import PASSWORD  # noqa: E402
from tests.support.ports import free_port  # noqa: E402

COMMON, VIVID = 72, 18


def main() -> None:
    """Relabel the sample, put its queue into a Label Studio of its own, and take the picture of one task."""
    with tempfile.TemporaryDirectory() as folder:
        acbench = [sys.executable, "-m", "acbench"]
        subprocess.run([*acbench, "relabel", "sample", "--project", folder], check=True)
        data = Path(folder) / ".acbench" / "desk"
        data.mkdir(parents=True, exist_ok=True)
        server, process = servers.start(data, data / "pictures", port=free_port(), password=PASSWORD)
        try:
            subprocess.run([*acbench, "review", "push", "sample", "--blind", "0", "--project", folder], check=True)
            with open_page(width=1440, height=880) as tab:
                shot = take(tab, server.url)
        finally:
            servers.stop(process, data)
    picture = Image.open(io.BytesIO(shot)).convert("RGB")
    few = picture.quantize(palette=palette(picture), dither=Image.Dither.NONE)
    few.save(HERE / "label_studio.png", optimize=True)
    print(f"{(HERE / 'label_studio.png').stat().st_size / 1000:.0f} kB")


def palette(picture: Image.Image) -> Image.Image:
    """The picture's commonest colours, and those of small things, such as the red line, which would be lost."""
    common = picture.quantize(COMMON, dither=Image.Dither.NONE).getpalette() or []
    vivid = picture.quantize(VIVID, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE).getpalette() or []
    colours = Image.new("P", (1, 1))
    colours.putpalette(common[: 3 * COMMON] + vivid[: 3 * VIVID])
    return colours


def take(tab: Any, url: str) -> bytes:
    """The first task, with the first class chosen."""
    tab.goto(f"{url}/user/login")
    tab.fill("input[name=email]", SERVICE_ADDRESS)
    tab.fill("input[name=password]", PASSWORD)
    tab.press("input[name=password]", "Enter")
    tab.get_by_text("Sample: Washer").first.click()
    tab.get_by_role("button", name="Label All Tasks").click()
    tab.wait_for_selector(".acb-side input")
    tab.wait_for_function("[...document.querySelectorAll('.acb-pictures img')].every(image => image.naturalWidth)")
    tab.keyboard.press("1")
    tab.wait_for_timeout(2000)
    return bytes(tab.screenshot())


if __name__ == "__main__":
    main()
