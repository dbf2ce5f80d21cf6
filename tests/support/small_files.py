"""Imported in a process, it gives each category a file of its own in git, however few rows there are."""

from acbench.storage import git_table

git_table.MAX_BYTES = 100
