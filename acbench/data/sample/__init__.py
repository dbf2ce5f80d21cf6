"""Renders the sample, a small dataset of washers and fabric."""
