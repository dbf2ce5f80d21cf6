"""The command line: parse, wire, call the pipeline, print its report."""

from acbench.cli.main import main

__all__ = ["main"]
