"""Settings of the inner loop."""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch is imported: its threads wait for each other busily
