"""What happened in a project, and the results that are too expensive to compute twice: one SQLite file.

`Ledger` opens it. Runs, artifacts, file facts, vectors and calls have a module each; `database` knows the schema.
"""

from acbench.storage.ledger.ledger import Ledger

__all__ = ["Ledger"]
