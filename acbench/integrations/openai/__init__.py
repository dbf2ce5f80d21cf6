"""Endpoints that offer the API of OpenAI, and their batches."""
