"""Tests that run in one process: no server, browser, cluster, database or large model. Folders as in acbench."""
