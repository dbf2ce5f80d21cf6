"""The plan of the house, kept by machines."""

from __future__ import annotations

import configparser
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_layers_hold() -> None:
    command = [sys.executable, "-c", "from importlinter.cli import lint_imports_command; lint_imports_command()"]
    done = subprocess.run([*command, "--no-cache"], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout


def test_every_package_is_in_the_wheel() -> None:
    """setuptools takes the list of setup.cfg and says nothing about what is missing from it."""
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    listed = set(config["options"]["packages"].split())
    found = {".".join(path.parent.relative_to(ROOT).parts) for path in (ROOT / "acbench").rglob("__init__.py")}
    assert listed == found | {"acbench.label_schemas", "acbench.annotations"}


def test_what_is_bundled_is_found_by_python_that_starts_in_a_checkout() -> None:
    """It takes acbench from there, also where acbench is installed, and the folders are not in it."""
    code = """
import sys
sys.meta_path = [each for each in sys.meta_path if "__editable__" not in getattr(each, "__module__", "")]
import acbench, acbench.schema
from acbench.storage.bundled import edition_labels
print(acbench.__file__, len(acbench.schema.load("visa_ac").categories), len(edition_labels("visa_ac")) > 900)
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.stdout.split() == [str(ROOT / "acbench" / "__init__.py"), "12", "True"], done.stderr


def test_the_tree_names_no_machine_and_no_secret() -> None:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    texts = [ROOT / name for name in listed.splitlines() if not name.endswith((".png", ".gz"))]
    homes = ("/home/", "/root/", "/Users/")
    assert not [path for path in texts if any(home in path.read_text(encoding="utf-8") for home in homes)
                and path.name != Path(__file__).name]  # fmt: skip
