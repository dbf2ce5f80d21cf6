"""The plan of the house: layers, who may import which library, and the form of modules and docstrings."""

from __future__ import annotations

import ast
import configparser
import re
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from tests.support.commands import python

ROOT = Path(__file__).parents[2]
MODULES = sorted((ROOT / "acbench").rglob("*.py"))
LIBRARIES = {
    "_util": "jinja2 rich",
    "cli": "click rich tqdm",
    "data": "PIL msgspec numpy scipy yaml",
    "evaluation": "matplotlib numpy pyarrow scipy",
    "predictors": "PIL cleanlab numpy scipy sklearn",
    "release": "PIL numpy pyarrow yaml",
    "review": "PIL cleanlab numpy pandas",
    "licences": "packaging",
    "schema": "yaml",
    "stats": "krippendorff numpy scipy sklearn statsmodels",
    "storage": "fsspec msgspec numpy pyarrow",
    "testing": "PIL numpy pyarrow",
    "workflows": "PIL msgspec pyarrow",
}
"""Package → third-party libraries that it may import. A package that is not listed may import none, and `integrations`
all that setup.cfg lists: foreign programs and services are known there only."""
HEAVY = {"datasets", "fiftyone", "inspect_ai", "label_studio_sdk", "matplotlib", "moto", "playwright", "ray", "s3fs",
         "sklearn", "torch", "transformers", "uvicorn"}  # fmt: skip
"""Libraries whose import takes long: a unit test imports them when it runs, not when it is collected."""
MAX_LINES = 400


def setup_cfg() -> configparser.ConfigParser:
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    return config


def package_of(path: Path) -> str:
    """The package or module right below acbench that a file belongs to."""
    return path.relative_to(ROOT / "acbench").parts[0].removesuffix(".py")


def imported_modules(source: str) -> Iterator[str]:
    """Every module that a source imports by its full name, also within functions and by `import_module`."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Import(names=names):
                yield from (alias.name for alias in names)
            case ast.ImportFrom(module=str(name), level=0):
                yield name
            case ast.Call(
                func=ast.Name(id="import_module" | "__import__") | ast.Attribute(attr="import_module" | "__import__"),
                args=[ast.Constant(value=str(name)), *_],
            ):
                yield name


def libraries(source: str) -> set[str]:
    """The third-party libraries that a source imports."""
    names = {name.partition(".")[0] for name in imported_modules(source)}
    return names - set(sys.stdlib_module_names) - {"_typeshed", "acbench"}


def listed_libraries() -> set[str]:
    """What users get with acbench, as it is imported."""
    config = setup_cfg()
    extras = "".join(text for name, text in config["options.extras_require"].items() if name != "test")
    listed = re.findall(r"^[\w.-]+", config["options"]["install_requires"] + extras, re.MULTILINE)
    names = {re.sub("[-_.]+", "-", name).lower() for name in listed}
    distributions = packages_distributions()
    return {
        module
        for module, owners in distributions.items()
        if any(re.sub("[-_.]+", "-", owner).lower() in names for owner in owners)
    }


def docstrings(source: str) -> Iterator[str]:
    """Every string that stands alone: docstrings of modules, classes and functions, and those of attributes."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            yield node.value.value.strip()


def test_the_layers_hold() -> None:
    command = [sys.executable, "-c", "from importlinter.cli import lint_imports_command; lint_imports_command()"]
    done = subprocess.run([*command, "--no-cache"], cwd=ROOT, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout


def test_only_integrations_know_foreign_programs() -> None:
    allowed = {package: set(names.split()) for package, names in LIBRARIES.items()}
    allowed["integrations"] = listed_libraries()
    strangers = {
        str(path.relative_to(ROOT)): names
        for path in MODULES
        if (names := libraries(path.read_text(encoding="utf-8")) - allowed.get(package_of(path), set()))
    }
    assert strangers == {}


@pytest.mark.parametrize(
    "source",
    [
        "import httpx",
        "import httpx as client, json",
        "from httpx import Client",
        "from httpx._client import Client",
        "def work():\n    import httpx",
        "if TYPE_CHECKING:\n    from httpx import Client",
        "import importlib\nimportlib.import_module('httpx')",
        "from importlib import import_module\nclient = import_module('httpx._client')",
        "__import__('httpx')",
    ],
)
def test_an_import_is_found_wherever_it_stands(source: str) -> None:
    assert libraries(source) == {"httpx"}


def test_a_module_has_at_most_400_lines() -> None:
    lengths = {str(path.relative_to(ROOT)): len(path.read_text(encoding="utf-8").splitlines()) for path in MODULES}
    assert {path: lines for path, lines in lengths.items() if lines > MAX_LINES} == {}


def test_a_docstring_begins_with_a_verb_or_a_noun() -> None:
    found = [
        f"{path.relative_to(ROOT)}: {text[:60]}"
        for path in MODULES
        for text in docstrings(path.read_text(encoding="utf-8"))
        if text.startswith(("Of ", "See "))
    ]
    assert found == []


def test_every_package_is_in_the_wheel() -> None:
    """setuptools takes the list of setup.cfg, and does not say what is missing from it."""
    listed = setup_cfg()["options"]["packages"].split()
    found = {".".join(path.parent.relative_to(ROOT).parts) for path in MODULES if path.name == "__init__.py"}
    assert sorted(listed) == sorted(found | {"acbench.label_schemas", "acbench.annotations"})


def test_what_is_bundled_is_found_by_python_that_starts_in_a_checkout() -> None:
    """Such a Python imports acbench from the checkout, even if acbench is installed, and the folders are not in it."""
    code = """
import sys
sys.meta_path = [finder for finder in sys.meta_path if "__editable__" not in getattr(finder, "__module__", "")]
import acbench, acbench.schema
from acbench.storage.bundled import edition_labels
print(acbench.__file__, len(acbench.schema.load("visa_ac").categories), len(edition_labels("visa_ac")) > 900)
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=600)
    assert done.stdout.split() == [str(ROOT / "acbench" / "__init__.py"), "12", "True"], done.stderr


def test_tests_lie_in_one_of_the_two_loops() -> None:
    """Nobody runs one elsewhere until it has broken."""
    loops = (ROOT / "tests" / "unit", ROOT / "tests" / "system")
    stray = [path for path in (ROOT / "tests").rglob("test_*.py") if not any(map(path.is_relative_to, loops))]
    assert stray == []


def test_unit_tests_import_nothing_heavy_when_they_are_collected() -> None:
    files = [path.relative_to(ROOT).with_suffix("") for path in (ROOT / "tests" / "unit").rglob("*.py")]
    modules = [".".join(path.parts) for path in files if path.name != "conftest"]
    code = f"""
import importlib, pytest, sys
for name in {modules!r}:
    before = set(sys.modules)
    importlib.import_module(name)
    if heavy := {HEAVY!r} & (set(sys.modules) - before):
        print(name, *heavy)
"""
    assert python(code, PYTHONPATH=str(ROOT)).out == ""


def test_the_tree_names_no_machine_and_no_secret() -> None:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    texts = [ROOT / name for name in listed.splitlines() if not name.endswith((".png", ".gz", ".zip"))]
    homes = ("/home/", "/root/", "/Users/")
    assert not [path for path in texts if any(home in path.read_text(encoding="utf-8") for home in homes)
                and path.name != Path(__file__).name]  # fmt: skip
