"""Endpoints that speak the API of OpenAI, and their batches."""
