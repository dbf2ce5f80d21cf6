"""Proposers and baselines, which answer for images, and what they are made of: the LLM client and the detector."""
