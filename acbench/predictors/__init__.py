"""Whoever answers about an image: proposers, baselines, the LLM client, the detector."""
