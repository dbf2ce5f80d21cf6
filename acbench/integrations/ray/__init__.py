"""Work given to a Ray cluster."""
