"""The worked examples of CONTRIBUTING.md work, as plugins of another package, and the paths it names exist."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image, ImageDraw

from acbench import schema
from acbench.data import sources
from acbench.data.images import ImageReader
from acbench.data.ingest import ingest
from acbench.predictors.base import Baseline, BaselineSetup, Proposer, Setup, ask
from acbench.predictors.models import Embedder
from acbench.predictors.registry import build_proposer
from acbench.testing import FakeModels, MemoryVectors
from tests.support.commands import ROOT, here_in, python

PAGE = ROOT / "CONTRIBUTING.md"
EXAMPLE = re.compile(r"<!-- example: (\w+) -->\n```python\n(.*?)```", re.DOTALL)
GROUPS = {"plates": "acbench.sources", "shape": "acbench.proposers", "chance": "acbench.baselines"}
"""Example → the entry-point group under which another package offers it."""
PLATES = """
benchmark: plates
version: "1"
source: plates
title: Plates
licence: CC-BY-4.0
attribution: "Ada Lovelace: Plates. 2026."
about: Grey plates with one of two kinds of defect each.
categories:
  plate:
    name: Plate
    object: A grey plate that fills the picture.
    normal: Grey, nothing darker than its surroundings.
    guide: Is it long and thin? Then a crack. Otherwise a spot.
    classes:
      - id: crack
        name: Crack
        definition: A thin dark line, at least five times as long as it is wide.
        not: Not a spot, which is about as wide as it is long.
        source: [crack]
      - id: spot
        name: Spot
        definition: A dark filled patch, about as wide as it is long.
        not: Not a crack, which is a thin line.
        source: [spot]
"""


def examples() -> dict[str, str]:
    """Name → code of each worked example."""
    return dict(EXAMPLE.findall(PAGE.read_text(encoding="utf-8")))


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that holds an installed package with all examples."""
    folder = tmp_path_factory.mktemp("site")
    for name, code in examples().items():
        (folder / f"{name}.py").write_text(code, encoding="utf-8")
    metadata = folder / "examples-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: examples\nVersion: 1.0\n")
    points = (f"[{group}]\n{name} = {name}\n" for name, group in GROUPS.items())
    (metadata / "entry_points.txt").write_text("\n".join(points))
    return folder


