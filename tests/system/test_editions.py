"""The label editions that are bundled are exactly what relabel makes of the real file names."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from acbench import schema
from acbench.data.sources import originals
from acbench.predictors.proposers import table
from acbench.records import GOOD, Label
from acbench.storage import tables as store
from acbench.storage.bundled import edition_folder
from acbench.testing import full_tree
from acbench.workflows.label_counts import LabelTally, PublishedCounts
from tests.support.commands import here_in
from tests.support.listings import paths

FILES = ("labels.jsonl", "labels.meta.json", "reviews.jsonl")


def relabel(benchmark: str, root: Path, project: Path) -> None:
    # A project whose annotations are the bundled ones is where the editions are maintained: no edition is a witness.
    # The files of a full tree have the original names, but not the original bytes.
    known = originals(schema.load(benchmark).source)
    assert known is not None
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(table, "originals", lambda source: replace(known, hashes={}))
        here_in(project, "relabel", benchmark, "--root", root, "--without", "neighbours", "--without", "edition")


@pytest.fixture(scope="module")
def mvtec_ac(full_mvtec_ad: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    project = tmp_path_factory.mktemp("project")
    relabel("mvtec_ac", full_mvtec_ad, project)
    return project


@pytest.fixture(scope="module")
def visa_ac(full_visa: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    project = tmp_path_factory.mktemp("project")
    relabel("visa_ac", full_visa, project)
    return project


@pytest.fixture(scope="module")
def without_labels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Made from the images' names and the published classes alone, as the bundled edition is."""
    root = full_tree(tmp_path_factory.mktemp("visa"), paths("visa"))
    project = tmp_path_factory.mktemp("project")
    relabel("visa_ac", root, project)
    return project


class TestMvtecAc:
    @pytest.mark.parametrize("name", FILES)
    def test_relabel_makes_the_bundled_edition(self, mvtec_ac: Path, name: str) -> None:
        ours = (mvtec_ac / "annotations/mvtec_ac" / name).read_bytes()
        assert ours == edition_folder("mvtec_ac").joinpath(name).read_bytes()

    def test_its_view_has_the_published_structure(self, mvtec_ac: Path) -> None:
        labels = store.read(mvtec_ac / "annotations/mvtec_ac/labels.jsonl", Label)
        view = LabelTally(schema.load("mvtec_ac")).of(labels).figures.published
        assert (view.categories, view.classes) == (14, 64)
        assert len(labels) == 5354

    def test_nothing_disappears(self, mvtec_ac: Path) -> None:
        """What the published benchmark drops has a label set, or a status and a reason."""
        labels = store.read(mvtec_ac / "annotations/mvtec_ac/labels.jsonl", Label)
        assert all(label.reason for label in labels)
        combined = [label for label in labels if "/combined/" in label.image]
        assert Counter(label.status for label in combined) == {"accepted": 43, "pending": 12}
        assert all(len(label.labels) > 1 for label in combined if label.status == "accepted")
        toothbrush = [label for label in labels if "toothbrush/test/defective" in label.image]
        assert Counter((label.status, label.labels) for label in toothbrush) == {("excluded", ("defective",)): 30}

    def test_what_the_independent_team_saw_otherwise_is_pending(self, mvtec_ac: Path) -> None:
        labels = store.read(mvtec_ac / "annotations/mvtec_ac/labels.jsonl", Label)
        disputed = [label.image for label in labels if "differ" in label.reason]
        assert disputed == [
            "grid/test/bent/005.png",
            "grid/test/bent/011.png",
            "grid/test/broken/010.png",
            "metal_nut/test/scratch/007.png",
            "metal_nut/test/scratch/008.png",
            "metal_nut/test/scratch/011.png",
            "screw/test/thread_side/007.png",
            "zipper/test/broken_teeth/013.png",
        ]


class TestVisaAc:
    @pytest.mark.parametrize("name", FILES)
    def test_relabel_makes_the_bundled_edition(self, without_labels: Path, name: str) -> None:
        ours = (without_labels / "annotations/visa_ac" / name).read_bytes()
        assert ours == edition_folder("visa_ac").joinpath(name).read_bytes()

    @pytest.mark.parametrize("fixture", ["visa_ac", "without_labels"])
    def test_its_view_has_the_published_structure(self, fixture: str, request: pytest.FixtureRequest) -> None:
        labels = store.read(request.getfixturevalue(fixture) / "annotations/visa_ac/labels.jsonl", Label)
        counts = PublishedCounts(categories=12, classes=50, images=929)
        assert LabelTally(schema.load("visa_ac")).of(labels).figures.published == counts

    def test_the_normal_test_images_are_there(self, visa_ac: Path) -> None:
        labels = store.read(visa_ac / "annotations/visa_ac/labels.jsonl", Label)
        assert sum(label.labels == (GOOD,) for label in labels) == 8659 + 962
        assert len(labels) == 10821

    def test_joined_strings_are_label_sets(self, visa_ac: Path) -> None:
        labels = store.read(visa_ac / "annotations/visa_ac/labels.jsonl", Label)
        assert max(len(label.labels) for label in labels) >= 4
        assert all(label.reason for label in labels)
