"""Checks whether a release is what it says: hashes, tables, card, duplicates, and what `datasets` makes of it."""