@pytest.fixture
def installed(package: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.syspath_prepend(str(package))
    yield package


@pytest.fixture(scope="module")
def plates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset in the layout of the source."""
    root = tmp_path_factory.mktemp("plates")
    for kind in ("good", "crack", "spot"):
        for number in range(4):
            picture, mask = Image.new("RGB", (48, 48), (150 + number, 160, 160)), Image.new("L", (48, 48))
            box = (6, 20 + number, 42, 23 + number) if kind == "crack" else (16, 16, 30 + number, 30)
            for canvas, colour in ((picture, (60, 60, 60)), (mask, 255)):
                if kind != "good":
                    ImageDraw.Draw(canvas).rectangle(box, colour)
            files = {f"plate/{kind}/{number:03}.png": picture, f"plate/masks/{kind}/{number:03}.png": mask}
            for path, image in files.items():
                if kind != "good" or "masks" not in path:
                    (root / path).parent.mkdir(parents=True, exist_ok=True)
                    image.save(root / path)
    return root


@pytest.fixture
def schema_file(tmp_path: Path) -> Path:
    path = tmp_path / "plates.yaml"
    path.write_text(PLATES, encoding="utf-8")
    return path


def test_the_source_reads_every_image_with_its_mask(installed: Path, plates: Path) -> None:
    dataset = ingest(sources.get("plates"), plates)
    assert dataset.findings == []
    assert sorted((item.source_labels, bool(item.mask)) for item in dataset.items) == [
        *[(("crack",), True)] * 4,
        *[(("good",), False)] * 4,
        *[(("spot",), True)] * 4,
    ]


def test_the_proposer_is_asked_by_name(installed: Path, plates: Path, schema_file: Path, tmp_path: Path) -> None:
    command = ("relabel", schema_file, "--root", plates, "--with", "shape", "--without", "neighbours", "--json")
    witnesses = here_in(tmp_path / "project", *command).facts["witnesses"]
    (counts,) = (counts for name, counts in witnesses.items() if name.startswith("shape@"))
    assert counts == {"ok": 8, "abstained": 0, "error": 0}


def test_the_proposer_names_what_it_sees_and_a_bad_mask_is_a_row(installed: Path, plates: Path, tmp_path: Path) -> None:
    import shape

    (tmp_path / "plates.yaml").write_text(PLATES)
    setup = Setup(
        schema=schema.load(str(tmp_path / "plates.yaml")), images=ImageReader(plates), models=FakeModels(),
        vectors=MemoryVectors(),
    )  # fmt: skip
    proposer: Proposer = shape.build(setup)
    items = ingest(sources.get("plates"), plates).items
    proposals = ask(proposer, items, lambda done, total: None).rows
    truth = {item.item_id: item.source_labels for item in items}
    assert [proposal.labels for proposal in proposals] == [truth[proposal.item_id] for proposal in proposals]
    missing = shape.build(Setup(
        schema=setup.schema, images=ImageReader(tmp_path), models=FakeModels(), vectors=MemoryVectors()
    ))  # fmt: skip
    assert {(row.status, bool(row.reason)) for row in ask(missing, items, lambda done, total: None).rows} == {
        ("error", True)
    }


def test_the_baseline_is_scored_by_name(installed: Path, plates: Path, schema_file: Path, tmp_path: Path) -> None:
    import chance

    project = tmp_path / "project"
    here_in(project, "relabel", schema_file, "--root", plates, "--without", "neighbours")
    scored = here_in(project, "score", schema_file, "--system", "chance", "--resamples", "0", "--json")
    assert json.loads(scored.out)["items"] == 12
    setup = BaselineSetup(
        schema=schema.load(str(schema_file)), images=ImageReader(plates), models=FakeModels(),
        vectors=MemoryVectors(), items=(),
    )  # fmt: skip
    baseline: Baseline = chance.build(setup)
    assert baseline.name == chance.build(setup).name


def test_the_integration_lets_neighbours_compare(installed: Path, plates: Path, schema_file: Path) -> None:
    import thumbnails

    embedder: Embedder = thumbnails.Thumbnails()
    setup = Setup(
        schema=schema.load(str(schema_file)), images=ImageReader(plates), models=FakeModels(embedder=embedder),
        vectors=MemoryVectors(),
    )  # fmt: skip
    items = ingest(sources.get("plates"), plates).items
    rows = ask(build_proposer("neighbours", setup), items, lambda done, total: None).rows
    assert len(rows) == 8 and not [row for row in rows if row.status == "error"]


def test_the_examples_are_clean(package: Path) -> None:
    """As strict as acbench itself, and with its settings: what is known of acbench by then is known to `mypy` later."""
    python("import sys, mypy.api; out, err, status = mypy.api.run(sys.argv[1:]); print(out, err); sys.exit(status)",
           *("--config-file", ROOT / "setup.cfg"), *(package / f"{name}.py" for name in examples()))  # fmt: skip


@pytest.mark.parametrize("page", ["ARCHITECTURE.md", "CONTRIBUTING.md"])
def test_the_files_that_a_page_names_exist(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    named = set(re.findall(r"`((?:[\w.-]+/)+(?:[\w-]+\.(?:py|yaml|txt))?)`", text))
    own = {name for name in named if name.startswith(("acbench/", "tests/")) or page == "ARCHITECTURE.md"}
    own -= {".acbench/", "proposals/", "acbench/integrations/NAME/"}  # of projects, and of examples
    missing = [name for name in own if not any((folder / name).exists() for folder in (ROOT, ROOT / "acbench"))]
    assert own and missing == []
