"""Finds which images are anomalous, and where, for the baselines."""
