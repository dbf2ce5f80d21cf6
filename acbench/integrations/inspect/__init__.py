"""Puts a benchmark's questions to models through Inspect (`inspect_ai`), and scores the answers as acbench does."""
