"""Measures speed, memory and statistical promises. Nothing here is a test: no figure is asserted.

Each module is a bench, and a command of its own, `python -m tests.bench.NAME`. `python -m tests.bench` runs several and
compares them with what was kept of the last release (`tests/bench/kept.py`); of each it takes `figures()`, lines of
`tests.bench.timing.Figure`, and `MINUTES`, about how long they take on two cores. `lacks()`, where there is one, names
what is missing on this machine.
"""
