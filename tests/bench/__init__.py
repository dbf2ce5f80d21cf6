"""Measurements, not tests: each module says in its docstring how to run it. pytest does not collect them; mypy checks
that they fit what they measure."""
