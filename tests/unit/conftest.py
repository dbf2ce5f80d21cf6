"""Settings of the inner loop."""

from __future__ import annotations

import os

import hypothesis

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch is imported: its threads wait for each other busily
hypothesis.settings.register_profile("acbench", deadline=None)  # a busy machine is slow
hypothesis.settings.load_profile("acbench")
