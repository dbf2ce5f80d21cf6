"""The command line: each command parses its options, calls one workflow, and prints what came of it."""

from acbench.cli.main import main

__all__ = ["main"]
