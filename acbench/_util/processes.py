"""Tells whether a process runs."""

from __future__ import annotations

import os


def is_running(process_id: int) -> bool:
    """Whether a process of this machine has this id."""
    try:
        os.kill(process_id, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # it is somebody else's
        return True
    return True
