"""`python -m acbench`."""

from acbench.cli import main

main()
