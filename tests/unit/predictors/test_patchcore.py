"""Distances to normal patches, against a brute-force search."""

from __future__ import annotations

import numpy as np
import pytest

from acbench.predictors.detection import patchcore


@pytest.fixture
def normal() -> patchcore.Features:
    return np.random.default_rng(0).standard_normal((6, 7, 7, 90)).astype(np.float32)


def test_a_map_holds_the_distance_to_the_nearest_patch_of_the_bank(normal: patchcore.Features) -> None:
    bank = patchcore.fit(normal)
    query = np.random.default_rng(1).standard_normal((5, 9, 90)).astype(np.float32)
    from sklearn.neighbors import NearestNeighbors

    search = NearestNeighbors(n_neighbors=1, algorithm="brute").fit(bank.patches)
    expected, _ = search.kneighbors(query.reshape(-1, 90))
    assert bank.heatmap(query) == pytest.approx(expected.reshape(5, 9), rel=1e-4)


def test_a_small_bank_keeps_every_patch_and_finds_each(normal: patchcore.Features) -> None:
    bank = patchcore.fit(normal)
    assert len(bank.patches) == 6 * 49 < patchcore.KEPT
    assert bank.heatmap(normal[0]) == pytest.approx(np.zeros((7, 7)), abs=2e-2)


def test_the_coreset_takes_each_next_one_farthest_from_those_before() -> None:
    rows = np.random.default_rng(2).standard_normal((300, 5)).astype(np.float32)
    chosen = patchcore.coreset(rows, 40)
    assert len(set(chosen.tolist())) == 40
    for number in range(1, 40):
        distances = np.linalg.norm(rows[:, None] - rows[chosen[:number]], axis=2).min(axis=1)
        assert distances[chosen[number]] == pytest.approx(distances.max(), rel=1e-3)


def test_no_outlier_is_thinned_away() -> None:
    rows = np.zeros((5_000, 80), dtype=np.float32) + np.random.default_rng(3).normal(0, 0.01, (5_000, 80))
    rows[1234] += 9
    assert 1234 in patchcore.coreset(rows.astype(np.float32), 20)


def test_the_same_patches_give_the_same_bank(normal: patchcore.Features) -> None:
    assert (patchcore.coreset(normal.reshape(-1, 90), 50) == patchcore.coreset(normal.reshape(-1, 90), 50)).all()


def test_so_many_patches_at_most_whatever_the_images_are() -> None:
    features = np.random.default_rng(0).standard_normal((56, 56, 3)).astype(np.float32)
    for images in (10, 100, 1000):
        part = patchcore.sampled(features, images, seed=1)
        assert len(part) == min(56 * 56, patchcore.SAMPLED // images)
        assert (part == patchcore.sampled(features, images, seed=1)).all()
    assert len(patchcore.sampled(features, 10**9, seed=1)) == 1
