"""Bundled label schemas, one YAML file a benchmark."""
