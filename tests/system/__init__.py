"""Tests that start programs: servers, browsers, clusters, databases, and acbench itself as a process."""
