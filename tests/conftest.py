"""Fixtures that several test modules use."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture
def mvtec_ad_root() -> Path:
    """Real images, if there are any."""
    root = os.environ.get("ACBENCH_MVTEC_AD_ROOT")
    if not root:
        pytest.skip("ACBENCH_MVTEC_AD_ROOT is not set: it names a folder with MVTec-AD or a part of it")
    return Path(root)
